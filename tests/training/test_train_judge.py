"""Training the judge: it learns, keeps checkpoints, goes on, and ships what it measured."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inspector.cases import read_cases
from inspector.models.judge import load_judge
from inspector.training.boards import LABELS
from inspector.training.corpus import Pair, make_corpus
from inspector.training.crops import CropBank
from inspector.training.evaluate_judge import evaluate_judge
from inspector.training.judge import JudgePlan, JudgeTraining, rate_factor
from inspector.training.judge_pairs import encode, in_batches, logits_of
from inspector.training.judge_shelf import put_on_shelf

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
from tiny_judge import tiny_network, tiny_tokenizer

PLAN = JudgePlan(epochs=1, batch=8, validations_an_epoch=1, learning_rate=3e-3)
CPU = torch.device("cpu")
CASE = (
    '{{"id": "{id}", "clause": "No spur is accepted.", "violated": {violated}, "category": "none",'
    ' "evidence": {{"product": "board", "defects": [{defects}], "context":'
    ' {{"inspected_on": "2026-11-23"}}}}}}'
)
SPUR = '{"label": "spur", "confidence": 0.9, "width_mm": 0.4, "height_mm": 0.2, "zone": null}'


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, ...]:
    crop = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    bank = CropBank(by_label=dict.fromkeys(LABELS, (crop,)), intact=(255 - crop,))
    return make_corpus(seed=0, count=96, held_out=False, bank=bank)


def training(folder: Path, plan: JudgePlan = PLAN) -> JudgeTraining:
    folder.mkdir(parents=True, exist_ok=True)
    return JudgeTraining(tiny_network(), tiny_tokenizer(), plan, folder, CPU)


def test_training_changes_the_weights_and_keeps_the_best(
    tmp_path: Path, pairs: tuple[Pair, ...]
) -> None:
    run = training(tmp_path)
    items = encode(pairs, run.tokenizer)
    before = logits_of(run.network, items, run.tokenizer, CPU)
    run.fit(items, items[:16])
    assert not np.allclose(before, logits_of(run.network, items, run.tokenizer, CPU))
    assert run.standing.step == 12
    assert {path.name for path in tmp_path.iterdir()} == {"best.pt", "last.pt", "history.json"}


def test_a_training_goes_on_where_its_checkpoint_stands(
    tmp_path: Path, pairs: tuple[Pair, ...]
) -> None:
    first = training(tmp_path)
    items = encode(pairs, first.tokenizer)
    first.fit(items, items[:16])
    again = training(tmp_path, replace(PLAN, epochs=2))
    assert again.restore()
    assert again.standing.step == 12
    again.fit(items, items[:16])
    assert again.standing.step == 24
    assert not training(tmp_path / "elsewhere").restore()


def test_the_crop_encoder_is_taught_before_the_rest(tmp_path: Path) -> None:
    bright, dark = np.full((64, 64, 3), 220, np.uint8), np.full((64, 64, 3), 30, np.uint8)
    bank = CropBank(by_label={"spur": (bright,)}, intact=(dark,))
    run = training(tmp_path, replace(PLAN, crop_steps=2))
    before = run.network.crops.project.weight.detach().clone()
    run.teach_crops(bank)
    assert not torch.equal(before, run.network.crops.project.weight)


def test_what_ships_is_what_was_measured(tmp_path: Path, pairs: tuple[Pair, ...]) -> None:
    tokenizer = tiny_tokenizer()
    found = put_on_shelf(
        tiny_network(),
        tokenizer,
        encode(pairs, tokenizer),
        tmp_path / "judge",
        settings={"target_escape": 0.2, "target_overkill": 0.2},
        history=[{"step": 1, "accuracy": 0.5}],
        with_crops=True,
    )
    assert found.n == 48
    judge = load_judge(tmp_path / "judge")
    assert judge.thresholds.pass_at < judge.thresholds.fail_at
    card = (tmp_path / "judge" / "MODEL_CARD.md").read_text()
    assert judge.sha256 in card
    assert f"accuracy {found.accuracy:.4f}" in card
    cases = tmp_path / "cases.jsonl"
    lines = [CASE.format(id=i, violated="true", defects=SPUR) for i in range(3)]
    lines += [CASE.format(id=i, violated="false", defects="") for i in range(3)]
    cases.write_text("\n".join(lines))
    figures = evaluate_judge(cases, model=str(tmp_path / "judge"))
    assert figures["n"] == 6
    assert figures["by_category"]["none"]["n"] == 6
    assert [case.violated for case in read_cases(cases)] == [True] * 3 + [False] * 3


def test_batches_hold_every_pair_once(pairs: tuple[Pair, ...]) -> None:
    items = encode(pairs, tiny_tokenizer())
    batches = in_batches(items, 10, chance=None)
    assert sorted(id(item) for batch in batches for item in batch) == sorted(map(id, items))
    lengths = [item.length for batch in batches for item in batch]
    assert lengths == sorted(lengths)


def test_the_rate_warms_up_and_decays() -> None:
    rates = [rate_factor(done, warm_up=0.1) for done in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] > rates[3] > rates[4] > 0
