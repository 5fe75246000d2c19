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


def bench_station_command(
    *, parts: int, workers: int | None, threads: int | None, soak: int, as_json: bool
) -> None:
    """Run the bench of a whole station and print its rows and ratios."""
    from inspector.benchmarks.station import run_station_bench

    with counting("parts") as advance:
        report = run_station_bench(
            parts=parts, workers=workers, threads=threads, soak=soak, advance=advance
        )
    if as_json:
        print(report.as_json())
        return
    console = Console()
    machine = report.machine
    console.print(
        f"{machine.cpu}, {report.workers} workers of {machine.threads} threads, "
        f"GPU {machine.gpu or 'none'}"
    )
    console.print(
        f"parts a second: station {report.capacity_per_s:.2f}, naive script "
        f"{report.naive_per_s:.2f}, bare models {report.bare_per_s:.2f}"
    )
    rows = Table(title="Trigger to answer", title_justify="left")
    for heading in ("load", "per s", "p50 ms", "p99 ms", "n", "overload", "late", "unanswered"):
        rows.add_column(heading, justify="left" if heading == "load" else "right")
    for row in report.rows:
        rows.add_row(
            row.name, f"{row.per_s:.2f}", f"{row.p50_ms:.0f}", f"{row.p99_ms:.0f}", str(row.n),
            str(row.overload), str(row.late), str(row.unanswered),
        )  # fmt: skip
    console.print(rows)
    for name, value in report.ratios.items():
        console.print(f"{name}: {value:.2f}")
    rss = report.rss_mb
    console.print(f"memory {rss['before']:.0f} MB, then {rss['after']:.0f} MB")
    if report.soak_mb:
        looks = ", ".join(f"{mb:.0f}" for mb in report.soak_mb)
        console.print(f"memory in MB while soaking: {looks}")


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
