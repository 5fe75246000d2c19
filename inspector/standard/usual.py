"""Wordings that pack print says in several usual ways, by the standards for signs on packs.

"Single use", "use only once" and "do not re-use" are one sign (ISO 15223-1, 5.4.2); so are the
handling marks of ISO 780 and their words in other languages.
"""

from __future__ import annotations

import re

from inspector.standard import field_forms as forms

_SAME = tuple(
    (re.compile(wording, re.IGNORECASE), re.compile(print_, re.IGNORECASE))
    for wording, print_ in (
        (r"(?:for |to be )?(?:single[- ]use|one[- ]time use|use once)(?: only)?|do not re-?use|"
         r"disposable", forms.SINGLE_USE),
        (r"(?:contents? )?sterile(?: contents?)?", forms.STERILE),
        (r"keep dry|protect from (?:moisture|humidity|water|wet)", forms.KEEP_DRY),
        (r"(?:keep )?(?:out of|away from)(?: the)?(?: reach of)? children", forms.NO_CHILDREN),
        (r"(?:protect|keep away) from (?:direct )?(?:sun)?light", forms.NO_LIGHT),
        (r"fragile|handle with care|fragile,? handle with care", forms.FRAGILE),
        (r"this (?:way|side|end) up", forms.UPWARD),
    )
)  # fmt: skip
_NOTIFIED_BODY = re.compile(r"notified body\D*(\d{4})", re.IGNORECASE)
_NAMED_MARK = re.compile(r"([A-Z0-9]{2,6}) (?:mark|marking|sign|symbol|logo)")


def says_as_usual(text: str, wording: str) -> bool:
    """Return whether a line says a wording in other words that are usual for the same thing."""
    if match := _NOTIFIED_BODY.fullmatch(wording.strip()):
        return re.search(rf"(?<![A-Za-z])CE\W{{0,3}}{match[1]}(?!\d)", text) is not None
    return any(
        same.fullmatch(wording.strip()) and said.search(text) is not None for same, said in _SAME
    )


def without_mark(wording: str) -> str:
    """Return the letters of a mark that a clause calls so: "CE mark" is printed as "CE"."""
    match = _NAMED_MARK.fullmatch(wording.strip())
    return match[1] if match else wording
