"""Measure judge and readings on cases with known answers, together and apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.combining import Combination
from inspector.models.judge_calibration import Calibration, read_calibration
from inspector.training import calibrate
from inspector.training.card_sections import add_row
from inspector.training.judge_answers import (
    Answer,
    Answered,
    answered,
    cross_validated,
    write_answers,
)

NO_READER = "no rows for readings: no clause reader is installed"

_RUNS = "## Runs on named files of cases"
_RUNS_HEAD = """
Every run that was asked to be listed (`--list-run`) is here. What was looked at often tests less.

| when (UTC) | judge | reader | file | cases | accuracy | rules read alone | fused alone | AUROC \
| ECE | escapes | overkill | uncertain |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the ablation: the share of all cases that is answered rightly.

    `read` is the share of cases that a reading says something of; a case that it says nothing of is
    not answered rightly. None where no reading is asked.
    """

    accuracy: float
    read: float | None = None
    accuracy_where_read: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InCategory:
    """Cases of one category; `missed` are violated ones that were said not to be."""

    n: int
    correct: int
    missed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeFigures:
    """Rates are 0–1; `escapes`, `overkill` and `uncertain` are numbers of cases.

    An escape is a violated clause judged conforming, overkill a conforming one judged violated;
    what is uncertain goes to a person and is neither. `reader_sha256` is None without a reader.
    """

    n: int
    violated: int
    accuracy: float
    auroc: float | None
    ece: float
    ece_interval: tuple[float, float]
    escapes: int
    overkill: int
    uncertain: int
    pass_at: float
    fail_at: float
    by_category: dict[str, InCategory]
    ablation: dict[str, Row]
    bins: tuple[calibrate.Bin, ...]
    notes: tuple[str, ...]
    cases_sha256: str
    model_sha256: str
    reader_sha256: str | None

    def as_json(self) -> str:
        """Return the figures as `evaluate judge --json` prints them."""
        found = asdict(self) | {
            "ablation": {
                name: {key: value for key, value in asdict(row).items() if value is not None}
                for name, row in self.ablation.items()
            },
        }
        return json.dumps({"schema": "evaluate-judge/1", **found}, allow_nan=False)


def evaluate_judge(
    cases: Path,
    *,
    model: str = "judge",
    reader: str | None = None,
    threads: int | None = None,
    no_reader: str = NO_READER,
    answers: Path | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> JudgeFigures:
    """Return the figures of the judge, with readings where there is a `reader`.

    `no_reader` says why there is none. What was said of each case is written to `answers`.
    Raises `DataError` where a case has no known answer.
    """
    asked = answered(cases, model=model, reader=reader, threads=threads, advance=advance)
    if answers is not None:
        write_answers(asked, answers)
    return figures(asked, calibration=read_calibration(model), no_reader=no_reader)


def figures(
    asked: Answered, *, calibration: Calibration | None, no_reader: str = NO_READER
) -> JudgeFigures:
    """Return the figures of what was asked, by the rule and thresholds that a user gets."""
    judging, answers = asked.judging, asked.answers
    temperature = judging.fused.temperature
    violated = np.array([a.violated for a in answers])
    limits = judging.thresholds
    p = np.array([a.probability(judging.rule, temperature, thresholds=limits) for a in answers])
    passed, failed = p <= limits.pass_at, p >= limits.fail_at
    right = (p >= 0.5) == violated
    categories = np.array([a.category for a in answers])
    own = calibration is not None and calibration.cases_sha256 == asked.cases_sha256
    return JudgeFigures(
        n=len(answers),
        violated=int(violated.sum()),
        accuracy=float(right.mean()),
        auroc=calibrate.auroc(p, violated),
        ece=calibrate.expected_calibration_error(p, violated),
        ece_interval=calibrate.ece_interval(p, violated),
        escapes=int((violated & passed).sum()),
        overkill=int((~violated & failed).sum()),
        uncertain=int((~passed & ~failed).sum()),
        pass_at=limits.pass_at,
        fail_at=limits.fail_at,
        by_category={
            str(name): _in_category(categories == name, right=right, violated=violated)
            for name in np.unique(categories)
        },
        ablation=_ablation(asked, violated, calibrated_here=own),
        bins=calibrate.reliability(p, violated),
        notes=tuple(_notes(asked, calibrated_here=own, no_reader=no_reader)),
        cases_sha256=asked.cases_sha256,
        model_sha256=judging.fused.sha256,
        reader_sha256=asked.judging.reader_sha256,
    )


def _in_category(
    own: NDArray[np.bool_], *, right: NDArray[np.bool_], violated: NDArray[np.bool_]
) -> InCategory:
    return InCategory(
        n=int(own.sum()),
        correct=int((own & right).sum()),
        missed=int((own & violated & ~right).sum()),
    )


def _ablation(
    asked: Answered, violated: NDArray[np.bool_], *, calibrated_here: bool
) -> dict[str, Row]:
    rule, temperature = asked.judging.rule, asked.judging.fused.temperature

    def row(joined: Combination | None, *, blind: bool = False) -> Row:
        p = np.array([a.probability(joined, temperature, blind=blind) for a in asked.answers])
        return Row(accuracy=float(((p >= 0.5) == violated).mean()))

    rows = {}
    if rule is not None:
        rows["rules read alone"] = _readings_alone(asked.answers)
    rows["fused alone"] = row(None)
    if rule is not None:
        rows["both"] = row(rule)
    if rule is not None and calibrated_here:
        # only there: on cases that measure, not even a weight that is thrown away is fitted
        p = cross_validated(asked.answers, temperature)
        rows["both, weights cross-validated"] = Row(accuracy=float(((p >= 0.5) == violated).mean()))
    rows["fused alone, without crops"] = row(None, blind=True)
    if rule is not None:
        rows["both, without crops"] = row(rule, blind=True)
    share = float(violated.mean())
    rows["commonest answer"] = Row(accuracy=max(share, 1 - share))
    return rows


def _readings_alone(answers: Sequence[Answer]) -> Row:
    says = [a for a in answers if a.by_reading is not None]
    right = sum(a.by_reading == a.violated for a in says)
    return Row(
        accuracy=right / len(answers),
        read=len(says) / len(answers),
        accuracy_where_read=right / len(says) if says else None,
    )


def _notes(asked: Answered, *, calibrated_here: bool, no_reader: str) -> list[str]:
    notes = []
    if asked.judging.reader_sha256 is None:
        notes.append(no_reader)
    elif not asked.judging.is_fitted:
        notes.append(
            "the rule that joins readings and judge is not fitted for this reader: their odds are "
            "multiplied, and the thresholds are those of the judge alone (run --calibrate)"
        )
    if not asked.has_crops:
        notes.append("no case shows a picture: the rows without crops are the same as with them")
    if calibrated_here:
        notes.append(
            "the judge was calibrated on these cases: figures of both together look better here "
            "than elsewhere; the cross-validated row does not"
        )
    return notes


def list_run(folder: Path, run: JudgeFigures, *, name: str, at: datetime) -> None:
    """Add a run to the card in `folder`; raise `OSError` where it cannot be."""

    def share(row: str) -> str:
        return f"{run.ablation[row].accuracy:.3f}" if row in run.ablation else "none"

    auroc = "none" if run.auroc is None else f"{run.auroc:.3f}"
    reader = "none" if run.reader_sha256 is None else f"`{run.reader_sha256[:12]}`"
    shown = " ".join(name.replace("|", " ").replace("`", " ").split())
    row = (
        f"| {at:%Y-%m-%d %H:%M} | `{run.model_sha256[:12]}` | {reader} | {shown} "
        f"`{run.cases_sha256[:12]}` | {run.n} | {run.accuracy:.3f} | {share('rules read alone')} "
        f"| {share('fused alone')} | {auroc} | {run.ece:.3f} | {run.escapes} | {run.overkill} "
        f"| {run.uncertain} |"
    )
    add_row(folder, heading=_RUNS, head=_RUNS_HEAD, row=row)
