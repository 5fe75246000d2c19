"""Bar and matrix codes: their spellings, what they are used for, and which a clause names."""

from __future__ import annotations

import re

RETAIL, LOGISTIC, DATABAR = "retail bar code", "logistic bar code", "databar code"
MATRIX, STACKED, OTHER = "matrix code", "stacked code", "code"
KINDS = {
    "ean13": RETAIL, "ean8": RETAIL, "upca": RETAIL, "upce": RETAIL, "isbn": RETAIL,
    "itf": LOGISTIC, "code39": LOGISTIC, "code93": LOGISTIC, "code128": LOGISTIC,
    "codabar": LOGISTIC, "databar": DATABAR, "qrcode": MATRIX, "datamatrix": MATRIX,
    "aztec": MATRIX, "maxicode": MATRIX, "pdf417": STACKED,
}  # fmt: skip
_REPORTED = {
    "ean13": "EAN-13", "ean8": "EAN-8", "upca": "UPC-A", "upce": "UPC-E", "isbn": "ISBN",
    "itf": "ITF", "code39": "Code 39", "code93": "Code 93", "code128": "Code 128",
    "codabar": "Codabar", "databar": "GS1 DataBar", "qrcode": "QRCode", "datamatrix": "DataMatrix",
    "aztec": "Aztec", "maxicode": "MaxiCode", "pdf417": "PDF417",
}  # fmt: skip
_SAME = (
    (re.compile(r"^databar"), "databar"),
    (re.compile(r"^(itf|interleaved)"), "itf"),
    (re.compile(r"qrcode"), "qrcode"),
    (re.compile(r"^azteccode|^aztecrune"), "aztec"),
    (re.compile(r"pdf417$"), "pdf417"),
    (re.compile(r"^code39"), "code39"),
)
_NAMES: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), frozenset(keys.split()))
    for pattern, keys in (
        (r"\bean[\s-]?13\b|\bthirteen-digit\b", "ean13"),
        (r"\bean[\s-]?8\b|\bshort ean\b", "ean8"),
        (r"\beans?\b(?![\s-]?\d)(?<!thirteen-digit ean)(?<!short ean)", "ean13 ean8"),
        (r"\bupc[\s-]?a\b", "upca"),
        (r"\bupc[\s-]?e\b|zero-suppressed upc", "upce"),
        (r"(?<!suppressed )\bupcs?\b(?![\s-]?[ae]\b)", "upca upce"),
        (r"\bitf\b|\binterleaved\b|\b2 of 5\b", "itf"),
        (r"\bcode[\s-]?39\b", "code39"),
        (r"\bcode[\s-]?93\b", "code93"),
        (r"\bcode[\s-]?128\b|\bgs1-128\b", "code128"),
        (r"\bcodabar\b", "codabar"),
        (r"\bdatabars?\b", "databar"),
        (r"\bqr\b", "qrcode"),
        (r"\bdata[\s-]?matrix\b|\bdmcs?\b", "datamatrix"),
        (r"\baztec\b", "aztec"),
        (r"\bmaxicodes?\b", "maxicode"),
        (r"\bpdf[\s-]?417\b", "pdf417"),
        (
            r"\b(retail|point[- ]of[- ]sale|consumer( unit)?)[- ](bar[- ]?)?(code|symbol)s?\b",
            "ean13 ean8 upca upce isbn",
        ),
        (
            r"\b(logistics?|industrial|warehouse|transport)[- ](bar[- ]?)?(code|symbol)s?\b"
            r"|\bcodes? meant for transport\b",
            "itf code39 code93 code128 codabar",
        ),
        (
            r"\b(linear|one-dimensional|1d)[- ](bar[- ]?)?(code|symbol)s?\b",
            "ean13 ean8 upca upce isbn itf code39 code93 code128 codabar databar",
        ),
        (
            r"(?<!data )\bmatrix[- ](bar[- ]?)?(code|symbol)s?\b"
            r"|\b(two-dimensional|2d)[- ](bar[- ]?)?(code|symbol)s?\b",
            "qrcode datamatrix aztec maxicode",
        ),
    )
)


_ANY_CODE = re.compile(
    r"(all|both|each|every|two|printed|applied|product|identification|machine|readable|bar|scan\w*|"
    r"optical|data)*(code|symbol|carrier)s?"
)


def is_any_code(words: str) -> bool:
    """Return whether `words` stand for codes of every symbology: "bar code", "data carrier"."""
    return _ANY_CODE.fullmatch(re.sub(r"[^a-z0-9]", "", words.lower())) is not None


def symbology_key(symbology: str) -> str:
    """Return one name for all spellings and variants of a symbology."""
    plain = re.sub(r"[^a-z0-9]", "", symbology.lower()).removeprefix("gs1")
    return next((key for pattern, key in _SAME if pattern.search(plain)), plain)


def reported(key: str) -> str:
    """Return the name by which the code reader reports a symbology of that key."""
    return _REPORTED.get(key, key)


def symbology_kind(symbology: str) -> str:
    """Return whether a symbology is used in retail, in logistics, or is a matrix code."""
    return KINDS.get(symbology_key(symbology), OTHER)


def symbologies_named(clause: str) -> frozenset[str]:
    """Return the keys of the symbologies that `clause` names, one by one or as a family."""
    found = [keys for pattern, keys in _NAMES if pattern.search(clause)]
    return frozenset().union(*found)
