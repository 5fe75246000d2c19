"""What every page has in common: the database, the notice, and errors in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dashboard import data
from dashboard.markup import empty, text
from dashboard.theme import LOOKS, STYLE
from inspector.domain import Decision
from inspector.errors import NotMigrated, StorageError
from inspector.storage.database import Database, open_database
from inspector.storage.files import Pictures

NOTICE = (
    "No sign-in yet",
    ": this dashboard listens on this machine only (127.0.0.1) and asks your name.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What the pages read: the database, and the pictures beside it."""

    database: Database
    pictures: Pictures


def page(show: Callable[[Records], None]) -> None:
    """Show a page, or what is wrong in one line where its records cannot be read."""
    st.html(STYLE)
    st.html(
        f'<div class="notice"><span><b>{text(NOTICE[0])}</b>{text(NOTICE[1])}</span>'
        f"<span>Times are {text(zone_name())}.</span></div>"
    )
    with explained():
        source = data.source()
        records = _records(source.url, str(source.records))
        show(records)


def say_what_happened(key: str) -> None:
    """Show once what became of what a person asked: `saved` or not, and the words, under `key`."""
    kind, words = st.session_state.pop(key, ("", ""))
    if words:
        look = LOOKS[Decision.PASS if kind == "saved" else Decision.FAIL]
        st.html(
            f'<div class="verdict" style="background:{look.pale};border-color:{look.strong}">'
            f"{look.symbol} {text(words)}</div>"
        )


@contextmanager
def explained() -> Iterator[None]:
    """Turn an error of the records into its one line, with the remedy, on the page.

    A fragment needs one of its own: it runs again without the page around it.
    """
    try:
        yield
    except NotMigrated as exc:
        st.html(
            empty("The database is not ready", f"<p>{text(exc)}</p><p>Then reload this page.</p>")
        )
    except StorageError as exc:
        st.html(empty("The records cannot be read", f"<p>{text(exc)}</p>"))


def watchdog() -> None:
    """Arm the notice that covers a page when its refreshes stop (the style says how)."""
    beat = st.session_state["watchdog_beat"] = not st.session_state.get("watchdog_beat", False)
    st.html(
        f'<div class="watchdog {"even" if beat else "odd"}">✖\ufe0e This page is no longer updated.'
        "<br>What was here is old.</div>"
    )


def zone() -> tzinfo:
    """Return the time zone of the person who looks, this machine's where it is not known."""
    try:
        return ZoneInfo(st.context.timezone or "")
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.now(UTC).astimezone().tzinfo or UTC


def zone_name() -> str:
    return f"local ({datetime.now(zone()):%Z})"


@st.cache_resource(max_entries=2, on_release=lambda records: records.database.close())
def _records(url: str, folder: str) -> Records:
    database = open_database(url)
    return Records(database=database, pictures=Pictures(Path(folder) / "pictures"))
