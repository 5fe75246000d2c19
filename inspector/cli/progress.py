"""Progress bars on standard error, with the time left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from inspector.training.detector import Progress as Training


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with how many are done, of how many."""
    with _bars() as progress:
        task = progress.add_task(what, total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield advance


@contextmanager
def epochs() -> Iterator[Callable[[Training], None]]:
    """Yield a function to call with where a training stands."""
    with _bars(TextColumn("{task.fields[left]}")) as progress:
        task = progress.add_task("preparing the pictures", total=None, left="")

        def report(training: Training) -> None:
            quality = "" if training.map50 is None else f", mAP50 {training.map50:.3f}"
            progress.update(
                task,
                description=f"epoch {training.epoch} of {training.epochs}{quality}",
                completed=(training.epoch - 1) * training.batches + training.batch,
                total=training.epochs * training.batches,
                left=f"{timedelta(seconds=round(training.left_s))} left",
            )

        yield report


def _bars(time_left: ProgressColumn | None = None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        time_left or TimeRemainingColumn(),
        console=Console(stderr=True),
    )
