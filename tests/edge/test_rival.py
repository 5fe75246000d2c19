"""Whose state is heard under a station's own name."""

import pytest

from edge import messages
from edge.mqtt import Arrival
from edge.rival import RivalWatch

OWN, OTHER = "own-boot", "other-boot"


def said(boot, ts, *, retained, online=1):
    state = messages.State(online=online, state="Ready", detail="", boot=boot, ts=ts)
    payload = messages.encode(state)
    return Arrival(topic="x/state", payload=payload, retained=retained, received_ns=0)


@pytest.mark.parametrize(
    ("ts", "retained", "online", "rival", "said_again"),
    [
        ("2026-11-23T08:00:00.000Z", True, 1, None, 1),  # a broker saved it before this start
        ("2026-11-23T10:00:00.000Z", True, 1, OTHER, 0),
        ("yesterday", True, 1, OTHER, 0),
        ("2026-11-23T08:00:00.000Z", False, 1, OTHER, 0),
        ("2026-11-23T08:00:00.000Z", False, 0, None, 1),  # a last will that came late
    ],
)
def test_a_state_of_another_boot_is_a_rival_unless_it_is_of_an_earlier_life(
    ts, retained, online, rival, said_again
):
    told = []
    watch = RivalWatch(boot=OWN, overwritten=lambda: told.append(1))
    watch.hear(said(OWN, "2026-11-23T09:00:00.000Z", retained=False))
    watch.hear(said(OTHER, ts, retained=retained, online=online))
    assert watch.rival() == rival
    assert len(told) == said_again


def test_what_is_retained_before_the_station_has_spoken_is_of_its_last_life():
    watch = RivalWatch(boot=OWN, overwritten=lambda: pytest.fail("said again"))
    watch.hear(said(OTHER, "2026-11-23T10:00:00.000Z", retained=True))
    assert watch.rival() is None
