"""`inspector evaluate`: what a detector or a judge is worth on known data."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from inspector.cli.progress import counting
from inspector.errors import DataError
from inspector.models.detector import load_detector
from inspector.training import evaluate
from inspector.training.boards import BoardPair, read_deeppcb
from inspector.training.detector import folds
from inspector.training.evaluate_judge import evaluate_judge as measure_judge
from inspector.training.figures import DetectorFigures

SPLITS = ("test", "trainval", "validation")


def evaluate_detector(
    *, data: Path, model: str, split: str, detections: Path | None, as_json: bool
) -> None:
    """Measure a detector and print its figures; write every raw box to `detections`."""
    pairs = _pairs(data, split)
    detector = load_detector(model)
    with counting("boards") as advance:
        evaluation = evaluate.evaluate_detector(detector, pairs, advance=advance)
    if detections is not None:
        evaluation.write_detections(detections)
    if as_json:
        print(evaluation.as_json())
    else:
        _print_detector(evaluation.figures)


def evaluate_judge(*, cases: Path, model: str, as_json: bool) -> None:
    """Measure a judge and print its figures."""
    found = measure_judge(cases, model=model)
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return
    console = Console()
    table = Table(show_header=False)
    for name, value in found.items():
        if not isinstance(value, dict):
            table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    console.print(table)
    categories = Table("category", "right", "of", title="By category", title_justify="left")
    for name, row in found["by_category"].items():
        categories.add_row(name, str(row["correct"]), str(row["n"]))
    console.print(categories)


def _pairs(data: Path, split: str) -> tuple[BoardPair, ...]:
    if split not in SPLITS:
        raise DataError(f"expected a split of {', '.join(SPLITS)}, got {split!r}")
    return folds(data)[1] if split == "validation" else read_deeppcb(data, split=split)


def _print_detector(found: DetectorFigures) -> None:
    console = Console()
    console.print(
        f"mAP {found.map:.4f} (IoU > 0.33), pooled AP {found.pooled_ap:.4f}, mAP50 "
        f"{found.map50:.4f}, mAP50-95 {found.map50_95:.4f}\n"
        f"F {found.f:.4f} at {found.threshold}, best F {found.f_best:.4f} at "
        f"{found.f_best_at:.3f}\n"
        f"boards with a missed defect {found.boards_missed} of {found.boards}, good boards with a "
        f"detection {found.overkill_boards} of {found.good_boards}",
        highlight=False,
    )
    table = Table("label", "AP", "precision", "recall", "missed")
    for label, row in found.per_class.items():
        table.add_row(
            label, f"{row.ap:.4f}", f"{row.precision:.4f}", f"{row.recall:.4f}", str(row.missed)
        )
    console.print(table)
