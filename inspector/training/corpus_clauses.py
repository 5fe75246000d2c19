"""Clauses and their lines for the clause reader, made by a seed from wordings written by hand.

A file of `wordings/` holds the wordings of one family: groups of sentences that mean the same line.
Sentences and names held out for validation are chosen by their hash, so that a new wording never
moves an old one from one part to the other.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from inspector.errors import DataError
from inspector.line_grammar import prepared
from inspector.reading import NO_CHECK, LineError, from_line, in_words, to_line
from inspector.training.clause_slots import Slots, is_held_out, words

WORDINGS = Path(__file__).parent / "wordings"
ASIDES = "asides"
IN_PLAIN_WORDS = 0.04  # share of clauses
_MEASURE = re.compile(r"\b(defects|kinds|length|width|height|area)\(([^()\"]*)\)")
_SOURCE = r'((?:"[^"]*"|[^;"()])+(?:; in [^;"()]+)?)'
_EQUAL = re.compile(rf"\bequal\({_SOURCE}; {_SOURCE}")
_FILTER = re.compile(
    r"(?:except|in|not in) |(?:longest|width|height|area|confidence) [<>=]|each (?:kind|zone)$"
)
_A = re.compile(r"((?:^|(?<=[.!?] ))A|(?<![\w-])a) (?=(?!one|once|eu|EU)[aeioAEIO])")
_ALIKE = (
    ("same", ""),
    ("same_before_number", r"(?= \{n)"),
    ("same_before_size", r"(?= \{(?:length|bare|area|confidence))"),
)
_SPELLING = (
    ("millimetre", "millimeter"), ("centimetre", "centimeter"), ("micrometre", "micrometer"),
    ("millilitre", "milliliter"), ("litre", "liter"), ("colour", "color"), ("mould", "mold"),
    ("fibre", "fiber"), ("centre", "center"), ("grey", "gray"), ("aluminium", "aluminum"),
    ("tolerance", "tolerance"), ("catalogue", "catalog"), ("recognis", "recogniz"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Wordings that mean the same line."""

    family: str
    line: str
    wordings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadClause:
    """One clause as the reader gets it, and the line that it should write."""

    clause: str
    line: str
    family: str


@cache
def groups() -> tuple[Group, ...]:
    """Return the groups of every family, as they are written."""
    return tuple(group for path in _files() for group in _written(path))


def check_wordings() -> None:
    """Raise `DataError` with every mistake in the wordings of every family."""
    mistakes = [what for path in _files() for what in read_wordings(path)[1]]
    if mistakes:
        raise DataError("\n".join(mistakes))


def _files() -> list[Path]:
    return [path for path in sorted(WORDINGS.glob("*.yaml")) if path.stem != ASIDES]


def _written(path: Path) -> list[Group]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        Group(family=path.stem, line=str(g["line"]), wordings=tuple(map(str, g["wordings"])))
        for g in content["groups"]
    ]


def read_wordings(path: Path) -> tuple[list[Group], list[str]]:
    """Return the groups of one file without their mistakes, and those, each as `file: what`."""
    try:
        written = [(group.line, group.wordings) for group in _written(path)]
    except (OSError, yaml.YAMLError, KeyError, TypeError) as exc:
        return [], [f"{path.name}: expected groups of a line and wordings: {exc!r}"]
    found: list[Group] = []
    mistakes: list[str] = []
    for line, wordings in written:
        good = []
        for wording in wordings:
            if wrong := _mistake(line, wording):
                mistakes.append(f"{path.name}: {wording!r}: {wrong}")
            else:
                good.append(wording)
        found.append(Group(family=path.stem, line=line, wordings=tuple(good)))
    return found, mistakes


def _mistake(line: str, wording: str) -> str | None:
    if re.search(r"[;|()]", wording):
        return "expected none of ; | ( ), found one"
    for seed in range(3):
        slots = Slots(random.Random(seed), held_out=False)
        try:
            slots.clause(wording)
            filled = slots.line(line)
            from_line(filled)
        except KeyError as exc:
            return f"expected slots that clause and line share, found {exc} of line {line!r}"
        except (LineError, ValueError) as exc:
            return f"line {line!r}: {exc}"
    return None


