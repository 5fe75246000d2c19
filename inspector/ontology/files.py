"""Term files as people write them, read into entries; every mistake is named with its line.

Every value is taken as the words that stand there: `open`, `no` and `0402` need no quotes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from inspector.errors import SettingsError

# libyaml reads the shipped files in a tenth of the time; a wheel without it still works.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FILE_KEYS = ("trade", "also", "products", "groups", "terms")
_TERM_KEYS = ("kind", "families", "also", "labels")
_GROUP_KEYS = ("under", "also")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A piece of text and where it stands."""

    text: str
    path: Path
    line: int

    def mistake(self, key: str, what: str) -> str:
        return f"{self.path}:{self.line}: {key}: {what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A term (with a `kind`) or a group of terms, as one file writes it.

    `families` of a group are what it lies under. None means that the key is not there. `labels`
    are words that only detectors use: "copper" in a clause is the metal.
    """

    name: Written
    is_group: bool
    kind: Written | None
    families: tuple[Written, ...] | None
    also: tuple[Written, ...]
    labels: tuple[Written, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TermFile:
    """The entries of one trade."""

    trade: str
    also: tuple[str, ...]
    products: tuple[str, ...]
    entries: tuple[Entry, ...]


def read_term_file(path: Path) -> tuple[TermFile | None, list[str]]:
    """Return what the file at `path` says, and its mistakes; None where nothing can be read."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as exc:
        raise SettingsError((f"{path}: expected a file of terms: {exc.strerror}",)) from exc
    except UnicodeDecodeError as exc:
        raise SettingsError((f"{path}: expected UTF-8 text: {exc.reason}",)) from exc
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(exc, "problem", None) or "not YAML"
        return None, [f"{path}:{line}: expected YAML: {problem}"]
    if not isinstance(root, yaml.MappingNode):
        return None, [f"{path}:1: expected the keys trade and terms, found none of them"]
    return _Reader(path).file(root)


class _Reader:
    """Reads the nodes of one file and collects what is wrong with them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mistakes: list[str] = []

    def file(self, root: yaml.MappingNode) -> tuple[TermFile | None, list[str]]:
        keys = self._keys(root, "(file)", _FILE_KEYS)
        trade = self._word(keys["trade"], "trade") if "trade" in keys else None
        if "trade" not in keys:
            self.mistakes.append(
                f"{self.path}:1: trade: expected the trade of the terms (any: every trade), "
                "found none"
            )
        entries = [
            self._entry(name, node, section=section)
            for section in ("groups", "terms")
            if section in keys
            for name, node in self._named(keys[section], section)
        ]
        if trade is None:
            return None, self.mistakes
        file = TermFile(
            trade=trade.text,
            also=tuple(w.text for w in self._words(keys.get("also"), "also")),
            products=tuple(w.text for w in self._words(keys.get("products"), "products")),
            entries=tuple(entries),
        )
        return file, self.mistakes

    def _entry(self, name: Written, node: yaml.Node, *, section: str) -> Entry:
        at = f"{section}.{name.text}"
        group = section == "groups"
        keys = self._keys(node, at, _GROUP_KEYS if group else _TERM_KEYS)
        wider = "under" if group else "families"
        return Entry(
            name=name,
            is_group=group,
            kind=self._word(keys["kind"], f"{at}.kind") if "kind" in keys else None,
            families=self._words(keys[wider], f"{at}.{wider}") if wider in keys else None,
            also=self._words(keys.get("also"), f"{at}.also"),
            labels=self._words(keys.get("labels"), f"{at}.labels"),
        )

    def _named(self, node: yaml.Node, at: str) -> list[tuple[Written, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._note(node, at, "expected a name and what belongs to it on each line")
            return []
        found: dict[str, tuple[Written, yaml.Node]] = {}
        for key, value in node.value:
            name = self._word(key, at)
            if name is None:
                continue
            if name.text in found:
                first = found[name.text][0].line
                self._note(key, f"{at}.{name.text}", f"expected once, it is on line {first} too")
            found[name.text] = (name, value)
        return list(found.values())

    def _keys(self, node: yaml.Node, at: str, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        if isinstance(node, yaml.ScalarNode) and not node.value:
            return {}
        found = {}
        for name, value in self._named(node, at):
            if name.text in known:
                found[name.text] = value
            else:
                key = name.text if at == "(file)" else f"{at}.{name.text}"
                self.mistakes.append(
                    name.mistake(key, f"expected one of {', '.join(known)}; this key is unknown")
                )
        return found

    def _words(self, node: yaml.Node | None, at: str) -> tuple[Written, ...]:
        if node is None:
            return ()
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        words = [self._word(item, at) for item in nodes]
        return tuple(word for word in words if word is not None)

    def _word(self, node: yaml.Node, at: str) -> Written | None:
        if isinstance(node, yaml.ScalarNode) and any(c.isalnum() for c in node.value):
            line = node.start_mark.line + 1
            return Written(text=node.value.strip(), path=self.path, line=line)
        self._note(node, at, "expected a word or a list of words")
        return None

    def _note(self, node: yaml.Node, at: str, what: str) -> None:
        self.mistakes.append(f"{self.path}:{node.start_mark.line + 1}: {at}: {what}")
