"""The plant of a proof: folders, pictures, a small disk, broker and station as processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge.proof.station import DURABLE, MOOD
from inspector import images
from inspector.errors import BrokerError, InspectorError
from inspector.settings import StationSettings
from inspector.storage.database import upgrade

DISK_MB = 512
PICTURE_PX = (32, 24)
PICTURES = 60
BASE = "qc/proof"
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


class Plant:
    """Everything but the PLC, under one folder. One thread."""

    def __init__(self, folder: Path, *, seed: int, station_command: tuple[str, ...]) -> None:
        self.folder = folder
        self.control = folder / "control"
        self.disk = folder / "disk"
        self.database = self.disk / "station.db"
        self.records = self.disk / "records"
        self.port = _free_port()
        self.has_small_disk = False
        self.station_exits = 0
        self._station_command = station_command
        self._mosquitto = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
        self._broker: subprocess.Popen[bytes] | None = None
        self._station: subprocess.Popen[bytes] | None = None
        self._chance = np.random.default_rng(seed)

    @property
    def spool(self) -> Path:
        return self.records / "spool"

    @property
    def broker_name(self) -> str:
        return "mosquitto" if self._mosquitto else "iotcore"

    @contextlib.contextmanager
    def built(self) -> Iterator[Plant]:
        """Make folders and processes; at the end all are gone but the folder's files."""
        for folder in (self.control, self.disk, self.folder / "sets"):
            folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            self._mount_small_disk(stack)
            self._paint()
            self.show("good")
            upgrade(f"sqlite:///{self.database}")
            self._write_settings()
            stack.callback(self._end_all)
            self.start_broker()
            self.start_station()
            yield self

    # --- camera -------------------------------------------------------------------------------

    def show(self, pictures: str) -> None:
        """Put another set of pictures before the camera; `gone` is no set at all."""
        link, new = self.folder / "camera", self.folder / "camera.new"
        new.unlink(missing_ok=True)
        new.symlink_to(self.folder / "sets" / pictures)
        new.replace(link)

    def _paint(self) -> None:
        sets = self.folder / "sets"
        frozen: bytes | None = None
        for number in range(PICTURES):
            name = f"P{number:03d}.png"
            level = 180 if number % 4 else 60
            noise = self._chance.integers(-20, 21, (PICTURE_PX[1], PICTURE_PX[0], 3))
            good = images.encode_png((level + noise).astype(np.uint8))
            frozen = frozen or good
            dark = self._chance.integers(0, 4, (PICTURE_PX[1], PICTURE_PX[0], 3))
            for pictures, content in (
                ("good", good),
                ("black", images.encode_png(dark.astype(np.uint8))),
                ("frozen", frozen),
                ("torn", good[: len(good) // 2]),
                ("foreign", b"no picture at all\n" * 20),
            ):
                (sets / pictures).mkdir(exist_ok=True)
                (sets / pictures / name).write_bytes(content)

    # --- disk ---------------------------------------------------------------------------------

    def _mount_small_disk(self, stack: contextlib.ExitStack) -> None:
        if os.geteuid() != 0:
            return
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(self.disk)],
            capture_output=True,
            check=False,
        )
        self.has_small_disk = mounted.returncode == 0
        if self.has_small_disk:
            stack.callback(self._unmount)

    def _unmount(self) -> None:
        """Keep what the disk holds for whoever looks afterwards, and let it go."""
        kept = self.folder / "disk.kept"
        with contextlib.suppress(OSError):
            shutil.copytree(self.disk, kept, dirs_exist_ok=True)
        subprocess.run(["umount", "-l", str(self.disk)], capture_output=True, check=False)

    @contextlib.contextmanager
    def full_disk(self) -> Iterator[None]:
        """Leave no byte free."""
        ballast = self.disk / "ballast"
        try:
            with ballast.open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(65536))
                    file.flush()
            yield
        finally:
            ballast.unlink(missing_ok=True)

    @contextlib.contextmanager
    def read_only_spool(self) -> Iterator[None]:
        """Refuse every write to the spool, as a folder that became read-only does."""
        spool = str(self.spool)
        is_bound = os.geteuid() == 0 and all(
            subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
            for options in (["--bind", spool, spool], ["-o", "remount,bind,ro", spool])
        )
        if not is_bound:
            self.spool.chmod(0o555)
        try:
            yield
        finally:
            if is_bound:
                subprocess.run(["umount", "-l", spool], capture_output=True, check=False)
            else:
                self.spool.chmod(0o755)

    @contextlib.contextmanager
    def locked_database(self) -> Iterator[None]:
        """Keep the database as another writer would."""
        with contextlib.closing(
            sqlite3.connect(self.database, isolation_level=None, timeout=10)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                other.execute("ROLLBACK")

    def cut_power(self) -> int:
        """Take from the spool what was never fsynced; return how many files lost something."""
        durable: dict[str, int] = {}
        ledger = self.control / DURABLE
        for line in ledger.read_text().splitlines() if ledger.is_file() else ():
            size, _, path = line.partition(" ")
            durable[path] = int(size)
        lost = 0
        for ticket in self.spool.glob("*.ticket"):
            kept = durable.get(str(ticket.resolve()), 0)
            if kept < ticket.stat().st_size:
                lost += 1
                os.truncate(ticket, kept)
            if kept == 0:
                ticket.unlink()
        return lost

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
        for pid in _children(self.station_pid):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)

    # --- processes ----------------------------------------------------------------------------

    @property
    def station_pid(self) -> int:
        assert self._station is not None
        return self._station.pid

    def start_station(self) -> None:
        with (self.folder / "station.log").open("ab") as messages:
            self._station = subprocess.Popen(
                [*self._station_command, str(self.folder / "station.json"), str(self.control)],
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                start_new_session=True,
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

    def rss_mb(self) -> float:
        """Return the memory of the station and its workers."""
        pids = (self.station_pid, *_children(self.station_pid))
        return sum(_rss_kb(pid) for pid in pids) / 1000

    def start_broker(self) -> None:
        if self._mosquitto is not None:
            config = self.folder / "mosquitto.conf"
            owner = "user root\n" if os.geteuid() == 0 else ""  # else it may not write here
            config.write_text(owner + CONFIG.format(port=self.port, folder=self.folder))
            command = [self._mosquitto, "-c", str(config)]
        else:
            command = [sys.executable, "-m", "edge.proof.broker", str(self.port)]
        with (self.folder / "broker.log").open("ab") as messages:
            self._broker = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                start_new_session=True,
            )
        give_up = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < give_up:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1),
            ):
                return
            time.sleep(0.05)
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

    def _end_all(self) -> None:
        for process in (self._station, self._broker):
            if process is not None and process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGCONT)
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _write_settings(self) -> None:
        (self.folder / "standard.yaml").write_text(STANDARD)
        (self.folder / "proof.yaml").write_text(
            RECIPE.format(
                standard=self.folder / "standard.yaml", width=PICTURE_PX[0], height=PICTURE_PX[1]
            )
        )
        settings = {
            "station_id": "proof",
            "database": f"sqlite:///{self.database}",
            "records": str(self.records),
            "cameras": [{"id": "top", "folder": str(self.folder / "camera"), "expect_noise": True}],
            "recipes": [str(self.folder / "proof.yaml")],
            "mqtt": {"port": self.port, "keepalive_s": KEEPALIVE_S, "base": BASE},
            "deadline_ms": DEADLINE_MS,
            "answer_margin_ms": MARGIN_MS,
            "queue_size": 32,
            "min_free_mb": 5,
            "stuck_after_s": 2,
            "alarms": {
                "plc": [{"name": "line", "filter": "plc/alerts", "id": "id", "active": "active"}]
            },
        }
        StationSettings.model_validate(settings)
        (self.folder / "station.json").write_text(json.dumps(settings))


def require_proc() -> None:
    """Raise where this system shows no processes under /proc."""
    if not Path("/proc/self/status").is_file():
        raise InspectorError("expected Linux with /proc, found another system; prove needs it")


def _children(pid: int) -> tuple[int, ...]:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return tuple(int(child) for child in children)
    return ()


def _rss_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
