"""A station to test: real broker, database and disk; pictures and recipes made here."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np

from edge import messages
from edge.build import build
from edge.examination import InspectorLike
from edge.mqtt import Arrival, Link, Message
from edge.station import Station
from inspector import images
from inspector.domain import (
    Assessment,
    Context,
    Decision,
    Findings,
    Frame,
    Inspection,
    Reason,
    Verdict,
)
from inspector.settings import MqttSettings, Recipe, StationSettings, load_recipe
from inspector.storage.recovery import held
from inspector.storage.spool import OpenTicket

BASE = "qc/line1"
WAIT_S = 10.0
PASS = Verdict(decision=Decision.PASS, reason=Reason.CLEAN, detail="nothing found")

STANDARD = """
title: Test standard
clauses:
  - id: C1
    text: no scratches
"""
RECIPE = """
product: test part
standard: {standard}
frame_size_px: [8, 6]
frame: {{min_light_share: 0, max_white_share: 1}}
"""


class FakeInspector:
    """Judges by the picture's first pixel: bright is PASS, dark is FAIL. One for each worker."""

    def __init__(self, gate: threading.Event | None = None, *, broken: str | None = None) -> None:
        self.asked: list[tuple[str, str | None, Context]] = []  # recipe, view, context
        self._gate = gate
        self._broken = broken

    def inspect(
        self,
        frame: Frame,
        *,
        recipe: Recipe,
        view: str | None,
        context: Context,
        within_s: float | None = None,
    ) -> Assessment:
        self.asked.append((recipe.name, view, context))
        if self._gate is not None:
            self._gate.wait(WAIT_S)
        if self._broken is not None:
            raise RuntimeError(self._broken)
        if frame.bgr[0, 0, 0] > 127:
            verdict = PASS
        else:
            verdict = Verdict(
                decision=Decision.FAIL,
                reason=Reason.RULE_VIOLATED,
                detail="dark",
                clause_ids=("C1",),
            )
        return Assessment(findings=Findings(), judgement=None, verdict=verdict)


