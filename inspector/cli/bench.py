"""`inspector bench`: the product, the naive script and the bare models, timed side by side."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from inspector.benchmarks.bench import BenchReport, run_bench
from inspector.cli.progress import counting


def bench_command(*, repetitions: int, threads: int | None, as_json: bool) -> None:
    """Run the bench and print its rows and ratios."""
    with counting("parts") as advance:
        report = run_bench(repetitions=repetitions, threads=threads, advance=advance)
    if as_json:
        print(report.as_json())
    else:
        _print(report)


def _print(report: BenchReport) -> None:
    console = Console()
    machine = report.machine
    console.print(f"{machine.cpu}, {machine.threads} threads, GPU {machine.gpu or 'none'}")
    rows = Table(title="Times", title_justify="left")
    for heading in ("way, recipe, stage", "p50 ms", "p99 ms", "per s", "n"):
        rows.add_column(heading, justify="left" if "way" in heading else "right")
    for row in report.rows:
        rows.add_row(
            row.name, f"{row.p50_ms:.1f}", f"{row.p99_ms:.1f}", f"{row.per_s:.2f}", str(row.n)
        )
    console.print(rows)
    ratios = Table(title="Ratios of time", title_justify="left", show_header=False)
    for name, value in report.ratios.items():
        ratios.add_row(name, f"{value:.2f}")
    console.print(ratios)
