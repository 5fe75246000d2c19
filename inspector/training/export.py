"""Export a detector to a faster engine, and let it through only at parity with PyTorch.

The network becomes an ONNX graph of one square size that takes uint8 planes. From there each engine
has its way: ONNX Runtime runs the graph, or its static quantisation; OpenVINO reads it and, for
int8, NNCF quantises it; TensorRT builds a plan (not run here). int8 is calibrated on training
pictures. The box decoding at the end stays in floating point: it computes with pixels up to the
input size, for which 256 steps are too few.

**The parity gate.** On the validation fold `map` has to lie within 0.003 of PyTorch's. Until an
export has passed, nothing of it lies in the model's folder; a failure leaves the folder as it was.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from inspector import images, registration
from inspector.domain import Detection
from inspector.errors import DataError, ModelError, PictureError
from inspector.models import choice, engines, shelf
from inspector.models.detector import YoloDetector
from inspector.models.engines import ExportEngine, PyTorchEngine
from inspector.models.shelf import DetectorDescription, Export, Parity
from inspector.settings import RegistrationSettings
from inspector.training import engine_files
from inspector.training.card_sections import CARD, write_whole
from inspector.training.datasets import Dataset, LabelledPicture
from inspector.training.engine_files import Precision
from inspector.training.evaluate import Advance, Evaluation, evaluate_detector

MAP_TOLERANCE = 0.003
ALIKE_IOU = 0.9
CALIBRATION_PICTURES = 100
CARD_HEADING = "## Exports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What came of an export; `failure` says why it was not taken, None where it was."""

    export: Export
    failure: str | None


def export_detector(
    model: str,
    *,
    engine: str,
    precision: str,
    dataset: Dataset,
    bit_depth: int = 8,
    limits: RegistrationSettings | None = None,
    threads: int | None = None,
    seed: int = 0,
    advance: Advance | None = None,
) -> Exported:
    """Make the export, measure it against PyTorch, and put it on the shelf if it passed.

    It replaces an earlier one of the same engine and precision. `limits` are the recipe's for
    registering; `seed` chooses the calibration pictures. Raises `ModelError` and `DataError`.
    """
    wanted, kind = _export_engine(engine), _precision(precision)
    folder, description = shelf.read_detector(model)
    weights = shelf.verified(folder / description.file, description.sha256)
    limits = limits or RegistrationSettings()
    calibration: Sequence[NDArray[np.uint8]] = ()
    if kind == "int8":
        calibration = calibration_planes(
            description, dataset.training, bit_depth=bit_depth, limits=limits, seed=seed
        )
    # vendors print their progress; standard output is for results
    with contextlib.redirect_stdout(sys.stderr):
        content = engine_files.engine_file(
            description, weights, engine=wanted, precision=kind, calibration=calibration
        )
    runner = engines.exported_engine(wanted, content, precision=kind, threads=threads)
    pytorch, exported = (
        evaluate_detector(
            YoloDetector(description, one),
            dataset.validation,
            bit_depth=bit_depth,
            limits=limits,
            advance=_part(advance, of=2, number=number),
        )
        for number, one in enumerate((PyTorchEngine(description, weights, threads=threads), runner))
    )
    parity = compared(pytorch, exported, threshold=description.thresholds.report_at)
    sha256 = shelf.content_sha256(content)
    export = Export(
        engine=wanted,
        precision=kind,
        file=f"{wanted}-{kind}-{sha256[:8]}{engines.SUFFIXES[wanted]}",
        sha256=sha256,
        weights_sha256=description.sha256,
        made_on=datetime.now(UTC).date(),
        machine=choice.cpu_model(),
        versions=_versions(wanted, kind),
        parity=parity,
    )
    failure = why_refused(parity)
    if failure is None:
        _shelve(folder, description, export, content)
    return Exported(export=export, failure=failure)


def why_refused(parity: Parity) -> str | None:
    """Return why the parity gate refuses these figures, None where it lets them through."""
    apart = abs(parity.map - parity.map_pytorch)
    if apart <= MAP_TOLERANCE:
        return None
    return (
        f"expected a map within {MAP_TOLERANCE} of PyTorch's {parity.map_pytorch:.4f} on the "
        f"validation fold, found {parity.map:.4f}, {apart:.4f} apart"
    )


