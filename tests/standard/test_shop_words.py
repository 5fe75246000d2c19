"""What people of a trade say, and the labels a detector has for it."""

import pytest

from inspector.standard.names import is_meant, is_term_of_its_own, ordered


@pytest.mark.parametrize(
    ("label", "words", "product"),
    [
        ("open", "interrupted track", "Bare board, 4-layer"),
        ("short", "tracks touching", "Bare board"),
        ("mousebite", "bites out of a conductor's edge", "Bare board"),
        ("pin-hole", "hole in a track", "Bare board"),
        ("solder bridge", "two conductors joined by solder", "Modem PCBA"),
        ("missing capacitor", "missing component", "Sensor PCBA"),
        ("missing_resistor", "missing parts", "Sensor PCBA"),
        ("cracked capacitor", "cracked components", "Sensor PCBA"),
        ("tombstoned resistor", "chip parts standing up on one end", "Power PCBA"),
        ("reversed diode", "diodes mounted the wrong way round", "Charger PCBA"),
        ("short shot", "mouldings that did not fill completely", "Bottle crate, PE"),
        ("short shot", "unfilled", "Plastic housing"),
        ("misrun", "not fully filled", "Pump casing"),
        ("missing solder", "unsoldered", "Sensor PCBA"),
        ("open seal", "not sealed", "Pouch"),
        ("moisture", "damp", "Carton"),
        ("fraying", "frayed", "Towel"),
        ("peeling", "paint coming away from the substrate", "Radiator"),
        ("smudge", "wrappers on which the printing has smeared", "Printed film"),
        ("missing print", "not printed", "Label"),
        ("illegible text", "unreadable", "Label"),
        ("label lift", "label coming off", "Label"),
        ("beetle", "pests", "Rice, 1 kg"),
        ("rot", "decayed fruit", "Apple"),
        ("mould", "fungal spot", "Loaf"),
        ("tear", "torn sacks", "Cement sack"),
        ("pack leak", "leaking cup", "Yoghurt cup"),
        ("cocked cap", "cap on crooked", "Bottle with cap"),
        ("broken tablet", "fractured tablets", "Tablet"),
        ("pulled thread", "pull in the fabric", "Seat cover"),
        ("stone", "stone in the glass", "Candle glass"),
        ("sand pore", "porosity", "Casting"),
        ("dust nib", "dust in the paint", "Painted bonnet"),
        ("print speck", "specks", "Label"),
        ("crease", "wrinkles", "Pouch"),
        ("leak", "leaking", "Bottle"),
    ],
)
def test_a_shop_word_finds_its_label(label, words, product):
    assert is_meant(label, words, product) is True


@pytest.mark.parametrize(
    ("label", "words", "product"),
    [
        ("missing capacitor", "missing resistor", "Sensor PCBA"),
        ("missing component", "missing capacitor", "Sensor PCBA"),
        ("missing hole", "missing component", "Bare board"),
        ("stain", "wrong colour", "Seat cover"),
        ("sand pore", "gas pores", "Engine block"),
        ("missing print", "dot gain", "Label"),
    ],
)
def test_another_thing_is_not_meant(label, words, product):
    assert is_meant(label, words, product) is not True


def test_a_kind_named_by_its_place_is_a_term_of_its_own():
    assert is_term_of_its_own("pin-hole", "void in the copper", "void", product="Bare board")
    assert not is_term_of_its_own("solder", "solder on the rim", "solder", product="Edge card")


def test_a_qualified_value_of_the_order_is_another_one():
    assert ordered("previous lot", {"lot": "A1"}) is None
    assert ordered("previous lot", {"lot": "A2", "previous_lot": "A1"}) == "A1"
    assert ordered("lot number", {"previous_lot": "A1", "lot": "A2"}) == "A2"
