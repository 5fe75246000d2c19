"""The composition root: `StationSettings` to `Station`.

What may fail first comes first: settings, folder, database, models. Cameras and the broker, which
others can see, come last, in `Station.run`.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from edge.alarm_desk import AlarmDesk
from edge.cameras import camera_of
from edge.examination import InspectorLike
from edge.mqtt import Link
from edge.station import Station
from edge.worker import LoadedModel, WorkerProcess
from inspector import images
from inspector.errors import InspectorError, SettingsError, StorageError
from inspector.pipeline import Inspector
from inspector.settings import Recipe, StationSettings, load_recipe
from inspector.settings_file import Location
from inspector.storage.database import open_database
from inspector.storage.files import Pictures
from inspector.storage.spool import Spool
from inspector.storage.store import Store

IN_A_FILE = re.compile(r"\S+\.ya?ml:\d+: ")
CAMERA_WITHIN_S = 10.0
MakeInspector = Callable[[tuple[Recipe, ...]], InspectorLike]


@contextmanager
def build(
    settings: StationSettings, *, make_inspector: MakeInspector | None = None
) -> Iterator[Station]:
    """Give the station of `settings`, ready to run; let its records go at the end.

    `make_inspector` is called once for each worker, since models are not shared between threads;
    the real models where it is left out. Raises an `InspectorError` that says what to put right.
    """
    recipes = _recipes(settings)
    with _owned(settings.records):
        database = open_database(settings.database)
        store = Store(database)
        if make_inspector is None:
            make = _in_processes(settings, recipes, store=store)
        else:
            make = partial(make_inspector, recipes)
        try:
            spool = Spool(settings.records / "spool")
            pictures = Pictures(settings.records / "pictures")
            pictures.clear_partial()
            yield Station(
                settings,
                recipes=recipes,
                cameras=tuple(camera_of(camera) for camera in settings.cameras),
                make_inspector=make,
                store=store,
                spool=spool,
                pictures=pictures,
                desk=AlarmDesk(settings, database=database),
            )
        finally:
            database.close()


def check(
    settings: StationSettings,
    *,
    placed: Callable[[Location, str], str] = lambda _at, what: what,
    make_inspector: MakeInspector | None = None,
) -> tuple[str, ...]:
    """Return what stands in the way of running `settings`, one line each; load and open all.

    `placed` says where in the station's file a key stands: `SettingsFile.mistake`.
    """
    mistakes: list[str] = []
    recipes: tuple[Recipe, ...] = ()

    def load_recipes() -> None:
        nonlocal recipes
        recipes = _recipes(settings)

    def load_models() -> None:
        if recipes:
            if make_inspector is None:
                RealModels(recipes=recipes, threads=settings.torch_threads).load()
            else:
                make_inspector(recipes)

    def open_records() -> None:
        Spool(settings.records / "spool")
        Pictures(settings.records / "pictures")

    def open_cameras() -> None:
        for camera in map(camera_of, settings.cameras):
            camera.open()
            try:
                camera.require(CAMERA_WITHIN_S)
            finally:
                camera.close()

    def reach_broker() -> None:
        link = Link(settings.mqtt, client_id=f"{settings.station_id}-check")
        try:
            link.start()
        finally:
            link.stop()

    steps: tuple[tuple[Location, Callable[[], None]], ...] = (
        (("recipes",), load_recipes),
        (("records",), open_records),
        (("database",), lambda: open_database(settings.database).close()),
        (("recipes",), load_models),
        (("cameras",), open_cameras),
        (("mqtt",), reach_broker),
    )
    for at, step in steps:
        try:
            step()
        except SettingsError as exc:
            mistakes.extend(
                # what a recipe's own file says wrong is placed there
                what if IN_A_FILE.match(what) else placed(at, what)
                for what in exc.mistakes
            )
        except InspectorError as exc:
            mistakes.append(placed(at, " ".join(str(exc).split())))
    return tuple(mistakes)


def _recipes(settings: StationSettings) -> tuple[Recipe, ...]:
    recipes: list[Recipe] = []
    mistakes: list[str] = []
    for name in settings.recipes:
        try:
            recipes.append(load_recipe(name))
        except SettingsError as exc:
            mistakes.extend(exc.mistakes)
    names = [recipe.name for recipe in recipes]
    mistakes.extend(
        f"recipes: expected each name once, found {name!r} twice"
        for name in sorted({name for name in names if names.count(name) > 1})
    )
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return tuple(recipes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealModels:
    """What a worker's process loads."""

    recipes: tuple[Recipe, ...]
    threads: int | None

    def load(self) -> Inspector:
        """Return the inspector of all recipes; raise an `InspectorError`."""
        from inspector.assembly import assemble  # loads vendors, which take seconds

        return assemble(self.recipes, threads=self.threads)

    def models(self, inspector: InspectorLike) -> tuple[LoadedModel, ...]:
        """Return which models judge from now on."""
        if not isinstance(inspector, Inspector):
            return ()
        return tuple(
            LoadedModel(name=name, kind=kind, sha256=model.sha256)
            for kind, models in (
                ("detector", inspector.models.detectors),
                ("judge", inspector.models.judges),
            )
            for name, model in models.items()
        )

    def uses_gpu(self) -> bool:
        from inspector.models.engines import has_cuda

        return has_cuda()


def _in_processes(
    settings: StationSettings, recipes: tuple[Recipe, ...], *, store: Store
) -> Callable[[], InspectorLike]:
    """Return what starts a worker with the real models, and notes in `store` which ones judge."""
    images.use_threads(1)  # the cores are the workers'
    numbers = itertools.count(1)

    def make() -> InspectorLike:
        worker = WorkerProcess(
            RealModels(recipes=recipes, threads=settings.torch_threads),
            name=f"models-{next(numbers)}",
            limit_s=settings.stuck_after_s,
        )
        worker.start()
        now = datetime.now(UTC)
        for model in worker.models:
            store.register_model(model.name, model.kind, model.sha256, now)
        return worker

    return make


@contextmanager
def _owned(records: Path) -> Iterator[None]:
    """Own the record folder: a second station there would take open tickets for interrupted."""
    lock = records / ".station"
    try:
        records.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as exc:
        raise StorageError(
            f"{records}: expected a folder to write to, found {exc.strerror!r}; "
            "correct records, or the folder's owner"
        ) from exc
    try:
        # released by the kernel, however the process ends
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise StorageError(
            f"{records}: expected no other station to use this folder, found one running; "
            "stop it or give each station its own records"
        ) from exc
    try:
        yield
    finally:
        os.close(descriptor)
