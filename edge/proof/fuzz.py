"""Random and mutated payloads for every topic that the station listens to.

What is made can be made again from its seed. `said_in` reads a payload without the product's code:
it is what an answer to one is held against.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from edge import alarm_messages, messages, sparkplug
from edge.proof.plant import (
    BASE,
    FOLDER_CAMERA,
    NETWORK_CAMERA,
    PICTURES,
    SPARKPLUG_GROUP,
    STATION_ID,
    is_good,
    part_id,
)
from inspector.domain import Decision

LARGEST = 8192  # bytes of a trigger, by the contract
READABLE = re.compile(r"[\x21-\x7e]{1,64}")
# a tuple: what is looked for in it may be no text, and have no hash
_GOOD_PARTS = tuple(part for part in map(part_id, range(PICTURES)) if is_good(part))
RECIPE = "proof"
BOOLEAN = 11  # Sparkplug B, data types
ODD: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 0.5, 1e308, 2**31, 2**53, 2**64, 10**400, "", " ", "0", "true",
    "\x00", "\n", "\ud800", "é" * 40, "𝒳" * 20, "x" * 64, "x" * 65, "x" * 5000, "../../etc/passwd",
    "P001/../P002", "%s%n%x", "'; DROP TABLE inspections; --", "<script>", "NaN", float("nan"),
    float("inf"), "2026-13-45T99:99:99Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "2026-11-23", [], [1, 2], [[]], {}, {"a": 1}, {"request_id": "inner"},
)  # fmt: skip
KEYS = (
    "request_id", "part_id", "lot", "view", "recipe", "camera", "seq", "ts", "deadline_ms",
    "expected.due", "expected.inspected_on", "expected.", "expected.X", "schema", "id", "active",
    "values", "errors", "after_seq", "limit", "nonce", "action", "alarm_id", "by", "for_s", "", "é",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Said:
    """What was sent with a readable `request_id`, and what came back; `may_pass`: a good part.

    `is_owed_an_answer` says that a station must answer or refuse it.
    """

    request_id: str
    payloads: int
    may_pass: bool
    sent_ns: int
    is_owed_an_answer: bool = False
    results: list[messages.Result] = field(default_factory=list)
    rejections: int = 0

    @property
    def is_answered(self) -> bool:
        return bool(self.results or self.rejections)

    def joined(self, other: Said) -> Said:
        """Return this with another payload of the same id."""
        return replace(
            self,
            payloads=self.payloads + other.payloads,
            may_pass=self.may_pass or other.may_pass,
            is_owed_an_answer=self.is_owed_an_answer or other.is_owed_an_answer,
        )

    def is_wrongly_answered(self) -> bool:
        """Return whether more was answered than asked, or a part passed that is not good."""
        answers = len(self.results) + self.rejections
        passes = any(result.decision is Decision.PASS for result in self.results)
        return answers > self.payloads or (passes and not self.may_pass)

    def story(self, what: str) -> str:
        """Return what is known of it."""
        answers = [f"{result.decision} {result.reason}" for result in self.results]
        answers += ["rejected"] * self.rejections
        return (
            f"{self.request_id!r}, {self.payloads} payloads of the fuzz: {what}; "
            f"{', '.join(answers) or 'no answer'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzzed:
    """What a fuzz did to the station; `threads_lost` are the names of those that are gone."""

    payloads_per_topic: int
    topics: int
    payloads: int
    answered: int
    took_s: float
    threads: int
    threads_lost: tuple[str, ...]
    restarts: int
    exits: int
    heard_alarms: bool
    rss_before_mb: float
    rss_after_mb: float

    @property
    def is_survived(self) -> bool:
        """Whether no thread died, nothing had to be restarted, and all still do their work."""
        return not self.threads_lost and self.restarts == 0 == self.exits and self.heard_alarms


class Fuzz:
    """Makes payloads; `topics` are those that it has any for, in full."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._number = 0
        self._good: dict[str, Callable[[], bytes]] = {
            f"{BASE}/{messages.TRIGGER}": self._trigger,
            f"{BASE}/{messages.ACK}": self._ack,
            f"{BASE}/{messages.REPLAY}": self._replay,
            f"{BASE}/{messages.SELFTEST_IN}": self._self_test,
            f"{BASE}/{messages.SELFTEST_OUT}": self._self_test,
            f"{BASE}/{alarm_messages.COMMAND}": self._alarm_command,
            f"{BASE}/{messages.STATE}": self._state,
            "plc/alerts": self._alert,
            "plc/kepware": self._kepware,
            "plc/neuron": self._neuron,
            "plc/doors/north": self._scalar,
            "spBv1.0/press/NBIRTH/p1": self._guard,
            "spBv1.0/press/DDATA/p1/guard": self._guard,
            f"spBv1.0/{SPARKPLUG_GROUP}/NCMD/{STATION_ID}": self._rebirth,
        }
        self.topics = tuple(self._good)

    def payload(self, topic: str) -> bytes:
        """Return the next payload for one of `topics`: random, mutated, now and then a good one."""
        self._number += 1
        good = self._good[topic]()
        mutate = self._chance.choices(
            (
                self._random_bytes,
                self._changed_bytes,
                self._cut,
                self._joined,
                self._odd_value,
                self._other_keys,
                self._other_encoding,
                self._large,
                self._deep,
                self._as_it_is,
            ),
            (15, 25, 10, 4, 25, 10, 5, 1, 1, 4),
        )[0]
        payload = mutate(good)
        # another station under the same id is no mistake in a payload: this one would make way
        return good if _says_online(payload) else payload

    # --- mutations ----------------------------------------------------------------------------

    def _as_it_is(self, good: bytes) -> bytes:
        return good

    def _random_bytes(self, _good: bytes) -> bytes:
        return self._chance.randbytes(self._chance.randrange(300))

    def _changed_bytes(self, good: bytes) -> bytes:
        changed = bytearray(good)
        for _ in range(self._chance.randrange(1, 6)):
            changed[self._chance.randrange(len(changed))] = self._chance.randrange(256)
        return bytes(changed)

    def _cut(self, good: bytes) -> bytes:
        return good[: self._chance.randrange(len(good))]

    def _joined(self, good: bytes) -> bytes:
        return good + self._chance.choice((good, b"\x00", b" ", b",", b"}", b"\n{}"))

    def _odd_value(self, good: bytes) -> bytes:
        content = _read(good)
        if not isinstance(content, dict):
            return self._dumped(self._chance.choice(ODD))
        for _ in range(self._chance.randrange(1, 3)):
            content[self._chance.choice((*content, *KEYS))] = self._chance.choice(ODD)
        return self._dumped(content)

    def _other_keys(self, good: bytes) -> bytes:
        content = _read(good)
        if not isinstance(content, dict):
            return self._changed_bytes(good)
        if self._chance.random() < 0.5:
            del content[self._chance.choice(tuple(content))]
            return self._dumped(content)
        twice = self._dumped({self._chance.choice(tuple(content)): self._chance.choice(ODD)})
        return good[:-1] + b"," + twice[1:]

    def _other_encoding(self, good: bytes) -> bytes:
        words = good.decode("latin-1")
        code = self._chance.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-be"))
        return words.encode(code)

    def _large(self, good: bytes) -> bytes:
        size = self._chance.choice((LARGEST - 1, LARGEST, LARGEST + 1, 100_000))
        content = _read(good)
        if isinstance(content, dict):
            content["lot"] = "x" * max(0, size - len(good) - 9)
            return self._dumped(content)
        return good * (size // len(good))

    def _deep(self, _good: bytes) -> bytes:
        depth = self._chance.choice((10, 1000, 4000))
        return self._chance.choice((b"[", b'{"a":')) * depth

    def _dumped(self, content: object) -> bytes:
        is_ascii = self._chance.random() < 0.5
        return json.dumps(content, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")

    # --- good ones ----------------------------------------------------------------------------

    def _trigger(self) -> bytes:
        chance = self._chance
        return messages.encode_trigger(
            messages.Trigger(
                request_id=f"fuzz-{self._number:07d}",
                part_id=part_id(chance.randrange(PICTURES)),
                lot=chance.choice((None, "L7")),
                view=chance.choice((None, "front")),
                recipe=chance.choice((None, RECIPE)),
                camera=chance.choice((None, FOLDER_CAMERA)),
                seq=self._number,
                deadline_ms=chance.choice((None, 3000)),
                expected={"due": "2027-01-31"} if chance.random() < 0.2 else {},
            )
        )

    def _ack(self) -> bytes:
        return messages.encode_command(messages.Ack(request_id=f"fuzz-{self._number:07d}"))

    def _replay(self) -> bytes:
        return messages.encode_command(messages.ReplayOrder(after_seq=self._number, limit=2))

    def _self_test(self) -> bytes:
        return messages.encode(messages.SelfTest(nonce=self._chance.randbytes(16).hex()))

    def _state(self) -> bytes:
        """Return what a station of an earlier life left behind."""
        return messages.encode(
            messages.State(
                online=0,
                state="Error",
                detail="the station is gone",
                boot=self._chance.randbytes(6).hex(),
                ts="2026-11-23T03:05:07.542Z",
            )
        )

    def _alarm_command(self) -> bytes:
        action = self._chance.choice(("ack", "shelve", "unshelve", "out_of_service", "in_service"))
        content: dict[str, object] = {
            "schema": alarm_messages.COMMAND_SCHEMA,
            "alarm_id": self._chance.choice(("alerts_malformed", "line.a1", "doors.north")),
            "action": action,
            "by": "fuzz",
            "reason": "mutated",
        }
        if action == "shelve":
            content["for_s"] = 5
        return json.dumps(content).encode()

    def _alert(self) -> bytes:
        alert = {"id": f"a{self._chance.randrange(5)}", "active": self._chance.random() < 0.5}
        return json.dumps(alert).encode()

    def _kepware(self) -> bytes:
        value = {"id": "Line.PLC.Guard", "v": self._chance.random() < 0.5, "q": True, "t": 1}
        return json.dumps({"timestamp": 1, "values": [value]}).encode()

    def _neuron(self) -> bytes:
        content = {"node": "n", "group": "g", "values": {"guard": 1}, "errors": {"door": 2014}}
        return json.dumps(content).encode()

    def _scalar(self) -> bytes:
        return self._chance.choice((b"1", b"0", b"ON", b"OFF", b"true", b" false "))

    def _guard(self) -> bytes:
        return self._sparkplug("alarm/guard", self._chance.random() < 0.5)

    def _rebirth(self) -> bytes:
        return self._sparkplug("Node Control/Rebirth", True)

    def _sparkplug(self, name: str, value: bool) -> bytes:
        payload = sparkplug.payload_type()()
        payload.timestamp = payload.seq = self._number % 256
        payload.metrics.add(name=name, datatype=BOOLEAN, boolean_value=value)
        return bytes(payload.SerializeToString())


def said_in(payload: bytes, *, sent_ns: int) -> Said | None:
    """Return what a station may answer to `payload` as a trigger, None where nothing.

    A `request_id` that some readers of JSON find and others do not is answered or not; one that
    all find must be answered.
    """
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    request_id = content.get("request_id")
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        request_id = str(request_id)
    if not isinstance(request_id, str) or not READABLE.fullmatch(request_id):
        return None
    camera = content.get("camera")
    shows_good = camera == NETWORK_CAMERA or (
        camera in (None, FOLDER_CAMERA) and content.get("part_id") in _GOOD_PARTS
    )
    return Said(
        request_id=request_id,
        payloads=1,
        may_pass=shows_good and content.get("recipe") in (None, RECIPE),
        sent_ns=sent_ns,
        is_owed_an_answer=len(payload) <= LARGEST and _is_strict(payload),
    )


def _is_strict(payload: bytes) -> bool:
    """Return whether `payload` is JSON as RFC 8259 has it: UTF-8, no NaN, no key twice."""

    def refuse(constant: str) -> object:
        raise ValueError(constant)

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key twice")
        return dict(pairs)

    try:
        json.loads(payload.decode("utf-8"), parse_constant=refuse, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return False
    return True


def _says_online(payload: bytes) -> bool:
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("online", 0) != 0


def _read(good: bytes) -> object:
    try:
        return json.loads(good)
    except ValueError:
        return None  # Sparkplug
