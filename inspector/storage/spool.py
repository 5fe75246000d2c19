"""What must survive a crash before the database has it: one file per open ticket.

A file grows by lines, each written and fsynced before its method returns: the ticket, the
candidate (what was judged), the settlement (what left the station). A line carries its length and
sha256, and starts on a new line whatever stood before it, so a line cut by a crash or a full disk
is recognised and spoils neither the lines before nor those after.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import UUID

from inspector.domain import Decision, Inspection
from inspector.errors import StorageError
from inspector.storage.failures import naming_the_path
from inspector.storage.files import fsync_folder, write_probe
from inspector.storage.records import (
    decision_from_json,
    decision_to_json,
    inspection_from_json,
    inspection_to_json,
    json_text,
    moment_from_json,
    moment_to_json,
)

SettledBy = Literal["verdict", "deadline", "stopping", "recovery"]
_SUFFIX = ".ticket"
_SUFFIX_ASIDE = ".torn"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTicket:
    """What is known of a part when its ticket opens; `id` becomes the inspection's."""

    id: UUID
    request_id: str
    station_id: str
    camera_id: str
    part_id: str | None
    lot: str | None
    view: str | None
    product: str
    recipe: str
    recipe_rev: str
    standard_rev: str
    triggered_at: datetime
    expected: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.triggered_at.tzinfo is None:
            raise ValueError(f"expected triggered_at with a time zone, got {self.triggered_at!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What left the station for a ticket, and who decided it; None where nothing left.

    `is_certain` is False where it is written before the answer leaves: whoever finds it after a
    crash knows that it may have left, and may not.
    """

    id: UUID
    sent_decision: Decision | None
    sent_at: datetime | None
    by: SettledBy
    is_certain: bool = True

    def applied_to(self, inspection: Inspection) -> Inspection:
        """Return `inspection` with what was sent; what was judged stays."""
        return replace(inspection, sent_decision=self.sent_decision, sent_at=self.sent_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What one file holds; `torn` says what of it cannot be read, in one line each."""

    id: UUID
    ticket: OpenTicket | None
    candidate: Inspection | None
    settlement: Settlement | None
    torn: tuple[str, ...] = ()


class Spool:
    """The folder of open tickets. Any thread may call; one process owns the folder.

    Each writing method returns when the disk has it, and raises `StorageFull` or `StorageError`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with naming_the_path(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.probe()  # found now, and not with the first part

    def probe(self) -> None:
        """Write and remove a small file; raises `StorageFull` or `StorageError`."""
        write_probe(self.folder)

    def open_ticket(self, ticket: OpenTicket) -> None:
        """Note that a ticket is open, before anybody is told that it was accepted."""
        self._append(ticket.id, "ticket", _ticket_to_json(ticket))

    def candidate(self, inspection: Inspection) -> None:
        """Note what was judged, before anybody is told; the newest candidate counts."""
        self._append(inspection.id, "candidate", inspection_to_json(inspection))

    def settle(self, settlement: Settlement, *, durable: bool = True) -> None:
        """Note what leaves the station; the newest settlement counts.

        With `durable` False the line survives the end of this process, but not a loss of power: a
        write without fsync costs microseconds, on the way of an answer. A ticket that has its row
        already, or never had a file, is left alone.
        """
        self._append(
            settlement.id,
            "settlement",
            _settlement_to_json(settlement),
            durable=durable,
            creates=False,
        )

    def remove(self, inspection_id: UUID) -> None:
        """Forget a ticket whose row is committed; one that is gone is no error.

        The removal itself is not fsynced: a file that comes back after a power cut makes the same
        row again, which changes nothing.
        """
        path = self._path(inspection_id)
        with naming_the_path(path):
            path.unlink(missing_ok=True)

    def set_aside(self, inspection_id: UUID) -> Path:
        """Rename a file of which nothing can be made, so that a person may look; return it."""
        path = self._path(inspection_id)
        aside = path.with_suffix(_SUFFIX_ASIDE)
        with naming_the_path(path):
            path.rename(aside)
            fsync_folder(self.folder)
        return aside

    def leftovers(self) -> tuple[Leftover, ...]:
        """Return what the last run left, oldest trigger first, unreadable files last."""
        with naming_the_path(self.folder):
            files = sorted(self.folder.glob(f"*{_SUFFIX}"))
        found = [_read(path) for path in files if _is_uuid(path.stem)]
        return tuple(sorted(found, key=_age))

    def _path(self, inspection_id: UUID) -> Path:
        return self.folder / f"{inspection_id}{_SUFFIX}"

    def _append(
        self,
        inspection_id: UUID,
        kind: str,
        body: Mapping[str, Any],
        *,
        durable: bool = True,
        creates: bool = True,
    ) -> None:
        content = json_text(body).encode("ascii")
        digest = hashlib.sha256(content).hexdigest()
        line = b"\n%s %d %s %s\n" % (kind.encode("ascii"), len(content), digest.encode(), content)
        path = self._path(inspection_id)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if creates else 0)
        with naming_the_path(path):
            try:
                descriptor = os.open(path, flags, 0o644)
            except FileNotFoundError:
                if creates:
                    raise
                return
            try:
                is_new = os.fstat(descriptor).st_size == 0
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                if durable:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if is_new:
                fsync_folder(self.folder)


def _read(path: Path) -> Leftover:
    with naming_the_path(path):
        lines = path.read_bytes().split(b"\n")
    ticket: OpenTicket | None = None
    candidate: Inspection | None = None
    settlement: Settlement | None = None
    torn: list[str] = []
    for line in filter(None, lines):
        try:
            kind, body = _unframed(line)
            if kind == "ticket":
                ticket = _ticket_from_json(body)
            elif kind == "candidate":
                candidate = inspection_from_json(body)
            else:
                settlement = _settlement_from_json(body)
        except StorageError as exc:
            torn.append(f"{path.name}: {exc}")
    return Leftover(
        id=UUID(path.stem),
        ticket=ticket,
        candidate=candidate,
        settlement=settlement,
        torn=tuple(torn) if any(lines) else (f"{path.name}: expected a ticket, found it empty",),
    )


def _unframed(line: bytes) -> tuple[str, dict[str, Any]]:
    parts = line.split(b" ", 3)
    if len(parts) != 4 or parts[0] not in {b"ticket", b"candidate", b"settlement"}:
        raise StorageError(f"expected 'kind length sha256 content', found {line[:40]!r}")
    kind, length, digest, content = parts
    if str(len(content)).encode() != length:
        raise StorageError(
            f"expected a {kind.decode()} of {length.decode('ascii', 'replace')} bytes, "
            f"found {len(content)}"
        )
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise StorageError(f"expected a {kind.decode()} with its sha256, found another content")
    body = json.loads(content)
    return kind.decode(), body


def _ticket_to_json(ticket: OpenTicket) -> dict[str, Any]:
    return {
        "id": str(ticket.id),
        "request_id": ticket.request_id,
        "station_id": ticket.station_id,
        "camera_id": ticket.camera_id,
        "part_id": ticket.part_id,
        "lot": ticket.lot,
        "view": ticket.view,
        "product": ticket.product,
        "recipe": ticket.recipe,
        "recipe_rev": ticket.recipe_rev,
        "standard_rev": ticket.standard_rev,
        "triggered_at": ticket.triggered_at.isoformat(),
        "expected": dict(ticket.expected),
    }


def _ticket_from_json(body: Mapping[str, Any]) -> OpenTicket:
    try:
        return OpenTicket(
            **{
                **body,
                "id": UUID(body["id"]),
                "triggered_at": datetime.fromisoformat(body["triggered_at"]),
            }
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise StorageError(f"expected a ticket of this version, found {exc!r}") from exc


def _settlement_to_json(settlement: Settlement) -> dict[str, Any]:
    return {
        "id": str(settlement.id),
        "sent_decision": decision_to_json(settlement.sent_decision),
        "sent_at": moment_to_json(settlement.sent_at),
        "by": settlement.by,
        "is_certain": settlement.is_certain,
    }


def _settlement_from_json(body: Mapping[str, Any]) -> Settlement:
    try:
        if body["by"] not in get_args(SettledBy):
            raise ValueError(body["by"])
        return Settlement(
            id=UUID(body["id"]),
            sent_decision=decision_from_json(body["sent_decision"]),
            sent_at=moment_from_json(body["sent_at"]),
            by=body["by"],
            is_certain=bool(body.get("is_certain", True)),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise StorageError(f"expected a settlement of this version, found {exc!r}") from exc


def _age(leftover: Leftover) -> datetime:
    if leftover.ticket is not None:
        return leftover.ticket.triggered_at
    if leftover.candidate is not None:
        return leftover.candidate.triggered_at
    return datetime.max.replace(tzinfo=UTC)


def _is_uuid(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
