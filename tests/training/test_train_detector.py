"""A whole training in small: drawn boards, one epoch, a killed run taken up again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inspector import images
from inspector.domain import Box, Detection
from inspector.errors import DataError, ModelError
from inspector.models.detector import load_detector
from inspector.training import detector as training
from inspector.training import evaluate
from inspector.training.boards import LABELS, read_deeppcb
from inspector.training.detector_shelf import note_test_run, overkill_threshold
from inspector.training.figures import MeasuredBoard


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder with eight drawn boards, two of them of a validation group."""
    root = tmp_path / "data"
    rng = np.random.default_rng(0)
    lines = []
    for number in range(8):
        group = "44000" if number < 2 else "10000"
        name = f"{group}{number:03}"
        folder = root / "PCBData" / f"group{group}" / group
        folder.mkdir(parents=True, exist_ok=True)
        template = np.zeros((64, 64, 3), dtype=np.uint8)
        template[:, 10:20] = template[:, 40:50] = 255
        x, y = rng.integers(4, 50, 2)
        board = template.copy()
        board[y : y + 9, x : x + 9] = 255 - board[y : y + 9, x : x + 9]
        (folder / f"{name}_temp.png").write_bytes(images.encode_png(template))
        (folder / f"{name}_test.png").write_bytes(images.encode_png(board))
        (folder / f"{name}.txt").write_text(f"{x} {y} {x + 9} {y + 9} {number % 6 + 1}\n")
        lines.append(f"group{group}/{group}/{name}.jpg group{group}/{group}/{name}.txt")
    (root / "trainval.txt").write_text("\n".join(lines))
    return root


@pytest.mark.filterwarnings("ignore")  # the vendor's and torch's, while training
def test_a_training_ends_on_the_shelf_and_goes_on_after_a_kill(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    seen: list[training.Progress] = []

    class Killed(Exception):
        """Stands for the end of the process in the middle of the second epoch."""

    def kill(progress: training.Progress) -> None:
        if progress.epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        training.train_detector(
            data=data, out=out, epochs=2, device="cpu", threads=1, input_px=64, report=kill
        )
    assert not (out / "model.json").exists()
    description = training.train_detector(
        data=data,
        out=out,
        epochs=2,
        device="cpu",
        threads=1,
        input_px=64,
        resume=True,
        report=seen.append,
    )
    assert [(p.epoch, p.epochs) for p in seen] == [(2, 2)]
    assert seen[0].left_s == pytest.approx(0)
    assert description.labels == LABELS
    assert description.thresholds.report_at <= description.thresholds.sure_at
    card = (out / "MODEL_CARD.md").read_text()
    assert description.sha256 in card
    assert "6 boards trained on, 2 validated on" in card
    weights = out / description.file
    assert str(tmp_path).encode() not in weights.read_bytes()
    loaded = load_detector(str(out), threads=1)
    evaluation = evaluate.evaluate_detector(loaded, read_deeppcb(data, split="trainval"))
    assert evaluation.figures.boards == len(evaluation.boards) == 8
    line = json.loads(evaluation.as_json())
    assert line["model_sha256"] == description.sha256
    assert set(line["per_class"]) == set(LABELS)
    note_test_run(out, evaluation.figures, sha256=description.sha256, day="2026-01-31")
    assert (out / "MODEL_CARD.md").read_text().endswith(" of 8 |\n")


def test_the_dataset_holds_composed_pictures_and_relative_boxes(data: Path, tmp_path: Path) -> None:
    trained, validated = training.folds(data)
    assert {pair.group for pair in validated} == {"44000"}
    listing = json.loads(training.write_dataset(trained, validated, tmp_path / "set").read_text())
    assert listing["names"] == list(LABELS)
    pair = validated[0]
    picture = images.read(tmp_path / "set" / "val" / "images" / f"{pair.id}.png")
    expected = images.compose(images.read(pair.board), images.read(pair.template))
    assert (picture == expected).all()
    label, x, _, width, _ = (
        (tmp_path / "set" / "val" / "labels" / f"{pair.id}.txt").read_text().split()
    )
    box = pair.annotations[0].box
    assert LABELS[int(label)] == pair.annotations[0].label
    assert float(x) * 64 == pytest.approx(box.centre[0], abs=1e-3)
    assert float(width) * 64 == pytest.approx(box.width, abs=1e-3)


def test_every_mistake_of_the_data_is_listed(data: Path) -> None:
    folder = data / "PCBData" / "group10000" / "10000"
    (folder / "10000003_temp.png").unlink()
    (folder / "10000004.txt").write_text("1 2 3 4 9\n")
    with pytest.raises(DataError) as caught:
        training.folds(data)
    assert "10000003_temp" in str(caught.value)
    assert "10000004.txt:1" in str(caught.value)


def test_what_cannot_start_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected one of yolo11n"):
        training.train_detector(data=data, out=tmp_path / "m", architecture="resnet")
    with pytest.raises(ModelError, match="found none; leave out resume"):
        training.train_detector(data=data, out=tmp_path / "m", resume=True)


def test_the_overkill_threshold_lets_the_share_asked_for_through() -> None:
    def good(confidence: float) -> MeasuredBoard:
        spot = Detection(label="open", confidence=confidence, box=Box(x0=0, y0=0, x1=1, y1=1))
        return MeasuredBoard(picture="", truth=(), found=(), found_on_good=(spot,))

    boards = [good(0.9), good(0.4), good(0.1), good(0.2)]
    at = overkill_threshold(boards, most=0.25)
    assert 0.4 < at < 0.4 + 1e-9
    assert overkill_threshold(boards, most=1.0) == 0.0
