"""`inspector demo`: a whole line on this machine, under ./inspector-demo.

Broker, station, PLC simulator and dashboard are processes of their own, as in a plant; this one
starts them, shows what the PLC is told, compares it with the known truth and stops them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table

from inspector.checks import KeyedCheck
from inspector.cli.dashboard import dashboard_process
from inspector.cli.inspect import STYLES
from inspector.domain import Decision
from inspector.errors import BrokerError, InspectorError, StorageError
from inspector.reading import in_words
from inspector.settings import PACKAGE, load_recipe, load_station, shipped_configs
from inspector.storage.database import upgrade

FOLDER = Path("inspector-demo")
MARKER = ".inspector-demo"
SAMPLES = PACKAGE / "assets" / "samples"
AGREEMENT_DUE = 0.95
ROWS_SHOWN = 20
STOP_WITHIN_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the PLC was told of one part, and what is true of it."""

    part_id: str
    decision: Decision
    reason: str
    clause_ids: str
    latency_ms: float
    truth: Decision

    @property
    def agrees(self) -> bool:
        return self.decision is self.truth


def run_demo(*, parts: int | None, with_dashboard: bool, keep: bool, as_json: bool) -> int:
    """Run the demo and return its exit code: 0 as it should be, 1 otherwise."""
    console = Console(stderr=as_json)
    signal.signal(signal.SIGTERM, _interrupt)
    _prepare(FOLDER, keep=keep)
    truth = {row["part_id"]: Decision(row["decision"]) for row in _lines(SAMPLES / "truth.jsonl")}
    parts_file = FOLDER / "parts.jsonl"
    wanted = _lines(SAMPLES / "demo.jsonl")[:parts]
    parts_file.write_text("".join(json.dumps(part) + "\n" for part in wanted))
    station_file = shipped_configs() / "stations" / "demo.yaml"
    answers: list[Answer] = []
    with contextlib.ExitStack() as stack:
        try:
            console.print("starting the broker …", highlight=False)
            port = stack.enter_context(_broker())
            os.environ["INSPECTOR_DEMO_MQTT_PORT"] = str(port)
            settings = load_station(station_file)
            upgrade(settings.database)
            console.print(readings(settings.recipes))
            console.print("starting the station: loading and checking the models …")
            station = stack.enter_context(
                _process("run", str(station_file), log=FOLDER / "station.log")
            )
            if with_dashboard:
                url = stack.enter_context(
                    dashboard_process(url=settings.database, records=settings.records)
                )
                console.print(f"dashboard: [bold]{url}[/]", highlight=False)
            plc = stack.enter_context(
                _process(
                    "plc",
                    f"--parts={parts_file}",
                    f"--port={port}",
                    f"--base={settings.mqtt_base}",
                    "--json",
                    log=FOLDER / "plc.log",
                    stdout=subprocess.PIPE,
                )
            )
            _follow(plc, station, truth, answers, console, total=len(wanted))
            summary = _summary(answers, asked=len(wanted), settings_records=settings.records)
            _print_summary(summary, answers, console, as_json=as_json)
            if with_dashboard:
                console.print(f"dashboard at [bold]{url}[/]; Ctrl-C ends the demo", highlight=False)
                signal.pause()
        except KeyboardInterrupt:
            console.print("stopping …")
            if len(answers) < len(wanted):
                return 130
    good = (
        len(answers) == len(wanted)
        and summary["agreement"] >= AGREEMENT_DUE
        and summary["escapes"] == 0
    )
    return 0 if good else 1


def readings(recipes: Sequence[str]) -> Table:
    """Return the clauses that were read from their words, as they bind in these recipes."""
    table = Table(title="clauses read from their words, approved by a person", title_justify="left")
    for heading in ("recipe", "clause", "its words", "read as"):
        table.add_column(heading)
    for name in recipes:
        for clause in load_recipe(name).standard.clauses:
            if clause.check is not None and not isinstance(clause.check, KeyedCheck):
                table.add_row(name, clause.id, clause.text, in_words(clause.check))
    return table


def _prepare(folder: Path, *, keep: bool) -> None:
    """Make the demo's folder; only one that carries the demo's own marker is ever cleared."""
    if folder.exists() and not (folder / MARKER).is_file():
        raise StorageError(
            f"expected {folder} to be absent or made by an earlier demo, found something else; "
            "move it away or run the demo in another folder"
        )
    if folder.exists() and not keep:
        shutil.rmtree(folder)
    try:
        folder.mkdir(exist_ok=True)
        (folder / MARKER).touch()
    except OSError as exc:
        raise StorageError(
            f"expected to write to {folder.absolute()}: {exc.strerror}; "
            "run the demo in a folder you may write to"
        ) from exc


@contextlib.contextmanager
def _broker() -> Iterator[int]:
    from edge.broker import broker

    with broker() as running:
        yield running.port


