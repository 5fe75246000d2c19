"""Checks of defects: how many match, of how many kinds, and what their sizes add up to.

Fewer defects never break a check of these that is a prohibition: one that compares with `<`, `<=`
or `= 0`. `at least`, `more than` and `exactly n` ask for defects to be there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from inspector.checks import MeasureCheck, Size
from inspector.domain import CheckResult, Detection, Evidence, EvidenceRef
from inspector.ontology import folded_label
from inspector.standard import names, phrases
from inspector.standard.places import (
    Places,
    is_whole_part,
    leading_place,
    lies_in,
    trailing_place,
)
from inspector.standard.world import Amount, World, compared, refs, result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Defects that are counted together: those that surely match, and those that may.

    `possible` has the sure ones too. `name` is the kind or zone that `each` tells apart.
    `unplaced` are those of which nobody knows whether they lie where the clause says.
    """

    name: str | None = None
    sure: list[int] = field(default_factory=list)
    possible: list[int] = field(default_factory=list)
    unplaced: set[int] = field(default_factory=set)


def check_measure(wanted: MeasureCheck, evidence: Evidence, world: World) -> CheckResult:
    """Return what the defects of `evidence` say of a check; the worst kind or zone decides."""
    groups = _groups(wanted, evidence, _matching(wanted, evidence, world))
    answers = [
        (group, _amount(wanted, evidence, group).meets(wanted.comparison, wanted.limit))
        for group in groups
    ]
    for group, meets in answers:
        if meets is False:
            return result(
                False,
                _statement(wanted, evidence, group),
                _sufficient(wanted, evidence, group.sure),
            )
    for group, meets in answers:
        if meets is None:
            statement = _statement(wanted, evidence, group)
            return result(None, statement, refs("defect", group.possible))
    everything = _Group(
        sure=sorted(i for group in groups for i in group.sure),
        possible=sorted(i for group in groups for i in group.possible),
        unplaced={i for group in groups for i in group.unplaced},
    )
    return result(True, _statement(wanted, evidence, everything), refs("defect", everything.sure))


def _matching(wanted: MeasureCheck, evidence: Evidence, world: World) -> _Group:
    places = Places(
        evidence.product,
        zones=None if world.closed else world.zones,
        found_in=[defect.zone for defect in evidence.defects],
        prohibits=wanted.comparison in ("<", "<=") or (wanted.comparison, wanted.limit) == ("=", 0),
    )
    found = _Group()
    kinds: dict[tuple[str, str | None], tuple[bool | None, bool | None]] = {}
    for index, defect in enumerate(evidence.defects):
        kind = (defect.label, defect.zone)
        if kind not in kinds:
            kinds[kind] = (
                _is_subject(wanted, defect, evidence, world=world, places=places),
                places.includes(defect.zone, inside=wanted.inside, outside=wanted.outside),
            )
        answers = [*kinds[kind], *(_has_size(size, defect) for size in wanted.sizes)]
        if False in answers:
            continue
        found.possible.append(index)
        if defect.zone is None or kinds[kind][1] is None:
            found.unplaced.add(index)
        if None not in answers and defect.confidence >= world.sure_at:
            found.sure.append(index)
    return found


def _is_subject(
    wanted: MeasureCheck, defect: Detection, evidence: Evidence, *, world: World, places: Places
) -> bool | None:
    product = evidence.product
    meant = [
        _is_meant(defect, words, product, places=places, world=world) for words in wanted.subjects
    ]
    spared = [_is_spared(defect, words, product, places=places) for words in wanted.exceptions]
    if True in spared or not (True in meant or None in meant):
        return False
    return True if True in meant and (world.closed or None not in spared) else None


def _is_meant(
    defect: Detection, words: str, product: str, *, places: Places, world: World
) -> bool | None:
    """Return whether a defect is what `words` name; "solder on the contacts" lies there too.

    A label that nobody can place: a person looks, on a station; in a case it is another defect.
    """
    found = names.is_meant(defect.label, words, product, terms=world.terms)
    found = False if found is None and world.closed else found
    placed = trailing_place(words)
    if placed is None or folded_label(placed[1]) in folded_label(defect.label):
        return found
    thing, where = placed
    if names.is_meant(defect.label, thing, product, terms=world.terms) is not True:
        return found
    if found is not True and not world.closed and not places.knows(where):
        return found
    if names.is_term_of_its_own(defect.label, words, thing, product=product, terms=world.terms):
        return True
    return not places.is_elsewhere(defect.zone, where)


