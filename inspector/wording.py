"""Words of people and of print, made fit for a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inspector.quantities import printed_date
from inspector.standard.across import lines_across

TEXT_CHARACTERS = 60
CLEAR_AT = 0.5  # a line read with less confidence is unclear print


def spoken(name: str) -> str:
    """Return a label, field or zone as words."""
    return name.replace("_", " ").strip()


def folded(text: str) -> str:
    """Return `text` without spaces and in capitals, as printed texts are compared."""
    return re.sub(r"\s+", "", text).upper()


def cleaned(text: str) -> str:
    """Return `text` as one line of printable characters without quotes, cut at 60."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * TEXT_CHARACTERS])
    return " ".join(re.sub(r"[\"'`“”‘’«»;]", " ", printable).split())[:TEXT_CHARACTERS]


def quoted(text: str, at_most: int = TEXT_CHARACTERS) -> str:
    """Return `text` cleaned and in quotes: what is printed can never end its own quotation."""
    return f'"{cleaned(text)[:at_most]}"'


def is_printed(phrase: str, lines: Sequence[str]) -> bool:
    """Return whether one of `lines` says `phrase`, or several of them together."""
    wanted = folded(phrase)
    return any(wanted in folded(line) for line in lines) or bool(lines_across(phrase, lines))


def carries(text: str, value: str) -> bool:
    """Return whether `value` is printed in `text` as whole words, or as the same date."""
    day = printed_date(value)
    return folded(value) in runs(text) or (day is not None and printed_date(text) == day)


def runs(text: str) -> list[str]:
    """Return every run of up to six words of `text`, folded: a value among its captions."""
    words = re.sub(r"[:#]", " ", text).split()[:12]
    runs = ["".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, i + 7)]
    return sorted({folded(run) for run in [*runs, text]})


def same_number(read: str, wanted: str) -> bool:
    """Return whether two contents are equal; leading zeros of a GTIN do not count."""
    if read.isdigit() and wanted.isdigit() and max(len(read), len(wanted)) <= 14:
        return read.zfill(14) == wanted.zfill(14)
    return read == wanted
