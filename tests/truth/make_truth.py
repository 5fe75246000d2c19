"""Make the demo's pictures and what is truly right for each part, from the data's annotations.

Imports nothing of the product: the clauses of the three shipped standards are coded here a second
time, from their words, over what the annotations say is there. So a mistake in the product's
checks, zones or units cannot hide in the truth it is measured by.

    python tests/truth/make_truth.py DATA OUT     pictures, templates, demo.jsonl, truth.jsonl
    python tests/truth/make_truth.py --extract DATA    rewrites annotations.jsonl beside this file

DATA holds `deeppcb`, `zxing_labels` and `industrial_codes`. `parts.jsonl` beside this file lists
the parts: which annotated defects of a board stay (`keep`, indices of its annotation file; the
template is pasted over the others) and the work order of a label. For the photographs it also says
what a person sees in print: `printed` (number or code legible) and `markings`.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LABELS = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
PX_PER_MM = 48
CONTACT_AREA_FROM_X = 440
LEFT_MARGIN_TO_X = 120
PASTE_MARGIN_PX = 8  # annotated boxes are tight on some sides; the defect must go wholly

# Which violated clauses do not stop a part (severity minor under a recipe that notes them).
NOTED = {"pcb": {"B14"}, "label": set(), "coil": set()}
# Clauses without a check by an engineer: a language model read their words.
READ_FROM_WORDS = {"B11", "B12", "L4", "L5", "L6"}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    label: str
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def longest_mm(self) -> float:
        return max(self.x1 - self.x0, self.y1 - self.y0) / PX_PER_MM

    @property
    def centre_x(self) -> float:
        return (self.x0 + self.x1) / 2

    @property
    def in_contact_area(self) -> bool:
        return self.centre_x >= CONTACT_AREA_FROM_X

    @property
    def in_left_margin(self) -> bool:
        return self.centre_x < LEFT_MARGIN_TO_X


# --- the clauses, a second time ---------------------------------------------------------------


def board_violations(defects: tuple[Defect, ...]) -> set[str]:
    """Return the clauses of `bare-board` that `defects` violate."""

    def of(label: str) -> list[Defect]:
        return [d for d in defects if d.label == label]

    bites, spurs, holes, copper = of("mousebite"), of("spur"), of("pin-hole"), of("copper")
    routed = [s for s in spurs if not s.in_contact_area and not s.in_left_margin]
    violated = {
        "B1": len(of("open")) > 0,
        "B2": len(of("short")) > 0,
        "B3": len(bites) > 3,
        "B4": any(b.longest_mm > 1.1 for b in bites),
        "B5": any(s.longest_mm > 1.0 for s in spurs),
        "B6": sum(s.longest_mm for s in spurs) > 1.7,
        "B7": len(holes) > 1,
        "B8": any(h.longest_mm > 0.9 for h in holes),
        "B9": any(c.in_contact_area for c in copper),
        "B10": sum(not c.in_contact_area for c in copper) > 1,
        "B11": any(h.in_contact_area for h in holes),
        "B12": any(b.in_left_margin for b in bites),
        "B13": len(defects) > 5,
        "B14": len(routed) > 1,
    }
    return {clause for clause, broken in violated.items() if broken}


def label_violations(part: Row, seen: Row) -> tuple[set[str], set[str]]:
    """Return the clauses of `retail-label` that are violated, and those nobody can tell."""
    violated: set[str] = set()
    unknown: set[str] = set()
    ordered = part["expected"].get("gtin")
    if seen["unreadable_barcode"]:
        unknown |= {"L1", "L2"}
    elif ordered is None:
        unknown.add("L2")
    elif ordered.lstrip("0") != seen["texts"][0].lstrip("0"):
        violated.add("L2")
    if not part["printed"]:
        unknown.add("L3")
    match seen["symbology"]:
        case "ITF":
            violated.add("L4")
        case "Code 39" | "Code 128":
            violated.add("L5")
        case "GS1 DataBar Expanded":
            violated.add("L6")
    for marking in part["markings"]:
        violated.add({"sample": "L7", "sale": "L8", "void": "L9", "reduced": "L10"}[marking])
    return violated, unknown


def coil_violations(part: Row, seen: Row) -> tuple[set[str], set[str]]:
    """Return the clauses of `coil-mark` that are violated, and those nobody can tell."""
    if not part["printed"]:
        return set(), {"K1", "K2"}
    ordered = part["expected"].get("coil_code")
    if ordered is None:
        return set(), {"K2"}
    return ({"K2"} if ordered != seen["texts"][0] else set()), set()


def decide(recipe: str, violated: set[str], unknown: set[str]) -> Row:
    """Return decision, deciding clauses, and those among them that no check can decide."""
    stopping = violated - NOTED[recipe]
    decision = "FAIL" if stopping else "HOLD" if unknown else "PASS"
    deciding = stopping or unknown
    hangs_on = deciding if deciding and deciding <= READ_FROM_WORDS else set()
    return {
        "decision": decision,
        "clause_ids": sorted(deciding, key=_reading_order),
        "hangs_on": sorted(hangs_on, key=_reading_order),
    }


def _reading_order(clause_id: str) -> tuple[str, int]:
    return clause_id[0], int(clause_id[1:])


# --- truth of every part ----------------------------------------------------------------------


def kept_defects(part: Row, annotation: Row) -> tuple[Defect, ...]:
    """Return the defects that stay on the board of `part`."""
    boxes = [annotation["defects"][i] for i in part["keep"]]
    return tuple(
        Defect(label=LABELS[kind - 1], x0=x0, y0=y0, x1=x1, y1=y1) for x0, y0, x1, y1, kind in boxes
    )


def truth_of(part: Row, annotation: Row) -> Row:
    """Return one line of truth.jsonl."""
    match part["recipe"]:
        case "pcb":
            violated, unknown = board_violations(kept_defects(part, annotation)), set[str]()
        case "label":
            violated, unknown = label_violations(part, annotation)
        case _:
            violated, unknown = coil_violations(part, annotation)
    return {"part_id": part["part_id"], **decide(part["recipe"], violated, unknown)}


def truths(parts: list[Row], annotations: list[Row]) -> list[Row]:
    """Return truth.jsonl, in the order of the parts."""
    by_source = {row["source"]: row for row in annotations}
    return [truth_of(part, by_source[part["source"]]) for part in parts]


# --- margins ----------------------------------------------------------------------------------


def thin_margins(part: Row, annotation: Row) -> Iterator[str]:
    """Yield what makes the truth of a board delicate: a size or a place too near a limit."""
    defects = kept_defects(part, annotation)
    limits_px = {"mousebite": 52.8, "spur": 48.0, "pin-hole": 43.2}
    for d in defects:
        size_px = d.longest_mm * PX_PER_MM
        limit_px = limits_px.get(d.label)
        if limit_px is not None and abs(size_px - limit_px) < max(0.15 * limit_px, 4):
            yield f"{d.label} of {size_px:g} px is near {limit_px:g} px"
        for border_x in (CONTACT_AREA_FROM_X, LEFT_MARGIN_TO_X):
            if abs(d.centre_x - border_x) < 8:
                yield f"{d.label} at x {d.centre_x:g} is near the border at {border_x}"
    total_px = sum(d.longest_mm for d in defects if d.label == "spur") * PX_PER_MM
    if abs(total_px - 81.6) < 0.15 * 81.6:
        yield f"spurs of {total_px:g} px together are near 81.6 px"
    before = board_violations(defects)
    for index, moved in ((i, m) for i, d in enumerate(defects) for m in _three_px_off(d)):
        after = board_violations((*defects[:index], moved, *defects[index + 1 :]))
        if after != before:
            yield f"{moved.label} 3 px off changes {sorted(before ^ after)}"


def _three_px_off(d: Defect) -> Iterator[Defect]:
    for left, right in ((3, 3), (-3, -3), (-3, 3), (3, -3)):
        yield replace(d, x0=d.x0 + left, x1=d.x1 + right)
        yield replace(d, y0=d.y0 + left, y1=d.y1 + right)
        yield replace(d, x0=d.x0 + left, x1=d.x1 + right, y0=d.y0 + left, y1=d.y1 + right)


# --- sources ----------------------------------------------------------------------------------


def extract(data: Path, parts: list[Row]) -> list[Row]:
    """Return what the sources say of every picture that `parts` use, for annotations.jsonl."""
    boards = {}
    for line in (data / "deeppcb/trainval.txt").read_text().splitlines():
        picture, annotation = line.split()
        boards[Path(picture).stem] = (Path(picture).parent, annotation)
    photographs = {}
    for name in ("zxing_labels", "industrial_codes"):
        for row in _read_rows(data / name / "index.jsonl"):
            photographs[f"{name}/{row['image']}"] = row
    found = []
    for source in sorted({part["source"] for part in parts}):
        if source in boards:
            folder, annotation = boards[source]
            lines = (data / "deeppcb/PCBData" / annotation).read_text().splitlines()
            defects = [[int(v) for v in line.split()] for line in lines if line.strip()]
            found.append(
                {"source": source, "folder": f"deeppcb/PCBData/{folder}", "defects": defects}
            )
        else:
            row = photographs[source]
            found.append(
                {
                    "source": source,
                    "symbology": row.get("symbology"),
                    "texts": row["texts"],
                    "unreadable_barcode": row.get("unreadable_barcode", False),
                }
            )
    return found


def make_pictures(data: Path, out: Path, parts: list[Row], annotations: list[Row]) -> None:
    """Write the picture of every part, and the template of every view."""
    import cv2  # here, so that the truth can be made again without a vision library

    by_source = {row["source"]: row for row in annotations}
    one_bit = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 9]
    for name in ("pictures", "templates"):
        (out / name).mkdir(parents=True, exist_ok=True)
    for part in parts:
        source = by_source[part["source"]]
        picture = out / "pictures" / picture_name(part)
        if part["recipe"] != "pcb":
            shutil.copyfile(data / part["source"], picture)
            picture.chmod(0o644)
            continue
        folder = data / source["folder"]
        board = cv2.imread(str(folder / f"{part['source']}_test.png"), cv2.IMREAD_GRAYSCALE)
        template = cv2.imread(str(folder / f"{part['source']}_temp.png"), cv2.IMREAD_GRAYSCALE)
        for index, (x0, y0, x1, y1, _) in enumerate(source["defects"]):
            if index not in part["keep"]:
                rows = slice(max(0, y0 - PASTE_MARGIN_PX), y1 + PASTE_MARGIN_PX)
                columns = slice(max(0, x0 - PASTE_MARGIN_PX), x1 + PASTE_MARGIN_PX)
                board[rows, columns] = template[rows, columns]
        cv2.imwrite(str(picture), board, one_bit)
        cv2.imwrite(str(out / "templates" / f"{part['source']}.png"), template, one_bit)


def picture_name(part: Row) -> str:
    """Return the file name the folder camera looks for."""
    return part["part_id"] + (".png" if part["recipe"] == "pcb" else ".jpg")


def demo_line(part: Row) -> Row:
    """Return one line of demo.jsonl: what the PLC knows of the part, and nothing of its truth."""
    return {
        "part_id": part["part_id"],
        "recipe": part["recipe"],
        "view": part["source"] if part["recipe"] == "pcb" else None,
        "picture": f"pictures/{picture_name(part)}",
        "lot": part["lot"],
        "expected": part["expected"],
        "inspected_on": part["inspected_on"],
    }


def _read_rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write one JSON object a line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_parts() -> list[Row]:
    """Return the parts of the demo."""
    return _read_rows(HERE / "parts.jsonl")


def read_annotations() -> list[Row]:
    """Return the committed extract of the sources' annotations."""
    return _read_rows(HERE / "annotations.jsonl")


def main(arguments: list[str]) -> None:
    parts = read_parts()
    if len(arguments) != 2:
        sys.exit("expected DATA OUT, or --extract DATA")
    if arguments[0] == "--extract":
        write_rows(HERE / "annotations.jsonl", extract(Path(arguments[1]), parts))
        return
    data, out = Path(arguments[0]), Path(arguments[1])
    annotations = extract(data, parts)
    make_pictures(data, out, parts, annotations)
    write_rows(out / "demo.jsonl", [demo_line(part) for part in parts])
    write_rows(out / "truth.jsonl", truths(parts, annotations))


if __name__ == "__main__":
    main(sys.argv[1:])
