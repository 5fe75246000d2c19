"""What `inspector inspect` prints of odd names and odd print."""

import json
import os
from pathlib import Path

from inspector.cli.inspect import _print, as_inspect_line
from inspector.domain import (
    Assessment,
    ClauseFinding,
    Decision,
    Findings,
    Judgement,
    Reason,
    Verdict,
)
from inspector.settings import load_recipe


def test_print_that_looks_like_markup_is_shown_as_it_is(capsys):
    recipe = load_recipe("label")
    finding = ClauseFinding(
        clause_id="L1",
        violated=False,
        violation_probability=0.0,
        decided_by="rule",
        statement="QRCode code reads '[/b]'.",
    )
    assessment = Assessment(
        findings=Findings(),
        judgement=Judgement(clauses=(finding,), judge="j"),
        verdict=Verdict(decision=Decision.PASS, reason=Reason.CLEAN, detail=""),
    )
    _print(Path("a[b]c.png"), assessment, recipe)
    shown = capsys.readouterr().out
    assert "a[b]c.png" in shown
    assert "'[/b]'" in shown


def test_a_file_name_that_is_no_unicode_can_be_printed():
    name = Path(os.fsdecode(b"\xff.png"))
    line = as_inspect_line(
        name, Assessment.held(Reason.BAD_FRAME, "gone"), recipe=load_recipe("label"), error="gone"
    )
    assert json.loads(json.dumps(line).encode())["image"] == str(name)
