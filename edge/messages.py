"""The PLC contract as code: topics, payloads, their limits. `edge/schemas/*.json` says the same.

Every payload is flat JSON with ASCII keys, starts with `schema` (name/version) and stays under
1 kB, `record/1` excepted. Times are ISO 8601 in UTC with milliseconds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import ClassVar, TypeVar

from pydantic import TypeAdapter, ValidationError

from inspector.domain import Decision, Reason
from inspector.errors import MessageError
from inspector.settings import PART_PATTERN, VIEW_PATTERN

MAX_PAYLOAD_BYTES = 8192
MAX_CLAUSE_IDS_CHARS = 200
MAX_DETAIL_CHARS = 200
MAX_REPLAY = 100_000
REQUEST_ID_PATTERN = re.compile(r"[\x21-\x7e]{1,64}")
EXPECTED_KEY_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,31}")
INSPECTED_ON = "inspected_on"
EXPECTED = "expected."

TRIGGER = "cmd/trigger"
ACK = "cmd/ack"
REPLAY = "cmd/replay"
SELFTEST_IN = "cmd/selftest"
SELFTEST_OUT = "evt/selftest"
ACCEPTED = "evt/accepted"
ACQUIRED = "evt/acquired"
RESULT = "evt/result"
REJECTED = "evt/rejected"
RESULT_LAST = "result/last"
OUT = "out"
RECORD = "record"
SPARKPLUG = "sparkplug"
STATE = "state"
HEARTBEAT = "heartbeat"
HEALTH = "health"


class Refusal(IntEnum):
    """Why a trigger gets no ticket."""

    NOT_READY = 1
    STALE = 2
    DUPLICATE_ID = 3
    BAD_MESSAGE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A PLC's order to inspect the part in place.

    `ts` is the PLC's clock: recorded and used to recognise yesterday's orders, never for the
    deadline. `inspected_on` takes the place of today's date, for lines that inspect for another
    day (a backdated lot, a demonstration).
    """

    request_id: str
    part_id: str | None = None
    lot: str | None = None
    view: str | None = None
    recipe: str | None = None
    camera: str | None = None
    seq: int | None = None
    ts: datetime | None = None
    deadline_ms: int | None = None
    expected: Mapping[str, str] = field(default_factory=dict)
    inspected_on: date | None = None

    SCHEMA: ClassVar[str] = "trigger/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The PLC has read a result; `by` says which of several, or which person."""

    request_id: str
    by: str | None = None

    SCHEMA: ClassVar[str] = "ack/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOrder:
    """Somebody lacks records: those with a `seq` above `after_seq`, at most `limit`."""

    after_seq: int
    limit: int = 1000

    SCHEMA: ClassVar[str] = "replay/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """The station to itself: what it hears again proves that it may write and read there."""

    nonce: str

    SCHEMA: ClassVar[str] = "selftest/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The trigger has a ticket; a result follows within `deadline_ms`."""

    request_id: str
    inspection_id: str
    deadline_ms: int
    ts: str

    SCHEMA: ClassVar[str] = "accepted/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The picture is taken: the part may move."""

    request_id: str
    inspection_id: str
    ts: str

    SCHEMA: ClassVar[str] = "acquired/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The one answer to a trigger.

    `seq` counts the answers since the station started; 0 is an answer from before its start.
    """

    request_id: str
    inspection_id: str
    seq: int
    decision: Decision
    code: int
    reason: Reason
    clause_ids: str
    part_id: str
    ts: str
    t_acq_ms: int
    t_proc_ms: int

    SCHEMA: ClassVar[str] = "result/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The trigger got no ticket; `reason` names the code, `detail` says what to do."""

    request_id: str
    code: int
    reason: str
    detail: str

    SCHEMA: ClassVar[str] = "rejected/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the station can do; `online` 0 is the last will. `boot` is new at every start.

    `state` is one of OPC 40100-1: Preoperational (waits for the broker), Ready, Halted, Error.
    Ready stays while parts are inspected: triggers queue.
    """

    online: int
    state: str
    detail: str
    boot: str
    ts: str

    SCHEMA: ClassVar[str] = "state/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A sign of life each second."""

    seq: int
    state: str
    ts: str

    SCHEMA: ClassVar[str] = "heartbeat/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Counters since the start.

    `received = passed + failed + held + rejected + duplicates + malformed + open` at any moment.
    """

    received: int
    passed: int
    failed: int
    held: int
    rejected: int
    duplicates: int
    malformed: int
    open: int
    unsent: int
    unrecorded: int
    retained_dropped: int
    free_mb: int
    acknowledged: int
    unheard: int
    refused: int
    outbox: int
    outbox_age_s: int
    restarts: int
    bad_commands: int
    uptime_s: int
    ts: str

    SCHEMA: ClassVar[str] = "health/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Sparkplug has carried every record up to `seq` to the broker."""

    seq: int
    ts: str

    SCHEMA: ClassVar[str] = "sparkplug/1"


