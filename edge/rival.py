"""Is another station alive under this id? Two would take each other's triggers in turn.

Mosquitto 2.0 does not tell a client that another took its place: the connection is lost, as by any
fault. So a station looks before it starts, and afterwards at what is said under its own state.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from edge import messages
from edge.mqtt import Arrival, Link, Message
from inspector.errors import BrokerError, MessageError
from inspector.settings import StationSettings

LOOK_WITHIN_S = 1.0  # what is retained comes before a word sent after the subscription
SIGN_WITHIN_S = 2.5  # a living station's heartbeat comes each second


def refuse_rival(settings: StationSettings) -> None:
    """Raise `BrokerError` where the broker hears another station of this id.

    A state that a station left behind as it died is none: it has no heartbeat.
    """
    base = settings.mqtt_base
    place = f"{base}/{messages.SELFTEST_OUT}"
    link = Link(
        settings.mqtt,
        # a name of its own: the station's would throw the other out
        client_id=f"{settings.station_id}-look-{uuid4().hex[:8]}",
        subscribe=(f"{base}/{messages.STATE}", f"{base}/{messages.HEARTBEAT}", place),
    )
    link.start()
    try:
        word = messages.encode(messages.SelfTest(nonce=uuid4().hex))
        link.publish(Message(topic=place, payload=word))
        if _says_online(link, until=word) and _beats(link):
            raise BrokerError(
                f"expected no other station {settings.station_id!r} at {settings.mqtt.host}:"
                f"{settings.mqtt.port}, found one alive under {base}; stop it, or give each "
                "station its own station_id"
            )
    finally:
        link.stop()


class RivalWatch:
    """Hears what is published as this station's state. One thread hears, another asks."""

    def __init__(self, *, boot: str, overwritten: Callable[[], None]) -> None:
        """`overwritten` is told when the state must be said again."""
        self._boot = boot
        self._overwritten = overwritten
        self._spoke_at: str | None = None
        self._rival: str | None = None

    def hear(self, arrival: Arrival) -> None:
        """Take a state; raise `MessageError` where it is none."""
        state = messages.decode(messages.State, arrival.payload)
        if state.boot == self._boot:
            self._spoke_at = self._spoke_at or state.ts
            if state.online == 0:
                self._overwritten()  # the will of a connection that was given up
        elif arrival.retained and self._spoke_at is None:
            return  # of the last life
        elif arrival.retained and _is_before(state.ts, self._spoke_at):
            self._overwritten()  # of the last life: a broker came back with what it had last saved
        elif arrival.retained or state.online == 1:
            self._rival = state.boot
        else:
            self._overwritten()  # a last will that came late

    def rival(self) -> str | None:
        """Return the boot of another station that speaks for this one, None where none does."""
        return self._rival


def _is_before(moment: str, other: str | None) -> bool:
    """Return whether `moment` is the earlier one; what is no moment is not."""
    try:
        return other is not None and datetime.fromisoformat(moment) < datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False


def _says_online(link: Link, *, until: bytes) -> bool:
    is_online = False
    give_up = time.monotonic() + LOOK_WITHIN_S
    while (arrival := _next(link, give_up)) is not None and arrival.payload != until:
        if arrival.topic.endswith(f"/{messages.STATE}"):
            try:
                is_online = messages.decode(messages.State, arrival.payload).online == 1
            except MessageError:
                continue  # not a station's word
    return is_online


def _beats(link: Link) -> bool:
    give_up = time.monotonic() + SIGN_WITHIN_S
    while (arrival := _next(link, give_up)) is not None:
        if arrival.topic.endswith(f"/{messages.HEARTBEAT}") and not arrival.retained:
            return True
    return False


def _next(link: Link, give_up: float) -> Arrival | None:
    try:
        return link.arrivals.get(timeout=max(0.0, give_up - time.monotonic()))
    except queue.Empty:
        return None
