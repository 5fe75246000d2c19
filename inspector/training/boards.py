"""Read board pictures with their references and annotations for training and measuring.

The format is that of DeepPCB (Tang et al., "On-line PCB Defect Detector On A New PCB Defect
Dataset", 2019): a list file with one `group/…/ID.jpg group/…/ID.txt` a line, the tested board in
`ID_test.*`, its defect-free template in `ID_temp.*`, and `x1 y1 x2 y2 type` a line in `ID.txt`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from inspector.domain import Box
from inspector.errors import DataError

LABELS = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotated defect: `label` is one of `LABELS`, `box` in px of the board picture."""

    label: str
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPair:
    """A tested board, its template and what is wrong with it.

    `id` is the number of the board, `group` the panel it was cut from.
    """

    id: str
    group: str
    board: Path
    template: Path
    annotations: tuple[Annotation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The committed division of DeepPCB *trainval*: `validation_groups` whole, `demo` cut out."""

    validation_groups: tuple[str, ...]
    demo: tuple[str, ...]


def shipped_splits() -> Splits:
    """Return the division that the shipped models were trained with."""
    text = (resources.files("inspector") / "assets/splits/deeppcb.json").read_text()
    content = json.loads(text)
    return Splits(
        validation_groups=tuple(content["validation_groups"]), demo=tuple(content["demo"])
    )


def read_deeppcb(root: Path, *, split: str) -> tuple[BoardPair, ...]:
    """Return every pair that `root/{split}.txt` lists, in its order.

    Raises `DataError` that names every missing picture and every bad line at once.
    """
    listing = root / f"{split}.txt"
    if not listing.is_file():
        raise DataError(f"expected a list of boards at {listing}, found none; check --data")
    mistakes: list[str] = []
    pairs: list[BoardPair] = []
    for line in listing.read_text().splitlines():
        if not line.strip():
            continue
        picture, annotation = line.split()
        folder, name = (root / "PCBData" / picture).parent, Path(picture).stem
        board = _picture(folder, f"{name}_test", mistakes)
        template = _picture(folder, f"{name}_temp", mistakes)
        annotations = _annotations(root / "PCBData" / annotation, mistakes)
        if board is not None and template is not None:
            pairs.append(
                BoardPair(
                    id=name,
                    group=Path(picture).parts[0].removeprefix("group"),
                    board=board,
                    template=template,
                    annotations=annotations,
                )
            )
    if mistakes:
        raise DataError(f"{len(mistakes)} mistakes in {listing}:\n" + "\n".join(mistakes))
    return tuple(pairs)


def _picture(folder: Path, stem: str, mistakes: list[str]) -> Path | None:
    for suffix in PICTURE_SUFFIXES:
        if (path := folder / f"{stem}{suffix}").is_file():
            return path
    mistakes.append(f"{folder / stem}.*: expected a picture, found none")
    return None


def _annotations(path: Path, mistakes: list[str]) -> tuple[Annotation, ...]:
    if not path.is_file():
        mistakes.append(f"{path}: expected annotations, found none")
        return ()
    found: list[Annotation] = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        fields = line.replace(",", " ").split()
        if not fields:
            continue
        try:
            x0, y0, x1, y1, kind = (int(field) for field in fields)
            found.append(Annotation(label=LABELS[kind - 1], box=Box(x0=x0, y0=y0, x1=x1, y1=y1)))
        except (ValueError, IndexError):
            mistakes.append(f"{path}:{number}: expected 'x0 y0 x1 y1 type(1-6)', found {line!r}")
    return tuple(found)
