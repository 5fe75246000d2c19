"""SIGKILL at random moments under triggers: no record is lost, no answer is another life's."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from edge_builders import (
    WAIT_S,
    LinePlc,
    StationProcesses,
    line_plc,
    station_processes,
    station_settings,
)

from edge import messages
from edge.queues import taken
from inspector.settings import StationSettings

KILLS = 20
SEED = 20261123
DEADLINE_MS = 2000
LIVES_FOR_S = 0.35  # at most, after Ready
START_WITHIN_S = 30.0


class Line:
    """A station that is killed and started again, and the PLC that goes on triggering."""

    def __init__(self, settings: StationSettings, stations: StationProcesses, plc: LinePlc):
        self._settings = settings
        self._stations = stations
        self.plc = plc
        self.life_of: dict[str, int] = {}
        self.ready_ns: list[int] = []
        self._life = 0

    def start(self) -> int:
        """Start a station process and return its pid once it is Ready."""
        self._life += 1
        boots = {state.boot for _, state in self.states()}
        pid = self._stations.start()
        give_up = time.monotonic() + START_WITHIN_S
        while not any(
            state.state == "Ready" and state.boot not in boots for _, state in self.states()
        ):
            assert time.monotonic() < give_up, "the station did not become Ready"
            self.read(0.05)
        self.ready_ns.append(time.monotonic_ns())
        return pid

    def states(self) -> list[tuple[int, messages.State]]:
        return [
            (arrival.received_ns, messages.decode(messages.State, arrival.payload))
            for arrival in self.plc.seen
            if arrival.topic.endswith(messages.STATE)
        ]

    def read(self, wait_s: float) -> None:
        self.plc.seen.extend(taken(self.plc.link.arrivals, wait_s=wait_s))

    def trigger_until(self, stop: threading.Event) -> None:
        number = 0
        while not stop.wait(0.006):
            number += 1
            request_id = f"life{self._life}-{number}"
            self.life_of[request_id] = self._life
            self.plc.trigger(request_id, part_id="GOOD" if number % 3 else "BAD")

    def live(self, pid: int, *, for_s: float) -> None:
        """Trigger for that long, then kill the station and see its last will."""
        stop = threading.Event()
        threading.Timer(for_s, stop.set).start()
        self.trigger_until(stop)
        killed_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        assert self._stations.exit_code() == -signal.SIGKILL
        give_up = time.monotonic() + WAIT_S
        while not any(state.online == 0 and at > killed_ns for at, state in self.states()):
            assert time.monotonic() < give_up, "no last will"
            self.read(0.05)

    def answers(self) -> list[tuple[int, messages.Result]]:
        return [
            (arrival.received_ns, messages.decode(messages.Result, arrival.payload))
            for arrival in self.plc.seen
            if arrival.topic.endswith(messages.RESULT)
        ]

    def accepted(self) -> set[str]:
        return {
            messages.decode(messages.Accepted, arrival.payload).request_id
            for arrival in self.plc.seen
            if arrival.topic.endswith(messages.ACCEPTED)
        }

    def records(self) -> list[dict[str, object]]:
        return [
            json.loads(arrival.payload)
            for arrival in self.plc.seen
            if arrival.topic.endswith(f"/{messages.RECORD}")
        ]

    def await_records(self) -> None:
        """Wait until each row was published; a station that is stopped leaves some for later."""
        wanted = {row["seq"] for row in self.rows()}
        give_up = time.monotonic() + START_WITHIN_S
        while not wanted <= {record["seq"] for record in self.records()}:
            assert time.monotonic() < give_up, "some rows were not published"
            self.read(0.05)

    def rows(self) -> list[sqlite3.Row]:
        file = self._settings.database.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.row_factory = sqlite3.Row
            return database.execute("SELECT * FROM inspections ORDER BY seq").fetchall()


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, broker_port: int, migrated: Path) -> Line:
    """A line whose station was killed at every moment, and then stopped in order."""
    folder = tmp_path_factory.mktemp("crash")
    base = "qc/crash"
    settings = station_settings(
        folder,
        port=broker_port,
        migrated=migrated,
        station_id="crash",
        deadline_ms=DEADLINE_MS,
        queue_size=200,
    )
    moments = random.Random(SEED)
    with (
        line_plc(broker_port, base=base, client_id="crash-plc") as plc,
        station_processes(settings, folder) as stations,
    ):
        line = Line(settings, stations, plc)
        for _ in range(KILLS):
            line.live(line.start(), for_s=moments.uniform(0.0, LIVES_FOR_S))
        last = line.start()
        line.await_records()
        os.kill(last, signal.SIGTERM)
        assert stations.exit_code() == 0
        plc.await_message(
            messages.STATE,
            lambda payload: b'"Halted"' in payload and b'"online":0' in payload,
        )
        line.read(0.1)
    return line


def test_every_accepted_trigger_is_one_row(line: Line):
    rows = Counter(row["request_id"] for row in line.rows())
    assert line.accepted()
    assert line.accepted() <= set(rows)
    assert set(rows.values()) == {1}


def test_every_answer_has_a_row_that_says_what_was_sent(line: Line):
    rows = {row["request_id"]: row for row in line.rows()}
    answers = [answer for _, answer in line.answers()]
    assert any(answer.decision != "HOLD" for answer in answers)
    for answer in answers:
        row = rows[answer.request_id]
        assert row["id"].replace("-", "") == answer.inspection_id.replace("-", "")
        if answer.decision != "HOLD":
            assert (row["decision"], row["sent_decision"]) == (answer.decision, answer.decision)


def test_what_was_open_is_interrupted_and_was_never_answered(line: Line):
    interrupted = [row for row in line.rows() if row["reason"] == "INTERRUPTED"]
    answered = {answer.request_id for _, answer in line.answers() if answer.decision != "HOLD"}
    assert interrupted, "no ticket was open at any kill: the test proves nothing"
    assert not answered & {row["request_id"] for row in interrupted}
    assert all(row["decision"] == "HOLD" for row in interrupted)


def test_no_trigger_is_answered_twice_or_in_a_later_life(line: Line):
    answers = line.answers()
    assert max(Counter(answer.request_id for _, answer in answers).values()) == 1
    for received_ns, answer in answers:
        assert received_ns < line.ready_ns[line.life_of[answer.request_id]]


def test_every_row_is_published_in_order(line: Line):
    seqs = [int(str(record["seq"])) for record in line.records()]
    firsts = list(dict.fromkeys(seqs))
    assert firsts == [row["seq"] for row in line.rows()]
    assert firsts == sorted(firsts)


def test_no_ticket_is_left_in_the_spool(line: Line):
    assert list((line._settings.records / "spool").glob("*.ticket")) == []
