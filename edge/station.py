"""The station: its threads, and its life from start to stop.

| thread    | does                                                                             |
|-----------|----------------------------------------------------------------------------------|
| paho's    | put what arrives into queues                                                     |
| intake    | opens tickets for triggers, or refuses them                                      |
| journal   | has each ticket on disk, then tells the PLC that it is accepted                  |
| inspect-N | takes the picture, inspects it, settles the ticket; owns its models              |
| picture   | writes pictures while the models work                                            |
| timer     | answers HOLD/DEADLINE when a ticket's moment comes; never touches the disk       |
| record    | makes rows                                                                       |
| outbox    | publishes them                                                                   |
| main      | heartbeat, state, health, and an eye on all the others                           |
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from uuid import uuid4

from edge import messages
from edge.answers import Answers, settlement_of
from edge.capture import Camera, Capture
from edge.conclusion import Conclusions
from edge.examination import Examiner, InspectorLike
from edge.intake import Intake
from edge.mqtt import Link, Message
from edge.presence import Presence, state_message
from edge.recorder import Outbox, Recorder
from edge.tickets import NS_PER_S, Ticket, Tickets
from inspector.domain import Inspection, Reason, Verdict
from inspector.errors import StorageError
from inspector.settings import Recipe, StationSettings
from inspector.storage.files import Pictures
from inspector.storage.recovery import held, recover
from inspector.storage.spool import Spool
from inspector.storage.store import Store

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
STOP_WITHIN_S = 5.0
FLUSH_WITHIN_S = 2.0


class Station:
    """One station, from `run` until `stop`."""

    def __init__(
        self,
        settings: StationSettings,
        *,
        recipes: tuple[Recipe, ...],
        cameras: tuple[Camera, ...],
        inspectors: tuple[InspectorLike, ...],
        store: Store,
        spool: Spool,
        pictures: Pictures,
    ) -> None:
        self._settings = settings
        self._cameras = cameras
        self._store = store
        self._spool = spool
        self._boot = uuid4().hex[:12]
        # a SimpleQueue, since its put() may be called from a signal handler; Event.set() may not
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stop_asked = False
        self._stopping = threading.Event()
        self._deaf = threading.Event()  # from then on nobody reads what arrives
        self._fault: str | None = None
        base = settings.mqtt_base
        self._line = Link(
            settings.mqtt,
            client_id=f"{settings.station_id}-line",
            subscribe=(f"{base}/{messages.TRIGGER}",),
            will=self._farewell("Error", "the station is gone"),
            on_change=self._link_changed,
        )
        self._answers_link = Link(
            settings.mqtt,
            client_id=f"{settings.station_id}-answers",
            on_change=self._link_changed,
            stall_ms=max(1000, settings.deadline_ms),
        )
        self._presence = Presence(link=self._line, base=base, boot=self._boot)
        self._answers = Answers(link=self._answers_link, line=self._line, base=base)
        self._outbox = Outbox(
            store=store,
            link=self._line,
            topic=f"{base}/{messages.RECORD}",
            station_id=settings.station_id,
        )
        self._recorder = Recorder(
            station_id=settings.station_id,
            store=store,
            spool=spool,
            pictures=pictures,
            min_free_mb=settings.min_free_mb,
            recorded=self._outbox.recorded,
            picture_writers=settings.inspect_workers,
        )
        self._tickets = Tickets(
            send=self._answers.send,
            answer_margin_ms=settings.answer_margin_ms,
            duplicate_window_s=settings.duplicate_window_s,
            max_open=settings.queue_size + settings.inspect_workers,
        )
        self._conclusions = Conclusions(tickets=self._tickets, recorder=self._recorder)
        by_name = {recipe.name: recipe for recipe in recipes}
        self._intake = Intake(
            settings,
            recipes=by_name,
            tickets=self._tickets,
            answers=self._answers,
            recorder=self._recorder,
            state=lambda: self._state()[0],
        )
        self._opened: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._waiting: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._unfinished: dict[object, Ticket] = {}
        captures = {camera.id: Capture(camera) for camera in cameras}
        self._examiners = tuple(
            Examiner(
                inspector,
                recipes=by_name,
                cameras=captures,
                tickets=self._tickets,
                recorder=self._recorder,
                acquired=self._answers.acquired,
            )
            for inspector in inspectors
        )
        self._threads: tuple[threading.Thread, ...] = ()

    # --- life ---------------------------------------------------------------------------------

    def run(self) -> int:
        """Inspect until `stop` or until a thread dies; return 0 or, for the latter, 1.

        Raises `StorageError` where the last run's records cannot be made whole, `CameraError` and
        `BrokerError` where there is nothing to start with.
        """
        self._recover()
        for camera in self._cameras:
            camera.open()
        try:
            self._answers_link.start()
            self._start_threads()
            # last: from here on triggers arrive
            self._line.start()
            self._watch()
        finally:
            self._shut_down()
        return 0 if self._fault is None else 1

    def stop(self) -> None:
        """Ask `run` to end. Any thread or signal handler may call."""
        self._stop_asked = True
        self._wake.put(None)

    def _recover(self) -> None:
        report = recover(self._spool, self._store)
        found = (
            f"{len(report.settled)} answered, {len(report.unsettled)} judged, "
            f"{len(report.interrupted)} interrupted, {len(report.torn)} unreadable"
        )
        log.info("station %s: left by the last run: %s", self._settings.station_id, found)
        for line in report.torn:
            log.error("spool: %s", line)
        self._recorder.note_event("STARTED", f"boot {self._boot}; left by the last run: {found}")

    def _start_threads(self) -> None:
        bodies: list[tuple[str, Callable[[], None]]] = [
            ("record", self._recorder.run),
            ("outbox", self._outbox.run),
            ("timer", self._time),
            ("journal", self._journal),
            ("intake", self._take_in),
        ]
        for number, examiner in enumerate(self._examiners, start=1):
            bodies.append((f"inspect-{number}", partial(self._inspect, examiner)))
        self._threads = tuple(
            threading.Thread(target=self._guard, args=(name, body), name=name, daemon=True)
            for name, body in bodies
        )
        for thread in self._threads:
            thread.start()

    def _guard(self, name: str, body: Callable[[], None]) -> None:
        try:
            body()
        except Exception as exc:
            log.exception("thread %s ended", name)
            self._fault = f"thread {name} ended: {type(exc).__name__}: {exc}"
            self._wake.put(None)

    def _watch(self) -> None:
        next_ns = time.monotonic_ns()
        noted = ""
        while not self._stop_asked and self._fault is None:
            state, detail = self._state()
            self._presence.tell_state(state, detail)
            if state != noted:
                self._recorder.note_event(state.upper(), detail)
                noted = state
            if time.monotonic_ns() >= next_ns:
                next_ns = time.monotonic_ns() + int(HEARTBEAT_S * NS_PER_S)
                self._beat()
                self._look_after_threads()
            with contextlib.suppress(queue.Empty):
                self._wake.get(timeout=max(0.0, (next_ns - time.monotonic_ns()) / NS_PER_S))

    def _beat(self) -> None:
        if self._presence.beat(self._state()[0]):
            self._tell_health()
        self._answers.read_receipts()

    def _tell_health(self) -> None:
        self._presence.tell_health(
            self._tickets.tally(),
            unrecorded=self._recorder.unrecorded,
            retained_dropped=self._intake.retained_dropped,
            free_mb=self._recorder.free_mb(),
        )

    def _look_after_threads(self) -> None:
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        dead += [link.name for link in (self._line, self._answers_link) if not link.is_alive]
        if dead and self._fault is None:
            self._fault = f"thread {', '.join(dead)} ended"
            log.error("%s", self._fault)

    def _shut_down(self) -> None:
        self._stopping.set()
        self._presence.tell_state(*self._state())
        for answer in self._tickets.settle_all(
            Verdict.held(Reason.STOPPING, "the station is stopping"), by="stopping"
        ):
            log.warning("%s: held, the station is stopping", answer.ticket.trigger.request_id)
        self._opened.put(None)
        for _ in self._examiners:
            self._waiting.put(None)
        self._join("inspect", "journal", "timer")
        self._deaf.set()
        self._join("intake")
        for ticket in tuple(self._unfinished.values()):
            self._conclude(ticket, held(ticket.note, Verdict.held(Reason.STOPPING, "cut short")))
        self._recorder.note_event("STOPPED", self._fault or "stopped on request")
        self._recorder.stop()
        self._join("record")
        self._flush_outbox()
        self._outbox.stop()
        self._join("outbox")
        self._tell_health()
        self._answers_link.stop()
        self._line.stop(farewell=self._farewell(*self._state()))
        for camera in self._cameras:
            camera.close()

    def _join(self, *names: str) -> None:
        """Wait for threads whose name starts so; one that hangs ends with the process."""
        give_up_ns = time.monotonic_ns() + int(STOP_WITHIN_S * NS_PER_S)
        for thread in self._threads:
            if thread.name.startswith(names):
                thread.join(max(0.0, (give_up_ns - time.monotonic_ns()) / NS_PER_S))

    def _flush_outbox(self) -> None:
        """Give the outbox a moment; what is left goes out after the next start."""
        give_up_ns = time.monotonic_ns() + int(FLUSH_WITHIN_S * NS_PER_S)
        pause = threading.Event()
        try:
            while self._line.is_up and time.monotonic_ns() < give_up_ns:
                if self._outbox.is_empty():
                    return
                pause.wait(0.02)
        except StorageError as exc:
            log.warning("outbox: %s", exc)

    # --- state --------------------------------------------------------------------------------

    def _state(self) -> tuple[str, str]:
        """Return the state by OPC 40100-1, and why."""
        if self._fault is not None:
            return "Error", self._fault
        if self._stopping.is_set():
            return "Halted", "stopped on request"
        if self._line.is_up and self._answers_link.is_up:
            return "Ready", ""
        return "Preoperational", "waiting for the broker"

    def _farewell(self, state: str, detail: str) -> Message:
        return state_message(
            self._settings.mqtt_base, self._boot, online=0, state=state, detail=detail
        )

    def _link_changed(self, _is_up: bool) -> None:
        self._presence.forget()
        self._wake.put(None)

    # --- tickets ------------------------------------------------------------------------------

    def _take_in(self) -> None:
        while not self._deaf.is_set():  # while the station stops, triggers are refused
            with contextlib.suppress(queue.Empty):
                ticket = self._intake.admit(self._line.arrivals.get(timeout=0.2))
                if ticket is not None:
                    self._unfinished[ticket.id] = ticket
                    self._opened.put(ticket)

    def _journal(self) -> None:
        while (ticket := self._opened.get()) is not None:
            try:
                self._recorder.note_open(ticket.note)
            except StorageError as exc:
                self._hold(ticket, Reason.NOT_RECORDED, str(exc))
                continue
            self._answers.accepted(ticket)
            if ticket.is_over_limit:
                waiting = self._settings.queue_size
                self._hold(ticket, Reason.OVERLOAD, f"more than {waiting} parts were waiting")
            else:
                self._waiting.put(ticket)

    def _hold(self, ticket: Ticket, reason: Reason, detail: str) -> None:
        self._conclude(ticket, held(ticket.note, Verdict.held(reason, detail)))

    def _inspect(self, examiner: Examiner) -> None:
        while (ticket := self._waiting.get()) is not None:
            try:
                inspection = examiner.examine(ticket)
            except Exception as exc:
                log.exception("%s: inspection failed", ticket.trigger.request_id)
                failed = Verdict.held(Reason.MODEL_FAILED, f"{type(exc).__name__}: {exc}")
                inspection = held(ticket.note, failed)
            self._conclude(ticket, inspection)

    def _conclude(self, ticket: Ticket, inspection: Inspection) -> None:
        """Answer with what was judged, unless it is too late, and have the row made."""
        if self._unfinished.pop(ticket.id, None) is None:
            return  # concluded already, while the station stopped
        self._conclusions.conclude(ticket, inspection)

    def _time(self) -> None:
        while not self._stopping.is_set():
            for answer in self._tickets.settle_next_due(wait_s=0.2):
                log.error("%s: deadline missed", answer.ticket.trigger.request_id)
                self._recorder.note_settlement(settlement_of(answer))
