"""The alarms of a station, on a virtual clock: delays, effects, people, restarts."""

from __future__ import annotations

import queue
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from edge.alarm_watch import AlarmWatch
from edge.alarms import MALFORMED, START_GRACE_S, Alarms
from edge.plc_alerts import Alert
from inspector.alarm_settings import AlarmSettings
from inspector.alarms import (
    Action,
    Alarm,
    AlarmChange,
    AlarmCommand,
    AlarmState,
    ChangeKind,
    Priority,
)
from inspector.domain import Decision, Reason, Verdict
from inspector.errors import AlarmRefused

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OWN = {
    "camera_lost": {"effect": "hold", "off_delay_s": 0},
    "storage_full": {"effect": "pause", "on_delay_s": 5, "off_delay_s": 5},
    "yield_low": {"effect": "pause"},
}
PLC = [{"name": "plc", "filter": "plc/#", "effect": "hold", "priority": "low"}]


class Clock:
    """Two clocks that go together until one is stepped."""

    def __init__(self) -> None:
        self.s = 1000.0
        self.step_s = 0.0

    def ns(self) -> int:
        return int(self.s * 1e9)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.s - 1000 + self.step_s)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alarms(clock: Clock) -> Alarms:
    return made(clock)


def made(clock: Clock, **keys: object) -> Alarms:
    settings = AlarmSettings.model_validate({"own": OWN, "plc": PLC, **keys})
    return Alarms(settings, clock_ns=clock.ns, now=clock.now)


def ask(
    alarms: Alarms,
    name: str,
    action: Action = Action.ACK,
    *,
    until: datetime | None = None,
    at: datetime = NOON,
) -> AlarmCommand:
    command = AlarmCommand(
        id=uuid4(), alarm_id=name, action=action, by="Ana", at=at, reason="known", until=until
    )
    alarms.command(command)
    return command


def history(alarms: Alarms) -> list[AlarmChange]:
    taken = []
    while True:
        try:
            change = alarms.changes.get_nowait()
        except queue.Empty:
            return taken
        if change is not None:
            taken.append(change)


def kinds(alarms: Alarms) -> list[ChangeKind]:
    return [change.kind for change in history(alarms)]


def test_a_condition_told_again_and_again_is_raised_once(alarms: Alarms):
    for _ in range(3):
        alarms.condition("camera_lost.top", True, "no answer")
    alarms.condition("camera_lost.top", False)
    assert kinds(alarms) == [ChangeKind.RAISED, ChangeKind.CLEARED]
    (alarm,) = alarms.all()
    assert (alarm.id, alarm.state, alarm.message) == (
        "camera_lost.top",
        AlarmState.RTNUN,
        "no answer",
    )


def test_a_condition_that_never_held_makes_no_alarm(alarms: Alarms):
    alarms.condition("camera_lost.top", False)
    assert alarms.all() == ()


def test_an_alarm_with_effect_hold_says_why_parts_are_held_until_it_goes(alarms: Alarms):
    alarms.condition("camera_lost.top", True, "no answer")
    assert alarms.why_held() == "alarm camera_lost.top: no answer"
    assert alarms.why_paused() is None
    alarms.condition("camera_lost.top", False)
    assert alarms.why_held() is None


def test_what_holds_is_told_with_the_most_urgent_first(alarms: Alarms):
    alarms.alert("plc", Alert(alarm_id="plc.a", active=True, message="guard"))
    alarms.condition("camera_lost.top", True, "no answer")
    assert alarms.why_held() == "alarm camera_lost.top and 1 more: no answer"


def test_delays_are_kept_without_another_word(alarms: Alarms, clock: Clock):
    alarms.condition("storage_full", True, "none free")
    clock.s += 4.9
    assert alarms.why_paused() is None
    clock.s += 0.2
    assert alarms.why_paused() is not None  # also between two ticks
    alarms.condition("storage_full", False)
    clock.s += 4
    alarms.condition("storage_full", True, "none free")
    clock.s += 60
    alarms.tick()
    assert kinds(alarms) == [ChangeKind.RAISED]


def test_shelving_quietens_but_still_holds_and_out_of_service_lets_parts_go(
    alarms: Alarms, clock: Clock
):
    alarms.condition("camera_lost.top", True, "no answer")
    ask(alarms, "camera_lost.top", Action.SHELVE, until=clock.now() + timedelta(hours=1))
    assert alarms.why_held() is not None
    ask(alarms, "camera_lost.top", Action.OUT_OF_SERVICE)
    assert alarms.why_held() is None


def test_the_shelf_ends_when_its_time_is_over(alarms: Alarms, clock: Clock):
    alarms.condition("camera_lost.top", True, "no answer")
    ask(alarms, "camera_lost.top", Action.SHELVE, until=clock.now() + timedelta(minutes=10))
    clock.s += 599
    alarms.tick()
    assert alarms.state("camera_lost.top") is AlarmState.SHLVD
    clock.s += 1
    alarms.tick()
    assert alarms.state("camera_lost.top") is AlarmState.UNACK
    assert history(alarms)[-1].reason == "its time is over"


