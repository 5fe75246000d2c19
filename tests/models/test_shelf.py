"""Model folders: found by name or path, and never opened with another hash than their card's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from inspector.errors import ModelError
from inspector.models import shelf
from inspector.models.detector import load_detector


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a copy of the shipped detector's folder, free to spoil."""
    folder = Path(shutil.copytree(shelf.model_folder("pcb-yolo11n"), tmp_path / "mine"))
    spoil(folder, exports=[])  # those are of the weights that a test spoils
    return folder


def spoil(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_every_shipped_model_has_the_hash_of_its_card_and_a_card_for_people() -> None:
    names = [path.parent.name for path in shelf.ASSETS.glob("*/model.json")]
    assert "pcb-yolo11n" in names
    for name in names:
        shelf.load_card(name)
        assert (shelf.model_folder(name) / "MODEL_CARD.md").is_file()


def test_a_model_is_found_by_folder_and_by_weights_file(copied: Path) -> None:
    weights = copied / shelf.load_card(str(copied)).file
    assert shelf.model_folder(str(copied)) == shelf.model_folder(str(weights)) == copied


def test_an_unknown_model_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ModelError, match=r"nonesuch: expected a shipped model \(.*pcb-yolo11n"):
        shelf.model_folder("nonesuch")


def test_a_changed_weights_file_is_not_opened(copied: Path) -> None:
    card = shelf.load_card(str(copied))
    # A pickle that would end the process if anything tried to load it.
    (copied / card.file).write_bytes(b"cos\n_exit\n(I7\ntR.")
    with pytest.raises(ModelError, match=f"expected sha256 {card.sha256}, found .* install"):
        load_detector(str(copied))


def test_a_pickle_with_the_right_hash_still_runs_nothing(copied: Path) -> None:
    weights = copied / shelf.load_card(str(copied)).file
    weights.write_bytes(b"cos\n_exit\n(I7\ntR.")
    spoil(copied, sha256=shelf.file_sha256(weights))
    with pytest.raises(ModelError, match="expected weights that this ultralytics can load"):
        load_detector(str(copied))


def test_missing_weights_are_named(copied: Path) -> None:
    (copied / shelf.load_card(str(copied)).file).unlink()
    with pytest.raises(ModelError, match="expected a model file: No such file"):
        load_detector(str(copied))


def test_other_labels_than_the_weights_have_are_refused(copied: Path) -> None:
    spoil(copied, labels=["scratch"])
    with pytest.raises(ModelError, match="expected the labels scratch of its card, found open"):
        load_detector(str(copied))


def test_an_unknown_key_in_the_description_is_named(copied: Path) -> None:
    spoil(copied, colour="red")
    with pytest.raises(ModelError, match=r"model.json: colour: "):
        load_detector(str(copied))
