"""The shipped detector on shipped boards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from inspector import images
from inspector.domain import Bgr
from inspector.errors import ModelError, PictureError
from inspector.models import shelf
from inspector.models.detector import YoloDetector, load_detector
from inspector.settings import PACKAGE

SAMPLES = PACKAGE / "assets" / "samples"


@pytest.fixture(scope="module")
def detector() -> YoloDetector:
    return load_detector("pcb-yolo11n", engine="pytorch", threads=1)


@pytest.fixture(scope="module")
def board() -> Bgr:
    return images.read(SAMPLES / "pictures" / "PCB-03.png")


@pytest.fixture(scope="module")
def template() -> Bgr:
    return images.read(SAMPLES / "templates" / "00041188.png")


def test_defects_are_found_surest_first_and_inside_the_frame(
    detector: YoloDetector, board: Bgr, template: Bgr
) -> None:
    found = detector.detect(board, reference_bgr=template, report_at=0.25, iou=0.5)
    assert found
    assert [d.confidence for d in found] == sorted((d.confidence for d in found), reverse=True)
    for defect in found:
        assert defect.label in detector.labels
        assert defect.box == defect.box.clipped(width=640, height=640)
        x0, y0, x1, y1 = (int(v) for v in defect.box.as_list())
        assert (board[y0:y1, x0:x1] != template[y0:y1, x0:x1]).any()


def test_a_template_against_itself_shows_nothing(detector: YoloDetector, template: Bgr) -> None:
    assert detector.detect(template, reference_bgr=template, report_at=0.5, iou=0.5) == ()


def test_the_same_board_gives_the_same_defects(
    detector: YoloDetector, board: Bgr, template: Bgr
) -> None:
    first, second = (
        detector.detect(board, reference_bgr=template, report_at=0.01, iou=0.5) for _ in range(2)
    )
    assert first == second


def test_of_overlapping_boxes_only_the_surest_is_reported(
    detector: YoloDetector, board: Bgr, template: Bgr
) -> None:
    found = detector.detect(board, reference_bgr=template, report_at=0.001, iou=0.5)
    assert len({d.label for d in found}) > 1
    for index, one in enumerate(found):
        assert all(one.box.iou(other.box) <= 0.5 + 1e-3 for other in found[index + 1 :])


def test_candidates_are_all_that_is_reported_and_second_guesses(
    detector: YoloDetector, board: Bgr, template: Bgr
) -> None:
    candidates = detector.candidates(board, reference_bgr=template, iou=0.5)
    reported = detector.detect(board, reference_bgr=template, report_at=0.25, iou=0.5)
    assert reported
    assert set(reported) <= set(candidates)
    assert min(d.confidence for d in candidates) >= 0.001
    confidences = [d.confidence for d in candidates]
    assert confidences == sorted(confidences, reverse=True)
    for one, other in combinations([d for d in candidates if d.label == "mousebite"], 2):
        assert one.box.iou(other.box) <= 0.5 + 1e-3


def test_a_frame_of_another_size_gives_boxes_in_its_own_pixels(
    detector: YoloDetector, board: Bgr, template: Bgr
) -> None:
    sure = detector.detect(board, reference_bgr=template, report_at=0.5, iou=0.5)
    twice = detector.detect(
        np.kron(board, np.ones((2, 2, 1), np.uint8)),
        reference_bgr=np.kron(template, np.ones((2, 2, 1), np.uint8)),
        report_at=0.25,
        iou=0.5,
    )
    assert sure
    for defect in sure:
        x, y = defect.box.centre
        assert any(
            abs(d.box.centre[0] - 2 * x) < 6 and abs(d.box.centre[1] - 2 * y) < 6 for d in twice
        )


def test_a_missing_reference_and_one_of_another_size_are_refused(
    detector: YoloDetector, board: Bgr, template: Bgr
) -> None:
    with pytest.raises(ModelError, match="expected a reference picture, got none"):
        detector.detect(board, reference_bgr=None, report_at=0.5, iou=0.5)
    with pytest.raises(PictureError, match="640 x 640, found 640 x 600"):
        detector.detect(board, reference_bgr=template[:600], report_at=0.5, iou=0.5)


def test_the_thread_count_asked_for_is_used(
    detector: YoloDetector, board: Bgr, template: Bgr
) -> None:
    import torch

    torch.set_num_threads(2)
    detector.detect(board, reference_bgr=template, report_at=0.5, iou=0.5)
    assert torch.get_num_threads() == 1


def test_loading_prints_nothing_and_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    """Without a home folder, as for a service account."""
    script = (
        "import os\n"
        "from inspector.models.detector import load_detector\n"
        "load_detector('pcb-yolo11n', engine='pytorch', threads=1)\n"
        "assert 'OMP_NUM_THREADS' not in os.environ\n"
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("YOLO", "OMP", "HF", "XDG"))
    }
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "HOME": "/nonexistent", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_weights_that_give_no_numbers_are_no_clean_board(tmp_path: Path) -> None:
    folder, description = shelf.read_detector("pcb-yolo11n")
    checkpoint = torch.load(folder / description.file, weights_only=False)
    model = checkpoint.get("ema") or checkpoint["model"]
    next(model.parameters()).data.fill_(float("nan"))
    torch.save(checkpoint, tmp_path / "damaged.pt")
    card = json.loads((folder / "model.json").read_text())
    sha256 = shelf.file_sha256(tmp_path / "damaged.pt")
    card |= {"file": "damaged.pt", "sha256": sha256, "exports": []}
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="expected numbers"):
        load_detector(str(tmp_path))


def test_what_is_no_picture_is_refused_also_beside_the_detector(detector: YoloDetector) -> None:
    with pytest.raises(PictureError, match="another format"):
        images.decode(b"no picture")