@contextlib.contextmanager
def _process(
    *arguments: str, log: Path, stdout: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run `inspector ARGUMENTS` until the context ends; its messages go to `log`."""
    with log.open("a") as messages:
        process = subprocess.Popen(
            [sys.executable, "-m", "inspector.cli", *arguments],
            stdout=stdout if stdout is not None else messages,
            stderr=messages,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C reaches this process, which ends the others in order
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _follow(
    plc: subprocess.Popen[str],
    station: subprocess.Popen[str],
    truth: dict[str, Decision],
    answers: list[Answer],
    console: Console,
    *,
    total: int,
) -> None:
    """Show each answer as the PLC receives it, until the last part or a process ends."""
    watch = threading.Thread(target=_stop_with, args=(station, plc), daemon=True)
    watch.start()
    assert plc.stdout is not None
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        live.update(_table(answers, total))
        for row in _rows(plc.stdout):
            if row.get("schema") != "plc.part/1":
                continue
            answers.append(
                Answer(
                    part_id=row["part_id"],
                    decision=Decision(row["decision"]),
                    reason=row["reason"],
                    clause_ids=row["clause_ids"],
                    latency_ms=row["latency_ms"],
                    truth=truth[row["part_id"]],
                )
            )
            live.update(_table(answers, total))
    if station.poll() is not None:
        log = FOLDER / "station.log"
        raise InspectorError(
            f"expected the station to run, it ended with {station.returncode}; see {log}:\n"
            + "".join(log.read_text().splitlines(keepends=True)[-5:]).rstrip()
        )
    if len(answers) < total:
        raise BrokerError(f"expected {total} answers, got {len(answers)}; see {FOLDER / 'plc.log'}")


def _stop_with(station: subprocess.Popen[str], plc: subprocess.Popen[str]) -> None:
    """End the PLC when the station ends, so that nobody waits for answers that cannot come."""
    station.wait()
    time.sleep(1)
    plc.terminate()


def _rows(stream: IO[str]) -> Iterator[dict[str, Any]]:
    for line in stream:
        if line.strip():
            yield json.loads(line)


def _table(answers: list[Answer], total: int) -> Table:
    table = Table(title=f"{len(answers)} of {total} parts", title_justify="left")
    for heading in ("part", "verdict", "reason", "clauses", "truth"):
        table.add_column(heading)
    table.add_column("latency", justify="right")
    for answer in answers[-ROWS_SHOWN:]:
        table.add_row(
            answer.part_id,
            f"[{STYLES[answer.decision]}]{answer.decision}[/]",
            answer.reason,
            answer.clause_ids or "–",
            "agrees" if answer.agrees else f"[bold red]{answer.truth}[/]",
            f"{answer.latency_ms:.0f} ms",
        )
    return table


def _summary(answers: list[Answer], *, asked: int, settings_records: Path) -> dict[str, Any]:
    """Return what `demo --json` ends with; rates over the parts asked for."""
    latencies = [answer.latency_ms for answer in answers] or [0.0]
    told = [answer.decision for answer in answers]
    bad_told_pass = [a for a in answers if a.decision is Decision.PASS and a.truth is Decision.FAIL]
    unread_told_pass = [
        a for a in answers if a.decision is Decision.PASS and a.truth is Decision.HOLD
    ]
    return {
        "schema": "demo/1",
        "parts": asked,
        "pass": told.count(Decision.PASS),
        "fail": told.count(Decision.FAIL),
        "hold": told.count(Decision.HOLD),
        "agreement": round(sum(answer.agrees for answer in answers) / max(asked, 1), 4),
        "escapes": len(bad_told_pass) + len(unread_told_pass),
        "overkill": sum(
            a.truth is Decision.PASS and a.decision is not Decision.PASS for a in answers
        ),
        "p50_ms": round(float(np.percentile(latencies, 50)), 1),
        "p99_ms": round(float(np.percentile(latencies, 99)), 1),
        "database": str(FOLDER / "inspector.db"),
        "pictures": str(settings_records / "pictures"),
    }


def _print_summary(
    summary: dict[str, Any], answers: list[Answer], console: Console, *, as_json: bool
) -> None:
    if as_json:
        print(json.dumps(summary, allow_nan=False), flush=True)
        return
    for answer in answers:
        if not answer.agrees:
            console.print(
                f"[bold]{answer.part_id}[/]: told {answer.decision}, true is {answer.truth} "
                f"({' '.join(filter(None, (answer.reason, answer.clause_ids)))})"
            )
    console.print(
        f"[bold]{summary['parts']} parts[/]: {summary['pass']} PASS, {summary['fail']} FAIL, "
        f"{summary['hold']} HOLD\n"
        f"agreement with the known truth {summary['agreement']:.1%}, "
        f"escapes {summary['escapes']}, overkill {summary['overkill']}\n"
        f"trigger to answer: median {summary['p50_ms']:.0f} ms, p99 {summary['p99_ms']:.0f} ms\n"
        f"database {summary['database']}, pictures {summary['pictures']}",
        highlight=False,
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt
