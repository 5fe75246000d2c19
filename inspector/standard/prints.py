"""Checks of print and codes: what must be there, what must not, and how often.

What must be there may have escaped the reader; what must not be there counts as it was read. So
"exactly one" is one at least, which must be read, and one at most, of what was read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inspector.checks import ANY, CodesCheck, Comparison, PrintCheck, Size
from inspector.domain import CheckResult, Code, Evidence, Reason, TextLine
from inspector.standard import fields, gs1, names, phrases
from inspector.standard.across import folded, lines_across
from inspector.standard.languages import is_in_language, states_unit
from inspector.standard.likeness import is_within
from inspector.standard.phrases import quoted
from inspector.standard.usual import says_as_usual, without_mark
from inspector.standard.world import Amount, World, absent, compared, refs, result
from inspector.symbologies import MATRIX, symbologies_named, symbology_key, symbology_kind

SHORT = 5  # shorter words are looked for as whole words: CE is not in PIECE
SHOWN_AT_MOST = 3

_DENIED = re.compile(
    r"(?<![^\W_])(?:non|not|no|nicht|kein|keine|without|un)[\s_-]*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What matches: items that count, sure or not; where one counts, all its lines are cited."""

    kind: Literal["text", "code"]
    sure: Sequence[tuple[int, ...]]
    possible: Sequence[tuple[int, ...]]
    one: str
    many: str
    shown: Sequence[str]


def check_print(wanted: PrintCheck, evidence: Evidence, world: World) -> CheckResult:
    """Return what the print of `evidence` says of a check."""
    if wanted.sought == "product":
        found = _naming(evidence)
    else:
        found = [
            (i,)
            for i in _matching(wanted, evidence)
            if evidence.texts[i].text.strip() and _fits(wanted, evidence.texts[i])
        ]
    if not found and wanted.sought == "wording":
        found = _across(wanted, evidence)
    usual = _in_other_words(wanted, evidence, found)
    found = [*found, *usual]
    sure = [
        lines
        for lines in found
        if all(evidence.texts[i].confidence >= world.read_at for i in lines)
        and (world.closed or lines not in usual)
    ]
    one, many = _in_words(wanted)
    shown = [" ".join(evidence.texts[i].text for i in lines) for lines in found]
    return _counted(
        wanted.comparison, wanted.limit, world, reason=Reason.TEXT_UNREADABLE,
        found=_Found(
            kind="text", sure=sure, possible=found, one=one, many=many,
            shown=[quoted(text) for text in shown],
        ),
    )  # fmt: skip


def check_codes(wanted: CodesCheck, evidence: Evidence, world: World) -> CheckResult:
    """Return what the codes of `evidence` say of a check."""
    found = [
        (i,)
        for i, code in enumerate(evidence.codes)
        if any(is_symbology(code, words) for words in wanted.symbologies)
        and _has_content(wanted, code)
    ]
    named = None if ANY in wanted.symbologies else phrases.listed(wanted.symbologies)
    what = f" containing {quoted(wanted.contains)}" if wanted.contains is not None else ""
    what += f" beginning with {quoted(wanted.starts)}" if wanted.starts is not None else ""
    what += f" with the GS1 element ({wanted.element})" if wanted.element is not None else ""
    what += " with a right check digit" if wanted.valid else ""
    what += "".join(f" {phrases.limited(size)}" for size in wanted.sizes)
    codes = [evidence.codes[i] for (i,) in found]
    return _counted(
        wanted.comparison, wanted.limit, world, reason=Reason.CODE_UNREADABLE,
        found=_Found(
            kind="code", sure=found, possible=found,
            one=(named or "code") + what, many=(named or "codes") + what,
            shown=[f"{quoted(code.symbology)} {quoted(code.text)}" for code in codes],
        ),
    )  # fmt: skip


def is_symbology(code: Code, words: str) -> bool:
    """Return whether `words` ("QR code", "matrix code", "bar code") mean a code of this kind."""
    if words in ("", ANY):
        return True
    if named := symbologies_named(words):
        return symbology_key(code.symbology) in named
    plain = re.sub(r"[^a-z]", "", words.lower())
    if plain == "matrix":
        return symbology_kind(code.symbology) == MATRIX
    general = re.fullmatch(r"(machine|readable|bar|scan\w*|optical|data)*(code|symbol)s?", plain)
    return general is not None or symbology_key(code.symbology) == symbology_key(
        re.sub(r"\s*(bar)?codes?$", "", words, flags=re.IGNORECASE)
    )


def _counted(
    comparison: Comparison, limit: float, world: World, *, found: _Found, reason: Reason
) -> CheckResult:
    sure, possible = len(found.sure), len(found.possible)
    enough: Comparison = ">" if comparison == ">" else ">="
    needs = comparison in (">=", ">") or (comparison == "=" and limit > 0)
    lacks = needs and not compared(sure, enough, limit)
    most = float(possible)
    if lacks:
        most = math.inf if world.missing == "hold" else float(sure)
    holds = Amount(least=sure, most=most).meets(comparison, limit)
    if lacks and not possible:
        return absent(f"no {found.one} was read", world, reason=reason)
    said = [_read_in_words(found)]
    if sure < possible:
        said.append(f"{sure or 'none'} of them with a confidence of {world.read_at:g} or more")
    said_limit = phrases.count_limit(comparison, limit, each=None)
    cited = found.possible if holds is None else found.sure
    if holds is False:
        fewest = math.ceil(limit) if comparison == "<" else int(limit) + 1
        cited = () if lacks else found.sure[:fewest]
    return result(
        holds,
        f"{', '.join(said)}; {said_limit}.",
        refs(found.kind, dict.fromkeys(i for items in cited for i in items)),
        reason=reason,
    )


