"""Models in a process of their own.

A process, not a thread: what hangs in native code can only be ended by ending its process, a crash
there then takes no part of the station with it, memory that a model leaks comes back, and several
workers use several cores. The price is a copy of the picture (shared memory) and some 0.5 ms.

Where the worker used a GPU and failed, the next one starts without it: `engine: auto` then takes
the fastest engine for the CPU that passed its parity gate.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.shared_memory import SharedMemory
from typing import Protocol

import numpy as np

from edge.examination import InspectorLike
from inspector.domain import Assessment, Context, Frame, Reason
from inspector.errors import InspectorError, MessageError, ModelError, SettingsError
from inspector.settings import Recipe

log = logging.getLogger(__name__)

LOAD_WITHIN_S = 300.0
END_WITHIN_S = 2.0


class Loader(Protocol):
    """Loads the models of one worker; is pickled to its process."""

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes that it inspects by."""
        ...

    def load(self) -> InspectorLike:
        """Return what inspects; raise an `InspectorError`."""
        ...

    def models(self, inspector: InspectorLike) -> tuple[LoadedModel, ...]:
        """Return which models were loaded."""
        ...

    def uses_gpu(self) -> bool:
        """Return whether they run on a GPU; asked after `load`, in its process."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that judges from now on."""

    name: str
    kind: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    models: tuple[LoadedModel, ...]
    on_gpu: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    """An error on its way to the station: what cannot be pickled is said in words."""

    said: str
    mistakes: tuple[str, ...] = ()
    error: InspectorError | None = None

    @classmethod
    def of(cls, exc: Exception) -> _Failed:
        if isinstance(exc, SettingsError):
            return cls(said=str(exc), mistakes=exc.mistakes)
        if isinstance(exc, InspectorError) and not isinstance(exc, MessageError):
            return cls(said=str(exc), error=exc)
        return cls(said=f"{type(exc).__name__}: {exc}")

    def as_error(self) -> InspectorError:
        if self.mistakes:
            return SettingsError(self.mistakes)
        return self.error or ModelError(self.said)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    frame: Frame  # its pixels travel by shared memory
    shape: tuple[int, ...]
    dtype: str
    memory: str
    recipe: str
    view: str | None
    context: Context
    within_s: float | None


