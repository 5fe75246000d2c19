"""Three ways to inspect the same part: the product, a naive script, the bare models.

*product* is the pipeline from picture file to verdict, *naive* is `inspector.benchmarks.naive` from
the same file to the probabilities of the clauses, *bare* the models alone, on inputs prepared
beforehand: nothing can be faster with them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from inspector import evidence, images
from inspector.benchmarks.naive import NaiveInspector
from inspector.domain import Bgr, Context, Evidence, Findings, Frame
from inspector.models.detector import YoloDetector
from inspector.models.judge import FusedJudge
from inspector.pipeline import Inspector
from inspector.settings import Recipe, resolve_asset

Laps = dict[str, float]
"""Milliseconds by stage; "total" is measured around all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    recipe: Recipe
    picture: Path
    view: str | None
    context: Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Inputs of the bare models for one part."""

    laid: Bgr | None
    picture: Bgr
    evidence: Evidence


def product(part: Part, inspector: Inspector) -> Laps:
    """Inspect `part` as a station does."""
    watch = _Watch()
    bgr = images.read(part.picture, bit_depth=part.recipe.settings.bit_depth)
    picture_ms = watch.lap()
    found = inspector.inspect(_frame(bgr), recipe=part.recipe, view=part.view, context=part.context)
    stages = {"detect": found.timings.detect_ms, "read": found.timings.read_ms}
    return {
        "picture": picture_ms,
        **{stage: spent for stage, spent in stages.items() if _does(part.recipe, stage)},
        "judge": found.timings.judge_ms,
        "total": watch.total(),
    }


def naive(part: Part, script: NaiveInspector) -> Laps:
    """Inspect `part` as the naive script does."""
    watch = _Watch()
    picture = looked_at = images.read(part.picture)
    laps = {"picture": watch.lap()}
    if part.recipe.settings.detector is not None:
        template = images.read(reference_of(part))
        findings = Findings(detections=script.detect(picture, template))
        looked_at = images.compose(picture, template)
        laps["detect"] = watch.lap()
    else:
        findings = script.read(picture)
        laps["read"] = watch.lap()
    seen = evidence.gather(
        findings,
        product=part.recipe.settings.product,
        context=part.context,
        frame_bgr=looked_at,
    )
    script.judge(seen, part.recipe.standard.clauses)
    laps["judge"] = watch.lap()
    return {**laps, "total": watch.total()}


def bare(part: Part, inputs: Prepared, inspector: Inspector) -> Laps:
    """Run the models that `part` needs on `inputs`, one after another."""
    models, settings = inspector.models, part.recipe.settings
    watch = _Watch()
    laps: Laps = {}
    if settings.detector is not None and inputs.laid is not None:
        detector = models.detectors[settings.detector.model]
        assert isinstance(detector, YoloDetector)
        detector.predictions(inputs.laid)
        laps["detect"] = watch.lap()
    if settings.read_text and models.text_reader is not None:
        models.text_reader.read(inputs.picture)
        if settings.read_codes and models.code_reader is not None:
            models.code_reader.decode(inputs.picture)
        laps["read"] = watch.lap()
    judge = models.judges[settings.judge]
    assert isinstance(judge, FusedJudge)
    judge.logits(inputs.evidence, [clause.text for clause in part.recipe.standard.clauses])
    laps["judge"] = watch.lap()
    return {**laps, "total": watch.total()}


def prepared(part: Part, inspector: Inspector) -> Prepared:
    """Return what the bare models look at for `part`."""
    settings = part.recipe.settings
    picture = looked_at = images.read(part.picture, bit_depth=settings.bit_depth)
    laid = None
    if settings.detector is not None:
        looked_at = images.compose(picture, images.read(reference_of(part)))
        detector = inspector.models.detectors[settings.detector.model]
        assert isinstance(detector, YoloDetector)
        laid, _ = detector.laid_out(picture, images.read(reference_of(part)))
    found = inspector.inspect(
        _frame(picture), recipe=part.recipe, view=part.view, context=part.context
    )
    return Prepared(
        laid=laid,
        picture=picture,
        evidence=evidence.gather(
            found.findings, product=settings.product, context=part.context, frame_bgr=looked_at
        ),
    )


def _frame(bgr: Bgr) -> Frame:
    now = datetime.now(UTC)
    return Frame(
        camera_id="bench", seq=0, captured_at=now, captured_ns=time.monotonic_ns(), bgr=bgr
    )


def reference_of(part: Part) -> Path:
    """Return the golden picture of `part`."""
    folder = resolve_asset(part.recipe.settings.reference or "")
    return folder / f"{part.view}.png"


def _does(recipe: Recipe, stage: str) -> bool:
    settings = recipe.settings
    if stage == "detect":
        return settings.detector is not None
    return settings.read_text or settings.read_codes


class _Watch:
    """Milliseconds since the last lap and since the start."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter_ns()

    def lap(self) -> float:
        now = time.perf_counter_ns()
        spent, self._last = (now - self._last) / 1e6, now
        return spent

    def total(self) -> float:
        return (time.perf_counter_ns() - self._start) / 1e6
