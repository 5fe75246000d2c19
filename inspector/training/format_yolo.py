"""YOLO's format: `data.yaml`, pictures in `images/`, and beside it `labels/` with a file each.

A label file has `class x y width height` a line, centre and size in parts of the picture; a row
with more numbers is an outline, and its bounding box counts. A picture without a label file is
background.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from pathlib import Path

import yaml

from inspector import images
from inspector.training.listing import (
    Entry,
    Listing,
    Row,
    Split,
    lines_of,
    picture_id,
    pictures_in,
    split_named,
)

LISTS = ("data.yaml", "data.yml", "dataset.yaml")
KEYS = ("train", "val", "valid", "validation", "test")


def read_yolo(root: Path, *, splits: Collection[Split]) -> Listing:
    """Return the pictures that `root/data.yaml` names; the test split only where asked for."""
    path = next((root / name for name in LISTS if (root / name).is_file()), root / LISTS[0])
    content, mistakes = _content(path)
    names = _names(content.get("names"), path, mistakes)
    base = _base(content.get("path"), root)
    entries: list[Entry] = []
    missing = 0
    for key in KEYS:
        split = split_named(key)
        if content.get(key) is None or (split == "test" and "test" not in splits):
            continue
        pictures = list(dict.fromkeys(_pictures(content[key], key, path, base, mistakes)))
        for picture in pictures:
            labels = label_path(picture)
            missing += not labels.is_file()
            entries.append(
                Entry(
                    id=picture_id(picture, root),
                    group=picture_id(picture, root),
                    picture=picture,
                    rows=_rows(labels, names, mistakes),
                    split=split,
                )
            )
    if not mistakes and not entries:
        mistakes.append(f"{path}: expected pictures under train or val, found none")
    if entries and missing == len(entries):
        mistakes.append(
            f"{label_path(entries[0].picture)}: expected a label file, found none, nor for any of "
            f"the {missing} pictures; put labels/ beside images/"
        )
    return Listing(labels=names, entries=tuple(entries), mistakes=tuple(mistakes))


def label_path(picture: Path) -> Path:
    """Return where the labels of `picture` lie: its last folder `images` becomes `labels`."""
    parts = list(picture.parts)
    folders = [index for index, part in enumerate(parts[:-1]) if part == "images"]
    if folders:
        parts[folders[-1]] = "labels"
    return Path(*parts).with_suffix(".txt")


def _content(path: Path) -> tuple[dict[str, object], list[str]]:
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as exc:
        return {}, [f"{path}: expected a list of names and folders: {exc.strerror}; check --data"]
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        return {}, [f"{path}: expected YAML: {' '.join(str(exc).split())}"]
    if not isinstance(content, dict):
        return {}, [f"{path}: expected keys names, train and val, found {type(content).__name__}"]
    return content, []


def _names(found: object, path: Path, mistakes: list[str]) -> tuple[str, ...]:
    if isinstance(found, dict) and sorted(found, key=str) == sorted(range(len(found)), key=str):
        found = [found[index] for index in range(len(found))]
    if not (isinstance(found, list) and found and len(set(map(str, found))) == len(found)):
        if not mistakes:
            mistakes.append(
                f"{path}: names: expected the classes, each once, as a list or numbered from 0, "
                f"found {found!r}"
            )
        return ()
    return tuple(str(name) for name in found)


def _base(named: object, root: Path) -> Path:
    """Return the folder that `path:` means; one of the machine of origin counts as `root`."""
    if isinstance(named, str) and (root / named).is_dir():
        return root / named
    return root


def _pictures(
    named: object, key: str, path: Path, base: Path, mistakes: list[str]
) -> Iterator[Path]:
    for name in named if isinstance(named, list) else [named]:
        place = base / str(name)
        if not place.exists() and str(name).startswith("../"):
            place = base / str(name)[3:]  # as Roboflow's exports write it
        if place.is_dir():
            pictures = list(pictures_in(place))
            if not pictures:
                mistakes.append(f"{place}: expected pictures, found an empty folder")
            yield from pictures
        elif place.suffix == ".txt" and place.is_file():
            yield from _of_list(place, base, mistakes)
        else:
            mistakes.append(f"{path}: {key}: expected a folder or a .txt list, found no {place}")


def _of_list(listing: Path, base: Path, mistakes: list[str]) -> Iterator[Path]:
    already = len(mistakes)
    lines = lines_of(listing, mistakes)
    if not lines and len(mistakes) == already:
        mistakes.append(f"{listing}: expected pictures, found an empty list")
    for number, line in lines:
        places = (listing.parent / line.strip(), base / line.strip())
        found = next((place for place in places if place.is_file()), None)
        if found is None or found.suffix.lower() not in images.SUFFIXES:
            mistakes.append(f"{listing}:{number}: expected a picture, found none at {places[0]}")
        else:
            yield found


def _rows(path: Path, names: tuple[str, ...], mistakes: list[str]) -> tuple[Row, ...]:
    if not path.is_file():
        return ()
    rows: list[Row] = []
    for number, line in lines_of(path, mistakes):
        where = f"{path}:{number}"
        try:
            kind, *numbers = (float(field) for field in line.split())
        except ValueError:
            kind, numbers = math.nan, []
        is_outline = len(numbers) >= 6 and len(numbers) % 2 == 0
        if not kind.is_integer() or not (len(numbers) == 4 or is_outline):
            mistakes.append(f"{where}: expected 'class x y width height', found {line!r}")
            continue
        if not 0 <= kind < len(names):
            if names:
                mistakes.append(
                    f"{where}: expected a class from 0 to {len(names) - 1}, found {int(kind)}"
                )
            continue
        rows.append(
            Row(where=where, label=names[int(kind)], corners=_corners(numbers), relative=True)
        )
    return tuple(rows)


def _corners(numbers: list[float]) -> tuple[float, float, float, float]:
    if len(numbers) > 4:
        xs, ys = numbers[::2], numbers[1::2]
        return min(xs), min(ys), max(xs), max(ys)
    x, y, width, height = numbers
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
