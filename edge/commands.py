"""What arrives besides triggers: acknowledgements, orders to replay, the self-test's own words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from edge import messages
from edge.answers import ACKNOWLEDGEABLE, Answers
from edge.earlier import EarlierAnswers
from edge.mqtt import Arrival
from edge.outbox import Outbox, Replay
from edge.recorder import Recorder
from edge.selftest import SelfTest
from inspector.errors import MessageError

log = logging.getLogger(__name__)

NOTED_MAX = 2 * ACKNOWLEDGEABLE  # more than can be acknowledged at a time
TOPICS = (messages.ACK, messages.REPLAY, messages.SELFTEST_IN, messages.SELFTEST_OUT)


class Commands:
    """Carries out commands. One thread; touches no disk.

    `misread` is told of each that could not be read.
    """

    def __init__(
        self,
        *,
        base: str,
        answers: Answers,
        earlier: EarlierAnswers,
        outbox: Outbox,
        recorder: Recorder,
        self_test: SelfTest,
        misread: Callable[[str], None],
    ) -> None:
        self.bad = 0
        self._base = base
        self._answers = answers
        self._earlier = earlier
        self._outbox = outbox
        self._recorder = recorder
        self._self_test = self_test
        self._noted: dict[UUID, None] = {}  # parts whose acknowledgement is on its way to the row
        self._misread = misread

    def take(self, arrival: Arrival) -> bool:
        """Carry out what arrived; return False where it is no command, but a trigger."""
        topic = arrival.topic.removeprefix(f"{self._base}/")
        if topic not in TOPICS:
            return False
        if arrival.retained and topic != messages.SELFTEST_OUT:
            return True  # an order of the past
        try:
            match topic:
                case messages.ACK:
                    self._acknowledge(messages.parse_ack(arrival.payload))
                case messages.REPLAY:
                    self._replay(messages.parse_replay(arrival.payload))
                case _:
                    self._self_test.hear(arrival)
        except MessageError as exc:
            self.bad += 1
            self._misread(f"{arrival.topic}: {exc}")
            self._recorder.note_event("MALFORMED", f"{topic}: {exc}", is_minor=True)
        return True

    def _acknowledge(self, ack: messages.Ack) -> None:
        part = self._answers.acknowledge(ack.request_id) or self._earlier.id_of(ack.request_id)
        if part is None:
            log.warning("%s: acknowledged, but no such result was sent lately", ack.request_id)
            self._recorder.note_event(
                "UNKNOWN_ACK", f"{ack.request_id}, by {ack.by or 'the PLC'}", is_minor=True
            )
            return
        if part in self._noted:
            return  # the first counts; others are only counted, or they would fill the queue
        while len(self._noted) >= NOTED_MAX:
            del self._noted[next(iter(self._noted))]
        self._noted[part] = None
        self._recorder.acknowledged(part, by=ack.by or "")

    def _replay(self, order: messages.ReplayOrder) -> None:
        taken = self._outbox.replay(Replay(after_seq=order.after_seq, left=order.limit))
        log.info("replay after %s, at most %s: %s", order.after_seq, order.limit, taken)
        self._recorder.note_event(
            "REPLAY",
            f"records after {order.after_seq}, at most {order.limit}"
            + ("" if taken else "; not taken, too many wait"),
            is_minor=True,
        )
