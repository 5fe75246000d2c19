"""What a station says of itself: state, sign of life, health."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from edge import messages
from edge.mqtt import Link, Message
from edge.tickets import Tally
from edge.units import NS_PER_S

log = logging.getLogger(__name__)

HEALTH_EVERY = 10  # heartbeats


class Presence:
    """Publishes on the line's link while it is up. One thread, except `forget`."""

    def __init__(self, *, link: Link, base: str, boot: str) -> None:
        self._link = link
        self._base = base
        self._boot = boot
        self._started_ns = time.monotonic_ns()
        self._told: tuple[str, str] | None = None
        self._beats = 0

    def forget(self) -> None:
        """Have the state told again: a new connection may be to a broker that knows nothing."""
        self._told = None

    def tell_state(self, state: str, detail: str) -> None:
        """Publish the state, retained, where it is not what was told last."""
        if self._told == (state, detail):
            return
        log.info("%s: %s", self._base, f"{state} ({detail})" if detail else state)
        message = state_message(self._base, self._boot, online=1, state=state, detail=detail)
        self._told = (state, detail) if self._link.publish(message) is not None else None

    def beat(self, state: str) -> bool:
        """Publish a sign of life; return whether health is due, too."""
        self._tell(messages.HEARTBEAT, messages.Heartbeat(seq=self._beats, state=state, ts=_now()))
        self._beats += 1
        return self._beats % HEALTH_EVERY == 1

    def tell_health(
        self,
        tally: Tally,
        *,
        unrecorded: int,
        retained_dropped: int,
        free_mb: int,
        acknowledged: int,
        unheard: int,
        refused: int,
        outbox: int,
        outbox_age_s: int,
        restarts: int,
        bad_commands: int,
    ) -> None:
        """Publish the counters."""
        self._tell(
            messages.HEALTH,
            messages.Health(
                received=tally.received,
                passed=tally.passed,
                failed=tally.failed,
                held=tally.held,
                rejected=tally.rejected,
                duplicates=tally.duplicates,
                malformed=tally.malformed,
                open=tally.open,
                unsent=tally.unsent,
                unrecorded=unrecorded,
                retained_dropped=retained_dropped,
                free_mb=free_mb,
                acknowledged=acknowledged,
                unheard=unheard,
                refused=refused,
                outbox=outbox,
                outbox_age_s=outbox_age_s,
                restarts=restarts,
                bad_commands=bad_commands,
                uptime_s=(time.monotonic_ns() - self._started_ns) // NS_PER_S,
                ts=_now(),
            ),
        )

    def _tell(self, topic: str, payload: messages.Payload) -> None:
        self._link.publish(Message(topic=f"{self._base}/{topic}", payload=messages.encode(payload)))


def state_message(base: str, boot: str, *, online: int, state: str, detail: str) -> Message:
    """Return the retained message of a state; `online` 0 is the last will and the farewell."""
    return Message(
        topic=f"{base}/{messages.STATE}",
        payload=messages.encode(
            messages.State(
                online=online,
                state=state,
                detail=messages.shortened(detail),
                boot=boot,
                ts=_now(),
            )
        ),
        retain=True,
    )


def _now() -> str:
    return messages.timestamp(datetime.now(UTC))
