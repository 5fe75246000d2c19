"""The run of a proof: a PLC that goes on triggering while faults strike one after the other."""

from __future__ import annotations

import contextlib
import json
import queue
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from edge import messages
from edge.mqtt import Link, Message
from edge.proof.faults import KINDS, Fault, schedule
from edge.proof.ledger import Account, Asked, Ledger, Struck, now_at
from edge.proof.plant import BASE, DEADLINE_MS, KEEPALIVE_S, PICTURES, Plant, require_proc
from edge.tickets import NS_PER_MS, NS_PER_S
from inspector.errors import BrokerError
from inspector.settings import MqttSettings

TAKT_MS = 40
LASTS_S = 2.0
FROZEN_S = 3.0 * KEEPALIVE_S
READY_WITHIN_S = 90.0
RECOVERS_WITHIN_S = 90.0
DRAINS_WITHIN_S = 60.0
HEARTBEAT_FRESH_S = 3.0
WARM_UP = 20  # triggers before memory is looked at for the first time
STATION = (sys.executable, "-m", "edge.proof.station")


class Proof:
    """One run. One thread."""

    def __init__(
        self,
        folder: Path,
        *,
        triggers: int,
        kinds: tuple[str, ...],
        seed: int,
        station_command: tuple[str, ...] = STATION,
        tell: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """`tell` is told what happens, a line each."""
        require_proc()
        self._plant = Plant(folder, seed=seed, station_command=station_command)
        self._triggers = triggers
        self._kinds = kinds
        self._seed = seed
        self._tell = tell
        self._chance = random.Random(seed)
        self._ledger = Ledger(base=BASE)
        self._link = Link(
            MqttSettings(port=self._plant.port, keepalive_s=KEEPALIVE_S),
            client_id="proof-plc",
            subscribe=(f"{BASE}/#",),
        )
        self._next_ns = 0
        self._copies = 1
        self._burst = 1
        self._retain = False
        self._struck: list[Struck] = []
        self._wills: list[float | None] = []
        self._rss_before = 0.0

    def run(self) -> Account:
        """Play the schedule and return the account; raise `BrokerError` where nothing starts."""
        started = time.monotonic()
        with self._plant.built():
            self._link.start()
            try:
                self._await_ready("at the start")
                for fault in schedule(self._kinds, triggers=self._triggers, seed=self._seed):
                    self._trigger_until(min(fault.at, self._triggers))
                    self._strike(fault, at_s=time.monotonic() - started)
                self._trigger_until(self._triggers)
                return self._close()
            finally:
                self._link.stop()

    # --- the line -----------------------------------------------------------------------------

    def _trigger_until(self, triggers: int) -> None:
        give_up = time.monotonic() + READY_WITHIN_S
        while (known := len(self._ledger.asked)) < triggers:
            self._cycle()
            if len(self._ledger.asked) > known:
                give_up = time.monotonic() + READY_WITHIN_S
            if time.monotonic() > give_up:
                state = self._ledger.state
                raise BrokerError(
                    f"expected the station to be Ready within {READY_WITHIN_S:.0f} s, found "
                    f"{state.state + ': ' + state.detail if state else 'no state'}; "
                    f"see {self._plant.folder}"
                )

    def _run_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._cycle()

    def _await_ready(self, when: str) -> None:
        give_up = time.monotonic() + READY_WITHIN_S
        while not self._is_ready():
            self._cycle(may_trigger=False)
            if time.monotonic() > give_up:
                raise BrokerError(
                    f"expected the station to be Ready {when}, found it silent for "
                    f"{READY_WITHIN_S:.0f} s; see {self._plant.folder}"
                )

    def _is_ready(self) -> bool:
        """Return whether a careful PLC would trigger now."""
        state = self._ledger.state
        age_s = (time.monotonic_ns() - self._ledger.heard_ns) / NS_PER_S
        return state is not None and state.state == "Ready" and age_s < HEARTBEAT_FRESH_S

    def _cycle(self, *, may_trigger: bool = True) -> None:
        """Send what is due and read what arrived, for at most one takt."""
        if self._plant.look_after_station():
            self._tell("the station ended by itself and was started again")
        if not self._rss_before and len(self._ledger.asked) >= WARM_UP:
            self._rss_before = self._plant.rss_mb()
        now_ns = time.monotonic_ns()
        is_due = may_trigger and now_ns >= self._next_ns and self._is_ready()
        if is_due and len(self._ledger.open(now_ns)) < 16:
            self._send_burst()
            self._next_ns = now_ns + TAKT_MS * NS_PER_MS
        with contextlib.suppress(queue.Empty):
            self._ledger.read(self._link.arrivals.get(timeout=0.005))
            while True:
                self._ledger.read(self._link.arrivals.get_nowait())

    def _send_burst(self) -> None:
        numbers = range(len(self._ledger.asked) + 1, len(self._ledger.asked) + 1 + self._burst)
        for number in reversed(numbers):
            self._send(number)

    def _send(self, number: int) -> None:
        request_id = f"r-{number:06d}"
        trigger = messages.Trigger(
            request_id=request_id, part_id=f"P{number % PICTURES:03d}", seq=number, ts=now_at()
        )
        asked = Asked(
            request_id=request_id,
            sent_ns=time.monotonic_ns(),
            sent_at=now_at(),
            deadline_ms=DEADLINE_MS,
            copies=self._copies,
        )
        self._ledger.asked[request_id] = asked
        for _ in range(self._copies):
            self._publish(messages.TRIGGER, messages.encode_trigger(trigger), retain=self._retain)

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self._link.publish(Message(topic=f"{BASE}/{topic}", payload=payload, retain=retain))

    # --- faults -------------------------------------------------------------------------------

    def _strike(self, fault: Fault, *, at_s: float) -> None:
        self._tell(f"{at_s:6.1f} s, {len(self._ledger.asked)} triggers: {KINDS[fault.kind]}")
        note = ""
        play: Callable[[], contextlib.AbstractContextManager[None]] = getattr(
            self, f"_{fault.kind}"
        )
        if fault.kind == "disk_full" and not self._plant.has_small_disk:
            note = "not played: no small disk could be mounted (needs root)"
            self._struck.append(
                Struck(kind=fault.kind, at_s=round(at_s, 1), recovery_s=0.0, note=note)
            )
            return
        with play():
            self._run_for(LASTS_S)
        ended_ns = time.monotonic_ns()
        recovery_s = self._recovery_s(ended_ns)
        back = "no PASS came" if recovery_s is None else f"a part passed {recovery_s:.1f} s later"
        self._tell(f"          {back}")
        self._struck.append(Struck(kind=fault.kind, at_s=round(at_s, 1), recovery_s=recovery_s))

    def _recovery_s(self, ended_ns: int) -> float | None:
        """Go on until a part passes that was triggered after the fault ended."""
        give_up = time.monotonic() + RECOVERS_WITHIN_S
        while self._ledger.newest_pass_sent_ns <= ended_ns:
            self._cycle()
            if time.monotonic() > give_up:
                return None
        return round((time.monotonic_ns() - ended_ns) / NS_PER_S, 2)

    @contextlib.contextmanager
    def _outage(self) -> Iterator[None]:
        """What is not answered now is excused, until the station is Ready again."""
        self._ledger.outage_begins(time.monotonic_ns())
        try:
            yield
        finally:
            self._await_ready("after an outage")
            self._ledger.outage_ends(time.monotonic_ns())

    @contextlib.contextmanager
    def _station_killed(self) -> Iterator[None]:
        with self._outage():
            self._kill_station()
            self._plant.start_station()
            self._await_boot()
        yield

    @contextlib.contextmanager
    def _power_cut(self) -> Iterator[None]:
        # with the database kept from it, the spool is all that holds the last parts
        with self._plant.locked_database():
            self._run_for(0.5)
            self._await_next_pass()
            self._ledger.outage_begins(time.monotonic_ns())
            self._kill_station()
            self._plant.cut_power()
        self._plant.start_station()
        self._await_boot()
        self._await_ready("after a power cut")
        self._ledger.outage_ends(time.monotonic_ns())
        yield

    def _await_next_pass(self) -> None:
        """Strike right after a PASS has left."""
        known_ns = self._ledger.newest_pass_sent_ns
        give_up = time.monotonic() + RECOVERS_WITHIN_S
        while self._ledger.newest_pass_sent_ns == known_ns and time.monotonic() < give_up:
            self._cycle()

    def _kill_station(self) -> None:
        killed_ns = time.monotonic_ns()
        self._plant.kill_station()
        give_up = time.monotonic() + 2 * KEEPALIVE_S
        while self._ledger.gone_ns < killed_ns and time.monotonic() < give_up:
            self._read_only()
        gone_ns = self._ledger.gone_ns
        self._wills.append((gone_ns - killed_ns) / NS_PER_S if gone_ns >= killed_ns else None)

    def _read_only(self) -> None:
        with contextlib.suppress(queue.Empty):
            self._ledger.read(self._link.arrivals.get(timeout=0.01))

    def _await_boot(self) -> None:
        """Wait for a state of the new station: the old one's Ready is no sign of life."""
        known = len(self._ledger.boots)
        give_up = time.monotonic() + READY_WITHIN_S
        while len(self._ledger.boots) == known and time.monotonic() < give_up:
            self._plant.look_after_station()
            self._read_only()

    @contextlib.contextmanager
    def _broker_killed(self) -> Iterator[None]:
        self._ledger.outage_begins(time.monotonic_ns())
        self._plant.kill_broker()
        self._ledger.state = None
        self._plant.start_broker()
        self._await_ready("after a broker's end")
        self._ledger.outage_ends(time.monotonic_ns())
        yield

    @contextlib.contextmanager
    def _broker_frozen(self) -> Iterator[None]:
        self._ledger.outage_begins(time.monotonic_ns())
        with self._plant.frozen_broker():
            self._run_for(FROZEN_S)
        self._ledger.state = None if not self._link.is_up else self._ledger.state
        # the station may still find the connection dead; what it says then is heard in _run_for
        self._run_for(2.0 * KEEPALIVE_S)
        self._await_ready("after a broker's freeze")
        self._ledger.outage_ends(time.monotonic_ns())
        yield

    @contextlib.contextmanager
    def _shown(self, pictures: str) -> Iterator[None]:
        self._plant.show(pictures)
        try:
            yield
        finally:
            self._plant.show("good")

    def _camera_lost(self) -> contextlib.AbstractContextManager[None]:
        return self._shown("gone")

    def _camera_black(self) -> contextlib.AbstractContextManager[None]:
        return self._shown("black")

    def _camera_frozen(self) -> contextlib.AbstractContextManager[None]:
        return self._shown("frozen")

    def _camera_torn(self) -> contextlib.AbstractContextManager[None]:
        return self._shown("torn")

    def _camera_foreign(self) -> contextlib.AbstractContextManager[None]:
        return self._shown("foreign")

    def _disk_full(self) -> contextlib.AbstractContextManager[None]:
        return self._plant.full_disk()

    def _disk_read_only(self) -> contextlib.AbstractContextManager[None]:
        return self._plant.read_only_spool()

    def _database_locked(self) -> contextlib.AbstractContextManager[None]:
        return self._plant.locked_database()

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

    @contextlib.contextmanager
    def _triggers_duplicated(self) -> Iterator[None]:
        self._copies = 3
        try:
            yield
        finally:
            self._copies = 1

    @contextlib.contextmanager
    def _triggers_reordered(self) -> Iterator[None]:
        self._burst = 5
        try:
            yield
        finally:
            self._burst = 1

    @contextlib.contextmanager
    def _trigger_retained(self) -> Iterator[None]:
        self._retain = True
        try:
            yield
        finally:
            self._retain = False
            self._publish(messages.TRIGGER, b"", retain=True)

    @contextlib.contextmanager
    def _payloads_oversized(self) -> Iterator[None]:
        for topic in _INBOUND:
            self._publish(topic, b'{"request_id": "' + b"x" * 100_000 + b'"}')
        yield

    @contextlib.contextmanager
    def _payloads_malformed(self) -> Iterator[None]:
        for _ in range(50):
            for topic in _INBOUND:
                self._publish(topic, self._garbage())
            self._cycle()
        yield

    def _garbage(self) -> bytes:
        """Return random bytes, or a good trigger with some bytes changed."""
        if self._chance.random() < 0.3:
            return self._chance.randbytes(self._chance.randrange(0, 200))
        good = bytearray(
            messages.encode_trigger(messages.Trigger(request_id="garbage", part_id="P001"))
        )
        for _ in range(self._chance.randrange(1, 6)):
            # the request_id stays what it is not: one that the account knows
            good[self._chance.randrange(len(good))] = self._chance.randrange(256)
        return bytes(good)

    @contextlib.contextmanager
    def _payloads_foreign(self) -> Iterator[None]:
        for payload in _FOREIGN:
            for topic in _INBOUND:
                self._publish(topic, payload)
        yield

    @contextlib.contextmanager
    def _alarm_flood(self) -> Iterator[None]:
        for number in range(500):
            alert = json.dumps({"id": f"alarm-{number}", "active": number % 2 == 0}).encode()
            self._link.publish(Message(topic="plc/alerts", payload=alert))
            if number % 20 == 0:
                self._cycle()
        yield

    # --- the end ------------------------------------------------------------------------------

    def _close(self) -> Account:
        give_up = time.monotonic() + DRAINS_WITHIN_S
        while self._ledger.open(time.monotonic_ns()) and time.monotonic() < give_up:
            self._cycle(may_trigger=False)
        self._ask_for_missing()
        rss_after = self._plant.rss_mb()
        self._plant.stop_station()
        drained = time.monotonic() + 0.5
        while time.monotonic() < drained:
            self._read_only()
        return self._ledger.account(
            seed=self._seed,
            database=self._plant.database,
            spool=self._plant.spool,
            faults=tuple(self._struck),
            will_s=tuple(self._wills),
            station_exits=self._plant.station_exits,
            rss_before_mb=self._rss_before or rss_after,
            rss_after_mb=rss_after,
        )

    def _ask_for_missing(self) -> None:
        """Have sent again what a broker lost that died with it, as an MES would."""
        give_up = time.monotonic() + DRAINS_WITHIN_S
        asked_at = 0.0
        while missing := self._ledger.missing_seqs(self._plant.database):
            if time.monotonic() > give_up:
                return
            settles_until = time.monotonic() + 1.0
            if time.monotonic() - asked_at > 10:
                asked_at = time.monotonic()
                self._ledger.replayed_from = missing[0]
                order = messages.ReplayOrder(after_seq=missing[0] - 1, limit=100_000)
                self._publish(messages.REPLAY, messages.encode_command(order))
            while time.monotonic() < settles_until:
                self._cycle(may_trigger=False)


_INBOUND = (messages.TRIGGER, messages.ACK, messages.REPLAY, messages.SELFTEST_IN, "cmd/alarm")
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


def account_json(account: Account) -> str:
    """Return an account as one line of JSON, as `prove --json` prints it."""
    content = asdict(account)
    rss = {"before": content.pop("rss_before_mb"), "after": content.pop("rss_after_mb")}
    return json.dumps(
        {"schema": "prove/1", **content, "rss_mb": rss, "ok": account.is_good}, allow_nan=False
    )
