"""History: find a part, and see why it got its decision."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from uuid import UUID

import streamlit as st

from dashboard import part
from dashboard.markup import decision_words, empty
from dashboard.page import Records, page, zone
from dashboard.part_list import chosen_id, pick
from inspector.domain import Decision, Reason
from inspector.storage import queries
from inspector.storage.queries import Cursor, PartFilter
from inspector.storage.recorded import RecordedPart, recorded_part

ROWS = 50
SPANS = {
    "Last hour": timedelta(hours=1),
    "Last 24 hours": timedelta(hours=24),
    "Last 7 days": timedelta(days=7),
    "Last 30 days": timedelta(days=30),
}
ALL_TIME = "All time"
BETWEEN = "From … to …"


def show(records: Records) -> None:
    """Show filters, a page of parts, and the part that is chosen."""
    where = _filters(records)
    if where is None:
        return
    cursors = _cursors()
    found = queries.parts(records.database, where, limit=ROWS, after=cursors[-1])
    if not found.parts:
        st.html(
            empty(
                "No part matches",
                "Widen the time range or take a filter away. A part id or lot must be complete.",
            )
        )
        return
    left, right = st.columns([5, 7], gap="medium")
    with left:
        columns = ("Date", "Verdict", "Part", "Reason")
        pick(found.parts, columns=columns, key="history_list", zone=zone())
        _turn(cursors, older=found.older)
    with right:
        named = chosen_id(found.parts)
        chosen = None if named is None else recorded_part(records.database, named)
        if chosen is None:
            st.html(empty("No such part", "It is not in this database; choose one in the list."))
        else:
            _one(records, chosen, zone=zone())


def _filters(records: Records) -> PartFilter | None:
    database = records.database
    with st.container(border=True):
        columns = st.columns([1.25, 0.8, 1.3, 1.5, 1, 1.15, 1])
        span = columns[0].selectbox("Time", (*SPANS, ALL_TIME, BETWEEN), index=1, key="span")
        decision = columns[1].selectbox(
            "Verdict", (None, *Decision), format_func=_or_all, key="decision"
        )
        reason = columns[2].selectbox("Reason", (None, *Reason), format_func=_or_all, key="reason")
        product = columns[3].selectbox(
            "Product", (None, *queries.products(database)), format_func=_or_all, key="product"
        )
        recipe = columns[4].selectbox(
            "Recipe", (None, *queries.recipes(database)), format_func=_or_all, key="recipe"
        )
        part_id = columns[5].text_input("Part id", key="part_id").strip()
        lot = columns[6].text_input("Lot", key="lot").strip()
        since, until = _range(span, now=datetime.now(UTC), zone=zone())
    if since is not None and until is not None and since >= until:
        st.html(empty("The range is empty", "Choose a day “to” that is not before “from”."))
        return None
    return PartFilter(
        since=since,
        until=until,
        decision=decision,
        reason=reason,
        product=product,
        recipe=recipe,
        part_id=part_id or None,
        lot=lot or None,
    )


def _range(span: str, *, now: datetime, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
    if span == ALL_TIME:
        return None, None
    if span in SPANS:
        return now - SPANS[span], None
    today = now.astimezone(zone).date()
    first, last = st.columns(2)
    from_day = first.date_input("From", today - timedelta(days=7), key="from_day")
    to_day = last.date_input("To, that day included", today, key="to_day")
    return (
        datetime.combine(from_day, time(), zone).astimezone(UTC),
        datetime.combine(to_day + timedelta(days=1), time(), zone).astimezone(UTC),
    )


def _cursors() -> list[Cursor | None]:
    """Return where each page so far begins; another filter begins at the first page again."""
    widgets = ("span", "decision", "reason", "product", "recipe", "part_id", "lot")
    days = ("from_day", "to_day")
    asked = tuple(str(st.session_state.get(key)) for key in (*widgets, *days))
    if st.session_state.get("history_asked") != asked:
        st.session_state["history_asked"] = asked
        st.session_state["history_cursors"] = [None]
    cursors: list[Cursor | None] = st.session_state["history_cursors"]
    return cursors


def _turn(cursors: list[Cursor | None], *, older: Cursor | None) -> None:
    newer_button, place, older_button = st.columns([1, 1, 1], vertical_alignment="center")
    newer_button.button(
        "Newer", on_click=_newer, disabled=len(cursors) == 1, key="newer", width="stretch"
    )
    place.html(f'<div class="muted" style="text-align:center">page {len(cursors)}</div>')
    older_button.button(
        "Older",
        on_click=_older,
        args=(older,),
        disabled=older is None,
        key="older",
        width="stretch",
    )


def _newer() -> None:
    st.session_state["history_cursors"].pop()
    st.query_params.clear()


def _older(after: Cursor | None) -> None:
    st.session_state["history_cursors"].append(after)
    st.query_params.clear()


def _one(records: Records, chosen: RecordedPart, *, zone: tzinfo) -> None:
    inspection = chosen.inspection
    st.html(part.verdict_banner(chosen, zone=zone))
    if chosen.open_review:
        st.button(
            "Waiting for review: decide on it",
            key="to_review",
            on_click=_to_review,
            args=(inspection.id,),
        )
    part.reviews(chosen.reviews, zone=zone)
    picture, found = st.columns([1, 1])
    with picture:
        with_boxes = st.toggle("Boxes", value=True, key="boxes")
        part.picture(records, inspection, with_boxes=with_boxes)
    with found:
        part.found(records, inspection)
    part.clauses(inspection)
    with st.expander("Times and origin"):
        part.provenance(chosen, zone=zone)


def _to_review(inspection_id: UUID) -> None:
    st.switch_page("views/review.py", query_params={"part": str(inspection_id)})


def _or_all(value: Decision | Reason | str | None) -> str:
    if isinstance(value, Decision):
        return decision_words(value)
    return "all" if value is None else str(value)


if __name__ == "__main__":
    page(show)
