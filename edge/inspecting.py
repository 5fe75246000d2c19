"""The inspect threads: each with its models, replaced when a camera or a model hangs."""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from edge.examination import Examiner, InspectorLike
from edge.supervision import Crew, Turn
from edge.tickets import Ticket
from inspector.domain import Assessment, Context, Frame, Inspection, Reason, Verdict
from inspector.errors import InspectorError
from inspector.settings import Recipe
from inspector.storage.recovery import held

log = logging.getLogger(__name__)

CAMERA = "camera"
MODELS = "the models"


@runtime_checkable
class Renewable(Protocol):
    """An inspector that finds out by itself when it hangs: a `WorkerProcess`."""

    name: str

    def trouble(self) -> str | None: ...

    def renew(self) -> None: ...

    def close(self) -> None: ...


class _Watched:
    """An inspector that says when it works."""

    def __init__(self, inspector: InspectorLike, turn: Turn) -> None:
        self._inspector = inspector
        self._turn = turn

    def inspect(
        self,
        frame: Frame,
        *,
        recipe: Recipe,
        view: str | None,
        context: Context,
        within_s: float | None = None,
    ) -> Assessment:
        with self._turn.work(MODELS):
            return self._inspector.inspect(
                frame, recipe=recipe, view=view, context=context, within_s=within_s
            )


class Inspecting:
    """One inspect thread and the inspector it owns."""

    def __init__(
        self,
        name: str,
        *,
        make_inspector: Callable[[], InspectorLike],
        make_examiner: Callable[[InspectorLike], Examiner],
        waiting: queue.SimpleQueue[Ticket | None],
        conclude: Callable[[Ticket, Inspection], None],
        restart_camera: Callable[[str], None],
        limit_s: float,
    ) -> None:
        """Models are made now. A ticket goes through `conclude` once or more; the first counts."""
        self.inspector = make_inspector()
        self._make_inspector = make_inspector
        self._make_examiner = make_examiner
        self._waiting = waiting
        self._conclude = conclude
        self._restart_camera = restart_camera
        self._ticket: Ticket | None = None
        self._doing = ""
        # a process finds by itself that its models hang, and knows best what to do
        self.crew = Crew(name, self._run, limit_s=limit_s + 1, on_replaced=self._replaced)

    def close(self) -> None:
        if isinstance(self.inspector, Renewable):
            self.inspector.close()

    def _run(self, turn: Turn) -> None:
        examiner = self._make_examiner(_Watched(self.inspector, turn))
        while not turn.ended() and (ticket := self._waiting.get()) is not None:
            self._ticket = ticket
            with turn.work(f"{CAMERA} {ticket.note.camera_id}"):
                try:
                    inspection = examiner.examine(ticket)
                except InspectorError as exc:
                    inspection = held(ticket.note, Verdict.held(Reason.MODEL_FAILED, str(exc)))
                except Exception as exc:
                    log.exception(
                        "%s: inspection failed", ticket.trigger.request_id, extra=ticket.ids
                    )
                    failed = Verdict.held(Reason.MODEL_FAILED, f"{type(exc).__name__}: {exc}")
                    inspection = held(ticket.note, failed)
            with turn.work("the record"):
                self._conclude(ticket, inspection)
            if not turn.ended():
                self._ticket = None

    def _replaced(self, cause: str) -> None:
        """Answer for the part that the thread had in hand, and renew what it hung in."""
        ticket, self._ticket = self._ticket, None
        in_camera = cause.startswith(CAMERA)
        if ticket is not None:
            reason = Reason.CAMERA_LOST if in_camera else Reason.MODEL_FAILED
            self._conclude(ticket, held(ticket.note, Verdict.held(reason, cause)))
            if in_camera:
                self._restart_camera(ticket.note.camera_id)
        if cause.startswith(MODELS) and not isinstance(self.inspector, Renewable):
            with contextlib.suppress(Exception):
                self.inspector = self._make_inspector()
