"""The simulated PLC: it keeps a strict account, and can tell a station that does not."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from edge_builders import BASE, FakeInspector, await_that, running

from edge import messages
from edge.messages import Refusal, Trigger
from edge.mqtt import Link, Message
from edge.simulator import Manner, Outcome, Part, Plc, Report, outcome_line, read_parts, report_line
from inspector.domain import Decision, Reason
from inspector.errors import BrokerError, CaseError
from inspector.settings import MqttSettings, StationSettings

ROOT = Path(__file__).parents[2]
NOW = "2026-11-23T03:05:07.542Z"
PARTS = (Part(part_id="GOOD"), Part(part_id="BAD"), Part(part_id="NONE"))


def run_plc(port: int, parts: tuple[Part, ...], **more: object) -> tuple[Report, list[Outcome]]:
    outcomes: list[Outcome] = []
    plc = Plc(MqttSettings(port=port), base=BASE, on_outcome=outcomes.append, ready_within_s=10)
    return plc.run(parts, manner=Manner(**more)), outcomes  # type: ignore[arg-type]


def test_parts_one_after_another_each_get_their_answer(settings: StationSettings, own_port: int):
    with running(settings):
        report, outcomes = run_plc(own_port, PARTS)
    assert report == Report(triggers=3, passed=1, failed=1, held=1)
    assert report.is_good
    assert [outcome.part_id for outcome in outcomes] == ["GOOD", "BAD", "NONE"]
    assert all(outcome.deadline_ms == 5000 for outcome in outcomes)


def test_parts_come_by_takt_whatever_the_answers_do(settings: StationSettings, own_port: int):
    roomy = StationSettings.model_validate({**settings.model_dump(), "queue_size": 50})
    with running(roomy):
        report, _ = run_plc(own_port, PARTS * 5, takt_ms=5)
    assert report == Report(triggers=15, passed=5, failed=5, held=5)


def test_duplicates_change_no_answer(settings: StationSettings, own_port: int):
    with running(settings):
        report, _ = run_plc(own_port, PARTS, duplicates=True)
    assert (report.triggers, report.repeats_sent, report.contradictions) == (3, 3, 0)
    assert report.is_good


def test_bursts_jitter_wrong_recipes_and_acknowledgements(settings: StationSettings, own_port: int):
    mqtt = {**settings.mqtt.model_dump(), "ack_within_ms": 5000}
    changes = {"queue_size": 50, "mqtt": mqtt}
    with running(StationSettings.model_validate({**settings.model_dump(), **changes})) as station:
        report, outcomes = run_plc(
            own_port,
            PARTS[:1] * 12,
            takt_ms=20,
            jitter=0.5,
            burst=4,
            wrong_recipe_every=3,
            acknowledges=True,
        )
        await_that(lambda: station._answers.acknowledged == 12)
    assert report == Report(triggers=12, passed=8, held=4)
    reasons = {outcome.result.reason for outcome in outcomes if outcome.result is not None}
    assert reasons == {Reason.CLEAN, Reason.UNKNOWN_RECIPE}


def test_the_work_order_and_the_day_reach_the_station(settings: StationSettings, own_port: int):
    inspector = FakeInspector()
    part = Part(
        part_id="GOOD", view="top", expected={"gtin": "7"}, inspected_on=date(2024, 2, 29), lot="L"
    )
    with running(settings, lambda: inspector):
        run_plc(own_port, (part,))
    ((_, view, context),) = inspector.asked
    assert (view, context.inspected_on) == ("top", date(2024, 2, 29))
    assert context.expected == {"gtin": "7"}


def test_a_station_that_is_not_ready_is_not_triggered(own_port: int):
    plc = Plc(MqttSettings(port=own_port), base=BASE, ready_within_s=0.2)
    with pytest.raises(BrokerError, match="to be Ready within"):
        plc.run(PARTS)


def test_a_heartbeat_of_an_earlier_connection_makes_no_station_ready(own_port: int):
    plc = Plc(MqttSettings(port=own_port), base=BASE)
    station = Link(MqttSettings(port=own_port), client_id="pretended")
    ready = messages.State(online=1, state="Ready", detail="", boot="0", ts=NOW)
    beat = messages.encode(messages.Heartbeat(seq=1, state="Ready", ts=NOW))

    def hears(holds: Callable[[], bool]) -> None:
        await_that(lambda: plc._cycle() or holds())

    station.start()
    plc._link.start()
    try:
        topic = f"{BASE}/{messages.STATE}"
        station.publish(Message(topic=topic, payload=messages.encode(ready), retain=True))
        station.publish(Message(topic=f"{BASE}/{messages.HEARTBEAT}", payload=beat))
        hears(plc._is_ready)
        plc._link.renew()
        plc._known.state = ""
        hears(lambda: plc._known.state == "Ready")  # as the broker kept it
        assert not plc._is_ready()
        station.publish(Message(topic=f"{BASE}/{messages.HEARTBEAT}", payload=beat))
        hears(plc._is_ready)
    finally:
        plc._link.stop()
        station.stop()


Say = Callable[[str, messages.Payload], None]


@contextlib.contextmanager
def pretended_station(port: int, answer: Callable[[Say, Trigger], None]) -> Iterator[None]:
    """Be Ready, and do with each trigger whatever `answer` does."""
    link = Link(MqttSettings(port=port), client_id="pretended", subscribe=(f"{BASE}/cmd/trigger",))
    stop = threading.Event()

    def say(topic: str, payload: messages.Payload) -> None:
        link.publish(Message(topic=f"{BASE}/{topic}", payload=messages.encode(payload)))

    def live() -> None:
        beats = 0
        while not stop.wait(0.02):
            beats += 1
            say("state", messages.State(online=1, state="Ready", detail="", boot="0", ts=NOW))
            say("heartbeat", messages.Heartbeat(seq=beats, state="Ready", ts=NOW))
            while not link.arrivals.empty():
                answer(say, messages.parse_trigger(link.arrivals.get().payload))

    link.start()
    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        link.stop()


def result(trigger: Trigger, decision: Decision = Decision.PASS) -> messages.Result:
    return messages.Result(
        request_id=trigger.request_id,
        inspection_id="6f1c9a52-2f5f-4c0e-9c0f-3d3c7a0d1b11",
        seq=1,
        decision=decision,
        code=decision.code,
        reason=Reason.CLEAN,
        clause_ids="",
        part_id=trigger.part_id or "",
        ts=NOW,
        t_acq_ms=1,
        t_proc_ms=1,
    )


def accepted(trigger: Trigger, *, deadline_ms: int) -> messages.Accepted:
    return messages.Accepted(
        request_id=trigger.request_id, inspection_id="0", deadline_ms=deadline_ms, ts=NOW
    )


def test_a_second_answer_is_a_contradiction(own_port: int):
    def twice(say: Say, trigger: Trigger) -> None:
        say(messages.RESULT, result(trigger))
        say(messages.RESULT, result(trigger, Decision.FAIL))

    with pretended_station(own_port, twice):
        report, _ = run_plc(own_port, PARTS[:1])
    assert (report.passed, report.contradictions, report.is_good) == (1, 1, False)


def test_an_answer_after_its_deadline_is_late(own_port: int):
    def late(say: Say, trigger: Trigger) -> None:
        say(messages.ACCEPTED, accepted(trigger, deadline_ms=1))
        threading.Event().wait(0.05)
        say(messages.RESULT, result(trigger))

    with pretended_station(own_port, late):
        report, _ = run_plc(own_port, PARTS[:1])
    assert (report.late, report.is_good) == (1, False)


def test_silence_is_counted(own_port: int):
    def silent(say: Say, trigger: Trigger) -> None:
        say(messages.ACCEPTED, accepted(trigger, deadline_ms=1))

    with pretended_station(own_port, silent):
        report, _ = run_plc(own_port, PARTS[:1])
    assert (report.unanswered, report.is_good) == (1, False)


def test_a_rejection_is_an_answer(own_port: int):
    def reject(say: Say, trigger: Trigger) -> None:
        say(messages.REJECTED, messages.rejection(trigger.request_id, Refusal.STALE, "old"))

    with pretended_station(own_port, reject):
        report, outcomes = run_plc(own_port, PARTS[:1])
    assert (report.rejected, report.is_good) == (1, True)
    assert json.loads(outcome_line(outcomes[0]))["schema"] == "plc.rejected/1"


def test_an_outcome_is_one_line_of_json():
    trigger = Trigger(request_id="r1", part_id="A", ts=datetime(2026, 11, 23, tzinfo=UTC))
    outcome = Outcome(
        part_id="A", request_id="r1", latency_ms=12.5, deadline_ms=800, result=result(trigger)
    )
    line = json.loads(outcome_line(outcome))
    assert (line["schema"], line["decision"], line["latency_ms"]) == ("plc.part/1", "PASS", 12.5)
    silent = json.loads(outcome_line(replace(outcome, result=None)))
    assert silent["schema"] == "plc.unanswered/1"
    assert json.loads(report_line(Report(triggers=1, passed=1)))["ok"] is True


def test_a_parts_file_is_read_line_by_line(tmp_path: Path):
    file = tmp_path / "parts.jsonl"
    file.write_text(
        '{"part_id": "A", "recipe": "pcb", "lot": "L", "expected": {"gtin": "1"},'
        ' "inspected_on": "2026-11-23", "source": "elsewhere"}\n\n{"part_id": "B"}\n'
    )
    first, second = read_parts(file)
    assert (first.recipe, first.inspected_on) == ("pcb", date(2026, 11, 23))
    assert second == Part(part_id="B")


@pytest.mark.parametrize("line", ["{", '{"recipe": "pcb"}', "7"])
def test_a_bad_parts_file_is_said_with_its_line(tmp_path: Path, line: str):
    file = tmp_path / "parts.jsonl"
    file.write_text('{"part_id": "A"}\n' + line + "\n")
    with pytest.raises(CaseError, match=r"parts\.jsonl:2: "):
        read_parts(file)
    with pytest.raises(CaseError, match="expected a file of parts"):
        read_parts(tmp_path / "none.jsonl")


def test_the_command_plays_the_plc_as_its_own_process(
    settings: StationSettings, own_port: int, tmp_path: Path
):
    file = tmp_path / "parts.jsonl"
    file.write_text('{"part_id": "GOOD"}\n{"part_id": "BAD"}\n')
    command = [sys.executable, "-m", "inspector.cli", "plc", f"--parts={file}"]
    with running(settings):
        done = subprocess.run(
            [*command, f"--port={own_port}", f"--base={BASE}", "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    good, bad, report = [json.loads(line) for line in done.stdout.splitlines()]
    assert (good["part_id"], good["decision"], bad["decision"]) == ("GOOD", "PASS", "FAIL")
    assert (report["triggers"], report["ok"], done.returncode) == (2, True, 0), done.stderr
    nobody = subprocess.run(
        [*command, "--port=1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert nobody.returncode == 6
    waiting, error = nobody.stderr.splitlines()
    assert waiting.endswith("waiting until qc/demo is Ready")
    assert "found none" in error
