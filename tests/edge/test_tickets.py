"""Exactly one answer, in time: on a clock of the test's own."""

from __future__ import annotations

import threading

import pytest
from edge_builders import PASS, note_of
from hypothesis import given
from hypothesis import strategies as st

from edge.messages import Trigger
from edge.tickets import Answer, Clashing, Repeated, Ticket, Tickets
from edge.units import NS_PER_MS
from inspector.domain import Decision, Reason, Verdict

STOPPING = Verdict.held(Reason.STOPPING, "the station is stopping")


class Desk:
    """Tickets on a virtual clock, and what left."""

    def __init__(self, *, max_open: int = 8, window_s: float = 60) -> None:
        self.now_ns = 0
        self.link_is_up = True
        self.sent: list[Answer] = []
        self.tickets = Tickets(
            send=self._send,
            answer_margin_ms=50,
            duplicate_window_s=window_s,
            max_open=max_open,
            clock_ns=lambda: self.now_ns,
        )

    def _send(self, answer: Answer) -> bool:
        if self.link_is_up:
            self.sent.append(answer)
        return self.link_is_up

    def at_ms(self, moment_ms: int) -> None:
        self.now_ns = moment_ms * NS_PER_MS

    def open(
        self, request_id: str = "r1", *, part_id: str = "A", deadline_ms: int = 1000
    ) -> Ticket | Repeated | Clashing:
        return self.tickets.open(
            Trigger(request_id=request_id, part_id=part_id),
            note=note_of(request_id, part_id=part_id),
            received_ns=self.now_ns,
            deadline_ms=deadline_ms,
        )

    def ticket(self, request_id: str = "r1", **more: object) -> Ticket:
        ticket = self.open(request_id, **more)  # type: ignore[arg-type]
        assert isinstance(ticket, Ticket)
        return ticket


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_verdict_in_time_is_the_answer(desk: Desk):
    ticket = desk.ticket()
    desk.at_ms(949)
    answer = desk.tickets.settle(ticket, PASS, by="verdict")
    assert (answer.verdict, answer.by, answer.was_sent) == (PASS, "verdict", True)
    assert desk.tickets.settle_due() == ()


def test_at_the_deadline_less_its_margin_the_part_is_held(desk: Desk):
    desk.ticket()
    desk.at_ms(949)
    assert desk.tickets.settle_due() == ()
    desk.at_ms(950)
    (answer,) = desk.tickets.settle_due()
    assert (answer.verdict.decision, answer.verdict.reason) == (Decision.HOLD, Reason.DEADLINE)
    assert [sent.verdict.reason for sent in desk.sent] == [Reason.DEADLINE]


def test_a_verdict_after_the_timer_is_told_what_was_answered(desk: Desk):
    ticket = desk.ticket()
    desk.at_ms(950)
    desk.tickets.settle_due()
    desk.at_ms(960)
    answer = desk.tickets.settle(ticket, PASS, by="verdict")
    assert (answer.by, answer.verdict.reason) == ("deadline", Reason.DEADLINE)
    assert len(desk.sent) == 1


def test_a_late_verdict_is_held_even_if_the_timer_sleeps(desk: Desk):
    ticket = desk.ticket()
    desk.at_ms(951)
    answer = desk.tickets.settle(ticket, PASS, by="verdict")
    assert (answer.by, answer.verdict.reason, answer.was_sent) == (
        "deadline",
        Reason.DEADLINE,
        True,
    )


def test_nothing_leaves_after_the_deadline(desk: Desk):
    desk.ticket()
    desk.at_ms(1000)
    (answer,) = desk.tickets.settle_due()
    assert not answer.was_sent
    assert desk.sent == []
    assert desk.tickets.tally().unsent == 1


def test_the_same_request_gets_the_same_answer(desk: Desk):
    ticket = desk.ticket()
    assert desk.open() == Repeated(answer=None)
    desk.tickets.settle(ticket, PASS, by="verdict")
    repeated = desk.open()
    assert isinstance(repeated, Repeated)
    assert repeated.answer is not None
    assert repeated.answer.ticket.id == ticket.id
    assert repeated.answer.verdict == PASS


def test_another_part_under_a_used_id_clashes(desk: Desk):
    ticket = desk.ticket(part_id="A")
    assert desk.open(part_id="B") == Clashing()
    desk.tickets.settle(ticket, PASS, by="verdict")
    assert desk.open(part_id="B") == Clashing()


