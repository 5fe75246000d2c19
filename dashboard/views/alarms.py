"""Alarms: what is wrong now, what people do about it, and how good the alarms themselves are.

What a person asks here is written into the database; the station does it within a second and
answers there. While no station runs, it waits.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from uuid import uuid4

import streamlit as st

from dashboard import data
from dashboard.alarm_marks import (
    asked_lines,
    effect_words,
    figure_tiles,
    history_table,
    most_frequent_table,
    priority_chip,
    state_chip,
    stripe,
)
from dashboard.markup import empty, heading, muted, text
from dashboard.page import Records, explained, page, say_what_happened, watchdog, zone
from inspector.alarm_figures import alarm_figures
from inspector.alarms import Action, AlarmCommand, AlarmState
from inspector.errors import StorageError
from inspector.storage import queries
from inspector.storage.alarms import AlarmStore, AskedCommand, StationAlarm

REFRESH_S = 2
MOST_SHOWN = 50
HISTORY_ROWS = 40
ASKED_ROWS = 6
EVERY_STATION = "all stations"
MALFORMED = "alerts_malformed"
SPANS = {
    "8 hours": timedelta(hours=8),
    "24 hours": timedelta(hours=24),
    "7 days": timedelta(days=7),
}
SHELVE_FOR = {
    "15 minutes": timedelta(minutes=15),
    "1 hour": timedelta(hours=1),
    "4 hours": timedelta(hours=4),
    "8 hours": timedelta(hours=8),
}
Chosen = tuple[str, str]  # station and alarm


def show(records: Records) -> None:
    """Show what is not normal, with what to do about it, and the figures below."""
    who, where = st.columns([1.2, 2], vertical_alignment="bottom")
    # A widget's own value is dropped when another page is shown, so the name is kept beside it.
    name = who.text_input(
        "Your name (kept with what you do)",
        value=st.session_state.get("reviewer", ""),
        max_chars=60,
        placeholder="who acknowledges?",
        key="operator_input",
    )
    st.session_state["reviewer"] = name.strip()
    stations = queries.stations(records.database)
    station = None
    if len(stations) > 1:
        chosen = where.selectbox("Station", (EVERY_STATION, *stations), width=320)
        station = None if chosen == EVERY_STATION else chosen
    say_what_happened("alarm_happened")
    _moving(records, station, st.session_state["reviewer"])


@st.fragment(run_every=REFRESH_S)
def _moving(records: Records, station_id: str | None, operator: str) -> None:
    with explained():
        now, local = datetime.now(UTC), zone()
        store = AlarmStore(records.database)
        known = store.known(station_id=station_id)
        alarms = tuple(one for one in known if one.alarm.state is not AlarmState.NORM)
        asked = store.asked(limit=MOST_SHOWN, station_id=station_id)
        watchdog()
        left, right = st.columns([2, 1], gap="medium")
        with left:
            _list(records, alarms, asked, operator=operator, now=now)
        with right:
            _choose_normal(known)
            _chosen_alarm(records, known, operator=operator, zone=local)
            lines = asked_lines(asked[:ASKED_ROWS], zone=local)
            if lines:
                st.html(heading("Asked for") + lines)
        _figures(store, known, station_id, now=now)
        st.html(
            heading("History")
            + history_table(store.events(limit=HISTORY_ROWS, station_id=station_id), zone=local)
        )


def _list(
    records: Records,
    alarms: tuple[StationAlarm, ...],
    asked: tuple[AskedCommand, ...],
    *,
    operator: str,
    now: datetime,
) -> None:
    if not alarms:
        st.html(empty("No alarm", "Everything is normal, and acknowledged."))
        return
    if not operator:
        st.html(muted("Enter your name above first: it is kept with what you do."))
    waiting = {(one.station_id, one.command.alarm_id) for one in asked if one.answered_at is None}
    st.html(heading(f"{len(alarms)} not normal"))
    for one in alarms[:MOST_SHOWN]:
        _row(records, one, operator=operator, now=now, waits=_key(one) in waiting)
    if len(alarms) > MOST_SHOWN:
        st.html(muted(f"and {len(alarms) - MOST_SHOWN} less urgent ones"))


def _row(records: Records, one: StationAlarm, *, operator: str, now: datetime, waits: bool) -> None:
    alarm = one.alarm
    # the occurrence is in the key: a click must not acknowledge one that nobody has seen
    name = f"{one.station_id}_{alarm.id}_{alarm.occurrences}"
    card = st.container(key=f"alarm_{stripe(alarm)}_{name}")
    words, acknowledge, more = card.columns([5, 1.3, 0.8], vertical_alignment="center")
    since = "" if alarm.raised_at is None else f"{data.age_in_words(now - alarm.raised_at)} ago"
    effect, because = effect_words(alarm), ""
    if alarm.suppressed_by:
        because = f"<br>{muted(f'{alarm.suppressed_by}: {alarm.suppressed_because}')}"
    words.html(
        f"{priority_chip(alarm)} {state_chip(alarm.state)} "
        f"<b>{text(alarm.id)}</b> {muted(f'{one.station_id} · {since}')}<br>"
        f"{text(alarm.message)}{f' · <b>{text(effect)}</b>' if effect else ''}{because}"
        + (f"<br>{muted('asked for, waits for the station')}" if waits else "")
    )
    if alarm.is_announced:
        acknowledge.button(
            "Acknowledge",
            key=f"ack_{name}",
            disabled=not operator or waits,
            on_click=_ask,
            args=(records, one, Action.ACK, operator),
        )
    more.button("More", key=f"more_{name}", on_click=_choose, args=(_key(one),))


def _chosen_alarm(
    records: Records, alarms: tuple[StationAlarm, ...], *, operator: str, zone: tzinfo
) -> None:
    chosen: Chosen | None = st.session_state.get("alarm_chosen")
    one = next((one for one in alarms if _key(one) == chosen), None)
    if one is None:
        if any(known.alarm.state is not AlarmState.NORM for known in alarms):
            st.html(muted("More: shelve an alarm for a time, or take it out of service."))
        return
    alarm, name = one.alarm, f"{one.station_id}_{one.alarm.id}"
    st.html(heading(alarm.id))
    if alarm.state is AlarmState.SHLVD:
        until = alarm.shelved_until
        st.html(muted(f"shelved until {until.astimezone(zone):%d %b %H:%M}" if until else ""))
        _button("Take off the shelf", Action.UNSHELVE, records, one, operator)
    if alarm.state is AlarmState.OOSRV:
        _button("Return to service", Action.IN_SERVICE, records, one, operator)
        return
    st.text_input(
        "Reason (kept for ever)",
        key=_reason_key(one),
        max_chars=200,
        placeholder="why is it right to quieten it?",
    )
    st.segmented_control(
        "For", list(SHELVE_FOR), default="15 minutes", required=True, key=f"for_{name}"
    )
    _button("Shelve", Action.SHELVE, records, one, operator)
    _button("Take out of service", Action.OUT_OF_SERVICE, records, one, operator)
    st.html(
        muted(
            "Shelving quietens an alarm for a time; it still acts on parts. Out of service it "
            "neither announces nor acts, until somebody returns it."
        )
    )


def _button(label: str, action: Action, records: Records, one: StationAlarm, operator: str) -> None:
    st.button(
        label,
        key=f"{action}_{one.station_id}_{one.alarm.id}",
        width="stretch",
        disabled=not operator,
        on_click=_ask,
        args=(records, one, action, operator),
    )


def _ask(records: Records, one: StationAlarm, action: Action, operator: str) -> None:
    """Write down what the operator asks of the station."""
    reason, now = "", datetime.now(UTC)
    until = None
    if action in {Action.SHELVE, Action.OUT_OF_SERVICE}:
        # what stands there now: a click may come together with the last words of the reason
        reason = st.session_state[_reason_key(one)].strip()
        if not reason:
            st.session_state["alarm_happened"] = ("refused", "Say the reason first.")
            return
    if action is Action.SHELVE:
        until = now + SHELVE_FOR[st.session_state[f"for_{one.station_id}_{one.alarm.id}"]]
    command = AlarmCommand(
        id=uuid4(),
        alarm_id=one.alarm.id,
        action=action,
        by=operator,
        at=now,
        reason=reason,
        until=until,
    )
    try:
        AlarmStore(records.database).ask(one.station_id, command)
    except StorageError as exc:
        st.session_state["alarm_happened"] = ("refused", f"Not saved: {exc}")
        return
    st.session_state["alarm_happened"] = (
        "saved",
        f"Asked: {action.value.replace('_', ' ')} {one.alarm.id}, by {operator}.",
    )


def _choose_normal(known: tuple[StationAlarm, ...]) -> None:
    """Offer the alarms that are normal now: one that chatters is so every other moment."""
    normal = [_key(one) for one in known if one.alarm.state is AlarmState.NORM]
    if normal:
        st.selectbox(
            "Normal alarms",
            normal,
            index=None,
            format_func=lambda key: f"{key[1]} · {key[0]}",
            placeholder="choose one to shelve or take out of service",
            key="normal_alarm",
            on_change=lambda: _choose(st.session_state["normal_alarm"]),
        )


def _choose(key: Chosen | None) -> None:
    st.session_state["alarm_chosen"] = key


def _figures(
    store: AlarmStore,
    known: tuple[StationAlarm, ...],
    station_id: str | None,
    *,
    now: datetime,
) -> None:
    title, choice = st.columns([2, 1], vertical_alignment="bottom")
    title.html(heading("How good are the alarms? (ISA-18.2, EEMUA 191)"))
    span = choice.segmented_control(
        "Span", list(SPANS), default="24 hours", required=True, label_visibility="collapsed"
    )
    since = now - SPANS[span or "24 hours"]
    found = alarm_figures(
        store.announced(since=since, until=now, station_id=station_id),
        since=since,
        until=now,
        active_since={
            one.alarm.id: one.alarm.raised_at
            for one in known
            if one.alarm.active and one.alarm.raised_at is not None
        },
    )
    malformed = [one.alarm.message for one in known if one.alarm.id == MALFORMED]
    st.html(figure_tiles(found, malformed=malformed))
    if found.most_frequent:
        st.html(most_frequent_table(found))


def _key(one: StationAlarm) -> Chosen:
    return (one.station_id, one.alarm.id)


def _reason_key(one: StationAlarm) -> str:
    return f"reason_{one.station_id}_{one.alarm.id}"


if __name__ == "__main__":
    page(show)
