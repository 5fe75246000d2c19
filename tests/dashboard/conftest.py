"""A database and a record folder, and the pages that read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dashboard_seeding import VIEWS, Plant
from streamlit.testing.v1 import AppTest

from dashboard.data import DATABASE_VARIABLE, RECORDS_VARIABLE
from inspector.storage.database import open_database, upgrade
from inspector.storage.store import Store


@pytest.fixture
def records(tmp_path: Path) -> Path:
    folder = tmp_path / "records"
    folder.mkdir()
    return folder


@pytest.fixture
def plant(tmp_path: Path, records: Path) -> Iterator[Plant]:
    url = f"sqlite:///{tmp_path / 'station.db'}"
    upgrade(url)
    database = open_database(url)
    yield Plant(url=url, records=records, database=database, store=Store(database))
    database.close()


@pytest.fixture
def open_page(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of the plant's records, with what its address says."""
    monkeypatch.setenv(DATABASE_VARIABLE, plant.url)
    monkeypatch.setenv(RECORDS_VARIABLE, str(plant.records))

    def opened(name: str, **address: str) -> AppTest:
        page = AppTest.from_file(str(VIEWS / f"{name}.py"), default_timeout=20)
        page.query_params.update(address)
        return page.run()

    return opened
