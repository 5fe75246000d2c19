"""`inspector standard read`: readings are shown, and written only where approved."""

import json

import pytest

from inspector.cli.standard import read_standard, with_lines
from inspector.errors import SettingsError
from inspector.models import reading_cache
from inspector.models.reading_cache import CachedReader
from inspector.settings import load_standard

STANDARD = """# the plant's own words
title: Covers
clauses:
  - id: A1   # first
    text: At most two dents.
    severity: critical
  - id: A2
    text: >-
      No scratches
      on the rim.

  - id: A3
    text: At most three dents are accepted.
    check: {kind: defects, labels: [dent], at_most: 3}
  - id: A4
    text: Screws are tight.
"""
LINES = {
    "At most two dents.": "defects(dents) <= two",
    "No scratches on the rim.": "defects(scratches; in rim) = 0",
    "At most three dents are accepted.": "defects(dents) <= 2",
    "Screws are tight.": "no check",
    "A badge must be printed, and nothing else.": 'texts("BADGE") >= 1',
    "Nothing may be printed.": "texts(any) = 0",
}


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A folder whose readings are all kept from an earlier run, so that no model is loaded."""
    folder = tmp_path / "reader"
    folder.mkdir()
    (folder / "w").write_bytes(b"")
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    card = {"name": "r", "kind": "clause-reader", "file": "w", "sha256": sha256}
    (folder / "model.json").write_text(json.dumps(card))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = CachedReader(name=str(folder)).path
    kept.parent.mkdir()
    rows = [
        {"clause": clause, "line": line, "likelihood": 0.9, "agreement": 1.0}
        for clause, line in LINES.items()
    ]
    kept.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"torn')
    return str(folder)


@pytest.fixture
def standard(tmp_path):
    path = tmp_path / "covers.yaml"
    path.write_text(STANDARD)
    return path


def test_readings_are_shown_with_examples_and_contradictions(standard, reader, capsys):
    read_standard(standard, reader=reader, approve=(), as_json=True)
    rows = {row["id"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows["A1"]["words"] == "at most 2 dents"
    assert rows["A1"]["fails"].count("dents") == 3
    assert rows["A3"]["contradicts"]
    assert rows["A4"]["read"] is False
    assert standard.read_text() == STANDARD


def test_approved_readings_stand_beside_their_clauses(standard, reader, capsys):
    read_standard(standard, reader=reader, approve=("all",), as_json=False)
    text = standard.read_text()
    assert '    line: "defects(dents) <= two"\n    severity: critical' in text
    assert "# the plant's own words" in text and "# first" in text
    clauses = {clause.id: clause for clause in load_standard(str(standard)).clauses}
    assert clauses["A1"].check.limit == 2
    assert clauses["A2"].check.inside == ("rim",)
    assert clauses["A3"].check.at_most == 3
    assert clauses["A4"].check is None
    assert "left to the judge" in capsys.readouterr().out


def test_clauses_that_no_part_keeps_together_are_warned_of(tmp_path, reader, capsys):
    path = tmp_path / "badges.yaml"
    path.write_text(
        "title: Badges\nclauses:\n"
        "  - {id: P1, text: 'A badge must be printed, and nothing else.'}\n"
        "  - {id: P2, text: Nothing may be printed.}\n"
        "  - {id: P3, text: At most two dents.}\n"
    )
    read_standard(path, reader=reader, approve=(), as_json=True)
    said = capsys.readouterr().err
    assert "keeps both P1 and P2" in said
    assert "P3" not in said


@pytest.mark.parametrize("others", [(), ("A1",), ("all",)])
@pytest.mark.parametrize("wrong", ["A3", "A4", "A9"])
def test_only_what_was_read_and_has_no_check_can_be_approved(standard, reader, wrong, others):
    with pytest.raises(SettingsError, match=f"{wrong}: .*A1, A2"):
        read_standard(standard, reader=reader, approve=(*others, wrong), as_json=True)
    assert standard.read_text() == STANDARD


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- {id: A1, text: 'No dents.'}  # why\n", "- {id: A1, LINE, text: 'No dents.'}  # why\n"),
        ('- {"id": "A1", "text": "No dents."}', '- {"id": "A1", LINE, "text": "No dents."}'),
        ("- id: A1\r\n  text: No dents.\r\n", "- id: A1\r\n  text: No dents.\r\n  LINE\r\n"),
        ("- id: A1\n  text: |\n    No dents.", "- id: A1\n  text: |\n    No dents.\n  LINE\n"),
        ("- text: 'No dents.' # a\n  id: A1\n", "- text: 'No dents.' # a\n  LINE\n  id: A1\n"),
    ],
    ids=["braces", "JSON", "line ends of Windows", "no last line end", "text first"],
)
def test_a_line_is_written_in_the_layout_of_its_clause(before, after):
    line = r'line: "texts(\"KEEP DRY\") = 0"'
    written = with_lines(f"clauses:\n{before}", {"A1": 'texts("KEEP DRY") = 0'})
    assert written == f"clauses:\n{after}".replace("LINE", line)


def test_a_file_that_a_line_would_break_stays_as_it_is(tmp_path, reader):
    path = tmp_path / "odd.yaml"
    odd = "title: Covers\nclauses:\n  - ? id\n    : A1\n    ? text\n    : At most two dents.\n"
    path.write_text(odd)
    with pytest.raises(SettingsError, match=r"A1: line: defects\(dents\) <= two"):
        read_standard(path, reader=reader, approve=("A1",), as_json=True)
    assert path.read_text() == odd


def test_signs_that_nobody_sees_ask_nothing(tmp_path, reader):
    path = tmp_path / "odd.yaml"
    odd = r"A\u200bt most\x1b two de\u00adnts\u202e.\u2028"
    path.write_text(f'title: Covers\nclauses:\n  - id: A1\n    text: "{odd}"\n')
    read_standard(path, reader=reader, approve=("all",), as_json=True)
    (clause,) = load_standard(str(path)).clauses
    assert (clause.text, clause.check.limit) == ("At most two dents.", 2)
    assert odd in path.read_text()


@pytest.mark.parametrize("text", [r"\u200b\u200b\u200b", r"\x1b\x07\x00", r"\u200bA\u202e", "   "])
def test_a_clause_of_signs_that_nobody_sees_is_refused(tmp_path, text):
    path = tmp_path / "odd.yaml"
    path.write_text(f'title: Covers\nclauses:\n  - id: A1\n    text: "{text}"\n')
    with pytest.raises(SettingsError, match=r"clauses\.0\.text"):
        load_standard(str(path))


def test_a_clause_is_approved_once(standard, reader):
    read_standard(standard, reader=reader, approve=("A1", "A1"), as_json=True)
    once = standard.read_text()
    assert once.count("line:") == 1
    with pytest.raises(SettingsError, match="has no check yet"):
        read_standard(standard, reader=reader, approve=("A1",), as_json=True)
    assert standard.read_text() == once


def test_a_standard_with_a_malformed_line_is_refused(standard):
    standard.write_text(with_lines(STANDARD, {"A1": "defects(dents) <= many"}))
    with pytest.raises(SettingsError, match="expected a number"):
        load_standard(str(standard))
    standard.write_text(with_lines(STANDARD, {"A3": "defects(dents) <= 2"}))
    with pytest.raises(SettingsError, match="found both"):
        load_standard(str(standard))


def test_a_reading_is_kept_for_the_next_run(tmp_path, reader):
    again = CachedReader(name=reader).read_clauses(["At most two dents."])
    assert again["At most two dents."].line == "defects(dents) <= two"
    assert reading_cache.CachedReader(name=reader, folder=tmp_path)._kept() == {}
