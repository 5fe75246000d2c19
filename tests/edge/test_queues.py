"""What a thread takes of a queue, and what it leaves there."""

from __future__ import annotations

import queue

import pytest

from edge.queues import taken


def filled(*items: int | None) -> queue.SimpleQueue[int | None]:
    waiting: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)
    return waiting


def test_all_that_waits_is_taken_in_order_without_what_only_wakes():
    waiting = filled(1, None, 2, None)
    assert list(taken(waiting)) == [1, 2]
    assert waiting.empty()


def test_nothing_comes_of_an_empty_queue():
    assert list(taken(filled())) == []
    assert list(taken(filled(), wait_s=0.001)) == []


def test_no_more_than_asked_for_is_taken():
    waiting = filled(1, 2, 3)
    assert list(taken(waiting, most=2)) == [1, 2]
    assert waiting.qsize() == 1


def test_an_error_loses_only_what_was_in_hand():
    waiting = filled(1, 2, 3)
    with pytest.raises(ValueError, match="1"):
        for item in taken(waiting):
            raise ValueError(item)
    assert list(taken(waiting)) == [2, 3]