def _read_in_words(found: _Found) -> str:
    number = len(found.possible)
    if not number:
        return f"No {found.one} was read"
    shown = ", ".join(found.shown[:SHOWN_AT_MOST])
    more = f" and {number - SHOWN_AT_MOST} more" if number > SHOWN_AT_MOST else ""
    what = phrases.plural(number, found.one, found.many)
    return f"{number} {what} {phrases.plural(number, 'was', 'were')} read: {shown}{more}"


# --- print ------------------------------------------------------------------------------------


def _matching(wanted: PrintCheck, evidence: Evidence) -> list[int]:
    lines = evidence.texts
    match wanted.sought:
        case "any":
            return list(range(len(lines)))
        case "field":
            found = {
                i
                for words in wanted.words
                for i in fields.lines_of(words, evidence, read_at=0, of_any_form=True)
            }
            return sorted(found)
        case "wording":
            return [
                i
                for i, line in enumerate(lines)
                if any(
                    _says(line.text, same, wanted)
                    for word in wanted.words
                    for same in {word, word if wanted.exact else without_mark(word)}
                )
            ]
        case "language":
            return [
                i
                for i, line in enumerate(lines)
                if any(is_in_language(line.text, word) for word in wanted.words)
            ]
        case "unit":
            return [
                i
                for i, line in enumerate(lines)
                if any(states_unit(line.text, word) for word in wanted.words)
            ]
    raise ValueError(f"expected something sought in single lines, got {wanted.sought!r}")


def _naming(evidence: Evidence) -> list[tuple[int, ...]]:
    """Return the lines that together say the name of the product."""
    lines = [folded(line.text) for line in evidence.texts]
    places = [
        next((i for i, line in enumerate(lines) if folded(word) in line), None)
        for word in names.telling_words(evidence.product)
    ]
    found = {i for i in places if i is not None}
    return [tuple(sorted(found))] if places and None not in places else []


def _fits(wanted: PrintCheck, line: TextLine) -> bool:
    value = fields.value_of(line, wanted.words[0]) if wanted.sought == "field" else line.text
    if wanted.starts is not None and not folded(value).startswith(folded(wanted.starts)):
        return False
    return all(_has(size, value, line.confidence) for size in wanted.sizes)


def _has(size: Size, value: str, confidence: float) -> bool:
    measured = confidence if size.measure == "confidence" else len(re.sub(r"\s", "", value))
    return compared(measured, size.comparison, size.limit)


def _says(text: str, word: str, wanted: PrintCheck) -> bool:
    if wanted.exact:
        return word in text
    plain, sought = folded(text), folded(word)
    if not sought:
        return word.strip() in text
    if wanted.edits:
        return is_within(sought, plain, wanted.edits)
    letters = r"[\W_]*".join(map(re.escape, sought))
    if len(sought) <= SHORT:
        letters = rf"(?<![^\W_]){letters}(?![^\W_])"
    return any(
        not _DENIED.search(text[: match.start()])
        for match in re.finditer(letters, text, re.IGNORECASE)
    )


def _across(wanted: PrintCheck, evidence: Evidence) -> list[tuple[int, ...]]:
    """Return the lines over which a wording runs."""
    if wanted.exact or wanted.edits:
        return []
    lines = [line.text for line in evidence.texts]
    found = (lines_across(word, lines) for word in wanted.words if len(folded(word)) > SHORT)
    return [lines for lines in found if lines][:1]


def _in_other_words(
    wanted: PrintCheck, evidence: Evidence, found: Sequence[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Return the lines that say a wording as it is said too; on a station a person looks."""
    if wanted.sought != "wording" or wanted.exact or wanted.edits:
        return []
    known = {i for lines in found for i in lines}
    return [
        (i,)
        for i, line in enumerate(evidence.texts)
        if i not in known
        and any(says_as_usual(line.text, word) for word in wanted.words)
        and _fits(wanted, line)
    ]


def _in_words(wanted: PrintCheck) -> tuple[str, str]:
    """Return what is sought, for one of it and for several."""
    named = phrases.listed(wanted.words)
    match wanted.sought:
        case "any":
            what = ("line of print", "lines of print")
        case "product":
            what = ("line with the product's name", "lines with the product's name")
        case "wording":
            exactly = "exactly " if wanted.exact else ""
            what = (f"line with {exactly}{named}", f"lines with {exactly}{named}")
        case "field":
            what = (named, named)
        case "language":
            what = (f"line in {named}", f"lines in {named}")
        case "unit":
            what = (f"line with a quantity in {named}", f"lines with a quantity in {named}")
    rest = f" beginning with {quoted(wanted.starts)}" if wanted.starts is not None else ""
    rest += "".join(f" {phrases.limited(size)}" for size in wanted.sizes)
    if wanted.edits:
        rest += f" give or take {wanted.edits} {phrases.plural(wanted.edits, 'character')}"
    return what[0] + rest, what[1] + rest


# --- codes ------------------------------------------------------------------------------------


def _has_content(wanted: CodesCheck, code: Code) -> bool:
    text = code.text.strip()
    if wanted.contains is not None and folded(wanted.contains) not in folded(text):
        return False
    if wanted.starts is not None and not text.lower().startswith(wanted.starts.lower()):
        return False
    if wanted.element is not None and wanted.element not in gs1.elements(text):
        return False
    if wanted.valid and not gs1.is_check_digit_right(text):
        return False
    return all(compared(len(text), s.comparison, s.limit) for s in wanted.sizes)
