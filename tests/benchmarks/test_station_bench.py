"""What the bench of a station makes of the answers it got."""

from __future__ import annotations

import itertools

import pytest

from inspector.benchmarks.station import DEADLINE_MS, _Found, _poisson, _takt


def test_parts_held_for_overload_count_apart_from_those_inspected():
    found = _Found(
        latencies_ms=(100.0, 200.0, 2.0, DEADLINE_MS + 1.0),
        reasons=("CLEAN", "RULE_VIOLATED", "OVERLOAD", "DEADLINE"),
        unanswered=1,
        spent_s=2.0,
    )
    row = found.row("200% of capacity, takt")
    assert (row.n, row.overload, row.unanswered, row.late) == (5, 1, 1, 1)
    assert row.p50_ms == 200.0
    assert row.per_s == 2.0


def test_a_takt_varies_by_a_tenth_and_keeps_its_mean():
    gaps = list(itertools.islice(_takt(1.0), 2000))
    assert 0.9 <= min(gaps) < 0.92
    assert 1.08 < max(gaps) <= 1.1
    assert sum(gaps) / len(gaps) == pytest.approx(1.0, abs=0.01)


def test_random_arrivals_keep_their_mean():
    gaps = list(itertools.islice(_poisson(0.5), 5000))
    assert sum(gaps) / len(gaps) == pytest.approx(0.5, rel=0.05)
