"""Training the judge: it learns, keeps checkpoints, goes on, and ships what it measured."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_judge import (
    tiny_decoder,
    tiny_network,
    tiny_tokenizer,
    write_tiny_backbone,
    write_tiny_judge,
)

from inspector.cases import read_cases
from inspector.errors import DataError
from inspector.models.judge import load_judge, load_parts
from inspector.training.adversarial import WordPush
from inspector.training.corpus import Pair, make_corpus
from inspector.training.crops import CropBank
from inspector.training.datasets import DEEPPCB_LABELS
from inspector.training.evaluate_judge import evaluate_judge
from inspector.training.judge import JudgePlan, JudgeTraining, rate_factor, train_judge
from inspector.training.judge_base import base_model
from inspector.training.judge_pairs import encode, in_batches, logits_of
from inspector.training.judge_shelf import put_on_shelf
from inspector.training.rewording import Rewording
from inspector.training.tracking import Tracker

PLAN = JudgePlan(epochs=1, batch=8, validations_an_epoch=1, learning_rate=3e-3, lora_rate=3e-3)
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
    bank = CropBank(by_label=dict.fromkeys(DEEPPCB_LABELS, (crop,)), intact=(255 - crop,))
    return make_corpus(seed=0, count=96, held_out=False, bank=bank)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # matrices this small only wait for a second thread
    yield
    torch.set_num_threads(before)


def training(folder: Path, plan: JudgePlan = PLAN, *, decoder: bool = False) -> JudgeTraining:
    folder.mkdir(parents=True, exist_ok=True)
    network = tiny_decoder() if decoder else tiny_network()
    return JudgeTraining(network, tiny_tokenizer(), plan, folder, CPU)


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


VARIANTS = [
    pytest.param({"lora": 2}, False, id="adapters in an encoder"),
    pytest.param({"lora": 2, "adversarial": 0.5}, True, id="adapters in a disturbed decoder"),
    pytest.param({"adversarial": 0.5, "accumulate": 2}, False, id="disturbed words, two batches"),
]


@pytest.mark.parametrize(("changed", "decoder"), VARIANTS)
def test_the_best_weights_say_what_was_measured(
    tmp_path: Path, pairs: tuple[Pair, ...], changed: dict[str, float], decoder: bool
) -> None:
    plan = replace(PLAN, **changed)  # type: ignore[arg-type]
    run = training(tmp_path, plan, decoder=decoder)
    items = encode(pairs[:32], run.tokenizer)
    before = logits_of(run.network, items, run.tokenizer, CPU)
    run.fit(items, items)
    assert run.standing.step == (2 if plan.accumulate == 2 else 4)
    during = logits_of(run.network, items, run.tokenizer, CPU)
    network = run.best()
    assert not [name for name, _ in network.named_parameters() if "lora" in name]
    after = logits_of(network, items, run.tokenizer, CPU)
    assert not np.allclose(before, after)
    assert np.allclose(during, after, atol=0.02)  # merged matrices round otherwise in bfloat16


def test_adapters_leave_most_of_the_backbone_as_it_was(tmp_path: Path) -> None:
    whole, few = training(tmp_path / "a"), training(tmp_path / "b", replace(PLAN, lora=2))
    assert len(few.tuned) < len(whole.tuned) + 60
    assert all("lora" in name for name in few.tuned if name.startswith("backbone."))


def test_disturbed_words_are_felt_and_then_left_alone() -> None:
    words = torch.nn.Embedding(5, 4).requires_grad_(False)
    push, ids = WordPush(words, size=0.5), torch.tensor([[1, 2, 3]])
    with push.listening():
        (words(ids) ** 2).sum().backward()
    with push.pushing():
        pushed = words(ids)
    moved = (pushed - words(ids)).norm()
    assert moved == pytest.approx(float(0.5 * words(ids).norm(dim=-1).mean()), rel=1e-4)
    assert ((pushed**2).sum() > (words(ids) ** 2).sum()).item()


def test_another_word_and_a_slip_leave_numbers_and_telling_words_alone() -> None:
    chance = random.Random(0)
    clause = "No more than 2 scratches longer than 0.5 mm are permitted within the seal area."
    always = Rewording(synonyms=1.0, slips=1.0)
    pair = pair_of(clause)
    found = {always.of(pair, chance).clause for _ in range(60)}
    assert len(found) > 30
    for other in found:
        assert re.findall(r"[\d.]+|\b(?:mm|No|more|than|longer)\b", other) == re.findall(
            r"[\d.]+|\b(?:mm|No|more|than|longer)\b", clause
        )


def pair_of(clause: str) -> Pair:
    evidence = make_corpus(seed=0, count=1, held_out=False)[0].evidence
    return Pair(evidence=evidence, clause=clause, violated=False, family="size", real=())


def test_an_ensemble_is_distilled_into_one_judge_of_any_backbone(tmp_path: Path) -> None:
    plan = replace(
        PLAN, pairs=24, read=0.0, validation_pairs=8, calibration_pairs=120, target_escape=0.2,
        target_overkill=0.2,
    )  # fmt: skip
    wanted: dict[str, Any] = {
        "data": None, "out": tmp_path / "out", "plan": plan, "epochs": 1, "ensemble": 2,
        "backbone": write_tiny_backbone(tmp_path / "llama"), "device": "cpu",
    }  # fmt: skip
    out = train_judge(**wanted)
    assert {p.name for p in (out / "training").iterdir()} == {"member-1", "member-2", "distilled"}
    assert list((out / "training" / "distilled" / "tensorboard").iterdir())
    judge = load_judge(out)
    assert "LlamaModel" in (out / "MODEL_CARD.md").read_text()
    assert "without crops" in (out / "MODEL_CARD.md").read_text()
    again = train_judge(**wanted, resume=True)  # each leg is finished: nothing is trained again
    assert load_judge(again).sha256 == judge.sha256


def test_a_training_goes_on_from_a_judge_on_clauses_of_both_corpora(tmp_path: Path) -> None:
    start = write_tiny_judge(tmp_path / "start")
    plan = replace(
        PLAN, pairs=24, read=0.5, validation_pairs=8, calibration_pairs=120, target_escape=0.2,
        target_overkill=0.2,
    )  # fmt: skip
    out = train_judge(
        data=None, out=tmp_path / "out", plan=plan, epochs=1, start=str(start), device="cpu"
    )
    before, after = (load_parts(folder)[0] for folder in (start, out))
    words = [network.backbone.embeddings.word_embeddings.weight for network in (before, after)]
    assert torch.equal(*words)
    assert not torch.equal(before.head[1].weight, after.head[1].weight)
    card = (out / "MODEL_CARD.md").read_text()
    assert f"--start {start}" in card
    assert "| read: " in card


def test_a_base_model_is_read_from_safetensors_only(tmp_path: Path) -> None:
    folder = write_tiny_backbone(tmp_path / "llama")
    weights = folder / "model.safetensors"
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="--backbone"):
        base_model(folder, dropout=0.1)


KILLED = """
import sys
sys.path[:0] = [{tests!r}]
import torch
torch.set_num_threads(1)
from pathlib import Path
from support.tiny_judge import tiny_network, tiny_tokenizer
from inspector.training.corpus import make_corpus
from inspector.training.judge import JudgePlan, JudgeTraining
from inspector.training.judge_pairs import encode
plan = JudgePlan(epochs=1000, batch=8, checkpoint_minutes=0.0, synonyms=0.0)
run = JudgeTraining(tiny_network(), tiny_tokenizer(), plan, Path({work!r}), torch.device("cpu"))
items = encode(make_corpus(seed=0, count=32, held_out=False), run.tokenizer)
run.fit(items, items)
"""


def test_a_killed_training_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    code = KILLED.format(tests=str(Path(__file__).parents[1]), work=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2]
    ) as process:
        while not (tmp_path / "last.pt").is_file():
            assert process.poll() is None
            os.sched_yield()
        process.send_signal(signal.SIGKILL)
    run = training(tmp_path)
    assert run.restore()
    assert run.standing.step > 0


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
    assert figures.n == 6
    assert figures.by_category["none"].n == 6
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


@pytest.mark.skipif(find_spec("wandb") is None, reason="Weights & Biases is an extra")
def test_curves_go_to_tensorboard_and_on_request_to_weights_and_biases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    with Tracker(tmp_path, wandb="a run", settings={"seed": 0}) as tracker:
        tracker.log(1, {"loss": 0.5})
    assert list((tmp_path / "tensorboard").iterdir())
    assert list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
