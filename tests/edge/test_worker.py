"""Models in a process of their own: what hangs or dies there is ended and started anew."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from edge_builders import FakeInspector, await_that, recipe_of

from edge.examination import InspectorLike
from edge.worker import LoadedModel, WorkerProcess
from inspector.domain import Assessment, Context, Decision, Frame, Reason
from inspector.errors import ModelError, SettingsError
from inspector.settings import Recipe

CONTEXT = Context(inspected_on=date(2026, 11, 23), expected={})


class Moody(FakeInspector):
    """Does as the view says."""

    def inspect(
        self,
        frame: Frame,
        *,
        recipe: Recipe,
        view: str | None,
        context: Context,
        within_s: float | None = None,
    ) -> Assessment:
        match view:
            case "hang":
                time.sleep(60)
            case "die":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "raise":
                raise ValueError("out of memory")
            case "fail":
                return Assessment.held(
                    Reason.MODEL_FAILED, "CUDA error: unspecified launch failure"
                )
            case "gpu":
                found = super().inspect(frame, recipe=recipe, view=view, context=context)
                return found if os.environ.get("CUDA_VISIBLE_DEVICES") == "" else self._broken_gpu()
        return super().inspect(frame, recipe=recipe, view=view, context=context)

    def _broken_gpu(self) -> Assessment:
        return Assessment.held(Reason.MODEL_FAILED, "CUDA error: device lost")


@dataclass(frozen=True)
class FakeModels:
    recipes: tuple[Recipe, ...]
    has_gpu: bool = False
    mistakes: tuple[str, ...] = ()

    def load(self) -> InspectorLike:
        if self.mistakes:
            raise SettingsError(self.mistakes)
        return Moody()

    def models(self, inspector: InspectorLike) -> tuple[LoadedModel, ...]:
        return (LoadedModel(name="fake", kind="judge", sha256="0" * 64),)

    def uses_gpu(self) -> bool:
        return self.has_gpu and os.environ.get("CUDA_VISIBLE_DEVICES") != ""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return recipe_of(tmp_path_factory.mktemp("recipe"))


@pytest.fixture
def worker(recipe: Recipe) -> Iterator[WorkerProcess]:
    worker = WorkerProcess(FakeModels((recipe,)), name="models-1", limit_s=1)
    worker.start()
    yield worker
    worker.close()


def inspected(
    worker: WorkerProcess, recipe: Recipe, *, view: str | None = None, brightness: int = 255
) -> Assessment:
    frame = Frame(
        camera_id="top",
        seq=1,
        captured_at=datetime(2026, 11, 23, tzinfo=UTC),
        captured_ns=0,
        bgr=np.full((60, 80, 3), brightness, dtype=np.uint8),
    )
    return worker.inspect(frame, recipe=recipe, view=view, context=CONTEXT)


def renewed(worker: WorkerProcess) -> None:
    """Renew the worker, as the station does, and wait until its models are loaded."""
    await_that(lambda: worker.trouble() is not None)
    worker.renew()
    await_that(lambda: not worker._is_loading)


def test_the_process_judges_the_pixels_it_is_given(worker: WorkerProcess, recipe: Recipe):
    assert inspected(worker, recipe).verdict.decision is Decision.PASS
    assert inspected(worker, recipe, brightness=0).verdict.decision is Decision.FAIL
    assert worker.models == (LoadedModel(name="fake", kind="judge", sha256="0" * 64),)
    assert worker.pid != os.getpid()
    assert worker.trouble() is None


def test_models_that_raise_are_said_and_go_on(worker: WorkerProcess, recipe: Recipe):
    with pytest.raises(ModelError, match="ValueError: out of memory"):
        inspected(worker, recipe, view="raise")
    assert worker.trouble() is None
    assert inspected(worker, recipe).verdict.decision is Decision.PASS


@pytest.mark.parametrize(("mood", "said"), [("hang", "no answer within 1 s"), ("die", "ended")])
def test_models_that_hang_or_die_are_replaced(
    worker: WorkerProcess, recipe: Recipe, mood: str, said: str
):
    first = worker.pid
    with pytest.raises(ModelError, match=said):
        inspected(worker, recipe, view=mood)
    with pytest.raises(ModelError, match="being loaded again"):
        inspected(worker, recipe)
    renewed(worker)
    assert worker.pid != first
    assert first is not None
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert inspected(worker, recipe).verdict.decision is Decision.PASS


def test_a_failing_gpu_is_left_for_the_cpu(recipe: Recipe):
    worker = WorkerProcess(FakeModels((recipe,), has_gpu=True), name="models-1", limit_s=5)
    worker.start()
    try:
        assert worker.on_gpu
        assert inspected(worker, recipe, view="gpu").verdict.reason is Reason.MODEL_FAILED
        assert "device lost" in (worker.trouble() or "")
        renewed(worker)
        assert not worker.on_gpu
        assert inspected(worker, recipe, view="gpu").verdict.decision is Decision.PASS
    finally:
        worker.close()


def test_models_that_fail_on_the_cpu_are_not_restarted_for_it(
    worker: WorkerProcess, recipe: Recipe
):
    assert inspected(worker, recipe, view="fail").verdict.reason is Reason.MODEL_FAILED
    assert worker.trouble() is None


def test_what_keeps_the_models_from_loading_is_said_as_it_is(recipe: Recipe):
    worker = WorkerProcess(
        FakeModels((recipe,), mistakes=("a.yaml:1: one", "a.yaml:2: two")), name="m", limit_s=5
    )
    with pytest.raises(SettingsError) as refused:
        worker.start()
    assert refused.value.mistakes == ("a.yaml:1: one", "a.yaml:2: two")


def test_the_process_ends_with_the_station(recipe: Recipe, tmp_path: Path):
    said = tmp_path / "pid"
    station = os.fork()
    if station == 0:
        try:
            worker = WorkerProcess(FakeModels((recipe,)), name="models-1", limit_s=5)
            worker.start()
            said.write_text(str(worker.pid))
            time.sleep(60)
        finally:
            os._exit(1)
    await_that(lambda: said.is_file() and said.read_text() != "", within_s=60)
    pid = int(said.read_text())
    os.kill(station, signal.SIGKILL)
    os.waitpid(station, 0)

    def is_gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
        except OSError:
            return True

    await_that(is_gone)
