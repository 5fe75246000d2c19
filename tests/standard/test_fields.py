"""Which printed lines are the field that a clause names."""

import pytest
from support.made_parts import CLOSED, OPEN, line, part

from inspector.domain import Outcome, Reason
from inspector.reading import from_line
from inspector.standard import says

CONFORMS, VIOLATED, UNKNOWN = Outcome.CONFORMS, Outcome.VIOLATED, Outcome.UNKNOWN


def outcome(check, found, world=CLOSED):
    return says(from_line(check), found, world).outcome


@pytest.mark.parametrize(
    ("field", "printed"),
    [
        ("country of origin", "Product of Portugal"),
        ("country of origin", "Made in Austria"),
        ("origin", "Hergestellt in Italien"),
        ("country of origin", "Fabriqué en France"),
        ("storage instruction", "Store below 25 °C"),
        ("storage instruction", "Nicht über 25 °C lagern"),
        ("storage conditions", "À conserver au sec"),
        ("phone number", "Questions? +49 30 1234567"),
        ("telephone number", "Tel. 0800 123 456"),
        ("e-mail address", "Questions? help@dye.example"),
        ("web address", "www.maker.example"),
        ("list of ingredients", "Ingredients: flour, milk"),
        ("ingredient list", "Zutaten: Mehl, Milch"),
        ("trace warning", "May contain traces of peanuts"),
        ("trace warning", "Kann Spuren von Nüssen enthalten"),
        ("allergen statement", "Contains: milk, soya"),
        ("net content", "Olive oil 0.5 l"),
        ("net quantity", "500 g ℮"),
        ("price", "3,99 €"),
        ("price", "Price 12"),
        ("notified body 0123", "CE 0123"),
        ("CE mark", "CE"),
        ("manufacturer", "Maker & Sons GmbH, Wien"),
        ("address of the manufacturer", "Manufactured by Maker"),
        ("nutrition table", "Energy 1250 kJ / 300 kcal"),
        ("alcohol content", "12,5 % vol"),
        ("rated voltage", "230 V~ 50 Hz"),
        ("IP rating", "IP67"),
        ("UN number", "UN 1263"),
        ("recycling symbol", "PAP 21"),
        ("best-before date", "Mindestens haltbar bis 12.2027"),
        ("expiry date", "À consommer avant le 12/2027"),
        ("lot number", "Ch.-B. A231"),
        ("serial number", "Serien-Nr. 4711"),
    ],
)
def test_a_field_is_known_by_its_usual_print(field, printed):
    check = f"texts(field {field}) >= 1"
    assert outcome(check, part(printed)) is CONFORMS
    assert outcome(check, part("Hazelnut wafer")) is VIOLATED
    assert outcome(f"texts(field {field}) = 0", part(printed)) is VIOLATED


@pytest.mark.parametrize(
    ("field", "printed"),
    [
        ("production date", "Made in Austria"),
        ("production date", "Product of Portugal"),
        ("net content", "per 100 g: 3 g of fat"),
        ("notified body 0123", "CE 0482"),
        ("phone number", "LOT 2026-04-14"),
        ("phone number", "4012345678901"),
        ("CE mark", "PIECE"),
        ("previous lot", "LOT A231"),
        ("sterile statement", "non-sterile"),
        ("lot number", "los niños"),
    ],
)
def test_what_only_looks_like_a_field_is_none(field, printed):
    assert outcome(f"texts(field {field}) >= 1", part(printed)) is VIOLATED


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("laying date", "laid"),
        ("sterilization", "sterilised"),
        ("packing week", "pack week"),
        ("batch code", "LOT"),
        ("YYWW code", "date code"),
        ("colour code", "color"),
    ],
)
def test_inflected_words_name_the_same_field(words, name):
    found = part(line("2026-04-09", field=name))
    assert outcome(f"texts(field {words}) >= 1", found) is CONFORMS


def test_a_field_of_usual_form_may_be_asked_to_hold_something():
    found = part("Hazelnut wafer", "May contain traces of peanuts and eggs")
    assert outcome('contains(field trace warning; "peanuts")', found) is CONFORMS
    assert outcome('contains(field trace warning; "celery")', found) is VIOLATED


def test_a_captioned_value_goes_before_one_that_only_looks_like_it():
    found = part("Coffee 500 g", "Net 450 g", expected={"net weight": "500 g"})
    assert outcome("equal(field net weight; order)", found) is VIOLATED
    bare = part("Coffee 500 g", expected={"net weight": "500 g"})
    assert outcome("equal(field net weight; order)", bare) is CONFORMS


def test_a_qualified_name_is_another_value():
    found = part("LOT A1", expected={"lot": "A1"})
    check = "not (equal(field lot; order previous lot))"
    for world in (CLOSED, OPEN):
        said = says(from_line(check), found, world)
        assert (said.outcome, said.reason) == (UNKNOWN, Reason.EXPECTED_MISSING)
    both = part("LOT A1", expected={"lot": "A2", "previous_lot": "A1"})
    assert outcome(check, both) is VIOLATED


# --- the usual other words --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wording", "printed"),
    [
        ("single use", "Do not re-use"),
        ("for single use only", "Nur zum einmaligen Gebrauch"),
        ("sterile", "STERILE R"),
        ("keep dry", "Vor Nässe schützen"),
        ("Keep out of reach of children", "Tenir hors de portée des enfants"),
        ("fragile", "Handle with care"),
        ("this side up", "This way up"),
        ("Notified body 0123", "CE0123"),
    ],
)
def test_a_wording_may_be_printed_in_its_usual_other_words(wording, printed):
    check = f'texts("{wording}") >= 1'
    assert outcome(check, part(printed)) is CONFORMS
    assert outcome(check, part("Hazelnut wafer")) is VIOLATED


def test_on_a_station_a_person_looks_at_other_words():
    found = part("Do not re-use")
    assert outcome('texts("single use") >= 1', found, OPEN) is UNKNOWN
    assert outcome('texts("single use") = 0', found, OPEN) is UNKNOWN
    assert outcome('texts("single use") >= 1', part("Single use"), OPEN) is CONFORMS


def test_letter_for_letter_there_are_no_other_words():
    assert outcome('texts("Single use"; exact) >= 1', part("Do not re-use")) is VIOLATED


def test_a_mark_is_printed_as_its_letters():
    assert outcome('texts("CE mark") >= 1', part("CE")) is CONFORMS
    assert outcome('texts("CE mark") >= 1', part("PIECE")) is VIOLATED
    assert outcome('texts("TRADE MARK") >= 1', part("FAIR TRADE")) is VIOLATED


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("German", "Vor Gebrauch schütteln"),
        ("German", "Siehe Deckel"),
        ("English", "Shake well"),
        ("English", "Handle with care"),
        ("French", "Lire la notice"),
        ("French", "Usage unique"),
        ("Spanish", "Solo un uso"),
        ("Italian", "Leggere le istruzioni"),
        ("Dutch", "Lees de bijsluiter"),
        ("Polish", "Chronić przed światłem"),
        ("Portuguese", "Não usar"),
        ("Chinese", "保持干燥"),
    ],
)
def test_the_language_of_a_short_line_is_known(language, text):
    assert outcome(f"texts(language {language}) >= 1", part(text)) is CONFORMS
    other = "German" if language != "German" else "English"
    assert outcome(f"texts(language {other}) >= 1", part(text)) is VIOLATED
