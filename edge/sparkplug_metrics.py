"""What the station tells a Sparkplug host: the metrics of edge node, part and camera.

| device               | lives                            | says                                   |
|----------------------|----------------------------------|----------------------------------------|
| (the edge node)      | while the station is connected   | state, counts since the start, alarms  |
| `inspection`         | as long as the edge node         | the newest part                        |
| `camera-ID`          | while that camera answers        | its counts                             |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from edge.metrics import CameraFigures, Figures
from edge.sparkplug import DataType, Metric, Value
from inspector import __version__
from inspector.domain import Decision

INSPECTION = "inspection"
BD_SEQ = "bdSeq"
REBIRTH = "Node Control/Rebirth"
_DOUBLE, _INT32, _INT64 = DataType.DOUBLE, DataType.INT32, DataType.INT64
_STRING, _DATETIME = DataType.STRING, DataType.DATETIME


def death_metric(bd_seq: int, *, at: datetime) -> Metric:
    """Return what ties a death to its birth."""
    return Metric(name=BD_SEQ, datatype=_INT64, value=bd_seq, at=at)


def birth_metrics(bd_seq: int, *, at: datetime) -> tuple[Metric, ...]:
    """Return what only the birth of an edge node says."""
    return (
        death_metric(bd_seq, at=at),
        Metric(name=REBIRTH, datatype=DataType.BOOLEAN, value=False, at=at),
        Metric(
            name="Properties/Software", datatype=_STRING, value=f"inspector {__version__}", at=at
        ),
    )


def node_metrics(figures: Figures, *, at: datetime) -> tuple[Metric, ...]:
    """Return how the station is; counts since its start."""
    tally = figures.tally
    judged = tally.passed + tally.failed + tally.held
    return _metrics(
        (
            ("Station/State", _STRING, figures.state),
            ("Station/Detail", _STRING, figures.detail),
            ("Parts/Received", _INT64, tally.received),
            ("Parts/Passed", _INT64, tally.passed),
            ("Parts/Failed", _INT64, tally.failed),
            ("Parts/Held", _INT64, tally.held),
            ("Parts/Rejected", _INT64, tally.rejected),
            ("Parts/Duplicates", _INT64, tally.duplicates),
            ("Parts/Malformed", _INT64, tally.malformed),
            ("Parts/Yield", _DOUBLE, tally.passed / judged if judged else None),
            ("Alarms/Active", _INT32, figures.alarms.active),
            ("Alarms/Unacknowledged", _INT32, figures.alarms.unacknowledged),
            ("Records/Unrecorded", _INT64, figures.unrecorded),
        ),
        at=at,
    )


def camera_metrics(camera: CameraFigures, *, at: datetime) -> tuple[Metric, ...]:
    """Return the counts of a camera since the station's start."""
    return _metrics(
        (
            ("Frames/Skipped", _INT64, camera.skipped),
            ("Frames/Broken", _INT64, camera.broken),
            ("Reconnects", _INT64, camera.reconnects),
        ),
        at=at,
    )


def no_part(*, at: datetime) -> tuple[Metric, ...]:
    """Return the metrics of a part before there was one."""
    return _metrics(((name, datatype, None) for name, datatype, _value in _OF_A_PART), at=at)


def part_metrics(payload: str) -> tuple[Metric, ...]:
    """Return the metrics of a part from its record/1, with the time of its trigger."""
    record = json.loads(payload)
    return _metrics(
        ((name, datatype, value_of(record)) for name, datatype, value_of in _OF_A_PART),
        at=datetime.fromisoformat(record["triggered_at"]),
    )


def as_historical(metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """Return metrics that belong into the host's history and are not how things are now."""
    return tuple(replace(metric, is_historical=True) for metric in metrics)


def _metrics(values: Iterable[tuple[str, DataType, Value]], *, at: datetime) -> tuple[Metric, ...]:
    return tuple(
        Metric(name=name, datatype=datatype, value=value, at=at) for name, datatype, value in values
    )


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)


_OF_A_PART: tuple[tuple[str, DataType, Callable[[Mapping[str, Any]], Value]], ...] = (
    ("Part/Record Seq", _INT64, lambda record: record["seq"]),
    ("Part/Inspection Id", _STRING, lambda record: record["id"]),
    ("Part/Request Id", _STRING, lambda record: record["request_id"]),
    ("Part/Part Id", _STRING, lambda record: record["part_id"]),
    ("Part/Lot", _STRING, lambda record: record["lot"]),
    ("Part/View", _STRING, lambda record: record["view"]),
    ("Part/Camera", _STRING, lambda record: record["camera_id"]),
    ("Part/Product", _STRING, lambda record: record["product"]),
    ("Part/Recipe", _STRING, lambda record: record["recipe"]),
    ("Part/Decision", _STRING, lambda record: record["verdict"]["decision"]),
    ("Part/Code", _INT32, lambda record: Decision(record["verdict"]["decision"]).code),
    ("Part/Reason", _STRING, lambda record: record["verdict"]["reason"]),
    ("Part/Detail", _STRING, lambda record: record["verdict"]["detail"]),
    ("Part/Clauses", _STRING, lambda record: ",".join(record["verdict"]["clause_ids"])),
    ("Part/Sent Decision", _STRING, lambda record: record["sent_decision"]),
    ("Part/Sent At", _DATETIME, lambda record: _moment(record["sent_at"])),
    ("Part/Defects", _INT32, lambda record: len(record["findings"]["detections"])),
    ("Part/Latency ms", _DOUBLE, lambda record: record["timings"]["total_ms"]),
)
