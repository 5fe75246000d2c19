"""Which labels and ordered values the words of a clause mean; what tells a product."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from inspector.checks import ANY
from inspector.ontology import TermGraph, folded_label, load_ontology, stems
from inspector.standard.fields import field_key
from inspector.standard.places import head_of

# --- defects ----------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def is_meant(
    label: str, words: str, product: str = "", *, terms: TermGraph | None = None
) -> bool | None:
    """Return whether a detector's `label` is among what `words` name; None: nobody knows."""
    if words == ANY or folded_label(label) == folded_label(words):
        return True
    graph = terms or load_ontology()
    trade = graph.trade_of(product) if product else None
    found = graph.falls_under(label, words, trade=trade)
    if found is True:
        return True
    own, wanted = stems(label.replace("_", " ")), stems(words)
    if _STATE.search(words) and len(own) > len(wanted) and own[: len(wanted)] == wanted:
        return True  # "bent": a "bent pin" is, whatever else a bend of the whole part is called
    if found is False and trade is not None and _is_kind_of(own, wanted):
        # another trade's word for another thing stands in nobody's way
        return not graph.has_word(words, trade=trade)
    if found is None and own and wanted and (set(wanted) <= set(own) or set(own) <= set(wanted)):
        return True
    return found


def _is_kind_of(own: list[str], wanted: list[str]) -> bool:
    """Return whether a label is the noun that is asked for, told more closely: a "print speck"."""
    return len(wanted) == 1 and own[-1:] == wanted and own[0] not in _NO_SUCH


_NO_SUCH = frozenset("missing absent lacking no wrong blocked".split())


def is_term_of_its_own(
    label: str, words: str, thing: str, *, product: str, terms: TermGraph | None = None
) -> bool:
    """Return whether `words` as a whole name what `label` is: a "void in the copper" is a kind.

    "Solder on the contacts" is `thing` and a place instead.
    """
    graph = terms or load_ontology()
    trade = graph.trade_of(product) if product else None
    if graph.falls_under(label, words, trade=trade) is not True:
        return False
    return graph.named(words, trade=trade) != graph.named(thing, trade=trade)


# A word that says how a thing is, not what it is: the thing of the label does not matter.
_STATE = re.compile(
    r"(?:ed|en|y|\b(?:bent|torn|cut|split|worn|burnt|lost|loose|blunt|dull|missing))$",
    re.IGNORECASE,
)


# --- ordered values and products -------------------------------------------------------------


def ordered(words: str, expected: Mapping[str, str]) -> str | None:
    """Return the value of the work order that `words` name; the only one where they name none."""
    given = {key: value.strip() for key, value in expected.items() if value.strip()}
    for same in (_is_spelt_alike, _is_same_field):
        for key, value in given.items():
            if same(key, words):
                return value
    return next(iter(given.values())) if not words and len(given) == 1 else None


def _is_spelt_alike(key: str, words: str) -> bool:
    return set(stems(key.replace("_", " "))) == set(stems(words))


def _is_same_field(key: str, words: str) -> bool:
    return field_key(key) == field_key(words)


def telling_words(product: str) -> list[str]:
    """Return the words of a product's name that its label would say."""
    name = head_of(product)
    found = [w for w in re.findall(r"[^\W\d_]{3,}", name.lower()) if w not in _PACKS]
    return found or re.findall(r"[^\W_]{2,}", name.lower())


_PACKS = frozenset(
    "bottle jar can pack package pouch box carton label tray cup tube bag sachet vial ampoule pcs "
    "blister sleeve lid the for with and unit part piece left right clear small large".split()
)
