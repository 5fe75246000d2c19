"""DeepPCB's format (Tang et al., "On-line PCB Defect Detector On A New PCB Defect Dataset", 2019).

A list file has one `group/…/ID.jpg group/…/ID.txt` a line; the tested board lies in `ID_test.*`,
its defect-free template in `ID_temp.*`, and `ID.txt` holds `x1 y1 x2 y2 type` a line.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from inspector.training.listing import Entry, Listing, Row, Split, lines_of

DEEPPCB_LABELS = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedSplits:
    """The committed division of DeepPCB *trainval*: `validation_groups` whole, `demo` cut out."""

    validation_groups: tuple[str, ...]
    demo: tuple[str, ...]


def shipped_splits() -> ShippedSplits:
    """Return the division that the shipped models were trained with."""
    text = (resources.files("inspector") / "assets/splits/deeppcb.json").read_text()
    content = json.loads(text)
    return ShippedSplits(
        validation_groups=tuple(content["validation_groups"]), demo=tuple(content["demo"])
    )


def read_deeppcb(root: Path, *, splits: Collection[Split]) -> Listing:
    """Return the boards of `trainval.txt`, without the demo's, and of `test.txt` where asked."""
    mistakes: list[str] = []
    entries: list[Entry] = []
    if set(splits) != {"test"}:
        division = shipped_splits()
        for entry in _listed(root, "trainval", None, mistakes):
            if entry.id not in division.demo:
                held_out = entry.group in division.validation_groups
                entries.append(replace(entry, split="validation" if held_out else "training"))
        if entries and len({entry.split for entry in entries}) == 1:
            mistakes.append(
                f"{root}/trainval.txt: expected boards of the validation groups "
                f"{', '.join(division.validation_groups)} and of others, found only "
                f"{entries[0].split} boards"
            )
    if "test" in splits:
        entries += _listed(root, "test", "test", mistakes)
    return Listing(labels=DEEPPCB_LABELS, entries=tuple(entries), mistakes=tuple(mistakes))


def _listed(root: Path, name: str, split: Split | None, mistakes: list[str]) -> list[Entry]:
    listing = root / f"{name}.txt"
    if not listing.is_file():
        mistakes.append(f"{listing}: expected a list of boards, found none; check --data")
        return []
    entries: list[Entry] = []
    for number, line in lines_of(listing, mistakes):
        if len(line.split()) != 2:
            mistakes.append(
                f"{listing}:{number}: expected a board and its annotations, found {line!r}"
            )
            continue
        picture, annotation = line.split()
        folder, stem = (root / "PCBData" / picture).parent, Path(picture).stem
        board = _picture(folder, f"{stem}_test", mistakes)
        template = _picture(folder, f"{stem}_temp", mistakes)
        rows = _rows(root / "PCBData" / annotation, mistakes)
        if board is not None and template is not None:
            entries.append(
                Entry(
                    id=stem,
                    group=Path(picture).parts[0].removeprefix("group"),
                    picture=board,
                    reference=template,
                    rows=rows,
                    split=split,
                )
            )
    return entries


def _picture(folder: Path, stem: str, mistakes: list[str]) -> Path | None:
    for suffix in PICTURE_SUFFIXES:
        if (path := folder / f"{stem}{suffix}").is_file():
            return path
    mistakes.append(f"{folder / stem}.*: expected a picture, found none")
    return None


def _rows(path: Path, mistakes: list[str]) -> tuple[Row, ...]:
    if not path.is_file():
        mistakes.append(f"{path}: expected annotations, found none")
        return ()
    rows: list[Row] = []
    for number, line in lines_of(path, mistakes):
        fields = line.replace(",", " ").split()
        try:
            x0, y0, x1, y1, kind = (int(field) for field in fields)
        except ValueError:
            kind = 0
        if not 1 <= kind <= len(DEEPPCB_LABELS):
            mistakes.append(f"{path}:{number}: expected 'x0 y0 x1 y1 type(1-6)', found {line!r}")
            continue
        label = DEEPPCB_LABELS[kind - 1]
        rows.append(Row(where=f"{path}:{number}", label=label, corners=(x0, y0, x1, y1)))
    return tuple(rows)
