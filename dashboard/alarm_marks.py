"""How alarms look: priorities, states, figures and history as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from dashboard.markup import Html, muted, table, text, tile
from dashboard.theme import ALARM_LOOKS, INK, LINE, MUTED, PAPER
from inspector.alarm_figures import AlarmFigures
from inspector.alarms import Alarm, AlarmState, Effect
from inspector.storage.alarms import AlarmEvent, AskedCommand

MOST_CHARS = 90
_STATES = {
    AlarmState.NORM: "normal",
    AlarmState.UNACK: "ACTIVE, not acknowledged",
    AlarmState.ACKED: "active, acknowledged",
    AlarmState.RTNUN: "gone, not acknowledged",
    AlarmState.SHLVD: "shelved",
    AlarmState.OOSRV: "out of service",
}
_EFFECTS = {
    Effect.HOLD: "holds every part",
    Effect.PAUSE: "pauses the station",
    Effect.NOTE: "",
}


def priority_chip(alarm: Alarm) -> Html:
    """Return the priority: strong until somebody knows, pale once acknowledged, grey if quiet."""
    look = ALARM_LOOKS[alarm.priority]
    words = f"{look.symbol} {alarm.priority.name}"
    match alarm.state:
        case AlarmState.UNACK:
            return _chip(words, ground=look.strong, ink=look.on_strong, edge=look.strong)
        case AlarmState.ACKED:
            return _chip(words, ground=look.pale, ink=look.ink, edge=look.strong)
    return _chip(words, ground=PAPER, ink=MUTED, edge=LINE)


def state_chip(state: AlarmState) -> Html:
    """Return the state: dark where a person has yet to acknowledge an active alarm."""
    if state is AlarmState.UNACK:
        return _chip(_STATES[state], ground=INK, ink=PAPER, edge=INK)
    return _chip(_STATES[state], ground=PAPER, ink=MUTED, edge=MUTED)


def stripe(alarm: Alarm) -> str:
    """Return which colour the alarm's card has: that of its priority while it is active."""
    is_active = alarm.state in {AlarmState.UNACK, AlarmState.ACKED}
    return alarm.priority.name.lower() if is_active else "quiet"


def _chip(words: str, *, ground: str, ink: str, edge: str) -> Html:
    return (
        f'<span class="chip" style="background:{ground};color:{ink};border:1px solid {edge}">'
        f"{text(words)}</span>"
    )


def effect_words(alarm: Alarm) -> str:
    """Return what the alarm does to parts now."""
    return _EFFECTS[alarm.effect] if alarm.takes_effect else ""


def figure_tiles(figures: AlarmFigures, *, malformed: Sequence[str]) -> Html:
    """Return the figures; `malformed` are the words of each station on what it could not read."""
    lasting = sum(flood.ended_at is None for flood in figures.floods)
    return (
        '<div class="tiles">'
        + tile(
            "Announced",
            f"{figures.announced:,}",
            f"{figures.per_10_min:.2f} per 10 min (about 1 is acceptable); "
            f"at most {figures.most_in_10_min}",
        )
        + tile(
            "Floods",
            f"{len(figures.floods)}",
            f"{figures.flood_share:.1%} of the time"
            + (f"; <b>{lasting} lasts now</b>" if lasting else ""),
        )
        + tile("Chattering", f"{len(figures.chattering)}", _names(figures.chattering))
        + tile("Stale", f"{len(figures.stale)}", _names(figures.stale) or "none over 24 h")
        + tile(
            "Malformed",
            f"{sum(_leading_number(words) for words in malformed):,}",
            "<br>".join(text(words[:MOST_CHARS]) for words in malformed),
        )
        + "</div>"
    )


def most_frequent_table(figures: AlarmFigures) -> Html:
    shares = " · ".join(
        f"{priority.name.lower()} {count / figures.announced:.0%}"
        for priority, count in figures.by_priority.items()
    )
    return table(
        ("Most frequent", "Times", "Share"),
        [
            (text(name), f"{count:,}", f"{count / figures.announced:.0%}")
            for name, count in figures.most_frequent
        ],
    ) + muted(f"priorities: {shares} (aim: 5 % critical or high, 15 % medium, 80 % low)")


def history_table(events: Sequence[AlarmEvent], *, zone: tzinfo) -> Html:
    """Return the newest events, newest first."""
    if not events:
        return muted("No alarm was raised yet. What each one does, and who did what, shows here.")
    return table(
        ("Time", "Station", "Alarm", "What", "Then", "By", "Why"),
        [
            (
                f"{event.at.astimezone(zone):%d %b %H:%M:%S}",
                text(event.station_id),
                text(event.alarm_id),
                text(event.kind.value),
                text(event.state.value),
                text(event.by),
                text(event.reason or event.message),
            )
            for event in events
        ],
    )


def asked_lines(asked: Sequence[AskedCommand], *, zone: tzinfo) -> Html:
    """Return what was asked for last, and what became of it."""
    lines = []
    for one in asked:
        command = one.command
        if one.answered_at is None:
            became = "waits for the station"
        else:
            became = f"refused: {one.answer}" if one.answer else "done"
        lines.append(
            f"{command.at.astimezone(zone):%H:%M:%S} {text(command.by)}: "
            f"{text(command.action.value.replace('_', ' '))} <b>{text(command.alarm_id)}</b> "
            f"{muted(became)}"
        )
    return "<br>".join(lines)


def _leading_number(words: str) -> int:
    """Return the count at the start of what a station says of its malformed alerts."""
    number = words.split(" ", 1)[0]
    return int(number) if number.isdecimal() else 0


def _names(names: Sequence[str]) -> Html:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return text(", ".join(names[:3]) + more)
