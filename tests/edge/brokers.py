"""Mosquitto for tests that need more of a broker than rumqttd has."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
OPENSSL = shutil.which("openssl")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def mosquitto(folder: Path, *more: str, at_port: int | None = None) -> Iterator[int]:
    port = at_port or free_port()
    owner = ("user root",) if os.geteuid() == 0 else ()
    rules = more or ("allow_anonymous true",)
    lines = (*owner, f"listener {port} 127.0.0.1", *rules)
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    assert MOSQUITTO is not None
    process = subprocess.Popen(
        [MOSQUITTO, "-c", folder / "mosquitto.conf"], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(500):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            threading.Event().wait(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


class Certificates:
    """An authority, and certificates signed by it, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.crt"
        _openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca",
            "-keyout", folder / "ca.key", "-out", self.ca,
        )  # fmt: skip

    def signed(self, name: str, *, days: int = 2) -> tuple[Path, Path]:
        """Return certificate and key of `name`; negative days: it has expired."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        certificate = self.folder / f"{name}.crt"
        _openssl(
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", request,
        )  # fmt: skip
        extensions = self.folder / "san.cnf"
        extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key",
            "-CAcreateserial", "-days", days, "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        return certificate, key


def _openssl(*arguments: object) -> None:
    assert OPENSSL is not None
    subprocess.run(
        [OPENSSL, *map(str, arguments)], check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
