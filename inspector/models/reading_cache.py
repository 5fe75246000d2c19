"""Readings kept between runs: a clause is read once for each version of the reader.

A line of a file holds one reading. The file is a convenience: where it cannot be written, clauses
are read again; a line that cannot be understood is left out.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspector.models.clause_reader import ClauseReader, Reading, load_clause_reader, reading_of
from inspector.models.shelf import load_card

log = logging.getLogger(__name__)


@dataclass(slots=True)
class CachedReader:
    """Reads clauses and keeps what was read; the model is loaded for a new clause only."""

    name: str = "clause-reader"
    folder: Path | None = None
    _reader: ClauseReader | None = None
    _known: dict[str, Reading] | None = None

    @property
    def sha256(self) -> str:
        return load_card(self.name).sha256

    def read_clauses(self, texts: Sequence[str]) -> dict[str, Reading]:
        """Return the reading of each text; raise `ModelError` where the model is missing."""
        known = self._kept()
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            if self._reader is None:
                self._reader = load_clause_reader(self.name)
            read = self._reader.read_clauses(new)
            known |= {reading.clause: reading for reading in read}
            self._keep(read)
        return {text: known[text] for text in texts}

    def _path(self) -> Path:
        folder = self.folder or _cache_folder()
        return folder / f"readings-{self.sha256[:16]}.jsonl"

    def _kept(self) -> dict[str, Reading]:
        if self._known is None:
            self._known = {}
            try:
                lines = self._path().read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError):
                lines = []
            for line in lines:
                try:
                    row = json.loads(line)
                    reading = reading_of(
                        str(row["clause"]), str(row["line"]),
                        likelihood=float(row["likelihood"]), agreement=float(row["agreement"]),
                    )  # fmt: skip
                except (ValueError, KeyError, TypeError):
                    continue  # a torn line of a run that was killed
                self._known[reading.clause] = reading
        return self._known

    def _keep(self, readings: Sequence[Reading]) -> None:
        rows = [
            {"clause": r.clause, "line": r.line, "likelihood": r.likelihood,
             "agreement": r.agreement}
            for r in readings
        ]  # fmt: skip
        try:
            path = self._path()
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        except OSError as exc:
            log.info("readings are not kept: %s", exc)


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "inspector"