def test_a_clock_that_is_set_back_lengthens_no_silence(alarms: Alarms, clock: Clock):
    alarms.condition("camera_lost.top", True, "no answer")
    ask(alarms, "camera_lost.top", Action.SHELVE, until=clock.now() + timedelta(minutes=10))
    clock.step_s = -3600
    clock.s += 601
    alarms.tick()
    assert alarms.state("camera_lost.top") is AlarmState.UNACK


def test_nothing_is_shelved_longer_than_the_plant_allows(alarms: Alarms, clock: Clock):
    alarms.condition("camera_lost.top", True, "no answer")
    with pytest.raises(AlarmRefused, match="at most 8 h"):
        ask(alarms, "camera_lost.top", Action.SHELVE, until=clock.now() + timedelta(hours=9))


def test_an_alarm_that_is_not_there_is_refused(alarms: Alarms):
    with pytest.raises(AlarmRefused, match="'nothing'"):
        ask(alarms, "nothing")


def test_a_command_is_in_the_history_with_its_id_name_and_reason(alarms: Alarms):
    alarms.condition("camera_lost.top", True, "no answer")
    command = ask(alarms, "camera_lost.top")
    change = history(alarms)[-1]
    assert (change.id, change.by, change.reason, change.kind) == (
        command.id,
        "Ana",
        "known",
        ChangeKind.ACKNOWLEDGED,
    )


def test_changed_alarms_are_told_once(alarms: Alarms):
    alarms.condition("camera_lost.top", True, "no answer")
    assert [alarm.id for alarm in alarms.take_to_tell()] == ["camera_lost.top"]
    assert alarms.take_to_tell() == ()
    alarms.tell_again()
    assert len(alarms.take_to_tell()) == 1


# --- PLC --------------------------------------------------------------------------------------


def test_a_plc_may_say_how_urgent_its_alarm_is(alarms: Alarms):
    alert = Alert(alarm_id="plc.a", active=True, message="m", priority=Priority.CRITICAL)
    alarms.alert("plc", alert)
    alarms.alert("plc", replace(alert, alarm_id="plc.b", priority=None))
    assert [alarm.priority for alarm in alarms.all()] == [Priority.CRITICAL, Priority.LOW]


def test_malformed_alerts_are_counted_and_shown(alarms: Alarms, clock: Clock):
    alarms.note_malformed("plc/x: expected JSON")
    alarms.note_malformed("plc/y: expected JSON")
    (alarm,) = alarms.all()
    assert (alarm.id, alarm.active) == (MALFORMED, True)
    assert alarm.message == "2 since the start; newest: plc/y: expected JSON"
    assert [alarm.message for alarm in alarms.take_reworded()] == [alarm.message]
    assert kinds(alarms) == [ChangeKind.RAISED]
    clock.s += 61
    alarms.tick()
    assert alarms.state(MALFORMED) is AlarmState.RTNUN


def test_more_alarms_of_plcs_than_allowed_are_malformed_and_harm_no_known_one(clock: Clock):
    alarms = made(clock, plc_alarms_max=2)
    for name in ("plc.a", "plc.b", "plc.c", "plc.d"):
        alarms.alert("plc", Alert(alarm_id=name, active=True, message="m"))
    alarms.alert("plc", Alert(alarm_id="plc.a", active=False, message="m"))
    assert [alarm.id for alarm in alarms.all()] == [MALFORMED, "plc.a", "plc.b"]
    assert alarms.malformed == 2
    assert alarms.state("plc.a") is AlarmState.RTNUN


def test_an_alarm_that_is_long_normal_makes_room_for_a_new_one(clock: Clock):
    alarms = made(clock, plc_alarms_max=2)
    for name in ("plc.a", "plc.b"):
        clock.s += 1
        alarms.alert("plc", Alert(alarm_id=name, active=True, message="m"))
        ask(alarms, name)
        alarms.alert("plc", Alert(alarm_id=name, active=False, message="m"))
    alarms.take_to_tell()
    alarms.take_reworded()
    alarms.alert("plc", Alert(alarm_id="plc.c", active=True, message="m"))
    assert [alarm.id for alarm in alarms.all()] == ["plc.b", "plc.c"]
    assert alarms.malformed == 0
    alarms.tick()


# --- restart ----------------------------------------------------------------------------------


def left(name: str, source: str = "station", **more: object) -> Alarm:
    return Alarm(
        **{  # type: ignore[arg-type]
            "id": name,
            "source": source,
            "state": AlarmState.ACKED,
            "active": True,
            "message": "left",
            "raised_at": NOON,
            "occurrences": 1,
            **more,
        }
    )


def test_a_plc_alarm_holds_on_after_a_restart_until_the_plc_clears_it(alarms: Alarms, clock: Clock):
    alarms.resume((left("plc.a", "plc"),))
    clock.s += 3600
    alarms.tick()
    assert alarms.why_held() == "alarm plc.a: left"
    alarms.alert("plc", Alert(alarm_id="plc.a", active=False, message="m"))
    assert alarms.why_held() is None


