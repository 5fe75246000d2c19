"""A list of parts in which a click chooses one, and the address that then names it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from uuid import UUID

import pandas as pd
import streamlit as st

from dashboard.markup import decision_words
from dashboard.part import name
from dashboard.theme import LINE, LOOKS, MUTED
from inspector.domain import Decision, Reason
from inspector.storage.queries import PartSummary

HEIGHT_PX = 640
WIDTHS_PX = {"Date": 118, "Time": 60, "Verdict": 84, "Part": 150, "Reason": 150}


def pick(parts: Sequence[PartSummary], *, columns: Sequence[str], key: str, zone: tzinfo) -> None:
    """Show `parts`; a click on one writes it into the address, `?part=…`."""
    cells: dict[str, Callable[[PartSummary], str]] = {
        "Date": lambda part: f"{part.triggered_at.astimezone(zone):%d %b %H:%M:%S}",
        "Time": lambda part: f"{part.triggered_at.astimezone(zone):%H:%M}",
        "Verdict": _verdict,
        "Part": name,
        "Reason": lambda part: "" if part.reason is Reason.CLEAN else part.reason.value,
    }
    rows = pd.DataFrame({column: [cells[column](part) for part in parts] for column in columns})
    styles = [_style(part.told) for part in parts]
    st.dataframe(
        rows.style.apply(lambda _: styles, subset=["Verdict"]),
        hide_index=True,
        height=min(HEIGHT_PX, 38 + 35 * len(parts)),
        on_select=lambda: _name_in_address(key),
        selection_mode="single-cell",
        column_config={
            column: st.column_config.TextColumn(width=WIDTHS_PX[column]) for column in columns
        },
        key=key,
    )
    # what a click means is what was on the screen, not what a new query would give
    st.session_state[f"{key}_ids"] = [str(part.id) for part in parts]


def chosen_id(parts: Sequence[PartSummary]) -> UUID | None:
    """Return the part that the address names, else the first of `parts`.

    None where the address names none that can be, or there is nothing to choose from.
    """
    named = st.query_params.get("part")
    if named is None:
        return parts[0].id if parts else None
    try:
        return UUID(named)
    except ValueError:
        return None


def _verdict(part: PartSummary) -> str:
    """Return what was judged, and what the line was told instead where it differs."""
    judged = decision_words(part.decision)
    return judged if part.told is part.decision else f"{judged} → {decision_words(part.told)}"


def _name_in_address(key: str) -> None:
    cells = st.session_state[key].selection.cells
    if cells:
        st.query_params["part"] = st.session_state[f"{key}_ids"][cells[0][0]]


def _style(told: Decision | None) -> str:
    if told is None:
        return f"background-color:{LINE};color:{MUTED};font-weight:700"
    return f"background-color:{LOOKS[told].pale};color:{LOOKS[told].ink};font-weight:700"
