"""Alarms and their life cycle after ANSI/ISA-18.2-2016 (figure 3, less latching and suppression).

                  raise                    acknowledge
    NORM ────────────────────────> UNACK ───────────────> ACKED
     ^ ^                           │   ^                    │
     │ └───── acknowledge ── RTNUN <┘   └── raise (RTNUN)    │
     └──────────────────────── clear ───────────────────────┘

From each of these an alarm can be shelved (SHLVD: by a person, for a time, with a reason) and taken
out of service (OOSRV: until a person returns it). Behind both the condition is followed on; an
alarm that comes back and is active is announced anew (UNACK), whatever was acknowledged before.

Everything here is a value: no clock, no disk. What takes an action returns the alarm after it, the
same object where nothing changes, and raises `AlarmRefused` where the action makes no sense.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from uuid import UUID

from inspector.errors import AlarmRefused

ID_PATTERN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
STATION = "station"  # the source of the alarms that the station raises of itself
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_.-]+")
_DIGEST_CHARS = 8


class Priority(IntEnum):
    """How soon a person has to act; aim at some 5 % critical or high, 15 % medium, 80 % low."""

    CRITICAL = 1
    HIGH = 2
    MEDIUM = 3
    LOW = 4


class Effect(StrEnum):
    """What an active alarm does to the parts: holds each, pauses the station, or nothing."""

    HOLD = "hold"
    PAUSE = "pause"
    NOTE = "note"


class AlarmState(StrEnum):
    """The states of ISA-18.2 that a station uses; RTNUN: returned to normal, unacknowledged."""

    NORM = "NORM"
    UNACK = "UNACK"
    ACKED = "ACKED"
    RTNUN = "RTNUN"
    SHLVD = "SHLVD"
    OOSRV = "OOSRV"


class ChangeKind(StrEnum):
    """What happened to an alarm."""

    RAISED = "RAISED"
    CLEARED = "CLEARED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    SHELVED = "SHELVED"
    UNSHELVED = "UNSHELVED"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    IN_SERVICE = "IN_SERVICE"


class Action(StrEnum):
    """What a person can ask for."""

    ACK = "ack"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    OUT_OF_SERVICE = "out_of_service"
    IN_SERVICE = "in_service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm as it is now.

    `active` is its condition, whatever the state; `suppressed_by` and `suppressed_because` belong
    to SHLVD and OOSRV. `occurrences` counts how often it was raised.
    """

    id: str
    source: str = STATION
    priority: Priority = Priority.MEDIUM
    effect: Effect = Effect.NOTE
    message: str = ""
    state: AlarmState = AlarmState.NORM
    active: bool = False
    raised_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    cleared_at: datetime | None = None
    shelved_until: datetime | None = None
    suppressed_by: str | None = None
    suppressed_because: str = ""
    occurrences: int = 0

    def __post_init__(self) -> None:
        if not ID_PATTERN.fullmatch(self.id):
            raise ValueError(f"expected an alarm id like {ID_PATTERN.pattern}, got {self.id!r}")
        expected = _ACTIVE.get(self.state, self.active)
        if self.active is not expected:
            raise ValueError(f"expected {self.state} with active {expected}, got {self.active}")
        if (self.shelved_until is not None) is not (self.state is AlarmState.SHLVD):
            raise ValueError(f"expected shelved_until for SHLVD alone, got {self.state}")

    @property
    def takes_effect(self) -> bool:
        """Whether parts feel it: shelving quietens an alarm, only out of service disarms it."""
        return self.active and self.state is not AlarmState.OOSRV

    @property
    def is_announced(self) -> bool:
        """Whether a person still has to acknowledge it."""
        return self.state in _UNACKNOWLEDGED


_ACTIVE = {
    AlarmState.NORM: False,
    AlarmState.RTNUN: False,
    AlarmState.UNACK: True,
    AlarmState.ACKED: True,
}
_UNACKNOWLEDGED = frozenset({AlarmState.UNACK, AlarmState.RTNUN})
_SUPPRESSED = frozenset({AlarmState.SHLVD, AlarmState.OOSRV})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCommand:
    """What a person asks of an alarm; `until` belongs to `shelve`."""

    id: UUID
    alarm_id: str
    action: Action
    by: str
    at: datetime
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmChange:
    """One step of an alarm's life: what happened, when, by whom, and the alarm after it."""

    id: UUID
    kind: ChangeKind
    at: datetime
    by: str
    alarm: Alarm
    reason: str = ""


def alarm_id(*parts: str) -> str:
    """Return an id that may stand in a topic, made of `parts`.

    Names that had to be altered or cut carry a digest of the original, so that two stay two.
    """
    name = ".".join(parts)
    plain = _NOT_IN_AN_ID.sub("_", name)
    if plain == name and ID_PATTERN.fullmatch(plain):
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]
    return f"{plain[: 63 - _DIGEST_CHARS]}-{digest}"


# --- the condition ----------------------------------------------------------------------------


def raised(alarm: Alarm, *, at: datetime, message: str) -> Alarm:
    """Return the alarm with its condition active; one that is active keeps its moment."""
    if alarm.active:
        return alarm if alarm.message == message else replace(alarm, message=message)
    state = alarm.state if alarm.state in _SUPPRESSED else AlarmState.UNACK
    return replace(
        alarm,
        state=state,
        active=True,
        message=message,
        raised_at=at,
        cleared_at=None,
        acknowledged_at=None,
        acknowledged_by=None,
        occurrences=alarm.occurrences + 1,
    )


