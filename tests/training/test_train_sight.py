"""The sight of a judge: learnt from a detector's boxes, measured at equal escapes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from inspector import images
from inspector.domain import Bgr, Box, Detection
from inspector.errors import DataError, ModelError
from inspector.models.judge import load_judge
from inspector.models.shelf import ASSETS, DetectorThresholds
from inspector.training.crop_boxes import is_real, looked_at, precise_at, taught_boxes
from inspector.training.crop_figures import CropFigures, evaluate_sight, list_run
from inspector.training.crop_sight import SightPlan, sight_of_boxes, sights_of
from inspector.training.datasets import Annotation, LabelledPicture

TEMPLATES = ASSETS.parent / "samples" / "templates"
PLAN = SightPlan(steps=30, batch=12, misnamed=0)
PLACES = ((200, 200), (300, 420), (430, 250), (120, 500))


class CoarseDetector:
    """Reports where board and reference differ, and one place where they do not."""

    labels = ("open", "short")
    sha256 = "0" * 64
    needs_reference = True
    thresholds = DetectorThresholds(report_at=0.5, sure_at=0.5, iou=0.5)

    def detect(
        self, bgr: Bgr, *, reference_bgr: Bgr | None, report_at: float | None, iou: float
    ) -> tuple[Detection, ...]:
        assert reference_bgr is not None
        wrong = Detection(label="open", confidence=0.4, box=Box(x0=500, y0=90, x1=530, y1=120))
        differs = np.argwhere(np.abs(bgr.astype(int) - reference_bgr).max(axis=2) > 100)
        if not len(differs):
            return (wrong,)
        (y0, x0), (y1, x1) = differs.min(axis=0).tolist(), differs.max(axis=0).tolist()
        right = Detection(label="open", confidence=0.9, box=Box(x0=x0, y0=y0, x1=x1, y1=y1))
        return (right, wrong)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledPicture, ...]:
    """Boards with one inverted square each."""
    folder = tmp_path_factory.mktemp("boards")
    reference = min(TEMPLATES.glob("*.png"))
    found = []
    for number, (x, y) in enumerate(PLACES):
        bgr = images.read(reference).copy()
        bgr[y : y + 30, x : x + 30] = 255 - bgr[y : y + 30, x : x + 30]
        path = folder / f"{number}.png"
        path.write_bytes(images.encode_png(bgr))
        box = Box(x0=x, y0=y, x1=x + 29, y1=y + 29)
        found.append(
            LabelledPicture(
                id=str(number), group="", picture=path, reference=reference,
                annotations=(Annotation(label="open", box=box),),
            )
        )  # fmt: skip
    return tuple(found)


@pytest.fixture(scope="module")
def trained(boards: tuple[LabelledPicture, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    detector = CoarseDetector()
    boxes = taught_boxes(looked_at(detector, boards), detector.labels)
    return sight_of_boxes(
        boxes, detector.labels, tmp_path_factory.mktemp("judge"), model="judge", seeds=2,
        device="cpu", resume=False, plan=PLAN, detector="a coarse one",
    )  # fmt: skip


@pytest.fixture(scope="module")
def figures(trained: Path, boards: tuple[LabelledPicture, ...]) -> CropFigures:
    return evaluate_sight(
        trained, CoarseDetector(), {"validation": boards}, split="validation", precision=0.5
    )


def test_boxes_are_right_by_label_and_overlap_and_a_near_miss_is_not_learnt_from() -> None:
    truth = (Annotation(label="open", box=Box(x0=0, y0=0, x1=30, y1=30)),)

    def at(x: float, label: str = "open") -> bool | None:
        box = Box(x0=x, y0=0, x1=x + 30, y1=30)
        return is_real(Detection(label=label, confidence=0.5, box=box), truth)

    assert [at(2), at(20), at(29), at(0, "short")] == [True, None, False, False]


def test_the_threshold_is_the_lowest_of_that_precision(
    boards: tuple[LabelledPicture, ...],
) -> None:
    looked = tuple(looked_at(CoarseDetector(), boards))
    assert [b.is_twin for b in looked] == [False, True] * len(boards)
    assert precise_at(looked, precision=0.5) == 0.4
    assert precise_at(looked, precision=0.8) == 0.9
    with pytest.raises(DataError, match="trained for these boards"):
        precise_at([b for b in looked if b.is_twin], precision=0.5)


def test_crops_cut_overkill_without_more_escapes(figures: CropFigures) -> None:
    blind, *others = figures.judged
    assert (blind.name, blind.escapes) == ("without crops", 0)
    assert blind.overkill >= len(PLACES)  # "no open" at least, on each good twin
    for one in others:
        assert one.escapes == 0
        if one.name.startswith("crops"):
            assert one.overkill < blind.overkill
            assert one.cut == 1 - one.overkill / blind.overkill
    assert [one.seed for one in others if one.name == "crops"] == [0, 1]
    json.loads(figures.as_json())


def test_the_judge_is_the_same_beside_its_sight(trained: Path, figures: CropFigures) -> None:
    before, after = load_judge("judge"), load_judge(trained)
    assert after.sha256 == before.sha256
    assert " sees " in after.name
    assert after.name != before.name
    list_run(trained, figures, at=datetime(2026, 11, 23, tzinfo=UTC))
    card = (trained / "MODEL_CARD.md").read_text()
    assert card.count("| validation, 4 boards |") == len(figures.judged)
    assert "## Sight" in card


def test_a_damaged_sight_is_refused(trained: Path, tmp_path: Path) -> None:
    for path in trained.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "sight.safetensors").write_bytes(b"other")
    with pytest.raises(ModelError):
        load_judge(tmp_path)


def test_boxes_that_are_all_right_or_none_teach_nothing(trained: Path) -> None:
    boxes = taught_boxes((), ("open",))
    with pytest.raises(DataError, match="nothing to learn"):
        sight_of_boxes(
            boxes, ("open",), trained, model=str(trained), seeds=2, device="cpu", resume=True,
            plan=PLAN, detector="a coarse one",
        )  # fmt: skip
    assert list(sights_of(trained)) == [0, 1]


def test_a_judge_without_sight_cannot_be_measured(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(DataError, match="--part sight"):
        sights_of(tmp_path)
