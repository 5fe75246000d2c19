"""Numbers, lengths, spans and dates as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from inspector.quantities import Quantity, after, printed_date, quantities


@pytest.mark.parametrize(
    ("clause", "found"),
    [
        ("no more than two chips", [("count", 2)]),
        ("fewer than 12 chips over 0,3 mm", [("count", 12), ("length", 0.3)]),
        ("up to 250 µm", [("length", 0.25)]),
        ("half a millimetre", [("length", 0.5)]),
        ("more than 2 mm² or 3 square millimetres", [("area", 2), ("area", 3)]),
        ("at least six months of life", [("span", 6)]),
        ("Code 39, class 2 and drawing 4711", []),
        ("at most one nick on one board", [("count", 1)]),
        ("zero nicks", []),
    ],
)
def test_the_limits_of_a_clause_are_found(clause: str, found: list[tuple[str, float]]) -> None:
    read = quantities(clause)
    assert [q.kind for q in read] == [kind for kind, _ in found]
    assert [q.value for q in read] == pytest.approx([value for _, value in found])


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("EXP 2027-03", date(2027, 3, 31)),
        ("BB 31.12.2026", date(2026, 12, 31)),
        ("best before 12 MAR 2027", date(2027, 3, 12)),
        ("03/2027", date(2027, 3, 31)),
        ("FEB 28", date(2028, 2, 29)),
        ("2026-13-40", None),
        ("LOT 12345", None),
        ("31.02.2027", None),
        ("2027-02-30", None),
        ("31-04-2027", None),
        ("31 APR 2027", None),
        ("31.02.2027, then 2027-03-01", date(2027, 3, 1)),
        ("Lot 45 MAR 2027", date(2027, 3, 31)),
        ("MFG 01.2026 EXP 2027-03-01", date(2026, 1, 31)),
        ("12. OKTOBER 2027", date(2027, 10, 12)),
        ("MAYONNAISE 50 g", None),
        ("MARS 51 g", None),
    ],
)
def test_the_first_possible_date_is_read(text: str, day: date | None) -> None:
    assert printed_date(text) == day


def test_months_are_added_by_the_calendar() -> None:
    month = Quantity(kind="span", words="one month", value=1, span="month")
    assert after(date(2026, 1, 31), month) == date(2026, 2, 28)
