"""Pascal VOC's format: `Annotations/*.xml`, `JPEGImages/`, and lists in `ImageSets/Main`.

Corners count pixels from 1 and are inclusive (Everingham et al., VOC2012 development kit).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from inspector import images
from inspector.training.listing import Entry, Listing, Row, Split, lines_of, picture_id

_LISTS: tuple[tuple[str, Split], ...] = (
    ("train", "training"),
    ("val", "validation"),
    ("test", "test"),
    ("trainval", "training"),
)
_LINE = "line"


def read_voc(root: Path, *, splits: Collection[Split]) -> Listing:
    """Return the annotated pictures; those of the test split only where asked for."""
    mistakes: list[str] = []
    files = {path.stem: path for path in sorted((root / "Annotations").glob("*.xml"))}
    if not files:
        mistakes.append(f"{root}/Annotations/*.xml: expected annotations, found none; check --data")
    listed = _listed(root / "ImageSets" / "Main", mistakes)
    entries: list[Entry] = []
    for stem, split in listed or tuple((stem, None) for stem in files):
        if split == "test" and "test" not in splits:
            continue
        if stem not in files:
            mistakes.append(f"{root}/Annotations/{stem}.xml: expected annotations, found none")
            continue
        entry = _entry(files[stem], root, split, mistakes)
        if entry is not None:
            entries.append(entry)
    return Listing(labels=None, entries=tuple(entries), mistakes=tuple(mistakes))


def _listed(folder: Path, mistakes: list[str]) -> tuple[tuple[str, Split | None], ...]:
    """Return the names of the lists; `trainval` adds only those that neither of its parts has."""
    listed: list[tuple[str, Split | None]] = []
    for name, split in _LISTS:
        path = folder / f"{name}.txt"
        if not path.is_file():
            continue
        already = len(mistakes)
        names = [line.split()[0] for _, line in lines_of(path, mistakes)]
        if not names and len(mistakes) == already:
            mistakes.append(f"{path}: expected names of pictures, found an empty list")
        taken = {stem for stem, _ in listed} if name == "trainval" else set()
        listed += [(stem, split) for stem in names if stem not in taken]
    return tuple(listed)


def _entry(path: Path, root: Path, split: Split | None, mistakes: list[str]) -> Entry | None:
    try:
        tree = _parsed(path)
    except (expat.ExpatError, _EntityDeclared) as exc:
        mistakes.append(f"{path}: expected plain XML: {exc}")
        return None
    picture = _picture(tree.findtext("filename") or "", path.stem, root / "JPEGImages")
    if picture is None:
        mistakes.append(f"{root}/JPEGImages/{path.stem}.*: expected a picture, found none")
        return None
    rows = []
    for found in tree.findall("object"):
        where = f"{path}:{found.get(_LINE)}"
        label = (found.findtext("name") or "").strip()
        corners = [_number(found, name) for name in ("xmin", "ymin", "xmax", "ymax")]
        if not label or any(math.isnan(value) for value in corners):
            mistakes.append(
                f"{where}: expected an object with name, xmin, ymin, xmax and ymax, found "
                f"{label!r} and {', '.join(f'{value:g}' for value in corners)}"
            )
            continue
        x0, y0, x1, y1 = corners
        rows.append(Row(where=where, label=label, corners=(x0 - 1, y0 - 1, x1, y1)))
    width, height = (_number(tree, f"size/{side}") for side in ("width", "height"))
    return Entry(
        id=picture_id(picture, root / "JPEGImages"),
        group=picture_id(picture, root / "JPEGImages"),
        picture=picture,
        rows=tuple(rows),
        split=split,
        size=(int(width), int(height)) if width >= 1 and height >= 1 else None,
    )


def _picture(name: str, stem: str, folder: Path) -> Path | None:
    names = (name, *(f"{stem}{suffix}" for suffix in images.SUFFIXES))
    places = [folder / name for name in names if name]
    places += [folder / f"{stem}{suffix.upper()}" for suffix in images.SUFFIXES]
    return next((place for place in places if place.is_file()), None)


def _number(element: Element, name: str) -> float:
    """Return the number in `name`, as of a box where `element` is an object; NaN without one."""
    text = element.findtext(name if "/" in name else f"bndbox/{name}")
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan


class _EntityDeclared(Exception):
    """The file declares an entity: a few nested ones expand to gigabytes."""


def _parsed(path: Path) -> Element:
    """Return the root element; each element has the number of its line as an attribute."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()

    def start(name: str, _attributes: dict[str, str]) -> None:
        builder.start(name, {_LINE: str(parser.CurrentLineNumber)})

    def refuse(name: str, *_rest: Any) -> None:
        raise _EntityDeclared(f"found the declaration of an entity {name!r}; remove it")

    parser.StartElementHandler = start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    parser.Parse(path.read_bytes(), True)
    return builder.close()
