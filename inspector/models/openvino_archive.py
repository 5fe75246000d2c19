"""The `.ovz` file: a model of OpenVINO in one file, so that one hash covers graph and weights."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from inspector.errors import ModelError

_GRAPH, _WEIGHTS = "model.xml", "model.bin"
# The zip format's first day: a file must not differ because it was made later.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def archived(openvino: Any, model: Any, *, in_fp16: bool) -> bytes:
    """Return the file's content for an `openvino.Model`; floats are stored in fp16 if asked."""
    with tempfile.TemporaryDirectory(prefix="inspector-export-") as name:
        openvino.save_model(model, Path(name) / _GRAPH, compress_to_fp16=in_fp16)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for member in (_GRAPH, _WEIGHTS):
                entry = zipfile.ZipInfo(member, date_time=_ZIP_EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, (Path(name) / member).read_bytes())
    return packed.getvalue()


def opened(openvino: Any, content: bytes) -> Any:
    """Return the `openvino.Model` of a file's content; raise `ModelError` where it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            graph, weights = packed.read(_GRAPH), packed.read(_WEIGHTS)
        return openvino.Core().read_model(graph, weights)
    except (RuntimeError, zipfile.BadZipFile, KeyError) as exc:
        raise ModelError(f"OpenVINO cannot load the export: {exc}; export again") from exc


def has_bfloat16(openvino: Any) -> bool:
    """Return whether the processor computes bfloat16 natively."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def compiled(openvino: Any, model: Any, *, in_bfloat16: bool, threads: int | None) -> Any:
    """Return an infer request on the CPU for a model, for one request at a time.

    Raises `ModelError` where OpenVINO refuses the model.
    """
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "bf16" if in_bfloat16 else "f32",
        # A station's threads share cores with its cameras; pinned ones would wait for them.
        "ENABLE_CPU_PINNING": False,
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    try:
        return openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    except RuntimeError as exc:
        raise ModelError(f"OpenVINO cannot load the export: {exc}; export again") from exc
