"""A clause reader whose readings are known: they are kept already, so no model is asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from inspector.models.reading_cache import CachedReader

SHA256 = hashlib.sha256(b"weights").hexdigest()


def write_known_reader(
    folder: Path, cache: Path, readings: Mapping[str, str], *, agreement: float = 1.0
) -> Path:
    """Write a reader's folder, and the line of each clause into its cache under `cache`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reader.safetensors").write_bytes(b"weights")
    described = {
        "schema": "model/1",
        "kind": "clause-reader",
        "name": "known",
        "file": "reader.safetensors",
        "sha256": SHA256,
    }
    (folder / "model.json").write_text(json.dumps(described))
    kept = CachedReader(name=str(folder), folder=cache / "inspector").path
    kept.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"clause": clause, "line": line, "likelihood": 0.95, "agreement": agreement}
        for clause, line in readings.items()
    ]
    kept.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return folder
