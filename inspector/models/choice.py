"""Which engine a detector runs on.

`auto` takes, with a CUDA device, TensorRT where the model has an export that passed the parity
gate, else PyTorch in half precision; without one, the fastest of PyTorch and the CPU exports that
passed. Which is fastest is measured once and remembered in the user's cache folder by processor,
threads, weights, exports and versions. An unwritable cache costs a new measurement, no more.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np

from inspector.errors import ModelError
from inspector.models import engines, shelf
from inspector.models.engines import ENGINES, Engine, PyTorchEngine
from inspector.models.shelf import DetectorDescription, Export

PYTORCH = "pytorch"
WARM_UP, REPETITIONS = 2, 12

_lock = threading.Lock()
_remembered: dict[str, str] = {}


def engine_for(
    folder: Path, description: DetectorDescription, *, wanted: str, threads: int | None
) -> Engine:
    """Return the engine `wanted` (auto, or its name) for the model in `folder`, ready to run.

    The caller has compared the hash of the weights. Raises `ModelError` where the engine is not
    known, not installed, or the model has no export for it.
    """
    if wanted == "auto":
        return _automatic(folder, description, threads=threads)
    if wanted not in ENGINES:
        raise ModelError(f"expected an engine of auto, {', '.join(ENGINES)}, got {wanted!r}")
    if wanted == PYTORCH:
        return _pytorch(folder, description, threads=threads)
    mine = [export for export in description.exports if export.engine == wanted]
    if not mine:
        raise ModelError(
            f"{description.name}: expected an export for {wanted} that passed the parity gate, "
            f"found none; make one: inspector export detector --engine {wanted}"
        )
    # Of several precisions the lowest: that is why somebody made it.
    order = ("int8", "fp16", "fp32")
    return load_export(folder, min(mine, key=lambda e: order.index(e.precision)), threads=threads)


def load_export(folder: Path, export: Export, *, threads: int | None) -> Engine:
    """Return the engine of `export`, its file verified: the bytes compared are those loaded."""
    content = shelf.verified_content(folder / export.file, export.sha256)
    return engines.exported_engine(
        export.engine, content, precision=export.precision, threads=threads
    )


def usable_exports(description: DetectorDescription) -> tuple[Export, ...]:
    """Return the exports for whose engine this machine has the package and the device."""
    return tuple(
        export
        for export in description.exports
        if engines.is_installed(export.engine)
        and (export.engine != "tensorrt" or engines.has_cuda())
    )


def named(export: Export) -> str:
    """Return the name by which an export is chosen and shown: "openvino int8"."""
    return f"{export.engine} {export.precision}"


def _automatic(folder: Path, description: DetectorDescription, *, threads: int | None) -> Engine:
    exports = {named(export): export for export in usable_exports(description)}
    if engines.has_cuda():
        for export in exports.values():
            if export.engine == "tensorrt":
                return load_export(folder, export, threads=threads)
        exports = {}
    chosen = _fastest(folder, description, exports, threads=threads)
    if chosen == PYTORCH:
        return _pytorch(folder, description, threads=threads)
    return load_export(folder, exports[chosen], threads=threads)


def _pytorch(folder: Path, description: DetectorDescription, *, threads: int | None) -> Engine:
    return PyTorchEngine(
        description,
        folder / description.file,
        threads=threads,
        device="cuda:0" if engines.has_cuda() else "cpu",
    )


def _fastest(
    folder: Path,
    description: DetectorDescription,
    exports: Mapping[str, Export],
    *,
    threads: int | None,
) -> str:
    """Return the name of the fastest; all workers of a process get the same answer."""
    if not exports:
        return PYTORCH
    circumstances = _circumstances(description, exports, threads=threads)
    key = hashlib.sha256(json.dumps(circumstances, sort_keys=True).encode()).hexdigest()
    with _lock:
        known = _remembered.get(key) or _recalled(key)
        if known is None or known not in (PYTORCH, *exports):
            spent_ms = _measured(folder, description, exports, threads=threads)
            known = min(spent_ms, key=spent_ms.__getitem__)
            _remember(key, {"chosen": known, "ms": spent_ms, "measured_with": circumstances})
        _remembered[key] = known
        return known


def _measured(
    folder: Path,
    description: DetectorDescription,
    exports: Mapping[str, Export],
    *,
    threads: int | None,
) -> dict[str, float]:
    """Return the least ms per picture of each engine; they take turns, so load slows all alike."""
    runners: dict[str, Engine] = {PYTORCH: _pytorch(folder, description, threads=threads)}
    for name, export in exports.items():
        runners[name] = load_export(folder, export, threads=threads)
    size = description.input_px
    planes = np.random.default_rng(0).integers(0, 256, (1, 3, size, size), dtype=np.uint8)
    spent_ms: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(WARM_UP + REPETITIONS):
        for name, runner in runners.items():
            start = time.perf_counter_ns()
            runner.predictions(planes)
            spent_ms[name].append((time.perf_counter_ns() - start) / 1e6)
    return {name: round(min(spent[WARM_UP:]), 3) for name, spent in spent_ms.items()}


def _circumstances(
    description: DetectorDescription, exports: Mapping[str, Export], *, threads: int | None
) -> dict[str, object]:
    packages = {engines.PACKAGES[export.engine] for export in exports.values()} | {
        engines.PACKAGES["pytorch"]
    }
    return {
        "cpu": cpu_model(),
        "threads": threads or os.cpu_count(),
        "model_sha256": description.sha256,
        "exports": {name: export.sha256 for name, export in exports.items()},
        "versions": {package: metadata.version(package) for package in sorted(packages)},
    }


def forget() -> None:
    """Drop what this process remembers; the cache folder stays."""
    with _lock:
        _remembered.clear()


def cpu_model() -> str:
    """Return the processor's name as the system gives it."""
    described = Path("/proc/cpuinfo")
    if described.is_file():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cache_folder() -> Path | None:
    """Return where choices are remembered, None where this user has no such place.

    `XDG_CACHE_HOME`, else `~/.cache`. A home folder that does not exist is not made.
    """
    place = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(place) if Path(place).is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # no home folder is known
        return None
    return base / "inspector" / "engines" if base.parent.is_dir() else None


def _recalled(key: str) -> str | None:
    folder = cache_folder()
    if folder is None:
        return None
    try:
        content = json.loads((folder / f"{key}.json").read_text())
    except (OSError, ValueError):
        return None
    chosen = content.get("chosen") if isinstance(content, dict) else None
    return chosen if isinstance(chosen, str) else None


def _remember(key: str, content: Mapping[str, object]) -> None:
    folder = cache_folder()
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{key}.{os.getpid()}.part"
        draft.write_text(json.dumps(content, indent=2) + "\n")
        draft.replace(folder / f"{key}.json")
    except OSError:
        return  # measured again next time
