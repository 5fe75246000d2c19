"""The fused judge: loading, batching, looking."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_judge import tiny_decoder, tiny_network, tiny_tokenizer, write_tiny_judge
from transformers import T5Config, T5Model

from inspector.decision import Thresholds
from inspector.domain import Bgr, Box, Clause, Context, Detection, Evidence
from inspector.errors import ModelError
from inspector.models.fusion import FusedEncoder, quantised, restored
from inspector.models.judge import FusedJudge, load_judge
from inspector.models.judge_inputs import encoded, looks_of
from inspector.signs import SIGNS

CLAUSES = (
    Clause(id="C1", text="No spur is accepted."),
    Clause(id="C2", text="No open in the left margin, no short, no pin hole."),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_judge(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def judge(folder: Path) -> FusedJudge:
    return load_judge(folder)


def board(*labels: str, crop: Bgr | None = None) -> Evidence:
    box = Box(x0=0, y0=0, x1=9, y1=9)
    return Evidence(
        product="board",
        defects=tuple(Detection(label=label, confidence=0.9, box=box) for label in labels),
        texts=(),
        codes=(),
        context=Context(inspected_on=date(2026, 11, 23)),
        crops_bgr=(crop,) * len(labels),
    )


def grey_crop(value: int) -> Bgr:
    return np.full((64, 64, 3), value, np.uint8)


def test_each_clause_gets_a_probability(judge: FusedJudge) -> None:
    found = judge.violation_probabilities(board("spur", "open"), CLAUSES)
    assert len(found) == 2
    assert all(0 < p < 1 for p in found)
    assert judge.violation_probabilities(board(), ()) == ()


def test_a_batch_says_the_same_as_one_clause_at_a_time(judge: FusedJudge) -> None:
    part = board("spur", "open", crop=grey_crop(90))
    together = judge.violation_probabilities(part, CLAUSES)
    alone = [judge.violation_probabilities(part, (clause,))[0] for clause in CLAUSES]
    assert together == pytest.approx(alone, abs=1e-5)


class Counting:
    """A network that counts the pairs it is given."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self.pairs = 0

    def __call__(self, ids: torch.Tensor, *others: Any) -> torch.Tensor:
        self.pairs += len(ids)
        found: torch.Tensor = self.network(ids, *others)
        return found


def counting(*, remembers: int) -> tuple[FusedJudge, Counting]:
    network = Counting(tiny_network().eval())
    judge = FusedJudge(
        network,
        tiny_tokenizer(),
        name="tiny",
        sha256="",
        temperature=1.0,
        thresholds=Thresholds(pass_at=0.2, fail_at=0.8),
        remembers=remembers,
    )
    return judge, network


def test_what_reads_the_same_again_is_not_asked_again() -> None:
    judge, network = counting(remembers=4)
    first = judge.violation_probabilities(board("spur"), CLAUSES)
    assert judge.violation_probabilities(board("spur"), CLAUSES) == first
    assert network.pairs == 2
    other = judge.violation_probabilities(board("open"), CLAUSES)
    assert network.pairs == 4
    assert other != first


def test_one_clause_twice_is_asked_once_and_answered_twice() -> None:
    judge, network = counting(remembers=0)
    found = judge.violation_probabilities(board("spur"), CLAUSES[:1] * 2)
    assert network.pairs == 1
    assert found[0] == found[1]


def test_what_comes_with_a_picture_is_asked_every_time() -> None:
    judge, network = counting(remembers=4)
    part = board("spur", crop=grey_crop(90))
    judge.violation_probabilities(part, CLAUSES)
    judge.violation_probabilities(part, CLAUSES)
    assert network.pairs == 4


def test_no_more_answers_are_kept_than_asked_for() -> None:
    judge, network = counting(remembers=1)
    judge.violation_probabilities(board("spur"), CLAUSES)
    judge.violation_probabilities(board("spur"), CLAUSES[1:])
    assert network.pairs == 2
    judge.violation_probabilities(board("spur"), CLAUSES[:1])
    assert network.pairs == 3


