"""Time a whole station: trigger to answer over a real broker, at shares of what it can do.

The parts are the shipped boards. First the naive script and the bare models, part after part in
this process; then a station with its workers, database and spool in a folder of its own, and a PLC
that triggers as fast as answers come (capacity), by a takt with 10 % jitter, at random (Poisson),
and at twice the capacity. Asked to soak, it goes on at twice the capacity for as many parts, and
its memory is looked at twenty times.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from edge import messages
from edge.broker import broker
from edge.build import build
from edge.mqtt import Link, Message
from inspector.assembly import assemble
from inspector.benchmarks import ways
from inspector.benchmarks.bench import SAMPLES, Machine, machine, sample_parts
from inspector.benchmarks.naive import NaiveInspector
from inspector.benchmarks.ways import Part
from inspector.domain import Reason
from inspector.errors import BrokerError
from inspector.settings import MqttSettings, StationSettings, load_recipe
from inspector.storage.database import upgrade

RECIPE = "pcb"
DEADLINE_MS = 5000
LOADS = (0.5, 0.8, 1.0)
JITTER = 0.1
OVERLOAD = 2.0
SOAK_LOOKS = 20
READY_WITHIN_S = 300.0
BASE = "qc/bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRow:
    """Trigger to answer at one load; `overload` of them were HOLD/OVERLOAD, which is quick."""

    name: str
    per_s: float
    p50_ms: float
    p99_ms: float
    n: int
    overload: int
    unanswered: int
    late: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StationReport:
    """Times of one station; ratios of parts a second.

    The rows of the naive script and of the bare models are of picture to answer, without triggers.
    `soak_mb` is the memory of station and workers after each twentieth of the soak.
    """

    machine: Machine
    workers: int
    rows: tuple[LoadRow, ...]
    naive_per_s: float
    bare_per_s: float
    capacity_per_s: float
    ratios: dict[str, float]
    rss_mb: dict[str, float]
    soak_mb: tuple[float, ...] = ()

    def as_json(self) -> str:
        """Return the line of `bench station --json`."""
        return json.dumps({"schema": "bench-station/1", **asdict(self)}, allow_nan=False)


def run_station_bench(
    *,
    parts: int = 60,
    workers: int | None = None,
    threads: int | None = None,
    soak: int = 0,
    advance: Callable[[int, int], None] | None = None,
) -> StationReport:
    """Return the times of `parts` boards at each load, and of `soak` at twice the capacity.

    `workers` are the station's, one for each core where left out, with `threads` each.
    """
    cores = os.cpu_count() or 1
    workers = workers or cores
    threads = threads or max(1, cores // workers)
    boards = sample_parts(load_recipe(RECIPE), parts)
    counted = itertools.count(1)
    of = parts * (len(LOADS) + 4) + soak

    def one_more() -> None:
        if advance is not None:
            advance(min(next(counted), of), of)

    naive, bare = _without_station(boards, threads=cores, advance=one_more)
    with _station(workers=workers, threads=threads) as line:
        line.run(boards[: workers + 2], gaps_s=itertools.repeat(0.0), window=1)  # warms up
        before_mb = line.rss_mb()
        capacity = line.run(
            boards, gaps_s=itertools.repeat(0.0), window=workers + 2, advance=one_more
        )
        per_s = capacity.per_s
        loads = [("as fast as answers come", capacity)]
        for load in LOADS:
            found = line.run(boards, gaps_s=_takt(1 / (load * per_s)), advance=one_more)
            loads.append((f"{load:.0%} of capacity, takt", found))
        at_80 = loads[1 + LOADS.index(0.8)][1].row("")
        found = line.run(boards, gaps_s=_poisson(1 / (0.8 * per_s)), advance=one_more)
        loads.append(("80% of capacity, Poisson", found))
        overload = _takt(1 / (OVERLOAD * per_s))
        found = line.run(boards, gaps_s=overload, advance=one_more)
        loads.append((f"{OVERLOAD:.0%} of capacity, takt", found))
        after_mb = line.rss_mb()
        soaked, soak_mb = _soaked(line, boards, soak, gaps_s=overload, advance=one_more)
        if soaked is not None:
            loads.append((f"{OVERLOAD:.0%} of capacity, soak", soaked))
    return StationReport(
        machine=machine(threads),
        workers=workers,
        rows=(
            naive.row("naive script"),
            bare.row("bare models"),
            *(found.row(name) for name, found in loads),
        ),
        naive_per_s=round(naive.per_s, 3),
        bare_per_s=round(bare.per_s, 3),
        capacity_per_s=round(per_s, 3),
        ratios={
            "station / naive": round(per_s / naive.per_s, 3),
            "bare / station": round(bare.per_s / per_s, 3),
            "p99 / p50 at 80%": round(at_80.p99_ms / at_80.p50_ms, 3),
        },
        rss_mb={"before": round(before_mb, 1), "after": round(after_mb, 1)},
        soak_mb=soak_mb,
    )


def _soaked(
    line: _Line,
    boards: list[Part],
    count: int,
    *,
    gaps_s: Iterator[float],
    advance: Callable[[], None],
) -> tuple[_Found | None, tuple[float, ...]]:
    """Return what `count` parts got, in twenty runs, and the memory after each of them."""
    parts = itertools.cycle(boards)
    found: list[_Found] = []
    memory_mb: list[float] = []
    left = count
    while left > 0:
        share = min(left, max(1, count // SOAK_LOOKS))
        found.append(line.run(list(itertools.islice(parts, share)), gaps_s=gaps_s, advance=advance))
        memory_mb.append(round(line.rss_mb(), 1))
        left -= share
    return (_together(found) if found else None), tuple(memory_mb)


def _without_station(
    boards: list[Part], *, threads: int, advance: Callable[[], None]
) -> tuple[_Found, _Found]:
    """Return the times of the naive script and of the bare models, back to back."""
    recipe = boards[0].recipe
    assert recipe.settings.detector is not None
    pipeline = assemble((recipe,), threads=threads, remembers=0)
    script = NaiveInspector(
        detector=recipe.settings.detector.model, judge=recipe.settings.judge, threads=threads
    )
    naive_ms, bare_ms = [], []
    for number, part in enumerate((boards[0], *boards)):
        inputs = ways.prepared(part, pipeline)
        spent_naive = ways.naive(part, script)["total"]
        spent_bare = ways.bare(part, inputs, pipeline)["total"]
        if number > 0:  # the first one warms up
            naive_ms.append(spent_naive)
            bare_ms.append(spent_bare)
            advance()
    return _back_to_back(naive_ms), _back_to_back(bare_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    latencies_ms: tuple[float, ...]
    reasons: tuple[str, ...]
    unanswered: int
    spent_s: float

    @property
    def per_s(self) -> float:
        return len(self.latencies_ms) / self.spent_s

    def row(self, name: str) -> LoadRow:
        inspected = [
            ms
            for ms, reason in zip(self.latencies_ms, self.reasons, strict=True)
            if reason != Reason.OVERLOAD
        ] or [0.0]
        p50, p99 = np.percentile(inspected, [50, 99])
        return LoadRow(
            name=name,
            per_s=round(self.per_s, 3),
            p50_ms=round(float(p50), 1),
            p99_ms=round(float(p99), 1),
            n=len(self.latencies_ms) + self.unanswered,
            overload=self.reasons.count(Reason.OVERLOAD),
            unanswered=self.unanswered,
            late=sum(ms > DEADLINE_MS for ms in self.latencies_ms),
        )


def _back_to_back(spent_ms: list[float]) -> _Found:
    return _Found(
        latencies_ms=tuple(spent_ms),
        reasons=("",) * len(spent_ms),
        unanswered=0,
        spent_s=sum(spent_ms) / 1000,
    )


def _together(found: list[_Found]) -> _Found:
    return _Found(
        latencies_ms=tuple(ms for one in found for ms in one.latencies_ms),
        reasons=tuple(reason for one in found for reason in one.reasons),
        unanswered=sum(one.unanswered for one in found),
        spent_s=sum(one.spent_s for one in found),
    )


class _Line:
    """A PLC that triggers by a clock. One thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._numbers = itertools.count(1)

    def await_ready(self) -> None:
        give_up = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < give_up:
            try:
                arrival = self._link.arrivals.get(timeout=1)
            except queue.Empty:
                continue
            if arrival.topic.endswith(messages.STATE) and b'"Ready"' in arrival.payload:
                return
        raise BrokerError(f"expected the station to be Ready within {READY_WITHIN_S:.0f} s")

    def run(
        self,
        parts: list[Part],
        *,
        gaps_s: Iterator[float],
        window: int | None = None,
        advance: Callable[[], None] = lambda: None,
    ) -> _Found:
        """Trigger each part after its gap, with at most `window` open, and await all answers."""
        sent_ns: dict[str, int] = {}
        latencies: dict[str, tuple[float, str]] = {}
        started = next_at = time.perf_counter()
        for part in parts:
            next_at += next(gaps_s)
            while (left_s := next_at - time.perf_counter()) > 0 or (
                window is not None and len(sent_ns) - len(latencies) >= window
            ):
                self._read(sent_ns, latencies, wait_s=max(0.001, min(left_s, 0.05)))
            request_id = f"b-{next(self._numbers):06d}"
            trigger = messages.Trigger(
                request_id=request_id,
                part_id=part.picture.stem,
                recipe=part.recipe.name,
                view=part.view,
                expected=part.context.expected,
                inspected_on=part.context.inspected_on,
            )
            sent_ns[request_id] = time.monotonic_ns()
            self._link.publish(
                Message(
                    topic=f"{BASE}/{messages.TRIGGER}", payload=messages.encode_trigger(trigger)
                )
            )
            advance()
        give_up = time.monotonic() + DEADLINE_MS / 1000 + 2
        while len(latencies) < len(sent_ns) and time.monotonic() < give_up:
            self._read(sent_ns, latencies, wait_s=0.05)
        return _Found(
            latencies_ms=tuple(ms for ms, _ in latencies.values()),
            reasons=tuple(reason for _, reason in latencies.values()),
            unanswered=len(sent_ns) - len(latencies),
            spent_s=time.perf_counter() - started,
        )

    def rss_mb(self) -> float:
        """Return the memory of this process, the station, and of its workers."""
        children = Path(f"/proc/{os.getpid()}/task")
        pids = {str(os.getpid())}
        for task in children.iterdir():
            pids |= set((task / "children").read_text().split())
        return sum(_rss_kb(pid) for pid in pids) / 1000

    def _read(
        self, sent_ns: dict[str, int], latencies: dict[str, tuple[float, str]], *, wait_s: float
    ) -> None:
        try:
            arrival = self._link.arrivals.get(timeout=wait_s)
        except queue.Empty:
            return
        if not arrival.topic.endswith(messages.RESULT):
            return
        result = messages.decode(messages.Result, arrival.payload)
        if result.request_id in sent_ns:
            spent_ms = (arrival.received_ns - sent_ns[result.request_id]) / 1e6
            latencies[result.request_id] = spent_ms, result.reason


