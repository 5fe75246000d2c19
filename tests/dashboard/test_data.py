"""Words, figures and states of the dashboard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard import data
from inspector.domain import Decision, Reason
from inspector.errors import StorageError
from inspector.settings import load_standard
from inspector.storage.queries import StationEvent

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def test_every_reason_is_explained_with_what_to_do() -> None:
    assert set(data.REASONS) == set(Reason)


def test_every_overruling_can_be_for_something_else() -> None:
    assert set(data.REVIEW_REASONS) == set(Decision)
    assert all(data.OTHER in reasons for reasons in data.REVIEW_REASONS.values())


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (29, 29, 0.8830, 1),
    ],
)
def test_the_interval_is_wilsons(successes: int, n: int, low: float, high: float) -> None:
    assert data.wilson(successes, n) == (
        pytest.approx(low, abs=5e-5),
        pytest.approx(high, abs=5e-5),
    )


def test_of_no_parts_nothing_is_known() -> None:
    assert data.wilson(0, 0) == (0.0, 1.0)


def test_a_day_begins_at_local_midnight_also_where_the_zone_is_half_an_hour_off() -> None:
    begins = data.day_begins(NOON, ZoneInfo("Asia/Kolkata"))
    assert begins == datetime(2026, 6, 30, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (4, "4 s"),
        (119, "119 s"),
        (600, "10 min"),
        (7500, "2 h 5 min"),
        (2e5, "2 days"),
    ],
)
def test_ages_are_short(seconds: float, words: str) -> None:
    assert data.age_in_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("part_age_s", "event", "word"),
    [
        (None, None, "NO SIGN"),
        (5, None, "RUNNING"),
        (500, None, "QUIET"),
        (-500, None, "QUIET"),
        (None, ("STARTED", 5), "RUNNING"),
        (500, ("STARTED", 5), "RUNNING"),
        (5, ("STOPPED", 3), "STOPPED"),
        (3, ("STOPPED", 5), "RUNNING"),
        (None, ("STOPPED", 5000), "STOPPED"),
    ],
)
def test_the_state_is_what_the_newest_sign_says(
    part_age_s: float | None, event: tuple[str, float] | None, word: str
) -> None:
    state = data.station_state(
        newest_part_at=None if part_age_s is None else NOON - timedelta(seconds=part_age_s),
        newest_event=None
        if event is None
        else StationEvent(
            station_id="s1", kind=event[0], detail="", at=NOON - timedelta(seconds=event[1])
        ),
        now=NOON,
    )
    assert state.word == word


def test_clauses_are_found_by_the_sha256_of_their_standard() -> None:
    standard = load_standard("retail-label")
    words = data.clause_texts(standard.rev)
    assert words == {clause.id: clause.text for clause in standard.clauses}
    assert data.clause_texts("0" * 64) == {}


def test_pages_without_settings_say_how_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(data.DATABASE_VARIABLE, raising=False)
    with pytest.raises(StorageError, match="inspector dashboard"):
        data.source()
