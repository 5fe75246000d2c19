"""`inspector prove`: what the station promises, under faults, counted."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from edge.proof.faults import KINDS
from edge.proof.fuzz import Fuzzed
from edge.proof.ledger import Account, Struck
from edge.proof.run import Proof, account_json
from inspector.errors import InspectorError


def prove(
    *,
    triggers: int,
    faults: str,
    payloads: int | None,
    database: str,
    seed: int,
    folder: Path | None,
    keep: bool,
    as_json: bool,
) -> int:
    """Run the proof and print its account; return 0 where every promise was kept, else 1."""
    kinds = _kinds(faults)
    console = Console(stderr=True)

    def tell(line: str) -> None:
        console.print(line, highlight=False)

    def run(where: Path) -> Account:
        # its processes are ended on the way out, which a SIGTERM would otherwise not leave time for
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        proof = Proof(
            where,
            triggers=triggers,
            kinds=kinds,
            seed=seed,
            payloads=triggers if payloads is None else payloads,
            database=database,
            tell=tell,
        )
        return proof.run()

    if folder is not None or keep:
        where = folder or Path("inspector-proof")
        if where.exists() and any(where.iterdir()):
            raise InspectorError(
                f"expected {where} to be absent or empty, found files; choose another --folder"
            )
        where.mkdir(parents=True, exist_ok=True)
        account = run(where.resolve())
    else:
        with tempfile.TemporaryDirectory(prefix="inspector-proof-") as temporary:
            account = run(Path(temporary))
    if as_json:
        print(account_json(account), flush=True)
    else:
        _print(account, Console())
    return 0 if account.is_good else 1


def _kinds(faults: str) -> tuple[str, ...]:
    if faults == "all":
        return tuple(KINDS)
    if faults == "none":
        return ()
    chosen = tuple(faults.split(","))
    if unknown := sorted(set(chosen) - KINDS.keys()):
        raise typer.BadParameter(
            f"--faults: expected all, none, or some of {', '.join(KINDS)}; "
            f"found {', '.join(unknown)}"
        )
    return chosen


def _print(account: Account, console: Console) -> None:
    console.print(_faults(account.faults))
    for name, value, due in (
        ("broker", account.broker, None),
        ("database", account.database, None),
        ("triggers", account.triggers, None),
        ("answered", account.answers, None),
        ("PASS, FAIL, HOLD", f"{account.passed}, {account.failed}, {account.held}", None),
        ("rejected", account.rejected, None),
        ("lost while station or broker was gone", account.lost_in_outages, None),
        ("open at a kill, recorded as interrupted", account.interrupted, None),
        ("in time, but held up by a frozen broker", account.held_up_by_broker, None),
        ("not answered while the station lived", account.unanswered, 0),
        ("late PASS", account.late_pass, 0),
        ("late answers", account.late, 0),
        ("wrong answers", account.wrong_answers, 0),
        ("PASS without durable record", account.pass_unrecorded, 0),
        ("records", account.records, None),
        ("records lost", account.records_lost, 0),
        ("duplicates in the database", account.duplicates, 0),
        ("answered twice", account.answered_twice, 0),
        ("gaps in the record stream", account.stream_gaps, 0),
        ("records out of order", account.stream_disorder, 0),
        ("tickets left in the spool", account.spool_left, 0),
        ("counters that do not add up", account.not_conserved, 0),
        ("last will missing", account.will_missing, 0),
        ("last will at most after", f"{account.will_max_s:.2f} s", None),
        ("station ended by itself", account.station_exits, None),
        ("memory", f"{account.rss_before_mb:.0f} MB, {account.rss_after_mb:.0f} MB", None),
        *_fuzz(account.fuzz),
        ("took", f"{account.took_s / 60:.1f} min", None),
    ):
        style = "" if due is None or value == due else "[bold red]"
        console.print(f"{style}{name:42} {value}", highlight=False)
    for example in account.examples:
        console.print(f"  {example}", highlight=False, markup=False)
    verdict = "every promise was kept" if account.is_good else "a promise was broken"
    console.print(f"[bold]{verdict}[/] (seed {account.seed})", highlight=False)


def _faults(faults: tuple[Struck, ...]) -> Table:
    """Return a row for each kind: how often it struck, and how long until all worked again."""
    table = Table("fault", "struck", "recovered within", "not run")
    for kind in dict.fromkeys(struck.kind for struck in faults):
        alike = [struck for struck in faults if struck.kind == kind]
        played = [struck.recovery_s for struck in alike if struck.not_run is None]
        known = [seconds for seconds in played if seconds is not None]
        back = "" if not played else f"{max(known, default=0):.2f} s"
        table.add_row(
            KINDS[kind],
            str(len(played)),
            back if len(known) == len(played) else "never",
            alike[0].not_run or "",
        )
    return table


def _fuzz(fuzz: Fuzzed | None) -> tuple[tuple[str, object, object], ...]:
    if fuzz is None:
        return ()
    sent = f"{fuzz.payloads} on {fuzz.topics} topics, {fuzz.payloads_per_topic} each"
    return (
        ("random and mutated payloads", sent, None),
        ("of those answered", fuzz.answered, None),
        ("threads that they ended", ", ".join(fuzz.threads_lost) or "none", "none"),
        ("restarts in the meantime", fuzz.restarts + fuzz.exits, 0),
        ("alerts still heard", fuzz.heard_alarms, True),
        (
            "memory in the meantime",
            f"{fuzz.rss_before_mb:.0f} MB, {fuzz.rss_after_mb:.0f} MB",
            None,
        ),
    )
