"""The alarms of a station: conditions in, states, effects and a history out.

All of it is memory, so that raising an alarm and asking what it does to a part never wait for a
disk or a network. `AlarmRecords` carries the changes to the database, `AlarmLine` the states to the
retained topics.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from edge.plc_alerts import Alert
from edge.units import NS_PER_S
from inspector.alarm_settings import AlarmRule, AlarmSettings
from inspector.alarms import (
    STATION,
    Action,
    Alarm,
    AlarmChange,
    AlarmCommand,
    AlarmState,
    ChangeKind,
    Delayed,
    Effect,
    alarm_id,
    cleared,
    commanded,
    raised,
    unshelved,
)
from inspector.errors import AlarmRefused

log = logging.getLogger(__name__)

# What was active when the last run ended has this long to be found active again.
START_GRACE_S = 10
MALFORMED = "alerts_malformed"
MAX_WORDS = 300
_NEVER = datetime.min.replace(tzinfo=UTC)
_KINDS = {
    Action.ACK: ChangeKind.ACKNOWLEDGED,
    Action.SHELVE: ChangeKind.SHELVED,
    Action.UNSHELVE: ChangeKind.UNSHELVED,
    Action.OUT_OF_SERVICE: ChangeKind.OUT_OF_SERVICE,
    Action.IN_SERVICE: ChangeKind.IN_SERVICE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmTally:
    """The alarms in numbers; `malformed` counts since the start."""

    active: int
    unacknowledged: int
    malformed: int


class Alarms:
    """Every alarm of one station. Any thread may call; nothing here touches disk or network."""

    def __init__(
        self,
        settings: AlarmSettings,
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.changes: queue.SimpleQueue[AlarmChange | None] = queue.SimpleQueue()
        self.malformed = 0
        self._settings = settings
        self._plc_rules = {rule.name: rule for rule in settings.plc}
        self._clock_ns = clock_ns
        self._now = now
        self._lock = threading.Lock()
        self._alarms: dict[str, Alarm] = {}
        self._conditions: dict[str, Delayed] = {}
        self._shelf_ends_ns: dict[str, int] = {}
        self._to_tell: set[str] = set()
        self._reworded: set[str] = set()

    def resume(self, known: tuple[Alarm, ...]) -> None:
        """Take over the alarms that the last run left; call before anything else.

        A PLC may speak only when something changes, so its alarms stay as they were. What the
        station said of itself, and what no rule feeds any more, is cleared after a while unless it
        is found again.
        """
        with self._lock:
            now_ns, now = self._clock_ns(), self._now()
            for left in known:
                rule = self._rule(left)
                alarm = replace(left, effect=rule.effect)
                if left.source == STATION:
                    alarm = replace(alarm, priority=rule.priority)
                self._alarms[alarm.id] = alarm
                self._conditions[alarm.id] = Delayed(
                    on_delay_ns=_ns(rule.on_delay_s),
                    off_delay_ns=_ns(rule.off_delay_s),
                    active=alarm.active,
                    raw=alarm.active and left.source in self._plc_rules,
                    since_ns=now_ns + _ns(START_GRACE_S),
                    detail=alarm.message,
                )
                if alarm.shelved_until is not None:
                    self._put_on_shelf(alarm.id, alarm.shelved_until, now=now, now_ns=now_ns)
                self._to_tell.add(alarm.id)

    # --- conditions ---------------------------------------------------------------------------

    def condition(self, name: str, active: bool, detail: str = "") -> None:
        """Say whether one of the station's own conditions holds now, as often as one likes.

        `name` is a kind of `OwnAlarm`, with a suffix where there are several: `camera_lost.top`.
        """
        with self._lock:
            self._tell(alarm_id(name), STATION, self._settings.rule(name), active, detail or name)

    def alert(self, source: str, alert: Alert) -> None:
        """Take what a PLC says of one of its alarms; `source` is the name of the rule."""
        rule = self._plc_rules[source]
        if alert.priority is not None:
            rule = rule.model_copy(update={"priority": alert.priority})
        with self._lock:
            has_room = not alert.active or alert.alarm_id in self._alarms or self._makes_room()
            if has_room:
                self._tell(alert.alarm_id, source, rule, alert.active, alert.message)
        if not has_room:
            self.note_malformed(
                f"expected at most {self._settings.plc_alarms_max} alarms of PLCs, found "
                f"{alert.alarm_id} beyond; correct the mapping or raise plc_alarms_max"
            )

    def note_malformed(self, what: str) -> None:
        """Count a message that could not be read and cannot be answered; show it as an alarm."""
        log.warning("not understood: %s", what)
        with self._lock:
            self.malformed += 1
            rule = self._settings.rule(MALFORMED)
            words = f"{self.malformed} since the start; newest: {what}"
            self._tell(MALFORMED, STATION, rule, True, words)
            self._tell(MALFORMED, STATION, rule, False, "")

    def tick(self) -> None:
        """Let delays and shelves run out; call several times a second."""
        with self._lock:
            self._settle()
            now_ns, now = self._clock_ns(), self._now()
            for name, ends_ns in tuple(self._shelf_ends_ns.items()):
                alarm = self._alarms[name]
                if alarm.shelved_until is None:
                    del self._shelf_ends_ns[name]
                elif now_ns >= ends_ns or now >= alarm.shelved_until:
                    del self._shelf_ends_ns[name]
                    self._changed(ChangeKind.UNSHELVED, unshelved(alarm), reason="its time is over")

    # --- people -------------------------------------------------------------------------------

    def command(self, command: AlarmCommand) -> None:
        """Do what a person asks; raise `AlarmRefused` where that cannot be."""
        with self._lock:
            alarm = self._alarms.get(command.alarm_id)
            if alarm is None:
                raise AlarmRefused(f"expected an alarm of this station, found {command.alarm_id!r}")
            longest = self._now() + timedelta(hours=self._settings.shelve_max_h, minutes=1)
            if command.until is not None and command.until > longest:
                raise AlarmRefused(
                    f"{alarm.id}: expected at most {self._settings.shelve_max_h:g} h on the shelf, "
                    f"found until {command.until.isoformat(timespec='minutes')}"
                )
            after = commanded(alarm, command)
            if after.shelved_until is not None:
                self._put_on_shelf(
                    alarm.id, after.shelved_until, now=self._now(), now_ns=self._clock_ns()
                )
            self._changed(
                _KINDS[command.action],
                after,
                at=command.at,
                by=command.by,
                reason=command.reason,
                change_id=command.id,
            )

    # --- what comes of it ---------------------------------------------------------------------

    def why_held(self) -> str | None:
        """Return which alarm holds every part now, None where none does."""
        return self._why(Effect.HOLD)

    def why_paused(self) -> str | None:
        """Return which alarm pauses the station now, None where none does."""
        return self._why(Effect.PAUSE)

    def state(self, name: str) -> AlarmState:
        """Return the state of an alarm; NORM where it was never raised."""
        with self._lock:
            alarm = self._alarms.get(name)
            return AlarmState.NORM if alarm is None else alarm.state

    def all(self) -> tuple[Alarm, ...]:
        """Return every alarm as it is now, by id."""
        with self._lock:
            return tuple(self._alarms[name] for name in sorted(self._alarms))

    def tally(self) -> AlarmTally:
        """Return the numbers of now."""
        with self._lock:
            return AlarmTally(
                active=sum(alarm.active for alarm in self._alarms.values()),
                unacknowledged=sum(alarm.is_announced for alarm in self._alarms.values()),
                malformed=self.malformed,
            )

    def take_to_tell(self) -> tuple[Alarm, ...]:
        """Return the alarms that changed since the last call, to be published."""
        with self._lock:
            taken = tuple(self._alarms[name] for name in sorted(self._to_tell))
            self._to_tell.clear()
            return taken

    def tell_again(self, names: tuple[str, ...] | None = None) -> None:
        """Have alarms published again: those named, or all for a broker that may know nothing."""
        with self._lock:
            self._to_tell.update(self._alarms if names is None else names)

    def take_reworded(self) -> tuple[Alarm, ...]:
        """Return the alarms whose words changed since the last call, without another change."""
        with self._lock:
            taken = tuple(self._alarms[name] for name in sorted(self._reworded))
            self._reworded.clear()
            return taken

    # --- under the lock -----------------------------------------------------------------------

    def _tell(self, name: str, source: str, rule: AlarmRule, raw: bool, detail: str) -> None:
        condition = self._conditions.get(name)
        if condition is None:
            if not raw:
                return  # an alarm exists from the first time that it is raised
            condition = Delayed(
                on_delay_ns=_ns(rule.on_delay_s), off_delay_ns=_ns(rule.off_delay_s)
            )
        at_ns, detail = self._clock_ns(), _storable(detail)
        # first what was told before: a condition that held for its delay has been an alarm
        told = condition.settled(at_ns).told(raw, detail=detail, at_ns=at_ns).settled(at_ns)
        self._conditions[name] = told
        if name not in self._alarms:
            self._alarms[name] = Alarm(
                id=name, source=source, priority=rule.priority, effect=rule.effect
            )
        elif self._alarms[name].priority is not rule.priority and raw:
            self._alarms[name] = replace(self._alarms[name], priority=rule.priority)
        self._follow(name)

    def _settle(self) -> None:
        at_ns = self._clock_ns()
        for name, condition in self._conditions.items():
            settled = condition.settled(at_ns)
            if settled is not condition:
                self._conditions[name] = settled
                self._follow(name)

    def _follow(self, name: str) -> None:
        condition, alarm = self._conditions[name], self._alarms[name]
        if condition.active:
            after = raised(alarm, at=self._now(), message=condition.detail)
        else:
            after = cleared(alarm, at=self._now())
        if after is alarm:
            return
        if after.active is alarm.active:
            self._alarms[name] = after
            self._to_tell.add(name)
            self._reworded.add(name)
            return
        self._changed(ChangeKind.RAISED if after.active else ChangeKind.CLEARED, after)

    def _changed(
        self,
        kind: ChangeKind,
        after: Alarm,
        *,
        at: datetime | None = None,
        by: str = STATION,
        reason: str = "",
        change_id: UUID | None = None,
    ) -> None:
        self._alarms[after.id] = after
        self._to_tell.add(after.id)
        log.info("alarm %s: %s by %s: %s", after.id, kind, by, reason or after.message)
        self.changes.put(
            AlarmChange(
                id=change_id or uuid4(),
                kind=kind,
                at=at or self._now(),
                by=by,
                alarm=after,
                reason=reason,
            )
        )

    def _why(self, effect: Effect) -> str | None:
        with self._lock:
            self._settle()
            found = sorted(
                (alarm for alarm in self._alarms.values() if _acts(alarm, effect)),
                key=lambda alarm: (alarm.priority, alarm.id),
            )
        if not found:
            return None
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return f"alarm {found[0].id}{more}: {found[0].message}"

    def _makes_room(self) -> bool:
        """Return whether one more alarm of a PLC has room, forgetting one long normal if need be.

        What is forgotten here stays in the database.
        """
        of_plcs = [alarm for alarm in self._alarms.values() if alarm.source != STATION]
        if len(of_plcs) < self._settings.plc_alarms_max:
            return True
        normal = [
            alarm
            for alarm in of_plcs
            if alarm.state is AlarmState.NORM
            and not self._conditions[alarm.id].raw
            and alarm.id not in self._to_tell | self._reworded
        ]
        if not normal:
            return False
        oldest = min(normal, key=lambda alarm: alarm.cleared_at or _NEVER)
        del self._alarms[oldest.id], self._conditions[oldest.id]
        self._shelf_ends_ns.pop(oldest.id, None)
        return True

    def _rule(self, alarm: Alarm) -> AlarmRule:
        if alarm.source == STATION:
            return self._settings.rule(alarm.id)
        return self._plc_rules.get(alarm.source) or AlarmRule()

    def _put_on_shelf(self, name: str, until: datetime, *, now: datetime, now_ns: int) -> None:
        # by the monotonic clock too: a clock that is set back must not lengthen the silence
        self._shelf_ends_ns[name] = now_ns + _ns(max(0.0, (until - now).total_seconds()))


def _acts(alarm: Alarm, effect: Effect) -> bool:
    return alarm.effect is effect and alarm.takes_effect


def _storable(words: str) -> str:
    """Return words that JSON and databases take: half characters come from PLCs and from paths."""
    return words[:MAX_WORDS].encode("utf-8", "replace").decode()


def _ns(seconds: float) -> int:
    return int(seconds * NS_PER_S)
