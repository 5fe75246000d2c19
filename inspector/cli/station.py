"""`inspector run`, `check` and `plc`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from pydantic import ValidationError

from inspector.errors import SettingsError
from inspector.examples import contradictory
from inspector.settings import MqttSettings, StationSettings, load_recipe, load_station
from inspector.settings_file import read_settings_file


def run_station(path: Path) -> int:
    """Run the station of that file until SIGTERM or Ctrl-C; return the exit code.

    Raises an `InspectorError` where it cannot start.
    """
    from edge.build import build
    from edge.logs import log_to_stderr

    settings = load_station(path)
    log_to_stderr(as_json=settings.log_format == "json")
    with build(settings) as station:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: station.stop())
        return station.run()


def check_station(path: Path) -> int:
    """Print one line for each mistake of that station; return 0 where there is none, else 1.

    Clauses that contradict each other are no mistake: no part passes them, and that is warned of.
    """
    from edge.build import check

    warnings: tuple[str, ...] = ()
    try:
        station = load_station(path)
        mistakes = check(station, placed=read_settings_file(path).mistake)
        if not mistakes:
            warnings = tuple(_contradictions(station))
    except SettingsError as exc:
        mistakes = exc.mistakes
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if not mistakes:
        print(f"{path}: nothing to put right", file=sys.stderr)
    return 1 if mistakes else 0


def _contradictions(station: StationSettings) -> Iterator[str]:
    """Yield the clauses that contradict each other, once for each standard."""
    standards = {load_recipe(name).standard for name in station.recipes}
    for standard in sorted(standards, key=lambda one: one.name):
        for one, other in contradictory(standard.clauses):
            yield (
                f"standard {standard.name}: no part was found that keeps both {one} and {other}; "
                "every part fails or is held; read the two again"
            )


def plc_broker(**options: str | int | bool | Path | None) -> MqttSettings:
    """Return the broker that the options of `inspector plc` name; refuse wrong ones."""
    try:
        return MqttSettings.model_validate(options)
    except ValidationError as exc:
        error = exc.errors()[0]
        name = "--" + str(error["loc"][0]).replace("_", "-") if error["loc"] else "--tls"
        raise typer.BadParameter(f"{name}: {error['msg']}") from None


def run_plc(
    *,
    broker: MqttSettings,
    parts: Path,
    base: str,
    takt_ms: int,
    repeat: int,
    duplicates: bool,
    as_json: bool,
    jitter: float = 0.0,
    burst: int = 1,
    acknowledges: bool = False,
    wrong_recipe_every: int = 0,
) -> int:
    """Play the PLC for the parts of that file; return 0 where every answer came in time."""
    from edge.simulator import Manner, Outcome, Plc, outcome_line, read_parts, report_line

    def show(outcome: Outcome) -> None:
        if as_json:
            print(outcome_line(outcome), flush=True)
            return
        answer = "no answer"
        if outcome.result is not None:
            result = outcome.result
            answer = f"{result.decision} {result.reason} {result.clause_ids}".rstrip()
        elif outcome.rejected is not None:
            answer = f"rejected {outcome.rejected.reason}: {outcome.rejected.detail}"
        print(f"{outcome.part_id:24} {outcome.latency_ms:8.0f} ms  {answer}", flush=True)

    wanted = read_parts(parts) * repeat
    plc = Plc(broker, base=base, on_outcome=show)
    print(f"{broker.host}:{broker.port}: waiting until {base} is Ready", file=sys.stderr)
    report = plc.run(
        wanted,
        manner=Manner(
            takt_ms=takt_ms,
            jitter=jitter,
            burst=burst,
            duplicates=duplicates,
            acknowledges=acknowledges,
            wrong_recipe_every=wrong_recipe_every,
        ),
    )
    if as_json:
        print(report_line(report), flush=True)
    else:
        print(
            f"{report.triggers} triggers: {report.passed} PASS, {report.failed} FAIL, "
            f"{report.held} HOLD, {report.rejected} rejected, {report.unanswered} unanswered, "
            f"{report.late} late, {report.contradictions} contradicting"
        )
    return 0 if report.is_good else 1
