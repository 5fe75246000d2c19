"""What people write, without the signs that nobody sees: one rule for clauses, names and titles."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """Return `text` with a space for each control sign, and without invisible ones (class Cf).

    Those are joiners, soft hyphens and marks of direction: a clause must ask what it shows.
    """
    seen = (c for c in text if unicodedata.category(c) != "Cf")
    return "".join(c if c.isprintable() else " " for c in seen).strip()
