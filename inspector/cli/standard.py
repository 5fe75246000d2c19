"""`inspector standard read`: what the clause reader makes of each clause of a standard.

Every reading is shown in plain words with a made-up part that would pass and one that would fail. A
reading binds only when a person approves it: it is then written beside its clause as `line:`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from inspector.domain import Clause, Evidence
from inspector.errors import SettingsError
from inspector.examples import contradiction, contradictory, part_in_words, passing_and_failing
from inspector.settings import load_standard
from inspector.training.card_sections import write_whole

if TYPE_CHECKING:
    from inspector.models.clause_reader import Reading

ALL = "all"  # of `--approve`: whatever was read, has no check yet and contradicts none


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingShown:
    """One clause with its reading, examples, and a part on which its own check says otherwise."""

    clause: Clause
    reading: Reading
    passes: Evidence | None
    fails: Evidence | None
    contradicts: Evidence | None


def read_standard(path: Path, *, reader: str, approve: Sequence[str], as_json: bool) -> int:
    """Print the reading of every clause; write those approved into the file; return the exit code.

    Raises `SettingsError` where an id to approve has no reading, before anything is written.
    """
    from inspector.models.reading_cache import CachedReader
    from inspector.models.reading_words import all_in_known_words

    standard = load_standard(str(path))
    readings = CachedReader(name=reader).read_clauses([c.text for c in standard.clauses])
    known = all_in_known_words(readings[clause.text] for clause in standard.clauses)
    shown = [_shown(clause, one) for clause, one in zip(standard.clauses, known, strict=True)]
    for one in shown:
        print(json.dumps(_row(one), ensure_ascii=False) if as_json else _in_words(one), flush=True)
    meant = [replace(one.clause, check=one.clause.check or one.reading.check) for one in shown]
    for name, other in contradictory(meant):
        print(
            f"warning: {path}: no part was found that keeps both {name} and {other}; "
            "read the two again",
            file=sys.stderr,
        )
    if approve:
        lines = _approved(shown, approve, path)
        _write_lines(path, lines)
        if not as_json:
            print(f"written into {path}: {', '.join(lines) or 'nothing'}")
    return 0


def _write_lines(path: Path, lines: Mapping[str, str]) -> None:
    """Write approved lines into a standard's file; raise `SettingsError` where it cannot be."""
    try:
        write_whole(path, with_lines(path.read_bytes().decode(), lines).encode())
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else exc
        by_hand = "; ".join(f"{name}: line: {line}" for name, line in lines.items())
        raise SettingsError(
            (f"{path}: expected to write the approved lines there: {why}; add them: {by_hand}",)
        ) from exc


def _shown(clause: Clause, reading: Reading) -> ReadingShown:
    if reading.check is None:
        return ReadingShown(
            clause=clause, reading=reading, passes=None, fails=None, contradicts=None
        )
    passes, fails = passing_and_failing(reading.check)
    return ReadingShown(
        clause=clause,
        reading=reading,
        passes=passes,
        fails=fails,
        contradicts=contradiction(clause.check, reading.check) if clause.check else None,
    )


def _in_words(one: ReadingShown) -> str:
    clause, reading = one.clause, one.reading
    said = [f"{clause.id}  {clause.text}"]
    if reading.check is None:
        left = f"    cannot be read: {reading.words}; it is left to the judge"
        return "\n".join([*said, left, ""])
    said.append(f"    read as   {reading.words} (confidence {reading.confidence:.2f})")
    said.append(f"    line      {reading.line}")
    if one.passes is not None:
        said.append(f"    passes    {part_in_words(one.passes)}")
    if one.fails is not None:
        said.append(f"    fails     {part_in_words(one.fails)}")
    if one.passes is None or one.fails is None:
        said.append("    warning   no part was found that it would tell from another")
    if one.contradicts is not None:
        part = part_in_words(one.contradicts)
        said.append(f"    warning   the clause's own check says the opposite of: {part}")
    return "\n".join([*said, ""])


def _row(one: ReadingShown) -> dict[str, Any]:
    def words(part: Evidence | None) -> str | None:
        return None if part is None else part_in_words(part)

    return {
        "schema": "reading/1",
        "id": one.clause.id,
        "text": one.clause.text,
        "read": one.reading.is_read,
        "line": one.reading.line or None,
        "words": one.reading.words,
        "confidence": round(one.reading.confidence, 4),
        "passes": words(one.passes),
        "fails": words(one.fails),
        "contradicts": words(one.contradicts),
    }


def _approved(shown: Sequence[ReadingShown], approve: Sequence[str], path: Path) -> dict[str, str]:
    readable = {one.clause.id: one for one in shown if one.reading.is_read}
    named = [name for name in approve if name != ALL]
    wrong = [name for name in named if name not in readable or readable[name].clause.check]
    if wrong:
        raise SettingsError(
            tuple(
                f"{path}: {name}: expected the id of a clause that was read and has no check yet; "
                f"those are: {', '.join(n for n, o in readable.items() if not o.clause.check)}"
                for name in wrong
            )
        )
    if ALL in approve:
        named += [
            name
            for name, one in readable.items()
            if one.clause.check is None and one.contradicts is None
        ]
    return {name: readable[name].reading.line for name in named}


def with_lines(text: str, lines: Mapping[str, str]) -> str:
    """Return a standard's file with `line:` written beside the text of the clauses named.

    Everything else stays as it is: comments, order, layout and line ends. Raises `ValueError` where
    a clause is laid out so oddly that the result would say something else.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    line_end = "\r\n" if "\r\n" in text else "\n"
    written = text
    # from the last place to the first, so that the places before stay where they are
    for node in reversed(_clause_nodes(root)):
        keys = {key.value: (key, value) for key, value in node.value}
        name = keys["id"][1].value
        if name not in lines:
            continue
        key, value = keys["text"]
        new = f"line: {json.dumps(lines[name], ensure_ascii=False)}"  # JSON text is YAML text
        if node.flow_style:
            written = _inserted(written, f"{new}, ", at=key.start_mark.index)
            continue
        at = value.end_mark.index
        if value.end_mark.column:
            at = written.find("\n", at) + 1
        if not at:
            written, at = f"{written}{line_end}", len(written) + len(line_end)
        indent = " " * key.start_mark.column
        written = _inserted(written, f"{indent}{new}{line_end}", at=at)
    if not _says_the_same(text, written, lines):
        raise ValueError("expected each clause's keys on lines of their own, as `id: …`, `text: …`")
    return written


def _inserted(text: str, new: str, *, at: int) -> str:
    return f"{text[:at]}{new}{text[at:]}"


def _says_the_same(before: str, after: str, lines: Mapping[str, str]) -> bool:
    """Return whether two files differ in `lines` alone."""
    try:
        said, says = yaml.safe_load(before), yaml.safe_load(after)
    except yaml.YAMLError:
        return False
    for clause in said["clauses"]:
        if clause["id"] in lines:
            clause["line"] = lines[clause["id"]]
    for clause in (*said["clauses"], *says["clauses"]):
        clause["text"] = clause["text"].split()  # a block that ended the file may get its line end
    return bool(says == said)


def _clause_nodes(root: yaml.Node) -> list[yaml.MappingNode]:
    if not isinstance(root, yaml.MappingNode):
        return []
    for key, value in root.value:
        if key.value == "clauses":
            return [node for node in value.value if isinstance(node, yaml.MappingNode)]
    return []
