"""The check of defects that a standard's file writes key by key: labels and zones are exact names.

It is a prohibition: fewer defects never break it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inspector.checks import ANY, DefectCheck, Size
from inspector.domain import CheckResult, Detection, Evidence, EvidenceRef
from inspector.standard import phrases
from inspector.standard.world import World, compared, refs, result


def check_defects(wanted: DefectCheck, evidence: Evidence, world: World) -> CheckResult:
    """Return whether no more, or no longer, defects of exact labels were found than allowed."""
    matching = {
        index: matches
        for index, defect in enumerate(evidence.defects)
        if (matches := _matches(wanted, defect)) is not False
    }
    possible = list(matching)
    sure = [i for i in possible if matching[i] and evidence.defects[i].confidence >= world.sure_at]
    statement = f"{_found_in_words(wanted, evidence, sure=sure, possible=possible)}."
    if _amount(wanted, evidence, sure).least_exceeds(wanted):
        return result(False, statement, _sufficient(wanted, evidence, sure))
    if _amount(wanted, evidence, possible).most_exceeds(wanted):
        return result(None, statement, refs("defect", possible))
    return result(True, statement, refs("defect", sure))


def _matches(wanted: DefectCheck, defect: Detection) -> bool | None:
    """Return whether the check counts `defect`; None where its size is not known."""
    if ANY not in wanted.labels and defect.label not in wanted.labels:
        return False
    zone = wanted.inside or wanted.outside
    if zone is not None and (defect.zone == zone) is not (wanted.inside is not None):
        return False
    if wanted.larger_than_mm is None:
        return True
    size = _size_mm(wanted, defect)
    return None if size is None else compared(size, ">", wanted.larger_than_mm)


def _size_mm(wanted: DefectCheck, defect: Detection) -> float | None:
    match wanted.measure:
        case "longest":
            return defect.longest_mm
        case "width":
            return defect.width_mm
        case "height":
            return defect.height_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class _Amount:
    """How many defects there are, their known sizes together, and whether some are unknown."""

    count: int
    known_mm: float
    is_partial: bool

    def least_exceeds(self, wanted: DefectCheck) -> bool:
        if wanted.total_at_most_mm is None:
            return self.count > wanted.at_most
        return compared(self.known_mm, ">", wanted.total_at_most_mm)

    def most_exceeds(self, wanted: DefectCheck) -> bool:
        unknown = wanted.total_at_most_mm is not None and self.is_partial
        return unknown or self.least_exceeds(wanted)


def _amount(wanted: DefectCheck, evidence: Evidence, found: Sequence[int]) -> _Amount:
    sizes = [_size_mm(wanted, evidence.defects[i]) for i in found]
    known = [size for size in sizes if size is not None]
    return _Amount(count=len(sizes), known_mm=sum(known), is_partial=len(known) < len(sizes))


def _sufficient(
    wanted: DefectCheck, evidence: Evidence, sure: Sequence[int]
) -> tuple[EvidenceRef, ...]:
    """Return the fewest, most certain defects that already exceed the limit."""
    if wanted.total_at_most_mm is None:
        order = sorted(sure, key=lambda i: (-evidence.defects[i].confidence, i))
    else:
        order = sorted(sure, key=lambda i: -(_size_mm(wanted, evidence.defects[i]) or 0))
    chosen: list[int] = []
    for index in order:
        chosen.append(index)
        if _amount(wanted, evidence, chosen).least_exceeds(wanted):
            break
    return refs("defect", sorted(chosen))


def _found_in_words(
    wanted: DefectCheck, evidence: Evidence, *, sure: Sequence[int], possible: Sequence[int]
) -> str:
    number = len(possible)
    what = phrases.subject(wanted.labels, number or 1)
    if wanted.larger_than_mm is not None:
        over = Size(measure=wanted.measure, comparison=">", limit=wanted.larger_than_mm)
        what += f" {phrases.limited(over)}"
    what += phrases.placed(
        inside=[wanted.inside] if wanted.inside else [],
        outside=[wanted.outside] if wanted.outside else [],
    )
    limit = _limit_in_words(wanted)
    if not number:
        return f"No {what} found; {limit}"
    said = [f"{number} {what} found"]
    labels = sorted({evidence.defects[i].label for i in possible})
    if sorted(wanted.labels) != labels and labels != ["defect"]:
        said[0] += f" ({phrases.listed(labels).replace(' or ', ' and ')})"
    sizes = [_size_mm(wanted, evidence.defects[i]) for i in possible]
    known = [size for size in sizes if size is not None]
    if known and wanted.total_at_most_mm is not None:
        said.append(f"{phrases.plain(sum(known))} mm together")
    elif known:
        most = {"longest": "largest", "width": "widest", "height": "tallest"}[wanted.measure]
        said.append(f"{most} {phrases.plain(max(known))} mm")
    is_measured = wanted.larger_than_mm is not None or wanted.total_at_most_mm is not None
    if is_measured and len(known) < number:
        said.append(f"{number - len(known) if known else 'all'} of unknown size")
    if len(sure) < number:
        said.append(f"{len(sure) or 'none'} of them sure")
    return f"{', '.join(said)}; {limit}"


def _limit_in_words(wanted: DefectCheck) -> str:
    if wanted.total_at_most_mm is not None:
        return phrases.sum_limit("<=", wanted.total_at_most_mm, "mm", each=None)
    return phrases.count_limit("<=", wanted.at_most, each=None)
