"""What words name and what falls under them: terms of many trades, and those of the judge."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import inspector
from inspector.errors import SettingsError
from inspector.ontology import ANY_DEFECT, TermGraph, load_ontology, shipped_ontology
from inspector.symbologies import symbologies_named, symbology_key, symbology_kind

BOARD = {"open", "short", "mousebite", "spur", "copper", "pinhole"}
PACKAGE = Path(inspector.__file__).parent  # installed or not: the files that are in use


@pytest.fixture(scope="module")
def graph() -> TermGraph:
    return load_ontology()


# --- the shipped terms ------------------------------------------------------------------------


def test_many_terms_of_many_trades_are_known(graph: TermGraph) -> None:
    assert len(graph.terms) >= 450
    assert len(graph.trades) >= 15
    for trade in graph.trades:
        assert sum(trade in term.trades for term in graph.terms.values()) >= 15, trade


def test_every_kind_and_family_is_there_and_has_terms(graph: TermGraph) -> None:
    named = graph.terms.keys() | graph.groups.keys()
    for term in graph.terms.values():
        assert term.kind in graph.groups
        assert term.families <= named
    used = frozenset[str]().union(*(graph.wider[name] for name in graph.terms))
    assert graph.groups.keys() <= used


def test_every_term_is_a_defect_or_an_attribute(graph: TermGraph) -> None:
    for name in graph.terms:
        assert len(graph.wider[name] & {ANY_DEFECT, "attribute"}) == 1, name


def test_every_word_of_a_term_leads_to_it_in_its_trade(graph: TermGraph) -> None:
    for term in graph.terms.values():
        for word in (term.name, *term.words):
            trades = [None if trade == "any" else trade for trade in term.trades]
            assert any(term.name in graph.named(word, trade=t) for t in trades), (term, word)


def test_standards_are_cited_where_the_terms_are_written() -> None:
    header = (PACKAGE / "ontology/trades/any.yaml").read_text(encoding="utf-8")
    for standard in ("IPC-A-600", "ISO 8785", "ISO 6520", "PDA", "ISO 10110"):
        assert standard in header


def test_the_wide_terms_do_not_contradict_the_words_of_the_shipped_judge(graph: TermGraph) -> None:
    """Where the judge's words are one, these may be two, but then the answer is "not known"."""
    told_apart = {"lamination", "split layer"}  # for a pharmacist these are no capping
    content = yaml.safe_load((PACKAGE / "ontology.yaml").read_text(encoding="utf-8"))
    asked = [
        (trade, label, form)
        for trade, words in content["trades"].items()
        for label, terms in words["labels"].items()
        for term in terms
        for form in term.removeprefix("~").split("|")
    ]
    asked += [
        (trade, label, form)
        for trade, words in content["trades"].items()
        for kind, labels in words.get("kinds", {}).items()
        for label in labels
        for form in kind.split("|")
    ]
    answers = {one: graph.falls_under(one[1], one[2], trade=one[0]) for one in asked}
    assert [
        one for one, is_so in answers.items() if is_so is False and one[2] not in told_apart
    ] == []
    assert sum(is_so is True for is_so in answers.values()) >= 0.95 * len(asked)


