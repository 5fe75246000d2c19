"""`inspector cameras list`, `test` and `snap`."""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from edge.cameras import LIVE_DRIVERS, camera_of, capture_of, found_by
from edge.capture import Capture, Shot
from edge.frame_truth import measure
from edge.latency_test import measure_latency
from edge.trigger_test import Taken, TriggerReport, run_trigger_test
from inspector import images
from inspector.domain import Verdict
from inspector.errors import CameraError, NoFrame
from inspector.settings import CameraSettings, load_recipe, load_station

UP_WITHIN_S = 30.0
SHOT_WITHIN_S = 30.0


def list_cameras(*, driver: str | None, producer: Path | None, as_json: bool) -> int:
    """Print what each driver sees; return 0, or 1 where the driver asked for is not there."""
    if driver is not None and driver not in LIVE_DRIVERS:
        raise typer.BadParameter(f"--driver: expected one of {', '.join(LIVE_DRIVERS)}")
    refused = False
    for name in LIVE_DRIVERS if driver is None else (driver,):
        options = {"producer": producer} if name == "genicam" and producer is not None else {}
        try:
            cameras = found_by(name, **options)
        except CameraError as exc:
            refused = True
            print(f"{name}: {exc}", file=sys.stderr)
            continue
        for camera in cameras:
            if as_json:
                print(json.dumps(asdict(camera)))
            else:
                print(f"driver: {camera.driver}, device: {camera.device!r}   # {camera.name}")
        if not cameras:
            print(f"{name}: no camera found", file=sys.stderr)
    return 1 if refused and driver is not None else 0


def test_camera(path: Path, *, camera_id: str | None, triggers: int, as_json: bool) -> int:
    """Fire a camera so often; return 0 where each trigger gave a frame of its own, else 1."""
    settings = _chosen(path, camera_id)
    if settings.trigger_by == "camera_line":
        raise typer.BadParameter(
            f"camera {settings.id} is fired by its own input; test it with trigger_by: mqtt, then "
            "send parts through the light barrier and look at their rows"
        )

    def show(taken: Taken) -> None:
        if as_json:
            print(json.dumps(asdict(taken)), flush=True)
        else:
            frame = "no frame" if taken.seq is None else f"frame {taken.seq}"
            print(f"{taken.number:4}  {frame:12} {taken.wait_ms:8.1f} ms  {taken.detail}".rstrip())

    with _opened(settings) as capture:
        report = run_trigger_test(
            capture,
            _shots(settings, triggers),
            timeout_s=SHOT_WITHIN_S,
            expects_noise=settings.expects_noise,
            on_taken=show,
        )
    print(_line(report, as_json=as_json), flush=True)
    return 0 if report.is_good else 1


def test_latency(path: Path, *, camera_id: str | None, changes: int, as_json: bool) -> int:
    """Measure how late the frames of a camera that runs by itself come; print the bound."""
    settings = _chosen(path, camera_id)
    if settings.trigger_by == "camera_line":
        raise typer.BadParameter(
            f"camera {settings.id} is fired by its own input; measure it with trigger_by: mqtt "
            "and the camera running by itself"
        )

    def tell(number: int, wait_ms: float) -> None:
        if as_json:
            print(json.dumps({"number": number, "wait_ms": wait_ms}), flush=True)
        else:
            print(f"{number:4}  {wait_ms:8.1f} ms", flush=True)

    # a camera without a bound is refused; this one is for the measurement alone
    bounded = settings.model_copy(update={"latency_bound_ms": settings.latency_bound_ms or 5000})
    with _opened(bounded) as capture:
        try:
            report = measure_latency(
                settings.id,
                capture.camera.slot,
                _show,
                changes=changes,
                timeout_s=SHOT_WITHIN_S,
                chance=random.Random(),
                on_change=tell,
            )
        finally:
            _show(False)
    if as_json:
        print(json.dumps({**asdict(report), "bound_ms": report.bound_ms}), flush=True)
    else:
        print(
            f"camera {report.camera_id}: {len(report.waits_ms)} changes, a frame came after "
            f"{report.median_ms:.0f} ms, at most {report.longest_ms:.0f} ms; "
            f"latency_bound_ms: {report.bound_ms}"
        )
    return 0


