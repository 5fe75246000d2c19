"""Live: is the station alive, what does it say, and how good is the day. Readable from 3 m."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import streamlit as st

from dashboard import charts, data, part
from dashboard.alarm_marks import effect_words
from dashboard.markup import Html, chip, decision_words, empty, heading, muted, table, text, tile
from dashboard.page import Records, explained, page, watchdog, zone
from dashboard.theme import LINE, LOOKS, MUTED
from inspector.domain import Decision, Reason
from inspector.storage import queries
from inspector.storage.alarms import AlarmStore
from inspector.storage.queries import HOUR, Counts, PartFilter, PartSummary
from inspector.storage.recorded import recorded_part

REFRESH_S = 2
LAST_PARTS = 8
MOST_ALARMS = 3
CHART_SPANS = {"24 hours": timedelta(hours=24), "7 days": timedelta(days=7)}
EVERY_STATION = "all stations"


def show(records: Records) -> None:
    """Show the page; what moves refreshes by itself."""
    stations = queries.stations(records.database)
    station = None
    if len(stations) > 1:
        chosen = st.selectbox("Station", (EVERY_STATION, *stations), width=320)
        station = None if chosen == EVERY_STATION else chosen
    _moving(records, station)


@st.fragment(run_every=REFRESH_S)
def _moving(records: Records, station_id: str | None) -> None:
    with explained():
        now, local = datetime.now(UTC), zone()
        where = PartFilter(station_id=station_id)
        last = queries.parts(records.database, where, limit=LAST_PARTS).parts
        watchdog()
        if not last:
            _nothing_yet(records)
            return
        _alarms(records, station_id=station_id)
        _tiles(records, last[0], station_id=station_id, now=now, zone=local)
        left, right = st.columns([1, 1.22], gap="medium")
        with left:
            _newest_picture(records, last[0], station_id=station_id, now=now, zone=local)
        with right:
            st.html(heading("Last parts") + _last_parts(last, zone=local))
            _chart(records, station_id=station_id, now=now, zone=local)


def _alarms(records: Records, *, station_id: str | None) -> None:
    """Say which alarms act on parts or wait for a person; nothing where none does."""
    found = tuple(one.alarm for one in AlarmStore(records.database).alarms(station_id=station_id))
    acting = [alarm for alarm in found if effect_words(alarm)]
    announced = sum(alarm.is_announced for alarm in found)
    if not acting and not announced:
        return
    said = [
        f"<b>{text(alarm.id)}</b> {text(effect_words(alarm))}: {text(alarm.message)}"
        for alarm in acting[:MOST_ALARMS]
    ]
    if len(acting) > MOST_ALARMS:
        said.append(f"and {len(acting) - MOST_ALARMS} more")
    if announced:
        noun = "alarm waits" if announced == 1 else "alarms wait"
        said.append(f"{announced} {noun} to be acknowledged")
    look = LOOKS[Decision.FAIL if acting else Decision.HOLD]
    st.html(
        f'<div class="verdict" style="background:{look.pale};border-color:{look.strong}">'
        f'{"<br>".join(said)} · <a href="alarms" target="_self">Alarms</a></div>'
    )


def _nothing_yet(records: Records) -> None:
    event = queries.newest_event(records.database)
    said = (
        f"<p>The station last reported: <b>{text(event.kind)}</b> {text(event.detail)}</p>"
        if event
        else ""
    )
    st.html(
        empty(
            "No part has been inspected yet",
            f"{said}<p>Start a station with <code>inspector run STATION.yaml</code>, or watch "
            "one at work with <code>inspector demo</code>.<br>"
            "The first part shows here by itself.</p>",
        )
    )


def _tiles(
    records: Records,
    newest: PartSummary,
    *,
    station_id: str | None,
    now: datetime,
    zone: tzinfo,
) -> None:
    database = records.database
    event = queries.newest_event(database, station_id=station_id)
    state = data.station_state(newest_part_at=newest.triggered_at, newest_event=event, now=now)
    today = queries.counts(
        database, since=data.day_begins(now, zone), until=now, station_id=station_id
    )
    minute = queries.counts(
        database, since=now - timedelta(minutes=1), until=now, station_id=station_id
    )
    waiting = queries.open_reviews(database)
    st.html(
        '<div class="tiles">'
        + _last_verdict(newest, now=now)
        + tile(
            "Station",
            f"{state.symbol} {text(state.word)}",
            text(state.note),
            style=f"border-left:10px solid {state.colour}",
        )
        + tile("Last minute", f"{minute.parts}", "parts")
        + _yield(today)
        + tile(
            "To review",
            f"{waiting if waiting < 1000 else '999+'}",
            "see the page Review" if waiting else "nothing waits",
        )
        + "</div>"
    )


def _last_verdict(newest: PartSummary, *, now: datetime) -> Html:
    age = now - newest.triggered_at
    words = data.REASONS[newest.reason]
    note = f"{text(part.name(newest))} · {text(data.age_in_words(age))} ago<br>"
    note += text("" if newest.reason is Reason.CLEAN else words.meaning)
    told = newest.told
    if told is None or not data.is_live(newest.triggered_at, now):
        return tile("Last part", text(decision_words(told)), note, style=f"background:{LINE}")
    look = LOOKS[told]
    return (
        f'<div class="card tile" style="background:{look.strong};color:{look.on_strong}">'
        f'<div class="name" style="color:inherit">Last part</div>'
        f'<div class="value">{text(decision_words(told))}</div>'
        f'<div class="note" style="color:inherit">{note}</div></div>'
    )


def _yield(today: Counts) -> Html:
    if not today.parts:
        return tile("Yield today", "–", "no part yet today")
    low, high = data.wilson(today.passed, today.parts)
    figures = (
        (Decision.PASS, today.passed),
        (Decision.FAIL, today.failed),
        (Decision.HOLD, today.held),
        (None, today.none),
    )
    counted = " &nbsp; ".join(
        f'<b style="color:{LOOKS[told].ink if told else MUTED};white-space:nowrap">'
        f"{text(decision_words(told))} {n:,}</b>"
        for told, n in figures
        if n or told
    )
    return tile(
        "Yield today",
        f"{today.passed / today.parts:.1%}",
        f"{counted}<br>of {today.parts:,} parts · 95 % sure: {low:.1%} to {high:.1%}",
    )


def _newest_picture(
    records: Records,
    last: PartSummary,
    *,
    station_id: str | None,
    now: datetime,
    zone: tzinfo,
) -> None:
    """Show the newest picture; pale, with a banner, unless it is the last part's and of now."""
    newest = queries.newest_picture(records.database, station_id=station_id)
    recorded = None if newest is None else recorded_part(records.database, newest.id)
    if recorded is None:
        st.html(heading("Newest picture") + '<div class="card empty">No picture yet.</div>')
        return
    inspection = recorded.inspection
    taken_at = inspection.captured_at or inspection.triggered_at
    banner = ""
    if not data.is_live(taken_at, now):
        banner = "NOT LIVE"
    elif recorded.seq != last.seq:
        banner = "NOT THE LAST PART"
    age = data.age_in_words(now - taken_at)
    taken = f"{taken_at.astimezone(zone):{part.TIME if banner else '%H:%M:%S'}}"
    st.html(
        f'<div class="heading">Newest picture &nbsp;'
        f"{chip(inspection.sent_decision, faded=bool(banner))} &nbsp;"
        f"{text(part.name(inspection))} &nbsp;{muted(f'taken {age} ago')}</div>"
    )
    part.picture(records, inspection, corner=f"taken {taken}", banner=banner)


