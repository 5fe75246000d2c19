"""Signs of life for systemd (sd_notify): ready, what it does, and the watchdog.

See systemd's sd_notify(3): datagrams to the socket named in NOTIFY_SOCKET. Without one, as in a
terminal, nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping


class ServiceManager:
    """Where this process was started as a service, tells how it is."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # a leading @ stands for the abstract namespace
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self) -> None:
        """Say that the start is over."""
        self._tell("READY=1")

    def alive(self, status: str) -> None:
        """Feed the watchdog and say what `systemctl status` shows."""
        self._tell(f"WATCHDOG=1\nSTATUS={' '.join(status.split())}")

    def stopping(self) -> None:
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),  # a manager that is gone stops no station
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
        ):
            channel.setblocking(False)
            channel.sendto(message.encode(), self._address)
