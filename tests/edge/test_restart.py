"""A station that is killed as an answer leaves, and a PLC that asks again after the restart."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from edge_builders import LinePlc, running, station_processes

from edge import messages
from inspector.settings import StationSettings


@contextlib.contextmanager
def killed_station(settings: StationSettings, folder: Path, *, moment: str) -> Iterator[None]:
    """Run a station that kills itself at that moment of its first part."""
    with station_processes(settings, folder) as stations:
        pid = stations.start(moment)
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # where it did not do so itself
        assert stations.exit_code() == -signal.SIGKILL


def the_row(settings: StationSettings) -> sqlite3.Row:
    with contextlib.closing(
        sqlite3.connect(settings.database.removeprefix("sqlite:///"))
    ) as database:
        database.row_factory = sqlite3.Row
        (row,) = database.execute("SELECT * FROM inspections").fetchall()
    return row


def trigger_until_killed(
    settings: StationSettings, plc: LinePlc, folder: Path, *, moment: str
) -> None:
    with killed_station(settings, folder, moment=moment):
        plc.await_state("Ready")
        plc.trigger("r1")
        assert plc.await_end().state == "Error"  # the last will
    plc.seen = [arrival for arrival in plc.seen if not arrival.topic.endswith(messages.STATE)]


def test_an_answer_that_was_about_to_leave_is_a_row_that_names_the_doubt(
    settings: StationSettings, plc: LinePlc, tmp_path: Path
):
    trigger_until_killed(settings, plc, tmp_path, moment="before-sending")
    with running(settings):
        plc.await_state("Ready")
        row = the_row(settings)
        assert plc.count(messages.RESULT) == 0, "a late answer"
        assert (row["decision"], row["sent_decision"], row["open_review"]) == ("PASS", "PASS", 1)
        assert "the PLC may not have got it" in row["detail"]
        plc.trigger("r1")
        answer = plc.result("r1")
    assert (answer.decision, answer.inspection_id.replace("-", "")) == ("PASS", row["id"])
    assert the_row(settings)["id"] == row["id"]


def test_an_answer_that_left_is_given_again_after_the_restart(
    settings: StationSettings, plc: LinePlc, tmp_path: Path
):
    trigger_until_killed(settings, plc, tmp_path, moment="after-sending")
    first = plc.result("r1")
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1")
        again = plc.result("r1", nth=2)
    assert (again.inspection_id, again.decision) == (first.inspection_id, first.decision)
    assert again.seq == 0
    assert the_row(settings)["sent_decision"] == "PASS"


@pytest.mark.parametrize(("part_id", "code"), [("GOOD", 3), ("BAD", None)])
def test_a_part_that_was_open_is_told_as_interrupted_to_whoever_asks_again(
    settings: StationSettings, plc: LinePlc, tmp_path: Path, part_id: str, code: int | None
):
    trigger_until_killed(settings, plc, tmp_path, moment="inspecting")
    with running(settings):
        plc.await_state("Ready")
        row = the_row(settings)
        assert (row["decision"], row["reason"], row["sent_decision"]) == (
            "HOLD", "INTERRUPTED", None,
        )  # fmt: skip
        assert plc.count(messages.RESULT) == 0
        plc.trigger("r1", part_id=part_id)
        if code is None:
            assert plc.rejected("r1").reason == "DUPLICATE_ID"
        else:
            answer = plc.result("r1")
            assert (answer.code, answer.reason) == (code, "INTERRUPTED")
    assert the_row(settings)["id"] == row["id"]


def test_outside_the_window_a_used_id_is_a_new_part(
    settings: StationSettings, plc: LinePlc, tmp_path: Path
):
    brief = StationSettings.model_validate({**settings.model_dump(), "duplicate_window_s": 0.001})
    trigger_until_killed(brief, plc, tmp_path, moment="inspecting")
    with running(brief):
        plc.await_state("Ready")
        plc.trigger("r1")
        assert plc.result("r1").decision == "PASS"
