"""`inspector export`: another engine for a model, if it finds the same."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rich.console import Console

from inspector.cli.progress import counting
from inspector.models.choice import named
from inspector.settings import load_recipe
from inspector.training.datasets import read_dataset
from inspector.training.export import Exported
from inspector.training.export import export_detector as export


def export_detector(
    *,
    model: str,
    engine: str,
    precision: str,
    data: Path,
    format: str,
    recipe_name: str | None,
    threads: int | None,
    seed: int,
) -> int:
    """Export, print how it compares with PyTorch, and return the exit code."""
    recipe = None if recipe_name is None else load_recipe(recipe_name)
    dataset = read_dataset(data, format=format, recipe=recipe)
    with counting("pictures") as advance:
        exported = export(
            model,
            engine=engine,
            precision=precision,
            dataset=dataset,
            bit_depth=8 if recipe is None else recipe.settings.bit_depth,
            limits=None if recipe is None else recipe.settings.registration,
            threads=threads,
            seed=seed,
            advance=advance,
        )
    _print(exported)
    return 0 if exported.failure is None else 1


def export_judge(
    *, model: str, precision: Literal["bf16", "int8"], data: Path | None, threads: int | None
) -> int:
    """Export, print how it compares with PyTorch, and return the exit code."""
    from inspector.training.judge_export import export_judge as export

    exported = export(model, precision=precision, data=data, threads=threads)
    found, parity = exported.export, exported.export.parity
    console = Console(stderr=True, highlight=False)
    console.print(
        f"{found.engine} {found.precision}: {parity.outcomes_alike} of {parity.pairs} pairs on the "
        f"same side of both thresholds as in PyTorch, {parity.answers_alike} of even odds; the "
        f"greatest difference {parity.worst:.3f} in log-odds"
    )
    if exported.failure is None:
        console.print(f"passed: {found.file}, sha256 {found.sha256}")
        return 0
    console.print(f"refused: {exported.failure}; the model is as it was")
    return 1


def _print(exported: Exported) -> None:
    console = Console(stderr=True, highlight=False)
    export, parity = exported.export, exported.export.parity
    console.print(
        f"{named(export)}: map {parity.map:.4f} on {parity.pictures} pictures, PyTorch "
        f"{parity.map_pytorch:.4f}\n"
        f"the same reported boxes on {parity.pictures_alike} pictures; worst IoU of a pair "
        f"{parity.worst_iou:.3f}, greatest difference of confidence {parity.worst_confidence:.3f}"
    )
    if exported.failure is None:
        console.print(f"passed: {export.file}, sha256 {export.sha256}")
    else:
        console.print(f"refused: {exported.failure}; the model is as it was")
