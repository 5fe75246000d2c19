"""What a plant says of alarms in the station file: the station's own, and those of the PLC."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from inspector.alarms import Effect, Priority

NAME = r"^[A-Za-z0-9_-]{1,32}$"
Shape = Literal["json", "kepware", "neuron", "scalar", "sparkplug"]
Flag = bool | int | float | str
OwnAlarm = Literal[
    "camera_lost",
    "bad_frames",
    "model_failed",
    "deadline_missed",
    "yield_low",
    "failures_in_a_row",
    "storage_low",
    "storage_full",
    "outbox_old",
    "outbox_full",
    "plc_not_listening",
    "clock_step",
    "alerts_malformed",
]


def _named_priority(value: object) -> object:
    """Take a priority by its name, as people write it."""
    if isinstance(value, Priority):
        return value
    if isinstance(value, str) and value.upper() in Priority.__members__:
        return Priority[value.upper()]
    known = ", ".join(priority.name.lower() for priority in Priority)
    raise ValueError(f"expected one of {known}, found {value!r}")


PriorityName = Annotated[
    Priority,
    BeforeValidator(_named_priority),
    PlainSerializer(lambda priority: priority.name.lower(), when_used="json"),
]


class _Strict(BaseModel):
    # YAML reads the key 1 as a number
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )


class AlarmRule(_Strict):
    """How urgent an alarm is, what it does to parts, and its delays against chatter."""

    priority: PriorityName = Field(Priority.MEDIUM, description="critical, high, medium or low")
    effect: Effect = Field(
        Effect.NOTE, description="while active: hold every part, pause the station, or note it"
    )
    on_delay_s: float = Field(0, ge=0, le=3600, description="raised after this long without break")
    off_delay_s: float = Field(0, ge=0, le=3600, description="cleared after this long without it")


class PlcAlertSettings(AlarmRule):
    """Alerts of a PLC: which topics, and how their payloads say id and condition."""

    name: str = Field(pattern=NAME, description="names the source; alarm ids begin with it")
    filter: str = Field(description="MQTT topic filter, + and # allowed")
    shape: Shape = Field("json", description="json, kepware, neuron, scalar or sparkplug")
    each: str | None = Field(None, description="json: dotted path to a list, one alert an entry")
    id: str | None = Field(
        None, description="json: dotted path to the alert's id; the topic's wildcards without it"
    )
    active: str = Field("active", description="json: dotted path to the condition")
    message: str | None = Field(None, description="json: dotted path to the words")
    priority_at: str | None = Field(None, description="json: dotted path to the priority")
    priorities: Mapping[str, PriorityName] = Field(
        {}, description="what the values at priority_at mean"
    )
    active_when: tuple[Flag, ...] = Field(
        (), description="values that mean active; true, 1, on, yes, active, alarm without them"
    )
    inactive_when: tuple[Flag, ...] = Field(
        (),
        description="values that mean inactive; false, 0, off, no, inactive, normal, ok, or all"
        " but active_when where that is given",
    )
    ids: str | None = Field(None, description="regular expression; other ids are no alerts")
    texts: Mapping[str, str] = Field({}, description="words by id, for payloads that carry none")

    @field_validator("filter")
    @classmethod
    def _filter_is_one(cls, value: str) -> str:
        levels = value.split("/")
        good = (
            0 < len(value) <= 255
            and value.isprintable()
            and "#" not in levels[:-1]
            and all(level in {"+", "#"} or not re.search(r"[+#]", level) for level in levels)
        )
        if not good:
            raise ValueError(
                "expected an MQTT filter, levels joined by '/', '+' for one and '#' for the rest"
            )
        return value

    @field_validator("ids")
    @classmethod
    def _ids_compile(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as exc:
            raise ValueError(f"expected a regular expression: {exc}") from exc
        return value

    @model_validator(mode="after")
    def _keys_fit_the_shape(self) -> PlcAlertSettings:
        if self.shape != "json":
            given = {"each", "id", "active", "message", "priority_at", "priorities"}
            if wrong := sorted(given & self.model_fields_set):
                raise ValueError(f"expected shape: json for {', '.join(wrong)}")
        if self.shape == "sparkplug" and self.ids is None:
            raise ValueError("expected ids: which metrics are alarms, found none")
        if self.priorities and self.priority_at is None:
            raise ValueError("expected priority_at where there are priorities")
        if self.inactive_when and not self.active_when:
            raise ValueError("expected active_when where there is inactive_when")
        return self


_OWN: Mapping[OwnAlarm, AlarmRule] = MappingProxyType(
    {
        "camera_lost": AlarmRule(priority=Priority.HIGH, off_delay_s=2),
        "bad_frames": AlarmRule(priority=Priority.MEDIUM, off_delay_s=5),
        "model_failed": AlarmRule(priority=Priority.HIGH, off_delay_s=5),
        "deadline_missed": AlarmRule(priority=Priority.MEDIUM, off_delay_s=10),
        "yield_low": AlarmRule(priority=Priority.MEDIUM),
        "failures_in_a_row": AlarmRule(priority=Priority.HIGH),
        "storage_low": AlarmRule(priority=Priority.MEDIUM, off_delay_s=10),
        "storage_full": AlarmRule(priority=Priority.CRITICAL, off_delay_s=10),
        "outbox_old": AlarmRule(priority=Priority.MEDIUM, on_delay_s=5, off_delay_s=5),
        "outbox_full": AlarmRule(priority=Priority.HIGH, off_delay_s=5),
        "plc_not_listening": AlarmRule(priority=Priority.HIGH, on_delay_s=2, off_delay_s=2),
        "clock_step": AlarmRule(priority=Priority.MEDIUM, off_delay_s=60),
        "alerts_malformed": AlarmRule(priority=Priority.LOW, off_delay_s=60),
    }
)


class AlarmSettings(_Strict):
    own: Mapping[OwnAlarm, AlarmRule] = Field(
        {}, description="priority, effect and delays of the station's own alarms"
    )
    plc: tuple[PlcAlertSettings, ...] = Field((), description="alerts of PLCs, by topic filter")
    shelve_max_h: float = Field(8, gt=0, le=168, description="nothing is shelved for longer")
    plc_alarms_max: int = Field(
        500, ge=1, le=10_000, description="alarms of PLCs at a time; one beyond counts as malformed"
    )
    yield_limit: float = Field(
        0, ge=0, le=1, description="yield_low below this share of PASS; 0 is never"
    )
    yield_parts: int = Field(100, ge=10, le=10_000, description="yield is taken over so many parts")
    failures_limit: int = Field(
        5, ge=0, le=1000, description="failures_in_a_row at so many FAIL; 0 is never"
    )
    bad_frames_limit: int = Field(3, ge=1, le=1000, description="bad_frames at so many in a row")
    clock_step_s: float = Field(2, gt=0, le=3600, description="clock_step at a jump this large")

    @field_validator("own", mode="before")
    @classmethod
    def _written_over_built_in(cls, own: object) -> object:
        if not isinstance(own, dict):
            return own
        built_in = {str(kind): rule.model_dump() for kind, rule in _OWN.items()}
        return {
            kind: {**built_in[kind], **written}
            if kind in built_in and isinstance(written, dict)
            else written
            for kind, written in own.items()
        }

    @field_validator("plc")
    @classmethod
    def _names_are_unique(cls, plc: tuple[PlcAlertSettings, ...]) -> tuple[PlcAlertSettings, ...]:
        names = [rule.name for rule in plc]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"expected each name once, found twice: {', '.join(twice)}")
        taken = sorted(set(names) & set(_OWN))
        if taken:
            raise ValueError(f"expected names other than the station's own: {', '.join(taken)}")
        return plc

    def rule(self, name: str) -> AlarmRule:
        """Return the rule of one of the station's own alarms: the file's keys over the built-in.

        The kind is what stands before the first dot of `name`; an unknown one is medium, a note.
        """
        kind = name.partition(".")[0]
        for known, built_in in _OWN.items():
            if known == kind:
                return self.own.get(known, built_in)
        return AlarmRule()
