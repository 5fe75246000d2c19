"""How each fault is played: a context for each kind, the fault lasts while it is entered."""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Callable, Iterator

from edge import alarm_messages, messages
from edge.proof.fuzz import Fuzz
from edge.proof.line import NETWORK_EVERY, Line
from edge.proof.plant import BASE, FOLDER_CAMERA, KEEPALIVE_S, NETWORK_CAMERA, Plant
from edge.units import NS_PER_S

LASTS_S = 2.0
FROZEN_S = 3.0 * KEEPALIVE_S
DATABASE_FROZEN_S = 15.0  # long enough for more restarts than the budget of a stage
HOUR_S = 3600
BOOTS_WITHIN_S = 90.0
RECOVERS_WITHIN_S = 90.0
NETWORK_OFTEN = 4
GARBAGE = 250
Play = contextlib.AbstractContextManager[None]


class Strikes:
    """Plays faults on a plant while its line goes on. One thread."""

    def __init__(self, plant: Plant, line: Line, *, chance: random.Random) -> None:
        self.wills_s: list[float | None] = []  # from a kill to the last will, None for never
        self._plant = plant
        self._line = line
        self._ledger = line.ledger
        self._fuzz = Fuzz(chance)

    def why_not(self, kind: str) -> str | None:
        """Return why a fault cannot be played here, None where it can."""
        match kind:
            case "disk_full":
                return self._plant.disk.why_not_full
            case "clock_ahead" | "clock_behind":
                return self._plant.clock.why_not
            case "database_killed" | "database_frozen" if self._plant.server is None:
                return "the database is a file, which has no process"
        return None

    def play(self, kind: str) -> float | None:
        """Play a fault; return how long after its end all worked again, None for never, in s.

        That is a part that was triggered after the end and passed, on the camera that was struck;
        where the database was, one whose record has come.
        """
        strike: Callable[[], Play] = getattr(self, f"_{kind}")
        with strike():
            self._line.run_for(LASTS_S)
        ended_ns = time.monotonic_ns()

        def works() -> bool:
            if kind.startswith("database"):
                return self._ledger.recorded_sent_ns > ended_ns
            camera = NETWORK_CAMERA if kind in {"camera_killed", "camera_hangs"} else FOLDER_CAMERA
            return self._ledger.passed_sent_ns[camera] > ended_ns

        with self._network_often():
            if not self._line.await_that(works, within_s=RECOVERS_WITHIN_S):
                return None
        return round((time.monotonic_ns() - ended_ns) / NS_PER_S, 2)

    # --- station ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _station_killed(self) -> Iterator[None]:
        with self._outage("after its end"):
            self._kill_station()
            self._plant.start_station()
            self._await_boot()
        yield

    @contextlib.contextmanager
    def _power_cut(self) -> Iterator[None]:
        # with the database kept from it, the spool is all that holds the last parts
        with contextlib.ExitStack() as outage:
            with self._plant.database.locked():
                self._line.run_for(0.5)
                self._await_next_pass()
                outage.enter_context(self._outage("after a power cut"))
                self._kill_station()
                self._plant.disk.cut_power()
            self._plant.start_station()
            self._await_boot()
        yield

    @contextlib.contextmanager
    def _outage(self, when: str) -> Iterator[None]:
        """What is not answered now is excused, until the station is Ready again."""
        self._ledger.outage_begins(time.monotonic_ns())
        try:
            yield
            self._line.await_ready(when)
        finally:
            self._ledger.outage_ends(time.monotonic_ns())

    def _await_next_pass(self) -> None:
        """Strike right after a PASS has left."""
        known = self._ledger.passed_sent_ns.total()
        self._line.await_that(
            lambda: self._ledger.passed_sent_ns.total() > known, within_s=RECOVERS_WITHIN_S
        )

    def _kill_station(self) -> None:
        killed_ns = time.monotonic_ns()
        self._plant.kill_station()
        give_up = time.monotonic() + 2 * KEEPALIVE_S
        while self._ledger.gone_ns < killed_ns and time.monotonic() < give_up:
            self._line.read(wait_s=0.01)
        gone_ns = self._ledger.gone_ns
        self.wills_s.append((gone_ns - killed_ns) / NS_PER_S if gone_ns >= killed_ns else None)

    def _await_boot(self) -> None:
        """Wait for a state of the new station: the old one's Ready is no sign of life."""
        known = len(self._ledger.boots)
        give_up = time.monotonic() + BOOTS_WITHIN_S
        while len(self._ledger.boots) == known and time.monotonic() < give_up:
            self._plant.look_after_station()
            self._line.read(wait_s=0.01)

    # --- broker -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _broker_killed(self) -> Iterator[None]:
        with self._outage("after a broker's end"):
            self._plant.kill_broker()
            self._ledger.state = None
            self._plant.start_broker()
        yield

    @contextlib.contextmanager
    def _broker_frozen(self) -> Iterator[None]:
        with self._outage("after a broker's freeze"):
            with self._plant.frozen_broker():
                self._line.run_for(FROZEN_S)
            if not self._line.link.is_up:
                self._ledger.state = None
            # the station may still find the connection dead; what it says then is heard meanwhile
            self._line.run_for(2.0 * KEEPALIVE_S)
        yield

    # --- cameras ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _camera_killed(self) -> Iterator[None]:
        with self._network_often():
            self._plant.kill_camera()
            try:
                yield
            finally:
                self._plant.start_camera()

    @contextlib.contextmanager
    def _camera_hangs(self) -> Iterator[None]:
        with self._network_often(), self._plant.frozen_camera():
            yield

    @contextlib.contextmanager
    def _network_often(self) -> Iterator[None]:
        self._line.network_every = NETWORK_OFTEN
        try:
            yield
        finally:
            self._line.network_every = NETWORK_EVERY

    @contextlib.contextmanager
    def _shown(self, pictures: str) -> Iterator[None]:
        self._ledger.lie_begins(time.monotonic_ns())
        self._plant.show(pictures)
        try:
            yield
        finally:
            self._plant.show("good")
            self._ledger.lie_ends(time.monotonic_ns())

    def _camera_lost(self) -> Play:
        return self._shown("gone")

    def _camera_black(self) -> Play:
        return self._shown("black")

    def _camera_frozen(self) -> Play:
        return self._shown("frozen")

    def _camera_torn(self) -> Play:
        return self._shown("torn")

    def _camera_foreign(self) -> Play:
        return self._shown("foreign")

    # --- disk, database, clock ----------------------------------------------------------------

    def _disk_full(self) -> Play:
        return self._plant.disk.full()

    def _disk_read_only(self) -> Play:
        return self._plant.disk.read_only_spool()

    def _database_locked(self) -> Play:
        return self._plant.database.locked()

    @contextlib.contextmanager
    def _database_killed(self) -> Iterator[None]:
        server = self._plant.server
        assert server is not None
        server.kill()
        try:
            yield
        finally:
            server.start()

    @contextlib.contextmanager
    def _database_frozen(self) -> Iterator[None]:
        server = self._plant.server
        assert server is not None
        with server.frozen():
            self._line.run_for(DATABASE_FROZEN_S - LASTS_S)
            yield

    def _clock_ahead(self) -> Play:
        return self._plant.clock.stepped(HOUR_S)

    def _clock_behind(self) -> Play:
        return self._plant.clock.stepped(-HOUR_S)

    # --- models -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _model_raises(self) -> Iterator[None]:
        self._plant.tell_models("raise")
        try:
            yield
        finally:
            self._plant.tell_models("")

    @contextlib.contextmanager
    def _model_hangs(self) -> Iterator[None]:
        self._plant.tell_models("hang")
        yield

    @contextlib.contextmanager
    def _model_killed(self) -> Iterator[None]:
        self._plant.kill_models()
        yield

    # --- messages -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _triggers_duplicated(self) -> Iterator[None]:
        self._line.copies = 3
        try:
            yield
        finally:
            self._line.copies = 1

    @contextlib.contextmanager
    def _triggers_reordered(self) -> Iterator[None]:
        self._line.burst = 5
        try:
            yield
        finally:
            self._line.burst = 1

    @contextlib.contextmanager
    def _trigger_retained(self) -> Iterator[None]:
        self._line.retain = True
        try:
            yield
        finally:
            self._line.retain = False
            self._line.say(f"{BASE}/{messages.TRIGGER}", b"", retain=True)

    @contextlib.contextmanager
    def _payloads_oversized(self) -> Iterator[None]:
        for topic in _INBOUND:
            self._line.say(topic, b'{"request_id": "' + b"x" * 100_000 + b'"}')
        yield

    @contextlib.contextmanager
    def _payloads_malformed(self) -> Iterator[None]:
        for number in range(GARBAGE):
            topic = self._fuzz.topics[number % len(self._fuzz.topics)]
            self._line.say(topic, self._fuzz.payload(topic))
            if number % len(self._fuzz.topics) == 0:
                self._line.cycle()
        yield

    @contextlib.contextmanager
    def _payloads_foreign(self) -> Iterator[None]:
        for payload in _FOREIGN:
            for topic in _INBOUND:
                self._line.say(topic, payload)
        yield

    @contextlib.contextmanager
    def _alarm_flood(self) -> Iterator[None]:
        for number in range(500):
            alert = json.dumps({"id": f"alarm-{number}", "active": number % 2 == 0}).encode()
            self._line.say("plc/alerts", alert)
            if number % 20 == 0:
                self._line.cycle()
        yield


_INBOUND = tuple(
    f"{BASE}/{topic}"
    for topic in (
        messages.TRIGGER,
        messages.ACK,
        messages.REPLAY,
        messages.SELFTEST_IN,
        alarm_messages.COMMAND,
    )
)
_FOREIGN = (
    b"23.5",
    b"true",
    b"null",
    b"[]",
    b'"trigger"',
    b"\xff\xfe\x00",
    b'{"timestamp":1442421871000,"values":[{"id":"Ch.Dev.Tag","v":42,"q":true}]}',
    b'{"request_id":{"a":1}}',
    b'{"schema":"other/1","after_seq":"all"}',
    b"[" * 5000,
)
