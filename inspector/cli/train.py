"""`inspector train`: train a detector, or a judge's sight, with a progress bar."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from inspector.cli.progress import counting
from inspector.cli.progress import epochs as epochs_progress
from inspector.settings import load_recipe
from inspector.training import detector
from inspector.training.detector_shelf import Trained


def train_detector(
    *,
    data: Path,
    recipe: str,
    out: Path,
    format: str,
    architecture: str,
    start: str | None,
    epochs: int,
    hours: float | None,
    input_px: int,
    device: str,
    seed: int,
    threads: int | None,
    note: str,
    wandb: bool,
    resume: bool,
) -> None:
    """Train with a progress bar and print the report, all on standard error."""
    loaded = load_recipe(recipe)
    with epochs_progress() as report:
        trained = detector.train_detector(
            data=data,
            format=format,
            recipe=loaded,
            out=out,
            architecture=architecture,
            start=start,
            epochs=epochs,
            hours=hours,
            input_px=input_px,
            device=device,
            seed=seed,
            threads=threads,
            wandb=wandb,
            note=note,
            resume=resume,
            report=report,
        )
    _print_report(trained, out)


def train_sight(
    *,
    data: Path,
    out: Path,
    model: str,
    detector: str,
    seed: int,
    seeds: int,
    hours: float | None,
    device: str,
    threads: int | None,
    resume: bool,
) -> None:
    """Train the sight of a judge; `hours` are shared by the seeds."""
    from inspector.training import crop_sight

    plan = crop_sight.SightPlan(
        seed=seed, minutes_at_most=None if hours is None else 60 * hours / seeds
    )
    with counting("boards") as advance:
        crop_sight.train_sight(
            data=data,
            out=out,
            model=model,
            detector=detector,
            seeds=seeds,
            device=device,
            threads=threads,
            resume=resume,
            plan=plan,
            advance=advance,
        )


def _print_report(trained: Trained, out: Path) -> None:
    console = Console(stderr=True, highlight=False)
    found, thresholds = trained.figures, trained.description.thresholds
    table = Table("label", "AP", "precision", "recall", "missed", "of", title="Validation fold")
    for label, row in found.per_class.items():
        rates = (f"{rate:.4f}" for rate in (row.ap, row.precision, row.recall))
        table.add_row(label, *rates, str(row.missed), str(row.defects))
    console.print(table)
    console.print(
        f"mAP {found.map:.4f} (IoU > 0.33), F {found.f:.4f} at {found.threshold}; "
        f"{found.missed} of {found.defects} defects missed, {found.overkill_boards} of "
        f"{found.good_boards} good parts stopped\n"
        f"thresholds: report_at {thresholds.report_at}, sure_at {thresholds.sure_at}\n"
        f"sha256 {trained.description.sha256}\n"
        f"in a recipe: detector.model: {out}; the card, the report and the confusion matrix lie "
        "there too"
    )
