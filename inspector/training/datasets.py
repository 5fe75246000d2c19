"""Labelled pictures for training and measuring, in the formats that labelling tools write.

| format | what lies in the folder |
|---|---|
| deeppcb | `trainval.txt`, `test.txt`, `PCBData/`: boards with their templates |
| yolo | `data.yaml` with `names` and `train`, `val`, `test`; `images/` beside `labels/` |
| coco | `annotations/*.json`, or `instances_*.json` for each split |
| voc | `Annotations/*.xml`, `JPEGImages/`, `ImageSets/Main/{train,val,test}.txt` |
| jsonl | `index.jsonl`, a picture a line: `image label defect boxes split reference? group?` |

A format's own splits are used. Where it has no validation split, a fifth of the groups is set
aside, of those with defects and of those without; which ones follows from the sha256 of their
names, so that it stays the same on every machine. Where it has no test split, the validation fold
stands for it, and `Dataset.notes` says so.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from inspector import images
from inspector.domain import Box
from inspector.errors import DataError, PictureError
from inspector.settings import Recipe, resolve_asset
from inspector.training.format_coco import read_coco
from inspector.training.format_deeppcb import DEEPPCB_LABELS, read_deeppcb, shipped_splits
from inspector.training.format_jsonl import read_jsonl
from inspector.training.format_voc import read_voc
from inspector.training.format_yolo import read_yolo
from inspector.training.listing import SPLITS, Entry, Listing, Row, Split

__all__ = [
    "DEEPPCB_LABELS",
    "FORMATS",
    "SPLITS",
    "Annotation",
    "Dataset",
    "LabelledPicture",
    "Split",
    "read_dataset",
    "shipped_splits",
]

_READERS = {
    "deeppcb": read_deeppcb,
    "yolo": read_yolo,
    "coco": read_coco,
    "voc": read_voc,
    "jsonl": read_jsonl,
}
FORMATS = tuple(_READERS)

SET_ASIDE = 0.2
# Tools round, and some count pixels from 1: a box may leave the picture by this and is cut off.
TOLERANCE_PX = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotated defect: `label` is one of the data set's, `box` in px of the picture."""

    label: str
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledPicture:
    """A picture, the reference it is compared with (None without one) and what is wrong with it.

    `id` is unique in the data set and can be a file name. Pictures of one `group` (a panel, a
    part) are never divided between training and measuring.
    """

    id: str
    group: str
    picture: Path
    reference: Path | None
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Pictures by split; a split that was not asked for is empty.

    `notes` says what a person should know of the division, a sentence each. `test_is_validation`
    where there is no test split of its own.
    """

    labels: tuple[str, ...]
    training: tuple[LabelledPicture, ...]
    validation: tuple[LabelledPicture, ...]
    test: tuple[LabelledPicture, ...]
    notes: tuple[str, ...] = ()
    test_is_validation: bool = False

    def split(self, name: Split) -> tuple[LabelledPicture, ...]:
        """Return the pictures of the split of that name."""
        return {"training": self.training, "validation": self.validation, "test": self.test}[name]


def read_dataset(
    root: Path,
    *,
    format: str,
    recipe: Recipe | None = None,
    splits: Collection[Split] = ("training", "validation"),
) -> Dataset:
    """Return the labelled pictures of `root`, every picture and box checked.

    Pictures get a reference where `recipe` has one: the picture's own (`index.jsonl`), else the
    recipe's, from a folder by the name of the picture's folder (`VIEW.png`). Without a recipe only
    a picture's own counts; boards of DeepPCB always have their template.

    Only `splits` are opened, so that training never reads the test split. Raises `DataError` with
    every mistake and its file.
    """
    if format not in _READERS:
        raise DataError(f"expected a format of {', '.join(FORMATS)}, got {format!r}")
    if not root.is_dir():
        raise DataError(f"{root}: expected a folder with labelled pictures, found none")
    listing = _READERS[format](root, splits=splits)
    mistakes = list(listing.mistakes)
    labels = _labels(listing)
    entries = [_with_reference(entry, format, recipe) for entry in listing.entries]
    mistakes += _repeated(entries)
    divided, notes = _divided(entries, mistakes)
    wanted = {split: divided[split] for split in SPLITS if split in splits}
    test_is_validation = "test" in wanted and not wanted["test"]
    if test_is_validation:
        wanted["test"] = divided["validation"]
        notes.append("no test split: the validation fold stands for it")
    sizes = _sizes([entry for part in wanted.values() for entry in part], recipe, mistakes)
    pictures = {
        split: tuple(_checked(entry, sizes, labels, mistakes) for entry in part)
        for split, part in wanted.items()
    }
    for split, part in pictures.items():
        if not part and not listing.mistakes:
            mistakes.append(f"{root}: expected pictures in the {split} split, found none")
    training = pictures.get("training", ())
    if training and not mistakes and not any(picture.annotations for picture in training):
        mistakes.append(f"{root}: expected annotated defects to train on, found none")
    if mistakes:
        # the same file may be met twice, as a reference of several pictures or in two splits
        once = tuple(dict.fromkeys(mistakes))
        counted = "1 mistake" if len(once) == 1 else f"{len(once)} mistakes"
        raise DataError(f"{counted} in {root}:\n" + "\n".join(once))
    return Dataset(
        labels=labels,
        training=training,
        validation=pictures.get("validation", ()),
        test=pictures.get("test", ()),
        notes=tuple(notes),
        test_is_validation=test_is_validation,
    )


def _labels(listing: Listing) -> tuple[str, ...]:
    if listing.labels is not None:
        return listing.labels
    return tuple(sorted({row.label for entry in listing.entries for row in entry.rows}))


def _with_reference(entry: Entry, format: str, recipe: Recipe | None) -> Entry:
    if format == "deeppcb" or recipe is None:
        return entry
    if recipe.settings.reference is None:
        return replace(entry, reference=None)
    if entry.reference is not None:
        return entry
    path = resolve_asset(recipe.settings.reference)
    if path.is_dir():
        path = path / f"{entry.picture.parent.name}.png"
    return replace(entry, reference=path)


def _repeated(entries: Iterable[Entry]) -> list[str]:
    """Return a mistake for each name that two pictures have, or picture that is listed twice."""
    seen: dict[str, Entry] = {}
    mistakes = []
    for entry in entries:
        first = seen.setdefault(entry.id, entry)
        if first is entry:
            continue
        if first.picture == entry.picture:
            mistakes.append(
                f"{entry.picture}: expected each picture in one split, found it in "
                f"{first.split or 'training'} and {entry.split or 'training'}"
            )
        else:
            mistakes.append(
                f"{entry.picture}: expected one picture of this name, found {first.picture} too"
            )
    return mistakes


def _divided(
    entries: Sequence[Entry], mistakes: list[str]
) -> tuple[dict[Split, list[Entry]], list[str]]:
    divided: dict[Split, list[Entry]] = {split: [] for split in SPLITS}
    for entry in entries:
        divided[entry.split or "training"].append(entry)
    if divided["validation"] or not divided["training"]:
        return divided, []
    aside = _set_aside(divided["training"])
    training = [entry for entry in divided["training"] if entry.group not in aside]
    if not training:
        mistakes.append(
            f"{entries[0].picture.parent}: expected pictures of two groups or more, to set one "
            f"aside for validation, found only {entries[0].group!r}"
        )
        return divided, []
    divided["validation"] = [entry for entry in divided["training"] if entry.group in aside]
    note = (
        f"no validation split: {len(divided['validation'])} of {len(divided['training'])} "
        "pictures are set aside for it"
    )
    divided["training"] = training
    return divided, [note]


def _set_aside(entries: Iterable[Entry]) -> set[str]:
    """Return a fifth of the groups with defects and of those without, at least one with."""
    has_defect: dict[str, bool] = {}
    for entry in entries:
        has_defect[entry.group] = has_defect.get(entry.group, False) or bool(entry.rows)
    aside: set[str] = set()
    for kind in (True, False):
        names = [name for name, defect in has_defect.items() if defect is kind]
        names.sort(key=lambda name: hashlib.sha256(name.encode()).digest())
        aside.update(names[: max(round(SET_ASIDE * len(names)), 1 if kind else 0)])
    return aside


def _sizes(
    entries: Sequence[Entry], recipe: Recipe | None, mistakes: list[str]
) -> dict[Path, tuple[int, int] | None]:
    """Return (width, height) of each picture and reference, None for those that cannot be read.

    Frames that a station would hold by `recipe` are mistakes: of another size, or all black.
    """
    bit_depth = 8 if recipe is None else recipe.settings.bit_depth
    frame_size_px = None if recipe is None else recipe.settings.frame_size_px
    frames = dict.fromkeys(entry.picture for entry in entries)
    references = (entry.reference for entry in entries if entry.reference is not None)
    paths = list(frames | dict.fromkeys(references))

    def look(path: Path) -> tuple[tuple[int, int] | None, list[str]]:
        try:
            if path not in frames:
                return images.size_of(path, bit_depth=bit_depth), []
            bgr = images.read(path, bit_depth=bit_depth)
        except PictureError as exc:
            return None, [str(exc)]
        found = []
        try:
            images.require_size(bgr, frame_size_px)
            images.require_light(bgr)
        except PictureError as exc:
            found.append(f"{path}: {exc}")
        return (bgr.shape[1], bgr.shape[0]), found

    sizes: dict[Path, tuple[int, int] | None] = {}
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for path, (size, found) in zip(paths, pool.map(look, paths), strict=True):
            sizes[path] = size
            mistakes += found
    return sizes


def _checked(
    entry: Entry,
    sizes: dict[Path, tuple[int, int] | None],
    labels: tuple[str, ...],
    mistakes: list[str],
) -> LabelledPicture:
    size = sizes[entry.picture]
    annotations: list[Annotation] = []
    if size is not None:
        if entry.size is not None and entry.size != size:
            mistakes.append(
                f"{entry.picture}: expected {entry.size[0]} × {entry.size[1]} px as its "
                f"annotations say, found {size[0]} × {size[1]}"
            )
        reference_size = sizes[entry.reference] if entry.reference is not None else None
        if reference_size is not None and reference_size != size:
            mistakes.append(
                f"{entry.reference}: expected a reference of {size[0]} × {size[1]} px as "
                f"{entry.picture}, found {reference_size[0]} × {reference_size[1]}"
            )
        for row in entry.rows:
            found = _annotation(row, size, labels)
            if isinstance(found, str):
                mistakes.append(found)
            else:
                annotations.append(found)
    return LabelledPicture(
        id=entry.id,
        group=entry.group,
        picture=entry.picture,
        reference=entry.reference,
        annotations=tuple(annotations),
    )


def _annotation(row: Row, size: tuple[int, int], labels: tuple[str, ...]) -> Annotation | str:
    """Return the checked annotation of `row`, or what is wrong with it."""
    width, height = size
    if row.label not in labels:
        return f"{row.where}: expected a label of {', '.join(labels)}, found {row.label!r}"
    x0, y0, x1, y1 = row.corners
    if not all(math.isfinite(value) for value in row.corners):
        return f"{row.where}: expected numbers, found {row.corners}"
    if row.relative:
        x0, y0, x1, y1 = x0 * width, y0 * height, x1 * width, y1 * height
    found = f"{x0:g} {y0:g} {x1:g} {y1:g}"
    if not (x0 < x1 and y0 < y1):
        return f"{row.where}: expected a box with x0 < x1 and y0 < y1, found {found}"
    beyond = max(-x0, -y0, x1 - width, y1 - height)
    box = Box(x0=x0, y0=y0, x1=x1, y1=y1).clipped(width=width, height=height)
    if box is None or beyond > TOLERANCE_PX:
        return f"{row.where}: expected a box inside {width} × {height} px, found {found}"
    return Annotation(label=row.label, box=box)
