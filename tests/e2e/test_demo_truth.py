"""The shipped models on the demo's parts, against the truth made from the annotations."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from inspector import images
from inspector.assembly import assemble
from inspector.checks import KeyedCheck
from inspector.domain import Context, Decision, Frame
from inspector.pipeline import Inspector, Models
from inspector.settings import PACKAGE, load_recipe

SAMPLES = PACKAGE / "assets" / "samples"
AGREEMENT_DUE = 0.95


def lines(name):
    return [json.loads(line) for line in (SAMPLES / name).read_text().splitlines()]


PARTS = lines("demo.jsonl")
TRUTH = {row["part_id"]: row for row in lines("truth.jsonl")}


class Remembering:
    """Looks at each picture once, however often the judge is swapped."""

    def __init__(self, model):
        self.model = model
        self.seen = {}
        self.labels = getattr(model, "labels", ())
        self.sha256 = getattr(model, "sha256", "")
        self.needs_reference = getattr(model, "needs_reference", False)
        self.sure_at = getattr(model, "sure_at", 0.0)

    def detect(self, bgr, **how):
        return self._once(bgr, lambda: self.model.detect(bgr, **how))

    def read(self, bgr):
        return self._once(bgr, lambda: self.model.read(bgr))

    def decode(self, bgr):
        return self._once(bgr, lambda: self.model.decode(bgr))

    def _once(self, bgr, look):
        key = hash(bgr.tobytes())
        if key not in self.seen:
            self.seen[key] = look()
        return self.seen[key]


class Constant:
    name = "constant"
    sha256 = "0" * 64

    def __init__(self, probability, thresholds):
        self.probability = probability
        self.thresholds = thresholds

    def violation_probabilities(self, evidence, clauses):
        return (self.probability,) * len(clauses)


@pytest.fixture(scope="module")
def recipes():
    return {name: load_recipe(name) for name in sorted({part["recipe"] for part in PARTS})}


@pytest.fixture(scope="module")
def models(recipes):
    built = assemble(tuple(recipes.values())).models
    return Models(
        detectors={name: Remembering(model) for name, model in built.detectors.items()},
        judges=built.judges,
        text_reader=Remembering(built.text_reader),
        code_reader=Remembering(built.code_reader),
    )


def decisions(models, recipes):
    inspector = Inspector(models)
    for part in PARTS:
        frame = Frame(
            camera_id="file",
            seq=0,
            captured_at=datetime.now(UTC),
            captured_ns=0,
            bgr=images.read(SAMPLES / part["picture"]),
        )
        found = inspector.inspect(
            frame,
            recipe=recipes[part["recipe"]],
            view=part["view"],
            context=Context(
                inspected_on=date.fromisoformat(part["inspected_on"]), expected=part["expected"]
            ),
        )
        yield part["part_id"], found.verdict


def agreement(models, recipes):
    verdicts = dict(decisions(models, recipes))
    agreeing = [v.decision == TRUTH[part_id]["decision"] for part_id, v in verdicts.items()]
    return sum(agreeing) / len(agreeing), verdicts


def with_judge(models, probability):
    judges = {
        name: Constant(probability, judge.thresholds) for name, judge in models.judges.items()
    }
    return Models(
        detectors=models.detectors,
        judges=judges,
        text_reader=models.text_reader,
        code_reader=models.code_reader,
    )


def test_the_demo_holds_what_it_must():
    boards = [part for part in PARTS if part["recipe"] == "pcb"]
    told = Counter(TRUTH[part["part_id"]]["decision"] for part in PARTS)
    assert len(boards) >= 24
    assert len(PARTS) - len(boards) >= 12
    assert told["HOLD"] >= 2
    assert sum(bool(TRUTH[part["part_id"]]["hangs_on"]) for part in PARTS) >= 6
    assert {part["part_id"] for part in PARTS} == set(TRUTH)


def test_the_shipped_models_agree_with_the_truth_and_let_nothing_escape(models, recipes):
    rate, verdicts = agreement(models, recipes)
    wrong = {
        part_id: (str(verdict.decision), verdict.detail, TRUTH[part_id]["decision"])
        for part_id, verdict in verdicts.items()
        if verdict.decision != TRUTH[part_id]["decision"]
    }
    assert rate >= AGREEMENT_DUE, wrong
    assert not [w for w in wrong.values() if w[0] == Decision.PASS], wrong


def test_a_judge_that_objects_to_all_is_found_out(models, recipes):
    rate, _ = agreement(with_judge(models, 1.0), recipes)
    assert rate < AGREEMENT_DUE


def test_parts_hang_on_what_was_read_from_the_clauses_words(models, recipes):
    unread = {
        name: replace(recipe, standard=replace(recipe.standard, clauses=unread_clauses(recipe)))
        for name, recipe in recipes.items()
    }
    rate, _ = agreement(with_judge(models, 0.0), unread)
    assert rate < AGREEMENT_DUE


def unread_clauses(recipe):
    return tuple(
        clause if isinstance(clause.check, KeyedCheck) else replace(clause, check=None)
        for clause in recipe.standard.clauses
    )
