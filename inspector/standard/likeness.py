"""How alike two texts are: by changes of characters (Levenshtein, 1966), and by their letters."""

from __future__ import annotations

LONGEST = 400
# Cyrillic and Greek letters that look like Latin ones (Unicode UTS #39, confusables).
_LOOKS_LIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТХУаеѕіјорсухԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧνορ", "ABESIJKMHOPCTXYaesijopcyxdqwABEZHIKMNOPTYXvop"
)


def latin(text: str) -> str:
    """Return `text` with each letter as the Latin one that it looks like."""
    return text.translate(_LOOKS_LIKE)


def is_within(sought: str, text: str, edits: int) -> bool:
    """Return whether `sought` occurs in `text` with at most `edits` changes (Sellers, 1980)."""
    row = [0] * (min(len(text), LONGEST) + 1)
    for i, wanted in enumerate(sought[:LONGEST], start=1):
        previous, row[0] = row[0], i
        for j, found in enumerate(text[:LONGEST], start=1):
            step = min(row[j] + 1, row[j - 1] + 1, previous + (wanted != found))
            previous, row[j] = row[j], step
    return min(row) <= edits


def is_alike(one: str, other: str, edits: int) -> bool:
    """Return whether two texts differ by at most `edits` changes."""
    row = list(range(len(other) + 1))
    for i, x in enumerate(one[:LONGEST], start=1):
        previous, row[0] = row[0], i
        for j, y in enumerate(other[:LONGEST], start=1):
            step = min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
            previous, row[j] = row[j], step
    return row[-1] <= edits
