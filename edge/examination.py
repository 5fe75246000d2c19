"""One ticket from its picture to what is to be said of the part."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from datetime import date
from typing import Protocol

from edge.capture import Capture, Shot
from edge.recorder import Recorder
from edge.tickets import Ticket, Tickets
from edge.units import NS_PER_MS, NS_PER_S
from inspector.domain import (
    Assessment,
    Context,
    Decision,
    Frame,
    Inspection,
    Reason,
    Verdict,
)
from inspector.errors import StorageError
from inspector.settings import Recipe
from inspector.storage.records import inspection_to_json, json_text
from inspector.storage.recovery import held


class InspectorLike(Protocol):
    """What judges a frame: `inspector.pipeline.Inspector`. One instance serves one thread."""

    def inspect(
        self,
        frame: Frame,
        *,
        recipe: Recipe,
        view: str | None,
        context: Context,
        within_s: float | None = None,
    ) -> Assessment:
        """Return what `recipe` says of `frame`, in `within_s`; never raises for a bad part."""
        ...


class Examiner:
    """Takes the pictures of tickets and has them inspected. One instance serves one thread."""

    def __init__(
        self,
        inspector: InspectorLike,
        *,
        recipes: Mapping[str, Recipe],
        cameras: Mapping[str, Capture],
        tickets: Tickets,
        recorder: Recorder,
        acquired: Callable[[Ticket], None],
        why_held: Callable[[], str | None] = lambda: None,
        why_switched: Callable[[str], str | None] = lambda _recipe: None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        today: Callable[[], date] = date.today,
    ) -> None:
        """`acquired` is told when the picture is taken and the part may move.

        `why_held` says which alarm holds every part now, None where none does; `why_switched` why
        the parts of a recipe must be held.
        """
        self._inspector = inspector
        self._recipes = recipes
        self._cameras = cameras
        self._tickets = tickets
        self._recorder = recorder
        self._acquired = acquired
        self._why_held = why_held
        self._why_switched = why_switched
        self._clock_ns = clock_ns
        self._today = today

    def examine(self, ticket: Ticket) -> Inspection:
        """Return the part as judged; a HOLD where anything stands in the way of judging."""
        wait_ms = (self._clock_ns() - ticket.opened_ns) / NS_PER_MS
        why_held = self._why_held()
        outcome = self._examine(ticket)
        inspection = held(ticket.note, outcome) if isinstance(outcome, Verdict) else outcome
        if inspection.verdict.decision is Decision.PASS:
            # one that came while the part was judged counts too, and so does one that went
            why_held = why_held or self._why_held()
            if why_held is not None:
                verdict = Verdict.held(Reason.ALARM_ACTIVE, why_held)
                inspection = replace(inspection, verdict=verdict)
        if (switched := self._why_switched(ticket.note.recipe)) is not None:
            # also for a FAIL: by which recipe it should be judged is not known
            inspection = replace(inspection, verdict=Verdict.held(Reason.UNKNOWN_RECIPE, switched))
        try:
            json_text(inspection_to_json(inspection))
        except StorageError as exc:
            # NaN from a model: no record could hold it, and the record thread would try for ever
            inspection = held(ticket.note, Verdict.held(Reason.MODEL_FAILED, str(exc)))
        return replace(inspection, timings=replace(inspection.timings, wait_ms=wait_ms))

    def _examine(self, ticket: Ticket) -> Inspection | Verdict:
        if not self._tickets.is_open(ticket):
            return Verdict.held(Reason.DEADLINE, "the ticket was answered while it waited")
        recipe = self._recipes.get(ticket.note.recipe)
        if recipe is None:
            return Verdict.held(
                Reason.UNKNOWN_RECIPE,
                f"expected recipe {' or '.join(sorted(self._recipes))}, "
                f"found {ticket.trigger.recipe!r}",
            )
        if (why_full := self._recorder.why_full()) is not None:
            return Verdict.held(Reason.NOT_RECORDED, why_full)
        camera = self._cameras.get(ticket.note.camera_id)
        if camera is None:
            return Verdict.held(
                Reason.CAMERA_LOST,
                f"expected camera {' or '.join(sorted(self._cameras))}, "
                f"found {ticket.note.camera_id!r}",
            )
        frame = camera.take(
            Shot(
                part_id=ticket.trigger.part_id,
                view=ticket.trigger.view,
                bit_depth=recipe.settings.bit_depth,
                triggered_ns=ticket.opened_ns,
                seq=ticket.trigger.seq,
            ),
            timeout_s=self._left_s(ticket),
        )
        if isinstance(frame, Verdict):
            return frame
        self._tickets.acquired(ticket, at_ns=self._clock_ns())
        self._acquired(ticket)
        picture = self._recorder.save_picture(frame, ticket.id)
        bad_frame = camera.check(frame, recipe, view=ticket.trigger.view)
        return self._judged(ticket, recipe, frame, picture, bad_frame=bad_frame)

    def _judged(
        self,
        ticket: Ticket,
        recipe: Recipe,
        frame: Frame,
        picture: Future[str],
        *,
        bad_frame: Verdict | None,
    ) -> Inspection:
        if bad_frame is not None:
            assessment = Assessment.held(bad_frame.reason, bad_frame.detail)
        else:
            assessment = self._inspector.inspect(
                frame,
                recipe=recipe,
                view=ticket.trigger.view,
                context=Context(
                    inspected_on=ticket.trigger.inspected_on or self._today(),
                    expected=ticket.trigger.expected,
                ),
                within_s=self._left_s(ticket),
            )
        path, verdict = None, assessment.verdict
        try:
            path = picture.result(timeout=self._left_s(ticket))
        except StorageError as exc:
            verdict = Verdict.held(Reason.NOT_RECORDED, str(exc))
        except FutureTimeout:
            verdict = Verdict.held(Reason.NOT_RECORDED, "the picture was not written in time")
        return replace(
            held(ticket.note, verdict),
            captured_at=frame.captured_at,
            findings=assessment.findings,
            judgement=assessment.judgement,
            picture=path,
            timings=assessment.timings,
            provenance=assessment.provenance,
        )

    def _left_s(self, ticket: Ticket) -> float:
        return max(0.0, (ticket.answer_by_ns - self._clock_ns()) / NS_PER_S)
