"""Which trigger gets a ticket, and which is refused (and told so)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from uuid import uuid4

from edge import messages
from edge.answers import Answers, result_of
from edge.earlier import EarlierAnswers
from edge.messages import Refusal, Trigger
from edge.mqtt import Arrival
from edge.recorder import Recorder
from edge.tickets import Answer, Clashing, Repeated, Ticket, Tickets
from edge.units import NS_PER_MS
from inspector.errors import MessageError
from inspector.settings import Recipe, StationSettings
from inspector.storage.spool import OpenTicket

log = logging.getLogger(__name__)

STALE_AFTER_S = 60.0  # a trigger this old by its own clock was meant for another part


class Intake:
    """Turns arrivals into tickets. One thread; touches no disk.

    `misread` is told of each trigger that nobody can be answered about.
    """

    def __init__(
        self,
        settings: StationSettings,
        *,
        recipes: Mapping[str, Recipe],
        tickets: Tickets,
        answers: Answers,
        recorder: Recorder,
        earlier: EarlierAnswers,
        state: Callable[[], str],
        misread: Callable[[str], None],
        clock_ns: Callable[[], int] = time.monotonic_ns,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._recipes = recipes
        self._tickets = tickets
        self._answers = answers
        self._recorder = recorder
        self._earlier = earlier
        self._state = state
        self._misread = misread
        self._clock_ns = clock_ns
        self._now = now
        self.retained_dropped = 0

    def admit(self, arrival: Arrival) -> Ticket | None:
        """Return the ticket of a new trigger; None where it was refused, repeated or dropped."""
        if arrival.retained:
            # left on the broker by somebody before this station listened; no part stands there
            self.retained_dropped += 1
            log.warning("retained trigger dropped; publish triggers without the retain flag")
            return None
        try:
            trigger = messages.parse_trigger(arrival.payload)
        except MessageError as exc:
            self._on_bad_message(exc, arrival)
            return None
        if self._tickets.knows(trigger):
            # also while it is not Ready or late: a request must not be answered and refused
            return self._open(trigger, arrival)
        note = self._note(trigger)
        if (again := self._earlier.of(note)) is not None:
            self._repeat_earlier(trigger, again, arrival)
            return None
        if (state := self._state()) != "Ready":
            self._refuse(trigger.request_id, Refusal.NOT_READY, f"the state is {state}", arrival)
            return None
        if (stale := self._why_stale(trigger, arrival)) is not None:
            self._refuse(trigger.request_id, Refusal.STALE, stale, arrival)
            return None
        return self._open(trigger, arrival)

    def _repeat_earlier(
        self, trigger: Trigger, again: messages.Result | Clashing, arrival: Arrival
    ) -> None:
        if isinstance(again, Clashing):
            self._tickets.count_refused()
            self._tell_clash(trigger, arrival)
        else:
            self._tickets.count_repeated()
            self._answers.repeat(again, correlation=arrival.correlation)

    def _open(self, trigger: Trigger, arrival: Arrival) -> Ticket | None:
        opened = self._tickets.open(
            trigger,
            note=self._note(trigger),
            received_ns=arrival.received_ns,
            deadline_ms=self._deadline_ms(trigger),
            correlation=arrival.correlation,
        )
        match opened:
            case Ticket():
                return opened
            case Repeated(answer=Answer() as answer):
                self._answers.repeat(result_of(answer), correlation=arrival.correlation)
            case Clashing():
                self._tell_clash(trigger, arrival)
        return None

    def _tell_clash(self, trigger: Trigger, arrival: Arrival) -> None:
        self._tell_refusal(
            trigger.request_id,
            Refusal.DUPLICATE_ID,
            "this request_id was used for another trigger within "
            f"{self._settings.duplicate_window_s:g} s",
            arrival,
        )

    def _on_bad_message(self, error: MessageError, arrival: Arrival) -> None:
        if error.request_id is not None:
            self._refuse(error.request_id, Refusal.BAD_MESSAGE, str(error), arrival)
            return
        self._tickets.count_malformed()
        self._misread(f"{arrival.topic}: {error}")
        self._recorder.note_event("MALFORMED", str(error), is_minor=True)

    def _refuse(self, request_id: str, refusal: Refusal, detail: str, arrival: Arrival) -> None:
        self._tickets.count_refused()
        self._tell_refusal(request_id, refusal, detail, arrival)

    def _tell_refusal(
        self, request_id: str, refusal: Refusal, detail: str, arrival: Arrival
    ) -> None:
        log.warning(
            "%s: rejected %s: %s",
            request_id,
            refusal.name,
            detail,
            extra={"request_id": request_id},
        )
        self._answers.rejected(request_id, refusal, detail, correlation=arrival.correlation)
        self._recorder.note_event(
            "REJECTED", f"{request_id}: {refusal.name}: {detail}", is_minor=True
        )

    def _why_stale(self, trigger: Trigger, arrival: Arrival) -> str | None:
        waited_ms = (self._clock_ns() - arrival.received_ns) / NS_PER_MS
        if waited_ms >= self._deadline_ms(trigger) - self._settings.answer_margin_ms:
            return f"its deadline passed before it was read ({waited_ms:.0f} ms)"
        if trigger.ts is None:
            return None
        age_s = (self._now() - trigger.ts).total_seconds()
        if age_s > STALE_AFTER_S:
            return (
                f"expected ts of the last {STALE_AFTER_S:.0f} s, found {age_s:.0f} s ago; "
                "check the clocks of PLC and station"
            )
        return None

    def _deadline_ms(self, trigger: Trigger) -> int:
        """Return when the answer is due; an answer sooner than asked for harms nobody."""
        asked = trigger.deadline_ms or self._settings.deadline_ms
        return min(asked, self._settings.deadline_max_ms)

    def _note(self, trigger: Trigger) -> OpenTicket:
        name = trigger.recipe
        if name is None and len(self._recipes) == 1:
            (name,) = self._recipes
        recipe = self._recipes.get(name or "")
        return OpenTicket(
            id=uuid4(),
            request_id=trigger.request_id,
            station_id=self._settings.station_id,
            camera_id=trigger.camera or self._settings.cameras[0].id,
            part_id=trigger.part_id,
            lot=trigger.lot,
            view=trigger.view,
            product=recipe.settings.product if recipe is not None else "",
            recipe=name or "",
            recipe_rev=recipe.rev if recipe is not None else "",
            standard_rev=recipe.standard.rev if recipe is not None else "",
            triggered_at=self._now(),
            expected=dict(trigger.expected),
        )
