"""Checks of codes: which must be there, which must not, how often, and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from inspector.checks import ANY, CodesCheck, Moment, Source
from inspector.domain import CheckResult, Code, Evidence, Reason
from inspector.standard import gs1, phrases
from inspector.standard.across import folded
from inspector.standard.counting import Found, counted
from inspector.standard.phrases import quoted
from inspector.standard.world import World, compared, refs, result
from inspector.symbologies import (
    MATRIX,
    is_any_code,
    symbologies_named,
    symbology_key,
    symbology_kind,
)


def check_codes(wanted: CodesCheck, evidence: Evidence, world: World) -> CheckResult:
    """Return what the codes of `evidence` say of a check."""
    meant = {
        i: is_meant
        for i, code in enumerate(evidence.codes)
        if (is_meant := _is_meant(wanted, code)) is not False
    }
    fitting = [i for i in meant if _has_content(wanted, evidence.codes[i])]
    other = [i for i in meant if i not in fitting]
    if wanted.each and other:
        return _one_is_otherwise(wanted, evidence, other, sure=[i for i in other if meant[i]])
    one, many = _in_words(wanted)
    return counted(
        wanted.comparison, wanted.limit, world, reason=Reason.CODE_UNREADABLE,
        found=Found(
            kind="code", sure=[(i,) for i in fitting if meant[i]],
            possible=[(i,) for i in fitting], one=one, many=many,
            shown=[in_words(evidence.codes[i]) for i in fitting],
            sure_if="surely of that kind",
        ),
    )  # fmt: skip


def _one_is_otherwise(
    wanted: CodesCheck, evidence: Evidence, other: Sequence[int], *, sure: Sequence[int]
) -> CheckResult:
    one, _ = _in_words(wanted)
    index = (sure or other)[0]
    doubt = "" if sure else ", nobody knows whether it should be"
    return result(
        False if sure else None,
        f"{in_words(evidence.codes[index])} is no {one}{doubt}; every one is required to be.",
        refs("code", [index]),
        reason=Reason.CODE_UNREADABLE,
    )


def in_words(code: Code) -> str:
    """Return how a statement names a code: by its symbology and content."""
    return f"{quoted(code.symbology)} {quoted(code.text)}"


def _in_words(wanted: CodesCheck) -> tuple[str, str]:
    """Return what is sought, for one of it and for several."""
    named = None if ANY in wanted.symbologies else phrases.listed(wanted.symbologies)
    what = f" other than {phrases.listed(wanted.exceptions)}" if wanted.exceptions else ""
    what += f" containing {quoted(wanted.contains)}" if wanted.contains is not None else ""
    what += f" beginning with {quoted(wanted.starts)}" if wanted.starts is not None else ""
    what += f" with the GS1 element ({wanted.element})" if wanted.element is not None else ""
    what += " with a right check digit" if wanted.valid else ""
    what += "".join(f" {phrases.limited(size)}" for size in wanted.sizes)
    return (named or "code") + what, (named or "codes") + what


def _is_meant(wanted: CodesCheck, code: Code) -> bool | None:
    """Return whether a code is of the symbologies asked for; None: nobody knows."""
    meant = _any(is_symbology(code, words) for words in wanted.symbologies)
    taken_out = _any(is_symbology(code, words) for words in wanted.exceptions)
    if meant is False or taken_out is True:
        return False
    return None if taken_out is None else meant


def _any(answers: Iterable[bool | None]) -> bool | None:
    found = set(answers)
    return True if True in found else None if None in found else False


def is_symbology(code: Code, words: str) -> bool | None:
    """Return whether `words` ("QR code", "matrix code", "bar code") mean a code of this kind.

    None where they are no words for codes that are known here: "customer code".
    """
    if words in ("", ANY) or is_any_code(words):
        return True
    if named := symbologies_named(words):
        return symbology_key(code.symbology) in named
    if re.sub(r"[^a-z]", "", words.lower()) == "matrix":
        return symbology_kind(code.symbology) == MATRIX
    own = symbology_key(re.sub(r"\s*(bar)?codes?$", "", words, flags=re.IGNORECASE))
    return True if symbology_key(code.symbology) == own else None


def _has_content(wanted: CodesCheck, code: Code) -> bool:
    text = code.text.strip()
    if wanted.contains is not None and folded(wanted.contains) not in folded(text):
        return False
    if wanted.starts is not None and not text.lower().startswith(wanted.starts.lower()):
        return False
    if wanted.element is not None and gs1.element(text, wanted.element) is None:
        return False
    if wanted.valid and not gs1.is_check_digit_right(text):
        return False
    return all(compared(len(text), s.comparison, s.limit) for s in wanted.sizes)


def holding(wanted: Source | Moment, evidence: Evidence) -> list[tuple[int, str]]:
    """Return the codes that hold a GS1 element, with its value."""
    return [
        (i, value)
        for i, code in enumerate(evidence.codes)
        if _any(is_symbology(code, words) for words in wanted.symbologies or (ANY,))
        and (value := gs1.element(code.text, wanted.name)) is not None
    ]


def element_in_words(wanted: Source | Moment) -> str:
    """Return how a statement names a GS1 element."""
    place = f" in {phrases.listed(wanted.symbologies)}" if wanted.symbologies else ""
    return f"GS1 element ({wanted.name}){place}"
