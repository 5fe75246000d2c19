"""What a data set's own files say, before pictures are opened and boxes are checked.

Each format is read by one module into these types; `inspector.training.datasets` does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inspector import images

Split = Literal["training", "validation", "test"]
SPLITS: tuple[Split, ...] = ("training", "validation", "test")

_SPLIT_NAMES: dict[str, Split] = {
    "train": "training",
    "training": "training",
    "trainval": "training",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One annotated box as written; `where` names its file and line.

    `corners` is x0, y0, x1, y1 in px, or in parts of the picture where `relative`.
    """

    where: str
    label: str
    corners: tuple[float, float, float, float]
    relative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One picture as listed; `split` is None where the format leaves it open.

    `group` names what must not be divided between folds. `size` is what the file says of the
    picture, `reference` the picture without defects that belongs to it.
    """

    id: str
    group: str
    picture: Path
    rows: tuple[Row, ...]
    split: Split | None
    reference: Path | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All that a data set lists. `labels` is None where the format has no list of them."""

    labels: tuple[str, ...] | None
    entries: tuple[Entry, ...]
    mistakes: tuple[str, ...]


def lines_of(path: Path, mistakes: list[str]) -> list[tuple[int, str]]:
    """Return the lines of a text file that say something, with their numbers from 1.

    A file that cannot be read is a mistake.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        mistakes.append(f"{path}: expected a text file: {exc.strerror}; check --data")
        return []
    except UnicodeDecodeError as exc:
        mistakes.append(f"{path}: expected text in UTF-8: {exc}")
        return []
    return [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]


def split_named(name: str) -> Split | None:
    """Return the split that `name` stands for (`val`, `Train`…), None for other names."""
    return _SPLIT_NAMES.get(name.strip().lower())


def pictures_in(folder: Path) -> Iterator[Path]:
    """Yield the pictures below `folder` in order of their paths."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in images.SUFFIXES and path.is_file():
            yield path


def picture_id(picture: Path, root: Path) -> str:
    """Return a name for `picture` that is a file name too: its path below `root`."""
    inside = picture.relative_to(root) if picture.is_relative_to(root) else Path(picture.name)
    return "__".join(inside.with_suffix("").parts)
