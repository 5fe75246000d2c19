"""What the bench of a station makes of the answers it got."""

from __future__ import annotations

import itertools

import pytest

from inspector.benchmarks.station import (
    DEADLINE_MS,
    SOAK_LOOKS,
    _back_to_back,
    _Found,
    _poisson,
    _soaked,
    _takt,
)


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


class CountingLine:
    """Answers all but the last part of each run in 10 ms; its memory grows by 1 MB a run."""

    def __init__(self):
        self.runs = []

    def run(self, parts, *, gaps_s, advance):
        self.runs.append([(part, next(gaps_s)) for part in parts])
        for _ in parts:
            advance()
        answered = len(parts) - 1
        return _Found(
            latencies_ms=(10.0,) * answered,
            reasons=("CLEAN",) * answered,
            unanswered=1,
            spent_s=len(parts) / 10,
        )

    def rss_mb(self):
        return 100.0 + len(self.runs)


def test_a_soak_takes_the_parts_in_turn_and_looks_at_the_memory_as_it_goes():
    line, done = CountingLine(), []
    found, memory_mb = _soaked(
        line, ["a", "b", "c"], 200, gaps_s=_takt(0.1), advance=lambda: done.append(1)
    )
    sent = [part for run in line.runs for part, _ in run]
    assert (len(done), sent[:4], len(memory_mb)) == (200, ["a", "b", "c", "a"], SOAK_LOOKS)
    assert memory_mb == tuple(100.0 + looks for looks in range(1, SOAK_LOOKS + 1))
    row = found.row("soak")
    assert (row.n, row.unanswered, row.p50_ms, row.per_s) == (200, SOAK_LOOKS, 10.0, 9.0)


def test_a_bench_that_is_not_asked_to_soak_does_not():
    line = CountingLine()
    assert _soaked(line, ["a"], 0, gaps_s=_takt(0.1), advance=lambda: None) == (None, ())
    assert line.runs == []


def test_parts_back_to_back_have_the_time_between_them_in_none():
    row = _back_to_back([100.0, 100.0, 300.0]).row("bare models")
    assert (row.n, row.per_s, row.p50_ms) == (3, 6.0, 100.0)
