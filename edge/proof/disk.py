"""The disk of the station's records: small, so that it can be filled, and it can lose its power."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from edge.proof.station import DURABLE

SIZE_MB = 512


class Disk:
    """A file system of its own where root may mount one, else a folder. One thread."""

    def __init__(self, folder: Path, *, control: Path) -> None:
        self.folder = folder
        self.records = folder / "records"
        self.spool = self.records / "spool"
        self.why_not_full: str | None = "no small disk could be mounted (needs root)"
        self._control = control

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """Have the disk; at the end a copy of what it held lies beside it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        options = ("-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(self.folder))
        if os.geteuid() != 0 or not _mount(*options):
            yield
            return
        self.why_not_full = None
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                shutil.copytree(self.folder, self.folder.with_suffix(".kept"), dirs_exist_ok=True)
            _unmount(self.folder)

    def tickets(self) -> tuple[Path, ...]:
        """Return the parts that have no row yet."""
        return tuple(self.spool.glob("*.ticket"))

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Leave no byte free."""
        ballast = self.folder / "ballast"
        try:
            # unbuffered: what a buffer still holds would be refused once more as the file closes
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
            yield
        finally:
            ballast.unlink(missing_ok=True)

    @contextlib.contextmanager
    def read_only_spool(self) -> Iterator[None]:
        """Refuse every write to the spool, as a folder that became read-only does."""
        spool = str(self.spool)
        is_bound = (
            os.geteuid() == 0
            and _mount("--bind", spool, spool)
            and _mount("-o", "remount,bind,ro", spool)
        )
        if not is_bound:
            self.spool.chmod(0o555)
        try:
            yield
        finally:
            if is_bound:
                _unmount(self.spool)
            else:
                self.spool.chmod(0o755)

    def cut_power(self) -> int:
        """Take from the spool what was never fsynced; return how many files lost something."""
        durable: dict[str, int] = {}
        ledger = self._control / DURABLE
        for line in ledger.read_text().splitlines() if ledger.is_file() else ():
            size, _, path = line.partition(" ")
            durable[path] = int(size)
        lost = 0
        for ticket in self.tickets():
            kept = durable.get(str(ticket.resolve()), 0)
            if kept < ticket.stat().st_size:
                lost += 1
                os.truncate(ticket, kept)
            if kept == 0:
                ticket.unlink()
        return lost


def _mount(*options: str) -> bool:
    mounted = subprocess.run(["mount", *options], capture_output=True, check=False)
    return mounted.returncode == 0


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)
