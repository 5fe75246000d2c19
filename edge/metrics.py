"""What a station shows from outside: `/metrics` for Prometheus and `/healthz`, on one port."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from edge.alarms import AlarmTally
from edge.tickets import Answer, Tally
from inspector.domain import Inspection, Timings
from inspector.errors import PortInUse

log = logging.getLogger(__name__)

BUCKETS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
STAGES = ("wait", "detect", "read", "judge", "record", "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFigures:
    """One camera's counts."""

    camera_id: str
    is_up: bool
    skipped: int
    broken: int
    reconnects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All counts of one moment."""

    state: str
    detail: str
    tally: Tally
    waiting: int
    unrecorded: int
    outbox: int
    outbox_age_s: float
    outbox_refused: int
    sparkplug: int
    acknowledged: int
    unheard: int
    refused: int
    retained_dropped: int
    bad_commands: int
    free_mb: int
    reconnects: dict[str, int]
    restarts: dict[str, int]
    alarms: AlarmTally
    alarms_unrecorded: int
    cameras: tuple[CameraFigures, ...] = ()
    conditions: dict[str, str]


class Metrics:
    """Counts what happens to parts. Any thread may call."""

    def __init__(self, figures: Callable[[], Figures], *, station_id: str) -> None:
        self._figures = figures
        self._registry = CollectorRegistry()
        self._station = station_id
        self._decisions: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._latency = Histogram(
            "inspector_stage_seconds",
            "time of one part in a stage; total is trigger to answer",
            ("stage",),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._registry.register(_Reading(self))

    def concluded(self, answer: Answer, inspection: Inspection) -> None:
        """Count a part by what it was answered."""
        key = (answer.verdict.decision.value, answer.verdict.reason.value)
        with self._lock:
            self._decisions[key] = self._decisions.get(key, 0) + 1
        timings: Timings = inspection.timings
        for stage in STAGES:
            spent_ms = getattr(timings, f"{stage}_ms")
            if spent_ms:
                self._latency.labels(stage).observe(spent_ms / 1000)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return generate_latest(self._registry)

    def health(self) -> tuple[bool, bytes]:
        """Return whether the station is Ready, and what it says of itself in JSON."""
        figures = self._figures()
        content = {
            "station_id": self._station,
            "state": figures.state,
            "detail": figures.detail,
            "conditions": figures.conditions,
        }
        return figures.state == "Ready", json.dumps(content).encode()

    def families(self) -> Iterator[Metric]:
        figures = self._figures()
        tally = figures.tally
        yield _counter(
            "inspector_triggers",
            "triggers by what became of them",
            "outcome",
            {
                "passed": tally.passed,
                "failed": tally.failed,
                "held": tally.held,
                "rejected": tally.rejected,
                "duplicate": tally.duplicates,
                "malformed": tally.malformed,
            },
        )
        decisions = CounterMetricFamily(
            "inspector_decisions", "parts by answer and reason", labels=("decision", "reason")
        )
        with self._lock:
            counted = dict(self._decisions)
        for key, count in sorted(counted.items()):
            decisions.add_metric(key, count)
        yield decisions
        yield _counter("inspector_unsent", "answers that could not leave", None, tally.unsent)
        yield _counter(
            "inspector_results", "what the broker and the PLC said of results", "said",
            {
                "unheard": figures.unheard,
                "refused": figures.refused,
                "acknowledged": figures.acknowledged,
            },
        )  # fmt: skip
        yield _counter("inspector_outbox_refused", "records refused", None, figures.outbox_refused)
        yield _counter("inspector_bad_commands", "commands not read", None, figures.bad_commands)
        yield _counter(
            "inspector_retained_dropped", "retained triggers", None, figures.retained_dropped
        )
        yield _counter("inspector_reconnects", "broker", "link", figures.reconnects)
        yield _counter("inspector_restarts", "stages restarted", "stage", figures.restarts)
        yield _gauge("inspector_open_tickets", "parts without an answer", tally.open)
        yield _gauge("inspector_waiting_tickets", "parts that wait for a worker", figures.waiting)
        yield _gauge("inspector_unrecorded", "parts without a row", figures.unrecorded)
        yield _gauge("inspector_outbox_records", "records the broker lacks", figures.outbox)
        yield _gauge("inspector_outbox_age_seconds", "oldest of them", figures.outbox_age_s)
        yield _gauge("inspector_sparkplug_records", "records for Sparkplug", figures.sparkplug)
        yield _gauge("inspector_disk_free_megabytes", "free space for records", figures.free_mb)
        alarms = figures.alarms
        yield _gauge("inspector_alarms_active", "alarms of station and PLC", alarms.active)
        yield _gauge("inspector_alarms_unacknowledged", "for a person", alarms.unacknowledged)
        yield _gauge(
            "inspector_alarms_unrecorded", "changes without a row", figures.alarms_unrecorded
        )
        yield _counter("inspector_alerts_malformed", "messages not read", None, alarms.malformed)
        yield _gauge("inspector_ready", "1 where triggers are taken", figures.state == "Ready")
        for name, what in (("skipped", "frames"), ("broken", "frames"), ("reconnects", "times")):
            yield _counter(
                f"inspector_camera_{name}", f"{what} of a camera", "camera",
                {camera.camera_id: getattr(camera, name) for camera in figures.cameras},
            )  # fmt: skip
        up = GaugeMetricFamily("inspector_camera_up", "1 where it answers", labels=("camera",))
        for camera in figures.cameras:
            up.add_metric((camera.camera_id,), float(camera.is_up))
        yield up
        active = GaugeMetricFamily("inspector_condition", "1 while it holds", labels=("condition",))
        for condition in sorted(figures.conditions):
            active.add_metric((condition,), 1.0)
        yield active


class _Reading(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics.families()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)


class MetricsServer:
    """Serves metrics from threads of its own."""

    def __init__(self, metrics: Metrics, *, host: str, port: int) -> None:
        """Raises `PortInUse`."""
        self._metrics = metrics
        try:
            self._server = make_server(
                host, port, self._serve, server_class=_Server, handler_class=_Quiet
            )
        except OSError as exc:
            raise PortInUse(
                f"expected port {port} of {host} to be free for the metrics, found "
                f"{exc.strerror!r}; correct metrics_port or stop the program that has it"
            ) from exc
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.ident is not None:
            self._server.shutdown()
        self._server.server_close()

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
            return [self._metrics.text()]
        if path == "/healthz":
            is_ready, content = self._metrics.health()
            status = "200 OK" if is_ready else "503 Service Unavailable"
            start_response(status, [("Content-Type", "application/json")])
            return [content]
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/metrics or /healthz\n"]


def _counter(
    name: str, what: str, label: str | None, counts: dict[str, int] | int
) -> CounterMetricFamily:
    if isinstance(counts, int):
        return CounterMetricFamily(name, what, value=counts)
    family = CounterMetricFamily(name, what, labels=(label,) if label else ())
    for key, count in sorted(counts.items()):
        family.add_metric((key,), count)
    return family


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, what, value=float(value))
