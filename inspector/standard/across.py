"""A wording that is printed over several lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import normalize


def folded(text: str) -> str:
    """Return the letters, digits and `% ° +` of `text` in capitals, full-width ones as usual."""
    return re.sub(r"[^\w%°+]|_", "", normalize("NFKC", text)).upper()


def lines_across(sought: str, lines: Sequence[str]) -> tuple[int, ...]:
    """Return the lines over which `sought` runs, in reading order; none where it does not.

    It begins with a word of one line, may fill whole lines, and ends with a word of another. The
    order of `lines` does not matter: a case has no places, and columns are read as they come.
    """
    wanted = folded(sought)
    words = [[w for part in line.split() if (w := folded(part))] for line in lines]
    dead: set[str] = set()

    def rest_of(rest: str, used: tuple[int, ...]) -> tuple[int, ...]:
        if rest in dead:
            return ()
        free = [i for i in range(len(lines)) if words[i] and i not in used]
        for i in free:
            if any("".join(words[i][:n]) == rest for n in range(1, len(words[i]) + 1)):
                return (*used, i)
        for i in free:
            whole = "".join(words[i])
            if rest.startswith(whole) and (found := rest_of(rest[len(whole) :], (*used, i))):
                return found
        dead.add(rest)
        return ()

    for i, own in enumerate(words):
        for n in range(len(own)):
            start = "".join(own[n:])
            is_part = wanted.startswith(start) and start != wanted
            if is_part and (found := rest_of(wanted[len(start) :], (i,))):
                return found
    return ()
