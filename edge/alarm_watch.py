"""Conditions that follow from the answers and from the clocks: what nobody else would notice."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from edge.alarms import Alarms
from edge.units import NS_PER_S
from inspector.alarm_settings import AlarmSettings
from inspector.alarms import AlarmState
from inspector.domain import Decision, Reason, Verdict

YIELD, IN_A_ROW = "yield_low", "failures_in_a_row"
# Parts that say nothing about the product: counting them would keep an alarm alive by itself.
_NO_PARTS = frozenset({Reason.ALARM_ACTIVE, Reason.STOPPING, Reason.OVERLOAD})


class AlarmWatch:
    """Looks at each answer, and at the clocks. Any thread may call."""

    def __init__(
        self,
        settings: AlarmSettings,
        *,
        alarms: Alarms,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._alarms = alarms
        self._clock_ns = clock_ns
        self._now = now
        self._lock = threading.Lock()
        self._passed: deque[bool] = deque(maxlen=settings.yield_parts)
        self._failures = 0
        self._bad_frames = 0
        self._offset_s: float | None = None

    def answered(self, verdict: Verdict) -> None:
        """Count what a part was told; call once for each ticket."""
        tell, reason = self._alarms.condition, verdict.reason
        tell("deadline_missed", reason is Reason.DEADLINE, verdict.detail)
        if reason is Reason.DEADLINE or reason in _NO_PARTS:
            return
        tell("model_failed", reason is Reason.MODEL_FAILED, verdict.detail)
        with self._lock:
            self._bad_frames = self._bad_frames + 1 if reason is Reason.BAD_FRAME else 0
            bad_frames = self._bad_frames
            self._passed.append(verdict.decision is Decision.PASS)
            if verdict.decision is Decision.FAIL:
                self._failures += 1
            elif verdict.decision is Decision.PASS:
                self._failures = 0
        tell(
            "bad_frames",
            bad_frames >= self._settings.bad_frames_limit,
            f"{bad_frames} parts in a row: {verdict.detail}",
        )
        self._tell_quality()

    def look(self) -> None:
        """Look at the clocks, and start counting anew where a person has seen an alarm.

        An alarm on the quality of the parts that pauses the line would never see a better part, so
        acknowledging it gives the line a new chance.
        """
        for name in (YIELD, IN_A_ROW):
            if self._alarms.state(name) is AlarmState.ACKED:
                with self._lock:
                    if name == YIELD:
                        self._passed.clear()
                    else:
                        self._failures = 0
                self._tell_quality()
        self._look_at_the_clock()

    def _tell_quality(self) -> None:
        settings = self._settings
        with self._lock:
            failures, passed, parts = self._failures, sum(self._passed), len(self._passed)
        limit = settings.failures_limit
        self._alarms.condition(IN_A_ROW, 0 < limit <= failures, f"{failures} parts in a row failed")
        is_low = parts == settings.yield_parts and passed < settings.yield_limit * parts
        self._alarms.condition(
            YIELD,
            is_low,
            f"{passed} of the last {parts} parts passed, expected {settings.yield_limit:.1%}",
        )

    def _look_at_the_clock(self) -> None:
        """Compare the clock of the day with the one that never steps."""
        offset_s = self._now().timestamp() - self._clock_ns() / NS_PER_S
        before_s, self._offset_s = self._offset_s, offset_s
        if before_s is None:
            return
        step_s = offset_s - before_s
        if abs(step_s) >= self._settings.clock_step_s:
            self._alarms.condition("clock_step", True, f"the clock jumped by {step_s:+.1f} s")
        self._alarms.condition("clock_step", False)
