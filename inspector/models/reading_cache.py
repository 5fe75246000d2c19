"""Readings kept between runs: a clause is read once for each version of the reader.

A line of a file holds one reading; another file holds those of another reader. The file is a
convenience: where it cannot be written, clauses are read again; a line that cannot be understood
is left out.
"""

from __future__ import annotations

import inspect
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspector import amounts, line_grammar, line_parser, meaning, reading
from inspector.checks import expect_rate
from inspector.models import clause_reader, line_decoding
from inspector.models.clause_reader import ClauseReader, Reading, load_clause_reader, reading_of
from inspector.models.shelf import DESCRIPTION, content_sha256, load_card, model_folder

log = logging.getLogger(__name__)

# What the model is shown, what it may write, what that means and how sure it is. Beside them a
# reading depends on nothing but the model's files.
_DECIDING = (amounts, line_grammar, line_parser, meaning, reading, clause_reader, line_decoding)


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
            known |= {one.clause: one for one in read}
            self._keep(read)
        return {text: known[text] for text in texts}

    @property
    def path(self) -> Path:
        """The file of readings; its name stands for all that decides one."""
        described = (model_folder(self.name) / DESCRIPTION).read_bytes()  # the sha256 of each file
        sources = "".join(map(inspect.getsource, _DECIDING))
        key = content_sha256(described + sources.encode())
        return (self.folder or _cache_folder()) / f"readings-{key[:16]}.jsonl"

    def _kept(self) -> dict[str, Reading]:
        if self._known is None:
            self._known = {}
            try:
                lines = self.path.read_text(encoding="utf-8").split("\n")
            except (OSError, UnicodeDecodeError):
                lines = []
            for line in lines:
                try:
                    one = _from_row(line)
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue  # a torn line of a run that was killed
                self._known[one.clause] = one
        return self._known

    def _keep(self, readings: Sequence[Reading]) -> None:
        rows = [
            {"clause": r.clause, "line": r.line, "likelihood": r.likelihood,
             "agreement": r.agreement}
            for r in readings
        ]  # fmt: skip
        try:
            path = self.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                # each begins a line of its own: the last one may be torn
                file.writelines(f"\n{json.dumps(row)}" for row in rows)
        except OSError as exc:
            log.info("readings are not kept: %s", exc)


def _from_row(line: str) -> Reading:
    """Return the reading that a line of the file holds; raise `ValueError` where it is none."""
    row = json.loads(line)
    likelihood, agreement = float(row["likelihood"]), float(row["agreement"])
    expect_rate("likelihood", likelihood)
    expect_rate("agreement", agreement)
    return reading_of(
        str(row["clause"]), str(row["line"]), likelihood=likelihood, agreement=agreement
    )


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "inspector"
