"""The life of an alarm after ISA-18.2, over every order of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from inspector.alarms import (
    ID_PATTERN,
    Action,
    Alarm,
    AlarmCommand,
    AlarmState,
    Delayed,
    acknowledged,
    alarm_id,
    cleared,
    commanded,
    in_service,
    out_of_service,
    raised,
    shelved,
    unshelved,
)
from inspector.errors import AlarmRefused

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
NEW = Alarm(id="camera_lost")


def active() -> Alarm:
    return raised(NEW, at=NOON, message="no answer")


def ask(alarm: Alarm, action: Action, *, by: str = "Ana", reason: str = "noisy") -> Alarm:
    return commanded(
        alarm,
        AlarmCommand(
            id=uuid4(),
            alarm_id=alarm.id,
            action=action,
            by=by,
            at=NOON,
            reason=reason,
            until=LATER if action is Action.SHELVE else None,
        ),
    )


def test_an_alarm_that_is_acknowledged_and_then_clears_is_normal():
    seen = acknowledged(active(), at=NOON, by="Ana")
    assert seen.state is AlarmState.ACKED
    assert cleared(seen, at=LATER).state is AlarmState.NORM


def test_an_alarm_that_clears_unseen_waits_for_its_acknowledgement():
    gone = cleared(active(), at=LATER)
    assert (gone.state, gone.is_announced, gone.takes_effect) == (AlarmState.RTNUN, True, False)
    assert acknowledged(gone, at=LATER, by="Ana").state is AlarmState.NORM


def test_an_alarm_raised_again_needs_a_new_acknowledgement():
    again = raised(
        cleared(acknowledged(active(), at=NOON, by="Ana"), at=LATER), at=LATER, message="x"
    )
    assert (again.state, again.acknowledged_by, again.occurrences) == (AlarmState.UNACK, None, 2)


def test_raising_an_active_alarm_changes_its_words_only():
    again = raised(active(), at=LATER, message="still no answer")
    assert (again.raised_at, again.occurrences) == (NOON, 1)
    assert again.message == "still no answer"
    assert raised(active(), at=LATER, message="no answer") == active()


def test_a_shelved_alarm_is_quiet_but_still_acts_on_parts():
    quiet = shelved(active(), at=NOON, by="Ana", reason="known", until=LATER)
    assert (quiet.is_announced, quiet.takes_effect) == (False, True)


def test_an_alarm_out_of_service_acts_on_nothing():
    out = out_of_service(active(), by="Ana", reason="sensor is being replaced")
    assert (out.is_announced, out.takes_effect) == (False, False)


@pytest.mark.parametrize("action", [Action.SHELVE, Action.OUT_OF_SERVICE])
def test_an_alarm_that_is_active_when_it_comes_back_is_announced_anew(action: Action):
    seen = acknowledged(active(), at=NOON, by="Ana")
    back = unshelved if action is Action.SHELVE else in_service
    assert back(ask(seen, action)).state is AlarmState.UNACK
    assert back(cleared(ask(seen, action), at=LATER)).state is AlarmState.NORM
    assert back(ask(seen, action)).suppressed_because == ""


@pytest.mark.parametrize("action", [Action.SHELVE, Action.OUT_OF_SERVICE])
def test_nothing_is_suppressed_without_a_reason(action: Action):
    with pytest.raises(AlarmRefused, match="reason"):
        ask(active(), action, reason=" ")


@pytest.mark.parametrize("action", Action)
def test_nothing_is_done_without_a_name(action: Action):
    with pytest.raises(AlarmRefused, match="who"):
        ask(active(), action, by=" ")


def test_shelving_ends_after_now():
    with pytest.raises(AlarmRefused, match="after now"):
        shelved(active(), at=NOON, by="Ana", reason="known", until=NOON)


@pytest.mark.parametrize(
    ("alarm", "action"),
    [
        (NEW, Action.ACK),
        (acknowledged(active(), at=NOON, by="Ana"), Action.ACK),
        (active(), Action.UNSHELVE),
        (active(), Action.IN_SERVICE),
        (out_of_service(active(), by="Ana", reason="x"), Action.OUT_OF_SERVICE),
        (out_of_service(active(), by="Ana", reason="x"), Action.SHELVE),
        (out_of_service(active(), by="Ana", reason="x"), Action.ACK),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_state_found(alarm: Alarm, action: Action):
    with pytest.raises(AlarmRefused, match=f"{alarm.state}|out already"):
        ask(alarm, action)


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": AlarmState.UNACK, "active": False},
        {"state": AlarmState.NORM, "active": True},
        {"state": AlarmState.SHLVD},
        {"shelved_until": NOON},
        {"id": "a/b"},
        {"id": ""},
    ],
)
def test_an_alarm_that_cannot_be_is_not_built(wrong: dict[str, object]):
    with pytest.raises(ValueError, match="expected"):
        Alarm(**{"id": "x", **wrong})  # type: ignore[arg-type]


@given(st.text(), st.text())
def test_every_name_becomes_an_id_and_two_names_two_ids(one: str, other: str):
    assert ID_PATTERN.fullmatch(alarm_id("plc", one))
    assert (alarm_id("plc", one) == alarm_id("plc", other)) is (one == other)


class LifeCycle(RuleBasedStateMachine):
    """Any order of events; a model of five flags says which state must follow."""

    def __init__(self) -> None:
        super().__init__()
        self.alarm = NEW
        self.active = self.seen = False
        self.shelved = self.out = False
        self.raised = 0

    @rule()
    def condition_comes(self) -> None:
        self.raised += not self.active
        if not self.active:
            self.seen = False
        self.active = True
        self.alarm = raised(self.alarm, at=NOON, message="m")

    @rule()
    def condition_goes(self) -> None:
        if self.active and (self.shelved or self.out):
            self.seen = True  # gone behind the curtain: nothing is left to acknowledge
        self.active = False
        self.alarm = cleared(self.alarm, at=NOON)

    @precondition(lambda self: self.alarm.is_announced)
    @rule()
    def a_person_acknowledges(self) -> None:
        self.seen = True
        self.alarm = ask(self.alarm, Action.ACK)

    @precondition(lambda self: not self.out)
    @rule()
    def a_person_shelves(self) -> None:
        self.shelved = True
        self.alarm = ask(self.alarm, Action.SHELVE)

    @precondition(lambda self: self.shelved)
    @rule()
    def it_leaves_the_shelf(self) -> None:
        self.shelved, self.seen = False, not self.active
        self.alarm = ask(self.alarm, Action.UNSHELVE)

    @precondition(lambda self: not self.out)
    @rule()
    def a_person_takes_it_out(self) -> None:
        self.shelved, self.out = False, True
        self.alarm = ask(self.alarm, Action.OUT_OF_SERVICE)

    @precondition(lambda self: self.out)
    @rule()
    def a_person_returns_it(self) -> None:
        self.out, self.seen = False, not self.active
        self.alarm = ask(self.alarm, Action.IN_SERVICE)

    @invariant()
    def the_state_follows(self) -> None:
        if self.out:
            expected = AlarmState.OOSRV
        elif self.shelved:
            expected = AlarmState.SHLVD
        elif self.active:
            expected = AlarmState.ACKED if self.seen else AlarmState.UNACK
        else:
            expected = AlarmState.NORM if self.seen or not self.raised else AlarmState.RTNUN
        assert self.alarm.state is expected
        assert self.alarm.active is self.active
        assert self.alarm.occurrences == self.raised
        assert self.alarm.takes_effect is (self.active and not self.out)


TestLifeCycle = LifeCycle.TestCase


# --- delays -----------------------------------------------------------------------------------

S = 1_000_000_000


@given(
    st.lists(st.tuples(st.integers(0, 5 * S), st.booleans()), max_size=40),
    st.integers(0, 3 * S),
    st.integers(0, 3 * S),
)
def test_a_condition_counts_only_after_its_delay_without_a_break(
    steps: list[tuple[int, bool]], on_ns: int, off_ns: int
):
    condition = Delayed(on_delay_ns=on_ns, off_delay_ns=off_ns)
    now, expected, raw, since = 0, False, False, 0
    for wait_ns, told in steps:
        now += wait_ns
        condition = condition.settled(now)
        if raw is not expected and now >= since + (on_ns if raw else off_ns):
            expected = raw
        assert condition.active is expected
        if told is not raw:
            raw, since = told, now
        condition = condition.told(told, detail="d", at_ns=now).settled(now)
        if raw is not expected and now >= since + (on_ns if raw else off_ns):
            expected = raw
        assert condition.active is expected


def test_chatter_faster_than_the_off_delay_is_one_alarm():
    condition, raises = Delayed(on_delay_ns=0, off_delay_ns=5 * S), 0
    for second in range(60):
        was = condition.active
        condition = condition.told(second % 2 == 0, detail="", at_ns=second * S).settled(second * S)
        raises += condition.active and not was
    assert raises == 1


def test_the_words_of_a_condition_that_went_are_kept():
    condition = Delayed(on_delay_ns=0, off_delay_ns=S).told(True, detail="why", at_ns=0)
    assert condition.told(False, detail="", at_ns=1).detail == "why"