def test_the_judge_knows_its_name_hash_and_thresholds(judge: FusedJudge, folder: Path) -> None:
    card = json.loads((folder / "model.json").read_text())
    assert judge.sha256 == card["sha256"]
    assert judge.name == f"tiny {judge.sha256[:12]}"
    assert (judge.thresholds.pass_at, judge.thresholds.fail_at) == (0.2, 0.8)


BACKBONES = pytest.mark.parametrize("built", [tiny_network, tiny_decoder])


def entry_of(tokenizer: Any) -> tuple[torch.Tensor, ...]:
    words = tokenizer(["spur 1"], ["no spur"], return_tensors="pt")
    signs = torch.zeros(1, len(SIGNS))
    return words["input_ids"], words["attention_mask"], words["token_type_ids"], signs


@BACKBONES
def test_closed_gates_see_nothing_and_open_ones_do(built: Callable[[], FusedEncoder]) -> None:
    network, tokenizer = built(), tiny_tokenizer()
    network.eval()
    entry = entry_of(tokenizer)
    dark, bright = (looks_of([board("spur", crop=grey_crop(v))], tokenizer) for v in (10, 240))
    with torch.inference_mode():
        blind = network(*entry, None)
        assert torch.allclose(network(*entry, dark), blind, atol=1e-6)
        for look in network.looks:
            look.gate.fill_(1.0)  # type: ignore[union-attr, operator]
        assert not torch.allclose(network(*entry, dark), network(*entry, bright), atol=1e-4)
        assert torch.allclose(network(*entry, None), blind, atol=1e-6)


def test_a_pair_without_crops_reads_the_same_beside_one_that_has_some() -> None:
    network, tokenizer = tiny_network(), tiny_tokenizer()
    network.eval()
    for look in network.looks:
        look.gate.data.fill_(1.0)  # type: ignore[union-attr, operator]
    beside = looks_of([board("spur"), board("spur", crop=grey_crop(10))], tokenizer)
    entry = entry_of(tokenizer)
    with torch.inference_mode():
        alone = network(*entry, None)
        both = network(*(torch.cat([x, x]) for x in entry), beside)
    assert torch.allclose(both[:1], alone, atol=1e-6)
    assert not torch.allclose(both[1:], alone, atol=1e-4)


@BACKBONES
def test_padding_changes_nothing(built: Callable[[], FusedEncoder]) -> None:
    network, tokenizer = built(), tiny_tokenizer()
    network.eval()
    ids, mask, types, signs = entry_of(tokenizer)
    tail = torch.zeros(1, 7, dtype=torch.long)
    with torch.inference_mode():
        padded = network(*(torch.cat([x, tail], dim=1) for x in (ids, mask, types)), signs, None)
        assert torch.allclose(padded, network(ids, mask, types, signs, None), atol=1e-5)


def test_a_decoder_is_read_at_its_last_word_and_an_encoder_at_its_first() -> None:
    assert tiny_decoder().reads_last
    assert not tiny_network().reads_last


def test_a_decoder_judges_from_a_folder(tmp_path: Path) -> None:
    judge = load_judge(write_tiny_judge(tmp_path / "tiny", network=tiny_decoder()))
    part = board("spur", "open", crop=grey_crop(90))
    together = judge.violation_probabilities(part, CLAUSES)
    alone = [judge.violation_probabilities(part, (clause,))[0] for clause in CLAUSES]
    assert together == pytest.approx(alone, abs=1e-5)
    assert together[0] != pytest.approx(together[1], abs=1e-4)


