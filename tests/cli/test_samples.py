"""Sample pictures with labels, copied out to train on."""

import json

import pytest
from typer.testing import CliRunner

from inspector import images
from inspector.cli import app
from inspector.settings import resolve_asset

COOKIES = resolve_asset("asset:samples/cookies")
LINES = [json.loads(line) for line in (COOKIES / "index.jsonl").read_text().splitlines()]


def test_samples_are_copied_with_list_and_licence(tmp_path):
    done = CliRunner().invoke(app, ["samples", "cookies", str(tmp_path / "mine")])
    assert done.exit_code == 0, done.output
    assert "20 pictures" in done.output
    names = {path.name for path in (tmp_path / "mine").iterdir()}
    assert {line["image"] for line in LINES} | {"index.jsonl", "README.md", "LICENSE.txt"} == names


def test_a_folder_that_is_there_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    done = CliRunner().invoke(app, ["samples", "cookies", "mine"])
    assert done.exit_code == 2
    assert "mine: expected a new folder" in done.output
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize("name", ["cakes", "pictures", "../models"])
def test_unknown_samples_are_refused_with_the_known_ones(tmp_path, name):
    done = CliRunner().invoke(app, ["samples", name, str(tmp_path / "mine")])
    assert done.exit_code == 2
    assert "expected samples of cookies" in done.output


def test_the_list_of_the_cookies_fits_their_pictures():
    assert len(LINES) == 20
    for line in LINES:
        assert images.size_of(COOKIES / line["image"], bit_depth=8) == (288, 384)
        assert (line["label"] == "anomaly") == bool(line["boxes"]) == (line["defect"] == "cracked")
        for x0, y0, x1, y1 in line["boxes"] or ():
            assert 0 <= x0 < x1 <= line["width"]
            assert 0 <= y0 < y1 <= line["height"]


def test_no_cookie_is_trained_on_and_measured_on():
    by_split = {
        split: {line["group"] for line in LINES if line["split"] == split}
        for split in ("train", "test")
    }
    assert all(by_split.values())
    assert not by_split["train"] & by_split["test"]
