"""What the proof asks the operating system about processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from inspector.errors import InspectorError


def require_proc() -> None:
    """Raise where this system shows no processes under /proc."""
    if not Path("/proc/self/status").is_file():
        raise InspectorError("expected Linux with /proc, found another system; prove needs it")


def children(pid: int) -> tuple[int, ...]:
    """Return the processes that `pid` started and that still are."""
    with contextlib.suppress(OSError):
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return tuple(int(child) for child in found)
    return ()


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process, 0 where it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
    return 0.0


def end(process: subprocess.Popen[bytes] | None) -> None:
    """Kill a process and its group, stopped or not."""
    if process is None or process.poll() is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGCONT)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def listens(port: int, *, within_s: float) -> bool:
    """Return whether somebody accepts connections on a loopback port within that time."""
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.05)
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def said_by(*command: str) -> str:
    """Return the first line a program prints, "" where it cannot be run."""
    with contextlib.suppress(OSError):
        found = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, cwd="/"
        )
        return next(iter((found.stdout or found.stderr).splitlines()), "")
    return ""