class WorkerProcess:
    """An `InspectorLike` in a process. One thread inspects, another may `renew`."""

    def __init__(self, loader: Loader, *, name: str, limit_s: float) -> None:
        """An inspection that takes longer than `limit_s` counts as hung."""
        self.name = name
        self.models: tuple[LoadedModel, ...] = ()
        self.on_gpu = False
        self._loader = loader
        self._limit_s = limit_s
        self._without_gpu = False
        self._lock = threading.Lock()
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._memory: SharedMemory | None = None
        self._trouble: str | None = None
        self._is_loading = False
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """The process, None where there is none now."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Start the process and wait until its models are loaded; raise what `load` raises."""
        self._launch()
        self._await_models()

    def trouble(self) -> str | None:
        """Return why the process must be renewed, None where it need not."""
        with self._lock:
            process = self._process
            if self._trouble is None and process is not None and not process.is_alive():
                self._trouble = f"its process ended with {process.exitcode}"
            return None if self._is_loading or self._is_closed else self._trouble

    def renew(self) -> None:
        """End the process and start another one, which loads while the caller goes on."""
        with self._lock:
            if self.on_gpu and not self._without_gpu:
                self._without_gpu = True
                log.error("%s: goes on without the GPU: %s", self.name, self._trouble)
            self._is_loading = True
            self._trouble = None
        self._end()
        threading.Thread(target=self._reload, name=f"{self.name}-loading", daemon=True).start()

    def inspect(
        self,
        frame: Frame,
        *,
        recipe: Recipe,
        view: str | None,
        context: Context,
        within_s: float | None = None,
    ) -> Assessment:
        """Return what the process says of `frame`.

        Raises `ModelError` where it is being loaded, hangs or died; then it is to be renewed.
        """
        connection = self._connection
        if self._is_loading or self._trouble is not None or connection is None:
            raise ModelError(
                f"{self.name}: expected models that are loaded, found them being loaded again"
            )
        asked = self._asked(frame, recipe=recipe, view=view, context=context, within_s=within_s)
        try:
            connection.send(asked)
            if not connection.poll(self._limit_s):
                raise self._in_trouble(f"no answer within {self._limit_s:g} s")
            answer = connection.recv()
        except (EOFError, OSError) as exc:
            raise self._in_trouble(f"its process ended while it inspected ({exc!r})") from exc
        if isinstance(answer, Assessment):
            if self.on_gpu and answer.verdict.reason is Reason.MODEL_FAILED:
                self._in_trouble(answer.verdict.detail)
            return answer
        failed: _Failed = answer
        if self.on_gpu:
            self._in_trouble(failed.said)
        raise failed.as_error()

    def close(self) -> None:
        """End the process; harmless where there is none."""
        with self._lock:
            self._is_closed = True
        self._end()
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()
            memory.unlink()

    def _in_trouble(self, what: str) -> ModelError:
        with self._lock:
            self._trouble = what
        return ModelError(f"{self.name}: expected an inspection, found {what}")

    def _asked(
        self,
        frame: Frame,
        *,
        recipe: Recipe,
        view: str | None,
        context: Context,
        within_s: float | None,
    ) -> _Asked:
        pixels = frame.bgr
        if self._memory is None or self._memory.size < pixels.nbytes:
            if self._memory is not None:
                self._memory.close()
                self._memory.unlink()
            self._memory = SharedMemory(create=True, size=max(1, pixels.nbytes))
        shared = np.ndarray(pixels.shape, dtype=pixels.dtype, buffer=self._memory.buf)
        np.copyto(shared, pixels)
        del shared  # an array on it would keep the memory from being closed
        return _Asked(
            frame=replace(frame, bgr=np.zeros((1, 1, 3), dtype=pixels.dtype)),
            shape=pixels.shape,
            dtype=pixels.dtype.str,
            memory=self._memory.name,
            recipe=recipe.name,
            view=view,
            context=context,
            within_s=within_s,
        )

    def _launch(self) -> None:
        spawning = multiprocessing.get_context("spawn")  # a fork would copy locks that are held
        ours, theirs = spawning.Pipe()
        process = spawning.Process(
            target=_serve,
            args=(theirs, self._loader, self._without_gpu),
            name=self.name,
            daemon=True,
        )
        process.start()
        theirs.close()
        self._process, self._connection = process, ours

    def _await_models(self) -> None:
        connection = self._connection
        assert connection is not None
        try:
            answer = connection.recv() if connection.poll(LOAD_WITHIN_S) else None
        except (EOFError, OSError):
            answer = None
        if isinstance(answer, _Loaded):
            self.models, self.on_gpu = answer.models, answer.on_gpu
            return
        self._end()
        if isinstance(answer, _Failed):
            raise answer.as_error()
        raise ModelError(
            f"{self.name}: expected the models to load within {LOAD_WITHIN_S:.0f} s, found the "
            "process gone or silent; look at its messages above"
        )

    def _reload(self) -> None:
        failed: str | None = None
        try:
            self._launch()
            self._await_models()
        except (InspectorError, OSError) as exc:
            failed = f"the models could not be loaded: {exc}"
        with self._lock:
            self._trouble = failed
            self._is_loading = False
        if self._is_closed:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
        if process is not None:
            process.kill()  # it holds nothing that a kind word would save
            process.join(END_WITHIN_S)


def _serve(connection: Connection, loader: Loader, without_gpu: bool) -> None:
    """Inspect what is asked for until the station is gone: the body of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the station, which ends this
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_the_station, daemon=True).start()
    if without_gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        inspector = loader.load()
        loaded = _Loaded(models=loader.models(inspector), on_gpu=loader.uses_gpu())
    except Exception as exc:
        connection.send(_Failed.of(exc))
        return
    connection.send(loaded)
    recipes = {recipe.name: recipe for recipe in loader.recipes}
    memory: SharedMemory | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            asked: _Asked = connection.recv()
            if memory is None or memory.name != asked.memory:
                memory = SharedMemory(asked.memory)
            connection.send(_answer(inspector, asked, recipes[asked.recipe], memory))


def _answer(
    inspector: InspectorLike, asked: _Asked, recipe: Recipe, memory: SharedMemory
) -> Assessment | _Failed:
    pixels = np.ndarray(asked.shape, dtype=asked.dtype, buffer=memory.buf)
    pixels.flags.writeable = False
    try:
        return inspector.inspect(
            replace(asked.frame, bgr=pixels),
            recipe=recipe,
            view=asked.view,
            context=asked.context,
            within_s=asked.within_s,
        )
    except Exception as exc:
        log.exception("inspection failed")
        return _Failed.of(exc)


def _end_with_the_station() -> None:
    station = multiprocessing.parent_process()
    if station is not None:
        wait([station.sentinel])
        os._exit(1)