def note_of(request_id: str = "r1", *, part_id: str | None = "A") -> OpenTicket:
    """Return what the spool keeps of a ticket."""
    return OpenTicket(
        id=uuid4(),
        request_id=request_id,
        station_id="line1",
        camera_id="top",
        part_id=part_id,
        lot=None,
        view=None,
        product="test part",
        recipe="plate",
        recipe_rev="0",
        standard_rev="0",
        triggered_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


def passed_part(request_id: str) -> Inspection:
    """Return a part that passed, without findings."""
    return held(note_of(request_id), PASS)


def picture(folder: Path, name: str, *, brightness: int, size_px: tuple[int, int] = (8, 6)) -> Path:
    """Write a grey picture [width, height] and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    bgr = np.full((size_px[1], size_px[0], 3), brightness, dtype=np.uint8)
    path = folder / name
    path.write_bytes(images.encode_png(bgr))
    return path


def recipe_of(folder: Path) -> Recipe:
    """Return a recipe that needs no models."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "std.yaml").write_text(STANDARD)
    (folder / "plate.yaml").write_text(RECIPE.format(standard=folder / "std.yaml"))
    return load_recipe(str(folder / "plate.yaml"))


def station_settings(
    folder: Path, *, port: int, migrated: Path | None, **changes: object
) -> StationSettings:
    """Return a station under `folder` with one good part (GOOD) and one bad (BAD)."""
    recipes = folder / "recipes"
    recipes.mkdir(parents=True, exist_ok=True)
    (recipes / "std.yaml").write_text(STANDARD)
    (recipes / "plate.yaml").write_text(RECIPE.format(standard=recipes / "std.yaml"))
    picture(folder / "camera", "GOOD.png", brightness=255)
    picture(folder / "camera", "BAD.png", brightness=0)
    if migrated is not None:
        shutil.copy(migrated, folder / "station.db")
    settings = {
        "station_id": "line1",
        "database": f"sqlite:///{folder / 'station.db'}",
        "records": folder / "records",
        "cameras": [{"id": "top", "folder": folder / "camera"}],
        "recipes": [str(recipes / "plate.yaml")],
        "mqtt": {"port": port, "keepalive_s": 2},
        "deadline_ms": 5000,
        "min_free_mb": 0,
    }
    return StationSettings.model_validate({**settings, **changes})


@dataclass(slots=True)
class LinePlc:
    """The PLC's side of a test: sends triggers, awaits messages by topic and request_id."""

    link: Link
    base: str = BASE
    seen: list[Arrival] = field(default_factory=list)

    def send(self, payload: bytes, *, retain: bool = False) -> None:
        message = Message(topic=f"{self.base}/cmd/trigger", payload=payload, retain=retain)
        assert self.link.publish(message) is not None

    def trigger(self, request_id: str, *, part_id: str | None = "GOOD", **more: object) -> None:
        self.send(
            messages.encode_trigger(
                messages.Trigger(request_id=request_id, part_id=part_id, **more)  # type: ignore[arg-type]
            )
        )

    def await_message(self, topic: str, wanted: Callable[[bytes], bool]) -> Arrival:
        """Return the first message of that topic that `wanted` accepts, old or new."""
        give_up = time.monotonic() + WAIT_S
        index = 0
        while True:
            while index < len(self.seen):
                arrival = self.seen[index]
                index += 1
                if arrival.topic == f"{self.base}/{topic}" and wanted(arrival.payload):
                    return arrival
            left = give_up - time.monotonic()
            assert left > 0, f"no {topic} within {WAIT_S} s; got {[a.topic for a in self.seen]}"
            with contextlib.suppress(queue.Empty):
                self.seen.append(self.link.arrivals.get(timeout=left))

    def await_state(self, state: str) -> messages.State:
        arrival = self.await_message(
            messages.STATE,
            lambda payload: messages.decode(messages.State, payload).state == state,
        )
        return messages.decode(messages.State, arrival.payload)

    def await_end(self) -> messages.State:
        """Return the station's farewell or last will, after all else that it said."""
        arrival = self.await_message(
            messages.STATE, lambda payload: messages.decode(messages.State, payload).online == 0
        )
        return messages.decode(messages.State, arrival.payload)

    def result(self, request_id: str, *, nth: int = 1) -> messages.Result:
        left = nth

        def wanted(payload: bytes) -> bool:
            nonlocal left
            left -= messages.decode(messages.Result, payload).request_id == request_id
            return left == 0

        arrival = self.await_message(messages.RESULT, wanted)
        return messages.decode(messages.Result, arrival.payload)

    def rejected(self, request_id: str) -> messages.Rejected:
        arrival = self.await_message(
            messages.REJECTED,
            lambda payload: messages.decode(messages.Rejected, payload).request_id == request_id,
        )
        return messages.decode(messages.Rejected, arrival.payload)

    def health(self) -> messages.Health:
        """Return the newest counters that were read so far."""
        newest = [a for a in self.seen if a.topic == f"{self.base}/{messages.HEALTH}"][-1]
        return messages.decode(messages.Health, newest.payload)

    def count(self, topic: str) -> int:
        """Return how many messages of that topic were read so far."""
        return sum(arrival.topic == f"{self.base}/{topic}" for arrival in self.seen)


def await_that(holds: Callable[[], bool], *, within_s: float = 6 * WAIT_S) -> None:
    """Wait until `holds` says so."""
    give_up = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up, f"not so within {within_s} s"
        threading.Event().wait(0.02)


@contextlib.contextmanager
def line_plc(port: int, *, base: str = BASE, client_id: str = "test-plc") -> Iterator[LinePlc]:
    link = Link(MqttSettings(port=port), client_id=client_id, subscribe=(f"{base}/#",))
    link.start()
    try:
        yield LinePlc(link, base)
    finally:
        link.stop()


@contextlib.contextmanager
def running(
    settings: StationSettings,
    make_inspector: Callable[[], InspectorLike] = FakeInspector,
    *,
    expected_code: int = 0,
) -> Iterator[Station]:
    """Run a station in a thread of this process, and stop it at the end.

    What kept it from starting is raised here.
    """
    with (
        build(settings, make_inspector=lambda _recipes: make_inspector()) as station,
        ThreadPoolExecutor(1) as main,
    ):
        ended = main.submit(station.run)
        try:
            yield station
        finally:
            station.stop()
            code = ended.result(WAIT_S)
        assert code == expected_code


class StationProcesses:
    """Real station processes, one after the other, to be killed (`station_process.py`)."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders = process.stdin
        self._said = process.stdout

    def start(self, moment: str = "") -> int:
        """Start one, which kills itself at `moment` where one is named, and return its pid."""
        self._orders.write(f"start {moment}\n")
        self._orders.flush()
        return int(self._said.readline())

    def exit_code(self) -> int:
        """Wait for the end of the process; minus the signal's number where one ended it."""
        return int(self._said.readline())


@contextlib.contextmanager
def station_processes(settings: StationSettings, folder: Path) -> Iterator[StationProcesses]:
    """Make processes of that station startable; its settings are written to `folder`."""
    file = folder / "station.json"
    file.write_text(settings.model_dump_json())
    script = Path(__file__).with_name("station_process.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(script.parents[2])},
    ) as process:
        yield StationProcesses(process)
