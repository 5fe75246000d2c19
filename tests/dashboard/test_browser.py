"""The pages in a real browser: Chromium of the system, driven by playwright."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dashboard_seeding import Plant, part, with_picture

from dashboard import data
from inspector.cli.dashboard import dashboard_process
from inspector.domain import Decision
from inspector.storage import queries
from inspector.storage.recorded import recorded_part

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install playwright"
)
pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="Chromium is not installed: apt-get install chromium"
)


@pytest.fixture
def page(plant: Plant) -> Iterator[Any]:
    """A browser page at the dashboard of three parts; it keeps every foreign address it asks."""
    for name in ("first", "second", "third"):
        recorded = part(datetime.now(UTC), part_id=name)
        plant.store.record(with_picture(recorded, plant.records))
    with (
        dashboard_process(url=plant.url, records=plant.records) as address,
        playwright.sync_playwright() as driver,
        driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS) as browser,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 900}, base_url=address)
        page.foreign = []
        own = (address, address.replace("http", "ws"), "data:", "blob:")
        page.on("request", lambda r: r.url.startswith(own) or page.foreign.append(r.url))
        page.on("websocket", lambda w: w.url.startswith(own) or page.foreign.append(w.url))
        yield page


def test_pages_work_and_ask_nothing_of_other_machines(page: Any, plant: Plant) -> None:
    page.goto("/")
    page.get_by_text("RUNNING").wait_for()
    page.get_by_alt_text("picture of part third").wait_for()
    page.get_by_role("link", name="History").click()
    page.get_by_text("Clause by clause").wait_for()
    page.get_by_role("link", name="Review").click()

    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Your name").press("Enter")
    first, second, _ = queries.review_queue(plant.database, limit=9)
    _button(page, "FAIL", first).wait_for()
    page.mouse.click(700, 75)  # out of the text box
    page.keyboard.press("f")  # agree
    page.get_by_text("Saved: first").wait_for()
    _button(page, "PASS", second).wait_for()
    page.keyboard.press("p")  # overrule: good
    page.get_by_text("Why is it").wait_for()
    page.keyboard.press("1")  # the first reason
    page.get_by_text("Saved: second").wait_for()

    assert _decided(plant, first) == [(Decision.FAIL, data.AGREED)]
    assert _decided(plant, second) == [(Decision.PASS, "NO_DEFECT")]
    assert page.foreign == []


def test_a_live_page_that_is_no_longer_refreshed_says_so(page: Any) -> None:
    page.goto("/")
    beat = page.locator(".watchdog")
    beat.wait_for(state="attached")
    now = beat.get_attribute("class")
    page.wait_for_function("was => document.querySelector('.watchdog').className !== was", arg=now)
    assert not beat.is_visible()
    # what time does where no refresh comes; in one step, since the next one is at most 2 s away
    visibility, said = page.evaluate(
        """() => {
            const beat = document.querySelector(".watchdog");
            beat.getAnimations().forEach(animation => animation.finish());
            return [getComputedStyle(beat).visibility, beat.textContent];
        }"""
    )
    assert visibility == "visible"
    assert "no longer updated" in said


def _decided(plant: Plant, shown: queries.PartSummary) -> list[tuple[Decision, str]]:
    found = recorded_part(plant.database, shown.id)
    assert found is not None
    return [(review.decision, review.reason) for review in found.reviews]


def _button(page: Any, decision: str, shown: queries.PartSummary) -> Any:
    """Return the button of that part, once it can be pressed."""
    return page.locator(f".st-key-decide_{decision}_{shown.id} button:enabled")
