"""The sentence of a clause that the judge decided: what was found, the probability, the limit.

Composed by code from evidence and numbers: nothing is generated on the way to a verdict.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from inspector.domain import Detection, Evidence, EvidenceRef
from inspector.standard.phrases import plain, plural, quoted
from inspector.wording import spoken

KINDS_AT_MOST = 5
INFLUENCES_AT_MOST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """Items of evidence, in words, and P(violated) as measured without them."""

    items: tuple[EvidenceRef, ...]
    words: str
    without: float


def judged(
    evidence: Evidence,
    probability: float,
    *,
    violated: bool | None,
    pass_at: float,
    fail_at: float,
    influences: Sequence[Influence] = (),
) -> str:
    """Return the sentence for a clause that the judge's P(violated) decided."""
    return (
        f"With {found_in_words(evidence)} found, the judge gives a probability of violation of "
        f"{probability:.2f}{_changes(influences)}; {_limit(violated, pass_at, fail_at)}."
    )


def weighed(
    check: str,
    probability: float,
    *,
    violated: bool | None,
    is_opposed: bool,
    pass_at: float,
    fail_at: float,
) -> str:
    """Return the sentence for a check that was read but did not decide alone.

    Either the judge outweighs what the check says (`is_opposed`), or the two leave it open.
    """
    said = "the judge disagrees, and together" if is_opposed else "weighed with the judge,"
    return (
        f"{check.removesuffix('.')}; {said} the probability of violation is {probability:.2f}; "
        f"{_limit(violated, pass_at, fail_at)}."
    )


def _limit(violated: bool | None, pass_at: float, fail_at: float) -> str:
    return {
        True: f"{fail_at:.2f} or more counts as violated",
        False: f"{pass_at:.2f} or less counts as met",
        None: f"between {pass_at:.2f} and {fail_at:.2f} a person decides",
    }[violated]


def objected(rule: str, probability: float, *, influences: Sequence[Influence] = ()) -> str:
    """Return the sentence for a rule that is kept and to which the judge objects."""
    return (
        f"{rule.removesuffix('.')}; the judge objects with a probability of violation of "
        f"{probability:.2f}{_changes(influences)}."
    )


def unsure(evidence: Evidence, probability: float) -> str:
    """Return the sentence for a clause that only detections nobody is sure of would violate."""
    return (
        f"With {found_in_words(evidence)} found, the judge gives a probability of violation of "
        f"{probability:.2f}, but not without the detections that the detector is not sure of; a "
        "person has to look."
    )


def undecidable(why: str, probability: float) -> str:
    """Return the sentence for a clause that no finding can clear."""
    return (
        f"Nothing that was found can show whether this clause is met: {why}; a person decides "
        f"(probability of violation {probability:.2f})."
    )


def found_in_words(evidence: Evidence) -> str:
    """Return what was found of each kind, the most frequent kinds first."""
    by_label: dict[str, list[Detection]] = defaultdict(list)
    for defect in evidence.defects:
        by_label[defect.label].append(defect)
    order = sorted(by_label, key=lambda label: (-len(by_label[label]), label))
    said = [
        f"{len(by_label[label])} {quoted(spoken(label))}{_largest(by_label[label])}"
        for label in order[:KINDS_AT_MOST]
    ]
    if len(order) > KINDS_AT_MOST:
        rest = sum(len(by_label[label]) for label in order[KINDS_AT_MOST:])
        said.append(f"{rest} {plural(rest, 'defect')} of other kinds")
    for number, one in ((len(evidence.texts), "line"), (len(evidence.codes), "code")):
        if number:
            said.append(f"{number} {plural(number, one)}{' of print' if one == 'line' else ''}")
    return " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or "nothing"


def _largest(defects: Sequence[Detection]) -> str:
    known = [size for defect in defects if (size := defect.longest_mm) is not None]
    if not known:
        return ""
    return f" ({'' if len(defects) == 1 else 'largest '}{plain(max(known))} mm)"


def item_in_words(evidence: Evidence, ref: EvidenceRef) -> str:
    """Return one item of evidence as a sentence names it: "the 'spur' of 0.5 mm in 'rim'"."""
    match ref.kind:
        case "defect":
            defect = evidence.defects[ref.index]
            size = f" of {plain(defect.longest_mm)} mm" if defect.longest_mm is not None else ""
            zone = f" in {quoted(spoken(defect.zone))}" if defect.zone else ""
            return f"the {quoted(spoken(defect.label))}{size}{zone}"
        case "text":
            return f"the print {quoted(evidence.texts[ref.index].text)}"
        case "code":
            code = evidence.codes[ref.index]
            return f"the {quoted(code.symbology)} {quoted(code.text)}"
        case "context":
            return "the work order"


def _changes(influences: Sequence[Influence]) -> str:
    said = Counter(f"{one.without:.2f} without {one.words}" for one in influences)
    each = [
        words if times == 1 else f"{words}, one of {times} alike" for words, times in said.items()
    ]
    return f" ({'; '.join(each[:INFLUENCES_AT_MOST])})" if each else ""
