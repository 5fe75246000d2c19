"""Temperature, thresholds and figures of a judge."""

from __future__ import annotations

import numpy as np
import pytest

from inspector.errors import DataError
from inspector.training import calibrate


def test_the_temperature_undoes_an_overconfident_scale() -> None:
    chance = np.random.default_rng(0)
    honest = chance.normal(0, 2, 4000)
    violated = chance.random(4000) < 1 / (1 + np.exp(-honest))
    assert calibrate.temperature(honest * 3, violated) == pytest.approx(3, rel=0.15)


def test_thresholds_keep_the_rates_asked_for_on_new_cases() -> None:
    chance = np.random.default_rng(1)
    escapes = []
    for _ in range(200):
        bad, good = chance.beta(6, 2, 400), chance.beta(2, 6, 400)
        limits = calibrate.thresholds(bad, conforming_p=good, escape=0.02, overkill=0.02)
        escapes.append(np.mean(chance.beta(6, 2, 400) <= limits.pass_at))
    assert np.mean(escapes) <= 0.022


def test_crossing_quantiles_leave_room_to_hold() -> None:
    limits = calibrate.thresholds(
        np.full(200, 0.99), conforming_p=np.full(200, 0.01), escape=0.01, overkill=0.01
    )
    assert limits.pass_at < 0.5 < limits.fail_at


def test_a_target_that_few_cases_cannot_support_is_refused() -> None:
    few = np.array([0.9, 0.8, 0.7])
    with pytest.raises(DataError, match=r"at least 0\.25"):
        calibrate.thresholds(few, conforming_p=1 - few, escape=0.01, overkill=0.3)


def test_figures_of_a_perfect_and_a_useless_score() -> None:
    violated = np.array([True, True, False, False])
    assert calibrate.auroc(np.array([0.9, 0.8, 0.2, 0.1]), violated) == 1
    assert calibrate.auroc(np.full(4, 0.5), violated) == 0.5
    assert calibrate.auroc(np.full(4, 0.5), np.full(4, True)) is None
    assert calibrate.expected_calibration_error(np.full(4, 0.5), violated) == 0
    assert calibrate.expected_calibration_error(np.full(4, 0.9), violated) == pytest.approx(0.4)