def _last_parts(last: tuple[PartSummary, ...], *, zone: tzinfo) -> Html:
    return table(
        ("Time", "Part", "Verdict", "Why", "Clauses", "ms"),
        [
            (
                f"{row.triggered_at.astimezone(zone):%H:%M:%S}",
                f'<a href="history?part={row.id}" target="_blank">{text(part.name(row))}</a>',
                chip(row.told),
                _why(row),
                text(", ".join(row.clause_ids)),
                f"{row.total_ms:,.0f}",
            )
            for row in last
        ],
        kind="big",
    )


def _why(row: PartSummary) -> Html:
    reason = "" if row.reason is Reason.CLEAN else text(row.reason.value)
    return reason if row.told is row.decision else f"{reason} {muted(f'judged {row.decision}')}"


def _chart(records: Records, *, station_id: str | None, now: datetime, zone: tzinfo) -> None:
    title, choice = st.columns([2, 1], vertical_alignment="bottom")
    title.html(heading("Verdicts over time"))
    span = choice.segmented_control(
        "Span", list(CHART_SPANS), default="24 hours", required=True, label_visibility="collapsed"
    )
    until = now.replace(minute=0, second=0, microsecond=0) + HOUR
    since = until - CHART_SPANS[span or "24 hours"]
    counts = queries.hours(records.database, since=since, until=until, station_id=station_id)
    frame = charts.by_hour(counts, since=since, until=until, zone=zone)
    st.plotly_chart(charts.decisions_over_time(frame), config=charts.CONFIG, key="over_time")


if __name__ == "__main__":
    page(show)
