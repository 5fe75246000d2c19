"""Words of a phrase made alike: plurals, British spelling, hyphens, inflections, word order.

Nothing here knows a term. Two spellings are the same word when they give the same key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from inspector.ontology.judge_words import stems

LONGEST_RUN = 8
_TOKEN = re.compile(r"(?:[a-z0-9à-ÿ]|[^\W_\x00-\xff])+|[,;:/()&+]|\.(?!\d)")
_ANY_KIND = re.compile(
    r"\b(of|in) (any|every|all|whatever|whichever) (possible )?"
    r"(kind|type|sort|shape|form|size|description|nature|origin|source|cause)s?( what(so)?ever)?\b"
    r"|\bwhat(so)?ever\b|\b(kind|type|sort)s? of\b"
)
_BREAKS = frozenset(", ; : / ( ) & + . and or nor but except excepting than".split())
_ARTICLES = frozenset("a an the any some this that these those its their".split())
_BETWEEN = frozenset("of in on at with to from within inside under along by for".split())
# One word for all of them: "soldering fault" and "soldering flaw" need no line of their own.
_DEFECT = frozenset("fault flaw imperfection anomaly irregularity error problem issue".split())
# Where a defect sits says nothing of what it is: "burnt spot", "burnt place", "burnt area".
_AREA = frozenset("area spot place region section location site patch".split())
_LACKING = frozenset("missing absent lacking".split())
# What a detector tells apart and a clause calls by one word: a "missing capacitor" is a component.
_COMPONENTS = frozenset(
    "capacitor resistor diode inductor transistor thyristor ic chip led crystal coil fuse relay "
    "connector transformer varistor thermistor oscillator mosfet optocoupler potentiometer switch "
    "socket header jumper bga qfn qfp sot regulator microcontroller processor sensor choke ferrite "
    "triac rectifier".split()
)
_SPELLING = (
    ("mould", "mold"), ("fibre", "fiber"), ("centre", "center"),
    ("grey", "gray"), ("aluminium", "aluminum"), ("isation", "ization"), ("ise", "ize"),
    ("ising", "izing"), ("isin", "izin"), ("yse", "yze"),
    ("sulph", "sulf"), ("tyre", "tire"), ("draught", "draft"), ("gauge", "gage"),
    ("disc", "disk"), ("metre", "meter"), ("plough", "plow"), ("storey", "story"),
)  # fmt: skip
# Only past the first syllable: "colour" and "labelled", but no "pour" and no "filled".
_SPELLING_LATE = re.compile(r"(?<=[aeiouy])([^aeiouy]*)(?:(o)u(?=r)|([aeiou]l)l(?=ed|ing))")
_SHORT = re.compile(r"[^aeiouy]*(?:qu)?[aeiouy][^aeiouwxy]")  # "scrap" and "bit"
_OWN_DOUBLE = re.compile(r"[^aeiouy]*(?:qu)?[aeiouy](ll|ss)")  # "fill" and "press"
_IRREGULAR = {
    "broken": "break", "torn": "tear", "burnt": "burn", "bent": "bend", "worn": "wear",
    "bled": "bleed", "rusty": "rust", "dirty": "dirt", "oily": "oil", "dusty": "dust",
    "cloudy": "cloud", "hazy": "haze", "moldy": "mold", "corrode": "corrosion",
    "corroded": "corrosion", "corroding": "corrosion", "erode": "erosion", "eroded": "erosion",
    "abraded": "abrasion", "greasy": "grease", "leaky": "leak", "leakage": "leak",
    "smudgy": "smudge", "patchy": "patch", "streaky": "streak", "blotchy": "blotch",
    "pitted": "pit", "oxidation": "oxide", "oxidize": "oxide", "oxidized": "oxide",
    "tarnished": "tarnish", "porous": "porosity", "knotty": "knot", "warpage": "warp",
    "breakage": "break", "misaligned": "misalignment", "distorted": "distortion",
}  # fmt: skip
_ENDINGS = (("ations", 4), ("ation", 4), ("ated", 5), ("ating", 5), ("ate", 5), ("ions", 4),
            ("ion", 4), ("ing", 3), ("ed", 3))  # fmt: skip
# Ordinary words of clauses that are no inflection of a term: "when checked", "folding carton".
_NEVER_LOOSE = frozenset(
    "opened opening checked checking running folding folded folder holding finding marking marked "
    "setting lined lining seeded shaking lifting placing placed spotting looping bearing printing "
    "printed coating coated sealing sealed welding welded casting molding molded filled filling "
    "sinking bowing dropping tearing ringing rolling rolled lapping cutting stopping banding "
    "machined machining wearing tracking plated plating can cap list listed map drawing laminate "
    "string wing twin tail plug flag reverse block pop jet wind weather sugar powder marble sulfur "
    "telescope popcorn diesel crocodile alligator blue brown green silver yellow tone".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Some words of a phrase, one after another, with the keys they are looked up by.

    `start` and `end` count the chunk's words (end exclusive).
    """

    start: int
    end: int
    strict: tuple[str, ...]
    loose: tuple[str, ...]


