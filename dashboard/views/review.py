"""Review: what the station would not pass, one part after the other, for a person to decide.

Keys: P, F and H decide good, bad or hold; agreeing with the station saves at once, anything else
asks for its reason, numbered 1 to 5; N is the next part without deciding.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import streamlit as st

from dashboard import data, part
from dashboard.markup import empty, heading, muted
from dashboard.page import Records, page, say_what_happened, zone
from dashboard.part_list import chosen_id, pick
from dashboard.theme import LOOKS
from inspector.domain import Decision
from inspector.errors import StorageError
from inspector.storage import queries
from inspector.storage.queries import PartSummary
from inspector.storage.recorded import RecordedPart, recorded_part
from inspector.storage.store import Store

QUEUE_ROWS = 14
MOST_COUNTED = 1000
ORDERS = ("Oldest first", "Newest first")
WORDS = {Decision.PASS: "good part", Decision.FAIL: "bad part", Decision.HOLD: "keep on hold"}
KEYS = {Decision.PASS: "P", Decision.FAIL: "F", Decision.HOLD: "H"}


def show(records: Records) -> None:
    """Show the queue, the part in turn with its why, and what to decide."""
    reviewer, newest_first = _who_and_order(records)
    say_what_happened("happened")
    queue = _queue(records, newest_first=newest_first)
    chosen = _chosen(records, queue)
    if chosen is None:
        _nothing_waits()
        return
    waiting, picture, deciding = st.columns([0.85, 2, 1.6], gap="medium")
    with waiting:
        st.html(heading("Queue"))
        pick(queue, columns=("Verdict", "Part", "Time"), key="queue", zone=zone())
    with picture:
        st.html(part.verdict_banner(chosen, zone=zone()))
        part.picture(records, chosen.inspection)
    with deciding:
        _decide(records, chosen, reviewer=reviewer)
        part.objections(chosen.inspection)
    found, standard = st.columns([1, 1.6], gap="medium")
    with found:
        part.found(records, chosen.inspection)
    with standard:
        part.clauses(chosen.inspection)


def _who_and_order(records: Records) -> tuple[str, bool]:
    who, order, count = st.columns([1.2, 1.2, 2], vertical_alignment="bottom")
    # A widget's own value is dropped when another page is shown, so the name is kept beside it.
    name = who.text_input(
        "Your name (kept with each review)",
        value=st.session_state.get("reviewer", ""),
        max_chars=60,
        placeholder="who reviews?",
        key="reviewer_input",
    )
    st.session_state["reviewer"] = name.strip()
    chosen = order.segmented_control("Order", ORDERS, default=ORDERS[0], required=True, key="order")
    waiting = queries.open_reviews(records.database, at_most=MOST_COUNTED)
    more = " or more" if waiting == MOST_COUNTED else ""
    count.html(
        f'<div style="text-align:right;font-size:1.25rem"><b>{waiting:,}{more}</b> '
        f"{'part waits' if waiting == 1 else 'parts wait'} for review</div>"
    )
    return st.session_state["reviewer"], chosen == ORDERS[1]


def _queue(records: Records, *, newest_first: bool) -> tuple[PartSummary, ...]:
    """Return the parts in turn: after those skipped, and from the start again at the end."""
    skipped = st.session_state.get("skipped", {}).get(newest_first)
    queue = queries.review_queue(
        records.database, limit=QUEUE_ROWS, newest_first=newest_first, after_seq=skipped
    )
    if queue or skipped is None:
        return queue
    st.session_state["skipped"] = {}
    return queries.review_queue(records.database, limit=QUEUE_ROWS, newest_first=newest_first)


def _chosen(records: Records, queue: tuple[PartSummary, ...]) -> RecordedPart | None:
    """Return the part that the address names, else the first of the queue."""
    named = chosen_id(queue)
    return None if named is None else recorded_part(records.database, named)


def _nothing_waits() -> None:
    if "part" in st.query_params:
        st.html(empty("No such part", "It is not in this database."))
        st.button("To the queue", on_click=st.query_params.clear, key="to_queue")
        return
    st.html(
        empty(
            "Nothing waits for review",
            "Every FAIL and HOLD has been looked at. New ones show here when the page is reloaded.",
        )
    )


def _decide(records: Records, chosen: RecordedPart, *, reviewer: str) -> None:
    # The part's id is in each button's key: a key pressed twice must not decide the next part,
    # which nobody has seen yet.
    inspection = chosen.inspection
    station_says = inspection.sent_decision or inspection.verdict.decision
    part.reviews(chosen.reviews, zone=zone())
    st.html(heading("Your decision"))
    if not reviewer:
        st.html(muted("Enter your name above first: it is kept with each review."))
    st.text_area(
        "Note (kept with the review)",
        key=_note_key(inspection.id),
        height=80,
        max_chars=1000,
        placeholder="what you saw",
    )
    for decision in (station_says, *(d for d in Decision if d is not station_says)):
        agrees = decision is station_says
        label = f"{LOOKS[decision].symbol} {'Agree' if agrees else 'Overrule'}: {WORDS[decision]}"
        st.button(
            label,
            key=f"decide_{decision.value}_{inspection.id}",
            type="primary" if agrees else "secondary",
            width="stretch",
            shortcut=KEYS[decision],
            disabled=not reviewer,
            on_click=_save if agrees else _ask_why,
            args=(records, chosen, decision, data.AGREED, reviewer)
            if agrees
            else (inspection.id, decision),
        )
    asked: tuple[UUID, Decision] | None = st.session_state.get("overrule")
    if asked is not None and asked[0] == inspection.id:
        _reasons(records, chosen, asked[1], reviewer=reviewer)
    if chosen.open_review:
        st.button(
            "Next, without deciding",
            key=f"skip_{inspection.id}",
            shortcut="N",
            width="stretch",
            type="tertiary",
            on_click=_skip,
            args=(chosen.seq,),
        )
    else:
        st.button("To the queue", on_click=st.query_params.clear, key="to_queue", width="stretch")


def _reasons(records: Records, chosen: RecordedPart, decision: Decision, *, reviewer: str) -> None:
    shown_id = chosen.inspection.id
    st.html(heading(f"Why is it “{WORDS[decision]}”?"))
    for number, (code, words) in enumerate(data.REVIEW_REASONS[decision].items(), 1):
        st.button(
            words,
            key=f"reason_{code}_{shown_id}",
            shortcut=str(number),
            width="stretch",
            on_click=_save,
            args=(records, chosen, decision, code, reviewer),
        )


def _ask_why(inspection_id: UUID, decision: Decision) -> None:
    st.session_state["overrule"] = (inspection_id, decision)


def _skip(seq: int) -> None:
    newest_first = st.session_state["order"] == ORDERS[1]
    st.session_state["skipped"] = {newest_first: seq}
    st.query_params.clear()


def _save(
    records: Records, shown: RecordedPart, decision: Decision, reason: str, reviewer: str
) -> None:
    """Keep a review of the part as it was shown; refuse where another came between."""
    # what stands there now: a click may come together with the last words of the note
    note = st.session_state[_note_key(shown.inspection.id)].strip()
    if reason == data.OTHER and not note:
        st.session_state["happened"] = ("refused", "Say in the note what the reason is.")
        return
    try:
        Store(records.database).add_review(
            shown.inspection.id,
            reviewer=reviewer,
            decision=decision,
            reason=reason,
            note=note,
            at=datetime.now(UTC),
            seen_reviews=len(shown.reviews),
        )
    except StorageError as exc:
        st.session_state["happened"] = ("refused", f"Not saved: {exc}")
        st.query_params["part"] = str(shown.inspection.id)  # with the review that came between
        return
    saved = f"Saved: {part.name(shown.inspection)}, {WORDS[decision]}, by {reviewer}."
    st.session_state["happened"] = ("saved", saved)
    st.session_state.pop("overrule", None)
    st.query_params.clear()


def _note_key(inspection_id: UUID) -> str:
    return f"note_{inspection_id}"


if __name__ == "__main__":
    page(show)
