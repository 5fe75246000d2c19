"""What hangs is found and replaced, on a clock of the test's own."""

from __future__ import annotations

import threading

import pytest
from edge_builders import WAIT_S, await_that

from edge.supervision import Budget, Crew, Stage, Supervisor, Turn, Watched
from edge.units import NS_PER_S


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def go_on(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS_PER_S)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_work_within_its_limit_is_not_stuck_and_beyond_it_is(clock: Clock):
    stage = Stage("record", limit_s=5, clock_ns=clock)
    with stage.work("the row of r1"):
        clock.go_on(5)
        assert stage.stuck() is None
        clock.go_on(1)
        stuck = stage.stuck()
        assert stuck is not None
        assert str(stuck) == "the row of r1 has not ended for 6.0 s"
    assert stage.stuck() is None
    assert stage.done == 1


def test_a_stage_that_waits_for_work_is_never_stuck(clock: Clock):
    stage = Stage("record", limit_s=5, clock_ns=clock)
    clock.go_on(3600)
    assert stage.stuck() is None


def test_after_inner_work_the_outer_work_has_its_whole_limit_again(clock: Clock):
    stage = Stage("inspect-1", limit_s=5, clock_ns=clock)
    with stage.work("camera top"):
        clock.go_on(4)
        with stage.work("the models"):
            clock.go_on(4)
        clock.go_on(4)
        assert stage.stuck() is None


def test_five_restarts_a_minute_are_the_budget(clock: Clock):
    budget = Budget(clock_ns=clock)
    assert [budget.spend() for _ in range(6)] == [True] * 5 + [False]
    clock.go_on(61)
    assert budget.spend()


def test_a_hung_thread_is_replaced_and_its_late_end_changes_nothing(clock: Clock):
    gate, second_runs = threading.Event(), threading.Event()
    turns: list[Turn] = []
    causes: list[str] = []

    def body(turn: Turn) -> None:
        turns.append(turn)
        if len(turns) == 1:
            with turn.work("camera top"):
                gate.wait(WAIT_S)
            return
        second_runs.set()
        gate.wait(WAIT_S)

    crew = Crew("inspect-1", body, limit_s=5, on_replaced=causes.append, clock_ns=clock)
    supervisor = Supervisor(on_restart=lambda _name, _cause: None, clock_ns=clock)
    supervisor.watch(crew)
    crew.start()
    await_that(lambda: bool(turns) and turns[0].stage._doing is not None)
    assert supervisor.look() is None
    assert causes == []
    clock.go_on(6)
    assert supervisor.look() is None
    assert second_runs.wait(WAIT_S)
    assert causes == ["camera top has not ended for 6.0 s"]
    assert turns[0].ended()
    assert not turns[1].ended()
    gate.set()
    crew.join(WAIT_S)
    assert supervisor.restarts == {"inspect-1": 1}


def test_a_dead_thread_is_replaced_until_the_budget_is_spent(clock: Clock):
    def body(_turn: Turn) -> None:
        raise ValueError("no such thing")

    told: list[tuple[str, str]] = []
    crew = Crew("outbox", body, limit_s=5, clock_ns=clock)
    supervisor = Supervisor(on_restart=lambda name, why: told.append((name, why)), clock_ns=clock)
    supervisor.watch(crew)
    crew.start()
    for _ in range(5):
        crew.join(WAIT_S)
        assert supervisor.look() is None
    crew.join(WAIT_S)
    fault = supervisor.look()
    assert fault == (
        "FAULTED: outbox was restarted 5 times within 60 s: "
        "its thread ended: ValueError: no such thing"
    )
    assert told == [("outbox", "its thread ended: ValueError: no such thing")] * 5


def test_a_thread_that_waits_for_others_is_replaced_for_ever_unless_it_dies(clock: Clock):
    gate, running = threading.Event(), threading.Event()

    def body(turn: Turn) -> None:
        with turn.work("the database"):
            running.set()
            assert gate.wait(WAIT_S)
        raise ValueError("no such thing")

    crew = Crew("record", body, limit_s=2, waits_for_others=True, clock_ns=clock)
    supervisor = Supervisor(on_restart=lambda _name, _why: None, clock_ns=clock)
    supervisor.watch(crew)
    crew.start()
    for _ in range(8):
        assert running.wait(WAIT_S)
        running.clear()
        clock.go_on(3)
        assert supervisor.look() is None
    assert supervisor.restarts == {"record": 8}
    gate.set()  # from now on each dies
    for _ in range(5):
        crew.join(WAIT_S)
        assert supervisor.look() is None
    crew.join(WAIT_S)
    assert "its thread ended: ValueError" in (supervisor.look() or "")


def test_a_thread_that_ends_as_it_should_is_left_alone(clock: Clock):
    crew = Crew("interval", lambda _turn: None, limit_s=5, clock_ns=clock)
    crew.start()
    crew.join(WAIT_S)
    assert crew.trouble() is None


def test_what_is_no_thread_is_renewed_as_well(clock: Clock):
    trouble: list[str] = ["no answer"]
    supervisor = Supervisor(on_restart=lambda _name, _cause: None, clock_ns=clock)
    supervisor.watch(
        Watched("models-1", trouble=lambda: trouble[0] if trouble else None, renew=trouble.clear)
    )
    assert supervisor.look() is None
    assert trouble == []
    assert supervisor.restarts == {"models-1": 1}
