"""What the clause reader refuses, and what it makes of lines; the model itself is tested where one
is trained."""

from itertools import islice

import pytest

from inspector.line_grammar import as_line, as_written, grammar
from inspector.models.clause_reader import (
    CLAUSE_CHARACTERS,
    NOTHING_TO_SEE,
    reading_of,
    refusal,
)
from inspector.models.shelf import model_folder
from inspector.training.corpus_clauses import read_clauses


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no words"),
        ("\x00\x1b ;; 5", "no words"),
        ("no dents " * 2000, "split it into several clauses"),
        ("外観に傷がないこと", "another script"),
        ("Нет царапин на стекле", "another script"),
    ],
)
def test_what_is_no_clause_is_refused_with_the_reason(text, why):
    assert why in refusal(text)
    reading = reading_of(text, "", likelihood=0.9, agreement=1.0)
    assert reading.check is None and not reading.is_read
    assert reading.confidence == 0 and why in reading.words


@pytest.mark.parametrize("text", ["No dents Ø > 5 µm", "At most\ttwo\x0bdents.", "Aucune rayure"])
def test_signs_and_control_characters_do_not_keep_a_clause_from_being_read(text):
    assert refusal(text) is None


def test_a_clause_is_read_whole_or_not_at_all():
    assert refusal("no " + "x" * (CLAUSE_CHARACTERS - 3)) is None
    assert refusal("no " + "x" * (CLAUSE_CHARACTERS - 2)) is not None


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(model_folder("clause-reader"))


@pytest.mark.parametrize(
    ("clause", "line"),
    [
        (
            "Under [17] in the Data Matrix no day less than 3 months ahead",
            "date(element 17; in Data Matrix) >= today + 3 months",
        ),
        (
            "The serial number in the linear code equals the serial number in the QR code",
            "equal(element serial number; in linear code; element serial number; in QR code)",
        ),
        ("All codes say the same.", "equal(code; code)"),
        ("[01] is the same in all codes.", "equal(element 01; element 01)"),
        ("[10] in the QR code is the lot.", "equal(element 10; in QR code; field lot)"),
        ("[21] is the serial number.", "equal(element 21; field serial number)"),
        ("[91] reads A7.", 'equal(element 91; "A7")'),
        ("Only QR codes.", "codes(any; except QR codes) = 0"),
        ('Each QR code begins with "https"', 'codes(QR code; starts "https"; each) >= 1'),
        ("Each code equals the lot.", "equal(code; field lot; each) and codes(any) >= 1"),
    ],
)
def test_a_line_can_be_written_for_its_clause(tokenizer, clause, line):
    import llguidance.hf

    rules = llguidance.LLMatcher.grammar_from_lark(grammar(clause))
    matcher = llguidance.LLMatcher(llguidance.hf.from_tokenizer(tokenizer), rules)
    pieces = [*tokenizer.encode(as_written(line)), tokenizer.eos_token_id]
    assert matcher.try_consume_tokens(pieces) == len(pieces)
    assert as_line(as_written(line)) == line


def test_every_line_of_the_corpus_can_be_written_for_its_clause(tokenizer):
    import llguidance.hf

    known = llguidance.hf.from_tokenizer(tokenizer)
    for held_out in (False, True):
        for one in islice(read_clauses(seed=4, held_out=held_out), 200):
            rules = llguidance.LLMatcher.grammar_from_lark(grammar(one.clause))
            pieces = tokenizer.encode(as_written(one.line))
            assert llguidance.LLMatcher(known, rules).try_consume_tokens(pieces) == len(pieces), one


def test_a_line_without_a_check_says_so():
    reading = reading_of("Torque to 2 Nm.", "no check", likelihood=0.9, agreement=1.0)
    assert reading.check is None and reading.line == "no check"
    assert reading.words == NOTHING_TO_SEE


def test_what_is_no_line_was_not_read():
    reading = reading_of("No dents.", "defects(dents", likelihood=0.9, agreement=1.0)
    assert not reading.is_read and reading.line == ""
