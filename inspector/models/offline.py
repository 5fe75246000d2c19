"""Keep the vendors from fetching, installing, printing and leaving files behind.

Call `keep_offline` before the first import of a vendor: most of them read the environment once.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache

# Forced, not defaulted: a station never fetches or installs, whatever its shell was set to.
_FORCED = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",  # ultralytics logs to stdout, which belongs to machine output
    "ULTRALYTICS_SAFE_LOAD": "true",
}
# OpenVINO reports each import to Google Analytics, and NNCF each quantisation, unless this package,
# which comes with them, cannot be imported. They have no switch for it.
_TELEMETRY = "openvino_telemetry"


@cache
def keep_offline() -> None:
    """Set the vendors' switches in this process and in those it starts."""
    os.environ.update(_FORCED)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # Python's own way to forbid it
    if "YOLO_CONFIG_DIR" not in os.environ:
        os.environ["YOLO_CONFIG_DIR"] = _throw_away_folder().name


@cache
def import_ultralytics() -> None:
    """Import ultralytics with its switches set and without its side effect on other vendors."""
    keep_offline()
    had_thread_count = "OMP_NUM_THREADS" in os.environ
    import torch  # noqa: F401  (its thread pool is sized here, before the line below changes it)
    import ultralytics  # noqa: F401

    if not had_thread_count:
        # ultralytics sets 1, which would slow every later library and child process.
        os.environ.pop("OMP_NUM_THREADS", None)


@cache
def _throw_away_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for the settings file that ultralytics writes; gone when the process ends.

    Its usual place, the home folder, may be read-only or missing for a service account.
    """
    return tempfile.TemporaryDirectory(prefix="inspector-vendor-")
