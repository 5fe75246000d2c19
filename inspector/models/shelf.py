"""The shelf of model folders, and the check that a model file is the one its card describes.

A model is a folder with `model.json` (what the program reads), `MODEL_CARD.md` (what a person
reads) and the weights. Shipped ones lie in `inspector/assets/models/NAME`; a path names any other.
Weights are never opened before their sha256 has been compared: a `.pt` file is a pickle, and a
pickle is a program.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from inspector.errors import ModelError
from inspector.settings import NAME_PATTERN, PACKAGE

ASSETS = PACKAGE / "assets" / "models"
DESCRIPTION = "model.json"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What every `model.json` says."""

    name: str
    kind: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorThresholds:
    """Chosen on the validation fold; a recipe may set others."""

    report_at: float
    sure_at: float
    iou: float


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DetectorDescription:
    """`model.json` of a detector; `input_channels` says whether it looks at a reference too."""

    schema: Literal["model/1"] = "model/1"
    kind: Literal["detector"] = "detector"
    name: str
    file: str
    sha256: str
    labels: tuple[str, ...]
    input_channels: Literal["picture", "reference"]
    input_px: int
    thresholds: DetectorThresholds


def model_folder(name: str) -> Path:
    """Return the folder of the model of that name, or of the folder or weights file at that path.

    Raises `ModelError` where there is none.
    """
    if NAME_PATTERN.fullmatch(name) and (ASSETS / name / DESCRIPTION).is_file():
        return ASSETS / name
    path = Path(name)
    folder = path.parent if path.is_file() else path
    if (folder / DESCRIPTION).is_file():
        return folder
    shipped = sorted(found.parent.name for found in ASSETS.glob(f"*/{DESCRIPTION}"))
    raise ModelError(
        f"{name}: expected a shipped model ({', '.join(shipped) or 'none found'}) or the path of a "
        f"folder with {DESCRIPTION}; found neither"
    )


def verified(path: Path, sha256: str) -> Path:
    """Return `path` if its content has that hash; raise `ModelError` otherwise."""
    try:
        found = file_sha256(path)
    except OSError as exc:
        raise ModelError(
            f"{path}: expected a model file: {exc.strerror}; install the package again, or train it"
        ) from exc
    if found != sha256:
        raise ModelError(
            f"{path}: expected sha256 {sha256}, found {found}; the file was changed or damaged: "
            "install the package again, or restore the file and its card together"
        )
    return path


def file_sha256(path: Path) -> str:
    """Return the sha256 of the content of `path`, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_card(name: str) -> Card:
    """Return the card of the model of that name or path, its weights verified."""
    folder = model_folder(name)
    card = _described(folder, TypeAdapter(Card))
    verified(folder / card.file, card.sha256)
    return card


def read_detector(name: str) -> tuple[Path, DetectorDescription]:
    """Return the folder and the description of the detector of that name or path."""
    folder = model_folder(name)
    return folder, _described(folder, TypeAdapter(DetectorDescription))


def write_description(folder: Path, description: DetectorDescription) -> None:
    """Write `model.json` into `folder`, whole or not at all."""
    content = TypeAdapter(DetectorDescription).dump_json(description, indent=2)
    draft = folder / f"{DESCRIPTION}.part"
    draft.write_bytes(content + b"\n")
    draft.replace(folder / DESCRIPTION)


def _described(folder: Path, kind: TypeAdapter[_T]) -> _T:
    path = folder / DESCRIPTION
    try:
        return kind.validate_json(path.read_bytes())
    except OSError as exc:
        raise ModelError(f"{path}: expected a readable file: {exc.strerror}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(file)"
        raise ModelError(
            f"{path}: {key}: {first['msg']}, found {str(first['input'])[:60]!r}; "
            "install the package again, or train the model again"
        ) from exc
