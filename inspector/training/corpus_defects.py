"""The part of the judge's corpus that is about defects: kinds, counts, sizes, zones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from inspector.domain import Bgr, Code, Context, Detection, Evidence, TextLine
from inspector.evidence import derived_facts
from inspector.quantities import NUMBER_WORDS
from inspector.training.corpus_words import (
    Pair,
    Seen,
    Subject,
    Wordings,
    detections,
    subject,
    vocabulary,
    with_article,
)
from inspector.training.crops import CropBank

Oracle = Callable[[Sequence[Seen]], bool]
Trade = dict[str, Any]
Ruled = tuple[str, list[Seen], Oracle]


class DefectFamilies:
    """Draws pairs whose truth hangs on defects.

    `stray_texts` and `stray_codes` put print and codes beside the defects, now and then.
    """

    def __init__(
        self,
        words: Wordings,
        *,
        bank: CropBank | None,
        stray_texts: Callable[[], tuple[TextLine, ...]],
        stray_codes: Callable[[], tuple[Code, ...]],
    ) -> None:
        self.words = words
        self.chance = words.chance
        self.bank = bank
        self.stray_texts = stray_texts
        self.stray_codes = stray_codes
        ontology = vocabulary("ontology", package="inspector")
        self.anything: list[str] = ontology["anything"]
        self.trades: dict[str, Trade] = {
            name: {**trade, **ontology["trades"][name]}
            for name, trade in vocabulary("terms")["trades"].items()
            if words.held_out or not trade.get("held_out")
        }

    def pair(self, family: str, target: bool) -> Pair:
        """Return a pair of that family, violated more likely than not where `target`."""
        if family == "off topic":
            clause = self.words.worded("off_topic")
            trade, seen = self._any_part()
            return self._pair(family, clause, False, trade, seen)
        name, trade = self._trade()
        match family:
            case "none":
                ruled = self._none(name, trade, target)
            case "count":
                ruled = self._count(name, trade, target)
            case "size":
                ruled = self._size(name, trade)
            case "count and size":
                ruled = self._count_and_size(name, trade)
            case "zone":
                ruled = self._zone(name, trade, target)
            case "zone and limit":
                ruled = self._zone_and_limit(name, trade)
            case _:
                ruled = self._exception(name, trade, target)
        clause, seen, oracle = ruled
        return self._truth(family, clause, trade, seen, oracle, name)

    # --- subjects -----------------------------------------------------------------------------

    def _trade(self) -> tuple[str, Trade]:
        names = list(self.trades)
        shares = [float(self.trades[name].get("share", 1)) for name in names]
        if self.words.held_out:
            shares = [
                3.0 if self.trades[n].get("held_out") else s
                for n, s in zip(names, shares, strict=True)
            ]
        name = self.chance.choices(names, weights=shares)[0]
        return name, self.trades[name]

    def terms_of(self, name: str, trade: Trade, label: str) -> list[str]:
        terms: list[str] = trade["labels"][label]
        if name == "bare board" or trade.get("held_out") or len(terms) < 4:
            return terms
        return terms[-1:] if self.words.held_out else terms[:-1]

    def _subject(self, name: str, trade: Trade, *, single: bool = False) -> Subject:
        """Return a label by one of its names, several of them, a wider kind, or anything."""
        labels = list(trade["labels"])
        chance = self.chance.random()
        if chance < 0.10:
            return subject(None, self.chance.choice(self.anything))
        kinds = trade.get("kinds", {})
        if not single and kinds and chance < 0.24:
            kind = self.chance.choice(list(kinds))
            return subject(frozenset(kinds[kind]), kind)
        label = self.chance.choice(labels)
        terms = self.terms_of(name, trade, label)
        if self.chance.random() < 0.08:
            return subject(frozenset([label]), label.replace("_", " "))
        first = subject(frozenset([label]), self.chance.choice(terms))
        if not single and chance > 0.90:
            other = self.chance.choice(labels)
            second = subject(
                frozenset([other]), self.chance.choice(self.terms_of(name, trade, other))
            )
            joint = self.chance.choice((" or ", " and ", " and other "))
            plural = f"{first.plural}{joint}{second.plural}"
            singular = f"{first.singular} or {second.singular}"
            if second.plural == first.plural:
                return first
            both = frozenset([label, other])
            return Subject(labels=both, singular=singular, plural=plural, mass=False)
        return first

    def slots(self, about: Subject, n: int | None = None) -> dict[str, str]:
        """Return the words that a wording may ask for."""
        item = self.chance.choice(("part", "part", "piece", "unit", "item", "product"))
        words = {
            "s": about.singular,
            "ss": about.plural,
            "a": about.singular if about.mass else with_article(about.singular),
            "is": "is" if about.mass else "are",
            "item": item,
        }
        if n is not None:
            number = NUMBER_WORDS[n] if n < 13 and self.chance.random() < 0.6 else str(n)
            words["n"] = number
            words["n_ss"] = f"{number} {about.singular if n == 1 else about.plural}"
            words["is_n"] = "is" if n == 1 else "are"
        return words

    # --- defect families ----------------------------------------------------------------------

    def _none(self, name: str, trade: Trade, target: bool) -> Ruled:
        about = self._subject(name, trade)
        clause = self.words.worded("none", **self.slots(about))
        if about.labels is not None and len(about.labels) == 1 and self.chance.random() < 0.12:
            terms = self.terms_of(name, trade, next(iter(about.labels)))
            again = subject(about.labels, self.chance.choice(terms))
            clause = f"{clause} {self.words.worded('none', **self.slots(again))}"
        seen = self.part(trade, about, target, usual=self.chance.choice((1, 1, 2, 3)))
        return clause, seen, lambda found: any(about.counts(d.label) for d in found)

    def _count(self, name: str, trade: Trade, target: bool) -> Ruled:
        about = self._countable(name, trade)
        n = self.chance.choice((1, 1, 2, 2, 3, 3, 4, 5, 6, 8, 10))
        fewer = self.chance.random() < 0.4
        if fewer:
            n = max(n, 2)
        limit = n - 1 if fewer else n
        clause = self.words.worded("fewer_than" if fewer else "at_most", **self.slots(about, n))
        near = max(0, limit + self.chance.choice((1, 1, 2, 3) if target else (0, 0, -1, -2)))
        seen = self.part(trade, about, True, usual=near)
        return clause, seen, lambda found: hits(about, found) > limit

    def _countable(self, name: str, trade: Trade) -> Subject:
        for _ in range(30):
            about = self._subject(name, trade, single=True)
            if not about.mass:
                return about
        return subject(None, "defect")

    def _size(self, name: str, trade: Trade) -> Ruled:
        about = self._subject(name, trade)
        limit, words = self.size()
        key = self.chance.choices(
            ("max_size", "below_size", "total_size", "wide", "tall", "area"), (9, 7, 3, 1, 1, 1)
        )[0]
        single = (about.labels is not None and len(about.labels) == 1) or about.labels is None
        if key == "total_size" and not single:
            key = "max_size"
        if key == "area":
            words = words.replace("mm", "mm²") if words.endswith("mm") else f"{limit:g} mm²"
        clause = self.words.worded(key, x=words, **self.slots(about))
        scale = {"total_size": 0.6}.get(key, 1.0)
        seen = self.part(
            trade, about, True, usual=self.chance.choice((1, 1, 2, 3)), around=limit * scale
        )

        def violated(found: Sequence[Seen]) -> bool:
            own = [d for d in found if about.counts(d.label)]
            match key:
                case "max_size":
                    return any(d.longest > limit for d in own)
                case "below_size":
                    return any(d.longest >= limit for d in own)
                case "total_size":
                    return sum(d.longest for d in own) > limit
                case "wide":
                    return any(d.width > limit for d in own)
                case "tall":
                    return any(d.height > limit for d in own)
            return any(d.width * d.height > limit for d in own)

        return clause, seen, violated

    def _count_and_size(self, name: str, trade: Trade) -> Ruled:
        about = self._countable(name, trade)
        limit, words = self.size()
        n = self.chance.choice((1, 1, 2, 2, 3, 4))
        over = self.chance.random() < 0.6
        clause = self.words.worded(
            "count_over" if over else "count_and_max", x=words, **self.slots(about, n)
        )
        seen = self.part(trade, about, True, usual=self.chance.randint(1, n + 3), around=limit)

        def violated(found: Sequence[Seen]) -> bool:
            own = [d for d in found if about.counts(d.label)]
            larger = sum(d.longest > limit for d in own)
            return larger > n if over else len(own) > n or larger > 0

        return clause, seen, violated

    def _zone(self, name: str, trade: Trade, target: bool) -> Ruled:
        about = self._subject(name, trade)
        zone: str = self.chance.choice(trade["zones"])
        only = self.chance.random() < 0.25
        clause = self.words.worded(
            "zone_only" if only else "zone_none", z=zone, **self.slots(about)
        )
        usual = self.chance.choice((1, 1, 2, 3))
        seen = self.part(trade, about, target or self.chance.random() < 0.7, usual=usual, zone=zone)

        def violated(found: Sequence[Seen]) -> bool:
            return any(about.counts(d.label) and (d.zone == zone) is not only for d in found)

        return clause, seen, violated

    def _zone_and_limit(self, name: str, trade: Trade) -> Ruled:
        about = self._countable(name, trade)
        zone: str = self.chance.choice(trade["zones"])
        limit, words = self.size()
        n = self.chance.choice((1, 1, 2, 3))
        key = self.chance.choice(("zone_count", "outside_count", "zone_size", "zone_size"))
        clause = self.words.worded(key, z=zone, x=words, **self.slots(about, n))
        seen = self.part(
            trade, about, True, usual=self.chance.randint(1, n + 2), zone=zone, around=limit
        )

        def violated(found: Sequence[Seen]) -> bool:
            own = [d for d in found if about.counts(d.label)]
            match key:
                case "zone_count":
                    return sum(d.zone == zone for d in own) > n
                case "outside_count":
                    return sum(d.zone != zone for d in own) > n
            return any(d.zone == zone and d.longest > limit for d in own)

        return clause, seen, violated

    def _exception(self, name: str, trade: Trade, target: bool) -> Ruled:
        label = self.chance.choice(list(trade["labels"]))
        about = subject(frozenset([label]), self.chance.choice(self.terms_of(name, trade, label)))
        clause = self.words.worded("only_kind", **self.slots(about))
        seen = self.part(trade, about, self.chance.random() < 0.7, usual=1)
        if not target:
            seen = [d for d in seen if d.label == label]
        return clause, seen, lambda found: any(d.label != label for d in found)

    # --- parts --------------------------------------------------------------------------------

    def size(self) -> tuple[float, str]:
        """Return a limit in mm and how a clause may write it."""
        limit = self.chance.choice(
            (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 5.0)
        )
        words = [f"{limit:g} mm", f"{limit:.1f} mm", f"{limit:g}mm", f"{limit:g} millimetres"]
        if limit < 1:
            words.append(f"{limit * 1000:g} µm")
        if limit >= 1 and limit == int(limit) and limit != 1:
            words.append(f"{NUMBER_WORDS[int(limit)]} millimetres")
        return limit, self.chance.choice(words)

    def part(
        self,
        trade: Trade,
        about: Subject,
        with_subject: bool,
        *,
        usual: int,
        zone: str | None = None,
        around: float | None = None,
    ) -> list[Seen]:
        """Return defects: those of the subject (or not), and others that distract."""
        labels = list(trade["labels"])
        own = [label for label in labels if about.counts(label)]
        others = [label for label in labels if not about.counts(label)]
        zoned = zone is not None or self.chance.random() < 0.5
        zones = self.chance.sample(trade["zones"], k=min(3, len(trade["zones"])))
        chosen: list[str] = []
        if with_subject:
            few = self.chance.sample(own, k=min(len(own), self.chance.choice((1, 1, 2))))
            chosen += [self.chance.choice(few) for _ in range(usual)]
        if others:
            for label in self.chance.sample(
                others, k=min(len(others), self.chance.choice((0, 0, 1, 1, 2, 3)))
            ):
                chosen += [label] * self.chance.choice((1, 1, 1, 2, 3, 5))
        return [self._seen(label, zone, zones if zoned else [], around) for label in chosen]

    def _seen(
        self, label: str, zone: str | None, zones: Sequence[str], around: float | None
    ) -> Seen:
        where: str | None = None
        if zone is not None and self.chance.random() < 0.4:
            where = zone
        elif zones and self.chance.random() < 0.85:
            where = self.chance.choice(zones)
        base = around if around is not None else self.chance.choice((0.3, 0.6, 1.0, 2.0))
        longest = round(base * self.chance.choice((0.3, 0.5, 0.7, 0.9, 1.0, 1.1, 1.4, 2.0)), 3)
        shorter = round(longest * self.chance.choice((0.2, 0.5, 0.8, 1.0)), 3)
        upright = self.chance.random() < 0.5
        return Seen(
            label=label,
            width=shorter if upright else longest,
            height=longest if upright else shorter,
            zone=where,
        )

    def _any_part(self) -> tuple[Trade, list[Seen]]:
        name, trade = self._trade()
        about = self._subject(name, trade)
        return trade, self.part(trade, about, True, usual=self.chance.choice((0, 1, 2)))

    def some_defects(self) -> tuple[Detection, ...]:
        """Return a few defects that have nothing to do with print and codes."""
        return detections(self._any_part()[1], self.chance)

    def _truth(
        self,
        family: str,
        clause: str,
        trade: Trade,
        seen: list[Seen],
        oracle: Oracle,
        name: str,
    ) -> Pair:
        pictured = name == "bare board" and self.bank is not None and self.chance.random() < 0.5
        if pictured and self.chance.random() < 0.35:
            # A mistake of the detector: what its crop shows is an intact board.
            wrong = {i for i in range(len(seen)) if self.chance.random() < 0.6}
            seen = [replace(d, real=i not in wrong) for i, d in enumerate(seen)]
        seen.sort(key=lambda d: (d.label, d.zone or ""))
        violated = oracle([d for d in seen if d.real])
        return self._pair(family, clause, violated, trade, seen, pictured=pictured)

    def _pair(
        self,
        family: str,
        clause: str,
        violated: bool,
        trade: Trade,
        seen: list[Seen],
        *,
        pictured: bool = False,
    ) -> Pair:
        crops: tuple[Bgr | None, ...] = (None,) * len(seen)
        if pictured and self.bank is not None:
            bank = self.bank
            crops = tuple(bank.draw(d.label if d.real else None, self.chance) for d in seen)
        texts = self.stray_texts() if self.chance.random() < 0.1 else ()
        codes: tuple[Code, ...] = self.stray_codes() if self.chance.random() < 0.03 else ()
        context = Context(
            inspected_on=date(2026, 1, 1) + timedelta(days=self.chance.randrange(700))
        )
        evidence = Evidence(
            product=self.chance.choice(trade["products"]),
            defects=detections(seen, self.chance),
            texts=texts,
            codes=codes,
            context=context,
            facts=derived_facts(texts=texts, codes=codes, context=context),
            crops_bgr=crops,
        )
        return Pair(
            evidence=evidence,
            clause=clause,
            violated=violated,
            family=family,
            real=tuple(d.real for d in seen),
        )


def hits(about: Subject, found: Sequence[Seen]) -> int:
    return sum(about.counts(d.label) for d in found)
