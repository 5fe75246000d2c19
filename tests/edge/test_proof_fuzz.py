"""What the fuzz sends, what it expects, and that nothing of it breaks a reader."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edge import alarm_messages, messages
from edge.plc_alerts import AlertReader
from edge.proof.fuzz import Fuzz, Fuzzed, Said, said_in
from edge.proof.plant import ALERTS, BASE
from edge.sparkplug import decode_command
from inspector.alarm_settings import PlcAlertSettings
from inspector.errors import MessageError

EACH = 2000
TRIGGER = {"request_id": "r1", "part_id": "P001"}
SURVIVED = Fuzzed(
    payloads_per_topic=1,
    topics=1,
    payloads=1,
    answered=0,
    took_s=1.0,
    threads=12,
    threads_lost=(),
    restarts=0,
    exits=0,
    heard_alarms=True,
    rss_before_mb=1.0,
    rss_after_mb=1.0,
)


def said(payload: bytes) -> Said | None:
    return said_in(payload, sent_ns=0)


def written(**changes: object) -> bytes:
    return json.dumps({**TRIGGER, **changes}).encode()


@pytest.mark.parametrize("topic", Fuzz(random.Random(0)).topics)
def test_no_payload_breaks_the_reader_of_its_topic(topic: str):
    fuzz = Fuzz(random.Random(0))
    readers = [AlertReader(PlcAlertSettings.model_validate(rule)) for rule in ALERTS]
    heard = [reader for reader in readers if reader.wants(topic)]
    for _ in range(EACH):
        payload = fuzz.payload(topic)
        for reader in heard:
            reader.read(topic, payload)
        try:
            _parse(topic.removeprefix(f"{BASE}/"), payload)
        except MessageError as exc:
            one = said(payload) if topic.endswith(messages.TRIGGER) else None
            assert one is None or not one.is_owed_an_answer or exc.request_id == one.request_id


def _parse(topic: str, payload: bytes) -> None:
    if "/NCMD/" in topic:
        decode_command(payload)
    match topic:
        case messages.TRIGGER:
            trigger = messages.parse_trigger(payload)
            one = said(payload)
            assert one is not None and one.request_id == trigger.request_id
        case messages.ACK:
            messages.parse_ack(payload)
        case messages.REPLAY:
            messages.parse_replay(payload)
        case messages.SELFTEST_IN | messages.SELFTEST_OUT:
            messages.decode(messages.SelfTest, payload)
        case messages.STATE:
            assert messages.decode(messages.State, payload).online == 0
        case alarm_messages.COMMAND:
            alarm_messages.parse_command(payload, now=datetime.now(UTC))


def test_payloads_can_be_made_again():
    one, other = Fuzz(random.Random(5)), Fuzz(random.Random(5))
    topic = f"{BASE}/{messages.TRIGGER}"
    assert [one.payload(topic) for _ in range(200)] == [other.payload(topic) for _ in range(200)]


def test_some_triggers_stay_good_and_most_do_not():
    fuzz = Fuzz(random.Random(1))
    payloads = [fuzz.payload(f"{BASE}/{messages.TRIGGER}") for _ in range(1000)]
    owed = [one for one in map(said, payloads) if one is not None and one.is_owed_an_answer]
    assert 50 < len(owed) < 600
    assert any(one.may_pass for one in owed)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"\xff", written(request_id=""), written(request_id={"a": 1}), b"[" * 9]
)
def test_what_has_no_readable_id_is_owed_nothing(payload: bytes):
    assert said(payload) is None


@pytest.mark.parametrize(
    "payload",
    [
        written(seq=float("nan")),
        b'{"request_id": "a", "request_id": "b"}',
        written().decode().encode("utf-16"),
        written(lot="x" * 9000),
    ],
)
def test_what_some_readers_refuse_may_be_answered_and_need_not(payload: bytes):
    one = said(payload)
    assert one is not None
    assert not one.is_owed_an_answer


@pytest.mark.parametrize(
    ("payload", "may_pass"),
    [
        (written(), True),
        (written(camera="side", part_id=None), True),
        (written(part_id="P000"), False),
        (written(part_id="P061"), False),
        (written(recipe="other"), False),
        (written(camera="third"), False),
        (written(part_id=[]), False),
    ],
)
def test_only_a_good_part_may_pass(payload: bytes, may_pass: bool):
    one = said(payload)
    assert one is not None
    assert one.may_pass is may_pass


def test_an_answer_to_nothing_is_wrong():
    nobody = Said(request_id="x", payloads=0, may_pass=False, sent_ns=0, rejections=1)
    assert nobody.is_wrongly_answered()
    somebody = nobody.joined(Said(request_id="x", payloads=1, may_pass=False, sent_ns=0))
    assert not somebody.is_wrongly_answered()


def test_a_thread_that_died_or_hears_nothing_is_no_survival():
    assert SURVIVED.is_survived
    for broken in (
        {"threads_lost": ("intake",)},
        {"restarts": 1},
        {"exits": 1},
        {"heard_alarms": False},
    ):
        assert not replace(SURVIVED, **broken).is_survived
