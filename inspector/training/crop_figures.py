"""What crops are worth to a judge: overkill at equal escapes, on boards of a detector that errs.

The detector's threshold is set low, for a given precision on the validation fold, so that a part
of its boxes is wrong. Each clause is judged on each board and on its good twin. The judge without
crops gets the threshold that lets a target share of violated cases escape there, or as many as the
detector misses; every other judge gets the one that lets no more escape. With these thresholds all
are measured, on the same fold or on the test split.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from inspector.combining import share
from inspector.domain import Evidence, EvidenceRef
from inspector.evidence import without
from inspector.models.crop_sight import Rests, Sight, by_doubt, doubted
from inspector.models.judge import load_parts
from inspector.models.shelf import DESCRIPTION
from inspector.training import calibrate
from inspector.training.card_sections import add_row
from inspector.training.corpus_words import Pair
from inspector.training.crop_boxes import (
    Advance,
    LookedAt,
    ReportingDetector,
    looked_at,
    precise_at,
)
from inspector.training.crop_sight import sights_of
from inspector.training.datasets import LabelledPicture
from inspector.training.judge_pairs import encode_one, logits_of

Split = Literal["validation", "test"]
Way = Callable[[Evidence], tuple[float, ...]]
"""How likely each defect of an evidence is taken to be there."""
Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

BLIND = "without crops"
ROUNDS = 1000
_RUNS = "## Runs of crops on boards"
_RUNS_HEAD = """
Every run is here: what was looked at often tests less.