@lru_cache(maxsize=8192)
def chunks(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the stems of `text`, cut at commas, brackets and words such as "or".

    Articles are left out; small words such as "of" are kept, because they turn the order round.
    """
    plain = _ANY_KIND.sub(" ", " ".join(text.lower().replace("_", " ").split()))
    found: list[list[str]] = [[]]
    for token in _TOKEN.findall(plain):
        if token in _BREAKS:
            found.append([])
        elif token not in _ARTICLES:
            found[-1].append(token if token in _BETWEEN else _stem(token))
    return tuple(tuple(chunk) for chunk in found if chunk)


@lru_cache(maxsize=8192)
def keys(text: str) -> Run | None:
    """Return the keys of a term as a whole; None where it has no word in it."""
    words = tuple(word for chunk in chunks(text) for word in chunk)
    return _run(words, 0, len(words)) if any(w not in _BETWEEN for w in words) else None


@lru_cache(maxsize=16384)
def runs(chunk: tuple[str, ...], start: int) -> tuple[Run, ...]:
    """Return the runs of a chunk that begin at `start`, the longest first."""
    if chunk[start] in _BETWEEN:
        return ()
    ends = range(min(len(chunk), start + LONGEST_RUN), start, -1)
    return tuple(_run(chunk, start, end) for end in ends if chunk[end - 1] not in _BETWEEN)


def widened(words: Sequence[str]) -> tuple[str, ...]:
    """Return wider words for a label nobody knows: its component as such, or that it is missing."""
    found = []
    if any(word in _COMPONENTS for word in words):
        found.append(" ".join("component" if w in _COMPONENTS else w for w in words))
    if len(words) > 1 and (words[0] in _LACKING or words[-1] in _LACKING):
        found.append("missing part")
    return tuple(found)


def is_small(word: str) -> bool:
    return word in _BETWEEN


def is_area(word: str) -> bool:
    return word in _AREA


def _run(chunk: Sequence[str], start: int, end: int) -> Run:
    words = chunk[start:end]
    plain = [w for w in words if w not in _BETWEEN]
    if len(plain) > 1 and plain[-1] in _AREA:
        plain[-1] = "area"
    orders = [plain]
    if len(words) == 2 or plain[-1] in _LACKING:
        orders.append([plain[-1], *plain[:-1]])  # "cap missing" is a "missing cap"
    turns = [i for i, word in enumerate(words) if word in _BETWEEN]
    if len(turns) == 1 and 0 < turns[0] < len(words) - 1:
        at = turns[0]  # "void in the copper" is a "copper void"
        orders.append([*words[at + 1 :], *words[:at]])
    loose = [] if len(words) == 1 and words[0] in _NEVER_LOOSE else orders
    return Run(
        start=start,
        end=end,
        strict=tuple("".join(order) for order in orders),
        loose=tuple("".join(map(_loose, order)) for order in loose),
    )


@lru_cache(maxsize=8192)
def _stem(word: str) -> str:
    """Return `word` in the singular and in American spelling."""
    stem = "".join(stems(word))
    for british, american in _SPELLING:
        if british in stem and len(stem) >= 4:
            stem = stem.replace(british, american)
    stem = _SPELLING_LATE.sub(r"\1\2\3", stem)
    return "defect" if stem in _DEFECT else stem


@lru_cache(maxsize=8192)
def _loose(stem: str) -> str:
    """Return what "bridge", "bridged" and "bridging" have in common.

    A final e is no ending of a word of one short syllable: "scraped" is of "scrape", "scrapped" of
    "scrap", and a "bit" is no "bite".
    """
    stem = _IRREGULAR.get(stem, stem)
    if stem.endswith("ely"):
        stem = stem.removesuffix("ly")  # "incompletely filled"
    for ending, at_least in _ENDINGS:
        rest = stem.removesuffix(ending)
        if rest == stem or len(rest) < at_least or stem.endswith("eed"):
            continue
        if re.search(r"[aeiouy]", rest):
            if _SHORT.fullmatch(rest):
                return f"{rest}e"
            stem = rest
            break
    if (rest := stem.removesuffix("e")) != stem:
        return stem if len(stem) <= 3 or _SHORT.fullmatch(rest) else rest
    return stem if _OWN_DOUBLE.fullmatch(stem) else re.sub(r"([^aeiou])\1$", r"\1", stem)
