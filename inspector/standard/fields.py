"""Which printed lines are the field that a clause names: by the recipe, by caption, by form.

A lot number is known by its caption ("LOT A231"), a phone number by how it looks, a storage
instruction by the words that are usual for it. Captions and words are those of pack print in the
usual languages of Europe.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from inspector.domain import Evidence, TextLine
from inspector.ontology import stems
from inspector.ontology.words import keys
from inspector.standard.field_forms import FORMS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Captioned:
    """A field with a caption: what clauses call it, and what stands before its value."""

    key: str
    names: re.Pattern[str]
    caption: re.Pattern[str]


_CAPTIONED = tuple(
    _Captioned(
        key=key,
        names=re.compile(names, re.IGNORECASE),
        caption=re.compile(caption, re.IGNORECASE),
    )
    for key, names, caption in (
        ("expiry", r"expir|\bexp\b|best.?before|\bbbe?d?\b|use.?by|sell.?by|shelf|durab|valid|mhd",
         r"(?:exp\w*|best\W*before(?:\W*end)?|bbe?|use\W*by|sell\W*by|mhd|valid\w*(?:\W*(?:until|to))?"
         r"|(?:mind\w*\W*)?haltbar(?:\W*bis)?|verw(?:endbar|\.)?\W*bis|zu\W*verbrauchen\W*bis"
         r"|à\W*consommer(?:\W*de\W*préférence)?\W*(?:avant|jusqu)\w*|ddm|dluo|dlc|caducidad|cad(?=[.:])"
         r"|consumir\W*(?:preferentemente\W*)?antes|da\W*consumarsi|scad\w*|ten\W*minste\W*houdbaar"
         r"|tht|tgt|najlepiej\W*spożyć|termin\W*ważności|bäst\W*före|bedst\W*før|skt)"),
        ("made", r"manufact\w* date|date of (?:manufact|prod|pack|fill)|\bmfg|\bmfd|production|"
         r"manufacture\b|pack(?:ed|ing|aging)?\b.*(?:date|week|day|\bon)|packed|\bfilling|\bmade\b|"
         r"prod\b|^pkd",
         r"(?:mfg|mfd|man(?:uf\w*)?|prod\w*|pack(?:ed)?(?:\W*on)?|pkd|made(?!\W*in\b)(?:\W*on)?|filled"
         r"|hergest\w*\W*am|verpackt\W*am|fabriqué\W*le|dom)(?=.*\d)"),
        ("date_code", r"date code|week code|week|date_code|[yj]{2}ww|ww[yj]{2}",
         r"(?:dc|d/c|date\W*code|kw|wk|week)"),
        ("date", r"^(?:the |printed )*(?:date|day|month|year)s?$", r"(?:date|datum)"),
        ("lot", r"\b(?:lot|batch|charge)\b",
         r"(?:lot|batch|charge|ch\W*b|los\W*nr|lote|lotto|partij|šarže|l(?=[\s:.]))"),
        ("serial", r"serial|\bs/?n\b|\bser\b",
         r"(?:serial|ser|s/?n|serien\W*n\w*|n\W*de\W*s[ée]rie|nr\W*seryjny)"),
        ("gtin", r"\bgtin|\bean\b|trade item|\bupc", r"(?:gtin|ean|upc)"),
        ("sscc", r"sscc|shipping container", r"sscc"),
        ("revision", r"revision|\brev\b|version|index", r"(?:rev\w*|version|ver|index)"),
        ("order", r"\b(?:order|job)\b", r"(?:order|job|po|wo|p/o)"),
        ("part_number",
         r"\b(?:part|article|item|material|catalog\w*|reference|type|model|drawing|product|stock)\b"
         r".*\b(?:number|no|nr|code|id)\b|part_number|\bp/?n\b|\bref\b|\bsku\b|reference|article|^part$",
         r"(?:part|art(?:icle)?|item|ref|p/?n|cat|mat|model|type|sku|stock)"),
        ("weight", r"weight|net (?:quantity|content|mass)|nominal (?:quantity|volume)|quantity|"
         r"contents?|volume", r"(?:net|wt|e)"),
    )
)  # fmt: skip
# A "previous lot" is no lot: what tells a value from the one of the part stays in its name.
_QUALIFIERS = frozenset(
    "previous former old earlier prior next following other customer supplier vendor sender "
    "recipient original parent second third competitor".split()
)
_SAYS_NOTHING = frozenset(
    "number no nr code date the mark marking symbol logo sign field printed".split()
)
_FOR_PEOPLE = re.compile(r"\b(?:human|eye)[\s-]*readable\b", re.IGNORECASE)  # what all print is
_ROOTS = {"laid": "lay"}


@lru_cache(maxsize=16384)
def field_key(words: str) -> str:
    """Return one name for all words of a field: "batch code" and "LOT" are `lot`."""
    text = _FOR_PEOPLE.sub("", words.replace("_", " ")).strip() or words.strip()
    qualifiers = sorted(set(stems(text)) & _QUALIFIERS)
    text = " ".join(w for w in re.split(r"\s+", text) if w.lower() not in _QUALIFIERS) or text
    return " ".join([*qualifiers, _plain_key(text, words)])


def _plain_key(text: str, words: str) -> str:
    for form in FORMS:
        if form.names.search(text) or form.key == words:
            return form.key
    for field in _CAPTIONED:
        if field.names.search(text) or field.key == words:
            return field.key
    rest = [w for w in stems(text) if w not in _SAYS_NOTHING and w not in _QUALIFIERS]
    return " ".join(map(_root, rest or stems(text)))


@lru_cache(maxsize=16384)
def _root(word: str) -> str:
    """Return what "laid" and "laying", "sterilised" and "sterilization" have in common."""
    run = keys(word)
    root = (run.loose or run.strict)[0] if run is not None else word
    return _ROOTS.get(root, root)


def lines_of(
    words: str, evidence: Evidence, *, read_at: float, of_any_form: bool = False
) -> list[int]:
    """Return the lines of print of the field that `words` name.

    A line whose field is not known counts by its caption, "LOT A231", and where no line has one,
    or lines `of_any_form` are wanted, by its form, "help@maker.example": beside "Net 450 g", the
    500 g of a product's name do not count. A number in the field's name must stand there.
    """
    key = field_key(words)
    lines = list(enumerate(evidence.texts))
    found = [i for i, line in lines if line.field is not None and field_key(line.field) == key]
    if not found:
        unnamed = [(i, line.text) for i, line in lines if line.field is None]
        found = [i for i, text in unnamed if _has_caption(text, key)]
        if not found or of_any_form:
            found = [i for i, text in unnamed if i in found or _has_form(text, key)]
    numbers = re.findall(r"\d{3,}", words)
    return [
        i
        for i in found
        if evidence.texts[i].confidence >= read_at
        and all(number in evidence.texts[i].text for number in numbers)
    ]


def _caption(key: str) -> re.Pattern[str] | None:
    return next((field.caption for field in _CAPTIONED if field.key == key), None)


def captions(text: str, key: str) -> list[tuple[int, int]]:
    """Return where the captions of a field begin and end in a line."""
    caption = _caption(key)
    if caption is None:
        return []
    found = re.finditer(rf"(?<!\w){caption.pattern}(?![a-z])", text, re.IGNORECASE)
    return [match.span() for match in found]


def own_part(text: str, words: str) -> str:
    """Return what of a line stands with the caption of the field, up to the next field's caption.

    All of it where the line has no such caption, or nothing stands with it.
    """
    key = field_key(words)
    others = sorted(
        start
        for field in _CAPTIONED
        if field.key not in (key, "date")  # EXP DATE is one caption
        for start, _ in captions(text, field.key)
    )
    parts = [
        text[end : min((start for start in others if start >= end), default=len(text))]
        for _, end in captions(text, key)
    ]
    own = " ".join(parts)
    return own if re.search(r"[^\W_]", own) else text


def _has_caption(text: str, key: str) -> bool:
    if _caption(key) is not None:
        return bool(captions(text, key))
    if any(form.key == key for form in FORMS):
        return False
    wanted = {_root(word) for word in key.replace("_", " ").split()}
    return bool(wanted) and wanted <= set(map(_root, stems(text)))


def _has_form(text: str, key: str) -> bool:
    return any(form.key == key and form.print.search(text) for form in FORMS)


def value_of(line: TextLine, words: str) -> str:
    """Return what a line says beside its caption."""
    caption = _caption(field_key(words))
    if caption is None:
        _, colon, rest = line.text.partition(":")
        return rest.strip() if colon and rest.strip() else line.text.strip()
    pattern = rf"^\W*{caption.pattern}(?![a-z])(?:\s*(?:number|code|date|no|nr))?[\s.:#°-]*"
    rest = re.sub(pattern, "", line.text, flags=re.IGNORECASE).strip()
    return rest or line.text.strip()
