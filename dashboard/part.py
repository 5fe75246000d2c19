"""One part on the screen: verdict, picture, crops, clause by clause, what was read, reviews."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, tzinfo

import streamlit as st

from dashboard import data, drawing
from dashboard.markup import Html, chip, decision_words, heading, muted, table, tag, text
from dashboard.page import Records
from dashboard.theme import LOOKS, Look
from inspector.domain import ClauseFinding, Decision, Inspection
from inspector.errors import PictureError
from inspector.storage.queries import PartSummary
from inspector.storage.recorded import Acknowledgement, RecordedPart, Review

TIME = "%d %b %Y %H:%M:%S"
MOST_CROPS = 24


def name(part: PartSummary | Inspection) -> str:
    """Return what people call a part: its id, or the request where the PLC gave none."""
    view = f" · {part.view}" if part.view else ""
    return f"{part.part_id or 'no part id'}{view}"


def verdict_banner(part: RecordedPart, *, zone: tzinfo) -> Html:
    """Return the decision with its sentence, what it means, what to do, and who has read it."""
    inspection = part.inspection
    verdict = inspection.verdict
    look = LOOKS[verdict.decision]
    words = data.REASONS[verdict.reason]
    names_it = verdict.clause_ids == (verdict.detail.partition(":")[0],)
    is_told = names_it or not verdict.clause_ids
    clauses = "" if is_told else f" · clause {', '.join(verdict.clause_ids)}"
    return (
        f'<div class="verdict" style="background:{look.pale};border-color:{look.strong}">'
        f'<span class="word" style="color:{look.ink}">'
        f"{text(decision_words(verdict.decision))}</span> &nbsp;"
        f"<b>{text(name(inspection))}</b> &nbsp;"
        f"{muted(f'{inspection.triggered_at.astimezone(zone):{TIME}}')}"
        f"<div><b>{text(verdict.reason.value)}</b>{text(clauses)}: {text(verdict.detail)}</div>"
        f"<div>{text(words.meaning)} <b>{text(words.remedy)}</b></div>"
        f"{_told(inspection)}{_acknowledged(part.acknowledgement, zone=zone)}</div>"
    )


def picture(
    records: Records,
    inspection: Inspection,
    *,
    with_boxes: bool = True,
    corner: str = "",
    banner: str = "",
) -> None:
    """Show the picture of a part with its boxes, or say why there is none."""
    if inspection.picture is None:
        st.html('<div class="card empty">No picture was taken of this part.</div>')
        return
    try:
        shown = _drawn(
            records,
            inspection,
            str(inspection.id),
            with_boxes=with_boxes,
            corner=corner,
            banner=banner,
        )
    except PictureError as exc:
        st.html(f'<div class="card empty"><b>The picture cannot be shown.</b><br>{text(exc)}</div>')
        return
    st.image(shown, width="stretch", alt=f"picture of part {name(inspection)}")


def found(records: Records, inspection: Inspection) -> None:
    """Show what was found: defects with their crops, texts and codes."""
    findings = inspection.findings
    if findings.detections:
        crops = _crops(records, inspection, str(inspection.id))
        st.html(
            heading(f"Defects found ({len(findings.detections)})")
            + table(
                ("", "", "Defect", "Size and place"),
                [
                    (
                        _number(str(i + 1), drawing.defect_colour(inspection, i)),
                        crops[i] if i < len(crops) else "",
                        f"<b>{text(defect.label)}</b><br>{muted(f'{defect.confidence:.0%} sure')}",
                        f"{_size(defect.width_mm, defect.height_mm)}<br>{muted(defect.zone or '')}",
                    )
                    for i, defect in enumerate(findings.detections)
                ],
            )
        )
    if findings.text_lines:
        st.html(
            heading("Text read")
            + table(
                ("", "Text", "Is", "Sure"),
                [
                    (
                        _number(f"T{i}", drawing.TEXT_COLOUR),
                        f"<b>{text(line.text)}</b>",
                        text(line.field or ""),
                        text(f"{line.confidence:.0%}"),
                    )
                    for i, line in enumerate(findings.text_lines, 1)
                ],
            )
        )
    if findings.codes:
        st.html(
            heading("Codes read")
            + table(
                ("", "Code", "Kind", ""),
                [
                    (
                        _number(f"C{i}", drawing.CODE_COLOUR),
                        f"<b>{text(code.text)}</b>",
                        text(code.symbology),
                        muted("after enhancement") if code.recovered else "",
                    )
                    for i, code in enumerate(findings.codes, 1)
                ],
            )
        )
    if inspection.expected:
        st.html(
            heading("Expected by the work order")
            + table(
                ("What", "Value"),
                [
                    (text(key), f"<b>{text(value)}</b>")
                    for key, value in sorted(inspection.expected.items())
                ],
            )
        )


def clauses(inspection: Inspection) -> None:
    """Show the standard clause by clause, objections first."""
    if inspection.judgement is None:
        st.html(
            heading("Clause by clause")
            + muted("The standard was not judged: the inspection ended before that.")
        )
        return
    words = data.clause_texts(inspection.standard_rev)
    findings = sorted(inspection.judgement.clauses, key=_objections_first)
    st.html(
        heading("Clause by clause")
        + table(
            ("", "Clause", "What was found", "Decided by", "Violated?"),
            [_clause_cells(finding, words.get(finding.clause_id)) for finding in findings],
        )
    )


def objections(inspection: Inspection) -> None:
    """Show only the clauses that are violated or not sure, short enough to stand beside."""
    if inspection.judgement is None:
        return
    words = data.clause_texts(inspection.standard_rev)
    said = [
        f'<div class="objection" style="border-left-color:{_look(finding).strong}">'
        f"{_said(finding)} <b>{text(finding.clause_id)}</b> "
        f"{text(words.get(finding.clause_id, ''))}"
        f"<div><b>{text(finding.statement)}</b></div>{_rests_on(finding)}</div>"
        for finding in sorted(inspection.judgement.clauses, key=_objections_first)
        if finding.violated is not False
    ]
    if said:
        st.html(heading("What the station objects to") + "".join(said))


def reviews(given: Sequence[Review], *, zone: tzinfo) -> None:
    """Show who decided what on this part, oldest first."""
    if not given:
        return
    st.html(
        heading("Reviews")
        + table(
            ("When", "Who", "Decided", "Why"),
            [
                (
                    text(f"{review.at.astimezone(zone):{TIME}}"),
                    f"<b>{text(review.reviewer)}</b>",
                    chip(review.decision),
                    text(data.review_reason(review.reason))
                    + (f"<br>{muted(review.note)}" if review.note else ""),
                )
                for review in given
            ],
        )
    )


def provenance(part: RecordedPart, *, zone: tzinfo) -> None:
    """Show how long each stage took, and all that a replay needs."""
    inspection = part.inspection
    timings, made = inspection.timings, inspection.provenance
    st.html(
        heading("Time taken")
        + table(
            ("Wait for picture", "Find defects", "Read", "Judge", "Record", "Whole"),
            [
                [
                    text(f"{ms:,.0f} ms")
                    for ms in (
                        timings.wait_ms,
                        timings.detect_ms,
                        timings.read_ms,
                        timings.judge_ms,
                        timings.record_ms,
                        timings.total_ms,
                    )
                ]
            ],
        )
        + heading("Where it comes from")
        + table(
            ("", ""),
            [
                (text(label), f'<span class="hash">{text(value)}</span>')
                for label, value in (
                    ("inspection", inspection.id),
                    ("number", part.seq),
                    ("request", inspection.request_id),
                    ("station, camera", f"{inspection.station_id}, {inspection.camera_id}"),
                    ("lot", inspection.lot),
                    ("product", inspection.product),
                    ("recipe", f"{inspection.recipe} {inspection.recipe_rev}"),
                    ("standard", inspection.standard_rev),
                    ("triggered", _moment(inspection.triggered_at, zone)),
                    ("picture taken", _moment(inspection.captured_at, zone)),
                    ("answer sent", _moment(inspection.sent_at, zone)),
                    ("picture", made.frame_sha256),
                    ("detector", made.detector_sha256),
                    ("judge", inspection.judgement and inspection.judgement.judge),
                    ("judge's weights", made.judge_sha256),
                    ("software", made.software),
                )
                if value
            ],
        )
    )


# A recorded part never changes, so its id is all of the key; what starts with _ is not part of it.
@st.cache_data(max_entries=64, show_spinner=False)
def _drawn(
    _records: Records,
    _inspection: Inspection,
    inspection_id: str,  # noqa: ARG001
    *,
    with_boxes: bool,
    corner: str,
    banner: str,
) -> str:
    return drawing.svg(
        _records.pictures.load(_inspection.picture or ""),
        drawing.marks(_inspection) if with_boxes else (),
        corner=corner,
        banner=banner,
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _crops(
    _records: Records,
    _inspection: Inspection,
    inspection_id: str,  # noqa: ARG001
) -> tuple[Html, ...]:
    if _inspection.picture is None:
        return ()
    try:
        bgr = _records.pictures.load(_inspection.picture)
    except PictureError:
        return ()  # the place of the picture says why
    return tuple(
        f'<img width="64" height="64" alt="" src="data:image/jpeg;base64,'
        f'{base64.b64encode(drawing.crop_jpeg(bgr, defect.box)).decode()}">'
        for defect in _inspection.findings.detections[:MOST_CROPS]
    )


def _told(inspection: Inspection) -> Html:
    told = inspection.sent_decision
    if told is inspection.verdict.decision:
        return ""
    if told is None:
        return "<div><b>Nothing was sent to the line for this part.</b></div>"
    return f"<div>The line was told {chip(told)} instead.</div>"


def _acknowledged(acknowledgement: Acknowledgement | None, *, zone: tzinfo) -> Html:
    if acknowledgement is None:
        return ""
    who = acknowledgement.by or "the PLC"
    return f"<div>Read by {text(who)} at {acknowledgement.at.astimezone(zone):{TIME}}.</div>"


def _clause_cells(finding: ClauseFinding, words: str | None) -> tuple[Html, ...]:
    clause = f"<b>{text(finding.clause_id)}</b>" + (f" {text(words)}" if words else "")
    return (
        _said(finding),
        clause,
        f"{text(finding.statement)}<div>{_rests_on(finding)}</div>",
        text(data.DECIDED_BY.get(finding.decided_by, finding.decided_by)),
        _probability(finding.violation_probability),
    )


def _look(finding: ClauseFinding) -> Look:
    return LOOKS[{True: Decision.FAIL, False: Decision.PASS, None: Decision.HOLD}[finding.violated]]


def _said(finding: ClauseFinding) -> Html:
    look = _look(finding)
    word = {True: "violated", False: "conforms", None: "not sure"}[finding.violated]
    return (
        f'<span class="chip" style="background:{look.pale};color:{look.ink}">'
        f"{look.symbol} {word}</span>"
    )


def _rests_on(finding: ClauseFinding) -> Html:
    return "".join(
        tag(f"{ref.kind} {ref.index + 1}") for ref in finding.evidence if ref.kind != "context"
    )


def _probability(probability: float | None) -> Html:
    if probability is None:
        return muted("–")
    return (
        f'<span style="white-space:nowrap"><span class="bar"><span '
        f'style="width:{probability:.0%}"></span></span>{probability:.0%}</span>'
    )


def _objections_first(finding: ClauseFinding) -> int:
    return {True: 0, None: 1, False: 2}[finding.violated]


def _number(number: str, colour: str) -> Html:
    ink = LOOKS[Decision.HOLD].on_strong if colour == LOOKS[Decision.HOLD].strong else "#fff"
    return f'<span class="chip" style="background:{colour};color:{ink}">{text(number)}</span>'


def _size(width_mm: float | None, height_mm: float | None) -> Html:
    if width_mm is None or height_mm is None:
        return ""
    return f'<span class="nowrap">{width_mm:.2f} × {height_mm:.2f} mm</span>'


def _moment(moment: datetime | None, zone: tzinfo) -> str:
    return "" if moment is None else f"{moment.astimezone(zone):{TIME}.%f}"[:-3]
