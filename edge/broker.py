"""An MQTT broker for demonstrations and tests: rumqttd, from the wheel `iotcore`.

It listens on the loopback interface only, keeps nothing, knows no users and speaks MQTT 3.1.1. A
plant runs Mosquitto or its own broker.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from inspector.errors import BrokerError, PortInUse

HOST = "127.0.0.1"
# a record with hundreds of defects is larger than rumqttd's default of 20 kB, at which it hangs up
MAX_PAYLOAD_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBroker:
    """Where the broker listens."""

    port: int
    host: str = HOST


@contextmanager
def broker(port: int | None = None) -> Iterator[RunningBroker]:
    """Run a broker on `port`, or on a free one, while the context lasts.

    It is a child process that ends with this one, however this one ends. Raises `PortInUse` where
    `port` is taken and `BrokerError` where the broker does not start.
    """
    from iotcore import Broker

    chosen = _free_port() if port is None else port
    running = Broker(port=chosen, listen=HOST, max_payload_size=MAX_PAYLOAD_BYTES)
    try:
        running.start()
    except OSError as exc:
        raise PortInUse(
            f"expected port {chosen} of {HOST} to be free for the broker, found it in use; "
            "stop the program that has it or choose another port"
        ) from exc
    except RuntimeError as exc:
        raise BrokerError(f"expected the broker on port {chosen} to start: {exc}") from exc
    try:
        yield RunningBroker(port=chosen)
    finally:
        running.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
