"""Which kinds of defect, and which codes, a clause names."""

from __future__ import annotations

import pytest

from inspector.ontology import shipped_ontology
from inspector.symbologies import symbologies_named, symbology_key, symbology_kind

BOARD = {"open", "short", "mousebite", "spur", "copper", "pinhole"}


@pytest.mark.parametrize(
    ("clause", "labels"),
    [
        ("Interrupted conductors are not accepted.", {"open"}),
        ("No nicks in the conductor edge", {"mousebite"}),
        ("Voids in the copper are rejected.", {"pinhole"}),
        ("At most two patches of spurious copper", {"copper"}),
        ("No solder shorts", set()),
        ("The copper must be clean.", set()),
    ],
)
def test_terms_of_bare_boards_are_known(clause: str, labels: set[str]) -> None:
    assert shipped_ontology().named(clause).labels & BOARD == labels


def test_defects_in_general_are_known() -> None:
    assert shipped_ontology().named("No anomalies.").anything
    assert not shipped_ontology().named("No nicks.").anything


def test_every_label_is_known_by_a_term() -> None:
    known = frozenset().union(*shipped_ontology().labels_of.values())
    assert known >= BOARD


@pytest.mark.parametrize(
    ("clause", "keys"),
    [
        ("Code 39 and Code 128 are not accepted.", {"code39", "code128"}),
        ("GS1 DataBar codes are not accepted on a retail label.", {"databar"}),
        ("An EAN-13 code", {"ean13"}),
        ("codes of the EAN/UPC family", {"ean13", "ean8", "upca", "upce"}),
        ("Data Matrix codes", {"datamatrix"}),
        ("matrix codes", {"qrcode", "datamatrix", "aztec", "maxicode"}),
        ("a bar code", set()),
    ],
)
def test_symbologies_of_a_clause_are_known(clause: str, keys: set[str]) -> None:
    assert symbologies_named(clause) == keys


@pytest.mark.parametrize(
    ("symbology", "key", "kind"),
    [
        ("EAN-13", "ean13", "retail bar code"),
        ("DataBar Expanded", "databar", "databar code"),
        ("GS1 DataBar Limited", "databar", "databar code"),
        ("QRCode", "qrcode", "matrix code"),
        ("ITF-14", "itf", "logistic bar code"),
        ("Telepen", "telepen", "code"),
    ],
)
def test_spellings_of_a_symbology_are_one(symbology: str, key: str, kind: str) -> None:
    assert (symbology_key(symbology), symbology_kind(symbology)) == (key, kind)