def test_outside_the_window_a_used_id_is_a_new_part(desk: Desk):
    first = desk.ticket()
    desk.tickets.settle(first, PASS, by="verdict")
    desk.at_ms(60_001)
    assert desk.ticket(part_id="B").id != first.id


def test_an_answer_that_could_not_leave_is_not_kept_for_later(desk: Desk):
    ticket = desk.ticket()
    desk.link_is_up = False
    assert not desk.tickets.settle(ticket, PASS, by="verdict").was_sent
    desk.link_is_up = True
    assert isinstance(desk.open(), Ticket)
    assert desk.sent == []


def test_too_many_open_tickets_are_marked(desk: Desk):
    marks = [desk.ticket(f"r{n}").is_over_limit for n in range(10)]
    assert marks == [False] * 8 + [True] * 2


def test_stopping_answers_all_that_is_open(desk: Desk):
    answered = desk.ticket("r1")
    desk.tickets.settle(answered, PASS, by="verdict")
    still_open = desk.ticket("r2")
    desk.tickets.settle_all(STOPPING, by="stopping")
    assert [sent.verdict for sent in desk.sent] == [PASS, STOPPING]
    assert desk.tickets.settle(still_open, PASS, by="verdict").by == "stopping"


def test_the_answer_knows_when_the_picture_was_taken(desk: Desk):
    ticket = desk.ticket()
    desk.tickets.acquired(ticket, at_ns=7 * NS_PER_MS)
    assert desk.tickets.settle(ticket, PASS, by="verdict").acquired_ns == 7 * NS_PER_MS


def test_of_many_threads_exactly_one_wins():
    desk = Desk(max_open=1000)
    tickets = [desk.ticket(f"r{n}", deadline_ms=10_000) for n in range(200)]
    start = threading.Barrier(3)

    def judge() -> None:
        start.wait()
        for ticket in tickets:
            desk.tickets.settle(ticket, PASS, by="verdict")

    def stop() -> None:
        start.wait()
        desk.tickets.settle_all(STOPPING, by="stopping")

    def expire() -> None:
        start.wait()
        desk.now_ns = 9_950 * NS_PER_MS
        desk.tickets.settle_due()

    threads = [threading.Thread(target=body) for body in (judge, stop, expire)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent.ticket.id for sent in desk.sent) == sorted(t.id for t in tickets)
    assert desk.tickets.tally().is_conserved


_STEPS = st.one_of(
    st.tuples(st.just("trigger"), st.integers(0, 5), st.sampled_from("AB")),
    st.tuples(st.just("judge"), st.integers(0, 5), st.just("")),
    st.tuples(st.just("wait"), st.sampled_from([1, 400, 949, 1001, 61_000]), st.just("")),
    st.tuples(st.sampled_from(["refuse", "malformed", "cut", "mend"]), st.just(0), st.just("")),
)


@given(st.lists(_STEPS, max_size=40))
def test_every_trigger_is_accounted_for_whatever_happens(steps: list[tuple[str, int, str]]):
    desk = Desk(max_open=3)
    open_tickets: dict[int, Ticket] = {}
    for step, number, part_id in steps:
        match step:
            case "trigger":
                opened = desk.open(f"r{number}", part_id=part_id)
                if isinstance(opened, Ticket):
                    open_tickets[number] = opened
            case "judge":
                if (ticket := open_tickets.pop(number, None)) is not None:
                    desk.tickets.settle(ticket, PASS, by="verdict")
            case "wait":
                desk.now_ns += number * NS_PER_MS
                desk.tickets.settle_due()
            case "refuse":
                desk.tickets.count_refused()
            case "malformed":
                desk.tickets.count_malformed()
            case _:
                desk.link_is_up = step == "mend"
        assert desk.tickets.tally().is_conserved
    ids = [answer.ticket.id for answer in desk.sent]
    assert len(ids) == len(set(ids))
    assert all(
        answer.verdict.decision is Decision.HOLD or answer.settled_ns < answer.ticket.answer_by_ns
        for answer in desk.sent
    )


def test_only_the_same_trigger_within_the_window_is_known(desk: Desk):
    desk.open("r1", part_id="A")
    assert desk.tickets.knows(Trigger(request_id="r1", part_id="A"))
    assert not desk.tickets.knows(Trigger(request_id="r1", part_id="B"))
    assert not desk.tickets.knows(Trigger(request_id="r2", part_id="A"))
