"""The hand-made judge cases are well formed, evenly spread and apart from the training wordings."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from inspector.cases import read_cases

INSPECTOR = Path(__file__).parents[2] / "inspector"
FILE = INSPECTOR / "assets/cases/judge.jsonl"
ROWS = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
WORDINGS = sorted((INSPECTOR / "training").glob("*.yaml"))
CATEGORIES = {
    "zero-tolerance", "count-limit", "size-limit", "count-and-size", "zone", "zone-exception",
    "synonym", "text-content", "text-equality", "date", "code", "negation", "distractor",
    "injection",
}  # fmt: skip
RUN_WORDS = 6
LINE_BYTES = 1100


def strings(node):
    """Yield every string of a YAML tree, keys included: a wording may be either."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from strings(key)
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def runs(text):
    """Return the runs of six words; a slot such as `{limit}` ends a run."""
    found = set()
    for piece in re.split(r"[{}]", text):
        words = re.findall(r"[^\W_]+", piece.casefold())
        found |= {tuple(words[i : i + RUN_WORDS]) for i in range(len(words) - RUN_WORDS + 1)}
    return found


def plain(clause):
    return " ".join(re.findall(r"[^\W_]+", clause.casefold()))


def test_every_line_is_a_case_that_asks_one_clause_and_knows_the_answer():
    cases = read_cases(FILE)
    assert len(cases) == len(ROWS) >= 300
    for case in cases:
        assert len(case.clauses) == 1
        assert not case.several
        assert case.violated is not None
    assert all(row["note"] for row in ROWS)


def test_ids_and_clauses_are_all_different():
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    twice = [text for text, n in Counter(plain(row["clause"]) for row in ROWS).items() if n > 1]
    assert twice == []


def test_every_category_has_twenty_cases_and_both_answers():
    answers = Counter((row["category"], row["violated"]) for row in ROWS)
    assert {category for category, _ in answers} == CATEGORIES
    for category in CATEGORIES:
        violated, not_violated = answers[category, True], answers[category, False]
        assert violated + not_violated >= 20, category
        assert 0.4 <= violated / (violated + not_violated) <= 0.6, category
    assert 0.4 <= sum(row["violated"] for row in ROWS) / len(ROWS) <= 0.6


def test_cases_stand_in_pairs_of_opposite_answers():
    for first, second in zip(ROWS[::2], ROWS[1::2], strict=True):
        assert first["category"] == second["category"], first["id"]
        assert first["violated"] != second["violated"], first["id"]


def test_lines_stay_short_enough_to_read():
    lines = FILE.read_text(encoding="utf-8").splitlines()
    assert [row["id"] for row, line in zip(ROWS, lines, strict=True)
            if len(line.encode()) > LINE_BYTES] == []  # fmt: skip


@pytest.mark.parametrize("path", WORDINGS, ids=lambda path: path.name)
def test_no_case_shares_six_words_in_a_row_with_a_training_wording(path):
    trained = set()
    for text in strings(yaml.safe_load(path.read_text(encoding="utf-8"))):
        trained |= runs(text)
    shared = {
        row["id"]: " ".join(run)
        for row in ROWS
        for text in (row["clause"], *(line["text"] for line in row["evidence"]["texts"]))
        for run in runs(text) & trained
    }
    assert shared == {}
