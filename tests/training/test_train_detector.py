"""Whole trainings in small: drawn pictures, an epoch or two, a killed one taken up again."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from inspector import images
from inspector.domain import Box, Detection
from inspector.errors import DataError, ModelError
from inspector.models.detector import load_detector
from inspector.models.shelf import ASSETS
from inspector.settings import Recipe, load_recipe
from inspector.training.card_sections import CARD
from inspector.training.datasets import DEEPPCB_LABELS, Annotation, read_dataset
from inspector.training.detector import Progress, train_detector
from inspector.training.detector_card import note_test_run
from inspector.training.detector_shelf import choose_thresholds, overkill_threshold
from inspector.training.evaluate import Evaluation
from inspector.training.figures import MeasuredBoard, figures
from inspector.training.perturb import Perturbation
from inspector.training.prepare import prepare

PX = 64
BOARDS = 8


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    """Return a folder with eight drawn boards, two of them of a validation group."""
    root = tmp_path / "boards"
    chance = np.random.default_rng(0)
    lines = []
    for number in range(BOARDS):
        group = "44000" if number < 2 else "10000"
        name = f"{group}{number:03}"
        folder = root / "PCBData" / f"group{group}" / group
        folder.mkdir(parents=True, exist_ok=True)
        template = np.full((PX, PX, 3), 255, dtype=np.uint8)
        template[4:60, 8:18] = template[4:60, 34:44] = template[50:60, 8:44] = 0
        x, y = chance.integers(4, 50, 2)
        board = template.copy()
        board[y : y + 9, x : x + 9] = 255 - board[y : y + 9, x : x + 9]
        (folder / f"{name}_temp.png").write_bytes(images.encode_png(template))
        (folder / f"{name}_test.png").write_bytes(images.encode_png(board))
        (folder / f"{name}.txt").write_text(f"{x} {y} {x + 9} {y + 9} {number % 6 + 1}\n")
        lines.append(f"group{group}/{group}/{name}.jpg group{group}/{group}/{name}.txt")
    (root / "trainval.txt").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ten coloured pictures, six of them of cracked plates."""
    root = tmp_path_factory.mktemp("photographs")
    chance = np.random.default_rng(1)
    lines = []
    for number in range(10):
        bgr = chance.integers(90, 130, (72, 96, 3)).astype(np.uint8)
        boxes = []
        if number < 6:
            x, y = (int(v) for v in chance.integers(8, 48, 2))
            bgr[y : y + 16, x : x + 20, 2] = 240
            boxes = [[x, y, x + 20, y + 16]]
        (root / f"{number}.png").write_bytes(images.encode_png(bgr))
        defect = {"defect": "crack"} if boxes else {}
        lines.append(json.dumps({"image": f"{number}.png", "boxes": boxes, **defect}))
    (root / "index.jsonl").write_text("\n".join(lines))
    return root


def recipe(folder: Path, *, reference: bool) -> Recipe:
    (folder / "plain.yaml").write_text(
        "title: Plain\nclauses:\n  - id: C1\n    text: No defects are allowed.\n"
    )
    path = folder / ("compared.yaml" if reference else "alone.yaml")
    lines = ["product: plate", f"standard: {folder / 'plain.yaml'}"]
    lines += [f"reference: {folder}"] if reference else []
    path.write_text("\n".join(lines))
    return load_recipe(str(path))


_TRAIN_AND_TELL = """
import sys
from pathlib import Path
from inspector.settings import load_recipe
from inspector.training.detector import train_detector

def tell(progress):
    sys.stderr.write(f"epoch {progress.epoch}\\n")
    sys.stderr.flush()

data, recipe, out = sys.argv[1:]
train_detector(data=Path(data), format="deeppcb", recipe=load_recipe(recipe), out=Path(out),
               start="none", epochs=2, device="cpu", threads=1, input_px=64,
               note="Drawn for this test.", report=tell)
"""


