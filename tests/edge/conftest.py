"""One broker and one migrated database for all; each test has its own station and topics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from edge_builders import LinePlc, line_plc, station_settings

from edge.broker import broker
from inspector.settings import StationSettings
from inspector.storage.database import upgrade


@pytest.fixture(scope="session")
def broker_port() -> Iterator[int]:
    with broker() as running:
        yield running.port


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables and no rows, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "station.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def own_port() -> Iterator[int]:
    """The port of a broker with nothing retained from other tests."""
    with broker() as running:
        yield running.port


@pytest.fixture
def settings(tmp_path: Path, own_port: int, migrated: Path) -> StationSettings:
    return station_settings(tmp_path, port=own_port, migrated=migrated)


@pytest.fixture
def plc(own_port: int) -> Iterator[LinePlc]:
    with line_plc(own_port) as plc:
        yield plc
