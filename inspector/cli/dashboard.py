"""Start the dashboard: Streamlit as a process of its own, on this machine's loopback only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dashboard
from dashboard.data import DATABASE_VARIABLE, RECORDS_VARIABLE
from dashboard.theme import STREAMLIT_OPTIONS
from inspector.errors import InspectorError, PortInUse
from inspector.storage.database import check

HOST = "127.0.0.1"
# A page of the internet whose name was made to point here is refused (DNS rebinding).
ALLOWED_HOSTS = (HOST, "localhost")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0

OPTIONS = {
    "server.address": HOST,
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "server.enableStaticServing": "false",
    "browser.serverAddress": HOST,
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "logger.level": "warning",
    "logger.hideWelcomeMessage": "true",
    **STREAMLIT_OPTIONS,
}


def serve(*, url: str, records: Path, port: int) -> int:
    """Show the dashboard until it is interrupted, and return the exit code 0.

    `records` is the station's record folder. Raises `NotMigrated`, `StorageError`, `PortInUse`.
    """
    check(url)
    try:
        with _running(url=url, records=records, port=_require_free(port)) as process:
            print(f"dashboard: {_address(port)}  (Ctrl-C ends it)", flush=True)
            code = process.wait()
    except KeyboardInterrupt:
        return 0
    raise InspectorError(f"expected the dashboard to run, found it ended with exit code {code}")


@contextmanager
def dashboard_process(*, url: str, records: Path, port: int | None = None) -> Iterator[str]:
    """Give the address of a dashboard that answers; it ends with the block.

    Where `port` is None a free one is taken. The database need not be there yet: the pages say what
    is missing until it is. Raises `PortInUse`.
    """
    chosen = _free_port() if port is None else _require_free(port)
    with _running(url=url, records=records, port=chosen):
        yield _address(chosen)


@contextmanager
def _running(*, url: str, records: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    app = Path(dashboard.__file__).parent / "app.py"
    options = [f"--{key}={value}" for key, value in {**OPTIONS, "server.port": port}.items()]
    options += [f"--server.allowedHosts={host}" for host in ALLOWED_HOSTS]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(app), *options],
        env={
            **os.environ,
            DATABASE_VARIABLE: url,
            RECORDS_VARIABLE: str(records),
            # pages import the package that is running now, installed or not
            "PYTHONPATH": os.pathsep.join(
                [str(app.parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
            ),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches the parent alone, which ends this in order
    )
    try:
        _wait_until_it_answers(process, _address(port))
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _require_free(port: int) -> int:
    with socket.socket() as probe:
        # a port that a dashboard just gave back is free, whatever its last connections do
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as exc:
            raise PortInUse(
                f"expected port {port} of {HOST} to be free, found {exc.strerror!r}; "
                "end the other program, or choose another with --port"
            ) from exc
    return port


def _address(port: int) -> str:
    return f"http://{HOST}:{port}"


def _wait_until_it_answers(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if (code := process.poll()) is not None:
            raise InspectorError(
                f"expected the dashboard to start, found it ended with exit code {code}; "
                "its last words are above"
            )
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise InspectorError(
        f"expected the dashboard to answer within {START_TIMEOUT_S:.0f} s, found it silent"
    )
