"""How often a part makes the station wait for a PostgreSQL server: counted on the wire."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url
from storage_builders import part

from inspector.domain import Decision
from inspector.storage.database import open_database
from inspector.storage.store import Store


class Wire:
    """Passes connections on to a server, and counts how often a client awaits an answer."""

    def __init__(self, folder: Path, *, server: str, port: int) -> None:
        self.round_trips = 0
        self._answered = True
        self._server = f"{server}/.s.PGSQL.{port}"
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(f"{folder}/.s.PGSQL.{port}")
        self._door.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            for source, sink in ((client, server), (server, client)):
                threading.Thread(
                    target=self._pass_on, args=(source, sink, source is server), daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):  # the other side was first to hang up
            while sent := source.recv(1 << 20):
                if not is_answer and self._answered:
                    self.round_trips += 1
                self._answered = is_answer
                sink.sendall(sent)
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def wire(postgresql, tmp_path: Path) -> Iterator[tuple[Wire, Store]]:
    url = make_url(postgresql.create(like=postgresql.migrated))
    server, port = str(url.query["host"]), int(url.port or 5432)
    wire = Wire(tmp_path, server=server, port=port)
    through = url.update_query_dict({"host": str(tmp_path)}).render_as_string(hide_password=False)
    database = open_database(through)
    yield wire, Store(database)
    database.close()
    wire.close()


def test_a_part_with_all_that_belongs_to_it_takes_four_round_trips(wire: tuple[Wire, Store]):
    counted, store = wire
    store.record(part(sent=Decision.PASS))
    before = counted.round_trips
    store.record(part(sent=Decision.PASS))
    assert counted.round_trips - before == 4  # begin, look, write, commit


def test_the_outbox_takes_one_round_trip_to_look_and_one_to_mark(wire: tuple[Wire, Store]):
    counted, store = wire
    seqs = tuple(store.record(part()) for _ in range(3))
    before = counted.round_trips
    store.pending_outbox(10, station_id="s1", besides=seqs[:1])
    assert counted.round_trips - before == 1
    store.mark_published(seqs)
    assert counted.round_trips - before == 2
    store.outbox_after(0, station_id="s1", limit=10)
    assert counted.round_trips - before == 3
