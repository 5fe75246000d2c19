"""Watched by progress, not by life: a thread that runs and does nothing is found, too.

Each stage says when it takes up a piece of work and when it is done. A piece that takes longer than
the stage's limit is stuck; the main thread looks each second, so it is found within a second of the
limit. What is stuck is replaced, since a hung thread cannot be killed: the old thread is abandoned
and finds, if it ever wakes, that its turn is over. Restarts have a budget; beyond it the station is
FAULTED, with the cause.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.units import NS_PER_S

RESTARTS_MAX, RESTARTS_WITHIN_S = 5, 60.0

log = logging.getLogger(__name__)


class Stage:
    """The sign of work of one thread. That thread writes, any thread reads."""

    def __init__(
        self, name: str, *, limit_s: float, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self.name = name
        self.limit_s = limit_s
        self.done = 0
        self._clock_ns = clock_ns
        self._doing: tuple[int, str] | None = None  # since when and what, replaced as one

    @contextlib.contextmanager
    def work(self, what: str) -> Iterator[None]:
        """Say that `what` is being done; within another piece of work, what is done meanwhile."""
        around = self._doing
        self._doing = (self._clock_ns(), what)
        try:
            yield
            self.done += 1
        finally:
            self._doing = None if around is None else (self._clock_ns(), around[1])

    def stuck(self) -> Stuck | None:
        """Return what has taken longer than the limit, None where all goes on."""
        doing = self._doing
        if doing is None:
            return None
        since_ns, what = doing
        for_s = (self._clock_ns() - since_ns) / NS_PER_S
        return Stuck(what=what, for_s=for_s) if for_s > self.limit_s else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """A piece of work that does not end."""

    what: str
    for_s: float

    def __str__(self) -> str:
        return f"{self.what} has not ended for {self.for_s:.1f} s"


class Budget:
    """So many restarts within so long. One thread."""

    def __init__(
        self,
        *,
        limit: int = RESTARTS_MAX,
        within_s: float = RESTARTS_WITHIN_S,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._limit = limit
        self._within_ns = int(within_s * NS_PER_S)
        self._clock_ns = clock_ns
        self._spent: deque[int] = deque()

    def spend(self) -> bool:
        """Take one restart; return False where the budget is used up."""
        now_ns = self._clock_ns()
        while self._spent and now_ns - self._spent[0] > self._within_ns:
            self._spent.popleft()
        if len(self._spent) >= self._limit:
            return False
        self._spent.append(now_ns)
        return True


class Turn:
    """What the thread of a crew is given: its stage, and whether another has taken its place."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._has_ended = False

    def ended(self) -> bool:
        """Return whether another thread does this now."""
        return self._has_ended

    def end(self) -> None:
        self._has_ended = True

    def work(self, what: str) -> contextlib.AbstractContextManager[None]:
        """Say that `what` is being done."""
        return self.stage.work(what)


class Crew:
    """A thread that is replaced when it is stuck or dies; its body ends when its turn is over."""

    def __init__(
        self,
        name: str,
        body: Callable[[Turn], None],
        *,
        limit_s: float,
        on_replaced: Callable[[str], None] = lambda _cause: None,
        waits_for_others: bool = False,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`on_replaced` is told the cause, in the watching thread, before the next one starts.

        One that `waits_for_others` is replaced for ever where it is stuck: a database that hangs
        is not the station's failure.
        """
        self.name = name
        self._waits_for_others = waits_for_others
        self._body = body
        self._limit_s = limit_s
        self._on_replaced = on_replaced
        self._clock_ns = clock_ns
        self._turn: Turn | None = None
        self._thread: threading.Thread | None = None
        self._why_dead = ""
        self._is_finished = False

    @property
    def has_budget(self) -> bool:
        """Whether its replacements are counted: a thread that died is always the station's own."""
        return not self._waits_for_others or self._thread is None or not self._thread.is_alive()

    def start(self) -> None:
        turn = Turn(Stage(self.name, limit_s=self._limit_s, clock_ns=self._clock_ns))
        self._turn, self._why_dead, self._is_finished = turn, "", False
        self._thread = threading.Thread(
            target=self._guard, args=(turn,), name=self.name, daemon=True
        )
        self._thread.start()

    def trouble(self) -> str | None:
        """Return why the thread must be replaced, None where it need not."""
        if self._thread is None or self._turn is None or self._is_finished:
            return None
        if not self._thread.is_alive():
            return f"its thread ended: {self._why_dead or 'without an error'}"
        stuck = self._turn.stage.stuck()
        return None if stuck is None else str(stuck)

    def replace(self, cause: str) -> None:
        """Abandon the thread, whatever it does, and start another."""
        if self._turn is not None:
            self._turn.end()
        self._on_replaced(cause)
        self.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the end; a thread that hangs ends with the process."""
        if self._thread is not None:
            self._thread.join(max(0.0, timeout_s))

    def _guard(self, turn: Turn) -> None:
        try:
            self._body(turn)
            if not turn.ended():
                self._is_finished = True
        except Exception as exc:
            log.exception("thread %s ended", self.name)
            if not turn.ended():
                self._why_dead = f"{type(exc).__name__}: {exc}"


class Watched:
    """Something else that can fail and be renewed, such as a process or a connection."""

    def __init__(
        self,
        name: str,
        *,
        trouble: Callable[[], str | None],
        renew: Callable[[], None],
        has_budget: bool = True,
    ) -> None:
        """Without a budget it is renewed for ever: a broker's failure is not the station's."""
        self.name = name
        self.has_budget = has_budget
        self.trouble = trouble
        self._renew = renew

    def replace(self, _cause: str) -> None:
        self._renew()


class Supervisor:
    """Looks after crews and others, within a budget for each. One thread."""

    def __init__(
        self,
        *,
        on_restart: Callable[[str, str], None],
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`on_restart` is told who and why, before it happens."""
        self._on_restart = on_restart
        self._clock_ns = clock_ns
        self._watched: list[Crew | Watched] = []
        self._budgets: dict[str, Budget] = {}
        self.restarts: dict[str, int] = {}

    def watch(self, what: Crew | Watched) -> None:
        self._watched.append(what)
        self._budgets[what.name] = Budget(clock_ns=self._clock_ns)
        self.restarts[what.name] = 0

    def look(self) -> str | None:
        """Restart what needs it; return the cause where a budget is used up, else None."""
        for what in self._watched:
            cause = what.trouble()
            if cause is None:
                continue
            if what.has_budget and not self._budgets[what.name].spend():
                return (
                    f"FAULTED: {what.name} was restarted {RESTARTS_MAX} times within "
                    f"{RESTARTS_WITHIN_S:.0f} s: {cause}"
                )
            log.error("%s: restarted: %s", what.name, cause)
            self._on_restart(what.name, cause)
            self.restarts[what.name] += 1
            what.replace(cause)
        return None