| when (UTC) | split | detector | judged by | seed | escapes | overkill | cut |
|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A clause about boards, violated by more than `at_most` defects of `label`, None for any."""

    text: str
    label: str | None
    at_most: int = 0

    def is_violated(self, labels: Sequence[str]) -> bool:
        return sum(self.label in (None, label) for label in labels) > self.at_most


ASKED = (
    Asked(text="No open circuit is accepted.", label="open"),
    Asked(text="No short between conductors is accepted.", label="short"),
    Asked(text="Mouse bites are not accepted.", label="mousebite"),
    Asked(text="No spur is accepted on the board.", label="spur"),
    Asked(text="No spurious copper is accepted.", label="copper"),
    Asked(text="No pin hole is accepted.", label="pin-hole"),
    Asked(text="The board must be free of defects of any kind.", label=None),
    Asked(text="At most two mouse bites are accepted on one board.", label="mousebite", at_most=2),
    Asked(text="At most one pin hole is accepted on one board.", label="pin-hole", at_most=1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedBy:
    """What one way of judging lets escape and stops in vain; `cut` is of the overkill, 0–1.

    `interval` is its 95 % bootstrap interval over boards. `at_equal_escapes` is the cut with the
    threshold moved on the measured boards themselves until no more escape than without crops.
    """

    name: str
    seed: int | None
    threshold: float
    fold_escapes: int
    fold_overkill: int
    escapes: int
    overkill: int
    cut: float
    interval: tuple[float, float]
    at_equal_escapes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CropFigures:
    """The figures of one run; `violated` and `conforming` are numbers of cases."""

    split: str
    report_at: float
    precision: float
    boards: int
    violated: int
    conforming: int
    judged: tuple[JudgedBy, ...]
    model_sha256: str
    detector_sha256: str

    def as_json(self) -> str:
        return json.dumps({"schema": "evaluate-sight/1", **asdict(self)}, allow_nan=False)


def evaluate_sight(
    folder: Path,
    detector: ReportingDetector,
    pictures: Mapping[Split, Sequence[LabelledPicture]],
    *,
    split: Split,
    precision: float = 0.8,
    escape: float = 0.05,
    advance: Advance | None = None,
) -> CropFigures:
    """Return the figures of the judge in `folder` and of every seed of its sight.

    `pictures` holds those of the validation fold, and of `split`. Raises `DataError`.
    """
    sights = sights_of(folder)
    card: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
    fold = tuple(looked_at(detector, pictures["validation"], advance=advance))
    report_at = precise_at(fold, precision=precision)
    parts = {"validation": _reported(fold, report_at)}
    if split != "validation":
        found = looked_at(detector, pictures[split], advance=advance)
        parts[split] = _reported(found, report_at)
    ways: list[tuple[str, int | None, Way]] = [
        (BLIND, None, lambda e: (1.0,) * len(e.defects)),
        ("the detector's confidence", None, _way(next(iter(sights.values())), "confidence")),
    ]
    for seed, sight in sights.items():
        ways.append(("crops", seed, _way(sight, "crop")))
        ways.append(("crops and confidence", seed, _way(sight, "both")))
    truth = {name: _truth(boards) for name, boards in parts.items()}
    text = TextJudge(folder)
    text.fit(parts["validation"], truth["validation"])
    judged: list[JudgedBy] = []
    blind: dict[str, Floats] = {}
    for name, of_seed, way in ways:
        p = {part: text.probabilities(boards, way) for part, boards in parts.items()}
        blind = blind or p
        allowed = (
            judged[0].fold_escapes
            if judged
            else _allowed(parts["validation"], truth["validation"], escape)
        )
        at = _threshold(p["validation"][truth["validation"]], allowed)
        at_blind = judged[0].threshold if judged else at
        judged.append(
            _judged_by(name, of_seed, p, truth, split, at=at, blind=blind[split], at_blind=at_blind)
        )
    return CropFigures(
        split=split,
        report_at=report_at,
        precision=precision,
        boards=len({board.picture for board in parts[split]}),
        violated=int(truth[split].sum()),
        conforming=int((~truth[split]).sum()),
        judged=tuple(judged),
        model_sha256=card["sha256"],
        detector_sha256=detector.sha256,
    )


def _way(sight: Sight, rests_on: Rests) -> Way:
    """Return how a sight doubts; the crops of an evidence are looked at once."""
    return lambda e: doubted(e, sight.log_odds(e), usual=sight.usual_log_odds, rests_on=rests_on)


class TextJudge:
    """The judge of a folder on text alone; each text is judged once, whoever asks."""

    def __init__(self, folder: Path) -> None:
        self._network, self._tokenizer = load_parts(folder)
        self._temperature = 1.0
        self._known: dict[tuple[tuple[str, ...], str], float] = {}

    def fit(self, boards: Sequence[LookedAt], truth: Truths) -> None:
        """Set the temperature for these clauses about boards.

        The mean over the evidence as it may be takes probabilities for what they say: with the
        temperature of far harder clauses, each would count as little more than a guess.
        """
        self._judge([board.evidence for board in boards])
        logits = [
            [self._known[_labels(board.evidence), asked.text] for asked in ASKED]
            for board in boards
        ]
        self._temperature = calibrate.temperature(np.array(logits).ravel(), truth.ravel())

    def probabilities(self, boards: Sequence[LookedAt], way: Way) -> Floats:
        """Return P(violated) float64[boards, clauses], over the evidence as it may be."""
        versions = [by_doubt(board.evidence, way(board.evidence)) for board in boards]
        self._judge([evidence for several in versions for _, evidence in several])
        return np.array([
            [
                sum(
                    weight * share(self._known[_labels(e), asked.text] / self._temperature)
                    for weight, e in several
                )
                for asked in ASKED
            ]
            for several in versions
        ])  # fmt: skip

    def _judge(self, evidences: Sequence[Evidence]) -> None:
        new: dict[tuple[tuple[str, ...], str], Pair] = {}
        for evidence in evidences:
            labels = _labels(evidence)
            for asked in ASKED:
                if (labels, asked.text) not in self._known:
                    new[labels, asked.text] = Pair(
                        evidence=replace(evidence, crops_bgr=()), clause=asked.text,
                        violated=False, family="boards", real=(),
                    )  # fmt: skip
        if not new:
            return
        items = [encode_one(pair, self._tokenizer) for pair in new.values()]
        logits = logits_of(self._network, items, self._tokenizer, torch.device("cpu"))
        self._known.update(zip(new, logits.tolist(), strict=True))


def _labels(evidence: Evidence) -> tuple[str, ...]:
    """Return all that the text of these boards tells: no zone, size or print is known."""
    return tuple(defect.label for defect in evidence.defects)


def _reported(boards: Iterable[LookedAt], report_at: float) -> tuple[LookedAt, ...]:
    found = []
    for board in boards:
        defects = board.evidence.defects
        low = [
            EvidenceRef(kind="defect", index=i)
            for i, defect in enumerate(defects)
            if defect.confidence < report_at
        ]
        found.append(replace(board, evidence=without(board.evidence, low)))
    return tuple(found)


def _truth(boards: Sequence[LookedAt]) -> Truths:
    return np.array([
        [asked.is_violated([a.label for a in board.truth]) for asked in ASKED] for board in boards
    ])  # fmt: skip


def _allowed(boards: Sequence[LookedAt], truth: Truths, escape: float) -> int:
    """Return how many may escape: the target share, or what the detector misses."""
    seen = np.array([
        [asked.is_violated(_labels(board.evidence)) for asked in ASKED] for board in boards
    ])  # fmt: skip
    return max(int(escape * truth.sum()), int((truth & ~seen).sum()))


def _threshold(violated_p: Floats, allowed: int) -> float:
    """Return the highest threshold below which no more than `allowed` violated cases lie."""
    ordered = np.sort(violated_p)
    return float(ordered[min(allowed, len(ordered) - 1)])


def _judged_by(
    name: str,
    seed: int | None,
    p: Mapping[str, Floats],
    truth: Mapping[str, Truths],
    split: Split,
    *,
    at: float,
    blind: Floats,
    at_blind: float,
) -> JudgedBy:
    fold_p, fold_truth = p["validation"], truth["validation"]
    own_p, own_truth = p[split], truth[split]
    stopped = ~own_truth & (own_p >= at)
    before = ~own_truth & (blind >= at_blind)
    escapes_before = int((own_truth & (blind < at_blind)).sum())
    moved = _threshold(own_p[own_truth], escapes_before)
    return JudgedBy(
        name=name,
        seed=seed,
        threshold=at,
        fold_escapes=int((fold_truth & (fold_p < at)).sum()),
        fold_overkill=int((~fold_truth & (fold_p >= at)).sum()),
        escapes=int((own_truth & (own_p < at)).sum()),
        overkill=int(stopped.sum()),
        cut=_cut(before.sum(axis=1), stopped.sum(axis=1)),
        interval=_interval(before.sum(axis=1), stopped.sum(axis=1)),
        at_equal_escapes=_cut(before.sum(axis=1), (~own_truth & (own_p >= moved)).sum(axis=1)),
    )


def _cut(before: NDArray[np.int64], after: NDArray[np.int64]) -> float:
    total = int(before.sum())
    return 1 - int(after.sum()) / total if total else 0.0


def _interval(before: NDArray[np.int64], after: NDArray[np.int64]) -> tuple[float, float]:
    chance = np.random.default_rng(0)
    drawn = [chance.integers(0, len(before), len(before)) for _ in range(ROUNDS)]
    low, high = np.percentile([_cut(before[rows], after[rows]) for rows in drawn], (2.5, 97.5))
    return float(low), float(high)


def list_run(folder: Path, run: CropFigures, *, at: datetime) -> None:
    """Add a run to the card in `folder`; raise `OSError` where it cannot be."""
    for one in run.judged:
        low, high = one.interval
        cut = "" if one.name == BLIND else f"{one.cut:.3f} [{low:.3f}, {high:.3f}]"
        add_row(
            folder,
            heading=_RUNS,
            head=_RUNS_HEAD,
            row=(
                f"| {at:%Y-%m-%d %H:%M} | {run.split}, {run.boards} boards | "
                f"`{run.detector_sha256[:12]}` at {run.report_at:.4f} | {one.name} | "
                f"{'' if one.seed is None else one.seed} | {one.escapes} of {run.violated} | "
                f"{one.overkill} of {run.conforming} | {cut} |"
            ),
        )
