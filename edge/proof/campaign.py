"""The fuzz run of a proof: many payloads on every inbound topic, while parts go on."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

from edge.proof.fuzz import Fuzz, Fuzzed
from edge.proof.line import Line
from edge.proof.plant import FOLDER_CAMERA, Plant

BATCH = 10  # payloads a topic until the station must follow: a trigger waits behind no more
FOLLOWS_WITHIN_S = 60.0
PROBE = "plc/alerts", "line.fuzz-probe"


class Campaign:
    """Sends payloads and sees that the station lives. One thread."""

    def __init__(
        self, plant: Plant, line: Line, *, chance: random.Random, tell: Callable[[str], None]
    ) -> None:
        self._plant = plant
        self._line = line
        self._fuzz = Fuzz(chance)
        self._tell = tell
        self._probes = 0

    def run(self, payloads: int) -> Fuzzed:
        """Send so many payloads to each topic and return what that did."""
        line, ledger = self._line, self._line.ledger
        self._settle()
        threads = self._threads()
        exits, restarts = self._plant.station_exits, self._restarts()
        rss_before_mb = self._plant.rss_mb()
        answered_before = ledger.answered_said()
        started = time.monotonic()
        heard = True
        for sent in range(0, payloads, BATCH):
            for _ in range(min(BATCH, payloads - sent)):
                for topic in self._fuzz.topics:
                    line.say(topic, self._fuzz.payload(topic))
            heard = self._follows() and heard
            if sent * 10 // payloads != (sent + BATCH) * 10 // payloads:
                self._tell(f"          {min(sent + BATCH, payloads)} payloads on each topic")
        took_s = time.monotonic() - started
        self._settle()
        return Fuzzed(
            payloads_per_topic=payloads,
            topics=len(self._fuzz.topics),
            payloads=payloads * len(self._fuzz.topics),
            answered=ledger.answered_said() - answered_before,
            took_s=round(took_s, 1),
            threads=len(threads),
            threads_lost=tuple(sorted(threads - self._threads())),
            restarts=self._restarts() - restarts,
            exits=self._plant.station_exits - exits,
            heard_alarms=heard,
            rss_before_mb=round(rss_before_mb, 1),
            rss_after_mb=round(self._plant.rss_mb(), 1),
        )

    def _follows(self) -> bool:
        """Wait until a part triggered now has passed and an alert raised now is an alarm."""
        now_ns = time.monotonic_ns()
        topic, alarm = PROBE
        known = self._line.alarms_heard.get(alarm, 0)
        self._probes += 1
        alert = json.dumps({"id": alarm.partition(".")[2], "active": self._probes % 2 == 1})
        self._line.say(topic, alert.encode())
        return self._line.await_that(
            lambda: (
                self._line.ledger.passed_sent_ns[FOLDER_CAMERA] > now_ns
                and self._line.alarms_heard.get(alarm, 0) > known
            ),
            within_s=FOLLOWS_WITHIN_S,
        )

    def _settle(self) -> None:
        """Go on until all is recorded, and the station has said so in a new report of health."""
        said = self._line.ledger.health

        def is_calm() -> bool:
            health = self._line.ledger.health
            return health is not None and health is not said and health.unrecorded < 50

        self._line.await_that(is_calm, within_s=FOLLOWS_WITHIN_S)

    def _threads(self) -> frozenset[str]:
        self._plant.ask_for_threads()
        self._line.await_that(lambda: self._plant.threads() is not None, within_s=FOLLOWS_WITHIN_S)
        return self._plant.threads() or frozenset()

    def _restarts(self) -> int:
        health = self._line.ledger.health
        return 0 if health is None else health.restarts
