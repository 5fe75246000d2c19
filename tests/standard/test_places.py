"""Where a defect lies, by the words of a clause, and what counts where nobody knows."""

import pytest
from support.made_parts import CLOSED, OPEN, defect, part

from inspector.domain import Outcome
from inspector.reading import from_line
from inspector.standard import World, says
from inspector.standard.places import is_whole_part

CONFORMS, VIOLATED, UNKNOWN = Outcome.CONFORMS, Outcome.VIOLATED, Outcome.UNKNOWN


def outcome(check, found, world=CLOSED):
    return says(from_line(check), found, world).outcome


@pytest.mark.parametrize(
    ("words", "product"),
    [
        ("lens", "Lens, coated"),
        ("lens surface", "Lens"),
        ("filled vial", "Vial 10 mL, clear solution"),
        ("bag film", "Bread bag, LDPE"),
        ("outer panels", "Bonnet, outer panel, met. grey"),
        ("bonnet outer panels", "Bonnet, outer panel, met. grey"),
        ("entire part", "Bracket"),
    ],
)
def test_words_for_the_product_are_the_whole_part(words, product):
    assert is_whole_part(words, product)


@pytest.mark.parametrize(
    ("words", "product"),
    [
        ("rim", "Cup"),
        ("printed area of the board", "Printed board"),
        ("lid", "Can, with lid"),
        ("bag seam", "Bread bag"),
        ("seal area", "Pouch"),
        ("machined face", "Machined part"),
        ("film", "Pouch"),
    ],
)
def test_a_place_of_the_product_is_not_the_whole_part(words, product):
    assert not is_whole_part(words, product)


def test_a_defect_whose_place_nobody_gave_may_lie_anywhere_in_a_case():
    found = part(defect(zone=None), product="Poplin")
    assert outcome("defects(scratch; in cut square) = 0", found) is VIOLATED
    assert outcome("defects(scratch; not in cut square) = 0", found) is VIOLATED
    elsewhere = part(defect(zone="hem"), product="Poplin")
    assert outcome("defects(scratch; in cut square) = 0", elsewhere) is CONFORMS


def test_what_only_may_lie_in_a_place_does_not_satisfy_who_asks_for_it():
    found = part(defect(zone=None), product="Poplin")
    assert outcome("defects(scratch; in cut square) >= 1", found) is UNKNOWN
    assert outcome("if defects(scratch; in hem) = 0 then defects(dent) >= 1", found) is UNKNOWN


def test_a_station_knows_its_zones():
    found = part(defect(zone=None))
    assert outcome("defects(scratch; in rim) = 0", found, OPEN) is CONFORMS
    assert outcome("defects(scratch; in collar) = 0", found, OPEN) is UNKNOWN
    bare = World(sure_at=0.5, missing="hold", zones=())
    assert outcome("defects(scratch; in collar) = 0", found, bare) is UNKNOWN


@pytest.mark.parametrize("world", [OPEN, CLOSED])
def test_the_whole_part_is_everywhere_and_nobody_knows_what_lies_outside_it(world):
    found = part(defect(zone="rim"), product="Vial 10 mL")
    assert outcome("defects(scratch; in filled vial) = 0", found, world) is VIOLATED
    assert outcome("defects(scratch; not in vial) = 0", found, world) is UNKNOWN


def test_a_subject_may_say_where_it_lies():
    elsewhere = part(defect("solder", zone="rim"))
    there = part(defect("solder", zone="seal area"))
    for world in (OPEN, CLOSED):
        assert outcome("defects(solder on the seal area) = 0", elsewhere, world) is CONFORMS
        assert outcome("defects(solder on the seal area) = 0", there, world) is VIOLATED


def test_a_kind_of_defect_that_is_named_by_its_place_is_no_place():
    found = part(defect("pin-hole", zone="rim"), product="Bare board")
    assert outcome("defects(void in the copper) = 0", found) is VIOLATED


def test_an_exception_with_a_place_spares_only_what_lies_there():
    check = "defects(any; except corner chips) = 0"
    assert outcome(check, part(defect("chip", zone="corner"))) is CONFORMS
    assert outcome(check, part(defect("chip", zone="edge"))) is VIOLATED
    assert outcome(check, part(defect("chip", zone=None))) is VIOLATED
    assert outcome(check, part(defect("corner chip", zone=None))) is CONFORMS
    rim = "defects(any; except rim chips) = 0"
    assert outcome(rim, part(defect("chip", zone="centre")), OPEN) is VIOLATED
    assert outcome(check, part(defect("chip", zone="centre")), OPEN) is UNKNOWN


@pytest.mark.parametrize(("asked", "found"), [("边缘", "中心"), ("край", "центр"), ("ขอบ", "กลาง")])
def test_places_in_another_script_are_told_apart(asked, found):
    world = World(sure_at=0.5, missing="hold", zones=(asked, found))
    scratch = part(defect("scratch", zone=found))
    assert outcome(f"defects(scratch; not in {asked}) = 0", scratch, world) is VIOLATED
    assert outcome(f"defects(scratch; not in {found}) = 0", scratch, world) is CONFORMS


def test_defects_named_in_another_script_are_told_apart():
    assert outcome("defects(划痕) = 0", part(defect("凹痕"))) is CONFORMS
    assert outcome("defects(划痕) = 0", part(defect("划痕"))) is VIOLATED


@pytest.mark.parametrize(
    ("check", "zone", "world", "said"),
    [
        (
            "defects(dents; in rim) = 0", None, CLOSED,
            "1 'dents' found ('dent'), in no known zone, largest 1 mm; none is allowed in 'rim'.",
        ),
        (
            "defects(dents; in collar) = 0", "rim", OPEN,
            "1 'dents' found ('dent'), zone 'rim', largest 1 mm, none of them sure; none is "
            "allowed in 'collar'.",
        ),
        (
            "defects(dents; in rim) = 0", "outer rim", CLOSED,
            "1 'dents' in 'rim' found ('dent'), zone 'outer rim', largest 1 mm; none is allowed.",
        ),
        (
            "defects(dents; in rim) = 0", "rim", OPEN,
            "1 'dents' in 'rim' found ('dent'), largest 1 mm; none is allowed.",
        ),
        (
            "defects(dents on the collar) = 0", None, CLOSED,
            "1 'dents on the collar' found ('dent'), in no known zone, largest 1 mm; none is "
            "allowed.",
        ),
    ],
)  # fmt: skip
def test_a_statement_says_a_place_of_a_defect_only_where_it_was_measured(check, zone, world, said):
    assert says(from_line(check), part(defect("dent", zone=zone)), world).statement == said
