"""An export reaches the shelf by the parity gate only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inspector import images
from inspector.domain import Box, Detection
from inspector.errors import DataError, ModelError
from inspector.models import shelf
from inspector.models.detector import load_detector
from inspector.models.shelf import DetectorThresholds, Parity
from inspector.settings import PACKAGE, RegistrationSettings
from inspector.training import export
from inspector.training.datasets import Annotation, Dataset, LabelledPicture
from inspector.training.evaluate import Evaluation
from inspector.training.figures import MeasuredBoard, figures
from inspector.training.perturb import NONE

SAMPLES = PACKAGE / "assets" / "samples"
SIDE_PX = 320


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shipped detector for small pictures, without exports."""
    pytest.importorskip("onnx", reason="exports are made with inspector[train]")
    source, description = shelf.read_detector("pcb-yolo11n")
    folder = tmp_path_factory.mktemp("models") / "small"
    folder.mkdir()
    (folder / description.file).write_bytes((source / description.file).read_bytes())
    (folder / "MODEL_CARD.md").write_text("# small\n\n## Limits\n\nSmall.\n")
    small = replace(description, input_px=SIDE_PX, exports=())
    shelf.write_description(folder, small)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Dataset:
    """Return corners of shipped boards, annotated with what PyTorch finds on them."""
    folder = tmp_path_factory.mktemp("boards")
    detector = load_detector(str(model), engine="pytorch", threads=1)
    demo = [json.loads(line) for line in (SAMPLES / "demo.jsonl").read_text().splitlines()]
    pictures = []
    for line in [line for line in demo if line["recipe"] == "pcb"][1:4]:
        corner = np.s_[SIDE_PX:, :SIDE_PX]
        board = images.read(SAMPLES / line["picture"])[corner].copy()
        template = images.read(SAMPLES / "templates" / f"{line['view']}.png")[corner].copy()
        paths = [folder / f"{line['part_id']}_{kind}.png" for kind in ("board", "template")]
        for path, picture in zip(paths, (board, template), strict=True):
            path.write_bytes(images.encode_png(picture))
        found = detector.detect(board, reference_bgr=template, report_at=0.4, iou=0.5)
        pictures.append(
            LabelledPicture(
                id=line["part_id"],
                group=line["view"],
                picture=paths[0],
                reference=paths[1],
                annotations=tuple(Annotation(label=d.label, box=d.box) for d in found),
            )
        )
    assert any(picture.annotations for picture in pictures)
    return Dataset(
        labels=detector.labels, training=tuple(pictures), validation=tuple(pictures), test=()
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_export_that_passed_is_on_the_shelf_with_its_record(
    model: Path, dataset: Dataset
) -> None:
    exported = export.export_detector(
        str(model), engine="openvino", precision="fp32", dataset=dataset, threads=1
    )
    assert exported.failure is None
    _, description = shelf.read_detector(str(model))
    (record,) = description.exports
    assert record == exported.export
    assert shelf.file_sha256(model / record.file) == record.sha256
    assert record.weights_sha256 == description.sha256
    assert record.parity.pictures == record.parity.pictures_alike == 3
    assert set(record.versions) == {"torch", "ultralytics", "openvino"}
    card = (model / "MODEL_CARD.md").read_text()
    assert "openvino fp32: map " in card
    assert card.index("## Limits") < card.index("## Exports")
    assert load_detector(str(model), engine="openvino", threads=1).engine == "openvino fp32"


def test_the_same_export_again_is_the_same_file_and_one_record(
    model: Path, dataset: Dataset
) -> None:
    first, second = (
        export.export_detector(
            str(model), engine="onnx", precision="fp32", dataset=dataset, threads=1
        )
        for _ in range(2)
    )
    assert first.export.sha256 == second.export.sha256
    _, description = shelf.read_detector(str(model))
    assert [e.engine for e in description.exports].count("onnx") == 1
    assert (model / "MODEL_CARD.md").read_text().count("onnx fp32: map") == 1
    assert not list(model.glob("*.part"))


def test_a_failed_gate_leaves_the_folder_as_it_was(model: Path, dataset: Dataset) -> None:
    """Calibrated on black frames alone, int8 sees nothing."""
    pytest.importorskip("nncf", reason="int8 is made with inspector[train]")
    black = dataset.training[0].picture.with_name("black.png")
    black.write_bytes(images.encode_png(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)))
    blind = replace(
        dataset,
        training=(replace(dataset.training[0], picture=black, reference=black),),
    )
    before = files(model)
    exported = export.export_detector(
        str(model), engine="openvino", precision="int8", dataset=blind, threads=1
    )
    assert exported.failure is not None
    assert "expected a map within 0.003 of PyTorch's" in exported.failure
    assert files(model) == before