@contextmanager
def _station(*, workers: int, threads: int) -> Iterator[_Line]:
    with tempfile.TemporaryDirectory(prefix="inspector-bench-") as temporary, broker() as running:
        folder = Path(temporary)
        url = f"sqlite:///{folder / 'bench.db'}"
        upgrade(url)
        settings = StationSettings.model_validate(
            {
                "station_id": "bench",
                "database": url,
                "records": folder / "records",
                "cameras": [{"id": "samples", "folder": SAMPLES / "pictures"}],
                "recipes": [RECIPE],
                "mqtt": {"port": running.port},
                "deadline_ms": DEADLINE_MS,
                "inspect_workers": workers,
                "torch_threads": threads,
                "queue_size": 4 * workers,
                "alarms": {"failures_limit": 0},
            }
        )
        link = Link(
            MqttSettings(port=running.port),
            client_id="bench-plc",
            subscribe=(f"{BASE}/{messages.STATE}", f"{BASE}/{messages.RESULT}"),
        )
        with build(settings) as station:
            life = threading.Thread(target=station.run, name="station")
            life.start()
            link.start()
            try:
                line = _Line(link)
                line.await_ready()
                yield line
            finally:
                station.stop()
                life.join()
                link.stop()


def _takt(gap_s: float) -> Iterator[float]:
    chance = random.Random(0)
    while True:
        yield gap_s * (1 + chance.uniform(-JITTER, JITTER))


def _poisson(gap_s: float) -> Iterator[float]:
    chance = random.Random(0)
    while True:
        yield chance.expovariate(1 / gap_s)


def _rss_kb(pid: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
