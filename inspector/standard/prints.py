"""Checks of print: what must be there, what must not, and how often."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from unicodedata import normalize

from inspector.checks import PrintCheck, Size
from inspector.domain import CheckResult, Evidence, Reason, TextLine
from inspector.standard import fields, names, phrases
from inspector.standard.across import folded, lines_across
from inspector.standard.counting import Found, counted
from inspector.standard.languages import is_in_language, states_unit
from inspector.standard.likeness import is_within, latin
from inspector.standard.phrases import quoted
from inspector.standard.usual import says_as_usual, without_mark
from inspector.standard.world import World, compared

SHORT = 5  # shorter words are looked for as whole words: CE is not in PIECE

_DENIED = re.compile(
    r"(?<![^\W_])(?:non|not|no|nicht|kein|keine|without|un)[\s_-]*$", re.IGNORECASE
)
_NUMBER = re.compile(
    r"(?<![^\W_])(?:batch|lot|charge|serial|ser|part|art|article|item|order|job|ref|cat|catalogue|"
    r"model|type|drawing|code|id|sample|test|reg)[\s_-]+no[\s_-]*$",
    re.IGNORECASE,
)  # BATCH NO TEST 1: a number, nothing denied


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
    alike = _in_other_letters(wanted, evidence, [*found, *usual])
    found = [*found, *usual, *alike]
    sure = [
        lines
        for lines in found
        if all(evidence.texts[i].confidence >= world.read_at for i in lines)
        and lines not in alike
        and (world.closed or lines not in usual)
    ]
    one, many = _in_words(wanted)
    shown = [" ".join(evidence.texts[i].text for i in lines) for lines in found]
    return counted(
        wanted.comparison, wanted.limit, world, reason=Reason.TEXT_UNREADABLE,
        found=Found(
            kind="text", sure=sure, possible=found, one=one, many=many,
            shown=[quoted(text) for text in shown],
            sure_if=(
                "in its own letters" if alike else f"with a confidence of {world.read_at:g} or more"
            ),
        ),
    )  # fmt: skip


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
    text = normalize("NFKC", text)
    letters = r"[\W_]*".join(map(re.escape, sought))
    if len(sought) <= SHORT:
        letters = rf"(?<![^\W_]){letters}(?![^\W_])"
    return any(
        not _DENIED.search(before) or _NUMBER.search(before)
        for before in (text[: m.start()] for m in re.finditer(letters, text, re.IGNORECASE))
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


def _in_other_letters(
    wanted: PrintCheck, evidence: Evidence, found: Sequence[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Return the lines that say a wording in letters of another script: a person looks."""
    if wanted.sought != "wording" or wanted.exact:
        return []
    known = {i for lines in found for i in lines}
    in_latin = [replace(line, text=latin(line.text)) for line in evidence.texts]
    return [
        (i,)
        for i, line in enumerate(in_latin)
        if i not in known
        and line.text != evidence.texts[i].text
        and any(_says(line.text, latin(word), wanted) for word in wanted.words)
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
