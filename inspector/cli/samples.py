"""`inspector samples`: shipped pictures with labels, copied out to train on."""

from __future__ import annotations

import shutil
from pathlib import Path

import typer

from inspector.settings import resolve_asset

INDEX = "index.jsonl"


def copy_samples(name: str, folder: Path) -> None:
    """Copy the labelled sample pictures of that name, with their licence, to a new `folder`."""
    samples = resolve_asset("asset:samples")
    known = sorted(index.parent.name for index in samples.glob(f"*/{INDEX}"))
    if name not in known:
        raise typer.BadParameter(f"expected samples of {', '.join(known)}, got {name!r}")
    if folder.exists():
        raise typer.BadParameter(f"{folder}: expected a new folder, found one that is there")
    shutil.copytree(samples / name, folder)
    pictures = len((folder / INDEX).read_text().splitlines())
    print(f"{pictures} pictures in {folder}, their licence in {folder / 'README.md'}")
