"""Parts made up for a check: near its limits, so that some pass and some fail.

They show an engineer what a reading means, and tell whether two checks say the same.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from inspector.checks import (
    ANY,
    Atom,
    Check,
    CodeCheck,
    CodesCheck,
    DateCheck,
    DefectCheck,
    EqualCheck,
    FormatCheck,
    MeasureCheck,
    Moment,
    MomentCheck,
    PrintCheck,
    Size,
    Source,
    TextCheck,
    atoms,
)
from inspector.domain import (
    Clause,
    Context,
    Detection,
    Evidence,
    Outcome,
    TextLine,
)
from inspector.example_codes import NOWHERE, CodeIngredients, made_up_codes, value
from inspector.standard import World, says
from inspector.standard.dates import day_in, shifted

TODAY = date(2026, 11, 23)
TRIES = 300
LIKELY_TOGETHER = 8  # parts that would keep two checks if these were independent
_FACTORS = (0.4, 0.8, 1.0, 1.0, 1.2, 1.6, 3.0)


@dataclass(slots=True)
class _Ingredients:
    """What the atoms of checks speak of: everything a made-up part may have."""

    labels: set[str] = field(default_factory=set)
    zones: set[str] = field(default_factory=set)
    lengths: set[float] = field(default_factory=set)
    counts: set[int] = field(default_factory=lambda: {0, 1})
    wordings: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)
    ordered: set[str] = field(default_factory=set)
    ordered_days: set[str] = field(default_factory=set)
    days: set[date] = field(default_factory=lambda: {TODAY})
    starts: set[str] = field(default_factory=set)
    codes: CodeIngredients = field(default_factory=CodeIngredients)


def made_up(checks: Sequence[Check], chance: random.Random) -> Iterator[Evidence]:
    """Yield parts without end, each with some of what `checks` speak of."""
    found = _spoken_of(checks)
    while True:
        yield _part(found, chance)


def _spoken_of(checks: Sequence[Check]) -> _Ingredients:
    found = _Ingredients()
    for check in checks:
        for atom in atoms(check):
            _gather(atom, found)
    return found


def passing_and_failing(check: Check) -> tuple[Evidence | None, Evidence | None]:
    """Return a part that conforms and one that does not, the plainest found; None: none was."""
    chance = random.Random(0)
    found: dict[Outcome, Evidence] = {}
    parts = made_up([check], chance)
    for _ in range(TRIES):
        part = next(parts)
        outcome = says(check, part).outcome
        if outcome not in found or _weight(part) < _weight(found[outcome]):
            found[outcome] = part
    return found.get(Outcome.CONFORMS), found.get(Outcome.VIOLATED)


def contradiction(written: Check, read: Check) -> Evidence | None:
    """Return a made-up part of which two checks say the opposite, None where none was found.

    `written` is the check of an engineer, who names labels and fields as the station records them;
    `read` has the words of the clause. The parts are as a station would record them.
    """
    found = _as_recorded(_spoken_of([written]), _spoken_of([read]), written)
    if found is None:
        return None
    chance = random.Random(0)
    world = World(sure_at=0.0, missing="fail", zones=tuple(sorted(found.zones)))
    for _ in range(TRIES):
        part = _part(found, chance)
        outcomes = {says(check, part, world).outcome for check in (written, read)}
        if outcomes == {Outcome.CONFORMS, Outcome.VIOLATED}:
            return part
    return None


def _as_recorded(own: _Ingredients, read: _Ingredients, written: Check) -> _Ingredients | None:
    """Return what a station's parts may have; None where the two cannot be compared.

    That a print stands in a field of some name only the recipe's patterns tell.
    """
    for known, words in ((own.fields, read.fields), (own.dates, read.dates)):
        if known and {_plain(name) for name in words} - {_plain(name) for name in known}:
            return None
    if isinstance(written, TextCheck | DateCheck) and read.wordings:
        return None
    named = isinstance(written, CodeCheck) and not written.symbologies
    return _Ingredients(
        labels=own.labels or read.labels,
        zones=own.zones | read.zones,
        lengths=own.lengths | read.lengths,
        counts=own.counts | read.counts,
        wordings=own.wordings | read.wordings,
        fields=own.fields or read.fields,
        dates=own.dates or read.dates,
        ordered=own.ordered | read.ordered,
        ordered_days=own.ordered_days | read.ordered_days,
        days=own.days | read.days,
        starts=own.starts | read.starts,
        codes=_codes_as_recorded(own.codes, read.codes, named=named),
    )


def _codes_as_recorded(
    own: CodeIngredients, read: CodeIngredients, *, named: bool
) -> CodeIngredients:
    """Return the codes of both checks, of the symbologies of the one that names them."""
    first, second = (read, own) if named else (own, read)
    return replace(own.together(read), symbologies=first.symbologies or second.symbologies)


def _plain(name: str) -> str:
    return name.replace("_", " ").casefold()


def irreconcilable(one: Check, other: Check) -> bool:
    """Return whether made-up parts keep each of two checks, often enough, but never both.

    Of checks that have nothing to do with each other many parts would keep both.
    """
    parts = made_up([one, other], random.Random(0))
    of_one = of_other = 0
    for _ in range(TRIES):
        part = next(parts)
        keeps_one, keeps_other = (
            says(check, part).outcome is Outcome.CONFORMS for check in (one, other)
        )
        if keeps_one and keeps_other:
            return False
        of_one, of_other = of_one + keeps_one, of_other + keeps_other
    return of_one * of_other >= LIKELY_TOGETHER * TRIES


def contradictory(clauses: Sequence[Clause]) -> list[tuple[str, str]]:
    """Return the ids of clauses, two by two, whose checks no made-up part keeps together."""
    checked = [(clause.id, clause.check) for clause in clauses if clause.check is not None]
    return [
        (name, other_name)
        for (name, check), (other_name, other) in itertools.combinations(checked, 2)
        if irreconcilable(check, other)
    ]


def part_in_words(evidence: Evidence) -> str:
    """Return what a made-up part has, for a list of examples."""
    said = []
    for defect in evidence.defects:
        size = "" if defect.width_mm is None else f" {defect.width_mm:g} × {defect.height_mm:g} mm"
        said.append(f"{defect.label}{size}{f' in {defect.zone}' if defect.zone else ''}")
    said += [f"printed '{text.text}'" for text in evidence.texts]
    said += [f"{code.symbology} '{code.text}'" for code in evidence.codes]
    ordered = [f"{key} {value}" for key, value in evidence.context.expected.items()]
    if ordered and (evidence.texts or evidence.codes):
        said.append(f"ordered {', '.join(ordered)}")
    return "; ".join(said) or "nothing found"


def _weight(part: Evidence) -> int:
    return 10 * (len(part.defects) + len(part.texts) + len(part.codes)) + sum(
        defect.zone is not None for defect in part.defects
    )


# --- what checks speak of ---------------------------------------------------------------------


def _gather(check: Atom, found: _Ingredients) -> None:
    match check:
        case MeasureCheck():
            found.labels.update(w for w in (*check.subjects, *check.exceptions) if w != ANY)
            found.zones.update((*check.inside, *check.outside))
            _gather_sizes(check.sizes, found)
            if check.measure in ("defects", "kinds"):
                found.counts.add(int(check.limit))
            elif check.limit:
                found.lengths.add(check.limit**0.5 if check.measure == "area" else check.limit / 2)
        case DefectCheck():
            found.labels.update(label for label in check.labels if label != ANY)
            found.zones.update(z for z in (check.inside, check.outside) if z is not None)
            found.counts.add(check.at_most)
            found.lengths.update(
                x for x in (check.larger_than_mm, check.total_at_most_mm) if x is not None
            )
        case PrintCheck():
            found.counts.add(min(3, int(check.limit)))
            (found.fields if check.sought == "field" else found.wordings).update(check.words)
            if check.starts is not None:
                found.starts.add(check.starts)
        case TextCheck() | DateCheck():
            (found.dates if isinstance(check, DateCheck) else found.fields).add(check.field)
        case CodesCheck():
            found.codes.add_check(check)
        case CodeCheck():
            found.codes.add_words(check.symbologies or [ANY])
            found.fields.update([check.equals] if check.equals else [])
        case EqualCheck():
            _gather_source(check.left, found)
            _gather_source(check.right, found)
        case MomentCheck():
            for moment in (check.left, check.right):
                _gather_moment(moment, found)
        case FormatCheck():
            found.dates.add(check.field)


def _gather_sizes(sizes: Sequence[Size], found: _Ingredients) -> None:
    for size in sizes:
        if size.measure == "area":
            found.lengths.add(size.limit**0.5)
        elif size.measure not in ("confidence", "characters"):
            found.lengths.add(size.limit)


def _gather_source(source: Source, found: _Ingredients) -> None:
    match source.kind:
        case "field":
            found.fields.add(source.name)
        case "order" if source.name:
            found.ordered.add(source.name)
        case "code" | "element":
            found.codes.add_source(source)
        case "literal":
            found.starts.add(source.name)
            found.codes.contents.add(source.name)


def _gather_moment(moment: Moment, found: _Ingredients) -> None:
    match moment.kind:
        case "field":
            found.dates.add(moment.name)
        case "element":
            found.codes.add_source(moment)
        case "order":
            found.ordered_days.add(moment.name or "expiry")
    base = day_in(moment.name) if moment.kind == "day" else None
    limit = shifted(base or TODAY, moment)
    found.days.update(limit + timedelta(days=n) for n in (-40, -1, 0, 1, 40))


# --- parts ------------------------------------------------------------------------------------


def _part(found: _Ingredients, chance: random.Random) -> Evidence:
    days = sorted(found.days)
    expected = _expected(found, days, chance)
    fields = _fields(found, expected, chance)
    texts = [*_wordings(found, chance), *fields, *_dates(found, expected, chance)]
    printed = {line.field: line.text for line in fields if line.field is not None}
    codes = made_up_codes(found.codes, values=expected | printed, days=days, chance=chance)
    return Evidence(
        product="part",
        defects=_defects(found, chance),
        texts=tuple(texts),
        codes=tuple(codes),
        context=Context(inspected_on=TODAY, expected=expected),
    )


def _expected(found: _Ingredients, days: Sequence[date], chance: random.Random) -> dict[str, str]:
    """Return the work order; now and then all its values are one, so that fields can agree."""
    names = sorted(found.fields | found.ordered)
    one = value(names[0], days, chance) if names and chance.random() < 0.3 else None
    expected = {name: one or value(name, days, chance) for name in names}
    return expected | {name: chance.choice(days).isoformat() for name in sorted(found.ordered_days)}


def _defects(found: _Ingredients, chance: random.Random) -> tuple[Detection, ...]:
    of_print = found.wordings or found.fields or found.dates or found.codes.symbologies
    if of_print and not (found.labels or found.lengths or found.zones):
        return ()
    labels = sorted(found.labels) or ["defect"]
    zones: list[str | None] = [None, *sorted(found.zones)]
    lengths = sorted(found.lengths) or [1.0]
    near = chance.choice(sorted(found.counts))
    count = max(0, near + chance.choice((-1, 0, 0, 1, 2)))
    defects = []
    for _ in range(min(count, 40)):
        long = round(chance.choice(lengths) * chance.choice(_FACTORS), 3)
        short = round(long * chance.choice((0.3, 0.7, 1.0)), 3)
        sides = (long, short) if chance.random() < 0.5 else (short, long)
        defects.append(
            Detection(
                label=chance.choice(labels),
                confidence=round(chance.uniform(0.55, 0.99), 2),
                box=NOWHERE,
                width_mm=sides[0],
                height_mm=sides[1],
                zone=chance.choice(zones),
            )
        )
    return tuple(defects)


def _line(text: str, name: str | None = None) -> TextLine:
    return TextLine(text=text, confidence=0.95, box=NOWHERE, field=name)


def _wordings(found: _Ingredients, chance: random.Random) -> list[TextLine]:
    return [_line(w) for w in sorted(found.wordings) if chance.random() < 0.5]


def _fields(found: _Ingredients, expected: dict[str, str], chance: random.Random) -> list[TextLine]:
    lines = []
    for name in sorted(found.fields):
        luck = chance.random()
        if luck < 0.5:
            lines.append(_line(expected[name], name))
        elif luck < 0.75:
            prefix = chance.choice(sorted(found.starts)) if found.starts else ""
            rest = (
                "" if prefix and chance.random() < 0.4 else value(name, sorted(found.days), chance)
            )
            lines.append(_line(prefix + rest, name))
    return lines


def _dates(found: _Ingredients, expected: dict[str, str], chance: random.Random) -> list[TextLine]:
    days = [day.isoformat() for day in sorted(found.days)]
    return [
        _line(expected[name] if name in expected and chance.random() < 0.5 else chance.choice(days),
              name)
        for name in sorted(found.dates)
        if chance.random() < 0.85
    ]  # fmt: skip
