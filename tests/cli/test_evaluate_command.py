"""`inspector evaluate detector` on two drawn-on sample boards, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inspector import images
from inspector.cli import app
from inspector.errors import DataError
from inspector.models.shelf import ASSETS
from inspector.settings import PACKAGE

TEMPLATES = PACKAGE / "assets" / "samples" / "templates"

FIELDS = (
    "schema data_sha256 split notes model_sha256 engine threshold map pooled_ap f f_best f_best_at "
    "per_class map50 map50_95 defects missed boards boards_missed boards_all_missed unregistered "
    "good_boards overkill_boards perturb"
).split()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return two boards with a piece of copper too much, in folders named by their view."""
    lines = []
    for template in sorted(TEMPLATES.glob("*.png"))[:2]:
        board = images.read(template)
        board[300:330, 300:330] = 255
        picture = tmp_path / template.stem / "board.png"
        picture.parent.mkdir()
        picture.write_bytes(images.encode_png(board))
        box = {"label": "copper", "box": [300, 300, 330, 330]}
        name = f"{template.stem}/board.png"
        lines.append({"image": name, "boxes": [box], "split": "val"})
    (tmp_path / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a copy of the shipped detector that looks at 64 px: quick, and finds nothing."""
    folder = tmp_path / "model"
    shutil.copytree(ASSETS / "pcb-yolo11n", folder)
    described = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(described | {"input_px": 64, "exports": []}))
    return folder


def evaluate(*arguments: str | Path) -> str:
    command = ["evaluate", "detector", *map(str, arguments)]
    return CliRunner().invoke(app, command, catch_exceptions=False).stdout


@pytest.mark.filterwarnings("ignore")  # the vendors', on import
def test_the_figures_are_one_line_of_json_and_every_raw_box_is_written(
    data: Path, model: Path
) -> None:
    out = data / "found.jsonl"
    how = ("--format", "jsonl", "--recipe", "pcb", "--engine", "pytorch", "--perturb", "shift=2")
    line = json.loads(
        evaluate("--data", data, "--model", model, *how, "--detections", out, "--json")
    )
    assert list(line) == FIELDS
    assert (line["boards"], line["defects"], line["good_boards"]) == (2, 2, 2)
    assert (line["split"], line["perturb"]) == ("test", {"shift": 2})
    assert line["notes"] == ["no test split: the validation fold stands for it"]
    found = [json.loads(text) for text in out.read_text().splitlines()]
    assert [set(one) for one in found] == [{"image", "detections"}] * 2


@pytest.mark.filterwarnings("ignore")  # the vendors', on import
def test_a_run_on_the_test_split_is_listed_in_the_card_of_the_model(
    data: Path, model: Path
) -> None:
    how = ("--data", data, "--format", "jsonl", "--recipe", "pcb", "--engine", "pytorch")
    card = model / "MODEL_CARD.md"
    before = card.read_text()
    evaluate(*how, "--model", model)  # the validation fold stands for the test split
    assert card.read_text() == before
    index = data / "index.jsonl"
    index.write_text(index.read_text().replace('"val"', '"test"'))
    evaluate(*how, "--model", model, "--perturb", "shift=2,noise=0.001", "--json")
    (row,) = set(card.read_text().split("\n")) - set(before.split("\n"))
    assert "| pytorch fp32 | shift 2, noise 0.001 |" in row
    card.unlink()
    found = CliRunner().invoke(app, ["evaluate", "detector", *map(str, how), "--model", str(model)])
    assert found.exit_code == 0
    assert "MODEL_CARD.md: expected to list this run on the test split there" in found.stderr


def test_what_cannot_be_measured_is_refused_before_a_model_loads(data: Path) -> None:
    with pytest.raises(DataError, match="found 'tilt'"):
        evaluate("--data", data, "--perturb", "tilt=1")
    with pytest.raises(DataError, match="expected a file in a folder that is there"):
        evaluate("--data", data, "--detections", data / "nowhere" / "found.jsonl")
    with pytest.raises(DataError, match=r"data\.yaml: expected a list of names"):
        evaluate("--data", data, "--format", "yolo")
