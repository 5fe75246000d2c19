"""The door to the database: connections, transactions and the version of the schema.

SQLite is a file beside the station, PostgreSQL a server of the plant; the same code runs on both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    Row,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from inspector.errors import NotMigrated, StorageError
from inspector.settings import PACKAGE
from inspector.storage.failures import naming_the_database, naming_the_path

BUSY_TIMEOUT_S = 5
SILENT_S = 10
SHIPPED = PACKAGE / "_shipped" / "migrations"
# two upgrades of one PostgreSQL database at a time would both create the tables
_UPGRADE_LOCK = 0x696E7370
_TURN_LOCK = 0x7265636F
_POSTGRESQL_BEGINS = {
    "read": "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "write": "BEGIN",
    # a client that is gone without a word must not keep the turn for hours
    "write in turn": f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = '{SILENT_S}s'; "
    f"SELECT pg_advisory_xact_lock({_TURN_LOCK})",
}
_REMEDY = "run `inspector db upgrade STATION.yaml`"


class Database:
    """An open database of this version's schema. Any thread may call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(inspector_begins="write")
        self._in_turn = engine.execution_options(inspector_begins="write in turn")
        self._alone = engine.execution_options(inspector_begins="never")
        self._shown = engine.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database and writes nothing."""
        with naming_the_database(self._shown), _begun(self.engine) as connection:
            yield connection

    @contextmanager
    def writing(self, *, in_turn: bool = False) -> Iterator[Connection]:
        """Give a connection in a transaction: committed at the end, rolled back on an error.

        `in_turn` waits until no other station is between looking for a row and writing it. So `seq`
        grows in commit order too, and a reader that continues after the last `seq` it saw misses
        nothing. On SQLite, which has one writer, each waits so from the start.
        """
        writer = self._in_turn if in_turn else self._writer
        with naming_the_database(self._shown), _begun(writer) as connection:
            yield connection
            connection.commit()

    def alone(self, statement: Executable) -> Sequence[Row[Any]]:
        """Execute one statement, a transaction by itself, in one round trip; return its rows.

        It is executed again where the server had dropped the connection, so twice must be as good
        as once.
        """
        with naming_the_database(self._shown):
            try:
                return self._execute(statement)
            except DBAPIError as exc:
                if not exc.connection_invalidated:
                    raise
                return self._execute(statement)

    def _execute(self, statement: Executable) -> Sequence[Row[Any]]:
        with self._alone.connect() as connection:
            found = connection.execute(statement)
            return found.all() if found.returns_rows else ()

    def close(self) -> None:
        """Close every connection; the last one of a SQLite file folds its WAL back into it."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Return the database at `url`, its schema checked.

    Raises `NotMigrated` where the schema is not this version's and `StorageError` where it cannot
    be reached. Creates nothing: that is `upgrade`.
    """
    engine = _existing(url)
    try:
        _require_head(engine)
    except StorageError:
        engine.dispose()
        raise
    return Database(engine)


def check(url: str) -> str:
    """Return the schema's revision; raise as `open_database` does."""
    engine = _existing(url)
    try:
        return _require_head(engine)
    finally:
        engine.dispose()


def upgrade(url: str) -> str:
    """Bring the database to this version's schema, in one transaction, and return its revision.

    Creates a SQLite file and its folder. What is recorded stays.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        file = Path(str(parsed.database))
        with naming_the_path(file):
            file.parent.mkdir(parents=True, exist_ok=True)
    engine = _engine(parsed)
    configuration = Config()
    # ConfigParser reads % as the start of an interpolation
    configuration.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    try:
        with naming_the_database(parsed.render_as_string(hide_password=True)):
            writer = engine.execution_options(inspector_begins="write")
            with writer.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(
                        text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK}
                    )
                _refuse_unknown(connection)
                configuration.attributes["connection"] = connection
                command.upgrade(configuration, "head")
        return _require_head(engine)
    finally:
        engine.dispose()


def migrations() -> Path:
    """Return the folder of the migrations: in an installed package, else in the checkout."""
    return SHIPPED if SHIPPED.is_dir() else PACKAGE.parent / "migrations"


def _existing(url: str) -> Engine:
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).is_file():
        raise NotMigrated(f"{parsed.database}: expected a database, found none; {_REMEDY}")
    return _engine(parsed)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        # the text may hold a password, so it is not repeated
        raise StorageError(
            "expected a database URL, sqlite:///FILE or postgresql+psycopg://HOST/NAME, "
            "found something else"
        ) from exc
    if parsed.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise StorageError(
            "expected sqlite:///FILE or postgresql+psycopg://HOST/NAME, "
            f"found {parsed.drivername}://"
        )
    if parsed.drivername == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise StorageError("expected sqlite:///FILE, found a database in memory, which keeps none")
    return parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        url,
        pool_timeout=BUSY_TIMEOUT_S,
        connect_args={
            "autocommit": True,  # `_begin_postgresql` begins
            "connect_timeout": BUSY_TIMEOUT_S,
            # a server that vanished from the network is given up, not waited for half an hour
            "tcp_user_timeout": SILENT_S * 1000,
            "keepalives_idle": SILENT_S,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "options": f"-c timezone=UTC -c lock_timeout={BUSY_TIMEOUT_S}s",
        },
    )
    event.listen(engine, "begin", _begin_postgresql)
    return engine


@contextmanager
def _begun(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose transaction has begun, and roll back what is not committed.

    A server that was restarted is noticed by BEGIN, before anything is asked of a dead connection.
    """
    connection = engine.connect()
    try:
        try:
            connection.begin()
        except DBAPIError as exc:
            if not exc.connection_invalidated:
                raise
            connection.close()
            connection = engine.connect()
            connection.begin()
        yield connection
    finally:
        connection.close()


@contextmanager
def pipelined(connection: Connection) -> Iterator[None]:
    """Have PostgreSQL take all that is executed in this context in one round trip.

    Nothing can be read in it, not even a `rowcount`; what is refused is raised at its end.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    driver: Any = connection.connection.driver_connection
    try:
        with driver.pipeline():
            yield
    except psycopg.Error as exc:  # of no statement that SQLAlchemy could name
        raise DBAPIError.instance(None, None, exc, psycopg.Error) from exc


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # without this, pysqlite opens transactions by itself, and not before DDL or SELECT
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
        "journal_mode=WAL",
        # in WAL mode only FULL syncs each commit
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    begins = connection.get_execution_options().get("inspector_begins", "read")
    if begins != "never":
        connection.exec_driver_sql("BEGIN" if begins == "read" else "BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    begins = connection.get_execution_options().get("inspector_begins", "read")
    if begins != "never":
        connection.exec_driver_sql(_POSTGRESQL_BEGINS[begins])


def _require_head(engine: Engine) -> str:
    head = _scripts().get_current_head()
    shown = engine.url.render_as_string(hide_password=True)
    with naming_the_database(shown), engine.connect() as connection:
        _refuse_unknown(connection)
        found = MigrationContext.configure(connection).get_current_revision()
    if found is None or found != head:
        raise NotMigrated(
            f"{shown}: expected schema {head}, found {found or 'no tables'}; {_REMEDY}"
        )
    return found


def _refuse_unknown(connection: Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is not None and found not in known:
        shown = connection.engine.url.render_as_string(hide_password=True)
        raise NotMigrated(
            f"{shown}: expected a schema that this version knows, found {found}, which a newer "
            "version made; install that version"
        )


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(migrations()))
