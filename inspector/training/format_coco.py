"""COCO's format: JSON with `images`, `annotations` (`bbox`: x, y, width, height), `categories`.

The files are `annotations/*.json`, or `instances_*.json` in the folder itself, or
`SPLIT/_annotations.coco.json`. `train`, `val` or `test` in the name says which split a file is.
Crowds (`iscrowd`) mark areas, not defects, and are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from inspector.training.listing import Entry, Listing, Row, Split, picture_id, split_named

_SPLIT = re.compile(r"(?<![a-z])(trainval|train|training|validation|valid|val|test)(?![a-z])")

_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Image(BaseModel):
    id: int | str
    file_name: str = Field(min_length=1)
    width: int | None = None
    height: int | None = None


class _Category(BaseModel):
    id: int | str
    name: str = Field(min_length=1)


class _Annotation(BaseModel):
    id: int | str | None = None
    image_id: int | str
    category_id: int | str
    bbox: tuple[_Number, _Number, _Number, _Number] | None = None
    iscrowd: int = 0


class _Content(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation] = []
    categories: list[_Category]


def read_coco(root: Path, *, splits: Collection[Split]) -> Listing:
    """Return the pictures of all annotation files; those of the test split only where asked for."""
    mistakes: list[str] = []
    entries: list[Entry] = []
    labels: dict[str, None] = {}
    files = _files(root)
    if not files:
        mistakes.append(
            f"{root}/annotations/*.json: expected annotations, found none; check --data"
        )
    for path in files:
        split = _split_of(path, root)
        if split == "test" and "test" not in splits:
            continue
        content = _content(path, mistakes)
        if content is None:
            continue
        if not content.images:
            mistakes.append(f"{path}: images: expected pictures, found none")
        labels |= dict.fromkeys(c.name for c in sorted(content.categories, key=_numbered))
        entries += _entries(content, path, root, split, mistakes)
    return Listing(labels=tuple(labels), entries=tuple(entries), mistakes=tuple(mistakes))


def _files(root: Path) -> list[Path]:
    for pattern in ("annotations/*.json", "instances_*.json", "*/_annotations.coco.json"):
        if found := sorted(root.glob(pattern)):
            return found
    return []


def _split_of(path: Path, root: Path) -> Split | None:
    named = path.parent.name if path.name.startswith("_") and path.parent != root else path.stem
    found = _SPLIT.search(named.lower())
    return split_named(found.group(1)) if found else None


def _numbered(category: _Category) -> tuple[int, str]:
    return (category.id, "") if isinstance(category.id, int) else (0, category.id)


def _content(path: Path, mistakes: list[str]) -> _Content | None:
    try:
        return _Content.model_validate(json.loads(path.read_bytes()))
    except (json.JSONDecodeError, UnicodeDecodeError) as exc:
        mistakes.append(f"{path}: expected JSON: {exc}")
    except ValidationError as exc:
        mistakes += (
            f"{path}: {'.'.join(str(part) for part in error['loc'])}: {error['msg']}, found "
            f"{str(error['input'])[:60]!r}"
            for error in exc.errors()
        )
    return None


def _entries(
    content: _Content, path: Path, root: Path, split: Split | None, mistakes: list[str]
) -> list[Entry]:
    names = {category.id: category.name for category in content.categories}
    rows: dict[int | str, list[Row]] = {image.id: [] for image in content.images}
    for number, annotation in enumerate(content.annotations):
        where = f"{path}: annotation {number if annotation.id is None else annotation.id}"
        if annotation.iscrowd:
            continue
        if annotation.image_id not in rows:
            mistakes.append(
                f"{where}: expected the id of a listed picture, found {annotation.image_id}"
            )
        elif annotation.category_id not in names:
            mistakes.append(f"{where}: expected a listed category, found {annotation.category_id}")
        elif annotation.bbox is None:
            mistakes.append(f"{where}: expected a bbox, found none")
        else:
            x, y, width, height = annotation.bbox
            rows[annotation.image_id].append(
                Row(
                    where=where,
                    label=names[annotation.category_id],
                    corners=(x, y, x + width, y + height),
                )
            )
    entries = []
    for image in content.images:
        picture = _picture(image.file_name, path, root)
        if picture is None:
            mistakes.append(f"{path}: image {image.id}: found no picture {image.file_name}")
            continue
        entries.append(
            Entry(
                id=picture_id(picture, root),
                group=picture_id(picture, root),
                picture=picture,
                rows=tuple(rows[image.id]),
                split=split,
                size=(image.width, image.height) if image.width and image.height else None,
            )
        )
    return entries


def _picture(name: str, path: Path, root: Path) -> Path | None:
    folder = path.stem.removeprefix("instances_")
    for place in (root, root / "images", root / folder, root / "images" / folder, path.parent):
        if (place / name).is_file():
            return place / name
    return None
