"""The page of the alarms, without a browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from dashboard_pages import Open, button, words
from dashboard_seeding import Plant, part
from streamlit.testing.v1 import AppTest

from dashboard.alarm_marks import priority_chip, stripe
from dashboard.theme import ALARM_LOOKS
from inspector.alarms import (
    Action,
    Alarm,
    AlarmChange,
    AlarmState,
    ChangeKind,
    Effect,
    Priority,
    acknowledged,
    cleared,
    commanded,
    out_of_service,
    raised,
    shelved,
)
from inspector.storage.alarms import AlarmStore

CAMERA = Alarm(id="camera_lost.top", priority=Priority.HIGH, effect=Effect.HOLD)


@pytest.fixture
def store(plant: Plant) -> AlarmStore:
    return AlarmStore(plant.database)


def up(store: AlarmStore, alarm: Alarm = CAMERA, *, ago: timedelta = timedelta(minutes=3)) -> Alarm:
    at = datetime.now(UTC) - ago
    after = raised(alarm, at=at, message="no <answer>")
    note(store, ChangeKind.RAISED, after, at=at)
    return after


def note(store: AlarmStore, kind: ChangeKind, alarm: Alarm, *, at: datetime | None = None) -> None:
    at = at or datetime.now(UTC)
    store.record("line1", (AlarmChange(id=uuid4(), kind=kind, at=at, by="station", alarm=alarm),))


def named(page: AppTest) -> AppTest:
    return page.text_input(key="operator_input").input("Ana").run()


def chosen(page: AppTest) -> AppTest:
    return button(named(page), "more_").click().run()


def test_an_alarm_shows_what_it_is_since_when_and_what_it_does(store: AlarmStore, open_page: Open):
    up(store)
    shown = words(open_page("alarms"))
    for said in ("▲ HIGH", "ACTIVE, not acknowledged", "camera_lost.top", "holds every part"):
        assert said in shown
    assert "no &lt;answer&gt;" in shown
    assert "3 min ago" in shown or "180 s ago" in shown


def test_colour_is_for_what_is_active_and_strongest_until_somebody_knows():
    at = datetime.now(UTC)
    active = raised(CAMERA, at=at, message="no answer")
    known, gone = acknowledged(active, at=at, by="Ana"), cleared(active, at=at)
    look = ALARM_LOOKS[Priority.HIGH]
    assert f"background:{look.strong}" in priority_chip(active)
    assert f"background:{look.pale}" in priority_chip(known)
    assert look.strong not in priority_chip(gone)
    assert [stripe(alarm) for alarm in (active, known, gone)] == ["high", "high", "quiet"]


def test_nobody_acknowledges_without_a_name(store: AlarmStore, open_page: Open):
    up(store)
    page = open_page("alarms")
    assert button(page, "ack_").disabled
    assert "Enter your name" in words(page)


def test_an_operator_acknowledges_and_the_station_is_asked(store: AlarmStore, open_page: Open):
    alarm = up(store)
    page = button(named(open_page("alarms")), "ack_").click().run()
    (command,) = store.commands("line1")
    assert (command.alarm_id, command.action, command.by) == (alarm.id, Action.ACK, "Ana")
    assert "Asked: ack camera_lost.top, by Ana." in words(page)
    assert "waits for the station" in words(page)
    assert button(page, "ack_").disabled  # asked for once is enough


def test_what_the_station_did_or_refused_is_shown(store: AlarmStore, open_page: Open):
    alarm = up(store)
    page = button(named(open_page("alarms")), "ack_").click().run()
    (command,) = store.commands("line1")
    store.record(
        "line1",
        (
            AlarmChange(
                id=command.id,
                kind=ChangeKind.ACKNOWLEDGED,
                at=command.at,
                by="Ana",
                alarm=commanded(alarm, command),
            ),
        ),
    )
    shown = words(page.run())
    assert "active, acknowledged" in shown
    assert "done" in shown
    assert not any((one.key or "").startswith("ack_") for one in page.button)


def test_shelving_needs_a_reason_and_keeps_it_with_the_time(store: AlarmStore, open_page: Open):
    up(store)
    page = chosen(open_page("alarms"))
    button(page, "shelve_").click().run()
    assert "Say the reason first" in words(page)
    assert store.commands("line1") == ()
    page.text_input(key="reason_line1_camera_lost.top").input("lens is being cleaned").run()
    button(page, "shelve_").click().run()
    (command,) = store.commands("line1")
    assert (command.action, command.reason) == (Action.SHELVE, "lens is being cleaned")
    assert command.until is not None
    assert command.until - command.at == timedelta(minutes=15)


def test_an_alarm_is_taken_out_of_service_with_a_reason(store: AlarmStore, open_page: Open):
    up(store)
    page = chosen(open_page("alarms"))
    page.text_input(key="reason_line1_camera_lost.top").input("camera is replaced").run()
    button(page, "out_of_service_").click().run()
    assert [command.action for command in store.commands("line1")] == [Action.OUT_OF_SERVICE]


def test_a_shelved_alarm_says_who_and_why_and_comes_off_the_shelf(
    store: AlarmStore, open_page: Open
):
    now = datetime.now(UTC)
    quiet = shelved(up(store), at=now, by="Ben", reason="known", until=now + timedelta(hours=1))
    note(store, ChangeKind.SHELVED, quiet)
    page = chosen(open_page("alarms"))
    assert "Ben: known" in words(page)
    assert "shelved until" in words(page)
    button(page, "unshelve_").click().run()
    assert [command.action for command in store.commands("line1")] == [Action.UNSHELVE]


def test_an_alarm_out_of_service_does_nothing_and_can_be_returned(
    store: AlarmStore, open_page: Open
):
    note(store, ChangeKind.OUT_OF_SERVICE, out_of_service(up(store), by="Ben", reason="repair"))
    page = chosen(open_page("alarms"))
    assert "holds every part" not in words(page)
    button(page, "in_service_").click().run()
    assert [command.action for command in store.commands("line1")] == [Action.IN_SERVICE]


def test_what_is_normal_is_in_the_history_only(store: AlarmStore, open_page: Open):
    seen = acknowledged(up(store), at=datetime.now(UTC), by="Ana")
    note(store, ChangeKind.CLEARED, cleared(seen, at=datetime.now(UTC)))
    shown = words(open_page("alarms"))
    assert "Everything is normal" in shown
    assert "CLEARED" in shown


def test_an_alarm_that_is_normal_now_can_be_taken_out_of_service(
    store: AlarmStore, open_page: Open
):
    note(store, ChangeKind.UNSHELVED, CAMERA)
    page = named(open_page("alarms"))
    page.selectbox(key="normal_alarm").select(("line1", CAMERA.id)).run()
    page.text_input(key="reason_line1_camera_lost.top").input("chatters").run()
    button(page, "out_of_service_").click().run()
    assert [command.reason for command in store.commands("line1")] == ["chatters"]


def test_flood_and_chatter_are_counted(store: AlarmStore, open_page: Open):
    alarm = CAMERA
    for second in range(12, 0, -1):
        ago = timedelta(seconds=second)
        alarm = cleared(up(store, alarm, ago=ago), at=datetime.now(UTC) - ago)
    shown = words(open_page("alarms"))
    assert "1 lasts now" in shown
    assert '<div class="note">camera_lost.top</div>' in shown  # the one that chatters
    assert AlarmState.RTNUN is alarm.state


def test_malformed_alerts_are_shown_also_when_their_alarm_is_over(
    store: AlarmStore, open_page: Open
):
    malformed = replace(CAMERA, id="alerts_malformed", effect=Effect.NOTE)
    seen = acknowledged(
        raised(malformed, at=datetime.now(UTC), message="7 since the start"),
        at=datetime.now(UTC),
        by="Ana",
    )
    note(store, ChangeKind.CLEARED, cleared(seen, at=datetime.now(UTC)))
    shown = words(open_page("alarms"))
    assert '<div class="value">7</div>' in shown
    assert "7 since the start" in shown


def test_the_page_says_when_it_is_no_longer_updated(open_page: Open):
    assert "This page is no longer updated" in words(open_page("alarms"))


def test_live_says_what_holds_parts_and_what_waits_for_a_person(
    plant: Plant, store: AlarmStore, open_page: Open
):
    plant.store.record(part(datetime.now(UTC)))
    assert "acknowledged" not in words(open_page("live"))
    up(store)
    shown = words(open_page("live"))
    assert "<b>camera_lost.top</b> holds every part: no &lt;answer&gt;" in shown
    assert "1 alarm waits to be acknowledged" in shown