def compared(pytorch: Evaluation, exported: Evaluation, *, threshold: float) -> Parity:
    """Return how the boxes and figures of two evaluations of the same pictures compare."""
    alike, worst_iou, worst_confidence = 0, 1.0, 0.0
    for one, other in zip(pytorch.boards, exported.boards, strict=True):
        pairs = [*_pairs(one.found, other.found, threshold)]
        pairs += _pairs(other.found, one.found, threshold)
        worst_iou = min([worst_iou, *(pair.iou for pair in pairs)])
        worst_confidence = max([worst_confidence, *(pair.apart for pair in pairs)])
        alike += all(pair.both_reported and pair.iou >= ALIKE_IOU for pair in pairs)
    return Parity(
        map=round(exported.figures.map, 6),
        map_pytorch=round(pytorch.figures.map, 6),
        pictures=len(pytorch.boards),
        pictures_alike=alike,
        worst_iou=round(worst_iou, 4),
        worst_confidence=round(worst_confidence, 4),
        data_sha256=pytorch.data_sha256,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    iou: float
    apart: float
    both_reported: bool


def _pairs(
    ones: Iterable[Detection], others: Sequence[Detection], threshold: float
) -> Iterable[_Pair]:
    """Yield each reported box of `ones` with the box of `others` of its label that fits best."""
    for one in ones:
        if one.confidence < threshold:
            continue
        partner = max(
            (other for other in others if other.label == one.label),
            key=lambda other: one.box.iou(other.box),
            default=None,
        )
        if partner is None:
            yield _Pair(iou=0.0, apart=one.confidence, both_reported=False)
        else:
            yield _Pair(
                iou=one.box.iou(partner.box),
                apart=abs(one.confidence - partner.confidence),
                both_reported=partner.confidence >= threshold,
            )


def calibration_planes(
    description: DetectorDescription,
    pictures: Sequence[LabelledPicture],
    *,
    bit_depth: int,
    limits: RegistrationSettings,
    seed: int,
) -> tuple[NDArray[np.uint8], ...]:
    """Return planes [1, 3, side, side] of training pictures, as the detector would see them.

    Pictures that a station would hold, because they do not lie on their reference, are left out.
    """
    if not pictures:
        raise DataError("expected training pictures to calibrate int8 on, found none; check --data")
    count = min(CALIBRATION_PICTURES, len(pictures))
    drawn = np.random.default_rng(seed).choice(len(pictures), count, replace=False)
    found = []
    for index in drawn:
        seen = images.read(pictures[index].picture, bit_depth=bit_depth)
        if description.input_channels == "reference":
            source = pictures[index].reference
            if source is None:
                raise DataError(
                    f"{pictures[index].picture}: expected a reference, since the detector compares "
                    "with one, found none; give a recipe with a reference"
                )
            golden = registration.Golden(images.read(source, bit_depth=bit_depth), limits=limits)
            try:
                reference = golden.under(seen)
            except PictureError:
                continue
            seen = images.compose(seen, reference)
        laid, _ = images.letterbox(seen, description.input_px)
        planes = np.empty((1, 3, *laid.shape[:2]), dtype=np.uint8)
        images.reversed_planes(laid, planes[0])
        found.append(planes)
    if not found:
        raise DataError(
            f"expected training pictures that lie on their references, found none among {count}"
        )
    return tuple(found)


def _shelve(folder: Path, description: DetectorDescription, export: Export, content: bytes) -> None:
    """Write file, description and card; the description last, since it makes the file count."""
    kept = tuple(
        other
        for other in description.exports
        if (other.engine, other.precision) != (export.engine, export.precision)
    )
    listed = replace(description, exports=(*kept, export))
    try:
        write_whole(folder / export.file, content)
        write_whole(folder / CARD, _card(folder / CARD, listed).encode())
        shelf.write_description(folder, listed)
        in_use = {other.file for other in listed.exports}
        for other in description.exports:
            if other.file not in in_use:
                (folder / other.file).unlink(missing_ok=True)
    except OSError as exc:
        raise ModelError(f"{folder}: expected to write the export there: {exc.strerror}") from exc


def _card(path: Path, description: DetectorDescription) -> str:
    """Return the card with its section about exports made anew."""
    text = path.read_text(encoding="utf-8") if path.is_file() else f"# {description.name}\n"
    before, _, after = text.partition(f"{CARD_HEADING}\n")
    _, next_heading, rest = after.partition("\n## ")
    lines = [
        f"- {choice.named(export)}: map {export.parity.map:.4f} on the validation fold (PyTorch "
        f"{export.parity.map_pytorch:.4f}); {export.parity.pictures_alike} of "
        f"{export.parity.pictures} pictures with the same reported boxes, worst IoU "
        f"{export.parity.worst_iou:.3f}, worst difference of confidence "
        f"{export.parity.worst_confidence:.3f}; {export.made_on.isoformat()}, {export.machine}, "
        + ", ".join(f"{package} {version}" for package, version in export.versions.items())
        for export in description.exports
    ]
    section = f"{CARD_HEADING}\n\nPassed the parity gate:\n\n" + "\n".join(lines) + "\n"
    return f"{before.rstrip()}\n\n{section}{next_heading}{rest}"


def _part(advance: Advance | None, *, of: int, number: int) -> Advance | None:
    """Return an `Advance` that reports one of several equal parts of the work."""
    if advance is None:
        return None
    whole = advance
    return lambda done, total: whole(number * total + done, of * total)


def _versions(engine: ExportEngine, precision: Precision) -> dict[str, str]:
    packages = ["torch", "ultralytics", engines.PACKAGES[engine]]
    if (engine, precision) == ("openvino", "int8"):
        packages.append("nncf")
    return {package: metadata.version(package) for package in packages}


def _export_engine(name: str) -> ExportEngine:
    for engine in engines.SUFFIXES:
        if engine == name:
            return engine
    raise ModelError(f"expected an engine of {', '.join(engines.SUFFIXES)}, got {name!r}")


def _precision(name: str) -> Precision:
    for precision in get_args(Precision):
        if precision == name:
            found: Precision = precision
            return found
    raise ModelError(f"expected a precision of {', '.join(get_args(Precision))}, got {name!r}")
