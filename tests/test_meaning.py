"""Lines that ask for the same have one meaning, others have not."""

import pytest

from inspector.meaning import meaning
from inspector.reading import from_line


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("defects(dents) < 3", "defects(dents) <= two"),
        ("defects(Dents | pits) <= 0", "defects(pits | dents) = 0"),
        ("defects(a) = 0 and defects(b) = 0", "defects(b) = 0 and defects(a) = 0"),
        ("defects(a; in rim; longest > 0.5 mm) = 0", "defects(a; longest > 500 µm; in rim) = 0"),
        ('texts("A" | "B") >= 1', 'texts("b" | "a") > 0'),
        ("codes(QR code) > 1", "codes(QR code) >= 2"),
        ("not (defects(a) < 2)", "not (defects(a) <= 1)"),
        ("if defects(a) > 0 then defects(b) <= 0", "if defects(a) >= 1 then defects(b) = 0"),
        ("defects(a) = 0 and defects(a) <= 0", "defects(a) = 0"),
        ("if defects(a) >= 1 then defects(b) = 0", "defects(b) = 0 or defects(a) = 0"),
        ("if not (defects(a) = 0) then defects(b) = 0", "not (defects(a) > 0 and defects(b) > 0)"),
        (
            "defects(a) = 0 or (defects(b) = 0 or defects(c) = 0)",
            "defects(c) = 0 or defects(b) = 0 or defects(a) = 0",
        ),
        ("not (not (length(a) < 3 mm))", "not (length(a) >= 3 mm)"),
        ("equal(field lot; code QR code; exact)", "equal(code QR code; field lot; exact)"),
        ("date(field made) < field expiry", "date(field expiry) > field made"),
        ("no check", "no check"),
    ],
)
def test_lines_that_ask_for_the_same(one, other):
    assert meaning(from_line(one)) == meaning(from_line(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("defects(dents) < 3", "defects(dents) <= 3"),
        ("defects(a; longest > 1 mm) = 0", "defects(a; longest >= 1 mm) = 0"),
        ("length(a) < 3 mm", "length(a) <= 2 mm"),
        ("defects(a; in rim) = 0", "defects(a; not in rim) = 0"),
        ("defects(a) = 0 and defects(b) = 0", "defects(a) = 0 or defects(b) = 0"),
        ("no check", "defects(a) = 0"),
        ("if defects(a) >= 1 then defects(b) = 0", "if defects(b) = 0 then defects(a) >= 1"),
        ("contains(field lot; code)", "contains(code; field lot)"),
        ("date(field made) < field expiry", "date(field expiry) < field made"),
        ("not (defects(a; each kind) <= 1)", "defects(a; each kind) > 1"),
        ("not (codes(any) = 2)", "codes(any) = 2"),
    ],
)
def test_lines_that_ask_for_something_else(one, other):
    assert meaning(from_line(one)) != meaning(from_line(other))