def cleared(alarm: Alarm, *, at: datetime) -> Alarm:
    """Return the alarm with its condition gone; one not acknowledged waits for that as RTNUN."""
    if not alarm.active:
        return alarm
    after = {AlarmState.UNACK: AlarmState.RTNUN, AlarmState.ACKED: AlarmState.NORM}
    return replace(alarm, state=after.get(alarm.state, alarm.state), active=False, cleared_at=at)


# --- people -----------------------------------------------------------------------------------


def commanded(alarm: Alarm, command: AlarmCommand) -> Alarm:
    """Return the alarm after what a person asked; raise `AlarmRefused` where that cannot be."""
    if not command.by.strip():
        raise AlarmRefused(f"{alarm.id}: expected who asks for {command.action}, found no name")
    match command.action:
        case Action.ACK:
            return acknowledged(alarm, at=command.at, by=command.by)
        case Action.SHELVE:
            if command.until is None:
                raise AlarmRefused(f"{alarm.id}: expected how long to shelve it, found nothing")
            return shelved(
                alarm, at=command.at, by=command.by, reason=command.reason, until=command.until
            )
        case Action.UNSHELVE:
            return unshelved(alarm)
        case Action.OUT_OF_SERVICE:
            return out_of_service(alarm, by=command.by, reason=command.reason)
        case Action.IN_SERVICE:
            return in_service(alarm)


def acknowledged(alarm: Alarm, *, at: datetime, by: str) -> Alarm:
    """Return the alarm as seen by a person."""
    after = {AlarmState.UNACK: AlarmState.ACKED, AlarmState.RTNUN: AlarmState.NORM}
    if alarm.state not in after:
        raise AlarmRefused(
            f"{alarm.id}: expected an alarm to acknowledge, found it {alarm.state}; "
            "somebody may have been quicker"
        )
    return replace(alarm, state=after[alarm.state], acknowledged_at=at, acknowledged_by=by)


def shelved(alarm: Alarm, *, at: datetime, by: str, reason: str, until: datetime) -> Alarm:
    """Return the alarm quietened until `until`; a shelved one gets the new end and reason."""
    if alarm.state is AlarmState.OOSRV:
        raise AlarmRefused(f"{alarm.id}: expected it in service to shelve it, found OOSRV")
    _require_reason(alarm, reason, "to shelve it")
    if until <= at:
        raise AlarmRefused(f"{alarm.id}: expected an end of shelving after now, found {until}")
    return replace(
        alarm,
        state=AlarmState.SHLVD,
        shelved_until=until,
        suppressed_by=by,
        suppressed_because=reason,
    )


def unshelved(alarm: Alarm) -> Alarm:
    """Return the alarm off the shelf, by a person or because its time is over."""
    if alarm.state is not AlarmState.SHLVD:
        raise AlarmRefused(f"{alarm.id}: expected it shelved, found {alarm.state}")
    return _back(alarm)


def out_of_service(alarm: Alarm, *, by: str, reason: str) -> Alarm:
    """Return the alarm taken out for maintenance: it neither announces nor acts on parts."""
    if alarm.state is AlarmState.OOSRV:
        raise AlarmRefused(f"{alarm.id}: expected it in service, found it out already")
    _require_reason(alarm, reason, "to take it out of service")
    return replace(
        alarm,
        state=AlarmState.OOSRV,
        shelved_until=None,
        suppressed_by=by,
        suppressed_because=reason,
    )


def in_service(alarm: Alarm) -> Alarm:
    """Return the alarm to service."""
    if alarm.state is not AlarmState.OOSRV:
        raise AlarmRefused(f"{alarm.id}: expected it out of service, found {alarm.state}")
    return _back(alarm)


def _back(alarm: Alarm) -> Alarm:
    return replace(
        alarm,
        state=AlarmState.UNACK if alarm.active else AlarmState.NORM,
        shelved_until=None,
        suppressed_by=None,
        suppressed_because="",
    )


def _require_reason(alarm: Alarm, reason: str, what_for: str) -> None:
    if not reason.strip():
        raise AlarmRefused(f"{alarm.id}: expected a reason {what_for}, found none")


# --- delays -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Delayed:
    """A condition behind its delays (ISA-18.2, on-delay and off-delay), against chatter.

    It counts as active after `on_delay_ns` without a break, and as gone after `off_delay_ns`
    without a return. Moments are monotonic.
    """

    on_delay_ns: int
    off_delay_ns: int
    active: bool = False
    raw: bool = False
    since_ns: int = 0
    detail: str = ""

    def told(self, raw: bool, *, detail: str, at_ns: int) -> Delayed:
        """Return the condition after it was found to be `raw`; its last words stay."""
        kept = detail if raw else self.detail
        if raw is self.raw:
            return self if kept == self.detail else replace(self, detail=kept)
        return replace(self, raw=raw, since_ns=at_ns, detail=kept)

    def settled(self, at_ns: int) -> Delayed:
        """Return the condition with `active` as it is at that moment."""
        if self.raw is self.active or at_ns < self.since_ns + self._delay_ns:
            return self
        return replace(self, active=self.raw)

    @property
    def _delay_ns(self) -> int:
        return self.on_delay_ns if self.raw else self.off_delay_ns
