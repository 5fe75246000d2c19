"""What a page shows, as the tests read it."""

from __future__ import annotations

import base64
from collections.abc import Callable

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

Open = Callable[..., AppTest]


def words(page: AppTest) -> str:
    """Return all HTML of a page, the style left out; fail where the page did."""
    assert not page.exception, page.exception
    bodies = [element.proto.body for element in page.get("html")]
    return "\n".join(body for body in bodies if "<style>" not in body)


def picture(page: AppTest) -> str:
    """Return the one picture of a page, as SVG."""
    assert not page.exception, page.exception
    (shown,) = page.get("image")
    return base64.b64decode(shown.proto.imgs[0].url.split(",", 1)[1]).decode()


def named(page: AppTest, *, name: str = "Ana") -> AppTest:
    """Enter a reviewer's name."""
    return page.text_input(key="reviewer_input").input(name).run()


def banner(page: AppTest, part_id: str) -> bool:
    """Return whether the part in turn is that one."""
    return f"<b>{part_id} · front</b>" in words(page)


def button(page: AppTest, name: str) -> Button:
    """Return the one button of that name, whatever part it belongs to."""
    (found,) = (button for button in page.button if (button.key or "").startswith(name))
    return found