# --- words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phrase", "named"),
    [
        ("solder bridge", {"solder bridge"}),
        ("Solder Bridges", {"solder bridge"}),
        ("solder-bridging", {"solder bridge"}),
        ("bridged joints", {"solder bridge"}),
        ("fissures", {"crack"}),
        ("foreign bodies", {"foreign matter"}),
        ("foreign matter of any kind", {"foreign matter"}),
        ("any solder fault whatsoever", {"solder defect"}),
        ("residues of flux", {"flux residue"}),
        ("scratches, dents and solder balls", {"scratch", "dent", "solder ball"}),
        ("no defects", {ANY_DEFECT}),
        ("any visible imperfection", {ANY_DEFECT}),
        ("galvanic defects", set()),
        ("the folding machine", set()),
    ],
)
def test_a_phrase_names_terms(graph: TermGraph, phrase: str, named: set[str]) -> None:
    assert graph.named(phrase, trade="assembly") == named


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("pin-hole", "pinholes"),
        ("Mouse bite", "mousebites"),
        ("colour deviation", "color deviations"),
        ("mould growth", "mold growth"),
        ("foreign fibre", "foreign fibers"),
        ("gray chocolate", "grey chocolate"),
        ("oxidised copper", "oxidized copper"),
        ("shrinkage cavity", "shrinkage cavities"),
        ("surface flaw", "surface imperfections"),
        ("void in the solder", "solder voids"),
        ("cracked joint", "joint cracks"),
        ("torn label", "label tears"),
        ("missing caps", "caps missing"),
        ("sunken area", "sunken spots"),
        ("pitting", "pitted places"),
    ],
)
def test_spellings_of_a_term_are_one(graph: TermGraph, one: str, other: str) -> None:
    assert graph.named(one)
    assert graph.named(one) == graph.named(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dent", "dents"),
        ("dent", "dented"),
        ("dent", "denting"),
        ("scratch", "scratches"),
        ("scratch", "scratched"),
        ("bite", "bites"),
        ("bite", "biting"),
        ("crack", "cracked"),
        ("cracked joint", "cracking joints"),
        ("mislabelled", "mislabeled"),
        ("mislabelled", "mislabelling"),
        ("discolouration", "discoloration"),
        ("discolouration", "discolored"),
        ("scrape", "scraped"),
        ("stripe", "striped"),
        ("hole", "holed"),
        ("rip", "ripped"),
        ("pit", "pitted"),
        ("bar", "barred"),
        ("pilling", "pilled"),
        ("chill", "chilled"),
        ("spall", "spalled"),
        ("smudge", "smudging"),
        ("haze", "hazing"),
        ("delamination", "delaminated"),
        ("contamination", "contaminated"),
    ],
)
def test_inflections_of_a_word_name_the_same(graph: TermGraph, one: str, other: str) -> None:
    assert graph.named(one)
    assert graph.named(one) == graph.named(other)


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("bit", "bite"),
        ("bits", "bites"),
        ("dots", "dote"),
        ("dotted", "dote"),
        ("wan", "wane"),
        ("bare", "bar"),
        ("barely inked", "bar"),
        ("scrap", "scrape"),
        ("scrapped", "scraped"),
        ("strip", "stripe"),
        ("stripped", "striped"),
        ("cute", "cut"),
        ("ripe", "rip"),
        ("fine", "fin"),
        ("rage", "rag"),
        ("sage", "sag"),
        ("pile", "pilling"),
        ("pour", "pore"),
        ("poured", "pore"),
        ("mating", "matting"),
        ("tons", "toning"),
        ("misleading", "missing lead"),
        ("can", "canning"),
        ("caps", "capping"),
    ],
)
def test_words_that_look_alike_are_not_one(graph: TermGraph, word: str, other: str) -> None:
    assert graph.knows(other)
    assert not graph.knows(word)


def test_longer_words_are_not_taken_for_shorter_ones(graph: TermGraph) -> None:
    assert graph.named("solder short", trade="bare board") == {"solder bridge"}
    assert graph.falls_under("short", "solder shorts", trade="bare board") is False


def test_parts_of_words_name_nothing(graph: TermGraph) -> None:
    assert graph.named("the runway is denture-free and chipboardless") == set()


@pytest.mark.parametrize(
    ("label", "term"),
    [
        ("mousebite", "mouse bite"),
        ("Missing_hole", "missing hole"),
        ("spurious_copper", "spurious copper"),
        ("solder_bridge", "solder bridge"),
        ("rolled-in_scale", "rolled-in scale"),
        ("surface_scratch_2", "scratch"),
        ("bent_lead", "bent lead"),
        ("contamination", "contamination"),
        ("zorp", None),
        ("???", None),
    ],
)
def test_a_label_stands_for_a_term(graph: TermGraph, label: str, term: str | None) -> None:
    assert graph.term_of(label) == term


def test_a_metal_is_a_label_but_no_word_of_a_clause(graph: TermGraph) -> None:
    assert graph.term_of("copper", trade="bare board") == "spurious copper"
    assert graph.named("the copper must be clean", trade="bare board") == set()


# --- families ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "phrase", "falls"),
    [
        ("open", "any conductor defect", True),
        ("mousebite", "conductor damage of any kind", True),
        ("scratch", "any conductor defect", False),
        ("hair", "contamination", True),
        ("hair", "foreign matter of any kind", True),
        ("dust_nib", "foreign objects", True),
        ("scratch", "cosmetic defects", True),
        ("scratch", "surface damage", True),
        ("crack", "cracks and breaks", True),
        ("dent", "cracks and breaks", False),
        ("hot_tear", "cracks", True),
        ("crack", "hot tears", None),
        ("crack", "cracked vials", True),
        ("crack", "cracks in the vial", True),
        ("crack", "crater cracks", None),
        ("knot", "dead knots", None),
        ("short_shot", "incompletely filled parts", True),
        ("solder_ball", "scratches or solder balls", True),
        ("zorp", "scratches", None),
        ("scratch", "zorps", None),
        ("zorp", "any defect", True),
        ("scratch", "gloss", False),
    ],
)
def test_labels_fall_under_families(
    graph: TermGraph, label: str, phrase: str, falls: bool | None
) -> None:
    assert graph.falls_under(label, phrase) is falls


