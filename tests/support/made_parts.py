"""Parts and checks drawn at random, for what must hold of all of them."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import strategies as st

from inspector.checks import (
    AllOf,
    AnyOf,
    CodesCheck,
    DefectCheck,
    IfThen,
    MeasureCheck,
    Not,
    PrintCheck,
    Size,
    TextCheck,
)
from inspector.domain import Box, Code, Context, Detection, Evidence, TextLine
from inspector.standard import World

TODAY = date(2026, 11, 23)
BOX = Box(x0=0, y0=0, x1=10, y1=10)
LABELS = ("spur", "dent", "scratch", "wobble")
ZONES = ("rim", "seal area", "centre")
WORDINGS = ("VOID", "KEEP DRY", "SAMPLE")
SYMBOLOGIES = ("QRCode", "EAN-13")

OPEN = World(sure_at=0.5, missing="hold", zones=ZONES)
STRICT = World(sure_at=0.5, missing="fail", zones=ZONES)
CLOSED = World(sure_at=0.0, missing="fail", closed=True, zones=ZONES)


def defect(label="scratch", long=1.0, short=None, *, zone=None, confidence=0.9):
    return Detection(
        label=label,
        confidence=confidence,
        box=BOX,
        width_mm=long,
        height_mm=long if short is None else short,
        zone=zone,
    )


def line(text, *, field=None, confidence=0.9):
    return TextLine(text=text, confidence=confidence, box=BOX, field=field)


def code(text, symbology="QRCode"):
    return Code(symbology=symbology, text=text, box=BOX)


def part(*items, product="plate", expected=None):
    """Return evidence of defects, lines and codes in the order given; a text is a line."""
    found = [line(item) if isinstance(item, str) else item for item in items]
    return Evidence(
        product=product,
        defects=tuple(i for i in found if isinstance(i, Detection)),
        texts=tuple(i for i in found if isinstance(i, TextLine)),
        codes=tuple(i for i in found if isinstance(i, Code)),
        context=Context(inspected_on=TODAY, expected=expected or {}),
    )


sides = st.none() | st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0])
confidences = st.sampled_from([0.1, 0.49, 0.5, 0.9, 1.0])
defects = st.builds(
    defect,
    st.sampled_from(LABELS),
    sides,
    sides,
    zone=st.none() | st.sampled_from(ZONES),
    confidence=confidences,
)
printed = st.sampled_from(
    [*WORDINGS, "KEEP", "DRY", "LOT A231", "A231", "EXP 2027-01-31", "EXP 2020-01-31", "2026-11-23"]
) | st.text(max_size=12)
lines = st.builds(
    line, printed, field=st.none() | st.sampled_from(["lot", "mark"]), confidence=confidences
)
codes = st.builds(
    code,
    st.sampled_from(["A231", "4006381333931", "(01)04006381333931"]) | st.text(max_size=8),
    st.sampled_from(SYMBOLOGIES),
)
parts = st.builds(
    lambda found, texts, read: part(*found, *texts, *read, expected={"lot": "A231"}),
    st.lists(defects, max_size=5),
    st.lists(lines, max_size=3),
    st.lists(codes, max_size=2),
)

subjects = st.just(("any",)) | st.lists(
    st.sampled_from(["spurs", "dents", "scratches", "mechanical damage"]), min_size=1, max_size=2
).map(tuple)
sizes = st.builds(
    Size,
    measure=st.sampled_from(["longest", "width", "height", "area", "confidence"]),
    comparison=st.sampled_from(["<", "<=", ">=", ">"]),
    limit=st.sampled_from([0.1, 0.3, 0.5, 1.0]),
)
places = st.just(()) | st.sampled_from([("rim",), ("sealing area",), ("left flank",)])
_prohibiting = st.sampled_from([("<=", 0.0), ("<=", 1.0), ("<=", 0.3), ("<", 2.0), ("=", 0.0)])

measures_that_prohibit = st.builds(
    lambda limit, **of: MeasureCheck(comparison=limit[0], limit=limit[1], **of),
    _prohibiting,
    subjects=subjects,
    exceptions=st.just(()) | st.just(("dents",)),
    inside=places,
    outside=places,
    sizes=st.lists(sizes, max_size=2).map(tuple),
    each=st.none() | st.sampled_from(["kind", "zone"]),
    measure=st.sampled_from(["defects", "kinds", "length", "width", "height", "area"]),
)
keyed_defects = st.builds(
    lambda labels, at_most, total, **of: DefectCheck(
        labels=labels, at_most=0 if total else at_most, total_at_most_mm=total, **of
    ),
    st.just(("any",)) | st.just(("spur", "dent")),
    st.integers(0, 2),
    st.none() | st.sampled_from([0.3, 0.6, 1.0]),
    inside=st.none() | st.sampled_from(ZONES),
    larger_than_mm=st.none() | st.sampled_from([0.2, 0.5]),
    measure=st.sampled_from(["longest", "width", "height"]),
)
prints_that_prohibit = st.builds(
    lambda limit, word: PrintCheck(
        sought="wording", words=(word,), comparison=limit[0], limit=float(int(limit[1]))
    ),
    _prohibiting,
    st.sampled_from(WORDINGS),
)
codes_that_prohibit = st.builds(
    lambda limit, name: CodesCheck(
        symbologies=(name,), comparison=limit[0], limit=float(int(limit[1]))
    ),
    _prohibiting,
    st.sampled_from(["any", "QR code", "EAN-13"]),
)
prohibitions = st.recursive(
    measures_that_prohibit
    | keyed_defects
    | prints_that_prohibit
    | codes_that_prohibit
    | st.just(TextCheck(field="mark", forbidden=True)),
    lambda inner: (
        st.builds(lambda *c: AllOf(checks=c), inner, inner)
        | st.builds(lambda *c: AnyOf(checks=c), inner, inner)
    ),
    max_leaves=3,
)


def denied(prohibition):
    """Return what is true of a part where a prohibition is broken."""
    return Not(check=prohibition)


# "if there is a dent, no scratch": fewer defects never break it either
conditional = st.builds(
    lambda condition, then: IfThen(condition=denied(condition), then=then),
    prohibitions,
    prohibitions,
)
prohibiting_checks = prohibitions | conditional

requiring_checks = st.sampled_from(
    [
        MeasureCheck(comparison=">=", limit=2),
        MeasureCheck(subjects=("dents",), comparison="=", limit=1),
        PrintCheck(sought="wording", words=("KEEP DRY",)),
        PrintCheck(sought="field", words=("lot",)),
        CodesCheck(symbologies=("QR code",), comparison="=", limit=1),
        TextCheck(field="lot", equals="lot"),
    ]
)
checks = prohibiting_checks | requiring_checks | requiring_checks.map(denied)


def day(days):
    return (TODAY + timedelta(days=days)).isoformat()
