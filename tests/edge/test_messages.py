"""The PLC contract: golden payloads, the schemas that ship, and what is refused."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import messages
from edge.messages import Refusal, Trigger
from inspector.domain import Decision, Reason
from inspector.errors import MessageError

GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = Path(messages.__file__).parent / "schemas"
MOMENT = "2026-11-23T03:05:07.542Z"
ID = "6f1c9a52-2f5f-4c0e-9c0f-3d3c7a0d1b11"

TRIGGER = Trigger(
    request_id="L1-000123",
    part_id="SN-4711",
    lot="A231",
    view="top",
    recipe="pcb",
    camera="cam1",
    seq=123,
    ts=datetime(2026, 11, 23, 3, 5, 7, 542000, tzinfo=UTC),
    deadline_ms=800,
    expected={"gtin": "4007817327098", "best_before": "30.11.2026"},
    inspected_on=date(2026, 11, 23),
)
PAYLOADS = (
    messages.Accepted(request_id="L1-000123", inspection_id=ID, deadline_ms=800, ts=MOMENT),
    messages.Acquired(request_id="L1-000123", inspection_id=ID, ts=MOMENT),
    messages.Result(
        request_id="L1-000123",
        inspection_id=ID,
        seq=987,
        decision=Decision.FAIL,
        code=2,
        reason=Reason.RULE_VIOLATED,
        clause_ids="C2,C7",
        part_id="SN-4711",
        ts=MOMENT,
        t_acq_ms=12,
        t_proc_ms=214,
    ),
    messages.rejection("L1-000123", Refusal.BAD_MESSAGE, "expected deadline_ms ≥ 1"),
    messages.State(online=1, state="Ready", detail="", boot="0123456789ab", ts=MOMENT),
    messages.Heartbeat(seq=42, state="Ready", ts=MOMENT),
    messages.Health(
        received=10,
        passed=4,
        failed=2,
        held=1,
        rejected=1,
        duplicates=1,
        malformed=1,
        open=0,
        unsent=0,
        unrecorded=0,
        retained_dropped=3,
        free_mb=20480,
        acknowledged=6,
        unheard=1,
        refused=0,
        outbox=2,
        outbox_age_s=1,
        restarts=0,
        bad_commands=0,
        uptime_s=3600,
        ts=MOMENT,
    ),
    messages.SelfTest(nonce="0123456789abcdef0123456789abcdef"),
    messages.Carried(seq=31337, ts=MOMENT),
)
COMMANDS = (
    (messages.Ack(request_id="L1-000123"), messages.parse_ack),
    (messages.ReplayOrder(after_seq=986, limit=50), messages.parse_replay),
)


def schema(name: str) -> jsonschema.Draft202012Validator:
    content = json.loads((SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(content)
    return jsonschema.Draft202012Validator(content)


def named(payload: messages.Payload) -> str:
    return payload.SCHEMA.removesuffix("/1")


@pytest.mark.parametrize("payload", PAYLOADS, ids=named)
def test_a_payload_is_what_it_was_in_the_last_version(payload: messages.Payload):
    assert messages.encode(payload).decode() + "\n" == (
        GOLDEN / f"{named(payload)}.json"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize("payload", PAYLOADS, ids=named)
def test_a_payload_keeps_to_its_schema_and_to_1_kb(payload: messages.Payload):
    encoded = messages.encode(payload)
    schema(named(payload)).validate(json.loads(encoded))
    assert len(encoded) < 1000
    assert encoded.isascii()


@pytest.mark.parametrize("payload", PAYLOADS, ids=named)
def test_a_payload_is_read_back_as_it_was(payload: messages.Payload):
    assert messages.decode(type(payload), messages.encode(payload)) == payload


def test_every_payload_has_a_golden_file_and_a_schema():
    kinds = {kind.SCHEMA.removesuffix("/1") for kind in get_args(messages.Payload)}
    assert {named(payload) for payload in PAYLOADS} == kinds
    assert {path.stem for path in SCHEMAS.glob("*.json")} == kinds | {
        "trigger",
        "ack",
        "replay",
        "record",
        "alarm",
        "alarm_command",
    }


def test_the_schemas_know_every_reason_and_refusal():
    assert set(
        json.loads((SCHEMAS / "result.json").read_text())["properties"]["reason"]["enum"]
    ) == {reason.value for reason in Reason}
    assert json.loads((SCHEMAS / "rejected.json").read_text())["properties"]["reason"]["enum"] == [
        refusal.name for refusal in Refusal
    ]


def test_a_trigger_is_what_it_was_in_the_last_version():
    golden = (GOLDEN / "trigger.json").read_text(encoding="utf-8")
    assert messages.encode_trigger(TRIGGER).decode() + "\n" == golden
    assert messages.parse_trigger(golden.encode()) == TRIGGER
    schema("trigger").validate(json.loads(golden))


def test_a_trigger_needs_nothing_but_its_id():
    assert messages.parse_trigger(b'{"request_id": "7"}') == Trigger(request_id="7")


def test_an_id_may_be_a_number():
    assert messages.parse_trigger(b'{"request_id": 4711}').request_id == "4711"


def test_the_day_of_the_inspection_is_no_work_order_value():
    trigger = messages.parse_trigger(
        b'{"request_id": "1", "expected.inspected_on": "2026-11-23",'
        b' "expected.gtin": 4007817327098}'
    )
    assert trigger.inspected_on == date(2026, 11, 23)
    assert trigger.expected == {"gtin": "4007817327098"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"part_id": "../../etc/passwd"}, "expected part_id like"),
        ({"part_id": "a" * 65}, "expected part_id of 1 to 64"),
        ({"view": "top/side"}, "expected view like"),
        ({"deadline_ms": 0}, "deadline_ms"),
        ({"deadline_ms": "800"}, "deadline_ms"),
        ({"deadline_ms": True}, "deadline_ms"),
        ({"seq": -1}, "seq"),
        ({"ts": "2026-11-23T03:05:07"}, "with its zone"),
        ({"ts": "yesterday"}, "with its zone"),
        ({"ts": 5}, "with its zone"),
        ({"recipie": "pcb"}, "no other keys, found 'recipie'"),
        ({"expected.": "x"}, "expected.NAME"),
        ({"expected.Gtin": "x"}, "expected.NAME"),
        ({"expected.gtin": ["x"]}, "expected.gtin to be a text"),
        ({"expected.gtin": "x" * 201}, "expected.gtin to be a text"),
        ({"expected.gtin": "\ud800"}, "expected.gtin to be a text"),
        ({"expected.inspected_on": "today"}, "expected.inspected_on like"),
        ({"lot": "a\nb"}, "lot"),
        ({"schema": "trigger/2"}, "schema"),
    ],
)
def test_a_bad_trigger_is_refused_by_its_id(content: dict[str, object], says: str):
    with pytest.raises(MessageError, match=re.escape(says)) as refused:
        messages.parse_trigger(json.dumps({"request_id": "r1", **content}).encode())
    assert refused.value.request_id == "r1"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"\xff\xfe",
        b'{"part_id": "A"}',
        b'{"request_id": ""}',
        b'{"request_id": "a b"}',
        b'{"request_id": null}',
        b'{"request_id": true}',
        b'{"request_id": NaN}',
        b'{"request_id": "' + b"x" * 9000 + b'"}',
        b"[" * 8000,
    ],
)
def test_a_payload_without_a_readable_id_is_malformed(payload: bytes):
    with pytest.raises(MessageError) as refused:
        messages.parse_trigger(payload)
    assert refused.value.request_id is None


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode()))
def test_no_payload_breaks_the_parser(payload: bytes):
    with contextlib.suppress(MessageError):
        messages.parse_trigger(payload)


_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70)
_KEYS = st.sampled_from(
    ["part_id", "lot", "view", "recipe", "camera", "seq", "ts", "deadline_ms", "expected.gtin"]
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_what_the_parser_takes_the_schema_takes(content: dict[str, object]):
    try:
        messages.parse_trigger(json.dumps({"request_id": "r1", **content}).encode())
    except MessageError:
        return
    sent = {"schema": "trigger/1", "request_id": "r1"}
    schema("trigger").validate(sent | {k: v for k, v in content.items() if v is not None})


def test_many_clauses_are_cut_at_whole_ids():
    ids = tuple(f"clause-{n:03}" for n in range(100))
    text = messages.joined(ids)
    assert len(text) < 210
    assert text.split(",")[-1] == f"+{100 - text.count('clause')}"
    assert messages.joined(("C2", "C7")) == "C2,C7"


def test_the_largest_result_stays_under_1_kb():
    longest = messages.Result(
        request_id="x" * 64,
        inspection_id=ID,
        seq=10**9,
        decision=Decision.HOLD,
        code=3,
        reason=Reason.REFERENCE_MISSING,
        clause_ids=messages.joined(tuple("c" * 15 + str(n) for n in range(99))),
        part_id="p" * 64,
        ts=MOMENT,
        t_acq_ms=10**6,
        t_proc_ms=10**6,
    )
    assert len(messages.encode(longest)) < 1000


@pytest.mark.parametrize(("command", "parse"), COMMANDS, ids=["ack", "replay"])
def test_a_command_is_what_it_was_in_the_last_version(
    command: messages.Ack | messages.ReplayOrder, parse: Callable[[bytes], object]
):
    kind = command.SCHEMA.removesuffix("/1")
    golden = (GOLDEN / f"{kind}.json").read_text(encoding="utf-8")
    assert messages.encode_command(command).decode() + "\n" == golden
    assert parse(golden.encode()) == command
    schema(kind).validate(json.loads(golden))


def test_an_acknowledgement_may_say_by_whom():
    payload = messages.encode_command(messages.Ack(request_id="r1", by="robot 2"))
    schema("ack").validate(json.loads(payload))
    assert messages.parse_ack(payload) == messages.Ack(request_id="r1", by="robot 2")


def test_a_replay_needs_nothing_but_where_to_begin():
    assert messages.parse_replay(b'{"after_seq": 0}') == messages.ReplayOrder(after_seq=0)
    assert messages.parse_replay(b'{"after_seq": 0, "limit": 99999999}').limit == 100_000


@pytest.mark.parametrize(
    ("parse", "payload"),
    [
        (messages.parse_ack, b"{}"),
        (messages.parse_ack, b'{"request_id": "a b"}'),
        (messages.parse_ack, b'{"request_id": "r1", "code": 1}'),
        (messages.parse_ack, b'{"request_id": "r1", "by": ""}'),
        (messages.parse_ack, b'{"request_id": "r1", "by": 7}'),
        (messages.parse_replay, b"{}"),
        (messages.parse_replay, b'{"after_seq": "1"}'),
        (messages.parse_replay, b'{"after_seq": 1, "limit": 0}'),
        (messages.parse_replay, b'{"after_seq": 1, "schema": "ack/1"}'),
        (messages.parse_replay, b"[1]"),
    ],
)
def test_a_command_that_breaks_the_contract_is_refused(
    parse: Callable[[bytes], object], payload: bytes
):
    with pytest.raises(MessageError, match="expected"):
        parse(payload)
