"""The part of the judge's corpus that is about print, codes and dates."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from inspector.domain import Code, Context, Detection, Evidence, TextLine
from inspector.evidence import derived_facts
from inspector.quantities import NUMBER_WORDS, Quantity, after
from inspector.training.corpus_words import (
    BOX,
    Pair,
    Wordings,
    plural_of,
    text_line,
    vocabulary,
    with_article,
)

PLACES = ("a retail pack", "a coil", "our boxes", "a consumer label", "these units")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """How clauses name codes: one, several, and one with its article; and which they are."""

    one: str
    several: str
    keys: frozenset[str]


class PrintFamilies:
    """Draws pairs of the families text, marking, equality, code, date and legible."""

    def __init__(
        self, wordings: Wordings, *, some_defects: Callable[[], tuple[Detection, ...]]
    ) -> None:
        self.wordings = wordings
        self.some_defects = some_defects
        self.chance: random.Random = wordings.chance
        self.words = vocabulary("prints")

    def pair(self, family: str, target: bool) -> Pair:
        match family:
            case "text":
                return self._text(target)
            case "marking":
                return self._marking(target)
            case "equality":
                return self._equality(target)
            case "code":
                return self._code(target)
            case "date":
                return self._date(target)
        return self._legible(target)

    def _pair(
        self,
        family: str,
        clause: str,
        violated: bool,
        *,
        texts: Sequence[TextLine] = (),
        codes: Sequence[Code] = (),
        expected: dict[str, str] | None = None,
        today: date | None = None,
    ) -> Pair:
        shuffled = list(texts)
        self.chance.shuffle(shuffled)
        defects = self.some_defects() if self.chance.random() < 0.12 else ()
        if expected is None and self.chance.random() < 0.4:
            expected = self._unasked_order(codes)
        context = Context(inspected_on=today or self._day(), expected=expected or {})
        evidence = Evidence(
            product=self.chance.choice(self.words["products"]),
            defects=defects,
            texts=tuple(shuffled),
            codes=tuple(codes),
            context=context,
            facts=derived_facts(texts=shuffled, codes=codes, context=context),
            crops_bgr=(None,) * len(defects),
        )
        return Pair(
            evidence=evidence,
            clause=clause,
            violated=violated,
            family=family,
            real=(True,) * len(defects),
        )

    def _unasked_order(self, codes: Sequence[Code]) -> dict[str, str]:
        """Return work-order values, right or wrong, that the clause does not ask about."""
        order: dict[str, str] = {}
        if self.chance.random() < 0.7:
            right = bool(codes) and self.chance.random() < 0.5
            shape = self.words["code_fields"]["gtin"]["shape"]
            order["gtin"] = codes[0].text if right else self.shaped(shape)
        if self.chance.random() < 0.5:
            key = self.chance.choice(list(self.words["fields"]))
            order[key] = self.shaped(self.words["fields"][key]["shape"])
        return order

    def _worded(self, key: str, **slots: str) -> str:
        item: str = self.chance.choice(self.words["items"])
        return self.wordings.worded(key, **{"item": item, **slots})

    def _day(self) -> date:
        return date(2025, 6, 1) + timedelta(days=self.chance.randrange(900))

    # --- print --------------------------------------------------------------------------------

    def stray_texts(self) -> tuple[TextLine, ...]:
        """Return lines of no importance, some of them attempts to talk the judge round."""
        return tuple(self._lines(self.chance.choice((1, 2, 3, 5))))

    def stray_codes(self) -> tuple[Code, ...]:
        """Return a code that nobody asked for."""
        return (self.code(self.chance.choice(list(self.words["symbologies"]))),)

    def _lines(self, count: int, without: Sequence[str] = ()) -> list[TextLine]:
        lines = []
        for _ in range(count):
            pool = self.words["injections" if self.chance.random() < 0.1 else "neutral"]
            text: str = self.chance.choice(pool)
            if any(w.lower() in text.lower() or text.lower() in w.lower() for w in without):
                continue
            confidence = round(self.chance.uniform(0.6, 0.999), 3)
            field = None
            if sum(c.isdigit() for c in text) > 4 and self.chance.random() < 0.3:
                field = "printed_number"
            lines.append(text_line(text, confidence=confidence, field=field))
        return lines

    def _few(self) -> int:
        return self.chance.choice((0, 0, 1, 1, 2, 3, 6))

    def _printed(self, text: str) -> TextLine:
        chance = self.chance.random()
        form = text.upper() if chance < 0.35 else text.lower() if chance < 0.45 else text
        if self.chance.random() < 0.1:
            form = form.replace(" ", "")
        return text_line(form, confidence=round(self.chance.uniform(0.7, 0.99), 3))

    def _text(self, target: bool) -> Pair:
        phrases = self.words["phrases"]
        forbidden = self.chance.random() < 0.5
        asked: list[str] = self.chance.sample(phrases, k=2 if self.chance.random() < 0.2 else 1)
        open_, close = self.chance.choice(
            (('"', '"'), ("'", "'"), ("“", "”"), ('"', '"'), ("", ""))
        )
        joint = self.chance.choice((" or ", " or ", " nor ") if forbidden else (" and ",))
        words = joint.join(f"{open_}{phrase}{close}" for phrase in asked)
        clause = self._worded("text_forbidden" if forbidden else "text_required", phrase=words)
        clause = clause.replace(" words ", " words ") if len(asked[0].split()) > 1 else clause
        rest = [p for p in phrases if p not in asked]
        others = self.chance.sample(rest, k=self.chance.choice((0, 1, 2)))
        if forbidden:
            shown = (
                self.chance.sample(asked, k=self.chance.randint(1, len(asked))) if target else []
            )
        else:
            shown = asked[:-1] if target else asked
        texts = [self._printed(t) for t in (*shown, *others)] + self._lines(self._few(), asked)
        return self._pair("text", clause, target, texts=texts, codes=self._maybe_code())

    def _marking(self, target: bool) -> Pair:
        if self.chance.random() < 0.35:
            concepts = self.words["concepts"]
            name = self.chance.choice(list(concepts))
            others = self.chance.sample(
                [c for c in concepts if c != name], k=self.chance.randint(0, 2)
            )
            lines = [self.chance.choice(concepts[other]) for other in others]
            if not target:
                lines.append(self.chance.choice(concepts[name]))
            clause = self._worded("concept_required", concept=name)
            shared = name in ("a net quantity",)
            texts = [self._printed(t) for t in lines]
            texts += [] if shared else self._lines(self._few(), ["Made", "Keep", "Store", "cool"])
            return self._pair("marking", clause, target, texts=texts, codes=self._maybe_code())
        marks = self.words["marks"]
        asked = self.chance.sample(list(marks), k=self.chance.choice((1, 1, 1, 2, 3)))
        mark = asked[0] if len(asked) == 1 else ", ".join(asked[:-1]) + f" or {asked[-1]}"
        key = "concept_forbidden"
        if self.chance.random() < 0.15:
            key, mark = "sticker_forbidden", mark.removeprefix("a ")
        clause = self._worded(key, mark=mark)
        close = {"scrap", "damaged", "void", "blocked", "recalled"}
        distant = [m for m in marks if m not in asked and not ({m, *asked} <= close)]
        lines = [
            self.chance.choice(marks[m])
            for m in self.chance.sample(distant, k=self.chance.choice((0, 0, 1)))
        ]
        if target:
            lines.append(self.chance.choice(marks[self.chance.choice(asked)]))
        texts = [self._printed(t) for t in lines] + self._lines(self._few())
        return self._pair("marking", clause, target, texts=texts, codes=self._maybe_code())

    def _equality(self, target: bool) -> Pair:
        expected: dict[str, str] = {}
        texts = self._lines(self._few())
        if self.chance.random() < 0.35:
            key = self.chance.choice(list(self.words["code_fields"]))
            spec = self.words["code_fields"][key]
            value = self.shaped(spec["shape"])
            expected[key] = value
            wrong = self.chance.random() < 0.75
            codes = []
            if not target or wrong:
                symbology = self.chance.choice(
                    ("ean13", "ean13", "code128", "datamatrix", "qr", "itf")
                )
                codes = [self.code(symbology, self._changed(value) if target else value)]
            if self.chance.random() < 0.2 and not codes:
                texts.append(text_line("no code here"))
            name = self.chance.choice(spec["names"])
            clause = self._worded("equal_code", field=name)
            return self._pair(
                "equality", clause, target, texts=texts, codes=codes, expected=expected
            )
        fields = self.words["fields"]
        asked, *rest = self.chance.sample(list(fields), k=self.chance.choice((1, 1, 2, 3)))
        name = self.chance.choice(fields[asked]["names"])
        if asked == "printed_number" or self.chance.random() < 0.15:
            return self._field_present(target, asked, name)
        rest = [key for key in rest if key != "printed_number"]
        clause = self._worded("equal", field=name)
        for key in (asked, *rest):
            value = expected[key] = self.shaped(fields[key]["shape"])
            right = (not target) if key == asked else self.chance.random() < 0.5
            if not right and self.chance.random() < 0.2:
                continue
            caption = self.chance.choice(fields[key]["captions"])
            shown = value if right else self._changed(value)
            own = self.chance.random() < 0.8 or not right
            texts.append(text_line(f"{caption} {shown}".strip(), field=key if own else None))
        return self._pair(
            "equality", clause, target, texts=texts, codes=self._maybe_code(), expected=expected
        )

    def _field_present(self, target: bool, asked: str, name: str) -> Pair:
        """Return a pair on whether a field is printed at all, whatever it says."""
        fields = self.words["fields"]
        texts = [t for t in self._lines(self._few()) if sum(c.isdigit() for c in t.text) < 5]
        shown = [] if target else [asked]
        shown += self.chance.sample(
            [f for f in fields if f != asked], k=self.chance.choice((0, 0, 1))
        )
        for key in shown:
            caption = self.chance.choice(fields[key]["captions"])
            value = self.shaped(fields[key]["shape"])
            texts.append(text_line(f"{caption} {value}".strip(), field=key))
        clause = self._worded("field_present", field=name)
        return self._pair("equality", clause, target, texts=texts, codes=self._maybe_code())

    def _changed(self, value: str) -> str:
        if self.chance.random() < 0.35:
            other = self.shaped(
                "".join("9" if c.isdigit() else "A" if c.isalpha() else c for c in value)
            )
            if other != value:
                return other
        at = self.chance.randrange(len(value))
        pool = "0123456789" if value[at].isdigit() else "ABCDEFGHKLMNPRSTUVWXYZ"
        return (
            value[:at] + self.chance.choice([c for c in pool if c != value[at]]) + value[at + 1 :]
        )

    def shaped(self, shape: str) -> str:
        """Return a value whose nines are digits and whose A's are letters."""
        return "".join(
            self.chance.choice("0123456789") if c == "9"
            else self.chance.choice("ABCDEFGHKLMNPRSTUVWXYZ") if c == "A" else c
            for c in shape
        )  # fmt: skip

    def _legible(self, target: bool) -> Pair:
        texts = self._lines(self.chance.choice((1, 2, 3, 5, 7)))
        if not texts:
            texts = self._lines(3)
        if target:
            if self.chance.random() < 0.3:
                texts = []
            else:
                at = self.chance.randrange(len(texts) or 1)
                texts = [
                    replace(t, confidence=round(self.chance.uniform(0.1, 0.49), 2))
                    if i == at
                    else t
                    for i, t in enumerate(texts)
                ]
        violated = not texts or any(t.confidence < 0.5 for t in texts)
        return self._pair(
            "legible", self._worded("legible"), violated, texts=texts, codes=self._maybe_code()
        )

    # --- codes --------------------------------------------------------------------------------

    def code(self, key: str, text: str | None = None) -> Code:
        """Return a code of one symbology, spelt one of the ways readers spell it."""
        spec = self.words["symbologies"][key]
        content = text if text is not None else self.shaped(spec.get("shape", "9999999999999"))
        return Code(symbology=self.chance.choice(spec["read"]), text=content, box=BOX)

    def _maybe_code(self) -> list[Code]:
        if self.chance.random() < 0.4:
            return []
        return [
            self.code(
                self.chance.choice(("ean13", "ean13", "upca", "ean8", "code128", "itf", "qr"))
            )
        ]

    def _asked_codes(self) -> _Words:
        symbologies = self.words["symbologies"]
        chance = self.chance.random()
        if chance < 0.42:
            group = self.chance.choice(list(self.words["groups"]))
            one, _, several = self.chance.choice(self.words["groups"][group]).partition("|")
            keys = frozenset(k for k, spec in symbologies.items() if group in spec["groups"])
            aside = self._aside(group)
            return _Words(one=one, several=(several or plural_of(one)) + aside, keys=keys)
        key = self.chance.choice(list(symbologies))
        one, several = self._named(key)
        if chance > 0.8:
            other = self.chance.choice([k for k in symbologies if k != key])
            second, more = self._named(other)
            joint = self.chance.choice((" and ", " or "))
            return _Words(
                one=f"{one} or {second}",
                several=f"{several}{joint}{more}",
                keys=frozenset([key, other]),
            )
        return _Words(one=one, several=several + self._aside(key), keys=frozenset([key]))

    def _named(self, key: str) -> tuple[str, str]:
        one, _, several = self.chance.choice(self.words["symbologies"][key]["names"]).partition("|")
        return one, several or (one if one[-1].isdigit() else plural_of(one))

    def _aside(self, key: str) -> str:
        asides = self.words["asides"].get(key)
        return self.chance.choice(asides) if asides and self.chance.random() < 0.35 else ""

    def _code(self, target: bool) -> Pair:
        texts = self._lines(self._few())
        key = self.chance.choices(
            ("code_present", "code_required", "code_forbidden", "code_only"), (2, 3, 6, 4)
        )[0]
        if key == "code_present":
            codes = (
                [] if target else [self.code(self.chance.choice(list(self.words["symbologies"])))]
            )
            return self._pair("code", self._worded(key), target, texts=texts, codes=codes)
        asked = self._asked_codes()
        known = list(self.words["symbologies"])
        retail = {k for k in known if "retail" in self.words["symbologies"][k]["groups"]}
        logistic = {k for k in known if "logistic" in self.words["symbologies"][k]["groups"]}
        # DataBar serves both trades: no clause about one of them is asked of it.
        doubtful = {"databar"} if asked.keys in (frozenset(retail), frozenset(logistic)) else set()
        inside = sorted(asked.keys)
        outside = sorted(set(known) - asked.keys - doubtful)
        some_in = [self.chance.choice(inside) for _ in range(self.chance.choice((1, 1, 1, 2)))]
        some_out = [self.chance.choice(outside) for _ in range(self.chance.choice((0, 1, 1, 1, 2)))]
        match key:
            case "code_required":
                chosen = some_out if target else some_in + some_out[:1]
            case "code_forbidden":
                chosen = some_in + some_out[:1] if target else some_out
            case _:
                more = some_in if self.chance.random() < 0.4 else []
                chosen = [*(some_out or outside[:1]), *more] if target else some_in
                if not target and self.chance.random() < 0.15:
                    chosen = []
        a_sym = with_article(asked.one)
        clause = self._worded(key, sym=asked.one, syms=asked.several, a_sym=a_sym)
        if (
            key == "code_forbidden"
            and self.chance.random() < 0.3
            and clause.endswith(".")
            and " on " not in clause
        ):
            clause = f"{clause[:-1]} on {self.chance.choice(PLACES)}."
        self.chance.shuffle(chosen)
        return self._pair("code", clause, target, texts=texts, codes=[self.code(k) for k in chosen])

    # --- dates --------------------------------------------------------------------------------

    def _date(self, target: bool) -> Pair:
        today = self._day()
        texts = self._lines(self._few(), ["20"])
        key = self.chance.choices(("not_expired", "days_left", "date_present"), (4, 5, 2))[0]
        caption = self.chance.choice(
            ("EXP", "Best before", "BB", "Use by", "EXP.", "BBE", "Valid until")
        )
        if key == "date_present":
            if not target:
                day = today + timedelta(days=self.chance.randint(5, 500))
                texts.append(text_line(f"{caption} {self._written(day)}"))
            return self._pair("date", self._worded(key), target, texts=texts, today=today)
        if key == "not_expired":
            days = -self.chance.randint(2, 400) if target else self.chance.randint(2, 700)
            clause = self._worded(key)
        else:
            number = self.chance.choice((2, 3, 6, 10, 12, 14, 30, 60, 90))
            unit = "day" if number > 9 else self.chance.choice(("week", "month"))
            limit = Quantity(kind="span", words="", value=number, span=unit)
            length = (after(today, limit) - today).days
            days = round(
                length
                * (self.chance.uniform(-0.5, 0.95) if target else self.chance.uniform(1.02, 3))
            )
            said = (
                NUMBER_WORDS[number] if number < 13 and self.chance.random() < 0.5 else str(number)
            )
            clause = self._worded(key, span=f"{said} {unit}s")
            if (days < length) != target or days == length:
                days = length - 1 if target else length + 1
        day = today + timedelta(days=days)
        texts.append(
            text_line(f"{caption} {self._written(day)}", field=self.chance.choice((None, "expiry")))
        )
        if self.chance.random() < 0.2:
            made = min(day, today) - timedelta(days=self.chance.randint(20, 300))
            texts.append(text_line(f"MFG {self._written(made)}"))
        return self._pair("date", clause, target, texts=texts, today=today)

    def _written(self, day: date) -> str:
        return self.chance.choice(
            (
                f"{day:%Y-%m-%d}",
                f"{day:%d.%m.%Y}",
                f"{day:%d %b %Y}",
                f"{day:%d/%m/%Y}",
                f"{day:%Y-%m-%d}",
            )
        )
