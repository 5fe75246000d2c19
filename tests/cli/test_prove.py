"""`inspector prove` from outside."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
import typer
from rich.console import Console

from edge.proof.faults import KINDS
from edge.proof.fuzz import Fuzzed
from edge.proof.ledger import Account, Struck
from edge.proof.run import account_json
from inspector.cli.prove import _kinds, _print, prove
from inspector.errors import InspectorError

GOOD = Account(
    **{
        item.name: () if item.name in {"faults", "examples"} else 0
        for item in fields(Account)
        if item.name not in {"triggers", "broker", "database", "fuzz"}
    },
    triggers=40,
    broker="a broker",
    database="a database",
    fuzz=None,
)
FUZZED = Fuzzed(
    payloads_per_topic=200,
    topics=12,
    payloads=2400,
    answered=30,
    took_s=4.0,
    threads=20,
    threads_lost=(),
    restarts=0,
    exits=0,
    heard_alarms=True,
    rss_before_mb=250.0,
    rss_after_mb=251.0,
)
BROKEN = (
    "unanswered",
    "late_pass",
    "late",
    "wrong_answers",
    "pass_unrecorded",
    "records_lost",
    "duplicates",
    "answered_twice",
    "stream_gaps",
    "stream_disorder",
    "spool_left",
    "not_conserved",
    "will_missing",
)


def test_faults_are_all_none_or_named():
    assert _kinds("all") == tuple(KINDS)
    assert _kinds("none") == ()
    assert _kinds("power_cut,disk_full") == ("power_cut", "disk_full")
    with pytest.raises(typer.BadParameter, match="found cosmic_rays"):
        _kinds("power_cut,cosmic_rays")


@pytest.mark.parametrize("broken", BROKEN)
def test_one_broken_promise_is_enough(broken: str):
    assert GOOD.is_good
    assert not replace(GOOD, **{broken: 1}).is_good


def test_a_fault_without_recovery_is_a_broken_promise():
    faults = (Struck(kind="power_cut", at_s=1.0, recovery_s=None),)
    assert not replace(GOOD, faults=faults).is_good
    assert replace(GOOD, faults=(replace(faults[0], recovery_s=0.4),)).is_good


def test_a_fault_that_could_not_be_played_is_listed_and_breaks_nothing(capsys):
    faults = (
        Struck(kind="disk_full", at_s=1.0, recovery_s=None, not_run="needs root"),
        Struck(kind="power_cut", at_s=2.0, recovery_s=0.4),
        Struck(kind="power_cut", at_s=9.0, recovery_s=0.7),
    )
    account = replace(GOOD, faults=faults)
    assert account.is_good
    _print(account, Console(width=200))
    printed = capsys.readouterr().out
    assert re.search(r"no byte is left for records +│ 0 +│ +│ needs root", printed)
    assert re.search(r"fsynced is gone from its spool +│ 2 +│ 0\.70 s", printed)


def test_a_thread_that_a_payload_ended_is_a_broken_promise(capsys):
    assert replace(GOOD, fuzz=FUZZED).is_good
    broken = replace(GOOD, fuzz=replace(FUZZED, threads_lost=("intake",)))
    assert not broken.is_good
    _print(broken, Console(width=200))
    assert re.search(r"threads that they ended +intake", capsys.readouterr().out)


def test_a_run_without_triggers_proves_nothing():
    assert not replace(GOOD, triggers=0).is_good


def test_the_account_is_one_line_of_json():
    line = account_json(replace(GOOD, seed=7, rss_before_mb=10.0, rss_after_mb=11.0))
    said = json.loads(line)
    assert line.startswith('{"schema": "prove/1", "seed": 7')
    assert said["rss_mb"] == {"before": 10.0, "after": 11.0}
    assert said["ok"] is True


def test_a_folder_with_files_is_left_alone(tmp_path: Path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InspectorError, match=r"expected .* to be absent or empty"):
        prove(
            triggers=20,
            faults="none",
            payloads=0,
            database="auto",
            seed=0,
            folder=tmp_path,
            keep=False,
            as_json=True,
        )
