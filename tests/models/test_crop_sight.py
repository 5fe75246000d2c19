"""Doubt: what a crop does not show counts less, by its chance, and only where that was learnt."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import torch
from support.tiny_judge import write_tiny_judge

from inspector.domain import Box, Clause, Context, Detection, Evidence
from inspector.models.crop_sight import LEVELS, CropSight, Sight, by_doubt, doubted
from inspector.models.judge import FusedJudge, load_judge, load_parts


def part(*labels: str, with_crops: bool = True) -> Evidence:
    box = Box(x0=0, y0=0, x1=9, y1=9)
    crop = np.zeros((64, 64, 3), np.uint8) if with_crops else None
    return Evidence(
        product="board",
        defects=tuple(Detection(label=x, confidence=0.8, box=box) for x in labels),
        texts=(),
        codes=(),
        context=Context(inspected_on=date(2026, 11, 23)),
        crops_bgr=(crop,) * len(labels),
    )


def sight(log_odds: float, *labels: str) -> Sight:
    """Return a sight that gives every crop the same log-odds."""
    network = CropSight(labels).eval()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(log_odds)
    return Sight(network, 0.0)


def test_the_least_likely_defects_go_first_and_the_weights_add_up_to_one() -> None:
    found = by_doubt(part("open", "short", "spur"), (0.3, 1.0, 0.55))
    assert [(round(w, 3), [d.label for d in e.defects]) for w, e in found] == [
        (0.4, ["open", "short", "spur"]),  # chances are rounded up
        (0.3, ["short", "spur"]),
        (0.3, ["short"]),
    ]


def test_what_is_probably_there_makes_one_version() -> None:
    evidence = part("open", "short")
    assert by_doubt(evidence, (0.8, 1.0)) == ((1.0, evidence),)


def test_many_doubtful_defects_make_few_versions() -> None:
    chances = tuple(np.linspace(0, 1, 60).tolist())
    found = by_doubt(part(*["open"] * 60), chances)
    assert 2 < len(found) <= len(LEVELS)
    assert sum(weight for weight, _ in found) == pytest.approx(1)


def test_a_label_that_was_not_learnt_and_a_defect_without_crop_are_never_doubted() -> None:
    doubts = sight(-9.0, "open")
    assert doubts.chances(part("open", "scratch"))[1] == 1.0
    assert doubts.chances(part("open", with_crops=False)) == (1.0,)


def test_crop_and_confidence_are_joined_by_their_odds() -> None:
    def chance(rests_on: str) -> float:
        (found,) = doubted(part("open"), [-1.0], usual=0.5, rests_on=rests_on)  # type: ignore[arg-type]
        return found

    assert chance("confidence") == pytest.approx(0.8)
    assert chance("crop") == pytest.approx(1 / (1 + np.exp(1.0)))
    assert chance("both") == pytest.approx(1 / (1 + np.exp(1.5) / 4))


@pytest.mark.parametrize("log_odds", [-30.0, -3.0, 30.0])
def test_a_judge_weighs_the_evidence_with_and_without_what_is_doubtful(tmp_path, log_odds) -> None:
    folder = write_tiny_judge(tmp_path / "tiny")
    blind, clauses = load_judge(folder), (Clause(id="C1", text="No open."),)
    network, tokenizer = load_parts(folder)
    seeing = FusedJudge(
        network, tokenizer, name="tiny", sha256="0" * 64, temperature=1.5,
        thresholds=blind.thresholds, sight=sight(log_odds, "open"),
    )  # fmt: skip
    evidence = part("open")
    (chance,) = sight(log_odds, "open").chances(evidence)
    chance = next(level for level in LEVELS if level >= chance)
    (there,) = blind.assess(evidence, clauses)
    (absent,) = blind.assess(part(), clauses)
    (found,) = seeing.assess(evidence, clauses)
    expected = chance * there.probability + (1 - chance) * absent.probability
    assert found.probability == pytest.approx(expected, abs=1e-4)