def test_a_family_names_all_its_terms(graph: TermGraph) -> None:
    terms = graph.terms_named("any conductor defect")
    assert terms is not None
    assert {"open circuit", "short circuit", "mouse bite", "lifted land"} <= terms
    assert "solder ball" not in terms
    assert graph.terms_named("zorps") is None


# --- trades -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trade", "word", "term"),
    [
        ("bare board", "short", "short circuit"),
        ("moulding", "short", "short shot"),
        ("assembly", "short", "solder bridge"),
        ("bare board", "open", "open circuit"),
        ("packaging", "open", "open seal"),
        ("paint", "run", "paint run"),
        ("textile", "run", "ladder"),
        ("sheet metal", "burn", "grinding burn"),
        ("weld", "burn", "burn-through"),
        ("textile", "knot", "yarn knot"),
        ("wood", "knot", "knot"),
        ("glass", "check", "crack"),
        ("wood", "check", "drying check"),
        ("paint", "seed", "dust nib"),
        ("glass", "seed", "seed"),
        ("PCB", "opens", "open circuit"),
    ],
)
def test_a_word_means_what_its_trade_means(
    graph: TermGraph, trade: str, word: str, term: str
) -> None:
    assert graph.named(word, trade=trade) == {term}
    assert graph.term_of(word, trade=trade) == term


def test_without_a_trade_a_label_of_several_trades_is_left_open(graph: TermGraph) -> None:
    assert graph.term_of("short") is None
    assert graph.falls_under("short", "solder bridges") is True
    assert graph.falls_under("short", "incompletely filled parts or short shots") is True
    assert graph.falls_under("short", "tablets with capping") is False


def test_an_unknown_trade_is_refused_with_those_known(graph: TermGraph) -> None:
    with pytest.raises(ValueError, match=r"expected one of the trades assembly, bare board"):
        graph.named("crack", trade="plumbing")


@pytest.mark.parametrize(
    ("product", "trade"),
    [
        ("bare printed circuit board, 2 layers", "bare board"),
        ("Glass vials 10R", "pharma"),
        ("painted car door, left", "paint"),
        ("O-ring 20 x 3", "rubber"),
        ("something else", None),
    ],
)
def test_a_product_tells_its_trade(graph: TermGraph, product: str, trade: str | None) -> None:
    assert graph.trade_of(product) == trade


# --- words nobody wrote down ------------------------------------------------------------------


def test_an_unknown_word_is_matched_by_what_is_nearest(graph: TermGraph) -> None:
    near = {"zorp": ("scratch", 0.9), "blorps": ("surface damage", 0.8)}
    assert graph.falls_under("zorp", "scratches", nearest=near.get) is True
    assert graph.falls_under("scratch", "blorps", nearest=near.get) is True
    assert graph.falls_under("zorp", "solder balls", nearest=near.get) is False
    assert graph.falls_under("zorp", "frumps", nearest=near.get) is None
    assert graph.term_of("zorp", nearest=near.get) == "scratch"
    assert "dent" in (graph.terms_named("blorps", nearest=near.get) or ())


def test_a_known_word_is_never_guessed(graph: TermGraph) -> None:
    def guessed(text: str) -> tuple[str, float]:
        raise AssertionError(f"{text} is known")

    assert graph.falls_under("scratch", "dents", nearest=guessed) is False


# --- a plant's own file -----------------------------------------------------------------------


def written(folder: Path, text: str, name: str = "plant.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_plant_adds_terms_and_words(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "trade: PCB\n"
        "groups:\n"
        "  line 3 defect: {under: conductor defect}\n"
        "terms:\n"
        "  dog leg: {kind: line 3 defect, families: [cosmetic defect], also: [crooked track]}\n"
        "  open circuit: {also: [gap of Miller]}\n",
    )
    plant = load_ontology(path)
    assert plant.named("crooked tracks", trade="bare board") == {"dog leg"}
    assert plant.falls_under("dog_leg", "any conductor defect") is True
    assert plant.falls_under("open", "gaps of Miller", trade="PCB") is True
    assert plant.falls_under("open", "interrupted conductors", trade="PCB") is True
    assert not load_ontology().named("crooked tracks", trade="bare board")