@pytest.mark.filterwarnings("ignore")  # the vendors', while training
def test_a_killed_training_goes_on_and_ends_on_the_shelf(boards: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    compared = recipe(tmp_path, reference=True)
    arguments = [str(boards), str(tmp_path / "compared.yaml"), str(out)]
    with subprocess.Popen(
        [sys.executable, "-c", _TRAIN_AND_TELL, *arguments],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as training:  # fmt: skip
        assert training.stderr is not None and training.stdout is not None
        told = []
        for line in training.stderr:
            told.append(line)
            if line == "epoch 2\n":
                os.kill(training.pid, signal.SIGKILL)
        assert training.stdout.read() == ""  # standard output is for results
    assert training.returncode == -signal.SIGKILL, told
    assert not (out / "model.json").exists()

    def go_on(*, resume: bool, seed: int = 0) -> list[Progress]:
        seen: list[Progress] = []
        train_detector(
            data=boards, format="deeppcb", recipe=compared, out=out, start="none", epochs=2,
            device="cpu", threads=1, input_px=PX, seed=seed, note="Drawn for this test.",
            resume=resume, report=seen.append,
        )  # fmt: skip
        return seen

    with pytest.raises(ModelError, match="add --resume to go on"):
        go_on(resume=False)
    with pytest.raises(ModelError, match="seed 0, now 4"):
        go_on(resume=True, seed=4)
    seen = go_on(resume=True)
    assert [p.epoch for p in seen] == [2] * 8
    assert seen[-1].left_s == pytest.approx(0)

    detector = load_detector(str(out), threads=1)
    assert detector.labels == DEEPPCB_LABELS
    assert detector.needs_reference
    assert detector.thresholds.report_at <= detector.thresholds.sure_at
    card = (out / CARD).read_text()
    assert detector.sha256 in card
    assert "6 pictures, 0 of them without a defect; open 1, short 1, mousebite 1" in card
    assert "Drawn for this test." in card
    assert "inspector/training/synthetic.py" in card
    assert str(tmp_path) not in card
    assert not any(str(tmp_path).encode() in path.read_bytes() for path in out.glob("*.pt"))
    told = json.loads((out / "report.json").read_text())
    assert told["schema"] == "train-detector/1"
    assert set(told["validation"]["per_class"]) == set(DEEPPCB_LABELS)
    assert np.array(told["confusion"]["counts"]).shape == (7, 7)
    assert images.read(out / "confusion.png").shape[2] == 3
    assert list((out / "training").rglob("events.out.tfevents.*"))
    with pytest.raises(ModelError, match="found none; leave out --resume"):
        go_on(resume=True)


def train_on(
    photographs: Path, out: Path, *, architecture: str, start: str | None, wandb: bool = False
) -> None:
    train_detector(
        data=photographs, format="jsonl", recipe=recipe(photographs, reference=False), out=out,
        architecture=architecture, start=start, epochs=1, device="cpu", threads=1, input_px=PX,
        wandb=wandb,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cracks(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a detector trained on the photographs, watched where wandb is there."""
    out = tmp_path_factory.mktemp("shelf") / "cracks"
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the vendors', while training
        patch.setenv("WANDB_MODE", "offline")
        has_wandb = find_spec("wandb") is not None
        train_on(photographs, out, architecture="yolo11n", start=None, wandb=has_wandb)
    return out


def test_weights_and_biases_keeps_a_run_offline(cracks: Path) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    assert list((cracks / "training" / "run" / "wandb").glob("offline-run-*"))


@pytest.mark.filterwarnings("ignore")  # the vendors', while training
def test_photographs_without_a_reference_make_a_detector(
    photographs: Path, cracks: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(cracks, tmp_path / "cracks")
    first = load_detector(str(out), threads=1)
    assert first.labels == ("crack",)
    assert not first.needs_reference
    assert "begun with the weights of pcb-yolo11n" in (out / CARD).read_text()
    bgr = images.read(photographs / "0.png")
    assert all(
        box.label == "crack"
        for box in first.detect(bgr, reference_bgr=None, report_at=0.001, iou=0.5)
    )
    written = (out / CARD).read_text()
    by_hand = "| 2026-01-31 | more light, by hand | none | 0.5 | 0.5 | 3 of 6 | 0 of 4 |"
    (out / CARD).write_text(re.sub(r"(\n## Limits)", rf"{by_hand}\n\1", written))
    run = Evaluation(
        data_sha256="0" * 64,
        model_sha256=first.sha256,
        engine="pytorch fp32",
        figures=figures((), labels=("crack",), threshold=0.5),
        perturbation=Perturbation(shift=5, noise=0.001),
        boards=(),
    )
    with (out / CARD).open("a") as file:
        file.write("\n## Engines\n\n- none\n")
    note_test_run(out, run, at=datetime(2026, 2, 1, 8, 5, tzinfo=UTC))
    note_test_run(out, run, at=datetime(2026, 2, 1, 8, 5, tzinfo=UTC))
    written = (out / CARD).read_text()
    assert written.endswith(" | 0 of 0 |\n\n## Engines\n\n- none\n")

    (out / "of-somebody.pt").write_bytes(b"")
    train_on(photographs, out, architecture="yolo26n", start="none")
    second = load_detector(str(out), threads=1)
    assert second.sha256 != first.sha256
    assert {path.name[:7] for path in out.glob("*.pt")} == {"yolo26n", "of-some"}
    second.detect(bgr, reference_bgr=None, report_at=0.001, iou=0.5)
    card = (out / CARD).read_text()
    assert "begun with random weights" in card
    assert by_hand in card
    assert card.count("yolo11n from pcb-yolo11n") == card.count("yolo26n from random weights") == 1
    runs = card.rstrip().split("\n")[-2:]
    expected = f"| 2026-02-01 08:05 | `{first.sha256[:12]}` | pytorch fp32 | shift 5, noise 0.001 |"
    assert [run.startswith(expected) for run in runs] == [True, True]


def test_every_mistake_of_the_data_is_known_before_anything_is_written(
    boards: Path, tmp_path: Path
) -> None:
    compared = recipe(tmp_path, reference=True)
    folder = boards / "PCBData" / "group10000" / "10000"
    noise = np.random.default_rng(5).integers(0, 2, (PX, PX, 1)).astype(np.uint8) * 255
    for number in (2, 3):
        picture = images.encode_png(np.repeat(noise, 3, axis=2))
        (folder / f"1000000{number}_temp.png").write_bytes(picture)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="2 pictures cannot be trained on") as caught:
        train_detector(
            data=boards, format="deeppcb", recipe=compared, out=tmp_path / "m", start="none",
            device="cpu", input_px=PX,
        )  # fmt: skip
    assert "10000002_test.png" in str(caught.value)
    assert "10000003_test.png" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_cannot_start_is_refused(boards: Path, tmp_path: Path) -> None:
    compared = recipe(tmp_path, reference=True)

    def refused(match: str, **changes: object) -> None:
        with pytest.raises(ModelError, match=match):
            train_detector(
                data=boards, format="deeppcb", recipe=compared, out=tmp_path / "m", **changes
            )  # type: ignore[arg-type]

    refused("expected one of yolo11n", architecture="resnet")
    refused("expected a device of auto, cpu", device="gpu")
    refused("expected GPUs 97, found", device="97")
    refused("in steps of 32, got 100", input_px=100)
    refused("found none; leave out --resume", resume=True, device="cpu")
    refused("expected weights for yolo11s", architecture="yolo11s", start="pcb-yolo11n")
    refused("expected a shipped model", start="no-such-detector")
    assert not (tmp_path / "m").exists()
    (tmp_path / "m").write_text("")
    refused("expected a folder that can be written", device="cpu")
    (tmp_path / "m").unlink()
    shutil.copytree(ASSETS / "judge", tmp_path / "m")
    before = sorted((tmp_path / "m").iterdir())
    refused(r"m/model\.json: ", device="cpu")
    assert sorted((tmp_path / "m").iterdir()) == before


def test_what_a_killed_preparation_left_is_cleared_away(boards: Path, tmp_path: Path) -> None:
    work = tmp_path / "m" / "training"
    left = work / "pictures.part" / "train" / "images" / "old.png"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half a pic")
    compared = recipe(tmp_path, reference=True)
    dataset = read_dataset(boards, format="deeppcb", recipe=compared)
    two_valued = prepare(dataset, recipe=compared.settings, input_px=PX, folder=work / "pictures")
    assert two_valued
    assert [path.name for path in work.iterdir()] == ["pictures"]
    assert len(list((work / "pictures").rglob("*.png"))) == BOARDS


def good(confidence: float) -> MeasuredBoard:
    spot = Detection(label="open", confidence=confidence, box=Box(x0=0, y0=0, x1=1, y1=1))
    return MeasuredBoard(picture="", truth=(), found=(), found_on_good=(spot,))


def bad(confidence: float) -> MeasuredBoard:
    box = Box(x0=0, y0=0, x1=9, y1=9)
    return MeasuredBoard(
        picture="",
        truth=(Annotation(label="open", box=box),),
        found=(Detection(label="open", confidence=confidence, box=box),),
        found_on_good=None,
    )


def test_the_overkill_threshold_lets_the_share_asked_for_through() -> None:
    boards = [good(0.9), good(0.4), good(0.1), good(0.2)]
    at = overkill_threshold(boards, most=0.25)
    assert 0.4 < at < 0.4 + 1e-9
    assert overkill_threshold(boards, most=1.0) == 0.0


def test_with_many_good_parts_one_in_a_hundred_may_be_stopped() -> None:
    boards = [good(0.8), good(0.3204), *(good(0.1) for _ in range(98)), bad(0.9), bad(0.5)]
    thresholds = choose_thresholds(boards, labels=("open",))
    assert thresholds.report_at == 0.321
    assert thresholds.sure_at == 0.5


def test_with_few_good_parts_the_threshold_lies_in_the_gap_below_the_defects() -> None:
    boards = [good(0.2), bad(0.9), bad(0.6)]
    thresholds = choose_thresholds(boards, labels=("open",))
    assert thresholds.report_at == pytest.approx(0.4)
    assert thresholds.sure_at == 0.6
