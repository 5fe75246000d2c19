"""Which faults there are, and when they strike: seeded, so that a run can be repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass

KINDS = {
    "station_killed": "SIGKILL of the station",
    "power_cut": "SIGKILL of the station, and what was not fsynced is gone from its spool",
    "broker_killed": "SIGKILL of the broker",
    "broker_frozen": "SIGSTOP of the broker",
    "camera_killed": "SIGKILL of a camera on the network",
    "camera_hangs": "SIGSTOP of a camera on the network: its stream stands still, unended",
    "camera_lost": "the folder of the pictures is gone",
    "camera_black": "every picture is black",
    "camera_frozen": "every picture is the same",
    "camera_torn": "every picture ends halfway",
    "camera_foreign": "every picture is text",
    "disk_full": "no byte is left for records",
    "disk_read_only": "the spool cannot be written",
    "database_locked": "another writer keeps the database",
    "database_killed": "SIGKILL of the database's server",
    "database_frozen": "SIGSTOP of the database's server",
    "clock_ahead": "the station's clock is stepped an hour ahead, and back",
    "clock_behind": "the station's clock is stepped an hour back, and ahead",
    "model_raises": "the models raise an error",
    "model_hangs": "the models never answer",
    "model_killed": "SIGKILL of the models' process",
    "triggers_duplicated": "each trigger comes three times",
    "triggers_reordered": "five triggers come in a burst, the newest first",
    "trigger_retained": "a trigger is left on the broker",
    "payloads_oversized": "100 kB where a trigger is expected",
    "payloads_malformed": "random and mutated bytes on every inbound topic",
    "payloads_foreign": "well-formed messages of other applications",
    "alarm_flood": "500 alerts at once",
}
"""What each fault is, as README lists them."""

TRIGGERS_PER_ROUND = 2000  # each fault strikes once in so many triggers, and once at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that strikes once `at` triggers have been sent."""

    kind: str
    at: int


def schedule(kinds: tuple[str, ...], *, triggers: int, seed: int) -> tuple[Fault, ...]:
    """Return when which fault strikes: each kind once a round, in an order of the seed's."""
    chance = random.Random(seed)
    rounds = max(1, triggers // TRIGGERS_PER_ROUND)
    order: list[str] = []
    for _ in range(rounds):
        shuffled = list(kinds)
        chance.shuffle(shuffled)
        order += shuffled
    if not order:
        return ()
    spacing = triggers / (len(order) + 1)
    return tuple(
        Fault(kind=kind, at=int(spacing * (number + chance.uniform(0.75, 1.25))))
        for number, kind in enumerate(order)
    )