def _is_spared(defect: Detection, words: str, product: str, *, places: Places) -> bool | None:
    """Return whether an exception names a defect; "corner chips" are only those in a corner.

    Without guesses: a wrong one would permit what nobody permitted.
    """
    found = names.is_meant(defect.label, words, product)
    placed = leading_place(words)
    if found is not True or placed is None or is_whole_part(placed[1], product):
        return found
    where = placed[1]
    if folded_label(where) in folded_label(defect.label) or lies_in(
        defect.zone, where, product=product
    ):
        return True
    return False if places.knows(where) else None


def _has_size(size: Size, defect: Detection) -> bool | None:
    value = defect.confidence if size.measure == "confidence" else _size(defect, size.measure)
    return None if value is None else compared(value, size.comparison, size.limit)


def _size(defect: Detection, measure: str) -> float | None:
    match measure:
        case "width":
            return defect.width_mm
        case "height":
            return defect.height_mm
        case "area" if defect.width_mm is None or defect.height_mm is None:
            return None
        case "area":
            return (defect.width_mm or 0) * (defect.height_mm or 0)
    return defect.longest_mm


def _groups(wanted: MeasureCheck, evidence: Evidence, found: _Group) -> list[_Group]:
    if wanted.each is None:
        return [found]
    parts: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    sure = set(found.sure)
    for index in found.possible:
        defect = evidence.defects[index]
        part = parts[defect.label if wanted.each == "kind" else defect.zone or ""]
        part[1].append(index)
        if index in sure:
            part[0].append(index)
    return [
        _Group(name=name, sure=part[0], possible=part[1], unplaced=found.unplaced)
        for name, part in sorted(parts.items())
    ] or [_Group()]


def _amount(wanted: MeasureCheck, evidence: Evidence, group: _Group) -> Amount:
    parts = (group.sure, group.possible)
    match wanted.measure:
        case "defects":
            return Amount(least=len(group.sure), most=len(group.possible))
        case "kinds":
            kinds = [len({evidence.defects[i].label for i in part}) for part in parts]
            return Amount(least=kinds[0], most=kinds[1])
    sums = []
    for part in parts:
        sizes = [_size(evidence.defects[i], wanted.measure) for i in part]
        sums.append((sum(s for s in sizes if s is not None), None in sizes))
    unknown = sums[0][1] or sums[1][1]
    return Amount(least=sums[0][0], most=float("inf") if unknown else sums[1][0])


def _sufficient(
    wanted: MeasureCheck, evidence: Evidence, sure: Sequence[int]
) -> tuple[EvidenceRef, ...]:
    """Return the fewest defects that already break the check; none where something is missing."""
    if wanted.comparison in (">=", ">"):
        return ()
    if wanted.measure in ("defects", "kinds"):
        order = sorted(sure, key=lambda i: (-evidence.defects[i].confidence, i))
    else:
        order = sorted(sure, key=lambda i: -(_size(evidence.defects[i], wanted.measure) or 0))
    chosen: list[int] = []
    kinds: set[str] = set()
    for index in order:
        if wanted.measure == "kinds" and evidence.defects[index].label in kinds:
            continue
        chosen.append(index)
        kinds.add(evidence.defects[index].label)
        amount = _amount(wanted, evidence, _Group(sure=chosen, possible=chosen))
        comparison = "<=" if wanted.comparison == "=" else wanted.comparison
        if amount.meets(comparison, wanted.limit) is False:
            return refs("defect", sorted(chosen))
    return ()  # fewer than exactly that many: what is missing, the statement says


# --- statements -------------------------------------------------------------------------------


