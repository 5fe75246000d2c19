"""The station: its threads, and its life from start to stop.

| thread    | does                                                                             |
|-----------|----------------------------------------------------------------------------------|
| paho's    | put what arrives into queues                                                     |
| intake    | opens tickets for triggers, or refuses them; carries out commands                |
| journal   | has each ticket on disk, then tells the PLC that it is accepted                  |
| inspect-N | takes the picture, inspects it, settles the ticket; owns its models              |
| picture   | writes pictures while the models work                                            |
| timer     | answers HOLD/DEADLINE when a ticket's moment comes; never touches the disk       |
| record    | makes rows                                                                       |
| outbox    | publishes them                                                                   |
| sparkplug | publishes them to Sparkplug hosts, where that is switched on                     |
| disk      | finds out whether records can be written                                         |
| interval  | triggers, on a line without a PLC                                                |
| alarms, … | carry alarms to the broker and the database                                      |
| main      | heartbeat, state, health, and an eye on all the others                           |

The real models run in processes of their own (`worker`); a thread that hangs or dies is replaced
(`supervision`).
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

from edge import commands, messages
from edge.alarm_desk import AlarmDesk
from edge.answers import Answers, settlement_of
from edge.cameras import capture_of
from edge.capture import Camera
from edge.commands import Commands
from edge.conclusion import Conclusions
from edge.earlier import EarlierAnswers
from edge.examination import Examiner, InspectorLike
from edge.inspecting import Inspecting, Renewable
from edge.intake import Intake
from edge.metrics import CameraFigures, Figures, Metrics, MetricsServer
from edge.mqtt import Arrival, Link, Message
from edge.outbox import Outbox
from edge.presence import Presence, state_message
from edge.recipe_watch import RecipeWatch
from edge.recorder import Recorder
from edge.rival import RivalWatch, refuse_rival
from edge.selftest import SelfTest
from edge.sparkplug_node import SparkplugNode
from edge.supervision import Crew, Supervisor, Turn, Watched
from edge.tickets import Answer, Ticket, Tickets
from edge.units import NS_PER_S
from edge.watchdog import ServiceManager
from inspector.domain import Inspection, Reason, Verdict
from inspector.errors import MessageError, StorageError
from inspector.settings import Recipe, StationSettings
from inspector.storage.files import Pictures
from inspector.storage.recovery import held, recover
from inspector.storage.spool import Spool
from inspector.storage.store import Store

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
STOP_WITHIN_S = 5.0
FLUSH_WITHIN_S = 2.0
DISK_EVERY_S = 1.0
DISK_SILENT_S = 5.0  # a look each second, and a slow one now and then
LIMIT_NEAR = 0.5  # share of a limit from which it is told
QUICK_S = 5.0  # limit of the stages that wait for nothing but memory


class Station:
    """One station, from `run` until `stop`."""

    def __init__(
        self,
        settings: StationSettings,
        *,
        recipes: tuple[Recipe, ...],
        cameras: tuple[Camera, ...],
        make_inspector: Callable[[], InspectorLike],
        store: Store,
        spool: Spool,
        pictures: Pictures,
        desk: AlarmDesk,
        service_manager: ServiceManager | None = None,
    ) -> None:
        """Models are loaded now, one set for each inspect thread."""
        self._settings = settings
        self._cameras = {camera.id: camera for camera in cameras}
        self._store = store
        self._spool = spool
        self._desk = desk
        self._service_manager = service_manager or ServiceManager()
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
            subscribe=tuple(
                f"{base}/{topic}" for topic in (messages.TRIGGER, *commands.TOPICS, messages.STATE)
            ),
            will=self._farewell("Error", "the station is gone"),
            on_change=self._link_changed,
            # only the self-test tells what waited at the broker, and is refused, from what is new
            resume_within_s=settings.deadline_max_ms // 1000 if settings.mqtt.self_test else 0,
        )
        self._answers_link = Link(
            settings.mqtt,
            client_id=f"{settings.station_id}-answers",
            on_change=self._link_changed,
            stall_ms=max(1000, settings.deadline_ms),
        )
        self._presence = Presence(link=self._line, base=base, boot=self._boot)
        self._rivals = RivalWatch(boot=self._boot, overwritten=partial(self._link_changed, True))
        self._answers = Answers(
            link=self._answers_link,
            line=self._line,
            base=base,
            ack_within_ms=settings.mqtt.ack_within_ms,
            has_scalars=settings.mqtt.scalars,
        )
        self._outbox = Outbox(
            store=store,
            link=self._line,
            topic=f"{base}/{messages.RECORD}",
            station_id=settings.station_id,
            keep_days=settings.outbox_keep_days,
            needed_above=self._carried_seq,
        )
        self._sparkplug: SparkplugNode | None = None
        if settings.mqtt.sparkplug is not None:
            self._sparkplug = SparkplugNode(
                settings, settings.mqtt.sparkplug, store=store, figures=self._figures
            )
        self._recorder = Recorder(
            station_id=settings.station_id,
            store=store,
            spool=spool,
            pictures=pictures,
            min_free_mb=settings.min_free_mb,
            recorded=self._recorded,
            picture_writers=settings.inspect_workers,
            spool_max=settings.spool_max,
            silent_after_s=max(settings.stuck_after_s, DISK_SILENT_S),
        )
        self._tickets = Tickets(
            send=self._answers.send,
            answer_margin_ms=settings.answer_margin_ms,
            duplicate_window_s=settings.duplicate_window_s,
            max_open=settings.queue_size + settings.inspect_workers,
        )
        self._metrics = Metrics(self._figures, station_id=settings.station_id)
        self._conclusions = Conclusions(
            tickets=self._tickets, recorder=self._recorder, concluded=self._concluded
        )
        self._self_test = SelfTest(
            answers=self._answers_link,
            line=self._line,
            base=base,
            is_needed=settings.mqtt.self_test,
        )
        self._earlier = EarlierAnswers(window_s=settings.duplicate_window_s)
        self._commands = Commands(
            base=base,
            answers=self._answers,
            earlier=self._earlier,
            outbox=self._outbox,
            recorder=self._recorder,
            self_test=self._self_test,
            misread=desk.alarms.note_malformed,
        )
        by_name = {recipe.name: recipe for recipe in recipes}
        self._intake = Intake(
            settings,
            recipes=by_name,
            tickets=self._tickets,
            answers=self._answers,
            recorder=self._recorder,
            earlier=self._earlier,
            state=lambda: self._state()[0],
            misread=desk.alarms.note_malformed,
        )
        self._recipe_watch = RecipeWatch(
            recipes, changed=partial(self._recorder.note_event, "RECIPE_CHANGED")
        )
        self._opened: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._in_journal: Ticket | None = None
        self._waiting: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self._unfinished: dict[object, Ticket] = {}
        self._captures = {
            described.id: capture_of(described, self._cameras[described.id])
            for described in settings.cameras
        }
        self._inspecting = tuple(
            Inspecting(
                f"inspect-{number}",
                make_inspector=make_inspector,
                make_examiner=partial(self._examiner, by_name),
                waiting=self._waiting,
                conclude=self._conclude,
                restart_camera=self._restart_camera,
                limit_s=settings.stuck_after_s,
            )
            for number in range(1, settings.inspect_workers + 1)
        )
        self._supervisor = Supervisor(on_restart=self._note_restart)
        self._crews = self._make_crews()
        self._metrics_server: MetricsServer | None = None
        if settings.metrics_port is not None:
            self._metrics_server = MetricsServer(
                self._metrics, host=settings.metrics_host, port=settings.metrics_port
            )

    def _examiner(self, recipes: dict[str, Recipe], inspector: InspectorLike) -> Examiner:
        return Examiner(
            inspector,
            recipes=recipes,
            cameras=self._captures,
            tickets=self._tickets,
            recorder=self._recorder,
            acquired=self._answers.acquired,
            why_held=self._desk.alarms.why_held,
            why_switched=self._recipe_watch.why_switched,
        )

    def _make_crews(self) -> tuple[Crew, ...]:
        long_s = self._settings.stuck_after_s
        crews = [
            # while a database hangs, parts wait in the spool: its limit ends that, no budget
            Crew("record", self._recorder.run, limit_s=long_s, waits_for_others=True),
            Crew("outbox", self._outbox.run, limit_s=long_s, waits_for_others=True),
            Crew("timer", self._time, limit_s=QUICK_S),
            Crew("journal", self._journal, limit_s=long_s, on_replaced=self._leave_in_journal),
            Crew("intake", self._take_in, limit_s=QUICK_S),
            Crew("disk", self._look_at_disk, limit_s=max(long_s, QUICK_S)),
            *(inspecting.crew for inspecting in self._inspecting),
            *(
                Crew(name, partial(_without_turn, body), limit_s=long_s)
                for name, body in self._desk.bodies()
            ),
        ]
        if self._sparkplug is not None:
            crews.append(
                Crew("sparkplug", self._sparkplug.run, limit_s=long_s, waits_for_others=True)
            )
        if self._settings.interval_ms:
            crews.append(Crew("interval", self._trigger_by_interval, limit_s=QUICK_S))
        return tuple(crews)

    # --- life ---------------------------------------------------------------------------------

    def run(self) -> int:
        """Inspect until `stop` or until the station is FAULTED; return 0 or, for the latter, 1.

        Raises `StorageError` where the last run's records cannot be made whole, `CameraError` and
        `BrokerError` where there is nothing to start with.
        """
        self._recover()
        for camera in self._cameras.values():
            camera.open()
        self._recorder.look_at_disk()
        self._recipe_watch.look()
        try:
            refuse_rival(self._settings)
            self._answers_link.start()
            self._desk.start()
            if self._sparkplug is not None:
                self._sparkplug.start()
            self._start_threads()
            # last: from here on triggers arrive
            self._line.start()
            self._service_manager.ready()
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
        self._desk.recover()
        now = datetime.now(UTC)
        window = timedelta(seconds=self._settings.duplicate_window_s)
        self._earlier.recall(
            self._store.parts_since(now - window, station_id=self._settings.station_id), now=now
        )
        left = {
            "answered": report.settled,
            "judged": report.unsettled,
            "interrupted": report.interrupted,
            "unreadable": report.torn,
            "whose answer may have left: look at them in Review": report.uncertain,
        }
        found = ", ".join(f"{len(parts)} {what}" for what, parts in left.items() if parts)
        found = found or "no part"
        log.info("station %s: left by the last run: %s", self._settings.station_id, found)
        for line in report.torn:
            log.error("spool: %s", line)
        self._recorder.note_event("STARTED", f"boot {self._boot}; left by the last run: {found}")

    def _start_threads(self) -> None:
        for crew in self._crews:
            crew.start()
            self._supervisor.watch(crew)
        for link in self._links():
            self._supervisor.watch(
                Watched(link.name, trouble=link.trouble, renew=link.renew, has_budget=False)
            )
        for inspecting in self._inspecting:
            if isinstance(inspector := inspecting.inspector, Renewable):
                self._supervisor.watch(
                    Watched(inspector.name, trouble=inspector.trouble, renew=inspector.renew)
                )
        if self._metrics_server is not None:
            self._metrics_server.start()

    def _watch(self) -> None:
        next_ns = time.monotonic_ns()
        noted = ""
        while not self._stop_asked and self._fault is None:
            self._self_test.step()
            self._look_at_broker()
            state, detail = self._state()
            self._presence.tell_state(state, detail)
            if state != noted:
                self._recorder.note_event(state.upper(), detail)
                noted = state
            if time.monotonic_ns() >= next_ns:
                next_ns = time.monotonic_ns() + int(HEARTBEAT_S * NS_PER_S)
                self._beat()
            with contextlib.suppress(queue.Empty):
                self._wake.get(timeout=max(0.0, (next_ns - time.monotonic_ns()) / NS_PER_S))

    def _look_at_broker(self) -> None:
        """Give up where another station took this one's place; say where a broker forgot."""
        if self._rivals.rival() or any(link.was_taken_over for link in self._links()):
            self._fault = (
                f"expected no other station {self._settings.station_id!r} at the broker, found one "
                "that took its place; stop it, or give each station its own station_id"
            )
            log.error("%s", self._fault)
        if (forgetful := self._self_test.why_forgetful()) is not None:
            log.warning("%s", forgetful)
            self._recorder.note_event("BROKER_FORGOT", forgetful)
            self._answers.tell_last_again()

    def _beat(self) -> None:
        state, detail = self._state()
        if self._presence.beat(state):
            self._tell_health()
        self._answers.read_receipts()
        self._tell_conditions()
        if self._fault is None and (fault := self._supervisor.look()) is not None:
            log.error("%s", fault)
            self._fault = fault
        self._service_manager.alive(f"{state} {detail}")

    def _tell_health(self) -> None:
        waiting = self._outbox.waiting
        self._presence.tell_health(
            self._tickets.tally(),
            unrecorded=self._recorder.unrecorded,
            retained_dropped=self._intake.retained_dropped,
            free_mb=self._recorder.free_mb,
            acknowledged=self._answers.acknowledged,
            unheard=self._answers.unheard,
            refused=self._answers.refused + self._outbox.refused,
            outbox=waiting.records,
            outbox_age_s=int(self._outbox.age_s()),
            restarts=sum(self._supervisor.restarts.values()),
            bad_commands=self._commands.bad,
        )

    def _note_restart(self, name: str, cause: str) -> None:
        self._recorder.note_event("RESTARTED", f"{name}: {cause}")

    def _shut_down(self) -> None:
        self._service_manager.stopping()
        self._stopping.set()
        self._presence.tell_state(*self._state())
        for answer in self._tickets.settle_all(
            Verdict.held(Reason.STOPPING, "the station is stopping"), by="stopping"
        ):
            log.warning(
                "%s: held, the station is stopping",
                answer.ticket.trigger.request_id,
                extra=answer.ticket.ids,
            )
        self._opened.put(None)
        for _ in self._inspecting:
            self._waiting.put(None)
        self._join("inspect", "journal", "timer", "disk", "interval")
        self._deaf.set()
        self._join("intake")
        for ticket in tuple(self._unfinished.values()):
            self._conclude(ticket, held(ticket.note, Verdict.held(Reason.STOPPING, "cut short")))
        self._recorder.note_event("STOPPED", self._fault or "stopped on request")
        self._recorder.stop()
        self._join("record")
        self._flush_outbox()
        self._outbox.stop()
        if self._sparkplug is not None:
            self._sparkplug.stop()
        self._desk.stop()
        self._join("outbox", "sparkplug", "alarm")
        self._tell_health()
        self._answers_link.stop()
        if self._sparkplug is not None:
            self._sparkplug.close()
        self._line.stop(farewell=self._farewell(*self._state()))
        self._desk.close()
        if self._metrics_server is not None:
            self._metrics_server.stop()
        for inspecting in self._inspecting:
            inspecting.close()
        for camera in self._cameras.values():
            camera.close()

    def _join(self, *names: str) -> None:
        """Wait for threads whose name starts so; one that hangs ends with the process."""
        give_up_ns = time.monotonic_ns() + int(STOP_WITHIN_S * NS_PER_S)
        for crew in self._crews:
            if crew.name.startswith(names):
                crew.join((give_up_ns - time.monotonic_ns()) / NS_PER_S)

    def _flush_outbox(self) -> None:
        """Give the outbox a moment; what is left goes out after the next start."""
        give_up_ns = time.monotonic_ns() + int(FLUSH_WITHIN_S * NS_PER_S)
        pause = threading.Event()
        try:
            while self._line.is_up and time.monotonic_ns() < give_up_ns:
                if self._outbox.is_empty() and (
                    self._sparkplug is None or self._sparkplug.is_done()
                ):
                    return
                pause.wait(0.02)
        except StorageError as exc:
            log.warning("outbox: %s", exc)

    # --- state --------------------------------------------------------------------------------

    def _state(self) -> tuple[str, str]:
        """Return the state by OPC 40100-1, and why. Memory only: it is asked for each trigger."""
        if self._fault is not None:
            return "Error", self._fault
        if self._stopping.is_set():
            return "Halted", "stopped on request"
        if not (self._line.is_up and self._answers_link.is_up and self._desk.link.is_up):
            return "Preoperational", "waiting for the broker"
        if (untested := self._self_test.why_not()) is not None:
            return "Preoperational", untested
        if (full := self._why_full()) is not None:
            return "Error", f"nothing can pass: {full}"
        if (paused := self._desk.alarms.why_paused()) is not None:
            return "Halted", paused
        return "Ready", ""

    def _why_full(self) -> str | None:
        waiting = self._outbox.waiting.records
        if waiting >= self._settings.outbox_max:
            return f"{waiting} records wait for the broker; check who takes them"
        return self._recorder.why_full()

    def _farewell(self, state: str, detail: str) -> Message:
        return state_message(
            self._settings.mqtt_base, self._boot, online=0, state=state, detail=detail
        )

    def _links(self) -> tuple[Link, ...]:
        sparkplug = () if self._sparkplug is None else (self._sparkplug.link,)
        return (self._line, self._answers_link, self._desk.link, *sparkplug)

    def _recorded(self, seq: int) -> None:
        self._outbox.recorded(seq)
        if self._sparkplug is not None:
            self._sparkplug.recorded()

    def _link_changed(self, _is_up: bool) -> None:
        self._presence.forget()
        self._wake.put(None)

    def _conditions(self) -> dict[str, str | None]:
        """Return the conditions that are worth an alarm, each with why it holds, or None."""
        recorder, outbox = self._recorder, self._outbox
        low = full_soon = None
        if recorder.is_low:
            low = f"{recorder.free_mb} MB free for records"
        elif recorder.spool_share >= LIMIT_NEAR:
            low = f"{recorder.unrecorded} parts without a row, limit {self._settings.spool_max}"
        share = outbox.waiting.records / self._settings.outbox_max
        if share >= LIMIT_NEAR:
            full_soon = f"{outbox.waiting.records} records, limit {self._settings.outbox_max}"
        elif (age_s := outbox.age_s()) > self._settings.outbox_old_s:
            full_soon = f"the oldest of {outbox.waiting.records} records waits for {age_s:.0f} s"
        elif self._sparkplug is not None:
            full_soon = self._sparkplug.why_old(self._settings.outbox_old_s)
        statuses = [camera.status() for camera in self._cameras.values()]
        return {
            "storage_low": low,
            "storage_full": recorder.why_full(),
            "outbox_old": full_soon,
            "outbox_full": f"{outbox.waiting.records} records" if share >= 1 else None,
            "plc_not_listening": self._answers.why_deaf(),
            **{
                f"camera_lost.{status.camera_id}": None if status.is_up else status.detail
                for status in statuses
            },
        }

    def _carried_seq(self) -> int | None:
        """Return up to where Sparkplug hosts have the records, None where there are none."""
        return None if self._sparkplug is None else self._sparkplug.carried_seq

    def _tell_conditions(self) -> None:
        for name, why in self._conditions().items():
            self._desk.alarms.condition(name, why is not None, why or "")

    def _figures(self) -> Figures:
        state, detail = self._state()
        waiting = self._outbox.waiting
        return Figures(
            state=state,
            detail=detail,
            tally=self._tickets.tally(),
            waiting=self._waiting.qsize(),
            unrecorded=self._recorder.unrecorded,
            outbox=waiting.records,
            outbox_age_s=self._outbox.age_s(),
            outbox_refused=self._outbox.refused,
            sparkplug=0 if self._sparkplug is None else self._sparkplug.waiting.records,
            acknowledged=self._answers.acknowledged,
            unheard=self._answers.unheard,
            refused=self._answers.refused,
            retained_dropped=self._intake.retained_dropped,
            bad_commands=self._commands.bad,
            free_mb=self._recorder.free_mb,
            reconnects={link.name: link.reconnects for link in self._links()},
            restarts=dict(self._supervisor.restarts),
            cameras=tuple(
                CameraFigures(
                    camera_id=status.camera_id,
                    is_up=status.is_up,
                    skipped=status.skipped,
                    broken=status.broken,
                    reconnects=status.reconnects,
                )
                for status in (camera.status() for camera in self._cameras.values())
            ),
            alarms=self._desk.alarms.tally(),
            alarms_unrecorded=self._desk.records.unrecorded,
            conditions={name: why for name, why in self._conditions().items() if why is not None},
        )

    # --- tickets ------------------------------------------------------------------------------

    def _take_in(self, turn: Turn) -> None:
        while not self._deaf.is_set() and not turn.ended():
            # while the station stops, triggers are refused
            with contextlib.suppress(queue.Empty):
                arrival = self._line.arrivals.get(timeout=0.2)
                with turn.work("a message"):
                    self._take(arrival)

    def _take(self, arrival: Arrival) -> None:
        if arrival.topic == f"{self._settings.mqtt_base}/{messages.STATE}":
            with contextlib.suppress(MessageError):  # not a station's word
                self._rivals.hear(arrival)
            return
        if self._commands.take(arrival):
            if self._self_test.has_passed_anew():
                self._wake.put(None)
            return
        ticket = self._intake.admit(arrival)
        if ticket is not None:
            self._unfinished[ticket.id] = ticket
            self._opened.put(ticket)

    def _journal(self, turn: Turn) -> None:
        while not turn.ended() and (ticket := self._opened.get()) is not None:
            self._in_journal = ticket
            with turn.work(f"the spool, {ticket.trigger.request_id}"):
                self._note_open(ticket)
            if not turn.ended():
                self._in_journal = None

    def _note_open(self, ticket: Ticket) -> None:
        try:
            self._recorder.note_open(ticket.note)
        except StorageError as exc:
            self._hold(ticket, Reason.NOT_RECORDED, str(exc))
            return
        self._answers.accepted(ticket)
        if ticket.is_over_limit:
            waiting = self._settings.queue_size
            self._hold(ticket, Reason.OVERLOAD, f"more than {waiting} parts were waiting")
        else:
            self._waiting.put(ticket)

    def _leave_in_journal(self, cause: str) -> None:
        ticket, self._in_journal = self._in_journal, None
        if ticket is not None:
            self._hold(ticket, Reason.NOT_RECORDED, cause)

    def _hold(self, ticket: Ticket, reason: Reason, detail: str) -> None:
        self._conclude(ticket, held(ticket.note, Verdict.held(reason, detail)))

    def _conclude(self, ticket: Ticket, inspection: Inspection) -> None:
        """Conclude a ticket, once: whoever comes second finds it concluded."""
        if self._unfinished.pop(ticket.id, None) is not None:
            self._conclusions.conclude(ticket, inspection)

    def _concluded(self, answer: Answer, inspection: Inspection) -> None:
        self._metrics.concluded(answer, inspection)
        if answer.by == "verdict":
            self._desk.watch.answered(answer.verdict)

    def _time(self, turn: Turn) -> None:
        while not self._stopping.is_set() and not turn.ended():
            with turn.work("the answers that are due"):
                for answer in self._tickets.settle_next_due(wait_s=0.2):
                    log.error(
                        "%s: deadline missed",
                        answer.ticket.trigger.request_id,
                        extra=answer.ticket.ids,
                    )
                    self._recorder.note_settlement(settlement_of(answer))
                    self._desk.watch.answered(answer.verdict)

    def _look_at_disk(self, turn: Turn) -> None:
        while not self._stopping.wait(DISK_EVERY_S) and not turn.ended():
            with turn.work("the disk"):
                self._recorder.look_at_disk()
            with turn.work("the recipes"):
                self._recipe_watch.look()

    def _restart_camera(self, camera_id: str) -> None:
        """Begin anew with a camera that hangs; whoever hangs in it keeps the old lock."""
        camera = self._cameras.get(camera_id)
        for described in self._settings.cameras:
            if camera is not None and described.id == camera_id:
                camera.restart()
                self._captures[camera_id] = capture_of(described, camera)

    def _trigger_by_interval(self, turn: Turn) -> None:
        """Send triggers to this station itself, by the way that a PLC's would take."""
        number = 0
        interval_s = self._settings.interval_ms / 1000
        next_ns = time.monotonic_ns()
        while not turn.ended():
            next_ns = max(next_ns + int(interval_s * NS_PER_S), time.monotonic_ns())
            if self._stopping.wait((next_ns - time.monotonic_ns()) / NS_PER_S):
                return
            if self._state()[0] != "Ready":
                continue
            number += 1
            trigger = messages.Trigger(request_id=f"auto-{self._boot}-{number}", seq=number)
            self._line.arrivals.put(
                Arrival(
                    topic=f"{self._settings.mqtt_base}/{messages.TRIGGER}",
                    payload=messages.encode_trigger(trigger),
                    retained=False,
                    received_ns=time.monotonic_ns(),
                )
            )


def _without_turn(body: Callable[[], None], _turn: Turn) -> None:
    body()
