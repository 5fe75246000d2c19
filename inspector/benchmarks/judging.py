"""The judge alone and the checks alone: 12 clauses against 10 defects and 5 lines of print.

Each repetition is another part of the same kind; the clauses stay, as on a station. The judge is
timed as the station takes it, and in PyTorch where that is another engine.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from functools import partial

import numpy as np

from inspector.domain import Box, Clause, Context, Detection, Evidence, TextLine
from inspector.evidence import CROP_PX, derived_facts
from inspector.line_parser import from_line
from inspector.models.judge import FusedJudge, load_judge
from inspector.standard import CLOSED, check

SIZE = "12 clauses, 10 defects, 5 lines"
JUDGE, PYTORCH, CHECKS = f"judge, {SIZE}", f"judge in PyTorch, {SIZE}", "checks alone, 12 clauses"
STANDARD = (
    ("No open circuit is accepted.", "defects(open circuit) = 0"),
    ("At most two shorts are allowed.", "defects(shorts) <= 2"),
    ("No spur may be longer than 0.5 mm.", "defects(spur; longest > 0.5 mm) = 0"),
    ("Mouse bites shall not exceed 0.3 mm.", "defects(mouse bites; longest > 0.3 mm) = 0"),
    ("Up to 3 pin holes are permitted per board.", "defects(pin holes) <= 3"),
    ("No spurious copper near the connector.", "defects(spurious copper; in connector) = 0"),
    ("No defect of any kind may be larger than 1 mm.", "defects(any; longest > 1 mm) = 0"),
    ("All defects together may be 4 mm long at most.", "length(any) <= 4 mm"),
    ("The board must carry a lot number.", "texts(field lot) >= 1"),
    ("The expiry date must lie in the future.", "date(field expiry) > today"),
    ('The label must read "Made in Germany".', 'texts("Made in Germany") >= 1'),
    ("The lot number must be that of the order.", "contains(field lot; order lot)"),
)
LABELS = ("open", "short", "spur", "mousebite", "copper", "pin-hole")
PRINT = (
    ("LOT A2311", "lot"), ("EXP 2027-03-31", "expiry"), ("Made in Germany", None),
    ("Net 250 g", None), ("REF 778-21", None),
)  # fmt: skip


def timed_judging(
    model: str, repetitions: int, *, threads: int, advance: Callable[[], None]
) -> dict[str, list[float]]:
    """Return the milliseconds of each way on `repetitions` parts; the first warms up, uncounted."""
    import torch

    judge = load_judge(model, threads=threads)
    clauses = tuple(
        Clause(id=f"C{number}", text=text, check=from_line(line), binding=True)
        for number, (text, line) in enumerate(STANDARD, start=1)
    )
    turns: list[tuple[str, Callable[[Evidence], None]]] = [
        (JUDGE, partial(_judge, judge, clauses)),
        (CHECKS, partial(_check, clauses)),
    ]
    if judge.engine != "pytorch":
        pytorch = load_judge(model, threads=threads, engine="pytorch")
        turns.append((PYTORCH, partial(_judge, pytorch, clauses)))
    chance = np.random.default_rng(0)
    spent_ms: dict[str, list[float]] = defaultdict(list)
    torch.set_num_threads(threads)
    for number in range(repetitions + 1):
        part = _part(chance)
        for way, work in turns:
            start = time.perf_counter_ns()
            work(part)
            if number > 0:
                spent_ms[way].append((time.perf_counter_ns() - start) / 1e6)
        if number > 0:
            advance()
    return dict(spent_ms)


def _judge(judge: FusedJudge, clauses: tuple[Clause, ...], part: Evidence) -> None:
    judge.violation_probabilities(part, clauses)


def _check(clauses: tuple[Clause, ...], part: Evidence) -> None:
    for clause in clauses:
        check(clause, part, CLOSED)


def _part(chance: np.random.Generator) -> Evidence:
    defects = tuple(
        Detection(
            label=LABELS[i % len(LABELS)],
            confidence=round(float(chance.uniform(0.5, 1)), 2),
            box=Box(x0=20 * i, y0=10, x1=20 * i + 12, y1=30),
            width_mm=round(float(chance.uniform(0.1, 1.2)), 2),
            height_mm=round(float(chance.uniform(0.1, 1.2)), 2),
            zone="connector" if i % 4 == 0 else None,
        )
        for i in range(10)
    )
    texts = tuple(
        TextLine(text=text, confidence=0.95, box=Box(x0=0, y0=20 * i, x1=90, y1=20 * i + 9),
                 field=field)
        for i, (text, field) in enumerate(PRINT)
    )  # fmt: skip
    context = Context(inspected_on=date(2026, 11, 23), expected={"lot": "A2311"})
    crops = tuple(chance.integers(0, 255, (CROP_PX, CROP_PX, 3), np.uint8) for _ in defects)
    return Evidence(
        product="circuit board",
        defects=defects,
        texts=texts,
        codes=(),
        context=context,
        facts=derived_facts(texts=texts, codes=(), context=context),
        crops_bgr=crops,
    )
