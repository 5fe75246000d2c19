"""GS1 application identifiers by the words for them (GS1 General Specifications, section 3.2)."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?:(?<![^\W_])|(?<=AI))\d{2,4}(?![^\W_nxy])", re.IGNORECASE)
_NAMED = tuple(
    (re.compile(pattern, re.IGNORECASE), identifier)
    for pattern, identifier in (
        (r"\bsscc|shipping container", "00"),
        (r"\bgtin|\bean\b|trade item", "01"),
        (r"\b(?:lot|batch|charge)\b", "10"),
        (r"serial|\bs/?n\b", "21"),
        (r"customer.*\bpart\b", "241"),
        (r"best.?before|\bbbe?d?\b|durab", "15"),
        (r"sell.?by", "16"),
        (r"expir|\bexp\b|use.?by|eat.?by|consume", "17"),
        (r"production|manufact|\bmf[gd]\b|\bmade\b", "11"),
        (r"\bpack(?:ed|ing|aging)?\b.*\b(?:date|day|on)\b", "13"),
        (r"\bdue date", "12"),
        (r"\bcount\b|quantity|number of (?:pieces|items|units)", "37"),
    )
)


def identifier_of(words: str) -> str | None:
    """Return the application identifier that `words` give, "AI 17", or name, "expiry date".

    None where they give none, or several.
    """
    numbers = set(_NUMBER.findall(words))
    if numbers:
        return numbers.pop() if len(numbers) == 1 else None
    return next((identifier for pattern, identifier in _NAMED if pattern.search(words)), None)
