"""What was calibrated on known cases and lies beside a judge's weights, in its `model.json`.

`pass_at`, `fail_at` and `temperature` at the top of the file are for the judge alone, as a station
asks it. Where clauses are read too, the probability of both together has weights and thresholds of
its own, and only with the very reader that they were fitted for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from inspector.combining import Combination
from inspector.decision import Thresholds
from inspector.errors import ModelError
from inspector.models.shelf import DESCRIPTION, model_folder


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Promise:
    """One side of a calibration: errors among `cases` set aside, and what that promises.

    `errors` of the `cases` lie on the wrong side of the threshold. A new case drawn like them errs
    with at most `bound`, on average over calibrations; this one's rate is at most `at_95`, with a
    confidence of 95 %. `held` is the share of the cases that would go to a person.
    """

    target: float
    cases: int
    errors: int
    bound: float
    at_95: float
    held: float


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Calibrated:
    """Two thresholds and what they promise."""

    pass_at: float
    fail_at: float
    escape: Promise
    overkill: Promise

    @property
    def thresholds(self) -> Thresholds:
        return Thresholds(pass_at=self.pass_at, fail_at=self.fail_at)


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Together:
    """The rule that joins the judge with the reader of that sha256, and its thresholds."""

    reader_sha256: str
    weights: Combination
    calibrated: Calibrated


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Calibration:
    """A calibration of the weights `judge_sha256`.

    Of `cases` known cases, weights and temperature were fitted on `fitted`, the thresholds on the
    others.
    """

    judge_sha256: str
    cases_sha256: str
    cases: int
    fitted: int
    made_on: date
    alone: Calibrated
    together: Together | None = None

    def with_reader(self, sha256: str) -> Together | None:
        """Return the rule for that reader, None where it was fitted for another."""
        rule = self.together
        return rule if rule is not None and rule.reader_sha256 == sha256 else None


def read_calibration(model: str) -> Calibration | None:
    """Return the calibration of the judge of that name or folder, None where there is none.

    Raises `ModelError` where it is damaged or belongs to other weights.
    """
    path = model_folder(model) / DESCRIPTION
    described = _described(path)
    if "calibration" not in described:
        return None
    try:
        found = TypeAdapter(Calibration).validate_python(described["calibration"])
        thresholds = found.alone.thresholds
        if found.together is not None:
            _ = found.together.calibrated.thresholds
    except (ValidationError, ValueError) as exc:
        raise ModelError(
            f"{path}: expected the calibration that `inspector evaluate judge --calibrate` wrote: "
            f"{exc}; calibrate again"
        ) from exc
    beside = (described.get("sha256"), described.get("pass_at"), described.get("fail_at"))
    if beside != (found.judge_sha256, thresholds.pass_at, thresholds.fail_at):
        raise ModelError(
            f"{path}: expected a calibration of these weights and thresholds, found one of "
            f"{found.judge_sha256}; calibrate again"
        )
    return found


def write_calibration(folder: Path, calibration: Calibration, *, temperature: float) -> None:
    """Write thresholds, temperature and record into `model.json`, whole or not at all."""
    path = folder / DESCRIPTION
    described = {
        **_described(path),
        "temperature": temperature,
        "pass_at": calibration.alone.pass_at,
        "fail_at": calibration.alone.fail_at,
        "calibration": TypeAdapter(Calibration).dump_python(calibration, mode="json"),
    }
    draft = path.with_name(f"{DESCRIPTION}.part")
    try:
        draft.write_text(json.dumps(described, indent=2, allow_nan=False) + "\n")
        draft.replace(path)
    except OSError as exc:
        raise ModelError(
            f"{path}: expected to write the calibration beside the weights: {exc.strerror}; "
            "copy the model's folder to where you may write, and name it with --model"
        ) from exc


def _described(path: Path) -> Mapping[str, Any]:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ModelError(
            f"{path}: expected what describes a judge: {exc}; install it again"
        ) from exc
    if not isinstance(described, dict):
        raise ModelError(f"{path}: expected a JSON object, found none; install it again")
    return described
