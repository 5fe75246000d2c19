"""What `inspector evaluate sight` prints: what crops are worth to a judge."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from inspector.cli.progress import counting
from inspector.models.detector import load_detector
from inspector.models.shelf import model_folder
from inspector.training import crop_figures as measuring
from inspector.training.card_sections import CARD
from inspector.training.crop_figures import BLIND, CropFigures, Split
from inspector.training.datasets import read_dataset


def evaluate_sight(
    *,
    data: Path,
    model: str,
    detector: str,
    split: Split,
    precision: float,
    escape: float,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure, print, and list the run in the judge's card."""
    import torch

    splits: tuple[Split, ...] = ("validation", "test") if split == "test" else ("validation",)
    if threads is not None:
        torch.set_num_threads(threads)
    pictures = read_dataset(data, format="deeppcb", splits=splits)
    folder = model_folder(model)
    with counting("boards") as advance:
        found = measuring.evaluate_sight(
            folder,
            load_detector(detector, threads=threads),
            {name: pictures.split(name) for name in splits},
            split=split,
            precision=precision,
            escape=escape,
            advance=advance,
        )
    try:
        measuring.list_run(folder, found, at=datetime.now(UTC))
    except OSError as exc:
        print(
            f"{folder / CARD}: expected to list this run there: {exc.strerror}; add it by hand",
            file=sys.stderr,
        )
    if as_json:
        print(found.as_json())
        return
    _print(found)


def _print(found: CropFigures) -> None:
    console = Console()
    table = Table("judged by", "seed", "escapes", "overkill", "cut", "95 %", "at equal escapes")
    for one in found.judged:
        low, high = one.interval
        said = ("", "", "")
        if one.name != BLIND:
            said = (f"{one.cut:.1%}", f"{low:.1%} to {high:.1%}", f"{one.at_equal_escapes:.1%}")
        seed = "" if one.seed is None else str(one.seed)
        table.add_row(one.name, seed, str(one.escapes), str(one.overkill), *said)
    console.print(table)
    console.print(
        f"{found.split}: {found.boards} boards and their good twins, {found.violated} violated and "
        f"{found.conforming} conforming cases; the detector reports at {found.report_at:.4f}, "
        f"where {found.precision:.0%} of its boxes are right on the validation fold, and all "
        "thresholds are set there",
        highlight=False,
        soft_wrap=True,
    )
