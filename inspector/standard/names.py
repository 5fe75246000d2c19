"""Which labels, zones, fields and ordered values the words of a clause mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from inspector.checks import ANY
from inspector.domain import Evidence, TextLine
from inspector.ontology import TermGraph, folded_label, load_ontology, stems

# --- defects ----------------------------------------------------------------------------------


@lru_cache(maxsize=65536)
def is_meant(
    label: str, words: str, product: str = "", *, terms: TermGraph | None = None
) -> bool | None:
    """Return whether a detector's `label` is among what `words` name; None: nobody knows."""
    if words == ANY or folded_label(label) == folded_label(words):
        return True
    graph = terms or load_ontology()
    found = graph.falls_under(label, words, trade=graph.trade_of(product) if product else None)
    if found is True:
        return True
    own, wanted = stems(label.replace("_", " ")), stems(words)
    if _STATE.search(words) and len(own) > len(wanted) and own[: len(wanted)] == wanted:
        return True  # "bent": a "bent pin" is, whatever else a bend of the whole part is called
    if found is None and own and wanted and (set(wanted) <= set(own) or set(own) <= set(wanted)):
        return True
    return found


# A word that says how a thing is, not what it is: the thing of the label does not matter.
_STATE = re.compile(
    r"(?:ed|en|y|\b(?:bent|torn|cut|split|worn|burnt|lost|loose|blunt|dull|missing))$",
    re.IGNORECASE,
)


# --- zones ------------------------------------------------------------------------------------

_VAGUE = frozenset(
    "area zone region surface section field side face part portion range location place position"
    .split()
)  # fmt: skip
_ARTICLES = frozenset("the of in on at and to its entire whole complete".split())
_WHOLE = frozenset(
    "part product unit piece item surface component article workpiece specimen".split()
)
_SAME_PLACE = {
    "top": "upper", "bottom": "lower", "underside": "lower", "center": "centre",
    "central": "centre", "middle": "centre", "rear": "back", "reverse": "back", "border": "margin",
    "barcode": "code", "sealing": "seal", "bonding": "bond", "printed": "print",
}  # fmt: skip


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
    if rest := telling - _place(_head(product))[0]:
        telling = rest
    if all_ == own_all or telling == own:
        return True
    return bool(telling) and telling <= own_all and not all(len(w) == 1 for w in telling)


class Places:
    """Which defects of one part lie in the places that a clause names.

    `zones` are all zones of the recipe, None where nobody knows them: then those that the part's
    own defects lie in stand for them.
    """

    def __init__(self, evidence: Evidence, *, zones: tuple[str, ...] | None) -> None:
        self._product = evidence.product
        self._are_known = zones is not None
        self._zones = {d.zone for d in evidence.defects} if zones is None else set(zones)
        self._everywhere: dict[str, bool | None] = {}

    def includes(
        self, zone: str | None, *, inside: Sequence[str], outside: Sequence[str]
    ) -> bool | None:
        """Return whether `zone` is one of `inside`, where given, and none of `outside`.

        None where the clause names a place that is no zone of the recipe: nobody knows.
        """
        within = [self._holds(zone, words) for words in inside]
        without = [self._holds(zone, words) for words in outside]
        if True in without or (within and not (True in within or None in within)):
            return False
        return None if None in without or (within and True not in within) else True

    def _holds(self, zone: str | None, words: str) -> bool | None:
        if words not in self._everywhere:
            self._everywhere[words] = self._holds_everywhere(words)
        everywhere = self._everywhere[words]
        return lies_in(zone, words, product=self._product) if everywhere is False else everywhere

    def _holds_everywhere(self, words: str) -> bool | None:
        """Return whether `words` name no zone but the part itself: "on the lens" of a lens."""
        all_, _ = _place(words)
        product, _ = _place(_head(self._product))
        is_part = bool(all_) and (all_ <= _WHOLE or all_ <= product)
        if is_part and not any(lies_in(zone, words) for zone in self._zones):
            return True
        named = any(lies_in(zone, words, product=self._product) for zone in self._zones)
        return None if self._are_known and not named else False


# --- printed fields and ordered values --------------------------------------------------------

