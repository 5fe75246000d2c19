from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select
from storage_builders import part, settlement, ticket

from inspector.errors import StorageFull
from inspector.storage.database import open_database, upgrade
from inspector.storage.files import Pictures
from inspector.storage.schema import InspectionRow
from inspector.storage.spool import Spool
from inspector.storage.store import Store

MORE_THAN_FITS = 10_000


@contextmanager
def files_at_most(size_bytes: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def no_room_on(folder: Path) -> Iterator[None]:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"\0" * 4096)
    yield
    ballast.unlink()


def test_a_ticket_that_does_not_fit_is_refused_and_the_earlier_lines_are_kept(tmp_path: Path):
    spool = Spool(tmp_path)
    opened = ticket()
    judged = part(of=opened)
    spool.open_ticket(opened)
    (path,) = tmp_path.iterdir()
    with (
        files_at_most(path.stat().st_size + 100),
        pytest.raises(StorageFull, match=r"expected free space.*make room"),
    ):
        spool.candidate(judged)
    (found,) = spool.leftovers()
    assert (found.ticket, found.candidate, len(found.torn)) == (opened, None, 1)
    spool.candidate(judged)
    spool.settle(settlement(opened.id))
    (found,) = spool.leftovers()
    assert (found.candidate, found.settlement) == (judged, settlement(opened.id))


def test_a_picture_that_does_not_fit_leaves_nothing(tmp_path: Path):
    pictures = Pictures(tmp_path)
    noise = np.random.default_rng(1).integers(0, 255, (100, 100, 3), dtype=np.uint8)
    with files_at_most(1000), pytest.raises(StorageFull, match="make room"):
        pictures.save(noise, "2026/03/01/a.png")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_full_disk_refuses_in_one_line_and_loses_nothing(small_disk: Path):
    url = f"sqlite:///{small_disk / 'station.db'}"
    upgrade(url)
    database, spool, pictures = open_database(url), Spool(small_disk), Pictures(small_disk)
    store = Store(database)
    noise = np.random.default_rng(1).integers(0, 255, (100, 100, 3), dtype=np.uint8)
    recorded = []
    with pytest.raises(StorageFull) as raised:
        for _ in range(MORE_THAN_FITS):
            inspection = part()
            store.record(inspection)
            recorded.append(inspection.id)
    assert len(recorded) > 10
    assert len(str(raised.value).splitlines()) == 1
    kept = ticket()
    with no_room_on(small_disk):
        with pytest.raises(StorageFull):
            pictures.save(noise, "2026/03/01/a.png")
        with pytest.raises(StorageFull):
            spool.open_ticket(kept)
    database.close()
    with no_room_on(small_disk), pytest.raises(StorageFull, match="make room"):
        Store(open_database(url)).record(part())
    spool.set_aside(kept.id)

    database = open_database(url)
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        found = set(connection.scalars(select(InspectionRow.id)))
    assert found == set(recorded)
    database.close()


def test_a_station_records_again_when_there_is_room_again(small_disk: Path):
    url = f"sqlite:///{small_disk / 'station.db'}"
    upgrade(url)
    database = open_database(url)
    store = Store(database)
    store.record(part())
    with no_room_on(small_disk), pytest.raises(StorageFull):
        for _ in range(MORE_THAN_FITS):
            store.record(part())
    store.record(part())
    with database.reading() as connection:
        parts, newest = connection.execute(
            select(func.count(), func.max(InspectionRow.seq)).select_from(InspectionRow)
        ).one()
    assert parts == newest
    database.close()


def test_a_read_only_folder_is_named_with_the_remedy(small_disk: Path):
    url = f"sqlite:///{small_disk / 'station.db'}"
    upgrade(url)
    pictures = Pictures(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for writes in (
        lambda: Spool(small_disk),
        lambda: Pictures(small_disk / "new"),
        lambda: pictures.save(np.zeros((9, 9, 3), np.uint8), "2026/03/01/a.png"),
        lambda: Store(open_database(url)).record(part()),
        lambda: upgrade(f"sqlite:///{small_disk / 'other' / 'station.db'}"),
    ):
        with pytest.raises(StorageFull, match="mount") as raised:
            writes()
        assert str(small_disk) in str(raised.value)
