"""Sections and tables of a model card, changed without touching what a person wrote around them."""

from __future__ import annotations

from pathlib import Path

CARD = "MODEL_CARD.md"


def section(card: str, heading: str) -> str:
    """Return what stands between `heading` and the next heading of its rank, "" for nothing."""
    _, found, after = card.partition(f"{heading}\n")
    return after.partition("\n## ")[0] if found else ""


def with_section(card: str, heading: str, text: str) -> str:
    """Return `card` with `text` under `heading`, at its end where it has no such section."""
    before, _, after = card.partition(f"{heading}\n")
    _, next_heading, rest = after.partition("\n## ")
    return f"{before.rstrip()}\n\n{heading}\n\n{text.strip()}\n{next_heading}{rest}"


def with_row(table: str, row: str) -> str:
    """Return `table` with `row` at the end of its last table."""
    lines = table.rstrip().split("\n")
    table_ends = max((n for n, line in enumerate(lines) if line.startswith("|")), default=-1) + 1
    return "\n".join([*lines[:table_ends], row, *lines[table_ends:]])


def add_row(folder: Path, *, heading: str, head: str, row: str) -> None:
    """Add a row to the table under `heading` of the card in `folder`.

    `head` begins the table where there is none yet, or one of other columns. Raises `OSError` where
    the card cannot be read or written.
    """
    card = (folder / CARD).read_text(encoding="utf-8")
    rows = section(card, heading)
    if head.strip().split("\n")[-2] not in rows:
        rows = f"{rows.rstrip()}\n{head}"
    text = with_section(card, heading, with_row(rows, row))
    write_whole(folder / CARD, text.encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f"{path.name}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