_FIELDS = tuple(
    (key, re.compile(names, re.IGNORECASE), re.compile(caption, re.IGNORECASE))
    for key, names, caption in (
        ("expiry", r"expir|\bexp\b|best.?before|\bbbe?d?\b|use.?by|sell.?by|shelf|durab|valid|mhd",
         r"(?:exp\w*|best\W*before(?:\W*end)?|bbe?|use\W*by|sell\W*by|mhd|valid\w*(?:\W*(?:until|to))?)"),
        ("made", r"manufact\w* date|date of (?:manufact|prod|pack|fill)|\bmfg|\bmfd|production|"
         r"manufacture\b|pack(?:ed|ing|aging)\b.*(?:date|on)|packed|\bfilling|\bmade\b|prod\b|^pkd",
         r"(?:mfg|mfd|man(?:uf\w*)?|prod\w*|packed(?:\W*on)?|pkd|made(?:\W*on)?|filled)"),
        ("date_code", r"date code|week code|week|date_code", r"(?:dc|d/c|date\W*code|kw|wk|week)"),
        ("lot", r"\b(?:lot|batch|charge)\b", r"(?:lot|batch|charge|ch\W*b|l(?=[\s:.]))"),
        ("serial", r"serial|\bs/?n\b|\bser\b", r"(?:serial|ser|s/?n)"),
        ("gtin", r"\bgtin|\bean\b|trade item|\bupc", r"(?:gtin|ean|upc)"),
        ("sscc", r"sscc|shipping container", r"sscc"),
        ("revision", r"revision|\brev\b|version|index", r"(?:rev\w*|version|ver|index)"),
        ("order", r"\b(?:order|job)\b", r"(?:order|job|po|wo|p/o)"),
        ("part_number",
         r"\b(?:part|article|item|material|catalog\w*|reference|type|model|drawing|product|stock)\b"
         r".*\b(?:number|no|nr|code|id)\b|part_number|\bp/?n\b|\bref\b|\bsku\b|reference|article|^part$",
         r"(?:part|art(?:icle)?|item|ref|p/?n|cat|mat|model|type|sku|stock)"),
        ("weight", r"weight|net (?:quantity|content)|quantity|contents?|volume", r"(?:net|wt|e)"),
    )
)  # fmt: skip


@lru_cache(maxsize=16384)
def field_key(words: str) -> str:
    """Return one name for all words of a field: "batch code" and "LOT" are `lot`."""
    text = words.replace("_", " ").strip()
    if re.search(r"customer", text, re.IGNORECASE):
        return " ".join(stems(text))
    for key, names, _ in _FIELDS:
        if names.search(text) or key == words:
            return key
    return " ".join(w for w in stems(text) if w not in ("number", "no", "nr", "code", "the"))


def lines_of(words: str, evidence: Evidence, *, read_at: float) -> list[int]:
    """Return the lines of print of the field that `words` name.

    A line whose field is not known counts by its caption: "LOT A231".
    """
    key = field_key(words)
    found = [
        i
        for i, line in enumerate(evidence.texts)
        if line.field is not None and field_key(line.field) == key
    ]
    if not found:
        found = [
            i
            for i, line in enumerate(evidence.texts)
            if line.field is None and _has_caption(line.text, key)
        ]
    return [i for i in found if evidence.texts[i].confidence >= read_at]


def _caption(key: str) -> re.Pattern[str] | None:
    return next((caption for known, _, caption in _FIELDS if known == key), None)


def _has_caption(text: str, key: str) -> bool:
    caption = _caption(key)
    if caption is None:
        words = key.split()
        return bool(words) and set(words) <= set(stems(text))
    return re.search(rf"(?<!\w){caption.pattern}(?![a-z])", text, re.IGNORECASE) is not None


def value_of(line: TextLine, words: str) -> str:
    """Return what a line says beside its caption."""
    caption = _caption(field_key(words))
    if caption is None:
        _, colon, rest = line.text.partition(":")
        return rest.strip() if colon and rest.strip() else line.text.strip()
    pattern = rf"^\W*{caption.pattern}(?![a-z])(?:\s*(?:number|code|date|no|nr))?[\s.:#°-]*"
    rest = re.sub(pattern, "", line.text, flags=re.IGNORECASE).strip()
    return rest or line.text.strip()


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
    name = _head(product)
    found = [w for w in re.findall(r"[^\W\d_]{3,}", name.lower()) if w not in _PACKS]
    return found or re.findall(r"[^\W_]{2,}", name.lower())


def _head(product: str) -> str:
    """Return a product's name without what comes after it: whoever wrote that gives no orders."""
    return re.split(r"[,;:.()]", product)[0]


_PACKS = frozenset(
    "bottle jar can pack package pouch box carton label tray cup tube bag sachet vial ampoule pcs "
    "blister sleeve lid the for with and unit part piece left right clear small large".split()
)
