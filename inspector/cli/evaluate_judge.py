"""What `inspector evaluate judge` prints: the figures of a judge, or how it was calibrated."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from inspector import images
from inspector.cli.progress import counting
from inspector.errors import DataError
from inspector.models.shelf import model_folder
from inspector.training import calibrate_judge as calibrating
from inspector.training.card_sections import CARD
from inspector.training.evaluate_judge import NO_READER, JudgeFigures, list_run
from inspector.training.evaluate_judge import evaluate_judge as measure
from inspector.training.judge_answers import answered
from inspector.training.reliability import draw_reliability


def evaluate_judge(
    *,
    cases: Path,
    model: str,
    reader: str | None,
    threads: int | None,
    not_asked: bool,
    reliability: Path | None,
    answers: Path | None,
    listed: bool,
    as_json: bool,
) -> None:
    """Measure a judge and print its figures; `reader` is None where there is none.

    `not_asked` says that the reader was left out on purpose, `listed` that the run belongs into the
    model's card.
    """
    for out in (reliability, answers):
        if out is not None and (out.is_dir() or not out.parent.is_dir()):
            raise DataError(f"{out}: expected a file in a folder that is there; make the folder")
    no_reader = "no rows for readings: --reader none" if not_asked else NO_READER
    with counting("cases") as advance:
        found = measure(
            cases,
            model=model,
            reader=reader,
            threads=threads,
            no_reader=no_reader,
            answers=answers,
            advance=advance,
        )
    if reliability is not None:
        _draw(found, cases.name, reliability)
    if listed:
        _list_run(model_folder(model), found, cases.name)
    if as_json:
        print(found.as_json())
        return
    _print(found)


def calibrate_judge(
    *,
    cases: Path,
    model: str,
    reader: str | None,
    threads: int | None,
    escape: float,
    overkill: float,
    as_json: bool,
) -> None:
    """Set the thresholds of a judge for target rates, and store them beside its weights."""
    with counting("cases") as advance:
        asked = answered(
            cases,
            model=model,
            reader=reader,
            threads=threads,
            as_calibrated=False,  # what is damaged or of other weights is set anew
            advance=advance,
        )
    now = datetime.now(UTC)
    found = calibrating.calibrated(asked, escape=escape, overkill=overkill, on=now.date())
    folder = model_folder(model)
    try:
        calibrating.store(folder, found)
    except OSError as exc:
        print(
            f"{folder / CARD}: the thresholds are set, but expected to describe them there: "
            f"{exc.strerror}; add it by hand",
            file=sys.stderr,
        )
    if as_json:
        print(found.as_json())
        return
    print("\n\n".join(calibrating.in_words(found)))


def _draw(found: JudgeFigures, name: str, out: Path) -> None:
    low, high = found.ece_interval
    picture = draw_reliability(
        found.bins,
        title=f"judge {found.model_sha256[:12]}, {found.n} cases of {name}",
        subtitle=f"ECE {found.ece:.3f} (95 % bootstrap {low:.3f} to {high:.3f}), accuracy "
        f"{found.accuracy:.3f}",
    )
    try:
        out.write_bytes(images.encode_png(picture))
    except OSError as exc:
        raise DataError(f"{out}: expected to write the picture there: {exc.strerror}") from exc


def _list_run(folder: Path, found: JudgeFigures, name: str) -> None:
    """List the run in the model's card: cases that are looked at often test nothing."""
    try:
        list_run(folder, found, name=name, at=datetime.now(UTC))
    except OSError as exc:
        print(
            f"{folder / CARD}: expected to list this run there: {exc.strerror}; add it by hand",
            file=sys.stderr,
        )


def _print(found: JudgeFigures) -> None:
    console = Console()
    categories = Table("category", "right", "of", "missed", title="By category")
    for name, own in found.by_category.items():
        categories.add_row(name, str(own.correct), str(own.n), str(own.missed))
    console.print(categories)
    parts = Table("asked", "accuracy", "", title="Apart and together")
    for name, row in found.ablation.items():
        read = ""
        if row.read is not None and row.accuracy_where_read is not None:
            read = f"{row.read:.3f} are read, {row.accuracy_where_read:.3f} of those right"
        parts.add_row(name, f"{row.accuracy:.4f}", read)
    console.print(parts)
    low, high = found.ece_interval
    auroc = "unknown with one answer only" if found.auroc is None else f"{found.auroc:.4f}"
    conforming = found.n - found.violated
    console.print(
        f"{found.n} cases, {found.violated} of them violated: accuracy {found.accuracy:.4f}, AUROC "
        f"{auroc}\n"
        f"ECE {found.ece:.4f} (10 bins; 95 % bootstrap interval {low:.4f} to {high:.4f})\n"
        f"at pass_at {found.pass_at:g} and fail_at {found.fail_at:g}: {found.escapes} of "
        f"{found.violated} violated are judged conforming (escapes), {found.overkill} of "
        f"{conforming} conforming are judged violated (overkill), {found.uncertain} of {found.n} "
        "are uncertain and go to a person",
        highlight=False,
        soft_wrap=True,
    )
    for note in found.notes:
        Console(stderr=True).print(note, highlight=False, soft_wrap=True)
