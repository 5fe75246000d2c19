"""One frame through the recipe: detector, text, codes, checks, judge, decision.

The vendors stand behind Protocols; `Inspector.inspect` never raises for a bad part or a failed
model: what went wrong is a HOLD with its reason.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import regex

from inspector import __version__, images, standard
from inspector import evidence as evidences
from inspector.attribution import influences
from inspector.decision import Thresholds, decide
from inspector.domain import (
    Assessment,
    Bgr,
    Clause,
    Code,
    Context,
    Detection,
    Evidence,
    EvidenceRef,
    Findings,
    Frame,
    Judgement,
    Provenance,
    Reason,
    TextLine,
    Timings,
    Verdict,
)
from inspector.errors import ModelError, PictureError, ReferenceMissing
from inspector.registration import Golden
from inspector.settings import (
    VIEW_PATTERN,
    Recipe,
    RecipeSettings,
    RegistrationSettings,
    resolve_asset,
)
from inspector.statements import Influence

SOFTWARE = f"inspector {__version__}"
PATTERN_WITHIN_S = 0.1
EXPLAIN_WITHIN_S = 0.3
# A prepared reference of 640 × 640 px takes some 4 MB, one of 5 megapixels some 20.
REFERENCES_AT_MOST = 16


class Detector(Protocol):
    """Finds defects. One instance serves one thread."""

    labels: tuple[str, ...]
    sha256: str
    needs_reference: bool
    sure_at: float

    def detect(
        self, bgr: Bgr, *, reference_bgr: Bgr | None, report_at: float | None, iou: float
    ) -> tuple[Detection, ...]:
        """Return the defects of `bgr`, highest confidence first; raise `ModelError`.

        Where `report_at` is None the detector's own threshold counts, chosen when it was trained.
        """
        ...


class TextReader(Protocol):
    """Reads printed text. One instance serves one thread."""

    def read(self, bgr: Bgr) -> tuple[TextLine, ...]:
        """Return the lines of `bgr`, top to bottom, `field` unset; raise `ModelError`."""
        ...


class CodeReader(Protocol):
    """Reads bar codes and matrix codes. One instance serves one thread."""

    def decode(self, bgr: Bgr) -> tuple[Code, ...]:
        """Return the codes of `bgr`; raise `ModelError`."""
        ...


class Judge(Protocol):
    """Judges evidence against clauses. One instance serves one thread."""

    name: str
    sha256: str
    thresholds: Thresholds

    def violation_probabilities(
        self, evidence: Evidence, clauses: tuple[Clause, ...]
    ) -> tuple[float, ...]:
        """Return the calibrated P(violated) of each clause; raise `ModelError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The models of one worker thread; detectors and judges by the name the recipe gives."""

    detectors: Mapping[str, Detector]
    judges: Mapping[str, Judge]
    text_reader: TextReader | None = None
    code_reader: CodeReader | None = None


class Inspector:
    """Inspects frames by recipe. One instance serves one thread."""

    def __init__(
        self, models: Models, *, clock_ns: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self.models = models
        self._clock_ns = clock_ns
        self._references: OrderedDict[tuple[str, RegistrationSettings], Golden] = OrderedDict()

    def inspect(
        self,
        frame: Frame,
        *,
        recipe: Recipe,
        view: str | None,
        context: Context,
        within_s: float | None = None,
    ) -> Assessment:
        """Return what `recipe` says of `frame`.

        `within_s` is the time until somebody must be answered: what the judge objected to is
        explained only while less than half of it is gone, and a part that passes never is.

        HOLD, not an error, where the frame has the wrong size, is all black or does not lie on its
        reference (BAD_FRAME), the reference is not there or shows nothing (REFERENCE_MISSING) or a
        model fails (MODEL_FAILED).
        """
        settings, bgr = recipe.settings, frame.bgr
        watch = _Watch(self._clock_ns)
        provenance = Provenance(frame_sha256=sha256_of(bgr), software=SOFTWARE)
        try:
            images.require_size(bgr, settings.frame_size_px)
            images.require_light(bgr)
            reference = self._reference(bgr, settings, view)
            detections, detector_sha256 = self._detect(bgr, reference, settings)
            provenance = replace(provenance, detector_sha256=detector_sha256)
            watch.lap("detect")
            findings = self._read(bgr, settings, detections)
            watch.lap("read")
            evidence = evidences.gather(
                findings,
                product=settings.product,
                context=context,
                frame_bgr=_seen(bgr, reference),
            )
        except PictureError as exc:
            return replace(Assessment.held(Reason.BAD_FRAME, str(exc)), provenance=provenance)
        except ReferenceMissing as exc:
            return replace(
                Assessment.held(Reason.REFERENCE_MISSING, str(exc)), provenance=provenance
            )
        except ModelError as exc:
            return replace(Assessment.held(Reason.MODEL_FAILED, str(exc)), provenance=provenance)
        explain_for_s = EXPLAIN_WITHIN_S
        if within_s is not None:
            explain_for_s = min(EXPLAIN_WITHIN_S, within_s / 2 - watch.gone_s())
        judgement, verdict = self._judge(evidence, recipe, explain_for_s=explain_for_s)
        watch.lap("judge")
        judge = self.models.judges[settings.judge]
        return Assessment(
            findings=Findings(
                detections=evidence.defects, text_lines=evidence.texts, codes=evidence.codes
            ),
            judgement=judgement,
            verdict=verdict,
            timings=watch.timings(),
            provenance=replace(provenance, judge_sha256=judge.sha256),
        )

    def _reference(self, bgr: Bgr, settings: RecipeSettings, view: str | None) -> Bgr | None:
        """Return the reference as it lies under the frame, None where the recipe has none."""
        golden = self._golden(settings, view)
        return None if golden is None else golden.under(bgr)

    def _golden(self, settings: RecipeSettings, view: str | None) -> Golden | None:
        if settings.reference is None:
            return None
        path = resolve_asset(settings.reference)
        if path.is_dir():
            if view is None or not VIEW_PATTERN.fullmatch(view):
                raise ReferenceMissing(
                    f"expected a view of letters, digits, '_' and '-' that names a picture in "
                    f"{path}, got {view!r}"
                )
            path = path / f"{view}.png"
        key = (str(path), settings.registration)
        if key in self._references:
            self._references.move_to_end(key)
            return self._references[key]
        if not path.is_file():
            raise ReferenceMissing(
                f"expected the reference picture {path}, found none; add it or correct the view"
            )
        picture = images.read(path, bit_depth=settings.bit_depth)
        golden = Golden(picture, limits=settings.registration)
        if golden.is_even:
            # a picture of nothing would agree with a dead camera
            raise ReferenceMissing(
                f"{path}: expected a golden picture with structure, found an even one; replace it"
            )
        self._references[key] = golden
        if len(self._references) > REFERENCES_AT_MOST:
            self._references.popitem(last=False)
        return golden

    def _detect(
        self, bgr: Bgr, reference: Bgr | None, settings: RecipeSettings
    ) -> tuple[tuple[Detection, ...], str | None]:
        if settings.detector is None:
            return (), None
        detector = self.models.detectors[settings.detector.model]
        found = detector.detect(
            bgr,
            reference_bgr=reference,
            report_at=settings.detector.report_at,
            iou=settings.detector.iou,
        )
        return tuple(measured(d, settings) for d in found), detector.sha256

    def _sure_at(self, settings: RecipeSettings) -> float:
        if settings.detector is None:
            return 0.0
        if settings.detector.sure_at is not None:
            return settings.detector.sure_at
        return self.models.detectors[settings.detector.model].sure_at

    def _read(
        self, bgr: Bgr, settings: RecipeSettings, detections: tuple[Detection, ...]
    ) -> Findings:
        lines: tuple[TextLine, ...] = ()
        codes: tuple[Code, ...] = ()
        # text nobody read must not look like text that is not there
        if settings.read_text:
            if self.models.text_reader is None:
                raise ModelError("expected a text reader for this recipe, found none loaded")
            read = self.models.text_reader.read(bgr)
            lines = tuple(field for line in read for field in matched(line, settings))
        if settings.read_codes:
            if self.models.code_reader is None:
                raise ModelError("expected a code reader for this recipe, found none loaded")
            codes = self.models.code_reader.decode(bgr)
        return Findings(detections=detections, text_lines=lines, codes=codes)

    def _judge(
        self, evidence: Evidence, recipe: Recipe, *, explain_for_s: float
    ) -> tuple[Judgement, Verdict]:
        settings = recipe.settings
        clauses = recipe.standard.clauses
        world = standard.World(
            sure_at=self._sure_at(settings),
            missing=settings.missing,
            zones=tuple(zone.name for zone in settings.zones),
        )
        checks = {}
        for clause in clauses:
            result = standard.check(clause, evidence, world)
            if result is not None:
                checks[clause.id] = result
        judge = self.models.judges[settings.judge]
        start_ns = self._clock_ns()
        probabilities: dict[str, float] = {}
        failure = ""
        try:
            found = judge.violation_probabilities(evidence, clauses)
            if len(found) != len(clauses):
                raise ModelError(f"expected {len(clauses)} probabilities, got {len(found)}")
            probabilities = {c.id: p for c, p in zip(clauses, found, strict=True)}
        except ModelError as exc:
            failure = f" ({exc})"
        once_ns = self._clock_ns() - start_ns
        blamed = tuple(
            c
            for c in clauses
            if c.id not in checks and judge.thresholds.says_violated(probabilities.get(c.id, 0.0))
        )
        unsure = _of_the_unsure(judge, evidence, blamed, sure_at=world.sure_at)

        def decided(
            influences: Mapping[str, Sequence[Influence]],
        ) -> tuple[Judgement, Verdict]:
            return decide(
                recipe.standard,
                evidence,
                checks=checks,
                probabilities=probabilities,
                thresholds=judge.thresholds,
                judge=judge.name,
                minor=settings.minor,
                influences=influences,
                looked_for=self._looked_for(settings),
                unsure=unsure,
            )

        judgement, verdict = decided({})
        objected = _objected(clauses, judgement)
        if objected:
            until_ns = start_ns + explain_for_s * 1e9 - once_ns
            judgement, verdict = decided(self._influences(judge, evidence, objected, until_ns))
        return judgement, replace(verdict, detail=verdict.detail + failure)

    def _looked_for(self, settings: RecipeSettings) -> tuple[str, ...]:
        """Return the names of what this recipe looks for, found or not."""
        detector = settings.detector
        labels = self.models.detectors[detector.model].labels if detector is not None else ()
        zones = (zone.name for zone in settings.zones)
        return (*labels, *zones, *(field.field for field in settings.text_fields))

    def _influences(
        self, judge: Judge, evidence: Evidence, objected: Mapping[Clause, float], until_ns: float
    ) -> dict[str, tuple[Influence, ...]]:
        """Return what the judge's objections rest on, as far as the time allows."""
        try:
            return influences(
                judge.violation_probabilities,
                evidence,
                judged=objected,
                may_go_on=lambda: self._clock_ns() < until_ns,
            )
        except ModelError:
            return {}  # the verdict stands; it is only less well explained


def _of_the_unsure(
    judge: Judge, evidence: Evidence, blamed: tuple[Clause, ...], *, sure_at: float
) -> frozenset[str]:
    """Return the ids of clauses that `judge` calls violated only with detections below `sure_at`.

    Where it fails to say, it is all of them.
    """
    doubtful = [
        EvidenceRef(kind="defect", index=i)
        for i, defect in enumerate(evidence.defects)
        if defect.confidence < sure_at
    ]
    if not blamed or not doubtful:
        return frozenset()
    try:
        found = judge.violation_probabilities(evidences.without(evidence, doubtful), blamed)
    except ModelError:
        found = ()
    still = {c.id for c, p in zip(blamed, found, strict=False) if judge.thresholds.says_violated(p)}
    return frozenset(clause.id for clause in blamed) - still


def _objected(clauses: Sequence[Clause], judgement: Judgement) -> dict[Clause, float]:
    """Return the clauses that the judge did not let conform, with its probabilities."""
    return {
        clause: finding.violation_probability
        for clause, finding in zip(clauses, judgement.clauses, strict=True)
        if finding.decided_by != "rule"
        and finding.violated is not False
        and finding.violation_probability is not None
    }


def measured(detection: Detection, settings: RecipeSettings) -> Detection:
    """Return `detection` with its size in mm and its zone, as far as the recipe knows them."""
    scale = settings.px_per_mm
    return replace(
        detection,
        width_mm=round(detection.box.width / scale, 3) if scale else None,
        height_mm=round(detection.box.height / scale, 3) if scale else None,
        zone=next(
            (zone.name for zone in settings.zones if inside(detection.box.centre, zone.polygon)),
            None,
        ),
    )


def inside(point: tuple[float, float], polygon: tuple[tuple[float, float], ...]) -> bool:
    """Return whether `point` lies in `polygon` (even-odd rule; Shimrat, CACM 5(8), 1962)."""
    x, y = point
    odd = False
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            odd = not odd
    return odd


def matched(line: TextLine, settings: RecipeSettings) -> tuple[TextLine, ...]:
    """Return `line` once for each field of the recipe whose pattern it holds, or as it is.

    The text is cut down to the match, or to its first group where the pattern has one that took
    part. One line may carry several fields: a number must not hide the word VOID beside it.

    Raises `ModelError` where a pattern takes too long: the interpreter would keep the deadline's
    timer waiting.
    """
    fields: list[TextLine] = []
    for wanted in settings.text_fields:
        try:
            found = regex.search(wanted.pattern, line.text, timeout=PATTERN_WITHIN_S)
        except TimeoutError:
            raise ModelError(
                f"text field {wanted.field}: expected its pattern to be decided within "
                f"{PATTERN_WITHIN_S} s on {len(line.text)} characters; simplify the pattern"
            ) from None
        if found:
            text = (found.group(1) if found.re.groups else None) or found.group(0)
            fields.append(replace(line, text=text, field=wanted.field))
    return tuple(fields) or (line,)


def sha256_of(bgr: Bgr) -> str:
    """Return the sha256 of a picture's pixels, row by row, blue green red."""
    return hashlib.sha256(np.ascontiguousarray(bgr).tobytes()).hexdigest()


def _seen(bgr: Bgr, reference: Bgr | None) -> Bgr:
    """Return what crops are cut from: the picture, with its reference where there is one."""
    return bgr if reference is None else images.compose(bgr, reference)


class _Watch:
    """Measures the stages of one inspection."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._start = self._last = clock_ns()
        self._laps: dict[str, float] = {}

    def lap(self, stage: str) -> None:
        now = self._clock_ns()
        self._laps[stage] = (now - self._last) / 1e6
        self._last = now

    def gone_s(self) -> float:
        """Return the time since the start."""
        return (self._clock_ns() - self._start) / 1e9

    def timings(self) -> Timings:
        return Timings(
            detect_ms=self._laps.get("detect", 0.0),
            read_ms=self._laps.get("read", 0.0),
            judge_ms=self._laps.get("judge", 0.0),
            total_ms=(self._last - self._start) / 1e6,
        )
