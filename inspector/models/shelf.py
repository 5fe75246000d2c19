"""The shelf of model folders, and the check that a model file is the one its card describes.

A model is a folder with `model.json` (what the program reads), `MODEL_CARD.md` (what a person
reads) and the weights. Shipped ones lie in `inspector/assets/models/NAME`; a path names any other.
Weights are never opened before their sha256 has been compared: a `.pt` file is a pickle, and a
pickle is a program.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
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
class Parity:
    """How an export compares with PyTorch on a validation fold, which it had to pass.

    Boxes are compared at the threshold of the card. `pictures_alike` counts those where both report
    the same labels with boxes of IoU >= 0.9; the worst pair of all has `worst_iou`, and
    `worst_confidence` is the greatest difference in confidence of a pair.
    """

    map: float
    map_pytorch: float
    pictures: int
    pictures_alike: int
    worst_iou: float
    worst_confidence: float
    data_sha256: str


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Export:
    """A file that another engine runs, made of the weights with `weights_sha256`.

    Only exports that passed the parity gate are listed; `machine` is the processor it ran on.
    """

    engine: Literal["onnx", "openvino", "tensorrt"]
    precision: Literal["fp32", "fp16", "int8"]
    file: str
    sha256: str
    weights_sha256: str
    made_on: date
    machine: str
    versions: dict[str, str]
    parity: Parity


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class DetectorDescription:
    """`model.json` of a detector; `input_channels` says whether it looks at a reference too.

    `exports` of other weights than `sha256` are refused.
    """

    schema: Literal["model/1"] = "model/1"
    kind: Literal["detector"] = "detector"
    name: str
    file: str
    sha256: str
    labels: tuple[str, ...]
    input_channels: Literal["picture", "reference"]
    input_px: int
    thresholds: DetectorThresholds
    exports: tuple[Export, ...] = ()

    def __post_init__(self) -> None:
        for export in self.exports:
            if export.weights_sha256 != self.sha256:
                raise ValueError(
                    f"expected exports of the weights {self.sha256}, found {export.file} of "
                    f"{export.weights_sha256}"
                )


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
        raise _missing(path, exc) from exc
    _require_same(path, sha256, found)
    return path


def verified_content(path: Path, sha256: str) -> bytes:
    """Return the content of `path` if it has that hash; raise `ModelError` otherwise."""
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise _missing(path, exc) from exc
    _require_same(path, sha256, content_sha256(content))
    return content


def content_sha256(content: bytes) -> str:
    """Return the sha256 of `content`, in hex."""
    return hashlib.sha256(content).hexdigest()


def _missing(path: Path, exc: OSError) -> ModelError:
    return ModelError(
        f"{path}: expected a model file: {exc.strerror}; install the package again, or train it"
    )


def _require_same(path: Path, sha256: str, found: str) -> None:
    if found != sha256:
        raise ModelError(
            f"{path}: expected sha256 {sha256}, found {found}; the file was changed or damaged: "
            "install the package again, or restore the file and its card together"
        )


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