@pytest.mark.parametrize(("engine", "precision"), [("abacus", "fp32"), ("onnx", "int4")])
def test_what_cannot_be_exported_is_named(
    model: Path, dataset: Dataset, engine: str, precision: str
) -> None:
    with pytest.raises(ModelError, match="expected a"):
        export.export_detector(str(model), engine=engine, precision=precision, dataset=dataset)


def test_int8_needs_training_pictures(model: Path) -> None:
    _, description = shelf.read_detector(str(model))
    with pytest.raises(DataError, match="expected training pictures"):
        export.calibration_planes(
            description, (), bit_depth=8, limits=RegistrationSettings(), seed=0
        )


def test_the_seed_draws_the_calibration_pictures(model: Path, dataset: Dataset) -> None:
    _, description = shelf.read_detector(str(model))
    first, again, other = (
        export.calibration_planes(
            description, dataset.training, bit_depth=8, limits=RegistrationSettings(), seed=seed
        )
        for seed in (0, 0, 1)
    )
    assert first[0].shape == (1, 3, SIDE_PX, SIDE_PX)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not all((a == b).all() for a, b in zip(first, other, strict=True))


def parity(found: float) -> Parity:
    return Parity(
        map=found,
        map_pytorch=0.97,
        pictures=1,
        pictures_alike=1,
        worst_iou=1.0,
        worst_confidence=0.0,
        data_sha256="0",
    )


@pytest.mark.parametrize(("found", "passes"), [(0.97, True), (0.9671, True), (0.9669, False)])
def test_the_gate_stands_at_three_thousandths(found: float, passes: bool) -> None:
    assert (export.why_refused(parity(found)) is None) is passes


def detection(x: float, confidence: float, label: str = "open") -> Detection:
    return Detection(label=label, confidence=confidence, box=Box(x0=x, y0=0, x1=x + 10, y1=10))


def evaluation(*found: tuple[Detection, ...]) -> Evaluation:
    boards = tuple(
        MeasuredBoard(picture=f"{i}.png", truth=(), found=boxes, found_on_good=())
        for i, boxes in enumerate(found)
    )
    thresholds = DetectorThresholds(report_at=0.5, sure_at=0.5, iou=0.5)
    return Evaluation(
        data_sha256="0",
        model_sha256="0",
        engine="test",
        figures=figures(boards, labels=("open", "short"), threshold=thresholds.report_at),
        perturbation=NONE,
        boards=boards,
    )


def test_boxes_are_compared_picture_by_picture() -> None:
    pytorch = evaluation((detection(0, 0.9),), (detection(0, 0.8),), (detection(0, 0.6),), ())
    other = evaluation(
        (detection(0, 0.88),),  # alike
        (detection(1, 0.8),),  # moved: IoU 9 / 11
        (detection(0, 0.4),),  # no longer reported
        (detection(0, 0.3),),  # reported by neither
    )
    result = export.compared(pytorch, other, threshold=0.5)
    assert (result.pictures, result.pictures_alike) == (4, 2)
    assert result.worst_iou == pytest.approx(9 / 11, abs=1e-4)
    assert result.worst_confidence == pytest.approx(0.2)


def test_a_box_only_one_of_them_has_is_no_pair() -> None:
    result = export.compared(
        evaluation((), ()),
        evaluation((detection(0, 0.7),), (detection(0, 0.6, "short"),)),
        threshold=0.5,
    )
    assert (result.pictures_alike, result.worst_iou) == (0, 0)
    assert result.worst_confidence == pytest.approx(0.7)
