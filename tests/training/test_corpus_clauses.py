"""The clause reader's corpus: every wording can be filled, and every line can be copied."""

import re
from itertools import islice

from inspector.domain import Outcome
from inspector.line_grammar import as_read
from inspector.reading import from_line, to_line
from inspector.standard import says
from inspector.training.clause_slots import is_held_out
from inspector.training.corpus_clauses import check_wordings, groups, read_clauses
from inspector.training.corpus_judged import judged_clauses

OF_THE_LANGUAGE = frozenset(
    "defects kinds length width height area texts codes equal contains date format in not except "
    "longest confidence characters each kind zone any field language unit product starts within "
    "exact element valid order code today day ignoring hyphens spaces dots leading zeros if then "
    "and or expiry production lot serial number part GTIN no check missing 0 1".split()
)


def drawn(count, *, seed=1, held_out=False):
    return list(islice(read_clauses(seed=seed, held_out=held_out), count))


def test_every_wording_fits_its_line():
    check_wordings()
    assert sum(len(group.wordings) for group in groups()) > 5000


def test_the_same_seed_gives_the_same_clauses():
    assert drawn(50) == drawn(50)
    assert drawn(50) != drawn(50, seed=2)


def test_every_word_of_a_line_stands_in_its_clause():
    for one in drawn(400):
        words = set(re.findall(r"[^\W_]+", as_read(one.clause))) | OF_THE_LANGUAGE
        assert set(re.findall(r"[^\W_]+", one.line)) <= words, one


def test_every_line_says_a_check_that_can_be_written_again():
    for one in drawn(400, seed=3):
        check = from_line(one.line)
        assert from_line(to_line(check)) == check


def test_wordings_for_validation_are_apart():
    held_out = {w for group in groups() for w in group.wordings if is_held_out(w)}
    everything = sum(len(group.wordings) for group in groups())
    assert 0.08 < len(held_out) / everything < 0.17
    assert {one.family for one in drawn(300, held_out=True)} > {"zone", "date", "code"}


def test_parts_are_judged_by_what_the_line_says():
    found = list(islice(judged_clauses(seed=1, held_out=True), 120))
    assert 0.3 < sum(one.violated for one in found) / len(found) < 0.7
    for one in found:
        outcome = says(from_line(one.clause.line), one.evidence).outcome
        assert (outcome is Outcome.VIOLATED) is one.violated
