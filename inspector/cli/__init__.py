"""The command `inspector`.

Each command imports what it needs when it runs, so that `--help` stays quick and works where a
system library is missing. Standard output carries results (JSON only, with `--json`), standard
error everything else.

Exit codes: 0 done, 1 done but not as it should be (a demo with escapes, a check with mistakes),
2 usage or settings, 3 input unreadable, 4 model or data, 5 storage, 6 device or network,
130 interrupted.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from inspector.errors import InspectorError

app = typer.Typer(
    name="inspector",
    help="Inspect parts against a written quality standard, clause by clause.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
train_app = typer.Typer(help="Train a model on your own pictures or clauses.", no_args_is_help=True)
evaluate_app = typer.Typer(help="Measure a model on known data.", no_args_is_help=True)
db_app = typer.Typer(help="Create, migrate and check the database.", no_args_is_help=True)
app.add_typer(train_app, name="train", rich_help_panel="Models")
app.add_typer(evaluate_app, name="evaluate", rich_help_panel="Models")
app.add_typer(db_app, name="db", rich_help_panel="Plant IT")

StationFile = Annotated[Path, typer.Argument(metavar="STATION.yaml", help="the station's settings")]
Json = Annotated[bool, typer.Option("--json", help="print JSON lines on standard output")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads of the models; all cores if left out")
]


def main() -> None:
    """Run the command line; errors a person can put right become one message and an exit code."""
    try:
        app()
    except InspectorError as exc:
        print(exc, file=sys.stderr)
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


# --- the line ---------------------------------------------------------------------------------


@app.command(rich_help_panel="The line")
def demo(
    parts: Annotated[int | None, typer.Option(min=1, help="inspect only this many parts")] = None,
    dashboard: Annotated[bool, typer.Option(help="show the dashboard until Ctrl-C")] = True,
    keep: Annotated[bool, typer.Option("--keep", help="keep the records of earlier demos")] = False,
    json: Json = False,
) -> None:
    """Watch a station inspect real circuit boards and labels.

    Starts a broker, a PLC simulator, a station and the dashboard, all under ./inspector-demo.
    Ends with 1 when a bad part passed, an answer is missing or agreement is below 95 %.
    """
    from inspector.cli.demo import run_demo

    sys.exit(run_demo(parts=parts, with_dashboard=dashboard, keep=keep, as_json=json))


@app.command(rich_help_panel="The line")
def run(station: StationFile) -> None:
    """Run a station until SIGTERM or Ctrl-C."""
    from inspector.cli.station import run_station

    sys.exit(run_station(station))


@app.command(rich_help_panel="The line")
def check(station: StationFile) -> None:
    """Load all that a station needs and open what can be opened; one line per mistake."""
    from inspector.cli.station import check_station

    sys.exit(check_station(station))


@app.command(rich_help_panel="The line")
def plc(
    parts: Annotated[Path, typer.Option(help="JSON lines: part_id recipe view lot expected")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="port of the broker")] = 1883,
    host: Annotated[str, typer.Option(help="host of the broker")] = "127.0.0.1",
    base: Annotated[str, typer.Option(help="topic prefix of the station")] = "qc/demo",
    takt_ms: Annotated[int, typer.Option(min=0, help="0: the next part after the answer")] = 0,
    repeat: Annotated[int, typer.Option(min=1, help="go through the parts this often")] = 1,
    duplicates: Annotated[bool, typer.Option(help="send each trigger twice")] = False,
    json: Json = False,
) -> None:
    """Play the PLC: send triggers, await the answers, check deadlines and conservation."""
    from inspector.cli.station import run_plc

    sys.exit(
        run_plc(
            parts=parts,
            host=host,
            port=port,
            base=base,
            takt_ms=takt_ms,
            repeat=repeat,
            duplicates=duplicates,
            as_json=json,
        )
    )


@app.command(rich_help_panel="The line")
def dashboard(
    station: Annotated[
        Path | None, typer.Argument(metavar="[STATION.yaml]", help="shows that station's records")
    ] = None,
    url: Annotated[str | None, typer.Option(help="database, instead of a station file")] = None,
    records: Annotated[Path | None, typer.Option(help="folder with the pictures")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="port on 127.0.0.1")] = 8501,
) -> None:
    """Show what the station does, every part's why, and the queue for review."""
    from inspector.cli.dashboard import serve
    from inspector.settings import load_station

    if station is not None:
        settings = load_station(station)
        url, records = url or settings.database, records or settings.records
    if url is None or records is None:
        raise typer.BadParameter("expected STATION.yaml, or both --url and --records")
    sys.exit(serve(url=url, records=records, port=port))


# --- single pictures and cases ----------------------------------------------------------------


