"""The model card of a trained detector: what it is, how it came about, what it is worth."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path

from inspector import __version__
from inspector.models.shelf import DetectorDescription
from inspector.training.card_sections import add_row, section, with_row
from inspector.training.datasets import Dataset, LabelledPicture
from inspector.training.evaluate import Evaluation
from inspector.training.figures import DetectorFigures

PLAN = "plan.json"

_TRIED = "## What was tried"
_TRIED_HEAD = """
One row a training in this folder; rows and lines added by hand are kept.

| date | what | weights | mAP | best F | missed | overkill |
|---|---|---|---|---|---|---|
"""
_TEST_RUNS = "## Runs on the test split"
_TEST_RUNS_HEAD = """
Every run is listed here.

| when (UTC) | weights | engine | perturbed | threshold | mAP | pooled AP | F | best F | mAP50 | \
missed | boards missed | overkill |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """What a training was asked to do; `start` is None for random weights."""

    format: str
    recipe: str
    has_reference: bool
    architecture: str
    start: str | None
    start_sha256: str | None
    epochs: int
    hours: float | None
    input_px: int
    seed: int
    note: str

    @classmethod
    def read(cls, folder: Path) -> TrainingPlan:
        """Return the plan written into `folder`."""
        return cls(**json.loads((folder / PLAN).read_text()))

    def write(self, folder: Path) -> None:
        """Write the plan into `folder`, where `read` finds it."""
        (folder / PLAN).write_text(json.dumps(asdict(self), indent=2) + "\n")

    @property
    def command(self) -> str:
        """The command that trains like this, on the same data."""
        words = [
            f"inspector train detector --data DIR --format {self.format} --recipe {self.recipe}",
            f"--out DIR --architecture {self.architecture} --start {self.start or 'none'}",
            f"--epochs {self.epochs}",
            f"--hours {self.hours:g}" if self.hours is not None else "",
            f"--input-px {self.input_px} --seed {self.seed}",
        ]
        return " ".join(word for word in words if word)


def card_text(
    description: DetectorDescription,
    *,
    plan: TrainingPlan,
    dataset: Dataset,
    found: DetectorFigures,
    augmentation: str,
    trained_on: date,
    earlier: str,
) -> str:
    """Return the model card as Markdown.

    `earlier` is the card that lies in the folder, if any: what was tried and the runs on the test
    split are carried over.
    """
    thresholds = description.thresholds
    sees = (
        "three channels: the frame, its reference moved onto it, and their difference"
        if plan.has_reference
        else "the picture"
    )
    start = "random weights"
    if plan.start is not None:
        start = f"the weights of {plan.start} (sha256 `{plan.start_sha256}`)"
    versions = ", ".join(
        [f"inspector {__version__}", *(f"{n} {version(n)}" for n in ("ultralytics", "torch"))]
    )
    rows = "\n".join(
        f"| {label} | {one.ap:.4f} | {one.precision:.4f} | {one.recall:.4f} | {one.missed} "
        f"| {one.defects} |"
        for label, one in found.per_class.items()
    )
    what = f"{plan.architecture} from {plan.start or 'random weights'}, {plan.input_px} px"
    tried_row = (
        f"| {trained_on.isoformat()} | {what}, seed {plan.seed} | `{description.sha256[:12]}` "
        f"| {found.map:.4f} | {found.f_best:.4f} | {found.missed} of {found.defects} "
        f"| {found.overkill_boards} of {found.good_boards} |"
    )
    tried = section(earlier, _TRIED) or _TRIED_HEAD
    if tried_row not in tried:  # as where a training is taken up after its card was written
        tried = with_row(tried, tried_row)
    test_runs = section(earlier, _TEST_RUNS) or _TEST_RUNS_HEAD
    return f"""# {description.name}

Finds {", ".join(description.labels)}. It sees {sees}.

| | |
|---|---|
| architecture | {plan.architecture}, {description.input_px} px, begun with {start} |
| file | `{description.file}`, float16, sha256 `{description.sha256}` |
| trained on | {_counted(dataset.training, dataset.labels)} |
| validated on | {_counted(dataset.validation, dataset.labels)} |
| command | `{plan.command}` |
| versions | {versions}, Python {platform.python_version()} |
| thresholds | report {thresholds.report_at}, sure {thresholds.sure_at}, IoU {thresholds.iou} |

{_folds(dataset)} {augmentation}

The epoch that was kept and the thresholds were chosen on the validation fold. `report` is the
lowest threshold at which no more than 1 % of the good parts show anything; with fewer than 100 good
parts, the middle between the threshold of the best F measure and the surest detection on a good
part, and not above the former. `sure` is the threshold of the best F measure, and not below
`report`.

## Validation fold

| | |
|---|---|
| mAP (IoU > 0.33), pooled AP | {found.map:.4f}, {found.pooled_ap:.4f} |
| F at {found.threshold} | {found.f:.4f} |
| best F | {found.f_best:.4f} at {found.f_best_at:.3f} |
| mAP50, mAP50-95 | {found.map50:.4f}, {found.map50_95:.4f} |
| defects missed at {found.threshold} | {found.missed} of {found.defects} |
| pictures with a missed defect | {found.boards_missed} of {found.boards} |
| pictures with all of theirs missed | {found.boards_all_missed} |
| good parts with any detection | {found.overkill_boards} of {found.good_boards} |

| label | AP | precision | recall | missed | of |
|---|---|---|---|---|---|
{rows}

`confusion.png` shows what is taken for what.

{_TRIED}
{tried.rstrip()}

## Limits

What was chosen on the validation fold looks a little better there than on new pictures. Pictures
that differ from those trained on in light, scale or product are outside of what was measured.

## Licence

AGPL-3.0, as ultralytics asks. Data: {plan.note or "no licence was given (--note)"}

{_TEST_RUNS}
{test_runs.rstrip()}
"""


def note_test_run(folder: Path, run: Evaluation, *, at: datetime) -> None:
    """Add a run on the test split to the card in `folder`; raise `OSError` where it cannot be."""
    found = run.figures
    perturbed = ", ".join(f"{name} {value:g}" for name, value in run.perturbation.as_json().items())
    row = (
        f"| {at:%Y-%m-%d %H:%M} | `{run.model_sha256[:12]}` | {run.engine} | {perturbed or 'no'} "
        f"| {found.threshold} | {found.map:.4f} | {found.pooled_ap:.4f} | {found.f:.4f} "
        f"| {found.f_best:.4f} | {found.map50:.4f} | {found.missed} of {found.defects} "
        f"| {found.boards_missed} of {found.boards} "
        f"| {found.overkill_boards} of {found.good_boards} |"
    )
    add_row(folder, heading=_TEST_RUNS, head=_TEST_RUNS_HEAD, row=row)


def _counted(pictures: Sequence[LabelledPicture], labels: Sequence[str]) -> str:
    counts = Counter(a.label for picture in pictures for a in picture.annotations)
    good = sum(not picture.annotations for picture in pictures)
    defects = ", ".join(f"{label} {counts[label]}" for label in labels)
    return f"{len(pictures)} pictures, {good} of them without a defect; {defects}"


def _folds(dataset: Dataset) -> str:
    trained, validated = (
        len({picture.group for picture in part}) for part in (dataset.training, dataset.validation)
    )
    text = f"Groups of pictures stay together: {trained} were trained and {validated} validated on."
    return " ".join([text, *(f"{note[:1].upper()}{note[1:]}." for note in dataset.notes)])