def test_a_model_of_encoder_and_decoder_is_no_backbone() -> None:
    config = T5Config(vocab_size=40, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    with pytest.raises(ValueError, match="found a model of both"):
        FusedEncoder(T5Model(config))


def test_answers_of_code_count_as_the_reading_weighs_them() -> None:
    network, tokenizer = tiny_network(), tiny_tokenizer()
    network.eval()
    words = tokenizer(["spur 1"], ["no spur"], return_tensors="pt")
    entry = (words["input_ids"], words["attention_mask"], words["token_type_ids"])
    yes, no = torch.ones(1, len(SIGNS)), -torch.ones(1, len(SIGNS))
    with torch.inference_mode():
        assert torch.equal(network(*entry, yes, None), network(*entry, no, None))
        network.weigh.bias[0] = 1.0
        assert network(*entry, yes, None) > network(*entry, no, None)


def test_five_hundred_defects_and_a_clause_of_two_thousand_words_are_judged(
    judge: FusedJudge,
) -> None:
    labels = [f"kind {i % 37}" for i in range(500)]
    clause = Clause(id="C", text="no spur " * 1000)
    (p,) = judge.violation_probabilities(board(*labels), (clause,))
    assert 0 < p < 1


def test_int8_rows_come_back_within_half_a_step() -> None:
    values = torch.randn(128, 64)
    state = {"matrix": values, "bias": torch.randn(64)}
    back = restored(quantised(state))
    step = values.abs().amax(dim=1, keepdim=True) / 127
    assert bool(((back["matrix"] - values).abs() <= step / 2 + 1e-6).all())
    assert torch.equal(back["bias"], state["bias"])


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    folder = write_tiny_judge(tmp_path / "tiny")
    with (folder / "judge.safetensors").open("ab") as file:
        file.write(b"!")
    with pytest.raises(ModelError, match="sha256"):
        load_judge(folder)


def test_a_judge_of_another_evidence_version_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_judge(tmp_path / "tiny", evidence_version="evidence/0")
    with pytest.raises(ModelError, match="train it again"):
        load_judge(folder)


def test_weights_that_are_no_numbers_give_no_verdict() -> None:
    network = tiny_network()
    with torch.no_grad():
        network.head[-1].bias.fill_(float("nan"))  # type: ignore[union-attr, operator]
    limits = Thresholds(pass_at=0.2, fail_at=0.8)
    judge = FusedJudge(
        network.eval(), tiny_tokenizer(), name="n", sha256="0", temperature=1.0, thresholds=limits
    )
    with pytest.raises(ModelError, match="expected a number"):
        judge.violation_probabilities(board("spur"), CLAUSES)


def test_a_folder_without_a_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        load_judge(tmp_path)


@pytest.mark.parametrize(
    ("part", "clause"),
    [
        (board("spur"), "No spur longer than 1 mm is accepted."),
        (board(*(f"kind {i}" for i in range(9))), "No spur is accepted."),
        (board(), "No spur is accepted. " * 60),
        (board(), "x " * 299),
    ],
    ids=["size unknown", "too many kinds", "long clause", "many word pieces"],
)
def test_what_was_not_wholly_read_is_never_cleared(folder: Path, part: Evidence, clause: str):
    judge = load_judge(folder)
    judge.thresholds = Thresholds(pass_at=0.9, fail_at=0.95)  # the tiny judge clears everything
    (found,) = judge.violation_probabilities(part, (Clause(id="C", text=clause),))
    assert found > judge.thresholds.pass_at


def test_special_words_in_print_are_spelt_out() -> None:
    tokenizer = tiny_tokenizer()
    label = board("[SEP] [PAD] spur")
    pieces = encoded(tokenizer, label, ["No spur."])["input_ids"][0]
    assert pieces.count(tokenizer.sep_token_id) == 2
    assert tokenizer.pad_token_id not in pieces


@pytest.mark.parametrize("temperature", [-1, 0, float("nan"), "warm", None])
def test_a_temperature_that_would_turn_answers_round_is_refused(
    folder: Path, tmp_path: Path, temperature: object
):
    damaged = tmp_path / "tiny"
    shutil.copytree(folder, damaged)
    card = json.loads((damaged / "model.json").read_text())
    (damaged / "model.json").write_text(json.dumps({**card, "temperature": temperature}))
    with pytest.raises(ModelError, match="install it again"):
        load_judge(damaged)


def test_a_changed_vocabulary_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    changed = tmp_path / "tiny"
    shutil.copytree(folder, changed)
    tokenizer = changed / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"open"', '"opens"'))
    with pytest.raises(ModelError, match=r"tokenizer.json: expected sha256"):
        load_judge(changed)
