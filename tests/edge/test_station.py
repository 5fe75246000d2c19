"""The whole station over a real broker, database and disk; only the models are a stand-in."""

from __future__ import annotations

import contextlib
import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from brokers import mosquitto, needs_mosquitto
from edge_builders import WAIT_S, FakeInspector, LinePlc, await_that, line_plc, picture, running
from jsonschema import Draft202012Validator

from edge import messages
from edge.broker import broker
from inspector.domain import Assessment, Context, Decision, Frame, Reason, Timings
from inspector.errors import BrokerError
from inspector.settings import Recipe, StationSettings

SCHEMAS = Path(messages.__file__).parent / "schemas"


def rows(settings: StationSettings) -> dict[str, sqlite3.Row]:
    """Return the inspections by request_id."""
    return {row["request_id"]: row for row in every_row(settings, "inspections")}


def every_row(settings: StationSettings, table: str) -> list[sqlite3.Row]:
    with contextlib.closing(sqlite3.connect(settings.database.removeprefix("sqlite:///"))) as db:
        db.row_factory = sqlite3.Row
        return db.execute(f"SELECT * FROM {table}").fetchall()


def ready_again(plc: LinePlc) -> Callable[[bytes], bool]:
    """Return what accepts a Ready that comes after all that was seen so far."""
    seen = {arrival.payload for arrival in plc.seen}
    return lambda payload: payload not in seen and b'"state":"Ready"' in payload