@cache
def asides() -> Mapping[str, Sequence[str]]:
    """Return the sentences that change nothing: `before`, `after` and `register`."""
    path = WORDINGS / f"{ASIDES}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {
        key: [str(x) for x in content.get(key) or ()]
        for key in ("before", "after", "register", "others")
    }


@cache
def _everything() -> frozenset[str]:
    """Return the subjects that stand for every defect."""
    general = (word.lstrip("~") for word in words()["general"])
    return frozenset(
        ["any", "damage", "damaged", *(n for word in general for n in word.split("|"))]
    )


def read_clauses(*, seed: int, held_out: bool) -> Iterator[ReadClause]:
    """Yield clauses with their lines without end; the same for the same arguments.

    Every family gets a share that grows with the root of its number of wordings.
    """
    writer = _ClauseWriter(random.Random(f"clauses {seed} {held_out}"), held_out=held_out)
    while True:
        yield writer.one()


class _ClauseWriter:
    def __init__(self, chance: random.Random, *, held_out: bool) -> None:
        self.chance = chance
        self.held_out = held_out
        families: dict[str, list[tuple[Group, list[str]]]] = {}
        for group in groups():
            own = [w for w in group.wordings if is_held_out(w) is held_out]
            if own:
                families.setdefault(group.family, []).append((group, own))
        self.families = families
        self.weights = {
            family: sum(len(own) for _, own in members) ** 0.5
            for family, members in families.items()
        }

    def one(self) -> ReadClause:
        """Return one clause: now and then two sentences that both must hold, or with asides."""
        first = self._sentence()
        clause, line = first.clause, first.line
        if line != NO_CHECK and self.chance.random() < 0.07:
            second = self._sentence()
            if (
                second.line != NO_CHECK
                and " or " not in f"{line}{second.line}"
                and not any(one.line.startswith("if ") for one in (first, second))
            ):
                clause, line = f"{_ended(clause)} {second.clause}", f"{line} and {second.line}"
        if line != NO_CHECK and self.chance.random() < IN_PLAIN_WORDS:
            return _in_plain_words(first.family, line)
        clause = self._with_other_subjects(clause, line)
        clause = _A.sub(r"\1n ", self._with_asides(clause))
        clause = self._misspelt(self._noisy(clause), line)
        if self.chance.random() < 0.25:
            for british, american in _SPELLING:
                clause, line = (_respelt(text, british, american) for text in (clause, line))
        clause = prepared(clause)
        line = _in_order(_cased(line, clause))
        return ReadClause(clause=clause, line=line, family=first.family)

    def _sentence(self) -> ReadClause:
        family = self.chance.choices(list(self.weights), weights=list(self.weights.values()))[0]
        members = self.families[family]
        weights = [len(own) ** 0.5 for _, own in members]
        group, own = self.chance.choices(members, weights=weights)[0]
        wording = self._varied(self.chance.choice(own))
        slots = Slots(self.chance, held_out=self.held_out)
        clause = slots.clause(wording)
        line = slots.line(group.line)
        return ReadClause(clause=clause[:1].upper() + clause[1:], line=line, family=family)

    def _varied(self, wording: str) -> str:
        """Put words of the same meaning for one another, outside the slots."""
        if self.chance.random() < 0.5:
            return wording
        for kind, follows in _ALIKE:
            for alike in words()[kind]:
                for word in alike:
                    found = rf"(?<![\w{{-]){re.escape(word)}(?![\w}}-]){follows}"
                    if re.search(found, wording):
                        wording = re.sub(found, self.chance.choice(alike), wording, count=1)
                        break
        return wording

    def _with_asides(self, clause: str) -> str:
        luck = self.chance.random()
        if luck < 0.70:
            return clause
        kind = "before" if luck < 0.80 else "after" if luck < 0.92 else "register"
        said = [a for a in asides()[kind] if is_held_out(a) is self.held_out]
        if not said:
            return clause
        aside = Slots(self.chance, held_out=self.held_out).clause(self.chance.choice(said))
        if kind == "before":
            lower = clause if aside[-1] in ".!?" else _lowered(clause)
            return f"{aside[:1].upper()}{aside[1:]} {lower}"
        if kind == "after":
            return f"{_ended(clause)} {aside[:1].upper()}{aside[1:]}"
        return f"{clause.rstrip('.')}, {_lowered(aside)}"

    def _with_other_subjects(self, clause: str, line: str) -> str:
        """Put a sentence beside the clause that says which other defects do not count here."""
        is_of_all = not _everything().isdisjoint(re.findall(r"(?<=\()[^;()]*", line))
        if is_of_all or line == NO_CHECK or self.chance.random() > 0.05:
            return clause
        said = [a for a in asides()["others"] if is_held_out(a) is self.held_out]
        other = Slots(self.chance, held_out=self.held_out).clause(self.chance.choice(said))
        other = _ended(f"{other[:1].upper()}{other[1:]}")
        return f"{_ended(clause)} {other}" if self.chance.random() < 0.6 else f"{other} {clause}"

    def _misspelt(self, clause: str, line: str) -> str:
        """Shorten a word as people do, or swap two letters of one that the line does not copy."""
        luck = self.chance.random()
        if luck < 0.12:
            for pair in words()["short"]:
                if pair[0] not in line:
                    clause = re.sub(rf"(?<!\w){re.escape(pair[0])}(?!\w| of)", pair[1], clause)
        elif luck < 0.15:
            found = [m for m in re.finditer(r"[a-z]{5,}", clause) if m[0] not in line.lower()]
            if found and '"' not in clause:
                drawn = self.chance.choice(found)
                at = self.chance.randrange(drawn.start() + 1, drawn.end() - 2)
                clause = f"{clause[:at]}{clause[at + 1]}{clause[at]}{clause[at + 2 :]}"
        return clause

    def _noisy(self, clause: str) -> str:
        luck = self.chance.random()
        if luck < 0.08:
            return clause.lower() if '"' not in clause else clause
        if luck < 0.14:
            return clause.rstrip(".")
        if luck < 0.40 and clause[-1:].isalnum():
            return f"{clause}."
        return clause


