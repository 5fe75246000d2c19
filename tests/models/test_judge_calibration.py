"""A calibration beside a judge's weights: what is read back, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.tiny_judge import write_tiny_judge

from inspector.combining import Combination
from inspector.errors import ModelError
from inspector.models.judge import load_judge
from inspector.models.judge_calibration import (
    Calibrated,
    Calibration,
    Promise,
    Together,
    read_calibration,
    write_calibration,
)

SIDE = Promise(target=0.05, cases=170, errors=7, bound=0.047, at_95=0.076, held=0.3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_judge(tmp_path / "tiny")


@pytest.fixture
def calibration(folder: Path) -> Calibration:
    limits = Calibrated(pass_at=0.1, fail_at=0.7, escape=SIDE, overkill=SIDE)
    return Calibration(
        judge_sha256=json.loads((folder / "model.json").read_text())["sha256"],
        cases_sha256="c" * 64,
        cases=510,
        fitted=170,
        made_on=date(2026, 11, 23),
        alone=limits,
        together=Together(
            reader_sha256="r" * 64,
            weights=Combination(reading=2.0, sureness=0.5, judge=0.3, alone=0.2),
            calibrated=replace(limits, pass_at=0.4),
        ),
    )


def test_what_was_written_is_read_back_and_the_judge_uses_it(
    folder: Path, calibration: Calibration
) -> None:
    assert read_calibration(str(folder)) is None
    write_calibration(folder, calibration, temperature=3.5)
    assert read_calibration(str(folder)) == calibration
    judge = load_judge(folder)
    assert judge.temperature == 3.5
    assert judge.thresholds == calibration.alone.thresholds
    assert not list(folder.glob("*.part"))


def test_the_rule_serves_only_the_reader_that_it_was_fitted_for(calibration: Calibration) -> None:
    assert calibration.with_reader("r" * 64) == calibration.together
    assert calibration.with_reader("s" * 64) is None
    assert replace(calibration, together=None).with_reader("r" * 64) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda described: described.update(sha256="0" * 64),
        lambda described: described.update(pass_at=0.45),
        lambda described: described["calibration"].pop("alone"),
        lambda described: described["calibration"].update(colour=1),
        lambda described: described["calibration"]["together"]["calibrated"].update(pass_at=0.9),
        lambda described: described["calibration"]["together"]["weights"].update(judge="much"),
        lambda described: described.update(calibration=[]),
    ],
    ids=["weights", "thresholds", "missing", "unknown", "crossed", "no number", "no record"],
)
def test_a_calibration_that_does_not_belong_here_is_refused(
    folder: Path, calibration: Calibration, change: Callable[[dict[str, Any]], object]
) -> None:
    write_calibration(folder, calibration, temperature=1.0)
    described = json.loads((folder / "model.json").read_text())
    change(described)
    (folder / "model.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match="calibrate again"):
        read_calibration(str(folder))


def test_a_folder_that_cannot_be_written_is_named_and_stays(
    folder: Path, calibration: Calibration
) -> None:
    before = (folder / "model.json").read_text()
    (folder / "model.json.part").mkdir()  # stands in the way of the draft
    with pytest.raises(ModelError, match="where you may write"):
        write_calibration(folder, calibration, temperature=1.0)
    assert (folder / "model.json").read_text() == before
