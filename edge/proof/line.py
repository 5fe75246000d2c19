"""The PLC of a proof: it triggers parts at a steady takt, reads every answer and keeps the ledger.

It is as careful as a PLC should be: no trigger without `Ready` and a fresh heartbeat.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from edge import alarm_messages, messages
from edge.mqtt import Link, Message
from edge.proof.fuzz import said_in
from edge.proof.ledger import Asked, Ledger, now_at
from edge.proof.plant import (
    BASE,
    DEADLINE_MS,
    FOLDER_CAMERA,
    KEEPALIVE_S,
    NETWORK_CAMERA,
    Plant,
    is_good,
    part_id,
)
from edge.queues import taken
from edge.units import NS_PER_MS, NS_PER_S
from inspector.errors import BrokerError
from inspector.settings import MqttSettings

TAKT_MS = 40
SERVER_TAKT_MS = 120  # with a database server, which shares the machine with all the others
OPEN_MAX = 4
READY_WITHIN_S = 90.0
HEARTBEAT_FRESH_S = 3.0
WARM_UP = 20  # triggers before memory is looked at for the first time
NETWORK_EVERY = 40  # parts; a picture of that camera takes 0.2 s
ALARM_STATES = f"{BASE}/{alarm_messages.ALARM}/"
HEARD = (  # what a station says; its own words would only keep the PLC from these
    messages.STATE,
    messages.HEARTBEAT,
    messages.HEALTH,
    messages.ACCEPTED,
    messages.RESULT,
    messages.REJECTED,
    messages.RECORD,
    f"{alarm_messages.ALARM}/+",
)


class Line:
    """The PLC. One thread; `copies`, `burst`, `retain` and `network_every` are how it triggers."""

    def __init__(self, plant: Plant, *, tell: Callable[[str], None]) -> None:
        self.ledger = Ledger(base=BASE)
        self.link = Link(
            MqttSettings(port=plant.port, keepalive_s=KEEPALIVE_S),
            client_id="proof-plc",
            subscribe=tuple(f"{BASE}/{topic}" for topic in HEARD),
        )
        self.copies = 1
        self.burst = 1
        self.retain = False
        self.network_every = NETWORK_EVERY
        self.rss_before_mb = 0.0
        self.alarms_heard: dict[str, int] = {}  # states of each alarm
        self._plant = plant
        self._tell = tell
        self._next_ns = 0
        is_server = plant.database.name.startswith("PostgreSQL")
        self._takt_ns = (SERVER_TAKT_MS if is_server else TAKT_MS) * NS_PER_MS

    # --- the takt -----------------------------------------------------------------------------

    def trigger_until(self, triggers: int) -> None:
        """Go on until so many triggers were sent; raise `BrokerError` where none can be."""
        give_up = time.monotonic() + READY_WITHIN_S
        while (known := len(self.ledger.asked)) < triggers:
            self.cycle()
            if len(self.ledger.asked) > known:
                give_up = time.monotonic() + READY_WITHIN_S
            if time.monotonic() > give_up:
                state = self.ledger.state
                raise BrokerError(
                    f"expected the station to be Ready within {READY_WITHIN_S:.0f} s, found "
                    f"{state.state + ': ' + state.detail if state else 'no state'}; "
                    f"see {self._plant.folder}"
                )

    def run_for(self, seconds: float) -> None:
        """Go on for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.cycle()

    def await_that(
        self, holds: Callable[[], bool], *, within_s: float, may_trigger: bool = True
    ) -> bool:
        """Go on until something holds; return whether it did in time."""
        give_up = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > give_up:
                return False
            self.cycle(may_trigger=may_trigger)
        return True

    def await_ready(self, when: str) -> None:
        """Wait without triggering; raise `BrokerError` where the station does not get Ready."""
        if not self.await_that(self.is_ready, within_s=READY_WITHIN_S, may_trigger=False):
            raise BrokerError(
                f"expected the station to be Ready {when}, found it silent for "
                f"{READY_WITHIN_S:.0f} s; see {self._plant.folder}"
            )

    def is_ready(self) -> bool:
        """Return whether a careful PLC would trigger now."""
        state = self.ledger.state
        # a broker that was restarted may bring an old Ready back before the station is there again
        is_heard = self.ledger.heard_session == self.link.session
        age_s = (time.monotonic_ns() - self.ledger.heard_ns) / NS_PER_S
        is_ready = state is not None and state.state == "Ready"
        return is_ready and is_heard and age_s < HEARTBEAT_FRESH_S

    def cycle(self, *, may_trigger: bool = True) -> None:
        """Send what is due and read what arrived, for some ms."""
        if self._plant.look_after_station():
            self._tell("the station ended by itself and was started again")
        if not self.rss_before_mb and len(self.ledger.asked) >= WARM_UP:
            self.rss_before_mb = self._plant.rss_mb()
        now_ns = time.monotonic_ns()
        is_due = may_trigger and now_ns >= self._next_ns and self.is_ready()
        if is_due and self.ledger.open(now_ns) < OPEN_MAX:
            self._send_burst()
            self._next_ns = now_ns + self._takt_ns
        self.read(wait_s=0.005)

    def read(self, *, wait_s: float) -> None:
        """Enter all that arrived; wait so long for the first of it."""
        for arrival in taken(self.link.arrivals, wait_s=wait_s):
            if arrival.topic.startswith(ALARM_STATES):
                alarm = arrival.topic.removeprefix(ALARM_STATES)
                self.alarms_heard[alarm] = self.alarms_heard.get(alarm, 0) + 1
            self.ledger.read(arrival)
        for _receipt in taken(self.link.receipts):
            pass  # what the broker has not, the station does not answer

    # --- what is sent -------------------------------------------------------------------------

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish something that is no trigger of this line, on a whole topic."""
        if topic == f"{BASE}/{messages.TRIGGER}":
            said = said_in(payload, sent_ns=time.monotonic_ns())
            if said is not None:
                self.ledger.say(said)
        self._publish(topic, payload, retain=retain)

    def _send_burst(self) -> None:
        first = len(self.ledger.asked) + 1
        for number in reversed(range(first, first + self.burst)):
            self._send(number)

    def _send(self, number: int) -> None:
        is_network = number % self.network_every == 0
        request_id, part = f"r-{number:06d}", part_id(number)
        trigger = messages.Trigger(
            request_id=request_id,
            part_id=part,
            camera=NETWORK_CAMERA if is_network else None,
            seq=number,
            # a station whose clock is wrong refuses what says a time: half of the parts say none
            ts=now_at() if number % 2 else None,
        )
        self.ledger.ask(
            Asked(
                request_id=request_id,
                sent_ns=time.monotonic_ns(),
                sent_at=now_at(),
                deadline_ms=DEADLINE_MS,
                camera=NETWORK_CAMERA if is_network else FOLDER_CAMERA,
                is_good=is_network or is_good(part),
                copies=self.copies,
            )
        )
        for _ in range(self.copies):
            self._publish(
                f"{BASE}/{messages.TRIGGER}", messages.encode_trigger(trigger), retain=self.retain
            )

    def _publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        self.link.publish(Message(topic=topic, payload=payload, retain=retain))
