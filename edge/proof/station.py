"""The station of the proof, as a process: `python -m edge.proof.station SETTINGS.json CONTROL`.

All of it is the product's but the models: those are replaced by a rule on brightness, in a worker
process as the real ones are, so that they can be made to raise and hang. And each fsync of the
spool is written down, so that a cut of power can be played after a kill: what was not fsynced goes.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from edge.build import build
from edge.examination import InspectorLike
from edge.proof.clock import sleep_by_waiting
from edge.worker import LoadedModel, WorkerProcess
from inspector.domain import Assessment, Context, Decision, Findings, Frame, Reason, Verdict
from inspector.settings import Recipe, StationSettings

if TYPE_CHECKING:
    from _typeshed import HasFileno

DURABLE = "durable"  # file in the control folder: "size path" for each fsync
MOOD = "mood"  # file in the control folder: raise, or hang (once)
THREADS = "threads"  # file in the control folder: names of all threads, written on SIGUSR1
BRIGHT = 127

sleep_by_waiting()  # here, since the worker's process imports this module too


@dataclass(frozen=True, slots=True, kw_only=True)
class Brightness:
    """Bright pictures pass, dark ones fail; raises or hangs when told to."""

    control: Path

    def inspect(
        self,
        frame: Frame,
        *,
        recipe: Recipe,  # noqa: ARG002
        view: str | None,  # noqa: ARG002
        context: Context,  # noqa: ARG002
        within_s: float | None = None,  # noqa: ARG002
    ) -> Assessment:
        mood = self.control / MOOD
        match mood.read_text() if mood.is_file() else "":
            case "raise":
                raise RuntimeError("the models were told to raise")
            case "hang":
                mood.unlink()
                time.sleep(3600)
        if frame.bgr.mean() > BRIGHT:
            verdict = Verdict(decision=Decision.PASS, reason=Reason.CLEAN, detail="bright")
        else:
            verdict = Verdict(
                decision=Decision.FAIL,
                reason=Reason.RULE_VIOLATED,
                detail="dark",
                clause_ids=("C1",),
            )
        return Assessment(findings=Findings(), judgement=None, verdict=verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrightnessLoader:
    """Loads what stands in for the models, in the worker's process."""

    recipes: tuple[Recipe, ...]
    control: Path

    def load(self) -> InspectorLike:
        return Brightness(control=self.control)

    def models(self, inspector: InspectorLike) -> tuple[LoadedModel, ...]:  # noqa: ARG002
        return ()

    def uses_gpu(self) -> bool:
        return False


def write_down_each_fsync(control: Path) -> None:
    """Have the size of each file at its last fsync in the control folder."""
    fsync = os.fsync
    ledger = os.open(
        control / DURABLE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644
    )

    def noted(fd: int | HasFileno) -> None:
        descriptor = fd if isinstance(fd, int) else fd.fileno()
        status = os.fstat(descriptor)
        fsync(descriptor)
        if S_ISREG(status.st_mode):
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            os.write(ledger, f"{status.st_size} {path}\n".encode())

    os.fsync = noted


def write_down_threads(control: Path) -> None:
    """Have the names of the threads in the control folder."""
    written = control / "threads.new"
    written.write_text("\n".join(sorted(thread.name for thread in threading.enumerate())))
    written.replace(control / THREADS)


def main() -> int:
    """Run the station until SIGTERM; return its exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    settings = StationSettings.model_validate(json.loads(Path(sys.argv[1]).read_text()))
    control = Path(sys.argv[2])
    write_down_each_fsync(control)

    def make_inspector(recipes: tuple[Recipe, ...]) -> InspectorLike:
        worker = WorkerProcess(
            BrightnessLoader(recipes=recipes, control=control),
            name="models-1",
            limit_s=settings.stuck_after_s,
        )
        worker.start()
        return worker

    with build(settings, make_inspector=make_inspector) as station:
        signal.signal(signal.SIGTERM, lambda *_: station.stop())
        signal.signal(signal.SIGUSR1, lambda *_: write_down_threads(control))
        return station.run()


if __name__ == "__main__":
    sys.exit(main())
