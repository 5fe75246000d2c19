"""How a thread takes what others left for it in a queue."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from typing import Protocol, TypeVar

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class _Waiting(Protocol[_T_co]):
    """A queue of those, and of None."""

    def get(self, block: bool = True, timeout: float | None = None) -> _T_co | None: ...


def taken(
    waiting: _Waiting[_T],
    *,
    wait_s: float = 0.0,
    most: int | None = None,
) -> Iterator[_T]:
    """Yield what waits, in order and at most so many; where nothing does, wait for the first.

    Each is taken only when it is asked for, so an error loses no other. None, by which a thread is
    woken, ends the waiting and is left out.
    """
    count = 0
    with contextlib.suppress(queue.Empty):
        found = waiting.get(timeout=wait_s)
        while True:
            if found is not None:
                yield found
                count += 1
            if count == most:
                return
            found = waiting.get(block=False)
