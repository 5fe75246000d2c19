"""`inspector evaluate detector`: what a detector is worth on known data."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from inspector.cli.progress import counting
from inspector.errors import DataError
from inspector.models.detector import load_detector
from inspector.models.shelf import model_folder
from inspector.settings import Recipe, load_recipe
from inspector.training import evaluate
from inspector.training.card_sections import CARD
from inspector.training.datasets import Split, read_dataset
from inspector.training.detector_card import note_test_run
from inspector.training.figures import DetectorFigures
from inspector.training.perturb import parse_perturbation


def evaluate_detector(
    *,
    data: Path,
    format: str,
    recipe_name: str | None,
    model: str | None,
    engine: str,
    split: Split,
    perturb: str,
    detections: Path | None,
    as_json: bool,
) -> None:
    """Measure a detector and print its figures; write every raw box to `detections`."""
    perturbation = parse_perturbation(perturb)
    if detections is not None and (detections.is_dir() or not detections.parent.is_dir()):
        raise DataError(f"{detections}: expected a file in a folder that is there; make the folder")
    recipe = None if recipe_name is None else load_recipe(recipe_name)
    name = _model(model, recipe)
    dataset = read_dataset(data, format=format, recipe=recipe, splits=(split,))
    detector = load_detector(name, engine=engine)
    with counting("pictures") as advance:
        evaluation = evaluate.evaluate_detector(
            detector,
            dataset.split(split),
            perturbation=perturbation,
            bit_depth=8 if recipe is None else recipe.settings.bit_depth,
            limits=None if recipe is None else recipe.settings.registration,
            advance=advance,
        )
    if split == "test" and not dataset.test_is_validation:
        _note_test_run(name, evaluation)
    if detections is not None:
        evaluation.write_detections(detections)
    if as_json:
        print(evaluation.as_json(split=split, notes=dataset.notes))
        return
    for note in dataset.notes:
        Console(stderr=True).print(note, highlight=False)
    _print_detector(evaluation.figures)


def _note_test_run(model: str, evaluation: evaluate.Evaluation) -> None:
    """List the run in the model's card: a test split that is looked at often tests nothing."""
    folder = model_folder(model)
    try:
        note_test_run(folder, evaluation, at=datetime.now(UTC))
    except OSError as exc:
        print(
            f"{folder / CARD}: expected to list this run on the test split there: {exc.strerror}; "
            "add it by hand",
            file=sys.stderr,
        )


def _model(model: str | None, recipe: Recipe | None) -> str:
    if model is not None:
        return model
    if recipe is None:
        return "pcb-yolo11n"
    if recipe.settings.detector is None:
        raise DataError(f"recipe {recipe.name}: expected a detector, found none; give --model")
    return recipe.settings.detector.model


def _print_detector(found: DetectorFigures) -> None:
    console = Console()
    table = Table("label", "AP", "precision", "recall", "missed", "of")
    for label, row in found.per_class.items():
        table.add_row(
            label,
            f"{row.ap:.4f}",
            f"{row.precision:.4f}",
            f"{row.recall:.4f}",
            str(row.missed),
            str(row.defects),
        )
    console.print(table)
    console.print(
        f"mAP {found.map:.4f} (IoU > 0.33), pooled AP {found.pooled_ap:.4f}, mAP50 "
        f"{found.map50:.4f}, mAP50-95 {found.map50_95:.4f}\n"
        f"F {found.f:.4f} at {found.threshold}, best F {found.f_best:.4f} at "
        f"{found.f_best_at:.3f}\n"
        f"recall: {found.defects - found.missed} of {found.defects} defects are found at "
        f"{found.threshold}{_share(found.defects - found.missed, found.defects)}\n"
        f"overkill: {found.overkill_boards} of {found.good_boards} good parts would be stopped"
        f"{_share(found.overkill_boards, found.good_boards)}\n"
        f"of {found.boards} pictures {found.boards_missed} have a missed defect, "
        f"{found.boards_all_missed} have all of theirs missed, {found.unregistered} could not be "
        "registered to their reference and would be held",
        highlight=False,
    )


def _share(part: int, whole: int) -> str:
    return f" ({100 * part / whole:.1f} %)" if whole else ""
