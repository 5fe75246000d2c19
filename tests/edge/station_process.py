"""Real station processes with a stand-in for the models, to be killed: `... SETTINGS.json`.

Each line on stdin starts one, as a fork that has all it imports already; its pid and, when it has
ended, its exit code (minus the signal's number) are printed. A line may name the moment at which
the station kills itself: `start inspecting`, `start before-sending`, `start after-sending`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from edge_builders import FakeInspector

from edge.answers import Answers
from edge.build import build
from edge.tickets import Answer
from inspector import images
from inspector.domain import Assessment, Context, Frame
from inspector.settings import Recipe, StationSettings


class UnhurriedInspector(FakeInspector):
    """Takes some ms, as models do, so that tickets are open when the process is killed."""

    def inspect(
        self,
        frame: Frame,
        *,
        recipe: Recipe,
        view: str | None,
        context: Context,
        within_s: float | None = None,
    ) -> Assessment:
        time.sleep(0.004)
        return super().inspect(frame, recipe=recipe, view=view, context=context)


def die(*_: object, **__: object) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def kill_when(moment: str) -> None:
    """Have this process end by SIGKILL at that moment of its first part."""
    send = Answers.send
    match moment:
        case "inspecting":
            FakeInspector.inspect = die  # type: ignore[assignment, method-assign]
        case "before-sending":
            Answers.send = die  # type: ignore[assignment, method-assign]
        case "after-sending":

            def send_and_die(answers: Answers, answer: Answer) -> bool:
                send(answers, answer)
                while (receipt := answers._link.receipts.get(timeout=5)) is not None:
                    if receipt.token in answers._results:
                        break  # the broker has it
                return die()

            Answers.send = send_and_die  # type: ignore[method-assign]


def run(settings: StationSettings) -> int:
    with build(settings, make_inspector=lambda _recipes: UnhurriedInspector()) as station:
        signal.signal(signal.SIGTERM, lambda *_: station.stop())
        return station.run()


def main() -> None:
    settings = StationSettings.model_validate(json.loads(Path(sys.argv[1]).read_text()))
    images.require_system_libraries()  # OpenCV takes longer to load than a station may live
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                kill_when(line.removeprefix("start").strip())
                code = run(settings)
            finally:
                os._exit(code)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
