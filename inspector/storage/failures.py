"""What the operating system and the databases refuse, in one line that says what to do."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from inspector.errors import RecordRefused, StorageError, StorageFull

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_WRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}
_POSTGRES_DISK_FULL = "53100"
_POSTGRES_READ_ONLY = "25006"


@contextmanager
def naming_the_path(path: Path) -> Iterator[None]:
    """Turn an `OSError` met while writing `path` into `StorageFull` or `StorageError`."""
    try:
        yield
    except OSError as exc:
        where = exc.filename or path
        if exc.errno in _NO_SPACE:
            raise StorageFull(
                f"{where}: expected free space, found none ({exc.strerror}); make room on the disk"
            ) from exc
        if exc.errno in _NOT_WRITABLE:
            raise StorageFull(
                f"{where}: expected a writable folder, found {exc.strerror!r}; "
                "mount it writable or change its owner"
            ) from exc
        raise StorageError(
            f"{where}: expected to write it, found {exc.strerror!r}; check the disk"
        ) from exc


@contextmanager
def naming_the_database(shown_url: str) -> Iterator[None]:
    """Turn an error of SQLAlchemy into `StorageFull`, `RecordRefused` or `StorageError`.

    `shown_url` stands in the message, so it must carry no password.
    """
    try:
        yield
    except SQLAlchemyError as exc:
        cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
        found = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        if _is_full(cause):
            raise StorageFull(
                f"{shown_url}: expected free space, found {found!r}; make room on the disk"
            ) from exc
        if _is_read_only(cause):
            raise StorageFull(
                f"{shown_url}: expected a writable database, found {found!r}; "
                "mount its folder writable or change its owner"
            ) from exc
        if isinstance(exc, IntegrityError | DataError):
            raise RecordRefused(
                f"{shown_url}: expected a record the database takes, found {found!r}; "
                "report this with the file set aside in the spool"
            ) from exc
        raise StorageError(
            f"{shown_url}: expected the database to answer, found {found!r}"
        ) from exc


def _is_full(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0)
        return code == sqlite3.SQLITE_IOERR_SHMSIZE or _primary(code) == sqlite3.SQLITE_FULL
    return getattr(cause, "sqlstate", None) == _POSTGRES_DISK_FULL


def _is_read_only(cause: BaseException) -> bool:
    if isinstance(cause, sqlite3.Error):
        # the file is known to be there, so what cannot be opened are its WAL files beside it
        code = getattr(cause, "sqlite_errorcode", 0)
        return _primary(code) in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
    return getattr(cause, "sqlstate", None) == _POSTGRES_READ_ONLY


def _primary(code: int) -> int:
    """Return the primary result code of an extended one (SQLite, "Result and Error Codes")."""
    return code & 0xFF
