"""Set a judge's thresholds from cases with known answers, and say what they promise.

A third of the cases, whole groups of kin, fits the temperature and the rule that joins readings and
judge; the thresholds are set on the others, which nothing was fitted on: only so does the bound of
conformal risk control hold.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspector.combining import Combination
from inspector.decision import Thresholds
from inspector.errors import DataError
from inspector.models.judge_calibration import (
    Calibrated,
    Calibration,
    Promise,
    Together,
    write_calibration,
)
from inspector.training import calibrate
from inspector.training.card_sections import CARD, with_section, write_whole
from inspector.training.judge_answers import Answer, Answered, fitted, folds

PARTS = 3  # one of them fits, the others set the thresholds
HEADING = "## Calibration"

ASSUMES = (
    "What this assumes: that the clauses to be judged, and the parts, are drawn like the "
    "cases of the file (exchangeable with them), whose answers are right; that the judge "
    "was neither trained on these cases nor chosen by them from many; that its weights, "
    "the reader and the words they know have not changed since. Other wording, other "
    "trades or another mixture of easy and hard clauses void it. It holds for a clause, "
    "not for a part: a part with twelve clauses has twelve chances. It holds on average "
    "over all kinds of clauses, not for each kind. A clause with an approved check is "
    "decided by the check and does not rest on it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A calibration, and the temperature that belongs to it."""

    calibration: Calibration
    temperature: float

    def as_json(self) -> str:
        """Return the calibration as `evaluate judge --calibrate --json` prints it."""
        found = asdict(self.calibration) | {
            "made_on": self.calibration.made_on.isoformat(),
            "temperature": self.temperature,
        }
        return json.dumps({"schema": "calibrate-judge/1", **found}, allow_nan=False)


def calibrated(asked: Answered, *, escape: float, overkill: float, on: date) -> Fitted:
    """Return thresholds and weights for target rates of escapes and overkill.

    Raises `DataError` where the cases are too few for a target.
    """
    answers = np.array(asked.answers, dtype=object)
    fits = folds(asked.answers, count=PARTS) == 0
    fitting: list[Answer] = list(answers[fits])
    held: list[Answer] = list(answers[~fits])
    for kind in (True, False):
        if not all(any(a.violated is kind for a in part) for part in (fitting, held)):
            raise DataError(
                f"expected violated and conforming cases of several products, found "
                f"{len(asked.answers)} cases of which a part is all of one kind; add cases"
            )
    temperature = round(
        calibrate.temperature(
            np.array([a.logit for a in fitting]), np.array([a.violated for a in fitting])
        ),
        6,
    )
    alone = _set(
        held,
        np.array([a.probability(None, temperature) for a in held]),
        escape=escape,
        overkill=overkill,
    )
    judging = asked.judging
    together = None
    if judging.reader_sha256 is not None:
        weights = fitted(fitting, temperature)
        together = Together(
            reader_sha256=judging.reader_sha256,
            weights=weights,
            calibrated=_set(
                held,
                np.array([a.probability(weights, temperature) for a in held]),
                escape=escape,
                overkill=overkill,
            ),
        )
    return Fitted(
        calibration=Calibration(
            judge_sha256=judging.fused.sha256,
            cases_sha256=asked.cases_sha256,
            cases=len(asked.answers),
            fitted=len(fitting),
            made_on=on,
            alone=alone,
            together=together,
        ),
        temperature=temperature,
    )


def _set(
    held: Sequence[Answer], p: NDArray[np.float64], *, escape: float, overkill: float
) -> Calibrated:
    violated = np.array([a.violated for a in held])
    limits = calibrate.thresholds(
        p[violated], conforming_p=p[~violated], escape=escape, overkill=overkill
    )
    return Calibrated(
        pass_at=limits.pass_at,
        fail_at=limits.fail_at,
        escape=_promise(
            p[violated], p[violated] <= limits.pass_at, limits, target=escape, name="escape"
        ),
        overkill=_promise(
            p[~violated], p[~violated] >= limits.fail_at, limits, target=overkill, name="overkill"
        ),
    )


def _promise(
    p: NDArray[np.float64],
    errs: NDArray[np.bool_],
    limits: Thresholds,
    *,
    target: float,
    name: str,
) -> Promise:
    """Return what is promised: by the errors that were allowed, not by those that happened."""
    cases = len(p)
    most = calibrate.allowed(cases, target, name)
    return Promise(
        target=target,
        cases=cases,
        errors=int(errs.sum()),
        bound=calibrate.bound(most, cases),
        at_95=calibrate.rate_at_95(most, cases),
        held=float(((p > limits.pass_at) & (p < limits.fail_at)).mean()),
    )


def store(folder: Path, found: Fitted) -> None:
    """Write thresholds, weights and record beside the weights of the judge, and into its card.

    `model.json`, which the program reads, is written first and at once. Raises `ModelError` where
    that fails and `OSError` where only the card could not be written.
    """
    write_calibration(folder, found.calibration, temperature=found.temperature)
    card = folder / CARD
    text = card.read_text(encoding="utf-8") if card.is_file() else "# Judge\n"
    said = "\n\n".join(textwrap.fill(one, width=100) for one in in_words(found))
    write_whole(card, with_section(text, HEADING, said).encode())


def in_words(found: Fitted) -> tuple[str, ...]:
    """Return what was set and what it promises, a paragraph each, for a quality engineer."""
    made = found.calibration
    head = (
        f"Calibrated on {made.made_on.isoformat()} with {made.cases} cases (sha256 "
        f"`{made.cases_sha256[:12]}`): {made.fitted} fitted the temperature "
        f"({found.temperature:g}) and, with a reader, the weights; the thresholds were set on the "
        f"other {made.cases - made.fitted}."
    )
    paragraphs = [head, f"Judge alone, as a station asks it. {_in_words(made.alone)}"]
    if made.together is not None:
        paragraphs.append(
            f"Readings and judge together (reader `{made.together.reader_sha256[:12]}`; weights "
            f"{_weights(made.together.weights)}). {_in_words(made.together.calibrated)}"
        )
    return (*paragraphs, ASSUMES)


def _weights(rule: Combination) -> str:
    return (
        f"reading {rule.reading:g}, its sureness {rule.sureness:g}, judge {rule.judge:g}, judge "
        f"where nothing was read {rule.alone:g}"
    )


def _in_words(limits: Calibrated) -> str:
    escape, overkill = limits.escape, limits.overkill
    return (
        f"A clause is judged conforming up to pass_at {limits.pass_at:g} and violated from fail_at "
        f"{limits.fail_at:g}; between them a person decides. "
        f"Escapes: of {escape.cases} violated clauses set aside {escape.errors} would be judged "
        f"conforming. Of new violated clauses at most {_percent(escape.bound)} will be, on average "
        f"over such calibrations (asked for: {_percent(escape.target)}); with this one, fewer than "
        f"{_percent(escape.at_95)} with a confidence of 95 %. {_percent(escape.held)} of the "
        f"violated clauses go to a person. "
        f"Overkill, here a conforming clause judged violated: {overkill.errors} of "
        f"{overkill.cases} set aside; of new ones at most {_percent(overkill.bound)} on average "
        f"(asked for: {_percent(overkill.target)}), fewer than {_percent(overkill.at_95)} with a "
        f"confidence of 95 %. {_percent(overkill.held)} of the conforming clauses go to a person, "
        f"which is not counted as overkill."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
