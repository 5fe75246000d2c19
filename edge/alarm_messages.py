"""Alarms in the MQTT contract: the retained state of each, and what people ask by `cmd/alarm`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.messages import shortened, timestamp
from inspector.alarms import ID_PATTERN, Action, Alarm, AlarmCommand
from inspector.errors import MessageError

ALARM = "alarm"  # and the alarm's id as the last level
COMMAND = "cmd/alarm"
MAX_COMMAND_BYTES = 2048
ALARM_SCHEMA = "alarm/1"
COMMAND_SCHEMA = "alarm_command/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmNotice:
    """One alarm as the retained topic says it; `priority` 1 critical to 4 low, times "" if none."""

    alarm_id: str
    source: str
    state: str
    active: int
    acked: int
    priority: int
    effect: str
    message: str
    t_on: str
    t_ack: str
    t_off: str
    shelved_until: str
    by: str
    n: int


def encode_alarm(alarm: Alarm) -> bytes:
    """Return the payload of `<base>/alarm/<id>`."""
    notice = AlarmNotice(
        alarm_id=alarm.id,
        source=alarm.source,
        state=alarm.state.value,
        active=int(alarm.active),
        acked=int(not alarm.is_announced),
        priority=alarm.priority.value,
        effect=alarm.effect.value,
        message=shortened(alarm.message),
        t_on=_time(alarm.raised_at),
        t_ack=_time(alarm.acknowledged_at),
        t_off=_time(alarm.cleared_at),
        shelved_until=_time(alarm.shelved_until),
        by=shortened(alarm.suppressed_by or alarm.acknowledged_by or "", 64),
        n=alarm.occurrences,
    )
    return json.dumps(
        {"schema": ALARM_SCHEMA, **asdict(notice)}, allow_nan=False, separators=(",", ":")
    ).encode()


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    schema_: Literal["alarm_command/1"] = Field("alarm_command/1", alias="schema")
    alarm_id: Annotated[str, Field(pattern=f"^{ID_PATTERN.pattern}$")]
    action: Literal["ack", "shelve", "unshelve", "out_of_service", "in_service"]
    by: Annotated[str, Field(min_length=1, max_length=64)]
    reason: Annotated[str, Field(max_length=200)] = ""
    for_s: Annotated[int, Field(gt=0, le=604_800)] | None = None


def parse_command(payload: bytes, *, now: datetime) -> AlarmCommand:
    """Return the command of `payload`; raise `MessageError` where it is none."""
    if len(payload) > MAX_COMMAND_BYTES:
        raise _wrong(f"expected at most {MAX_COMMAND_BYTES} bytes, found {len(payload)}")
    try:
        found = _Command.model_validate_json(payload)
    except ValidationError as exc:
        error = exc.errors()[0]
        where = ".".join(map(str, error["loc"])) or "the payload"
        raise _wrong(f"expected {COMMAND_SCHEMA} with a good {where}: {error['msg']}") from exc
    if (found.for_s is not None) is not (found.action == Action.SHELVE.value):
        raise _wrong("expected for_s with the action shelve, and with no other")
    return AlarmCommand(
        id=uuid4(),
        alarm_id=found.alarm_id,
        action=Action(found.action),
        by=found.by,
        at=now,
        reason=found.reason,
        until=None if found.for_s is None else now + timedelta(seconds=found.for_s),
    )


def _time(moment: datetime | None) -> str:
    return "" if moment is None else timestamp(moment)


def _wrong(what: str) -> MessageError:
    return MessageError(what, request_id=None)
