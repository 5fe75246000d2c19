"""Words for the slots of a clause's wording: one draw fills the clause and its line alike.

`clause_words.yaml` and the terms of `ontology.yaml` hold the words, written by hand. A word is for
training or held out for validation by its own hash, whatever else is added beside it.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from string import Formatter

from inspector.ontology import load_ontology
from inspector.training import clause_amounts as amounts
from inspector.training.corpus_words import Subject, subject, vocabulary, with_article

EVERY_HELD_OUT = 8
_OWN_WORDS = 0.75  # share of subjects taken from the lists; the others are put together freely
_MASS = re.compile(
    r"(ing|tion|sion|ment|ness|age|ity|ry|ism|osis|dust|rust|dirt|matter|material|residue|grease|oil|"
    r"water|moisture|ink|glue|wear|lint|debris|fuzz|soot|copper|metal|plastic|solder|flux|haze|glass|"
    r"flash|scale|damage|s)$"
)  # words of the ontology that stand for no single thing, or are plurals
_COUNTED = re.compile(r"\{(?:n2?_|nth)|\{n2?\}[\w -]* \{defect")  # a number before the subject
_SEVERAL = re.compile(
    r"\{n\}[\w -]* \{(?:defects|things|codes|condition)|\{n(?:_defects)?\} (?:are|have|were)\b"
    r"|\{n\} (?:[a-z-]+ )?(?:characters|letters|digits|times|kinds|types|sorts|things|codes|lines|"
    r"findings|pieces|pcs|ticks|points|places|imprints|parts|specimens|ones|others|boxes|errors)\b"
)  # a wording in the plural: its number is 2 or more


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A value for one slot, in the clause and in the line."""

    text: str
    line: str


@cache
def words() -> dict[str, list[str]]:
    """Return the lists of `clause_words.yaml`, read once."""
    return vocabulary("clause_words")


@cache
def _terms(kind: str) -> tuple[str, ...]:
    own = list(words()[kind])
    for trade in vocabulary("ontology", package="inspector")["trades"].values():
        if kind == "kinds":
            own += list(trade.get("kinds", {}))
        else:
            own += [term for terms in trade["labels"].values() for term in terms]
    graph = load_ontology()
    wide = graph.groups if kind == "kinds" else graph.terms
    for entry in wide.values():
        own += [f"~{word}" if _MASS.search(word) else word for word in entry.words]
    return tuple(dict.fromkeys(map(str, own)))


@cache
def _fields() -> dict[str, list[str]]:
    return dict(vocabulary("clause_words")["fields"])


@cache
def is_held_out(text: str) -> bool:
    """Return whether a wording or name is for validation: one in eight, by its hash."""
    return hashlib.sha256(text.encode()).digest()[0] % EVERY_HELD_OUT == 0