def _statement(wanted: MeasureCheck, evidence: Evidence, group: _Group) -> str:
    """Return what was found and the limit.

    The clause's place is said of what was found only where it is known to lie there; else it stands
    with the limit, beside the zones that were measured.
    """
    place = phrases.placed(inside=wanted.inside, outside=wanted.outside)
    is_known = group.unplaced.isdisjoint(group.possible)
    said_of_found, said_of_limit = (place, "") if is_known else ("", place)
    return f"{_found(wanted, evidence, group, said_of_found)}; {_limit(wanted)}{said_of_limit}."


def _limit(wanted: MeasureCheck) -> str:
    match wanted.measure:
        case "defects":
            return phrases.count_limit(wanted.comparison, wanted.limit, each=wanted.each)
        case "kinds":
            return phrases.count_limit(wanted.comparison, wanted.limit, "kind", each=wanted.each)
    return phrases.sum_limit(wanted.comparison, wanted.limit, _unit(wanted), each=wanted.each)


def _unit(wanted: MeasureCheck) -> str:
    return "mm²" if wanted.measure == "area" else "mm"


def _found(wanted: MeasureCheck, evidence: Evidence, group: _Group, place: str) -> str:
    """Return what was found, measured as the check measures it."""
    number = len(group.possible)
    what = phrases.subject(wanted.subjects, number or 1)
    what += f" other than {phrases.listed(wanted.exceptions)}" if wanted.exceptions else ""
    what += " and".join(f" {phrases.limited(size)}" for size in wanted.sizes)
    what += place
    if not number:
        return f"No {what} found"
    defects = [evidence.defects[i] for i in group.possible]
    said = [f"{number} {what} found{_of_group(wanted, group)}"]
    labels = sorted({defect.label for defect in defects})
    if sorted(wanted.subjects) != labels and labels != ["defect"]:
        said[0] += f" ({phrases.listed(labels).replace(' or ', ' and ')})"
    said += _zones(wanted, defects)
    said += _measured(wanted, defects)
    if len(group.sure) < number:
        said.append(f"{len(group.sure) or 'none'} of them sure")
    return ", ".join(said)


def _of_group(wanted: MeasureCheck, group: _Group) -> str:
    if wanted.each is None or group.name is None:
        return ""
    if wanted.each == "kind":
        return f" of the kind {phrases.quoted(group.name)}"
    return f" in the zone {phrases.quoted(group.name)}" if group.name else " in no zone"


def _zones(wanted: MeasureCheck, defects: Sequence[Detection]) -> list[str]:
    """Return the zones of what was found, where the clause names a place otherwise."""
    asked = {*wanted.inside, *wanted.outside}
    if not asked and not any(map(trailing_place, wanted.subjects)):
        return []
    known = sorted({defect.zone for defect in defects if defect.zone is not None} - asked)
    said = [f"zone {phrases.listed(known).replace(' or ', ' and ')}"] if known else []
    unknown = sum(defect.zone is None for defect in defects)
    if unknown:
        said.append(f"{'' if unknown == len(defects) else f'{unknown} '}in no known zone")
    return said


def _measured(wanted: MeasureCheck, defects: Sequence[Detection]) -> list[str]:
    if wanted.measure == "kinds":
        kinds = len({defect.label for defect in defects})
        return [f"{kinds} {phrases.plural(kinds, 'kind')}"]
    side = next((s.measure for s in wanted.sizes if s.measure in ("width", "height", "area")), "")
    measure = side if wanted.measure == "defects" else wanted.measure
    sizes = [_size(defect, measure or "longest") for defect in defects]
    known = [size for size in sizes if size is not None]
    if any(size.measure == "confidence" for size in wanted.sizes):
        surest = max(defect.confidence for defect in defects)
        return [f"the surest with {phrases.plain(surest)}"]
    unknown = f"{len(sizes) - len(known) if known else 'all'} of unknown size"
    said = [unknown] if len(known) < len(sizes) and (wanted.sizes or measure) else []
    if not known:
        return said
    unit = "mm²" if measure == "area" else "mm"
    if wanted.measure != "defects":
        return [f"{phrases.plain(sum(known))} {unit} together", *said]
    most = {"width": "widest", "height": "tallest"}.get(measure, "largest")
    return [f"{most} {phrases.plain(max(known))} {unit}", *said]
