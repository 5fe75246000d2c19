"""Small pieces of HTML that the pages share; all text is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dashboard.theme import LINE, LOOKS, MUTED
from inspector.domain import Decision

# Text that is HTML already: what the functions here return.
Html = str


def text(value: object) -> Html:
    """Return `value` as HTML that shows it literally."""
    return escape(str(value))


def muted(value: object) -> Html:
    return f'<span class="muted">{text(value)}</span>'


def decision_words(decision: Decision | None) -> str:
    """Return symbol and word of a decision; None is a part for which nothing left the station."""
    return "∅ NOT SENT" if decision is None else f"{LOOKS[decision].symbol} {decision.value}"


def chip(decision: Decision | None, *, faded: bool = False) -> Html:
    """Return a decision in its colours, with its symbol."""
    words = text(decision_words(decision))
    if decision is None or faded:
        return f'<span class="chip" style="background:{LINE};color:{MUTED}">{words}</span>'
    look = LOOKS[decision]
    return (
        f'<span class="chip" style="background:{look.strong};color:{look.on_strong}">{words}</span>'
    )


def tag(value: object) -> Html:
    return f'<span class="tag">{text(value)}</span>'


def tile(name: str, value: Html, note: Html, *, style: str = "") -> Html:
    """Return a figure with its name above and a note below."""
    return (
        f'<div class="card tile" style="{style}"><div class="name">{text(name)}</div>'
        f'<div class="value">{value}</div><div class="note">{note}</div></div>'
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[Html]], *, kind: str = "") -> Html:
    """Return a table; cells are HTML, headings are text."""
    head = "".join(f"<th>{text(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" for cells in rows
    )
    return (
        f'<table class="facts {kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def heading(value: str) -> Html:
    return f'<div class="heading">{text(value)}</div>'


def empty(title: str, what_to_do: Html) -> Html:
    """Return what a page says where there is nothing to show."""
    return f'<div class="card empty"><h3>{text(title)}</h3><div>{what_to_do}</div></div>'
