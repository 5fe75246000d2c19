"""`inspector prove`: what the station promises, under faults, counted."""

from __future__ import annotations

import tempfile
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from edge.proof.faults import KINDS
from edge.proof.ledger import Account
from edge.proof.run import Proof, account_json
from inspector.errors import InspectorError


def prove(
    *, triggers: int, faults: str, seed: int, folder: Path | None, keep: bool, as_json: bool
) -> int:
    """Run the proof and print its account; return 0 where every promise was kept, else 1."""
    kinds = _kinds(faults)
    console = Console(stderr=True)

    def tell(line: str) -> None:
        console.print(line, highlight=False)

    def run(where: Path) -> Account:
        proof = Proof(where, triggers=triggers, kinds=kinds, seed=seed, tell=tell)
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
    table = Table("fault", "at", "back after", "note")
    for struck in account.faults:
        back = "never" if struck.recovery_s is None else f"{struck.recovery_s:.2f} s"
        table.add_row(KINDS[struck.kind], f"{struck.at_s:.0f} s", back, struck.note)
    console.print(table)
    for name, value, due in (
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
        ("PASS without durable record", account.pass_unrecorded, 0),
        ("records lost", account.records_lost, 0),
        ("duplicates in the database", account.duplicates, 0),
        ("answered twice", account.answered_twice, 0),
        ("gaps in the record stream", account.stream_gaps, 0),
        ("records out of order", account.stream_disorder, 0),
        ("tickets left in the spool", account.spool_left, 0),
        ("last will missing", account.will_missing, 0),
        ("last will at most after", f"{account.will_max_s:.2f} s", None),
        ("station ended by itself", account.station_exits, None),
        ("memory", f"{account.rss_before_mb:.0f} MB, {account.rss_after_mb:.0f} MB", None),
    ):
        style = "" if due is None or value == due else "[bold red]"
        console.print(f"{style}{name:42} {value}", highlight=False)
    for example in account.examples:
        console.print(f"  {example}", highlight=False)
    verdict = "every promise was kept" if account.is_good else "a promise was broken"
    console.print(f"[bold]{verdict}[/] (seed {account.seed})", highlight=False)
