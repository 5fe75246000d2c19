"""History, without a browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dashboard_pages import Open, picture, words
from dashboard_seeding import Plant, part, with_picture

from dashboard import data
from inspector.domain import Decision, Reason


def test_history_explains_a_part_clause_by_clause_in_the_standards_words(
    plant: Plant, open_page: Open
) -> None:
    recorded = with_picture(part(datetime.now(UTC)), plant.records)
    plant.store.record(recorded)
    page = open_page("history", part=str(recorded.id))
    shown = words(page)
    assert "No short between conductors is accepted" in shown  # of the standard, by its sha256
    assert "1 short of 0.63 mm found" in shown
    assert "measured rule" in shown
    assert data.REASONS[Reason.RULE_VIOLATED].remedy in shown
    assert "4006381333931" in shown
    assert recorded.provenance.frame_sha256 is not None
    assert recorded.provenance.frame_sha256 in shown
    assert 'x="20.0" y="30.0"' in picture(page)


def test_history_says_who_has_read_the_answer(plant: Plant, open_page: Open) -> None:
    now = datetime.now(UTC)
    for by, said in (("robot <2>", "Read by robot &lt;2&gt; at "), ("", "Read by the PLC at ")):
        recorded = part(now)
        plant.store.record(recorded)
        assert "Read by" not in words(open_page("history", part=str(recorded.id)))
        plant.store.acknowledge(recorded.id, by=by, at=now)
        assert said in words(open_page("history", part=str(recorded.id)))


def test_printed_text_is_shown_as_text_not_as_markup(plant: Plant, open_page: Open) -> None:
    recorded = part(datetime.now(UTC))
    plant.store.record(recorded)
    shown = words(open_page("history", part=str(recorded.id)))
    assert "&lt;b&gt;LOT 7&lt;/b&gt;" in shown
    assert "<b>LOT 7</b>" not in shown


def test_a_standard_that_is_not_here_any_more_shows_clauses_by_id(
    plant: Plant, open_page: Open
) -> None:
    recorded = replace(part(datetime.now(UTC)), standard_rev="e" * 64)
    plant.store.record(recorded)
    shown = words(open_page("history", part=str(recorded.id)))
    assert "<b>B2</b>" in shown
    assert "No short between conductors" not in shown


def test_a_picture_that_is_gone_is_said_and_the_rest_stays(plant: Plant, open_page: Open) -> None:
    recorded = replace(part(datetime.now(UTC)), picture="2026/01/01/gone.png")
    plant.store.record(recorded)
    shown = words(open_page("history", part=str(recorded.id)))
    assert "The picture cannot be shown" in shown
    assert "1 short of 0.63 mm found" in shown


def test_a_filter_leaves_only_what_it_names(plant: Plant, open_page: Open) -> None:
    now = datetime.now(UTC)
    plant.store.record(part(now, decision=Decision.PASS, part_id="good"))
    plant.store.record(part(now, decision=Decision.FAIL, part_id="bad"))
    page = open_page("history")
    page.selectbox(key="decision").select(Decision.FAIL).run()
    assert list(page.dataframe[0].value["Part"]) == ["bad · front"]
    page.text_input(key="part_id").input("good").run()
    assert "No part matches" in words(page)


def test_pages_turn_back_and_forth_and_a_new_filter_begins_at_the_first(
    plant: Plant, open_page: Open
) -> None:
    now = datetime.now(UTC)
    for n in range(53):
        plant.store.record(part(now - timedelta(seconds=n), part_id=f"B-{n}"))
    page = open_page("history")
    page.button(key="older").click().run()
    assert list(page.dataframe[0].value["Part"]) == [f"B-{n} · front" for n in (50, 51, 52)]
    page.button(key="newer").click().run()
    assert page.dataframe[0].value["Part"].iloc[0] == "B-0 · front"
    page.button(key="older").click().run()
    page.text_input(key="lot").input("L7").run()
    assert page.dataframe[0].value["Part"].iloc[0] == "B-0 · front"


def test_an_address_that_names_no_part_is_said(plant: Plant, open_page: Open) -> None:
    plant.store.record(part(datetime.now(UTC)))
    assert "No such part" in words(open_page("history", part="nonsense"))