@app.command(rich_help_panel="By hand")
def inspect(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE…", help="pictures to inspect")],
    recipe: Annotated[str, typer.Option(help="name or path of the recipe")],
    reference: Annotated[
        Path | None, typer.Option(help="golden picture, instead of the recipe's")
    ] = None,
    view: Annotated[str | None, typer.Option(help="side or pose, names the reference")] = None,
    expect: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="a value of the work order")
    ] = None,
    on: Annotated[
        str | None, typer.Option(metavar="DATE", help="day of inspection, ISO; today if left out")
    ] = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Inspect pictures by a recipe and say why.

    Ends with 0 whatever the decisions are, with 3 when a picture could not be read.
    """
    from inspector.cli.inspect import inspect_pictures

    sys.exit(
        inspect_pictures(
            tuple(images),
            recipe_name=recipe,
            reference=reference,
            view=view,
            expect=tuple(expect or ()),
            on=on,
            threads=threads,
            as_json=json,
        )
    )


@app.command(rich_help_panel="By hand")
def judge(
    cases: Annotated[Path, typer.Argument(metavar="FILE.jsonl", help="clause and evidence a line")],
    model: Annotated[str, typer.Option(help="shipped judge, or its folder")] = "judge",
    json: Json = False,
) -> None:
    """Judge written cases: does the evidence violate the clause?"""
    from inspector.cli.judge import run_judge

    sys.exit(run_judge(cases, model=model, as_json=json))


# --- models -----------------------------------------------------------------------------------


@train_app.command("detector")
def train_detector_command(
    data: Annotated[Path, typer.Option(help="folder of the pictures")],
    out: Annotated[Path, typer.Option(help="where the model and its card go")],
    architecture: Annotated[str, typer.Option(help="yolo11n or yolo11s")] = "yolo11n",
    epochs: Annotated[int, typer.Option(min=1)] = 30,
    device: Annotated[str, typer.Option(help="auto, cpu, or a CUDA device")] = "auto",
    seed: Annotated[int, typer.Option()] = 0,
    threads: Threads = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the checkpoint")] = False,
) -> None:
    """Train a YOLO detector on boards with references (DeepPCB's format)."""
    from inspector.cli.progress import epochs as epochs_progress
    from inspector.training.detector import train_detector

    with epochs_progress() as report:
        train_detector(
            data=data,
            out=out,
            architecture=architecture,
            epochs=epochs,
            device=device,
            seed=seed,
            threads=threads,
            resume=resume,
            report=report,
        )


@train_app.command("judge")
def train_judge_command(
    out: Annotated[Path, typer.Option(help="where the model and its card go")],
    data: Annotated[
        Path | None, typer.Option(help="boards in DeepPCB's format, for the crops")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    device: Annotated[str, typer.Option(help="auto, cpu, or a CUDA device")] = "auto",
    seed: Annotated[int, typer.Option()] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the checkpoint")] = False,
) -> None:
    """Fine-tune the judge on generated clause and evidence pairs, with real crops."""
    from inspector.training.judge import train_judge

    train_judge(data=data, out=out, epochs=epochs, device=device, seed=seed, resume=resume)


@evaluate_app.command("detector")
def evaluate_detector_command(
    data: Annotated[Path, typer.Option(help="folder of the pictures, DeepPCB's format")],
    model: Annotated[str, typer.Option(help="shipped detector, or its folder")] = "pcb-yolo11n",
    split: Annotated[str, typer.Option(help="test, trainval or validation")] = "test",
    detections: Annotated[
        Path | None, typer.Option(help="write every raw box here, JSON lines")
    ] = None,
    json: Json = False,
) -> None:
    """Measure a detector: mAP and F at IoU 0.33, missed defects, overkill on good boards."""
    from inspector.cli.evaluate import evaluate_detector

    evaluate_detector(data=data, model=model, split=split, detections=detections, as_json=json)


@evaluate_app.command("judge")
def evaluate_judge_command(
    cases: Annotated[Path, typer.Option(help="cases with known answers, JSON lines")],
    model: Annotated[str, typer.Option(help="shipped judge, or its folder")] = "judge",
    json: Json = False,
) -> None:
    """Measure a judge: accuracy by category, AUROC, calibration, escapes and overkill."""
    from inspector.cli.evaluate import evaluate_judge

    evaluate_judge(cases=cases, model=model, as_json=json)


@app.command(rich_help_panel="Models")
def bench(
    repetitions: Annotated[int, typer.Option(min=2, help="parts per way of working")] = 20,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Time each stage, and the whole against a naive script and the bare models."""
    from inspector.cli.bench import bench_command

    bench_command(repetitions=repetitions, threads=threads, as_json=json)


# --- plant IT ---------------------------------------------------------------------------------

DatabaseUrl = Annotated[str | None, typer.Option(help="database URL, instead of a station file")]
OptionalStation = Annotated[
    Path | None, typer.Argument(metavar="[STATION.yaml]", help="the station's settings")
]


@db_app.command()
def upgrade(station: OptionalStation = None, url: DatabaseUrl = None) -> None:
    """Create the database or bring it to this version's schema; records stay."""
    from inspector.storage.database import upgrade as upgrade_database

    print(upgrade_database(_database_url(station, url)))


@db_app.command("check")
def check_database(station: OptionalStation = None, url: DatabaseUrl = None) -> None:
    """Say which schema the database has; ends with 5 when it is not this version's."""
    from inspector.storage.database import check as check_schema

    print(check_schema(_database_url(station, url)))


@app.command(rich_help_panel="Plant IT")
def info(json: Json = False) -> None:
    """Print versions, devices, engines and the shipped models with their hashes."""
    from inspector.cli.info import print_info

    print_info(as_json=json)


def _database_url(station: Path | None, url: str | None) -> str:
    from inspector.settings import load_station

    if url is not None:
        return url
    if station is None:
        raise typer.BadParameter("expected STATION.yaml or --url")
    return load_station(station).database
