"""The bench on two boards and two labels; times are not asserted, only that they are all there."""

from __future__ import annotations

import json

import pytest

from inspector.benchmarks.bench import BenchReport, run_bench


@pytest.fixture(scope="module")
def steps() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def report(steps: list[tuple[int, int]]) -> BenchReport:
    return run_bench(
        repetitions=2, threads=1, advance=lambda done, total: steps.append((done, total))
    )


@pytest.mark.parametrize("way", ["product", "naive", "bare"])
@pytest.mark.parametrize(
    ("recipe", "stages"),
    [("pcb", ("detect", "judge", "total")), ("label", ("read", "judge", "total"))],
)
def test_each_way_has_its_stages(
    report: BenchReport, way: str, recipe: str, stages: tuple[str, ...]
) -> None:
    rows = {row.name: row for row in report.rows}
    for stage in stages:
        row = rows[f"{way} {recipe} {stage}"]
        assert row.n == 2
        assert 0 < row.p50_ms <= row.p99_ms
        assert row.per_s > 0


def test_the_ratios_compare_the_same_stages(report: BenchReport) -> None:
    for recipe in ("pcb", "label"):
        for pair in ("naive / product", "product / bare"):
            assert report.ratios[f"{pair} {recipe} total"] > 0
            assert report.ratios[f"{pair} {recipe} judge"] > 0


def test_the_detector_is_timed_alone_beside_stock_ultralytics(report: BenchReport) -> None:
    rows = {row.name: row for row in report.rows}
    for way in ("stock YOLO.predict", "product", "pytorch fp32"):
        assert rows[f"detector {way}, 1 thread"].n == 2
    assert report.ratios["stock / product detector, 1 thread"] > 0


@pytest.mark.parametrize(
    "name",
    ["judge, 12 clauses, 10 defects, 5 lines, 1 thread", "checks alone, 12 clauses, 1 thread"],
)
def test_judge_and_checks_are_timed_alone_on_parts_of_one_size(
    report: BenchReport, name: str
) -> None:
    assert {row.name: row for row in report.rows}[name].n == 2


def test_progress_is_told_for_every_part(report: BenchReport, steps: list[tuple[int, int]]) -> None:
    assert report.rows
    assert steps == [(done, 8) for done in range(1, 9)]


def test_the_json_names_the_machine(report: BenchReport) -> None:
    content = json.loads(report.as_json())
    assert content["schema"] == "bench/1"
    assert content["machine"]["threads"] == 1
    assert content["machine"]["cpu"]
    assert set(content["rows"][0]) == {"name", "p50_ms", "p99_ms", "per_s", "n"}