def _show(is_bright: bool) -> None:
    """Turn the whole terminal bright or dark (DECSCNM, which every emulator of a VT100 has)."""
    sys.stderr.write("\x1b[?5h" if is_bright else "\x1b[?5l")
    sys.stderr.flush()


def snap(
    path: Path,
    out: Path,
    *,
    camera_id: str | None,
    part_id: str | None,
    view: str | None,
    recipe_name: str | None,
) -> int:
    """Take one picture, write it, print its measures; return 1 where `recipe_name` refuses it.

    Raises `NoFrame` where no picture came.
    """
    settings = _chosen(path, camera_id)
    recipe = None if recipe_name is None else load_recipe(recipe_name)
    bit_depth = 8 if recipe is None else recipe.settings.bit_depth
    with _opened(settings) as capture:
        asked_at = datetime.now(UTC)
        found = capture.take(
            Shot(part_id=part_id, view=view, bit_depth=bit_depth), timeout_s=SHOT_WITHIN_S
        )
        if isinstance(found, Verdict):
            raise NoFrame(f"{found.reason}: {found.detail}")
        verdict = None if recipe is None else capture.check(found, recipe, view=view)
    try:
        out.write_bytes(images.encode_png(found.bgr))
    except OSError as exc:
        raise typer.BadParameter(f"{out}: expected a file to write: {exc.strerror}") from exc
    measures = measure(found.bgr)
    print(
        f"{out}: {found.bgr.shape[1]} x {found.bgr.shape[0]} px, "
        f"asked for at {asked_at:%H:%M:%S.%f}, dated {found.captured_at:%H:%M:%S.%f} UTC "
        "(by the camera's clock where it has one, else when it came)\n"
        f"sharpness {measures.sharpness:.4g}, light share {measures.light_share:.4f}, "
        f"white share {measures.white_share:.4f}"
    )
    if verdict is not None:
        print(f"{verdict.decision} {verdict.reason}: {verdict.detail}")
    return 0 if verdict is None else 1


def _chosen(path: Path, camera_id: str | None) -> CameraSettings:
    cameras = load_station(path).cameras
    for camera in cameras:
        if camera_id in (None, camera.id):
            return camera
    known = ", ".join(camera.id for camera in cameras)
    raise typer.BadParameter(f"--camera: expected one of {known}, found {camera_id!r}")


@contextmanager
def _opened(settings: CameraSettings) -> Iterator[Capture]:
    camera = camera_of(settings)
    camera.open()
    try:
        camera.require(UP_WITHIN_S)
        yield capture_of(settings, camera)
    finally:
        camera.close()


def _shots(settings: CameraSettings, triggers: int) -> tuple[Shot, ...]:
    """Return a shot for each trigger; those of a folder ask for the pictures there, in turn."""
    if settings.folder is None:
        return (Shot(part_id=None, view=None),) * triggers
    parts = sorted({path.stem for path in settings.folder.iterdir() if path.is_file()})
    return tuple(
        Shot(part_id=part, view=None)
        for part in itertools.islice(itertools.cycle(parts or [""]), triggers)
    )


def _line(report: TriggerReport, *, as_json: bool) -> str:
    if as_json:
        return json.dumps({**asdict(report), "is_good": report.is_good})
    text = (
        f"camera {report.camera_id}: {report.triggers} triggers, {report.frames} frames, "
        f"{report.distinct} distinct, {report.skipped} skipped, {report.broken} broken"
    )
    if report.median_ms is not None and report.longest_ms is not None:
        text += f"; a frame took {report.median_ms:.0f} ms, at most {report.longest_ms:.0f} ms"
    return text
