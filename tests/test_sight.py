"""Which clauses no finding of a camera can decide."""

from datetime import date
from pathlib import Path

import pytest

from inspector.cases import read_cases
from inspector.domain import Box, Context, Detection, Evidence
from inspector.sight import unseen

CASES = Path(__file__).parents[1] / "inspector/assets/cases/judge.jsonl"
BOX = Box(x0=0, y0=0, x1=1, y1=1)


def part(*labels, zone=None):
    return Evidence(
        product="part",
        defects=tuple(Detection(label=x, confidence=1, box=BOX, zone=zone) for x in labels),
        texts=(),
        codes=(),
        context=Context(inspected_on=date(2026, 11, 23)),
    )


@pytest.mark.parametrize(
    "clause",
    [
        "The part weighs no more than 5 g.",
        "Hardness 58 to 62 HRC.",
        "It must not smell.",
        "The tightening torque of the screws is 12 Nm.",
        "Operating temperature below 60 °C.",
        "Store in a cool place.",
        "零件不得有异味",
        "Qwx zrt.",
        "\x00\x1b[31m",
        "",
    ],
)
def test_what_no_camera_sees_is_told_so(clause):
    assert unseen(clause, part()) is not None


@pytest.mark.parametrize(
    "clause",
    [
        "No scratches longer than 0.5 mm.",
        "The net weight must be printed.",
        "The lot number equals the work order.",
        "A QR code is required.",
        "No defects of any kind.",
        "Whatever it is, we don't want it in zone A.",
        'The words "max. 5 bar" are on the housing.',
    ],
)
def test_what_a_camera_sees_is_left_to_the_judge(clause):
    assert unseen(clause, part()) is None


def test_labels_and_zones_that_are_looked_for_can_be_seen():
    assert unseen("No blorps at the frizz.", part()) is not None
    assert unseen("No blorps at the frizz.", part(), looked_for=("blorp",)) is None
    assert unseen("No blorps at the frizz.", part("blorp")) is None
    assert unseen("No blorps at the frizz.", part("x", zone="frizz")) is None


def test_few_clauses_of_real_standards_are_held_back():
    cases = read_cases(CASES)
    held = [c for c in cases if unseen(c.clauses[0].text, c.evidence) is not None]
    assert len(held) <= 0.02 * len(cases)
