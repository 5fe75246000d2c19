"""The check language can say every clause about codes, dates and equality of the judge's cases."""

from pathlib import Path

import pytest
import yaml

from inspector.cases import read_cases
from inspector.domain import Outcome
from inspector.line_grammar import as_line, as_written, grammar
from inspector.models.shelf import model_folder
from inspector.reading import from_line
from inspector.standard import World, says

ROOT = Path(__file__).parents[2]
CASES = {case.id: case for case in read_cases(ROOT / "inspector/assets/cases/judge.jsonl")}
LINES = yaml.safe_load((ROOT / "tests/truth/lines.yaml").read_text(encoding="utf-8"))
SAID = {"code", "date", "text-equality"}
OPEN = World(sure_at=0.5, missing="hold")


@pytest.fixture(scope="module")
def writer():
    import llguidance.hf
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(model_folder("clause-reader"))
    return tokenizer, llguidance.hf.from_tokenizer(tokenizer)


def test_every_case_of_these_categories_has_a_line():
    assert {name for name, case in CASES.items() if case.category in SAID} <= set(LINES)


@pytest.mark.parametrize("name", LINES)
def test_a_line_decides_its_case(name):
    outcome = says(from_line(LINES[name]), CASES[name].evidence).outcome
    assert outcome is (Outcome.VIOLATED if CASES[name].violated else Outcome.CONFORMS)


@pytest.mark.parametrize("name", [name for name in LINES if CASES[name].violated])
def test_on_a_station_no_bad_case_passes(name):
    outcome = says(from_line(LINES[name]), CASES[name].evidence, OPEN).outcome
    assert outcome is not Outcome.CONFORMS


@pytest.mark.parametrize("name", LINES)
def test_a_line_is_written_with_the_words_of_its_clause(name, writer):
    import llguidance

    tokenizer, known = writer
    rules = llguidance.LLMatcher.grammar_from_lark(grammar(CASES[name].clauses[0].text))
    written = as_written(LINES[name])
    pieces = [*tokenizer.encode(written), tokenizer.eos_token_id]
    assert llguidance.LLMatcher(known, rules).try_consume_tokens(pieces) == len(pieces)
    assert as_line(written) == LINES[name]
