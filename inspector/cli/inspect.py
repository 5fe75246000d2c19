"""`inspector inspect`: pictures by a recipe, without a station."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inspector import images
from inspector.assembly import assemble
from inspector.domain import Assessment, Context, Decision, Frame, Reason
from inspector.errors import PictureError
from inspector.settings import Recipe, load_recipe

STYLES = {Decision.PASS: "green", Decision.FAIL: "bold red", Decision.HOLD: "yellow"}
UNREADABLE = 3


def inspect_pictures(
    pictures: tuple[Path, ...],
    *,
    recipe_name: str,
    reference: Path | None,
    view: str | None,
    expect: tuple[str, ...],
    on: str | None,
    threads: int | None,
    as_json: bool,
) -> int:
    """Inspect each picture and print what was found; return the exit code."""
    recipe = load_recipe(recipe_name)
    if reference is not None:
        images.read(
            reference, bit_depth=recipe.settings.bit_depth
        )  # refused before any model loads
        recipe = recipe.with_reference(reference)
    context = Context(inspected_on=_day(on), expected=_expected(expect))
    inspector = assemble((recipe,), threads=threads)
    unreadable = 0
    for seq, picture in enumerate(pictures):
        error: str | None = None
        try:
            bgr = images.read(picture, bit_depth=recipe.settings.bit_depth)
        except PictureError as exc:
            unreadable += 1
            error = str(exc)
            assessment = Assessment.held(Reason.BAD_FRAME, error)
        else:
            frame = Frame(
                camera_id="file",
                seq=seq,
                captured_at=datetime.now(UTC),
                captured_ns=time.monotonic_ns(),
                bgr=bgr,
            )
            assessment = inspector.inspect(frame, recipe=recipe, view=view, context=context)
        if as_json:
            line = as_inspect_line(picture, assessment, recipe=recipe, error=error)
            # ASCII: a file name that is no Unicode could not be printed
            print(json.dumps(line, allow_nan=False), flush=True)
        else:
            _print(picture, assessment, recipe)
    return UNREADABLE if unreadable else 0


def as_inspect_line(
    picture: Path, assessment: Assessment, *, recipe: Recipe, error: str | None
) -> dict[str, Any]:
    """Return one line of `inspect --json` ("inspect/1")."""
    clauses = assessment.judgement.clauses if assessment.judgement is not None else ()
    found, verdict = assessment.findings, assessment.verdict
    line: dict[str, Any] = {
        "schema": "inspect/1",
        "image": str(picture),
        "decision": verdict.decision.value,
        "reason": verdict.reason.value,
        "detail": verdict.detail,
        "clauses": [
            {
                "id": clause.clause_id,
                "violated": clause.violated,
                "violation_probability": clause.violation_probability,
                "decided_by": clause.decided_by,
                "statement": clause.statement,
                "evidence": [{"kind": ref.kind, "index": ref.index} for ref in clause.evidence],
            }
            for clause in clauses
        ],
        "detections": [
            {
                "label": d.label,
                "confidence": round(d.confidence, 4),
                "box": d.box.as_list(),
                "width_mm": d.width_mm,
                "height_mm": d.height_mm,
                "zone": d.zone,
            }
            for d in found.detections
        ],
        "texts": [
            {
                "text": t.text,
                "confidence": round(t.confidence, 4),
                "box": t.box.as_list(),
                "field": t.field,
            }
            for t in found.text_lines
        ],
        "codes": [
            {
                "symbology": c.symbology,
                "text": c.text,
                "box": c.box.as_list(),
                "recovered": c.recovered,
            }
            for c in found.codes
        ],
        "timings": {
            name.removesuffix("_ms"): round(getattr(assessment.timings, name), 2)
            for name in ("detect_ms", "read_ms", "judge_ms", "total_ms")
        },
        "models": _models(assessment, recipe),
    }
    if error is not None:
        line["error"] = error
    return line


def _models(assessment: Assessment, recipe: Recipe) -> Mapping[str, str]:
    detector = recipe.settings.detector
    named = {
        detector.model if detector is not None else "": assessment.provenance.detector_sha256,
        recipe.settings.judge: assessment.provenance.judge_sha256,
    }
    return {name: sha256 for name, sha256 in named.items() if sha256 is not None}


def _print(picture: Path, assessment: Assessment, recipe: Recipe) -> None:
    console = Console()
    verdict = assessment.verdict
    console.print(
        f"[bold]{escape(picture.name)}[/]  [{STYLES[verdict.decision]}]{verdict.decision}[/]  "
        f"{verdict.reason}",
        highlight=False,
    )
    if assessment.judgement is None:
        console.print(f"  {verdict.detail}", highlight=False, markup=False)
        return
    texts = {clause.id: clause.text for clause in recipe.standard.clauses}
    table = Table(box=None, pad_edge=True, show_header=True, header_style="dim")
    for heading in ("clause", "", "by", "P(violated)", "why"):
        table.add_column(heading, overflow="fold")
    for found in assessment.judgement.clauses:
        mark = {True: "[bold red]violated[/]", False: "[green]met[/]", None: "[yellow]open[/]"}
        probability = found.violation_probability
        table.add_row(
            found.clause_id,
            mark[found.violated],
            found.decided_by,
            "–" if probability is None else f"{probability:.3f}",
            escape(f"{texts[found.clause_id]} — {found.statement}"),  # it quotes printed text
        )
    console.print(table)


def _day(on: str | None) -> date:
    if on is None:
        return datetime.now().astimezone().date()
    try:
        return date.fromisoformat(on)
    except ValueError:
        raise typer.BadParameter(f"expected an ISO date like 2026-11-23, got {on!r}") from None


def _expected(pairs: tuple[str, ...]) -> dict[str, str]:
    expected: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"expected KEY=VALUE, got {pair!r}")
        expected[key] = value
    return expected
