"""Proof that the broker lets this station speak and hear, before it says that it is ready.

A broker may grant a subscription and never deliver (Mosquitto 2.0 says "granted" to what its access
list denies), and on MQTT 3.1.1 a refused publication looks like a good one. So the station writes a
word to itself where triggers come from and where answers go, and waits for both. The latter is
retained, so that the next connection shows whether the broker keeps what it should.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from uuid import uuid4

from edge import messages
from edge.mqtt import Arrival, Link, Message
from edge.units import NS_PER_S

log = logging.getLogger(__name__)

RETRY_S = 5.0
PLACES = (messages.SELFTEST_IN, messages.SELFTEST_OUT)


class SelfTest:
    """Runs anew for each connection. One thread steps, another hears."""

    def __init__(
        self,
        *,
        answers: Link,
        line: Link,
        base: str,
        is_needed: bool = True,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Words go out where answers do, and are heard where triggers are."""
        self._answers = answers
        self._line = line
        self._base = base
        self._is_needed = is_needed
        self._clock_ns = clock_ns
        self._connections: tuple[int, int] | None = None
        self._nonce = ""
        self._said_ns = 0
        self._tries = 0
        self._has_news = False
        self._proved = ""  # the last word that was heard at both places
        self._left = ""  # the one that the broker should have kept for this connection
        self._kept = ""
        self._has_forgotten = False
        self._missing: frozenset[str] = frozenset(PLACES)

    def step(self) -> None:
        """Say the word, where it has to be said (again)."""
        if not self._is_needed or not (self._answers.is_up and self._line.is_up):
            return
        connections = (self._answers.reconnects, self._line.reconnects)
        if connections != self._connections:
            is_new_line = self._connections is None or self._connections[1] != connections[1]
            self._left = self._proved if is_new_line else ""
            self._connections, self._tries = connections, 0
            self._say()
        elif self._missing and self._clock_ns() - self._said_ns > RETRY_S * NS_PER_S:
            self._say()

    def why_not(self) -> str | None:
        """Return why the station may not be ready, None where both ways are proved."""
        if not self._is_needed:
            return None
        connections = (self._answers.reconnects, self._line.reconnects)
        if connections == self._connections and not self._missing:
            return None
        if self._tries < 2:
            return "self-test under way"
        places = " and ".join(f"{self._base}/{place}" for place in sorted(self._missing))
        return (
            f"self-test: nothing comes back from {places}; let the station write and read there "
            "in the broker's access list"
        )

    def hear(self, arrival: Arrival) -> None:
        """Take what arrived at a place of the self-test; what another wrote proves nothing."""
        nonce = messages.decode(messages.SelfTest, arrival.payload).nonce
        if arrival.retained:
            self._kept = nonce
        elif nonce == self._nonce and self._missing:
            self._missing -= {arrival.topic.removeprefix(f"{self._base}/")}
            if not self._missing:
                self._has_news = True
                self._has_forgotten = self._left not in {"", self._kept}
                self._proved = nonce

    def has_passed_anew(self) -> bool:
        """Return whether the last word came since this was asked."""
        news, self._has_news = self._has_news, False
        return news

    def why_forgetful(self) -> str | None:
        """Return what was found of a broker that forgot, once; None where there is no news."""
        has_forgotten, self._has_forgotten = self._has_forgotten, False
        if not has_forgotten:
            return None
        return (
            "expected the broker to keep retained messages through its restart, found them gone; "
            "switch its persistence on, and have the MES ask for what it lacks (cmd/replay)"
        )

    def _say(self) -> None:
        self._nonce = uuid4().hex
        self._missing = frozenset(PLACES)
        self._said_ns = self._clock_ns()
        self._tries += 1
        if self._tries > 1:
            log.warning("%s", self.why_not())
        payload = messages.encode(messages.SelfTest(nonce=self._nonce))
        for place in PLACES:
            message = Message(
                topic=f"{self._base}/{place}",
                payload=payload,
                retain=place == messages.SELFTEST_OUT,
            )
            self._answers.publish(message)