def changed(settings: StationSettings, **changes: object) -> StationSettings:
    return StationSettings.model_validate({**settings.model_dump(), **changes})


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Inspections wait until the gate is set."""
    gate = threading.Event()
    yield gate
    gate.set()


# --- the main job -----------------------------------------------------------------------------


def test_a_trigger_gets_its_verdict(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD")
        plc.trigger("r2", part_id="BAD")
        good, bad = plc.result("r1"), plc.result("r2")
    assert (good.decision, good.reason, good.code) == (Decision.PASS, Reason.CLEAN, 1)
    assert (bad.decision, bad.reason, bad.clause_ids, bad.code) == (
        Decision.FAIL,
        Reason.RULE_VIOLATED,
        "C1",
        2,
    )


def test_a_part_is_one_row_with_its_picture(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD", lot="L7", expected={"gtin": "12"})
        result = plc.result("r1")
    (row,) = every_row(settings, "inspections")
    assert row["id"].replace("-", "") == result.inspection_id.replace("-", "")
    assert (row["decision"], row["sent_decision"], row["lot"]) == ("PASS", "PASS", "L7")
    assert json.loads(row["expected"]) == {"gtin": "12"}
    assert (settings.records / "pictures" / row["picture"]).is_file()
    assert list((settings.records / "spool").iterdir()) == []


def test_the_plc_is_told_when_the_part_is_taken_and_when_it_may_move(
    settings: StationSettings, plc: LinePlc
):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.result("r1")
        plc.await_message(messages.RECORD, lambda _payload: True)
    topics = [arrival.topic.removeprefix("qc/line1/") for arrival in plc.seen]
    order = [t for t in topics if t.startswith("evt/") and t != messages.SELFTEST_OUT]
    assert order == ["evt/accepted", "evt/acquired", "evt/result"]


def test_every_message_keeps_to_its_schema(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD")
        plc.trigger("r2", part_id="NONE")
        plc.send(b'{"request_id": "r3", "deadline_ms": "soon"}')
        plc.result("r1")
        plc.result("r2")
        plc.rejected("r3")
    plc.await_end()
    checked = {"alarm", "sparkplug"}  # have tests of their own
    for arrival in plc.seen:
        if arrival.topic.endswith(messages.TRIGGER):
            continue
        content = json.loads(arrival.payload)
        kind = content["schema"].removesuffix("/1")
        Draft202012Validator(json.loads((SCHEMAS / f"{kind}.json").read_text())).validate(content)
        assert kind == "record" or len(arrival.payload) < 1000
        checked.add(kind)
    inbound = {"trigger", "ack", "replay", "alarm_command"}
    assert checked | inbound == {path.stem for path in SCHEMAS.glob("*.json")}


def test_a_client_that_was_away_finds_the_newest_result(
    settings: StationSettings, plc: LinePlc, own_port: int
):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.result("r1")
        plc.await_message(messages.RESULT_LAST, lambda payload: b'"r1"' in payload)
    with line_plc(own_port, client_id="late") as late:
        last = late.await_message(messages.RESULT_LAST, lambda payload: b'"r1"' in payload)
    assert last.retained


def test_the_day_comes_from_the_trigger_or_is_today(settings: StationSettings, plc: LinePlc):
    inspector = FakeInspector()
    with running(settings, lambda: inspector):
        plc.await_state("Ready")
        plc.trigger("r1", inspected_on=date(2024, 2, 29), expected={"lot": "9"}, view="top")
        plc.result("r1")
        before = date.today()
        plc.trigger("r2")
        plc.result("r2")
        after = date.today()
    (recipe, view, backdated), (_, _, plain) = inspector.asked
    assert (recipe, view) == ("plate", "top")
    assert (backdated.inspected_on, backdated.expected) == (date(2024, 2, 29), {"lot": "9"})
    assert before <= plain.inspected_on <= after


# --- what holds a part ------------------------------------------------------------------------


def test_an_unknown_recipe_holds_the_part_and_has_a_row(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1", recipe="cake")
        assert plc.result("r1").reason is Reason.UNKNOWN_RECIPE
    row = rows(settings)["r1"]
    assert (row["reason"], row["recipe"], row["sent_decision"]) == (
        "UNKNOWN_RECIPE",
        "cake",
        "HOLD",
    )


def test_a_picture_that_is_missing_torn_or_of_another_size_holds_the_part(
    settings: StationSettings, plc: LinePlc, tmp_path: Path
):
    (tmp_path / "camera" / "TORN.png").write_bytes(b"\x89PNG")
    picture(tmp_path / "camera", "WIDE.png", brightness=255, size_px=(9, 6))
    with running(settings):
        plc.await_state("Ready")
        for part_id in ("NONE", "TORN", "WIDE", "GOOD"):
            plc.trigger(part_id, part_id=part_id)
        assert plc.result("NONE").reason is Reason.NO_FRAME
        assert plc.result("TORN").reason is Reason.BAD_FRAME
        assert plc.result("WIDE").reason is Reason.BAD_FRAME
        assert plc.result("GOOD").decision is Decision.PASS
    assert len(rows(settings)) == 4


def test_an_unknown_camera_holds_the_part(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1", camera="side")
        assert plc.result("r1").reason is Reason.CAMERA_LOST


def test_a_model_that_raises_holds_the_part_and_says_why(settings: StationSettings, plc: LinePlc):
    with running(settings, lambda: FakeInspector(broken="out of memory")):
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.trigger("r2")
        assert plc.result("r1").reason is Reason.MODEL_FAILED
        assert plc.result("r2").reason is Reason.MODEL_FAILED
    assert "out of memory" in rows(settings)["r2"]["detail"]


def test_a_number_that_is_none_is_a_failed_model_and_blocks_no_record(
    settings: StationSettings, plc: LinePlc
):
    class Confused(FakeInspector):
        def inspect(
            self,
            frame: Frame,
            *,
            recipe: Recipe,
            view: str | None,
            context: Context,
            within_s: float | None = None,
        ) -> Assessment:
            found = super().inspect(frame, recipe=recipe, view=view, context=context)
            return replace(found, timings=Timings(judge_ms=float("nan")))

    with running(settings, Confused):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD")
        assert plc.result("r1").reason is Reason.MODEL_FAILED
    assert rows(settings)["r1"]["reason"] == "MODEL_FAILED"


def test_the_deadline_holds_the_part_and_the_row_says_what_was_judged(
    settings: StationSettings, plc: LinePlc, gate: threading.Event
):
    with running(settings, lambda: FakeInspector(gate)):
        plc.await_state("Ready")
        plc.trigger("r1", deadline_ms=300)
        result = plc.result("r1")
        gate.set()
    assert (result.decision, result.reason) == (Decision.HOLD, Reason.DEADLINE)
    row = rows(settings)["r1"]
    assert (row["decision"], row["reason"], row["sent_decision"]) == ("HOLD", "DEADLINE", "HOLD")
    assert "judged too late: PASS" in row["detail"]


def test_a_part_that_waited_past_its_deadline_is_not_inspected(
    settings: StationSettings, plc: LinePlc, gate: threading.Event
):
    inspector = FakeInspector(gate)
    with running(settings, lambda: inspector):
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.trigger("r2", deadline_ms=200)
        assert plc.result("r2").reason is Reason.DEADLINE
        gate.set()
        assert plc.result("r1").decision is Decision.PASS
    assert len(inspector.asked) == 1
    assert rows(settings)["r2"]["reason"] == "DEADLINE"


def test_a_full_queue_holds_the_part_at_once(
    settings: StationSettings, plc: LinePlc, gate: threading.Event
):
    with running(changed(settings, queue_size=1), lambda: FakeInspector(gate)):
        plc.await_state("Ready")
        for number in range(1, 5):
            plc.trigger(f"r{number}")
        assert plc.result("r3").reason is Reason.OVERLOAD
        assert plc.result("r4").reason is Reason.OVERLOAD
        gate.set()
        assert plc.result("r2").decision is Decision.PASS
    assert [rows(settings)[f"r{n}"]["decision"] for n in (1, 2, 3, 4)] == [
        "PASS",
        "PASS",
        "HOLD",
        "HOLD",
    ]


def test_without_room_for_the_record_the_station_is_not_ready_and_nothing_passes(
    settings: StationSettings, plc: LinePlc
):
    with running(changed(settings, min_free_mb=10**9)):
        assert "make room on the disk" in plc.await_state("Error").detail
        plc.trigger("r1", part_id="GOOD")
        assert plc.rejected("r1").reason == "NOT_READY"
    assert rows(settings) == {}


@pytest.mark.parametrize("lost", ["spool", "pictures"])
def test_a_record_that_cannot_be_written_holds_the_part(
    settings: StationSettings, plc: LinePlc, gate: threading.Event, lost: str
):
    with running(settings, lambda: FakeInspector(gate)):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD")
        plc.await_message(messages.ACCEPTED, lambda payload: b'"r1"' in payload)
        plc.await_message(messages.ACQUIRED, lambda payload: b'"r1"' in payload)
        folder = settings.records / lost
        folder.rename(settings.records / "away")
        folder.write_text("no folder any more")
        gate.set()
        plc.trigger("r2", part_id="GOOD")  # held, or refused where the station knows already
        plc.await_state("Error")
        folder.unlink()
        (settings.records / "away").rename(folder)
        plc.await_message(messages.STATE, ready_again(plc))
        plc.trigger("r3", part_id="GOOD")
        assert plc.result("r3").decision is Decision.PASS
    assert {row["decision"] for row in rows(settings).values()} <= {"PASS", "HOLD"}
    assert rows(settings)["r3"]["sent_decision"] == "PASS"


def test_a_locked_database_delays_the_row_and_not_the_answer(
    settings: StationSettings, plc: LinePlc
):
    with running(settings):
        plc.await_state("Ready")
        file = settings.database.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            plc.trigger("r1", part_id="GOOD")
            assert plc.result("r1").decision is Decision.PASS
            assert rows(settings) == {}
            other.execute("ROLLBACK")
        plc.await_message(messages.RECORD, lambda payload: b'"r1"' in payload)
    assert rows(settings)["r1"]["sent_decision"] == "PASS"


# --- answer or refusal ------------------------------------------------------------------------


def test_a_repeated_trigger_gets_the_stored_answer(settings: StationSettings, plc: LinePlc):
    inspector = FakeInspector()
    with running(settings, lambda: inspector):
        plc.await_state("Ready")
        plc.trigger("r1")
        first = plc.result("r1")
        plc.trigger("r1")
        assert plc.result("r1", nth=2) == first
    assert len(inspector.asked) == 1
    assert len(rows(settings)) == 1


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"request_id": "r1", "part_id": "BAD"}', "DUPLICATE_ID"),
        (b'{"request_id": "r2", "ts": "2020-01-01T00:00:00Z"}', "STALE"),
        (b'{"request_id": "r2", "part": "A"}', "BAD_MESSAGE"),
    ],
)
def test_what_gets_no_ticket_is_rejected_and_noted(
    settings: StationSettings, plc: LinePlc, payload: bytes, reason: str
):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD")
        plc.result("r1")
        plc.send(payload)
        rejected = plc.rejected(json.loads(payload)["request_id"])
    assert rejected.reason == reason
    assert set(rows(settings)) == {"r1"}
    events = [row["detail"] for row in every_row(settings, "station_events")]
    assert any(reason in event for event in events)


def test_a_clock_that_is_a_little_off_refuses_nothing(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1", ts=datetime.now(UTC) - timedelta(seconds=30))
        plc.trigger("r2", ts=datetime.now(UTC) + timedelta(hours=1))
        assert plc.result("r1").decision is Decision.PASS
        assert plc.result("r2").decision is Decision.PASS


def test_a_retained_trigger_is_dropped(settings: StationSettings, plc: LinePlc):
    plc.send(b'{"request_id": "old", "part_id": "GOOD"}', retain=True)
    plc.await_message(messages.TRIGGER, lambda payload: b'"old"' in payload)
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.result("r1")
    assert set(rows(settings)) == {"r1"}
    plc.await_end()
    assert plc.health().retained_dropped == 1


def test_every_trigger_is_accounted_for(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        for request_id, part_id in (("r1", "GOOD"), ("r2", "BAD"), ("r3", "NONE")):
            plc.trigger(request_id, part_id=part_id)
            plc.result(request_id)
        plc.trigger("r1", part_id="GOOD")
        plc.result("r1", nth=2)
        plc.trigger("r1", part_id="BAD")
        plc.rejected("r1")
        plc.send(b"{not JSON")
        plc.trigger("r4")
        plc.result("r4")
    plc.await_end()
    health = plc.health()
    counts = (health.passed, health.failed, health.held, health.rejected, health.duplicates)
    assert (*counts, health.malformed, health.open) == (2, 1, 1, 1, 1, 1, 0)
    assert health.received == 7


# --- life -------------------------------------------------------------------------------------


def test_stopping_holds_what_is_open(
    settings: StationSettings, plc: LinePlc, gate: threading.Event
):
    with running(settings, lambda: FakeInspector(gate)) as station:
        plc.await_state("Ready")
        plc.trigger("r1", part_id="GOOD")
        plc.await_message(messages.ACQUIRED, lambda payload: b'"r1"' in payload)
        plc.trigger("r2", part_id="GOOD")
        plc.await_message(messages.ACCEPTED, lambda payload: b'"r2"' in payload)
        station.stop()
        assert plc.result("r1").reason is Reason.STOPPING
        assert plc.result("r2").reason is Reason.STOPPING
        gate.set()
    assert {row["reason"] for row in rows(settings).values()} == {"STOPPING"}
    assert len(rows(settings)) == 2


def test_the_life_of_a_station_is_in_its_events(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
    kinds = [row["kind"] for row in every_row(settings, "station_events")]
    assert [kind for kind in kinds if kind != "PREOPERATIONAL"] == ["STARTED", "READY", "STOPPED"]


def test_a_station_that_stops_refuses_new_triggers(
    settings: StationSettings, plc: LinePlc, gate: threading.Event
):
    with running(settings, lambda: FakeInspector(gate)) as station:
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.await_message(messages.ACQUIRED, lambda payload: b'"r1"' in payload)
        station.stop()
        plc.await_state("Halted")
        plc.trigger("r2")
        assert plc.rejected("r2").reason == "NOT_READY"
        gate.set()
    assert set(rows(settings)) == {"r1"}


def test_a_stopped_station_says_so_and_stays_silent(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
    assert plc.await_end().state == "Halted"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_again_and_again_is_a_fault_with_its_cause(
    settings: StationSettings, plc: LinePlc
):
    class Exiting(FakeInspector):
        def inspect(self, *_args: object, **_more: object) -> object:  # type: ignore[override]
            raise SystemExit  # no Exception: the guard of the worker lets it pass, as a crash would

    with running(settings, Exiting, expected_code=1):
        plc.await_state("Ready")
        for number in range(1, 6):
            plc.trigger(f"r{number}")
            assert plc.result(f"r{number}").reason is Reason.MODEL_FAILED
        plc.trigger("r6")
        assert plc.result("r6").reason is Reason.STOPPING
        assert "FAULTED: inspect-1 was restarted 5 times" in plc.await_state("Error").detail
    assert rows(settings)["r1"]["sent_decision"] == "HOLD"
    assert [row["kind"] for row in every_row(settings, "station_events")].count("RESTARTED") == 5


def test_two_workers_answer_out_of_one_queue(settings: StationSettings, plc: LinePlc):
    with running(changed(settings, inspect_workers=2, queue_size=50)):
        plc.await_state("Ready")
        for number in range(30):
            plc.trigger(f"r{number}", part_id="GOOD" if number % 2 else "BAD")
        for number in range(30):
            wanted = Decision.PASS if number % 2 else Decision.FAIL
            assert plc.result(f"r{number}").decision is wanted
    assert len(rows(settings)) == 30


def test_a_broker_that_restarts_finds_the_station_ready_and_every_record(
    settings: StationSettings,
):
    with contextlib.ExitStack() as stack:
        with broker() as first:
            port = first.port
            stack.enter_context(running(changed(settings, mqtt={"port": port})))
            with line_plc(port) as plc:
                plc.await_state("Ready")
                plc.trigger("r1")
                plc.await_message(messages.RECORD, lambda payload: b'"r1"' in payload)
        with broker(port), line_plc(port) as plc:
            plc.await_state("Ready")
            plc.trigger("r2")
            assert plc.result("r2").decision is Decision.PASS
            # The link for records may come back after the line's: r2 is late then, r3 is not.
            plc.await_message(messages.RECORD, lambda payload: b'"r2"' in payload)
            plc.trigger("r3")
            record = plc.await_message(messages.RECORD, lambda payload: b'"r3"' in payload)
            assert json.loads(record.payload)["replayed"] is False
            stack.pop_all().close()


def test_an_outage_of_the_broker_loses_no_record_and_delays_no_answer_past_it(
    settings: StationSettings, gate: threading.Event
):
    with contextlib.ExitStack() as stack:
        with broker() as first:
            port = first.port
            station = running(changed(settings, mqtt={"port": port}), lambda: FakeInspector(gate))
            stack.enter_context(station)
            with line_plc(port) as plc:
                plc.await_state("Ready")
                plc.trigger("r1")
                plc.trigger("r2")
                plc.await_message(messages.ACCEPTED, lambda payload: b'"r2"' in payload)
        gate.set()
        await_that(lambda: len(rows(settings)) == 2)
        with broker(port), line_plc(port) as plc:
            await_that(lambda: all(row["published"] for row in every_row(settings, "outbox")))
            plc.await_state("Ready")
            stack.pop_all().close()
            assert plc.count(messages.RESULT) == 0
    assert {row["sent_decision"] for row in rows(settings).values()} <= {None, "PASS"}


@needs_mosquitto
def test_a_trigger_that_comes_while_the_line_is_renewed_is_answered_once(
    tmp_path: Path, settings: StationSettings
):
    """The PLC is a careless one, which does not look at the state."""
    with (
        mosquitto(tmp_path) as port,
        running(changed(settings, mqtt={"port": port}, queue_size=500)) as station,
        line_plc(port) as plc,
    ):
        plc.await_state("Ready")
        sent = [f"r{number}" for number in range(200)]
        for number, request_id in enumerate(sent):
            if number in {50, 120}:
                station._line.renew()
            plc.trigger(request_id)
            threading.Event().wait(0.01)  # the renewal takes 0.2 s and more
        plc.await_message(messages.STATE, lambda payload: b'"online":0' in payload)
        topics = {f"{plc.base}/{messages.RESULT}", f"{plc.base}/{messages.REJECTED}"}

        def answers() -> dict[str, set[bytes]]:
            """Return what was said of each request; a broker may deliver a trigger twice."""
            said: dict[str, set[bytes]] = {}
            for arrival in plc.seen:
                if arrival.topic in topics:
                    request_id = json.loads(arrival.payload)["request_id"]
                    said.setdefault(request_id, set()).add(arrival.payload)
            return said

        give_up = time.monotonic() + WAIT_S
        while len(answers()) < len(sent) and time.monotonic() < give_up:
            with contextlib.suppress(queue.Empty):
                plc.seen.append(plc.link.arrivals.get(timeout=0.1))
        assert {request_id: len(said) for request_id, said in answers().items()} == dict.fromkeys(
            sent, 1
        )
        assert plc.count(messages.REJECTED)
        await_that(lambda: station._state()[0] == "Ready")
        plc.trigger("after")
        assert plc.result("after").decision is Decision.PASS


def test_a_broker_that_is_not_there_is_said_in_one_line(settings: StationSettings):
    with (
        pytest.raises(BrokerError, match=r"expected an MQTT broker at 127\.0\.0\.1:1, found none"),
        running(changed(settings, mqtt={"port": 1})),
    ):
        pass


def test_a_repeat_while_the_station_stops_is_not_refused_as_well(
    settings: StationSettings, plc: LinePlc, gate: threading.Event
):
    with running(settings, lambda: FakeInspector(gate)) as station:
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.await_message(messages.ACQUIRED, lambda payload: b'"r1"' in payload)
        station.stop()
        plc.await_state("Halted")
        first = plc.result("r1")
        plc.trigger("r1")
        assert plc.result("r1", nth=2) == first
        gate.set()
