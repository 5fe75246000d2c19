"""One YAML settings file: its content with the environment's values, and where each key stands.

Plain YAML only: no tags, no aliases, each key once. `${NAME}` in any value stands for an
environment variable; the password in a database URL may come in no other way. As the password of a
URL it is percent-encoded, so that the variable holds it as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from inspector.errors import SettingsError

Location = tuple[str | int, ...]

_KEY = "[key]"  # pydantic's mark where a mapping's key itself is wrong
_NOT_PLAIN = {yaml.AliasToken: "an alias (*name)", yaml.TagToken: "a tag (!name)"}
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_URL_PASSWORD = re.compile(r"[^:/]+://[^:/@]*:([^@]*)@|[?&]password=([^&]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """What a settings file says; `mistakes` are those found before its keys have a meaning.

    `lines` maps each key's location to its line and, for a plain value, to the text as written.
    """

    path: Path
    sha256: str
    content: Mapping[str, Any]
    lines: Mapping[tuple[str, ...], tuple[int, str | None]]
    mistakes: tuple[str, ...]

    def mistake(self, location: Location, what: str) -> str:
        """Return the line `file:line: key: what` for the key at `location`.

        A key that the file lacks is reported at the nearest one above it.
        """
        known = self._known(location)
        key = ".".join(part for part in known if part != _KEY) or "(file)"
        while known not in self.lines:
            known = known[:-1]
        return f"{self.path}:{self.lines[known][0]}: {key}: {what}"

    def _known(self, location: Location) -> tuple[str, ...]:
        """Return `location` without the parts that pydantic adds for unions."""
        found: tuple[str, ...] = ()
        for index, part in enumerate(location):
            missing_key = index == len(location) - 1 and not str(part)[:1].isupper()
            if (*found, str(part)) in self.lines or missing_key:
                found = (*found, str(part))
        return found


def read_settings_file(path: Path) -> SettingsFile:
    """Return the file at `path`; raise `SettingsError` where it is no YAML with keys and values."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as exc:
        raise SettingsError(
            (f"{path}: expected a settings file: {exc.strerror}; correct the path",)
        ) from exc
    except UnicodeDecodeError as exc:
        raise SettingsError((f"{path}: expected UTF-8 text: {exc.reason}",)) from exc
    try:
        for token in yaml.scan(text, yaml.SafeLoader):
            if found := _NOT_PLAIN.get(type(token)):
                line = token.start_mark.line + 1
                raise SettingsError((f"{path}:{line}: expected plain values, found {found}",))
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        # a key without its colon is noticed on the line after it
        at_start = getattr(exc, "context", None) == "while scanning a simple key"
        mark = getattr(exc, "context_mark" if at_start else "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(exc, "problem", None) or "not YAML"
        if r"\t" in problem:
            problem += "; indent with spaces"
        raise SettingsError((f"{path}:{line}: expected YAML: {problem}",)) from exc
    except ValueError as exc:  # 2026-13-45 has the shape of a date, so YAML takes it for one
        raise SettingsError((f"{path}: expected YAML: {exc}; put the value in quotes",)) from exc
    except RecursionError as exc:
        raise SettingsError((f"{path}: expected a few levels, found too many to read",)) from exc
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError(
            (f"{path}:1: expected keys and values, found none; write each as 'key: value'",)
        )
    lines: dict[tuple[str, ...], tuple[int, str | None]] = {(): (1, None)}
    mistakes = [
        f"{path}:{line}: {key}: expected once, found twice" for line, key in _walk(root, (), lines)
    ]
    written = SettingsFile(
        path=path,
        sha256=hashlib.sha256(raw).hexdigest(),
        content=content,
        lines=lines,
        mistakes=(),
    )
    filled = _filled(content, (), written, mistakes)
    return SettingsFile(
        path=path,
        sha256=written.sha256,
        content=filled,
        lines=lines,
        mistakes=tuple(mistakes),
    )


def _walk(
    node: yaml.Node,
    at: tuple[str, ...],
    lines: dict[tuple[str, ...], tuple[int, str | None]],
) -> list[tuple[int, str]]:
    """Note every key below `node` in `lines`; return line and name of those that came before."""
    twice: list[tuple[int, str]] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            line = key.start_mark.line + 1
            if here in lines:
                twice.append((line, ".".join(here)))
            lines[here] = (line, _as_written(value))
            twice += _walk(value, here, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            here = (*at, str(index))
            lines[here] = (value.start_mark.line + 1, _as_written(value))
            twice += _walk(value, here, lines)
    return twice


def _as_written(node: yaml.Node) -> str | None:
    return node.value if isinstance(node, yaml.ScalarNode) else None


def _filled(value: Any, at: Location, file: SettingsFile, mistakes: list[str]) -> Any:
    """Return `value` with the environment's values in place of `${NAME}`."""
    if isinstance(value, dict):
        return {k: _filled(v, (*at, str(k)), file, mistakes) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, (*at, i), file, mistakes) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        mistakes.append(file.mistake(at, "expected printable text, found NUL or half a character"))
        return ""
    if at[-1:] == ("database",) and _has_literal_password(value):
        mistakes.append(
            file.mistake(at, "expected the password as ${VARIABLE}, found it written in the file")
        )
    unset = [name for name in _VARIABLE.findall(value) if name not in os.environ]
    mistakes += [
        file.mistake(at, f"expected the environment variable {name}, found it unset")
        for name in unset
    ]
    passwords = [
        range(*found.span(group))
        for found in _URL_PASSWORD.finditer(value)
        for group in (1, 2)
        if found[group] is not None
    ]

    def filled(found: re.Match[str]) -> str:
        content = os.environ.get(found[1], found[0])
        is_password = any(found.start() in password for password in passwords)
        return quote(content, safe="") if is_password else content

    return _VARIABLE.sub(filled, value)


def _has_literal_password(url: str) -> bool:
    return any(
        _VARIABLE.sub("", password)
        for found in _URL_PASSWORD.finditer(url)
        for password in found.groups()
        if password is not None
    )
