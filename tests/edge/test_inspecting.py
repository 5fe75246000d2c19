"""One inspect thread: what hangs in it is answered for and left behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import pytest
from edge_builders import PASS, WAIT_S, FakeInspector, await_that, note_of

from edge.examination import InspectorLike
from edge.inspecting import Inspecting
from edge.messages import Trigger
from edge.supervision import Supervisor
from edge.tickets import Ticket
from inspector.domain import Inspection, Reason, Verdict
from inspector.errors import ModelError
from inspector.storage.recovery import held


def ticket(request_id: str) -> Ticket:
    return Ticket(
        note=note_of(request_id),
        trigger=Trigger(request_id=request_id),
        opened_ns=0,
        answer_by_ns=10**12,
        due_ns=10**12,
    )


class Cell:
    """An inspect thread whose examiner does as the request's name says."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.waiting: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
        self.concluded: queue.SimpleQueue[tuple[str, Inspection]] = queue.SimpleQueue()
        self.cameras_restarted: list[str] = []
        self.inspectors_made = 0
        self.inspecting = Inspecting(
            "inspect-1",
            make_inspector=self._make_inspector,
            make_examiner=lambda _inspector: self,  # type: ignore[arg-type,return-value]
            waiting=self.waiting,
            conclude=lambda one, inspection: self.concluded.put(
                (one.trigger.request_id, inspection)
            ),
            restart_camera=self.cameras_restarted.append,
            limit_s=-0.8,  # and one second more: 0.2 s
        )
        self.supervisor = Supervisor(on_restart=lambda _name, _cause: None)
        self.supervisor.watch(self.inspecting.crew)

    def _make_inspector(self) -> InspectorLike:
        self.inspectors_made += 1
        return FakeInspector()

    def examine(self, one: Ticket) -> Inspection:
        match one.trigger.request_id:
            case "camera hangs":
                self.gate.wait(WAIT_S)
            case "models lost":
                raise ModelError("models-1: expected an inspection, found none")
            case "fault of ours":
                raise ZeroDivisionError("somewhere")
        return held(one.note, PASS)

    def verdict(self) -> tuple[str, Verdict]:
        request_id, inspection = self.concluded.get(timeout=6 * WAIT_S)
        return request_id, inspection.verdict


@pytest.fixture
def cell() -> Iterator[Cell]:
    cell = Cell()
    cell.inspecting.crew.start()
    yield cell
    cell.gate.set()
    cell.waiting.put(None)
    cell.inspecting.crew.join(WAIT_S)


def test_a_camera_that_hangs_holds_its_part_and_is_restarted(cell: Cell):
    cell.waiting.put(ticket("camera hangs"))
    cell.waiting.put(ticket("next"))
    await_that(lambda: cell.inspecting.crew.trouble() is not None)
    assert cell.supervisor.look() is None
    request_id, verdict = cell.verdict()
    assert (request_id, verdict.reason) == ("camera hangs", Reason.CAMERA_LOST)
    assert "camera top has not ended" in verdict.detail
    assert cell.verdict() == ("next", PASS)
    assert cell.cameras_restarted == ["top"]
    assert cell.inspectors_made == 1


@pytest.mark.parametrize(
    ("request_id", "detail"),
    [
        ("models lost", "models-1: expected an inspection, found none"),
        ("fault of ours", "ZeroDivisionError: somewhere"),
    ],
)
def test_an_error_holds_its_part_and_the_thread_goes_on(cell: Cell, request_id: str, detail: str):
    cell.waiting.put(ticket(request_id))
    cell.waiting.put(ticket("next"))
    assert cell.verdict() == (request_id, Verdict.held(Reason.MODEL_FAILED, detail))
    assert cell.verdict() == ("next", PASS)
    assert cell.supervisor.look() is None
    assert cell.supervisor.restarts == {"inspect-1": 0}