def _in_plain_words(family: str, line: str) -> ReadClause:
    """Return the clause that says `line` as a reading is shown to people.

    So the reader can be asked whether its own words mean what it read.
    """
    check = from_line(line)
    if check is None:
        raise ValueError(f"expected a line with a check, got {line!r}")
    clause = prepared(in_words(check))
    return ReadClause(clause=clause, line=_in_order(_cased(to_line(check), clause)), family=family)


def _in_order(line: str) -> str:
    """Return `line` with filters of defects and sources of `equal` in one order to learn."""
    line = _MEASURE.sub(
        lambda found: f"{found[1]}({'; '.join(sorted(found[2].split('; '), key=_rank))})", line
    )
    return _EQUAL.sub(
        lambda found: f"equal({'; '.join(sorted((found[1], found[2]), key=_source_rank))}", line
    )


def _source_rank(source: str) -> int:
    """Return the place of a source: what a code holds, what is printed, what was expected."""
    kinds = {"code": 0, "element": 0, "field": 1, "order": 2}
    return kinds.get(source.split()[0], 3)


def _rank(part: str) -> int:
    starts = ("except ", "in ", "not in ", "longest ", "width ", "height ", "area ", "confidence ")
    ranks = [i for i, start in enumerate((*starts, "each "), start=1) if part.startswith(start)]
    return ranks[0] if ranks and _FILTER.match(part) else 0


def _respelt(text: str, british: str, american: str) -> str:
    return text.replace(british, american).replace(british.capitalize(), american.capitalize())


def _ended(clause: str) -> str:
    return clause if clause[-1:] in ".!?" else f"{clause}."


def _lowered(clause: str) -> str:
    return clause if re.match(r"[A-Z][A-Z0-9]", clause) else clause[:1].lower() + clause[1:]


def _cased(line: str, clause: str) -> str:
    """Return `line` with its copied words in the case in which the clause has them."""
    there = set(re.findall(r"[^\W\d_]+", clause))

    def copied(match: re.Match[str]) -> str:
        word = match[0]
        small = word[:1].lower() + word[1:]
        forms = (word, small, word.lower())
        return next((form for form in forms if form in there), word)

    return re.sub(r"[^\W\d_]+", copied, line)
