"""What every page does."""

from __future__ import annotations

from pathlib import Path

import pytest
from dashboard_pages import Open, words
from dashboard_seeding import VIEWS
from streamlit.testing.v1 import AppTest

from dashboard.data import DATABASE_VARIABLE, RECORDS_VARIABLE

PAGES = ("live", "history", "review", "alarms")


@pytest.mark.parametrize("name", PAGES)
def test_every_page_says_that_there_is_no_sign_in(name: str, open_page: Open) -> None:
    shown = words(open_page(name))
    assert "No sign-in yet" in shown
    assert "127.0.0.1" in shown


@pytest.mark.parametrize("name", PAGES)
def test_a_database_that_is_not_migrated_shows_the_one_line_remedy(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, f"sqlite:///{tmp_path / 'none.db'}")
    monkeypatch.setenv(RECORDS_VARIABLE, str(tmp_path))
    shown = words(AppTest.from_file(str(VIEWS / f"{name}.py"), default_timeout=20).run())
    assert "The database is not ready" in shown
    assert "inspector db upgrade" in shown


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("live", "inspector demo"),
        ("history", "Widen the time range"),
        ("review", "Nothing waits"),
        ("alarms", "Everything is normal"),
    ],
)
def test_an_empty_database_says_what_to_do(name: str, hint: str, open_page: Open) -> None:
    assert hint in words(open_page(name))
