"""Temperature, thresholds and figures of a judge."""

from __future__ import annotations

import numpy as np
import pytest

from inspector.errors import DataError
from inspector.training import calibrate
from inspector.training.reliability import draw_reliability


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


def test_the_bound_holds_on_average_over_calibrations() -> None:
    chance = np.random.default_rng(2)
    target, count = 0.1, 39
    rates, promised = [], []
    for _ in range(400):
        bad = chance.beta(6, 2, count)
        limits = calibrate.thresholds(bad, conforming_p=1 - bad, escape=target, overkill=target)
        errors = int((bad <= limits.pass_at).sum())
        assert errors <= calibrate.allowed(count, target, "escape") == 3
        rates.append(float(np.mean(chance.beta(6, 2, 2000) <= limits.pass_at)))
        promised.append(calibrate.rate_at_95(errors, count))
    assert np.mean(rates) <= target
    assert np.mean(np.array(rates) <= np.array(promised)) >= 0.93


def test_tied_scores_never_let_more_through_than_was_promised() -> None:
    bad = np.array([0.3] * 20 + [0.9] * 80)
    limits = calibrate.thresholds(bad, conforming_p=1 - bad, escape=0.05, overkill=0.05)
    assert limits.pass_at < 0.3
    assert limits.fail_at > 0.7


@pytest.mark.parametrize(
    ("errors", "count", "rate"), [(0, 59, 0.0495), (0, 1, 0.95), (5, 5, 1.0), (7, 170, 0.0759)]
)
def test_the_rate_at_95_is_that_of_the_tables(errors: int, count: int, rate: float) -> None:
    assert calibrate.rate_at_95(errors, count) == pytest.approx(rate, abs=1e-4)


@pytest.mark.parametrize("target", [0, -0.1, 1, 1.5, float("nan")])
def test_a_target_that_is_no_rate_is_refused(target: float) -> None:
    with pytest.raises(DataError, match="above 0 and below 1"):
        calibrate.allowed(100, target, "escape")


def test_the_smallest_target_named_in_a_refusal_is_one_that_works() -> None:
    for count in (7, 50, 255):
        with pytest.raises(DataError, match="expected a target") as refused:
            calibrate.allowed(count, 0.5 / (count + 1), "escape")
        least = float(str(refused.value).split("at least ")[1].split(",")[0])
        assert calibrate.allowed(count, least, "escape") == 0


def test_bins_hold_what_was_said_and_what_was() -> None:
    p, violated = np.array([0.05, 0.05, 0.95, 1.0]), np.array([False, True, True, True])
    bins = calibrate.reliability(p, violated)
    assert [one.n for one in bins] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert (bins[0].probability, bins[0].violated) == (0.05, 0.5)
    assert bins[4].violated is None
    picture = draw_reliability(bins, title="judge", subtitle="of four cases")
    assert picture.dtype == np.uint8
    assert (picture != 255).any()


def test_the_bootstrap_interval_of_a_calibrated_score_is_small_and_repeatable() -> None:
    chance = np.random.default_rng(3)
    p = chance.random(2000)
    violated = chance.random(2000) < p
    low, high = calibrate.ece_interval(p, violated, rounds=200)
    assert low <= calibrate.expected_calibration_error(p, violated) <= high < 0.06
    assert calibrate.ece_interval(p, violated, rounds=200) == (low, high)
