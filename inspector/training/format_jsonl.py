"""A picture a line in `index.jsonl`, the format of this product's own lists.

`{"image": PATH, "width": W, "height": H, "label": …, "defect": NAME, "boxes": [[x0, y0, x1, y1]],
"split": "train", "reference": PATH, "group": NAME}`; only `image` must be there. A box may also be
`{"label": NAME, "box": […]}`; a plain one has the label `defect`, or `label` where a line has no
`defect`. Paths start at the folder of the list.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from inspector.training.listing import Entry, Listing, Row, Split, lines_of, picture_id, split_named

INDEX = "index.jsonl"

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Corners = tuple[_Number, _Number, _Number, _Number]


class _Box(BaseModel):
    label: str = Field(min_length=1)
    box: _Corners


class _Line(BaseModel):
    image: str = Field(min_length=1)
    width: int | None = None
    height: int | None = None
    label: str | None = None
    defect: str | None = None
    boxes: list[_Corners | _Box] | None = None
    split: str | None = None
    reference: str | None = None
    group: str | None = None


def read_jsonl(root: Path, *, splits: Collection[Split]) -> Listing:
    """Return the pictures of `root/index.jsonl`; the test split only where asked for."""
    path = root / INDEX
    mistakes: list[str] = []
    entries: list[Entry] = []
    for number, text in lines_of(path, mistakes):
        where = f"{path}:{number}"
        try:
            line = _Line.model_validate(json.loads(text))
        except json.JSONDecodeError as exc:
            mistakes.append(f"{where}: expected JSON: {exc}")
            continue
        except ValidationError as exc:
            first = exc.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            mistakes.append(f"{where}: {key}: {first['msg']}, found {str(first['input'])[:60]!r}")
            continue
        split = None if line.split is None else split_named(line.split)
        if line.split is not None and split is None:
            mistakes.append(
                f"{where}: split: expected train, validation or test, found {line.split!r}"
            )
        elif split != "test" or "test" in splits:
            entries.append(_entry(line, where, root, split, mistakes))
    if not entries and not mistakes:
        mistakes.append(f"{path}: expected a picture a line, found none")
    return Listing(labels=None, entries=tuple(entries), mistakes=tuple(mistakes))


def _entry(line: _Line, where: str, root: Path, split: Split | None, mistakes: list[str]) -> Entry:
    picture = root / line.image
    plain = line.defect if "defect" in line.model_fields_set else line.label
    rows = []
    for box in line.boxes or ():
        label, corners = (box.label, box.box) if isinstance(box, _Box) else (plain, box)
        if label is None:
            mistakes.append(f"{where}: expected the name of the defect, found none for {corners}")
        else:
            rows.append(Row(where=where, label=label, corners=corners))
    if line.defect is not None and not rows:
        # taken for a good part, it would teach that the defect is none
        mistakes.append(f"{where}: expected a box of the defect {line.defect!r}, found none")
    name = picture_id(picture, root)
    return Entry(
        id=name,
        group=line.group or name,
        picture=picture,
        rows=tuple(rows),
        split=split,
        reference=root / line.reference if line.reference else None,
        size=(line.width, line.height) if line.width and line.height else None,
    )
