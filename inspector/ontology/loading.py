"""The shipped term files and a plant's own, put together into one graph.

A later file adds terms and words, and overrides what an earlier one says of the same name or word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from inspector.errors import SettingsError
from inspector.ontology.files import Entry, TermFile, Written, read_term_file
from inspector.ontology.graph import ANY_TRADE, Group, Term, TermGraph, Words
from inspector.ontology.words import chunks, keys

Names = dict[str, frozenset[str]]
TRADES = Path(__file__).parent / "trades"


@cache
def load_ontology(*paths: Path) -> TermGraph:
    """Return the shipped terms with those of a plant's files, a later file over an earlier one.

    Raise `SettingsError` with every mistake of every file, one line each. Read once per process.
    """
    merged = _Merged()
    for layer in (sorted(TRADES.glob("*.yaml")), *([path] for path in paths)):
        merged.add(layer)
    mistakes = merged.mistakes + merged.dangling()
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return merged.graph()


class _Merged:
    """What all files say so far; filled layer by layer, then made into a graph.

    Files of one layer must not contradict each other.
    """

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self._first: dict[str, Written] = {}
        self._groups: set[str] = set()
        self._kind: dict[str, Written] = {}
        self._families: dict[str, dict[str, Written]] = {}
        self._trades_of: dict[str, set[str]] = defaultdict(set)
        # Who has a word: (trade, key) -> (name, as written). Labels are words of detectors only.
        self._words: dict[tuple[str, str], tuple[str, Written]] = {}
        self._labels: dict[tuple[str, str], tuple[str, Written]] = {}
        self._trade_names: dict[str, str] = {}
        self._products: dict[str, set[str]] = defaultdict(set)

    # --- one layer over another ---------------------------------------------------------------

    def add(self, layer: Iterable[Path]) -> None:
        now: set[str] = set()
        words: dict[tuple[str, str], tuple[str, Written]] = {}
        labels: dict[tuple[str, str], tuple[str, Written]] = {}
        for path in layer:
            file, mistakes = read_term_file(path)
            self.mistakes += mistakes
            if file is None:
                continue
            trade = self._trade(file)
            for entry in file.entries:
                if self._is_other_sort(entry):
                    continue
                if not entry.is_group:
                    self._set_kind(entry, again=entry.name.text in now)
                self._set_families(entry, again=entry.name.text in now)
                self._first.setdefault(entry.name.text, entry.name)
                now.add(entry.name.text)
                self._trades_of[entry.name.text].add(trade)
                for word in (entry.name, *entry.also):
                    self._claim(entry, word, trade, words)
                for word in entry.labels:
                    self._claim(entry, word, trade, labels)
        self._words |= words
        self._labels |= labels

    def _trade(self, file: TermFile) -> str:
        """Return the trade's name; a plant's file may use another of its names."""
        trade = self._trade_names.get(_key(file.trade), file.trade)
        for word in (file.trade, *file.also):
            self._trade_names.setdefault(_key(word), trade)
        for product in file.products:
            self._products[_key(product)].add(trade)
        return trade

    def _is_other_sort(self, entry: Entry) -> bool:
        name = entry.name.text
        first = self._first.get(name)
        if first is None or entry.is_group is (name in self._groups):
            if entry.is_group:
                self._groups.add(name)
            return False
        other = "a term" if entry.is_group else "a group"
        what = f"expected a new name, it is {other} in {first.path}:{first.line}"
        self.mistakes.append(entry.name.mistake(_at(entry), what))
        return True

    def _set_kind(self, entry: Entry, *, again: bool) -> None:
        name, kind = entry.name.text, entry.kind
        earlier = self._kind.get(name)
        if kind is None:
            if earlier is None:
                self.mistakes.append(entry.name.mistake(_at(entry), "expected a kind, found none"))
        elif again and earlier is not None and earlier.text != kind.text:
            what = (
                f"expected {earlier.text!r} as in {earlier.path}:{earlier.line}, "
                f"found {kind.text!r}"
            )
            self.mistakes.append(kind.mistake(f"{_at(entry)}.kind", what))
        else:
            self._kind[name] = kind

    def _set_families(self, entry: Entry, *, again: bool) -> None:
        """Take over the families; those of several trades add up, a later file's replace them."""
        if entry.families is not None:
            before = self._families.get(entry.name.text, {}) if again else {}
            own = {family.text: family for family in entry.families}
            self._families[entry.name.text] = before | own

    def _claim(
        self,
        entry: Entry,
        word: Written,
        trade: str,
        claimed: dict[tuple[str, str], tuple[str, Written]],
    ) -> None:
        name = entry.name.text
        if len(parts := chunks(word.text)) != 1:
            what = f"expected one thing, found {len(parts)} in {word.text!r}; write each by itself"
            self.mistakes.append(word.mistake(_at(entry), what))
        owner, first = claimed.setdefault((trade, _key(word.text)), (name, word))
        if owner != name:
            what = (
                f"expected {word.text!r} once in the trade {trade!r}, it is a word for {owner!r} "
                f"too ({first.path}:{first.line})"
            )
            self.mistakes.append(word.mistake(_at(entry), what))

    # --- the whole ----------------------------------------------------------------------------

    def dangling(self) -> list[str]:
        """Return a line for each kind or family that is not there, and for each circle."""
        found = []
        for name, first in sorted(self._first.items()):
            at = f"{'groups' if name in self._groups else 'terms'}.{name}"
            kind = self._kind.get(name)
            if kind is not None and kind.text not in self._groups:
                what = f"expected a group that some file has, found {kind.text!r}"
                found.append(kind.mistake(f"{at}.kind", what))
            for family in self._families.get(name, {}).values():
                if family.text not in self._first:
                    what = f"expected a group or a term, found {family.text!r}"
                    found.append(family.mistake(at, what))
            if name in self._above(name):
                found.append(first.mistake(at, "expected wider groups, it lies under itself"))
        return found

    def _parents(self, name: str) -> frozenset[str]:
        kind = self._kind.get(name)
        return frozenset(self._families.get(name, {})) | ({kind.text} if kind else frozenset())

    def _above(self, name: str) -> frozenset[str]:
        above: set[str] = set()
        waiting = list(self._parents(name))
        while waiting:
            one = waiting.pop()
            if one not in above:
                above.add(one)
                waiting += self._parents(one)
        return frozenset(above)

    def graph(self) -> TermGraph:
        words: dict[str, list[str]] = defaultdict(list)
        for name, written in self._words.values():
            if written.text not in words[name]:
                words[name].append(written.text)
        own = self._own()
        views = {trade: _over(view, own[ANY_TRADE]) for trade, view in own.items()}
        views[ANY_TRADE] = Words(
            strict=_union(view.strict for view in own.values()),
            loose=_union(view.loose for view in own.values()),
            labels=_union(view.labels for view in own.values()),
        )
        return TermGraph(
            terms={
                name: Term(
                    name=name,
                    kind=kind.text,
                    families=frozenset(self._families.get(name, {})),
                    trades=frozenset(self._trades_of[name]),
                    words=tuple(words[name]),
                )
                for name, kind in self._kind.items()
            },
            groups={
                name: Group(name=name, under=self._parents(name), words=tuple(words[name]))
                for name in self._groups
            },
            wider={name: self._above(name) | {name} for name in self._first},
            words=views,
            trade_names=self._trade_names,
            products={key: frozenset(found) for key, found in self._products.items()},
        )

    def _own(self) -> dict[str, Words]:
        """Return the words of each trade by itself, those of every trade among them."""
        strict: dict[str, Names] = defaultdict(lambda: defaultdict(frozenset))
        turned: dict[str, Names] = defaultdict(lambda: defaultdict(frozenset))
        loose: dict[str, Names] = defaultdict(lambda: defaultdict(frozenset))
        labels: dict[str, Names] = defaultdict(lambda: defaultdict(frozenset))
        for (trade, key), (name, written) in self._words.items():
            if (run := keys(written.text)) is None:
                continue
            strict[trade][key] |= {name}
            for turn in run.strict[1:]:
                turned[trade][turn] |= {name}
            for common in run.loose:
                loose[trade][common] |= {name}
        for (trade, key), (name, _) in self._labels.items():
            labels[trade][key] |= {name}
        return {
            trade: Words(
                strict={**turned[trade], **strict[trade]},
                loose=dict(loose[trade]),
                labels=dict(labels[trade]),
            )
            for trade in {*self._trade_names.values(), ANY_TRADE}
        }


def _over(own: Words, shared: Words) -> Words:
    """Return the words of one trade with those of every trade that they do not hide."""
    return Words(
        strict={**shared.strict, **own.strict},
        loose={**shared.loose, **own.loose},
        labels={**shared.labels, **own.labels},
    )


def _union(views: Iterable[Mapping[str, frozenset[str]]]) -> Names:
    names: Names = {}
    for view in views:
        for key, own in view.items():
            names[key] = names.get(key, frozenset()) | own
    return names


def _at(entry: Entry) -> str:
    return f"{'groups' if entry.is_group else 'terms'}.{entry.name.text}"


def _key(text: str) -> str:
    run = keys(text)
    return run.strict[0] if run else ""