def test_a_plants_word_overrides_the_shipped_one(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "trade: bare board\n"
        "terms:\n"
        "  silkscreen gap: {kind: legend defect, also: [open]}\n"
        "  spur: {kind: surface defect, families: [cosmetic defect]}\n",
    )
    plant = load_ontology(path)
    assert plant.named("opens", trade="bare board") == {"silkscreen gap"}
    assert plant.falls_under("spur", "extra copper", trade="bare board") is False
    assert plant.falls_under("spur", "cosmetic defects", trade="bare board") is True


def test_a_plant_adds_a_trade_of_its_own(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "trade: battery\n"
        "products: [pouch cell]\n"
        "terms:\n"
        "  dendrite: {kind: excess material, also: [lithium spike]}\n",
    )
    plant = load_ontology(path)
    assert plant.trade_of("pouch cell 20 Ah") == "battery"
    assert plant.term_of("lithium_spike", trade="battery") == "dendrite"


def test_a_later_file_wins_over_an_earlier_one(tmp_path: Path) -> None:
    first = written(tmp_path, "trade: any\nterms:\n  zorp: {kind: surface defect}\n", "a.yaml")
    second = written(tmp_path, "trade: any\nterms:\n  zorp: {kind: contamination}\n", "b.yaml")
    assert load_ontology(first, second).falls_under("zorp", "contamination") is True
    assert load_ontology(second, first).falls_under("zorp", "contamination") is False


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "trade: bare board\n"
        "color: red\n"
        "groups:\n"
        "  ring a: {under: ring b}\n"
        "  ring b: {under: ring a}\n"
        "terms:\n"
        "  dog leg: {kind: no such kind}\n"
        "  cat leg: {kind: surface defect, families: [nowhere], also: [crooked track]}\n"
        "  cow leg: {kind: surface defect, also: [crooked tracks], size: 3}\n"
        "  fly leg: {also: [[]]}\n"
        "  two legs: {kind: surface defect, also: [left or right leg]}\n"
        "  scratch: {kind: surface defect}\n"
        "  scratch: {kind: surface defect}\n"
        "  surface defect: {kind: surface defect}\n",
    )
    with pytest.raises(SettingsError) as caught:
        load_ontology(path)
    told = {mistake.removeprefix(f"{path}:") for mistake in caught.value.mistakes}
    assert told == {
        "2: color: expected one of trade, also, products, groups, terms; this key is unknown",
        "4: groups.ring a: expected wider groups, it lies under itself",
        "5: groups.ring b: expected wider groups, it lies under itself",
        "7: terms.dog leg.kind: expected a group that some file has, found 'no such kind'",
        "8: terms.cat leg: expected a group or a term, found 'nowhere'",
        "9: terms.cow leg: expected 'crooked tracks' once in the trade 'bare board', it is a word "
        f"for 'cat leg' too ({path}:8)",
        "9: terms.cow leg.size: expected one of kind, families, also, labels; this key is unknown",
        "10: terms.fly leg: expected a kind, found none",
        "10: terms.fly leg.also: expected a word or a list of words",
        "11: terms.two legs: expected one thing, found 2 in 'left or right leg'; write each by "
        "itself",
        "13: terms.scratch: expected once, it is on line 12 too",
        "14: terms.surface defect: expected a new name, it is a group in "
        f"{PACKAGE / 'ontology/trades/any.yaml'}:"
        f"{_line_of('  surface defect:')}",
    }


def _line_of(start: str) -> int:
    text = (PACKAGE / "ontology/trades/any.yaml").read_text(encoding="utf-8")
    return next(n for n, line in enumerate(text.splitlines(), start=1) if line.startswith(start))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("terms: {}\n", "1: trade: expected the trade of the terms"),
        ("trade: [\n", "expected YAML"),
        ("just words\n", "1: expected the keys trade and terms"),
        ("", "1: expected the keys trade and terms"),
        ("trade: any\nterms: [a, b]\n", "2: terms: expected a name and what belongs to it"),
        ("trade: any\nterms:\n  no: {kind: defect, also: [0402 lift]}\n  x: y\n", "4: terms.x"),
    ],
)
def test_a_file_that_is_no_term_file_says_so(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load_ontology(written(tmp_path, text))


def test_a_missing_or_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.yaml: expected a file of terms"):
        load_ontology(tmp_path / "gone.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"trade: any\nterms: {gr\xfcn: {kind: defect}}\n")
    with pytest.raises(SettingsError, match=r"latin\.yaml: expected UTF-8 text"):
        load_ontology(tmp_path / "latin.yaml")


# --- the words of the shipped judge -----------------------------------------------------------


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


# --- codes ------------------------------------------------------------------------------------


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