class Slots:
    """Fills the slots of one clause; the same slot gets the same value in clause and line."""

    def __init__(self, chance: random.Random, *, held_out: bool) -> None:
        self.chance = chance
        self.held_out = held_out
        self._subjects: dict[str, tuple[list[Subject], str]] = {}
        self._lines: dict[str, str] = {}
        self._n: dict[str, int] = {}
        self._several_lengths = False
        self._counted = False
        self._of_characters = False
        self._of_several = False
        self._says_element = False
        self._lengths: list[tuple[str, str]] = []
        self._areas: tuple[str, str] | None = None
        self._zones: dict[str, list[str]] = {}

    def clause(self, wording: str) -> str:
        """Return `wording` with its slots filled."""
        self._several_lengths = bool(re.search(r"\{(?:bare|length[23])\}", wording))
        self._counted = bool(_COUNTED.search(wording))
        self._says_element = bool(re.search(r"\b(?:elements?|identifiers?|AI)\b", wording))
        self._of_characters = "character" in wording
        self._of_several = bool(_SEVERAL.search(wording))
        return "".join(
            literal + ("" if slot is None else self._text(slot))
            for literal, slot, _, _ in Formatter().parse(wording)
        )

    def line(self, pattern: str) -> str:
        """Return the line for the clause filled last; raise `KeyError` for a slot it lacks."""
        return "".join(
            literal + ("" if slot is None else self._lines[slot])
            for literal, slot, _, _ in Formatter().parse(pattern)
        )

    # --- slots --------------------------------------------------------------------------------

    def _text(self, slot: str) -> str:
        name, number = re.fullmatch(r"(\w*?)(\d?)", slot).groups()  # type: ignore[union-attr]
        match name:
            case "defects" | "defect" | "a_defect":
                return self._subject(number, form=name)
            case "n_defects":
                return self._numbered("", number)
            case "n2_defects":
                return self._numbered("2", number)
            case "are" | "have" | "do":
                self._draw_subject("")
                subjects, _ = self._subjects[""]
                single = len(subjects) == 1 and subjects[0].mass
                return {"are": "is", "have": "has", "do": "does"}[name] if single else name
            case "n":
                return self._number(number)
            case "nth":
                return self._kept(slot, amounts.ordinal(self.chance))
            case "length" | "bare":
                return self._length(name, int(number or 1))
            case "zone" | "the_zone" | "in_zone" | "outside_zone":
                return self._zone(number, form=name)
            case "product":
                return self._lines.setdefault(slot, self._pick("products"))
            case "order":
                return self.chance.choice(words()["orders"])
            case "quoted":
                return self._quoted(slot)
            case "field" | "the_field":
                return self._field(f"field{number}", article=name.startswith("the_"))
            case "expiry" | "the_expiry" | "made" | "the_made":
                plain = name.removeprefix("the_")
                value = self._kept(plain + number, self._pick(plain))
                return f"the {value}" if name.startswith("the_") else value
            case "code" | "codes" | "a_code":
                return self._code(number, form=name)
            case "thing" | "things":
                return self._thing(number, form=name)
        return self._plain(name, slot)

    def _plain(self, name: str, slot: str) -> str:
        match name:
            case "area":
                self._areas = self._areas or amounts.areas(self.chance)
                return self._kept(slot, self._areas[slot.endswith("2")])
            case "confidence":
                return self._kept(slot, amounts.share(self.chance))
            case "span":
                return self._kept(slot, amounts.span(self.chance))
            case "day":
                return self._kept(slot, amounts.day(self.chance))
            case "alike":
                drawn = self.chance.choice(words()["alike"])
                self._lines[slot] = drawn[1]
                return drawn[0]
            case "prefix":
                value = self._kept(slot, self._pick("prefixes"))
                return self.chance.choice((value, f'"{value}"', f"'{value}'"))
            case "element" | "expiry_element" | "made_element" | "date_element":
                value = self._kept(slot, self._other(name, f"{name}s"))
                forms = (f"[{value}]", f"AI {value}", value)
                return self.chance.choice(forms if self._says_element else forms[:2])
            case ("language" | "unit" | "form" | "condition") | (
                "element_name" | "expiry_name" | "made_name"
            ):
                return self._kept(slot, self._other(name, f"{name}s"))
        raise KeyError(slot)

    def _kept(self, slot: str, value: str) -> str:
        return self._lines.setdefault(slot, value)

    def _pick(self, kind: str) -> str:
        """Return a word of that list, of the part for training or of the held-out part."""
        return _part(self.chance, tuple(map(str, words()[kind])), held_out=self.held_out)

    def _other(self, name: str, kind: str) -> str:
        """Return a word of that list that no slot of like name has yet."""
        taken = {value for slot, value in self._lines.items() if slot.startswith(name)}
        for _ in range(20):
            drawn = self._pick(kind)
            if drawn not in taken:
                break
        return drawn

    # --- subjects -----------------------------------------------------------------------------

    def _draw_subject(self, number: str) -> None:
        if number in self._subjects:
            return
        luck = self.chance.random()
        taken = {s.plural for drawn, _ in self._subjects.values() for s in drawn}
        if luck < 0.10 and not number:
            drawn = [subject(None, self._pick("general"))]
        elif luck < 0.20:
            drawn = [self._term("kinds")]
        else:
            count = 1 if luck < 0.80 or number else 2 if luck < 0.93 else 3
            drawn = [self._term("defects") for _ in range(count)]
        drawn = [s for s in {s.plural: s for s in drawn}.values() if s.plural not in taken]
        self._subjects[number] = (drawn or [self._term("defects")], self._joint())

    def _joint(self) -> str:
        return self.chance.choice((" or ", " or ", " and ", " and ", " / ", ", "))

    def _term(self, kind: str) -> Subject:
        if kind == "defects" and self.chance.random() > _OWN_WORDS:
            head = self._pick("flaws")
            singular, _, plural = head.partition("|")
            thing = self._pick("objects")
            term = f"{thing} {singular}" + (f"|{thing} {plural}" if plural else "")
            return subject(frozenset([term]), term)
        for _ in range(20):
            term = _part(self.chance, _terms(kind), held_out=self.held_out)
            if not (self._counted and term.startswith("~")):
                break
        return subject(frozenset([term]), term)

    def _thing(self, number: str, *, form: str) -> str:
        slots = (f"thing{number}", f"things{number}")
        if slots[0] not in self._lines:
            drawn = self._other("thing", "things")
            known = subject(None, drawn)
            self._lines[slots[0]], self._lines[slots[1]] = known.singular, known.plural
        return self._lines[slots[form == "things"]]

    def _subject(self, number: str, *, form: str) -> str:
        self._draw_subject(number)
        subjects, joint = self._subjects[number]
        plain = [s.plural if form == "defects" else s.singular for s in subjects]
        self._lines.setdefault(f"subject{number}", " | ".join(plain))
        said = [self._with_adjective(p) for p in plain]
        if form == "a_defect":
            said = [p if s.mass else with_article(p) for s, p in zip(subjects, said, strict=True)]
        if len(said) > 2 and joint != ", ":
            comma = self.chance.choice((", ", ", ", f",{joint}")) if joint != " / " else joint
            return f"{', '.join(said[:-1])}{comma if comma.strip() != ',' else joint}{said[-1]}"
        return joint.join(said)

    def _with_adjective(self, term: str) -> str:
        """Put a word before the term that narrows nothing down, and that the line leaves out."""
        if self.chance.random() < 0.06:
            return f"{self.chance.choice(words()['adjectives'])} {term}"
        return term

    def _numbered(self, which: str, number: str) -> str:
        said = self._number(which)
        single = self._n[which] == 1
        return f"{said} {self._subject(number, form='defect' if single else 'defects')}"

    # --- numbers ------------------------------------------------------------------------------

    def _number(self, which: str) -> str:
        if not self._n:
            usual: tuple[int, ...] = (1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20)
            if self._of_characters:
                usual = (1, 2, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14)
            first = self.chance.choice([n for n in usual if n > 1 or not self._of_several])
            self._n[""] = first
            self._n["2"] = first + self.chance.choice((1, 1, 2, 2, 3, 4, 5, 7, 10))
        return self._kept(f"n{which}", amounts.number(self.chance, self._n[which]))

    def _length(self, name: str, number: int) -> str:
        if not self._lengths:
            self._lengths = amounts.lengths(self.chance, several=self._several_lengths)
        written, bare = self._lengths[number - 1]
        if name == "bare":
            return self._kept("bare", bare)
        return self._kept(f"length{number if number > 1 else ''}", written)

    # --- places, print, codes -----------------------------------------------------------------

    def _zone(self, number: str, *, form: str) -> str:
        if number not in self._zones:
            count = 2 if self.chance.random() < 0.08 else 1
            taken = {z for drawn in self._zones.values() for z in drawn}
            drawn = [z for z in (self._pick("zones") for _ in range(count)) if z not in taken]
            self._zones[number] = list(dict.fromkeys(drawn)) or ["marked field"]
            self._lines[f"zone{number}"] = " | ".join(self._zones[number])
        zones = self._zones[number]
        joint = self.chance.choice((" or ", " and "))
        if form == "zone":
            return joint.join(zones)
        said = joint.join(z if _is_a_name(z) else f"the {z}" for z in zones)
        if form == "the_zone":
            return said
        if form == "in_zone":
            return (
                f"{self.chance.choice(('in', 'in', 'in', 'on', 'at', 'within', 'inside'))} {said}"
            )
        words_out = ("outside", "outside", "outside of", "away from", "not in", "beyond")
        return f"{self.chance.choice(words_out)} {said}"

    def _quoted(self, slot: str) -> str:
        value = self._pick("wordings")
        if self.chance.random() < 0.3:
            value = value.upper()
        elif self.chance.random() < 0.1:
            value = value.lower()
        value = self._lines.setdefault(slot, f'"{value}"').strip('"')
        open_, close = self.chance.choice(
            (('"', '"'), ('"', '"'), ("'", "'"), ("“", "”"), ("«", "»"), ("", ""), ("", ""))
        )
        return f"{open_}{value}{close}"

    def _field(self, slot: str, *, article: bool) -> str:
        if slot not in self._lines:
            fields = _fields()
            weights = [6, 5, 5] + [1] * (len(fields) - 3)
            taken = {value for name, value in self._lines.items() if name.startswith("field")}
            for _ in range(20):
                key = self.chance.choices(list(fields), weights=weights)[0]
                if not taken & set(fields[key]):
                    break
            self._lines[slot] = _part(self.chance, tuple(map(str, fields[key])), held_out=False)
        return f"the {self._lines[slot]}" if article else self._lines[slot]

    def _code(self, number: str, *, form: str) -> str:
        slot = f"code{number}"
        if slot not in self._lines:
            name = self._other("code", "codes")
            if form == "codes":
                name = f"{name}s" if name[-4:] in ("code", "Code") else f"{name} codes"
            self._lines[slot] = name
        name = self._lines[slot]
        return with_article(name) if form == "a_code" else name


def _part(chance: random.Random, all_: Sequence[str], *, held_out: bool) -> str:
    """Return one of the words of a part; held-out clauses take known words too, half the time."""
    wanted = held_out and chance.random() < 0.5
    for _ in range(200):
        drawn = chance.choice(all_)
        if is_held_out(drawn) is wanted:
            return drawn
    return chance.choice(all_)


def _is_a_name(zone: str) -> bool:
    return bool(re.search(r"\b([A-Z]|\d+|II)$", zone)) or zone == "corners"