Payload = SelfTest | Accepted | Acquired | Result | Rejected | State | Heartbeat | Health | Carried
_P = TypeVar("_P", bound=Payload)


def timestamp(moment: datetime) -> str:
    """Return `moment` as every payload writes it: `2026-11-23T03:05:07.542Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shortened(text: str, max_chars: int = MAX_DETAIL_CHARS) -> str:
    """Return `text` in printable ASCII and at most `max_chars` long."""
    plain = "".join(c if " " <= c <= "~" else "?" for c in text.replace("≥", ">="))
    return plain if len(plain) <= max_chars else plain[: max_chars - 3] + "..."


def joined(clause_ids: tuple[str, ...]) -> str:
    """Return "C2,C7", cut at whole ids with the number left out ("C2,C7,+31")."""
    kept = len(clause_ids)
    while len(",".join(clause_ids[:kept])) > MAX_CLAUSE_IDS_CHARS:
        kept -= 1
    left_out = len(clause_ids) - kept
    return ",".join((*clause_ids[:kept], *((f"+{left_out}",) if left_out else ())))


def rejection(request_id: str, refusal: Refusal, detail: str) -> Rejected:
    """Return the refusal of a trigger."""
    return Rejected(
        request_id=request_id, code=refusal.value, reason=refusal.name, detail=shortened(detail)
    )


def encode(payload: Payload) -> bytes:
    """Return `payload` as JSON, `schema` first."""
    content = {item.name: getattr(payload, item.name) for item in fields(payload)}
    return _dump({"schema": payload.SCHEMA, **content})


def decode(kind: type[_P], payload: bytes) -> _P:
    """Return the payload of that kind; raise `MessageError` where it is another or damaged."""
    content = _object(payload)
    if content.pop("schema", None) != kind.SCHEMA:
        raise MessageError(f"expected schema {kind.SCHEMA!r}, found another", request_id=None)
    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as exc:
        error = exc.errors()[0]
        raise MessageError(
            f"expected {kind.SCHEMA} with a good {'.'.join(map(str, error['loc']))}: "
            f"{error['msg']}",
            request_id=None,
        ) from exc


def encode_trigger(trigger: Trigger) -> bytes:
    """Return a trigger as the PLC sends it; what is None is left out."""
    content: dict[str, object] = {"schema": Trigger.SCHEMA, "request_id": trigger.request_id}
    for name in ("part_id", "lot", "view", "recipe", "camera", "seq", "deadline_ms"):
        if (value := getattr(trigger, name)) is not None:
            content[name] = value
    if trigger.ts is not None:
        content["ts"] = timestamp(trigger.ts)
    content |= {f"{EXPECTED}{key}": value for key, value in trigger.expected.items()}
    if trigger.inspected_on is not None:
        content[f"{EXPECTED}{INSPECTED_ON}"] = trigger.inspected_on.isoformat()
    return _dump(content)


def parse_trigger(payload: bytes) -> Trigger:
    """Return the trigger of `payload`.

    Raises `MessageError`, whose `request_id` is set where it could be read, so that the sender can
    be told.
    """
    content = _object(payload)
    request_id = _request_id(content.pop("request_id", None))
    try:
        return _trigger(request_id, content)
    except ValueError as exc:
        raise MessageError(str(exc), request_id=request_id) from exc


def parse_ack(payload: bytes) -> Ack:
    """Return the acknowledgement of `payload`; raise `MessageError`."""
    content = _object(payload)
    request_id = _request_id(content.pop("request_id", None))
    try:
        by = _text(content, "by")
    except ValueError as exc:
        raise MessageError(str(exc), request_id=request_id) from exc
    _only(content, Ack.SCHEMA)
    return Ack(request_id=request_id, by=by)


def parse_replay(payload: bytes) -> ReplayOrder:
    """Return the order to replay of `payload`; raise `MessageError`."""
    content = _object(payload)
    try:
        after_seq = _integer(content, "after_seq", least=0)
        limit = _integer(content, "limit", least=1)
    except ValueError as exc:
        raise MessageError(str(exc), request_id=None) from exc
    _only(content, ReplayOrder.SCHEMA)
    if after_seq is None:
        raise MessageError("expected after_seq, found none", request_id=None)
    return ReplayOrder(after_seq=after_seq, limit=min(limit or 1000, MAX_REPLAY))


def encode_command(command: Ack | ReplayOrder) -> bytes:
    """Return a command as a PLC or an MES sends it."""
    content = {item.name: getattr(command, item.name) for item in fields(command)}
    given = {name: value for name, value in content.items() if value is not None}
    return _dump({"schema": command.SCHEMA, **given})


def _only(content: dict[str, object], schema: str) -> None:
    if content.pop("schema", schema) != schema:
        raise MessageError(f"expected schema {schema!r}, found another", request_id=None)
    if content:
        raise MessageError(
            f"expected no other keys, found {', '.join(sorted(content))[:100]!r}", request_id=None
        )


def _trigger(request_id: str, content: dict[str, object]) -> Trigger:
    if content.pop("schema", Trigger.SCHEMA) != Trigger.SCHEMA:
        raise ValueError(f"expected schema {Trigger.SCHEMA!r}, found another")
    expected: dict[str, str] = {}
    for key in [key for key in content if key.startswith(EXPECTED)]:
        expected[_expected_key(key)] = _expected_value(key, content.pop(key))
    written_on = expected.pop(INSPECTED_ON, None)
    trigger = Trigger(
        request_id=request_id,
        part_id=_named(content, "part_id", PART_PATTERN),
        lot=_text(content, "lot"),
        view=_named(content, "view", VIEW_PATTERN),
        recipe=_text(content, "recipe"),
        camera=_text(content, "camera"),
        seq=_integer(content, "seq", least=0),
        ts=_moment(content),
        deadline_ms=_integer(content, "deadline_ms", least=1),
        expected=expected,
        inspected_on=None if written_on is None else _day(written_on),
    )
    if content:
        raise ValueError(f"expected no other keys, found {', '.join(sorted(content))[:100]!r}")
    return trigger


def _object(payload: bytes) -> dict[str, object]:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError(
            f"expected at most {MAX_PAYLOAD_BYTES} bytes, found {len(payload)}", request_id=None
        )
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError) as exc:
        raise MessageError(f"expected JSON in UTF-8: {exc}", request_id=None) from exc
    if not isinstance(content, dict):
        raise MessageError("expected one flat JSON object, found another value", request_id=None)
    return content


def _request_id(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not REQUEST_ID_PATTERN.fullmatch(text):
        raise MessageError(
            "expected request_id of 1 to 64 printable ASCII characters without spaces, found "
            f"{str(value)[:80]!r}",
            request_id=None,
        )
    return text


def _text(content: dict[str, object], key: str) -> str | None:
    value = content.pop(key, None)
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or not value.isprintable():
        raise ValueError(f"expected {key} of 1 to 64 printable characters, found {_quoted(value)}")
    return value


def _named(content: dict[str, object], key: str, pattern: re.Pattern[str]) -> str | None:
    value = _text(content, key)
    if value is not None and not pattern.fullmatch(value):
        raise ValueError(f"expected {key} like {pattern.pattern}, found {_quoted(value)}")
    return value


def _integer(content: dict[str, object], key: str, *, least: int) -> int | None:
    value = content.pop(key, None)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**53:
        raise ValueError(f"expected {key} to be a whole number ≥ {least}, found {_quoted(value)}")
    return value


def _moment(content: dict[str, object]) -> datetime | None:
    value = content.pop("ts", None)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # said below, together with what has no zone
    raise ValueError(
        f"expected ts in ISO 8601 with its zone (2026-11-23T03:05:07Z), found {_quoted(value)}"
    )


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(
            f"expected {EXPECTED}{INSPECTED_ON} like 2026-11-23, found {_quoted(value)}"
        ) from None


def _expected_key(key: str) -> str:
    name = key.removeprefix(EXPECTED)
    if not EXPECTED_KEY_PATTERN.fullmatch(name):
        raise ValueError(
            f"expected {EXPECTED}NAME with a NAME of small letters, digits and '_', "
            f"found {_quoted(key)}"
        )
    return name


def _expected_value(key: str, value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > 200 or not _is_unicode(value):
        raise ValueError(
            f"expected {key} to be a text of at most 200 characters or a whole number, "
            f"found {_quoted(value)}"
        )
    return value


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)  # JSON lets lone surrogates pass


def _quoted(value: object) -> str:
    return repr(value)[:60]


def _dump(content: dict[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
