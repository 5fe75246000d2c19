"""The charts: figures for plotly, made from counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

import pandas as pd
import plotly.graph_objects as go

from dashboard.markup import decision_words
from dashboard.theme import INK, LINE, LOOKS, MUTED
from inspector.domain import Decision
from inspector.storage.queries import HOUR, HourCount

# From the bottom up; None is a part for which nothing left the station.
STACK: tuple[Decision | None, ...] = (Decision.PASS, Decision.HOLD, Decision.FAIL, None)
# Told apart in print and by eyes that do not see the colours.
PATTERNS: dict[Decision | None, str] = {Decision.HOLD: "/", Decision.FAIL: "x", None: "."}
CONFIG = {"displayModeBar": False}
DAYS_AFTER = timedelta(days=3)


def by_hour(
    counts: Sequence[HourCount], *, since: datetime, until: datetime, zone: tzinfo
) -> pd.DataFrame:
    """Return parts with a row per hour of `[since, until)` (days beyond three) and a column each.

    Hours without parts are there with zeros, so that a stop shows as a gap.
    """
    hours = pd.date_range(since, until, freq=HOUR, inclusive="left")
    parts = {(count.hour, count.told): count.parts for count in counts}
    columns = {
        _column(told): [parts.get((hour.to_pydatetime(), told), 0) for hour in hours]
        for told in STACK
    }
    frame = pd.DataFrame(columns, index=hours.tz_convert(zone))
    return frame.resample("D").sum() if until - since > DAYS_AFTER else frame


def decisions_over_time(frame: pd.DataFrame) -> go.Figure:
    """Return stacked bars of what the line was told."""
    figure = go.Figure()
    for told in STACK:
        column = _column(told)
        if told is None and not frame[column].any():
            continue
        colour = LOOKS[told].strong if told else MUTED
        figure.add_bar(
            x=frame.index,
            y=frame[column],
            name=decision_words(told),
            marker={
                "color": colour,
                "line": {"width": 0},
                "pattern": {
                    "shape": PATTERNS.get(told, ""),
                    "bgcolor": colour,
                    "fgcolor": "#FFFFFF",
                    "size": 5,
                    "solidity": 0.25,
                },
            },
            hovertemplate="%{y} parts<extra>" + decision_words(told) + "</extra>",
        )
    figure.update_layout(
        barmode="stack",
        bargap=0.18,
        height=205,
        margin={"l": 8, "r": 16, "t": 12, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 14, "color": INK},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        hovermode="x unified",
    )
    step = frame.index[1] - frame.index[0]
    figure.update_xaxes(
        showgrid=False,
        linecolor=LINE,
        range=[frame.index[0] - step / 2, frame.index[-1] + step / 2],
        tickformat="%H:%M" if step == HOUR else "%a %d %b",
        nticks=9,
    )
    figure.update_yaxes(gridcolor=LINE, rangemode="tozero", title="parts", tickformat=",d")
    return figure


def _column(told: Decision | None) -> str:
    return "NONE" if told is None else told.value