def test_an_own_alarm_found_again_after_a_restart_is_the_same_one(alarms: Alarms, clock: Clock):
    alarms.resume((left("camera_lost.top"),))
    clock.s += START_GRACE_S / 2
    alarms.condition("camera_lost.top", True, "left")
    clock.s += 3600
    alarms.tick()
    assert kinds(alarms) == []
    assert alarms.state("camera_lost.top") is AlarmState.ACKED


def test_an_own_alarm_not_found_again_is_cleared_after_a_while(alarms: Alarms, clock: Clock):
    alarms.resume((left("camera_lost.top"),))
    clock.s += START_GRACE_S + 1
    alarms.tick()
    assert kinds(alarms) == [ChangeKind.CLEARED]


def test_an_alarm_whose_rule_is_gone_from_the_file_holds_nothing_and_clears(
    alarms: Alarms, clock: Clock
):
    alarms.resume((left("old.a", "old"),))
    assert alarms.why_held() is None
    clock.s += START_GRACE_S + 1
    alarms.tick()
    assert kinds(alarms) == [ChangeKind.CLEARED]


def test_a_shelf_outlives_a_restart(alarms: Alarms, clock: Clock):
    until = clock.now() + timedelta(minutes=5)
    alarms.resume((left("plc.a", "plc", state=AlarmState.SHLVD, shelved_until=until),))
    clock.s += 301
    alarms.tick()
    assert kinds(alarms) == [ChangeKind.UNSHELVED]


# --- what follows from the answers --------------------------------------------------------------

PASS = Verdict(decision=Decision.PASS, reason=Reason.CLEAN, detail="")
FAIL = Verdict(decision=Decision.FAIL, reason=Reason.RULE_VIOLATED, detail="")


def watched(clock: Clock, **keys: object) -> tuple[Alarms, AlarmWatch]:
    settings = AlarmSettings.model_validate({"own": OWN, **keys})
    alarms = Alarms(settings, clock_ns=clock.ns, now=clock.now)
    watch = AlarmWatch(settings, alarms=alarms, clock_ns=clock.ns, now=clock.now)
    watch.look()
    return alarms, watch


def is_up(alarms: Alarms, name: str) -> bool:
    return any(alarm.id == name and alarm.active for alarm in alarms.all())


def test_failures_in_a_row_raise_an_alarm_that_a_good_part_clears(clock: Clock):
    alarms, watch = watched(clock, failures_limit=3)
    for verdict in (FAIL, FAIL, PASS, FAIL, FAIL):
        watch.answered(verdict)
    assert not is_up(alarms, "failures_in_a_row")
    watch.answered(Verdict.held(Reason.UNCERTAIN, ""))  # neither good nor bad
    watch.answered(FAIL)
    assert is_up(alarms, "failures_in_a_row")
    watch.answered(PASS)
    assert not is_up(alarms, "failures_in_a_row")


def test_a_low_yield_pauses_the_station_until_a_person_has_seen_it(clock: Clock):
    alarms, watch = watched(clock, yield_limit=0.9, yield_parts=10, failures_limit=0)
    for verdict in (*[PASS] * 8, FAIL):
        watch.answered(verdict)
    assert alarms.why_paused() is None  # nine parts are too few to say
    watch.answered(FAIL)
    assert alarms.why_paused() == "alarm yield_low: 8 of the last 10 parts passed, expected 90.0%"
    watch.answered(Verdict.held(Reason.ALARM_ACTIVE, ""))
    watch.look()
    assert alarms.why_paused() is not None
    ask(alarms, "yield_low")
    watch.look()
    assert alarms.why_paused() is None
    assert alarms.state("yield_low") is AlarmState.NORM


@pytest.mark.parametrize(
    ("reason", "name", "parts"),
    [
        (Reason.MODEL_FAILED, "model_failed", 1),
        (Reason.DEADLINE, "deadline_missed", 1),
        (Reason.BAD_FRAME, "bad_frames", 3),
    ],
)
def test_what_parts_were_held_for_raises_its_alarm(
    clock: Clock, reason: Reason, name: str, parts: int
):
    alarms, watch = watched(clock)
    for _ in range(parts - 1):
        watch.answered(Verdict.held(reason, "why"))
    assert not is_up(alarms, name)
    watch.answered(Verdict.held(reason, "why"))
    assert is_up(alarms, name)
    watch.answered(PASS)
    clock.s += 11
    alarms.tick()
    assert not is_up(alarms, name)


@pytest.mark.parametrize("step_s", [-3600, 3600])
def test_a_clock_that_steps_is_told(clock: Clock, step_s: float):
    alarms, watch = watched(clock)
    for _ in range(5):
        clock.s += 1.5
        watch.look()
    assert alarms.all() == ()
    clock.step_s += step_s
    watch.look()
    assert is_up(alarms, "clock_step")
    assert f"{step_s:+.1f} s" in alarms.all()[0].message
    clock.s += 61
    watch.look()
    alarms.tick()
    assert alarms.state("clock_step") is AlarmState.RTNUN
