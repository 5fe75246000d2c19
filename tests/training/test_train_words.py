"""Training the word encoder: it learns, goes on, finds terms, shares the judge's word pieces."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from support.tiny_judge import tiny_tokenizer, write_tiny_judge
from transformers import BertConfig, BertModel

from inspector.errors import ModelError
from inspector.models.fusion import FusedEncoder
from inspector.models.word_encoder import (
    Guess,
    Limits,
    defect_names,
    load_word_encoder,
    nearest_name,
)
from inspector.ontology import load_ontology
from inspector.training.word_encoder import (
    WordPlan,
    WordTraining,
    contrast,
    train_word_encoder,
)
from inspector.training.word_pairs import QUESTIONS, Lessons, Question, draw, lessons
from inspector.training.word_shelf import Answers, chosen_limits

GRAPH = load_ontology()
WHOLE = lessons(GRAPH)
PLAN = WordPlan(steps_an_epoch=6, names=8, learning_rate=3e-3, frozen=0)
NAMES = ("scratch", "dent", "stain", "burr")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=400, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=256,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def given() -> Lessons:
    def few(questions: tuple[Question, ...]) -> tuple[Question, ...]:
        return questions[:6] + questions[-4:]

    return replace(
        WHOLE,
        words={name: WHOLE.words[name] for name in NAMES},
        questions={part: few(asked) for part, asked in WHOLE.questions.items()},
    )


@pytest.fixture(scope="module")
def trained(base: Path, given: Lessons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("words")
    return train_word_encoder(
        out=out, backbone=base, epochs=2, device="cpu", plan=PLAN, given=given
    )


@pytest.fixture(scope="module")
def judge(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    backbone = BertModel.from_pretrained(base, use_safetensors=True)
    return write_tiny_judge(tmp_path_factory.mktemp("judge"), network=FusedEncoder(backbone))


def test_what_it_was_taught_lies_nearest_to_itself(trained: Path, judge: Path) -> None:
    found = load_word_encoder(trained, GRAPH, judge=judge)
    guess = found.guess("burr")
    assert guess.name in GRAPH.named("burr")
    assert guess.similarity == pytest.approx(1, abs=1e-5)
    assert guess.lead <= guess.similarity
    found.limits = Limits(similarity=0.99, lead=-1.0)
    assert found("burr") == (guess.name, guess.similarity)
    found.limits = Limits(similarity=1.1, lead=-1.0)
    assert found("burr") is None


def test_the_card_says_how_it_was_made_and_what_it_is_worth(trained: Path) -> None:
    card = (trained / "MODEL_CARD.md").read_text()
    description = json.loads((trained / "model.json").read_text())
    assert description["sha256"] in card
    assert "before tuning" in card
    assert {p.name for p in (trained / "training").iterdir()} == {
        "best.pt", "last.pt", "tensorboard"
    }  # fmt: skip


def test_a_judge_with_other_word_pieces_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="train the word encoder again"):
        load_word_encoder(trained, GRAPH, judge=write_tiny_judge(tmp_path / "other"))


def test_a_training_goes_on_after_its_last_whole_epoch(
    base: Path, given: Lessons, tmp_path: Path
) -> None:
    for epochs in (1, 2):
        train_word_encoder(
            out=tmp_path, backbone=base, epochs=epochs, device="cpu", plan=PLAN, given=given,
            resume=True,
        )  # fmt: skip
    rows = (tmp_path / "MODEL_CARD.md").read_text().split("| epoch |")[1]
    assert "| 1 |" in rows
    assert "| 2 |" in rows


def test_no_question_is_a_word_that_was_taught() -> None:
    taught = {word for words in WHOLE.words.values() for word in words}
    parts = [{q.text for q in asked} for asked in WHOLE.questions.values()]
    assert not parts[0] & parts[1]
    for asked in WHOLE.questions.values():
        assert not {q.text for q in asked} & taught
        assert sum(bool(q.right) for q in asked) >= 300
        assert sum(not q.right for q in asked) >= 140
        assert all(q.right & WHOLE.words.keys() for q in asked if q.right)


def test_every_question_is_written_for_names_that_exist_and_once() -> None:
    written = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    names = {name for one in written["defects"] for name in one["means"]}
    said = [word for one in written["defects"] for word in one["said"]]
    said += [word for words in written["no defects"].values() for word in words]
    assert names <= GRAPH.wider.keys()
    assert len(said) == len(set(said))
    assert [word for word in said if GRAPH.knows(word)] == []


def test_a_word_is_taken_for_no_attribute_and_not_for_just_any_defect() -> None:
    assert not {"length", "gloss", "attribute", "defect"} & set(defect_names(GRAPH))
    assert {"scratch", "contamination"} <= set(defect_names(GRAPH))


def test_a_wider_word_is_never_taught_to_be_apart() -> None:
    lesson = draw(WHOLE, 40, random.Random(0))
    assert len(lesson.left) == len(lesson.right) == len(lesson.apart)
    assert not any(row[i] for i, row in enumerate(lesson.apart))


def test_the_loss_is_least_where_own_pairs_lie_nearest() -> None:
    vectors = torch.eye(3)
    apart = ~torch.eye(3, dtype=torch.bool)
    near = contrast(vectors, vectors, apart=apart, softness=0.1)
    far = contrast(vectors, vectors.roll(1, 0), apart=apart, softness=0.1)
    assert near < 0.01 < far
    assert contrast(vectors, vectors.roll(1, 0), apart=~apart, softness=0.1) == 0


def answers_with(*given: tuple[str, float, float]) -> Answers:
    return Answers(
        questions=tuple(
            Question(text=str(i), right=frozenset() if name == "foreign" else frozenset({"a"}))
            for i, (name, _, _) in enumerate(given)
        ),
        guesses=tuple(Guess(name=n, similarity=s, lead=lead) for n, s, lead in given),
    )


def test_the_limits_keep_what_is_taken_right() -> None:
    wrong = [("b", 0.5 + i / 100, 0.01) for i in range(20)]
    right = [("a", 0.6 + i / 100, 0.3) for i in range(27)]
    doubtful = [("b", 0.9, 0.3), ("b", 0.61, 0.3), ("b", 0.3, 0.3), ("b", 0.2, 0.3)]
    found = answers_with(*wrong, *right, *doubtful)
    limits = chosen_limits(found, precision=0.91)
    assert limits == Limits(similarity=0.6, lead=0.02)
    assert found.recall(limits) == pytest.approx(27 / 51)
    assert found.precision(limits) == pytest.approx(27 / 29)


def test_the_limits_leave_out_words_that_name_no_defect() -> None:
    words = [("a", 0.5 + i / 100, 0.3) for i in range(40)]
    strangers = [("foreign", 0.515, 0.3), ("foreign", 0.595, 0.3), ("foreign", 0.2, 0.3)]
    found = answers_with(*words, *strangers)
    assert chosen_limits(found, foreign=0.0).similarity == 0.6
    assert chosen_limits(found, foreign=0.34).similarity == 0.52
    assert chosen_limits(found, foreign=1.0).similarity == 0.2


def test_the_ranking_counts_the_surest_answers_most() -> None:
    best = answers_with(("a", 0.9, 0.3), ("a", 0.8, 0.3), ("b", 0.7, 0.3), ("b", 0.6, 0.3))
    worst = answers_with(("b", 0.9, 0.3), ("b", 0.8, 0.3), ("a", 0.7, 0.3), ("a", 0.6, 0.3))
    assert best.average_precision() == pytest.approx(2 / 4)
    assert worst.average_precision() == pytest.approx((1 / 3 + 2 / 4) / 4)


def test_frozen_layers_stay_as_they_were(base: Path, tmp_path: Path) -> None:
    network = BertModel.from_pretrained(base, use_safetensors=True)
    training = WordTraining(
        network, tiny_tokenizer(), replace(PLAN, frozen=1), tmp_path, torch.device("cpu")
    )
    tuned = {name for name, p in training.network.named_parameters() if p.requires_grad}
    assert tuned and all("layer.0." not in name and "embeddings" not in name for name in tuned)
    assert any("layer.1." in name for name in tuned)


def test_where_too_few_are_right_nothing_is_taken() -> None:
    found = answers_with(*[("a", 0.9, 0.5)] * 5, *[("b", 0.8, 0.5)] * 30)
    assert found.recall(chosen_limits(found)) == 0.0


def test_a_lead_is_taken_over_unrelated_names_only() -> None:
    wider = {"crack": frozenset({"crack", "damage"}), "damage": frozenset({"damage"}),
             "stain": frozenset({"stain"})}  # fmt: skip
    similar = np.array([0.9, 0.85, 0.4], np.float32)
    found = nearest_name(similar, ["crack", "damage", "stain"], wider)
    assert (found.name, found.lead) == ("crack", pytest.approx(0.5))
