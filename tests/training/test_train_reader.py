"""Training a very small clause reader: it learns, stops, goes on, and its lines can be read."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from support.tiny_reader import write_tiny_base

from inspector.errors import DataError
from inspector.models.clause_reader import load_clause_reader, reader_files, reader_weights
from inspector.training.clause_base import base_model
from inspector.training.clause_reader import ReaderPlan, ReaderTraining, train_reader
from inspector.training.clause_shelf import ADAPTERS, BODY, WORDS
from inspector.training.evaluate_reader import measure_reader

PLAN = ReaderPlan(
    hours=1.0,
    tokens_a_batch=600,
    validation_clauses=4,
    learning_rate=3e-3,
    frozen_layers=0,
    steps_at_most=4,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # matrices this small only wait for a second thread
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    out = tmp_path_factory.mktemp("reader")
    return train_reader(out=out, base=base, device="cpu", plan=PLAN)


def test_a_trained_reader_writes_lines_of_the_language(trained):
    reader = load_clause_reader(trained)
    for reading in reader.read_clauses(["No dents in the seal area.", "Use gloves; (always)"]):
        assert reading.is_read is (reading.check is not None)
        assert 0 <= reading.confidence <= 1


@pytest.mark.parametrize("text", ["", "\x00 ;;", "no dents " * 200, "無傷"])
def test_what_is_no_clause_or_too_long_is_not_read(trained, text):
    reading = load_clause_reader(trained).read_clause(text)
    assert reading.check is None and reading.line == ""
    assert 0 <= reading.confidence <= 1


def test_every_file_of_a_reader_is_smaller_than_what_a_repository_takes(trained):
    assert max(path.stat().st_size for path in trained.glob("*.safetensors")) < 95e6
    assert "held-out" in (trained / "MODEL_CARD.md").read_text()


def test_a_leg_is_a_small_file_beside_the_weights_it_went_on_from(trained, tmp_path):
    plan = replace(PLAN, lora=2, lora_rate=0.05)
    leg = train_reader(out=tmp_path / "leg", start=trained, lora=2, device="cpu", plan=plan)
    assert (leg / BODY).read_bytes() == (trained / BODY).read_bytes()
    before, after = load_clause_reader(trained), load_clause_reader(leg)
    assert before.sha256 != after.sha256
    assert before.sha256 in (leg / "MODEL_CARD.md").read_text()

    network, _ = reader_weights(reader_files(leg))
    again = ReaderTraining(
        *reader_weights(reader_files(trained)), plan, leg / "training", torch.device("cpu")
    )
    assert again.restore()
    again._take_best()
    tuned = again.merged().state_dict()
    for name, values in network.state_dict().items():
        assert torch.allclose(values, tuned[name], atol=2e-3), name

    further = train_reader(out=tmp_path / "further", start=leg, lora=2, device="cpu", plan=plan)
    assert {path.name for path in further.glob("*.safetensors")} == {BODY, WORDS, ADAPTERS}
    rank = load_file(further / ADAPTERS)["model.layers.0.mlp.up_proj.weight:adapter-down"].shape[0]
    assert rank == 4


def test_a_leg_without_adapters_is_refused(trained, tmp_path):
    with pytest.raises(DataError, match="--lora"):
        train_reader(out=tmp_path, start=trained, plan=PLAN)


def test_the_loss_falls_and_only_lines_count(base, tmp_path):
    training = ReaderTraining(
        *reversed(base_model(base, tmp_path)), PLAN, tmp_path, torch.device("cpu")
    )
    rows = next(training._batches())
    first = training._step(rows, done=0.2)
    for _ in range(30):
        last = training._step(rows, done=0.2)
    assert last < first - 0.5


def test_a_stopped_training_goes_on_where_it_was(base, tmp_path):
    def begun():
        return ReaderTraining(
            *reversed(base_model(base, tmp_path)), PLAN, tmp_path, torch.device("cpu")
        )

    training = begun()
    training.fit()
    again = begun()
    assert again.restore()
    assert again.standing.step == 4
    for name, values in training.tuned.items():
        assert torch.equal(values, again.tuned[name])


def test_figures_on_other_clauses_do_not_choose_the_weights(base, tmp_path):
    def begun(plan):
        return ReaderTraining(
            *reversed(base_model(base, tmp_path)), plan, tmp_path, torch.device("cpu")
        )

    begun(PLAN).fit()
    again = begun(replace(PLAN, validation_clauses=5, steps_at_most=5))
    assert again.restore()
    again.standing.history[0]["exact"] = 2.0
    again.fit()
    assert [entry["step"] for entry in again.standing.history] == [5.0]


def test_a_reader_is_measured_on_wordings_that_it_never_learnt(trained):
    found = measure_reader(load_clause_reader(trained), clauses=6, drawn=1)
    assert found.n == 6 and 0 <= found.right <= 1
    assert sum(n for _, n in found.by_family.values()) == 6


def test_a_reading_does_not_depend_on_what_is_read_beside_it(trained):
    reader = load_clause_reader(trained)
    texts = ["No dents on the rim.", "At most two scratches longer than 0.5 mm in the seal area."]
    together = reader.read_clauses(texts, drawn=2)
    assert [reader.read_clause(text, drawn=2).line for text in texts] == [r.line for r in together]
    assert reader.read_clauses(texts * 2, drawn=2) == together * 2
