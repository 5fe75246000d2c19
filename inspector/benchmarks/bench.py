"""Time the product, a naive script and the bare models on the shipped samples, side by side.

Part by part the three take turns, in an order that rotates, so that a busy machine slows them
alike; each uses the same number of threads, and the judge remembers no earlier part. Then the
detector alone, in the same manner: stock ultralytics and each engine, with one thread and with as
many as asked for. Last the judge alone and the checks alone, on parts of one size.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from typing import Literal

import numpy as np

from inspector import images
from inspector.assembly import assemble
from inspector.benchmarks import detectors, judging, ways
from inspector.benchmarks.naive import NaiveInspector
from inspector.benchmarks.ways import Laps, Part
from inspector.domain import Context
from inspector.models import offline
from inspector.models.choice import cpu_model
from inspector.settings import Recipe, load_recipe, resolve_asset

SAMPLES = resolve_asset("asset:samples")
RECIPES = ("pcb", "label")

Way = Literal["product", "naive", "bare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRow:
    """One stage of one way on the parts of one recipe; `per_s` if nothing else were done."""

    name: str
    p50_ms: float
    p99_ms: float
    per_s: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    cpu: str
    threads: int
    gpu: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """All stages, and ratios of summed times: "naive / product pcb total" above 1 is faster."""

    machine: Machine
    rows: tuple[BenchRow, ...]
    ratios: dict[str, float]

    def as_json(self) -> str:
        """Return the line of `bench --json`."""
        return json.dumps({"schema": "bench/1", **asdict(self)}, allow_nan=False)


def run_bench(
    *,
    repetitions: int = 20,
    threads: int | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> BenchReport:
    """Return the times of `repetitions` boards and as many labels, each done in three ways.

    `advance` is called with how many parts are done, of how many.
    """
    threads = threads or os.cpu_count() or 1
    offline.import_ultralytics()
    import torch

    recipes = {name: load_recipe(name) for name in RECIPES}
    pipeline = assemble(tuple(recipes.values()), threads=threads, remembers=0)
    pcb = recipes["pcb"].settings
    assert pcb.detector is not None
    script = NaiveInspector(detector=pcb.detector.model, judge=pcb.judge, threads=threads)
    rounds = {name: sample_parts(recipe, repetitions) for name, recipe in recipes.items()}
    laps: dict[tuple[str, Way], list[Laps]] = defaultdict(list)
    counts = sorted({1, threads})
    done, of = 0, repetitions * (len(rounds) + len(counts) + 1)
    for name, parts in rounds.items():
        for number, part in enumerate((parts[0], *parts)):  # the first one warms up
            inputs = ways.prepared(part, pipeline)
            turns: list[tuple[Way, Callable[[], Laps]]] = [
                ("product", partial(ways.product, part, pipeline)),
                ("naive", partial(ways.naive, part, script)),
                ("bare", partial(ways.bare, part, inputs, pipeline)),
            ]
            first = number % len(turns)
            for way, work in turns[first:] + turns[:first]:
                torch.set_num_threads(threads)  # ultralytics' predictor sets its own count
                found = work()
                if number > 0:
                    laps[name, way].append(found)
            if number > 0 and advance is not None:
                done += 1
                advance(done, of)
    boards = [
        (images.read(part.picture), images.read(ways.reference_of(part))) for part in rounds["pcb"]
    ]

    def one_more() -> None:
        nonlocal done
        done += 1
        if advance is not None:
            advance(done, of)

    alone = {
        count: detectors.timed_detectors(
            pcb.detector.model, boards, threads=count, advance=one_more
        )
        for count in counts
    }
    judged = judging.timed_judging(pcb.judge, repetitions, threads=threads, advance=one_more)
    return BenchReport(
        machine=machine(threads),
        rows=tuple(
            _row(f"{way} {name} {stage}", [lap[stage] for lap in found])
            for (name, way), found in laps.items()
            for stage in found[0]
        )
        + tuple(
            _row(f"detector {way}, {_threads(count)}", spent_ms)
            for count, by_way in alone.items()
            for way, spent_ms in by_way.items()
        )
        + tuple(_row(f"{way}, {_threads(threads)}", spent_ms) for way, spent_ms in judged.items()),
        ratios=_ratios(laps) | _detector_ratios(alone),
    )


def sample_parts(recipe: Recipe, count: int) -> list[Part]:
    """Return `count` sample parts of `recipe`, from the start again where there are fewer."""
    lines = [json.loads(line) for line in (SAMPLES / "demo.jsonl").read_text().splitlines() if line]
    mine = [line for line in lines if line["recipe"] == recipe.name]
    return [
        Part(
            recipe=recipe,
            picture=SAMPLES / line["picture"],
            view=line["view"],
            context=Context(
                inspected_on=date.fromisoformat(line["inspected_on"]), expected=line["expected"]
            ),
        )
        for line in (mine[index % len(mine)] for index in range(count))
    ]


def _row(name: str, spent_ms: list[float]) -> BenchRow:
    p50, p99 = np.percentile(spent_ms, [50, 99])
    return BenchRow(
        name=name,
        p50_ms=round(float(p50), 3),
        p99_ms=round(float(p99), 3),
        per_s=round(1000 * len(spent_ms) / sum(spent_ms), 3),
        n=len(spent_ms),
    )


def _ratios(laps: dict[tuple[str, Way], list[Laps]]) -> dict[str, float]:
    pairs: tuple[tuple[Way, Way], ...] = (("naive", "product"), ("product", "bare"))
    ratios = {}
    for recipe in RECIPES:
        for slower, faster in pairs:
            stages = laps[recipe, faster][0].keys() & laps[recipe, slower][0].keys() - {"picture"}
            for stage in sorted(stages):
                spent, base = (
                    sum(lap[stage] for lap in laps[recipe, way]) for way in (slower, faster)
                )
                ratios[f"{slower} / {faster} {recipe} {stage}"] = round(spent / base, 3)
    return ratios


def _detector_ratios(alone: dict[int, dict[str, list[float]]]) -> dict[str, float]:
    """Return how many times as long stock ultralytics takes, by medians: load makes outliers."""
    return {
        f"stock / {way} detector, {_threads(count)}": round(
            float(np.median(by_way[detectors.STOCK]) / np.median(spent_ms)), 3
        )
        for count, by_way in alone.items()
        for way, spent_ms in by_way.items()
        if way != detectors.STOCK
    }


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def machine(threads: int) -> Machine:
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return Machine(cpu=cpu_model(), threads=threads, gpu=gpu)
