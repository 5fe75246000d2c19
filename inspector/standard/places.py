"""Which defects lie in the places that a clause names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from inspector.ontology import stems

_VAGUE = frozenset(
    "area zone region surface section field side face part portion range location place position"
    .split()
)  # fmt: skip
_ARTICLES = frozenset("the of in on at and to its entire whole complete".split())
_WHOLE = frozenset(
    "part product unit piece item surface component article workpiece specimen".split()
)
# What is said of a whole part without telling a place of it: "in a filled vial".
_STATES = frozenset(
    "filled unfilled finished empty assembled packed packaged wrapped new ready single individual "
    "delivered outgoing".split()
)
# What a part is made of names no place of it: the "film" of a bag is all of it.
_STUFF = frozenset("film foil sheet cloth fabric material substrate web".split())
_SAME_PLACE = {
    "top": "upper", "bottom": "lower", "underside": "lower", "center": "centre",
    "central": "centre", "middle": "centre", "rear": "back", "reverse": "back", "border": "margin",
    "barcode": "code", "sealing": "seal", "bonding": "bond", "printed": "print",
}  # fmt: skip
# Words that lead a name with where it is: "corner chips" are chips in a corner.
_LEADING = re.compile(
    r"(?:the\s+)?(corner|edge|rim|border|margin|seam|seal|surface|side|top|bottom|base|neck|"
    r"shoulder|lip|hem|collar|centre|center|rear|front|back|inner|outer|inside|outside)s?[\s-]+"
    r"(\S.*)",
    re.IGNORECASE,
)
_PLACED = re.compile(
    r"(\S.*?)\s+(?:on|in|at|inside|within|along|near)\s+(?:the\s+|an?\s+|its\s+|their\s+)?(\S.*)",
    re.IGNORECASE,
)


@lru_cache(maxsize=16384)
def _place(words: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return all words of a place, and those that tell it from others."""
    found = [_SAME_PLACE.get(w, w) for w in stems(words.replace("_", " ").replace("-", " "))]
    all_ = frozenset(w for w in found if w not in _ARTICLES)
    telling = frozenset(w for w in all_ if w not in _VAGUE)
    return all_, telling or all_


def lies_in(zone: str | None, words: str, *, product: str = "") -> bool:
    """Return whether `zone` is the place that `words` name.

    "rim" is also the "outer rim"; the "substrate edge" of a substrate is its "edge".
    """
    if zone is None:
        return False
    (all_, telling), (own_all, own) = _place(words), _place(zone)
    if rest := telling - _place(head_of(product))[0]:
        telling = rest
    if all_ == own_all or telling == own:
        return True
    return bool(telling) and telling <= own_all and not all(len(w) == 1 for w in telling)


def head_of(product: str) -> str:
    """Return a product's name without what comes after it: whoever wrote that gives no orders."""
    return re.split(r"[,;:.()]", product)[0]


@lru_cache(maxsize=4096)
def is_whole_part(words: str, product: str) -> bool:
    """Return whether `words` name no place of a part but the part: "on the lens" of a lens.

    So do "in a filled vial" of a vial and "the bag film" of a bag. The "printed area of the
    board" is a place; so is what a product's name only mentions: "can, with lid".
    """
    all_, _ = _place(words)
    own = _place(head_of(product))[0]
    if all_ and (all_ <= _WHOLE or all_ <= own):
        return True
    if all_ & (_VAGUE - _WHOLE):
        return False
    rest = all_ - _WHOLE - _STATES
    if rest & own:
        rest -= _STUFF
    parts = [_place(part)[0] for part in re.split(r"[,;:()]", product) if part.strip()]
    return bool(rest) and (
        rest <= own or any(part and part <= rest <= own | part for part in parts)
    )


def leading_place(words: str) -> tuple[str, str] | None:
    """Return what "corner chips" or "chips in a corner" names, and where: "chips", "corner"."""
    if match := _PLACED.fullmatch(words):
        return match[1], match[2]
    if match := _LEADING.fullmatch(words):
        return match[2], match[1]
    return None


def trailing_place(words: str) -> tuple[str, str] | None:
    """Return what "solder on the gold fingers" names, and where."""
    match = _PLACED.fullmatch(words)
    return (match[1], match[2]) if match else None


class Places:
    """Which defects of one part lie in the places that a clause names.

    `zones` are all zones of the recipe, None where nobody knows them: then those that the part's
    own defects lie in stand for them, and a defect of no zone may lie anywhere. `prohibits` says
    that what is counted counts against the part: there, whatever may lie in a place does.
    """

    def __init__(
        self,
        product: str,
        *,
        zones: Sequence[str] | None,
        found_in: Sequence[str | None],
        prohibits: bool,
    ) -> None:
        self._product = product
        self._recipe = None if zones is None else tuple(zones)
        self._zones = set(found_in) - {None} if zones is None else set(zones)
        self._supposed = True if prohibits else None

    def includes(
        self, zone: str | None, *, inside: Sequence[str], outside: Sequence[str]
    ) -> bool | None:
        """Return whether `zone` is one of `inside`, where given, and none of `outside`.

        None where the clause names a place that is no zone of the recipe: nobody knows. Nobody
        knows either what lies outside a place that is the whole part.
        """
        within = [self._holds(zone, words) for words in inside]
        without = [self._leaves_out(zone, words) for words in outside]
        if True in without or (within and not (True in within or None in within)):
            return False
        return None if None in without or (within and True not in within) else True

    def knows(self, words: str) -> bool:
        """Return whether `words` name a zone of the recipe."""
        return any(lies_in(zone, words, product=self._product) for zone in self._recipe or ())

    def is_elsewhere(self, zone: str | None, words: str) -> bool:
        """Return whether `zone` is surely another place than `words`."""
        if lies_in(zone, words, product=self._product) or is_whole_part(words, self._product):
            return False
        return zone is not None if self._recipe is None else self.knows(words)

    def _holds(self, zone: str | None, words: str) -> bool | None:
        if lies_in(zone, words, product=self._product):
            return True
        if self._names_zone(words):
            return self._if_nowhere(zone)
        if is_whole_part(words, self._product):
            return True if _is_exactly(words, self._product) else self._supposed
        return None if self._recipe is not None else self._if_nowhere(zone)

    def _if_nowhere(self, zone: str | None) -> bool | None:
        """Return what is to be supposed of a zone that is not the place: a station knows it all."""
        return self._supposed if zone is None and self._recipe is None else False

    def _leaves_out(self, zone: str | None, words: str) -> bool | None:
        if lies_in(zone, words, product=self._product):
            return True
        if self._names_zone(words):
            return False
        if is_whole_part(words, self._product) or self._recipe is not None:
            return None
        return False

    def _names_zone(self, words: str) -> bool:
        if is_whole_part(words, self._product):
            return any(lies_in(zone, words) for zone in self._zones)
        return any(lies_in(zone, words, product=self._product) for zone in self._zones)


def _is_exactly(words: str, product: str) -> bool:
    all_, _ = _place(words)
    return all_ <= _WHOLE or all_ <= _place(head_of(product))[0]
