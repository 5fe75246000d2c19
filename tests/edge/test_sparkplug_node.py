"""The station as a Sparkplug edge node, seen by a host that decodes with another's code."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from brokers import MOSQUITTO, mosquitto, needs_mosquitto
from edge_builders import (
    BASE,
    LinePlc,
    await_that,
    line_plc,
    passed_part,
    running,
    station_processes,
    station_settings,
)
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sparkplug_host import GROUP, NODE, Host, sparkplug_host

from edge import messages
from edge.broker import broker
from edge.sparkplug import DataType, Metric, decode_command, encode, payload_type
from edge.sparkplug_memory import SparkplugMemory
from inspector.errors import MessageError
from inspector.settings import SparkplugSettings, StationSettings
from inspector.storage.database import open_database
from inspector.storage.store import Store


def with_sparkplug(settings: StationSettings, port: int, **keys: object) -> StationSettings:
    mqtt = {"port": port, "keepalive_s": 2, "sparkplug": {"group": GROUP, **keys}}
    return StationSettings.model_validate({**settings.model_dump(), "mqtt": mqtt})


def kept(settings: StationSettings) -> dict[str, int]:
    return json.loads((settings.records / "sparkplug.json").read_text())


def begin(plc: LinePlc, host: Host) -> None:
    """Wait until triggers are taken and what is judged is news to the host."""
    plc.await_state("Ready")
    host.await_("DBIRTH", "camera-top")


def recorded(plc: LinePlc, request_id: str) -> None:
    """Wait until a part is recorded."""
    plc.await_message(messages.RECORD, lambda payload: f'"{request_id}"'.encode() in payload)


@pytest.fixture(params=["rumqttd", "mosquitto"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    if request.param == "rumqttd":
        with broker() as ours:
            yield ours.port
    else:
        if MOSQUITTO is None:
            pytest.skip("mosquitto is not installed")
        with mosquitto(tmp_path) as port:
            yield port


@pytest.fixture
def station(tmp_path: Path, migrated: Path, port: int) -> StationSettings:
    return with_sparkplug(station_settings(tmp_path, port=port, migrated=migrated), port)


@pytest.fixture
def plc(port: int) -> Iterator[LinePlc]:
    with line_plc(port) as plc:
        yield plc


@pytest.fixture
def host(port: int) -> Iterator[Host]:
    with sparkplug_host(port) as host:
        yield host


# --- births, parts, deaths --------------------------------------------------------------------


def test_a_part_is_data_of_the_device_inspection(
    station: StationSettings, plc: LinePlc, host: Host
):
    before = datetime.now(UTC)
    with running(station):
        begin(plc, host)
        plc.trigger("r1", part_id="BAD", lot="L7")
        result = plc.result("r1")
        part = host.part("r1")
    assert (
        part.values.items()
        >= {
            "Part/Record Seq": 1,
            "Part/Inspection Id": result.inspection_id,
            "Part/Part Id": "BAD",
            "Part/Lot": "L7",
            "Part/View": None,
            "Part/Camera": "top",
            "Part/Product": "test part",
            "Part/Recipe": "plate",
            "Part/Decision": "FAIL",
            "Part/Code": 2,
            "Part/Reason": "RULE_VIOLATED",
            "Part/Detail": "dark",
            "Part/Clauses": "C1",
            "Part/Sent Decision": "FAIL",
            "Part/Defects": 0,
        }.items()
    )
    latency_ms = part.values["Part/Latency ms"]
    assert isinstance(latency_ms, float)
    assert latency_ms > 0
    assert not part.is_historical
    (at_ms,) = part.times_ms
    assert before <= datetime.fromtimestamp(at_ms / 1000, UTC) + timedelta(milliseconds=1)


def test_the_births_come_first_and_name_all_that_is_ever_told(
    station: StationSettings, plc: LinePlc, host: Host
):
    with running(station):
        begin(plc, host)
        plc.trigger("r1")
        plc.trigger("r2", part_id="BAD")
        host.part("r1")
        host.part("r2")
        counted = host.await_("NDATA", wanted=lambda told: "Parts/Yield" in told.values)
        told = [(told.kind, told.device) for told in host.told[:3]]
        assert told == [("NBIRTH", ""), ("DBIRTH", "inspection"), ("DBIRTH", "camera-top")]
        birth = host.told[0].values
    assert birth["bdSeq"] == 0
    assert birth["Parts/Received"] == 0
    assert birth["Parts/Yield"] is None
    assert birth["Alarms/Active"] == 0
    assert "Properties/Software" not in counted.values  # only what changed
    assert host.told[1].values["Part/Decision"] is None


def test_a_station_that_stops_dies_with_the_number_of_its_birth(
    station: StationSettings, plc: LinePlc, host: Host
):
    with running(station):
        plc.await_state("Ready")
        host.await_("NBIRTH")
        plc.trigger("r1")
        plc.result("r1")
    death = host.await_("NDEATH")
    assert death.values == {"bdSeq": 0}
    assert not host.is_online
    assert [part.values["Part/Request Id"] for part in host.parts()] == ["r1"]
    assert kept(station) == {"bd_seq": 0, "record_seq": 1}


@needs_mosquitto
def test_all_but_a_death_leaves_with_qos_0(tmp_path: Path, migrated: Path):
    with mosquitto(tmp_path) as port, sparkplug_host(port) as host:  # rumqttd raises the QoS
        settings = station_settings(tmp_path, port=port, migrated=migrated)
        with running(with_sparkplug(settings, port)), line_plc(port) as plc:
            begin(plc, host)
            plc.trigger("r1")
            host.part("r1")
            host.await_("NDATA", wanted=lambda told: "Parts/Yield" in told.values)
        host.await_("NDEATH")
    by_kind = {told.kind: told.qos for told in host.told}
    assert by_kind == {"NBIRTH": 0, "DBIRTH": 0, "NDATA": 0, "DDATA": 0, "NDEATH": 1}


def test_every_connection_has_the_next_number(station: StationSettings, host: Host):
    for number in range(3):
        count = len(host.told)
        with running(station):
            birth = host.await_("NBIRTH", after=count)
            assert birth.values["bdSeq"] == number
        host.await_("NDEATH", after=count)


def test_a_lost_camera_dies_and_is_born_again_when_it_is_back(
    station: StationSettings, plc: LinePlc, host: Host
):
    folder = station.cameras[0].folder
    assert folder is not None
    with running(station):
        plc.await_state("Ready")
        host.await_("DBIRTH", "camera-top")
        folder.rename(folder.with_name("unmounted"))
        host.await_("DDEATH", "camera-top")
        plc.trigger("r1")
        held = host.part("r1")  # parts go on being told
        assert held.values["Part/Reason"] == "CAMERA_LOST"
        count = len(host.told)
        folder.with_name("unmounted").rename(folder)
        host.await_("DBIRTH", "camera-top", after=count)


def test_a_killed_station_is_declared_dead_by_the_broker(
    station: StationSettings, plc: LinePlc, host: Host, tmp_path: Path
):
    with station_processes(station, tmp_path) as stations:
        for number in range(2):
            count = len(host.told)
            plc.seen.clear()
            pid = stations.start()
            assert host.await_("NBIRTH", after=count).values["bdSeq"] == number
            plc.await_state("Ready")
            plc.trigger(f"r{number}")
            host.part(f"r{number}")
            os.kill(pid, signal.SIGKILL)
            stations.exit_code()
            assert host.await_("NDEATH", after=count).values == {"bdSeq": number}
            assert not host.is_online


# --- commands ---------------------------------------------------------------------------------


def test_a_host_that_asks_is_given_all_births_again(
    station: StationSettings, plc: LinePlc, host: Host
):
    with running(station):
        plc.await_state("Ready")
        plc.trigger("r1", part_id="BAD")
        host.part("r1")
        host.await_("DBIRTH", "camera-top")
        count = len(host.told)
        host.command("Node Control/Rebirth", True)
        assert host.await_("NBIRTH", after=count).values["bdSeq"] == 0
        # the newest part is how things are now
        assert host.await_("DBIRTH", "inspection", after=count).values["Part/Decision"] == "FAIL"
        host.await_("DBIRTH", "camera-top", after=count)
        plc.trigger("r2")
        assert not host.part("r2", after=count).is_historical
    assert [part.values["Part/Request Id"] for part in host.parts()] == ["r1", "r2"]


def test_other_commands_and_those_of_the_past_do_nothing(
    station: StationSettings, plc: LinePlc, host: Host
):
    host.command("Node Control/Rebirth", True, retain=True)
    with running(station):
        plc.await_state("Ready")
        host.await_("DBIRTH", "camera-top")
        host.command("Node Control/Rebirth", False)
        host.command("Node Control/Reboot", True)
        for payload in (b"\xff", b"", b"{}"):
            host.write(f"spBv1.0/{GROUP}/NCMD/{NODE}", payload)
        plc.trigger("r1")
        host.part("r1")
    assert [told.kind for told in host.told].count("NBIRTH") == 1


@example_settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_no_command_breaks_the_reader(payload: bytes):
    with contextlib.suppress(MessageError):
        decode_command(payload)


# --- nothing lost -----------------------------------------------------------------------------


def test_parts_of_an_outage_follow_in_order_as_history_with_their_own_times(
    station: StationSettings, plc: LinePlc, host: Host
):
    """The primary host is away: parts go on, and wait."""
    port = station.mqtt.port
    with running(with_sparkplug(station, port, primary_host="scada")):
        plc.await_state("Ready")
        numbers = range(1, 24)
        for number in numbers:
            plc.trigger(f"r{number}")
            plc.result(f"r{number}")
        recorded(plc, "r23")
        host.read()
        assert host.told == []
        host.say_state("scada", online=True, at_ms=1000)
        last = host.part("r23")
        assert last.is_historical
        plc.trigger("live")
        assert not host.part("live").is_historical
    history = [part for part in host.parts() if part.is_historical]
    assert [part.values["Part/Request Id"] for part in history] == [f"r{n}" for n in numbers]
    times = [part.times_ms.pop() for part in history]
    assert times == sorted(times)
    assert len(set(times)) > 1


def test_parts_that_wait_too_long_for_a_host_are_an_alarm(station: StationSettings, plc: LinePlc):
    waits = with_sparkplug(station, station.mqtt.port, primary_host="scada").model_dump()
    waits |= {"outbox_old_s": 0.5, "alarms": {"own": {"outbox_old": {"on_delay_s": 0}}}}
    with running(StationSettings.model_validate(waits)):
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.await_message("alarm/outbox_old", lambda payload: b"records for Sparkplug" in payload)


def test_a_primary_host_that_goes_offline_ends_the_session(
    station: StationSettings, plc: LinePlc, host: Host
):
    with running(with_sparkplug(station, station.mqtt.port, primary_host="scada")):
        host.say_state("scada", online=True, at_ms=2000)
        first = host.await_("NBIRTH")
        host.say_state("scada", online=False, at_ms=1999)  # a last will that came late
        host.say_state("scada", online=False, at_ms=3000)
        assert host.await_("NDEATH").values == {"bdSeq": first.values["bdSeq"]}
        plc.await_state("Ready")
        plc.trigger("r1")
        recorded(plc, "r1")
        count = len(host.told)
        host.say_state("scada", online=True, at_ms=4000)
        again = host.await_("NBIRTH", after=count)
        assert again.values["bdSeq"] == 1
        assert host.part("r1").is_historical


@pytest.mark.parametrize(
    "at_ms", [253_402_300_799_000, 2**63, 10**300], ids=["9999", "2^63", "10^300"]
)
def test_a_primary_host_whose_clock_was_wrong_once_is_still_heard(
    station: StationSettings, host: Host, at_ms: int
):
    with running(with_sparkplug(station, station.mqtt.port, primary_host="scada")):
        host.say_state("scada", online=True, at_ms=at_ms)
        birth = host.await_("NBIRTH")
        host.say_state("scada", online=False, at_ms=int(datetime.now(UTC).timestamp() * 1000) + 1)
        assert host.await_("NDEATH").values == {"bdSeq": birth.values["bdSeq"]}


def test_a_broker_that_restarts_gets_the_rest_and_no_more_than_once_too_often(
    tmp_path: Path, migrated: Path
):
    with contextlib.ExitStack() as stack:
        with broker() as first:
            settings = station_settings(tmp_path, port=first.port, migrated=migrated)
            station = with_sparkplug(settings, first.port)
            stack.enter_context(running(station))
            with line_plc(first.port) as plc, sparkplug_host(first.port) as host:
                plc.await_state("Ready")
                plc.trigger("r1")
                host.part("r1")
                await_that(lambda: kept(station)["record_seq"] == 1)
        with broker(first.port), line_plc(first.port) as plc:
            with sparkplug_host(first.port) as host:
                birth = host.await_("NBIRTH")
                assert birth.values["bdSeq"] == 1
                plc.await_state("Ready")
                plc.trigger("r2")
                host.part("r2")
                assert [part.values["Part/Request Id"] for part in host.parts()] == ["r2"]
                await_that(lambda: kept(station)["record_seq"] == 2)
            stack.pop_all().close()


def test_what_the_broker_has_not_confirmed_is_sent_again_after_a_restart(
    station: StationSettings, plc: LinePlc, host: Host
):
    with running(station):
        plc.await_state("Ready")
        for number in range(3):
            plc.trigger(f"r{number}")
            plc.result(f"r{number}")
    host.await_("NDEATH")
    memory = SparkplugMemory(station.records / "sparkplug.json")
    memory.carried(1)  # as if the station had been killed before the last confirmation
    count = len(host.told)
    with running(station):
        assert host.part("r1", after=count).is_historical
        assert host.part("r2", after=count).is_historical
    assert all(told.values.get("Part/Request Id") != "r0" for told in host.told[count:])


def test_the_past_of_a_station_is_not_told_when_sparkplug_is_switched_on(
    station: StationSettings, plc: LinePlc, host: Host
):
    mqtt = {**station.mqtt.model_dump(), "sparkplug": None}
    with running(StationSettings.model_validate({**station.model_dump(), "mqtt": mqtt})):
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.result("r1")
    plc.seen.clear()
    with running(station):
        plc.await_state("Ready")
        plc.trigger("r2")
        host.part("r2")
    assert [part.values["Part/Request Id"] for part in host.parts()] == ["r2"]


def test_the_sequence_goes_on_at_0_after_255(station: StationSettings, host: Host):
    with contextlib.closing(open_database(station.database)) as database:
        for number in range(270):
            Store(database).record(passed_part(f"r{number}"))
    station.records.mkdir()
    SparkplugMemory(station.records / "sparkplug.json").carried(0)
    with running(station):
        host.part("r269")
    seqs = [told.payload.seq for told in host.told if told.kind != "NDEATH"]
    assert (255, 0) in itertools.pairwise(seqs)  # the host has checked each step


def test_how_far_the_broker_is_stands_on_a_topic_of_the_station(
    station: StationSettings, plc: LinePlc
):
    with running(station):
        plc.await_state("Ready")
        plc.trigger("r1")
        carried = plc.await_message(messages.SPARKPLUG, lambda _payload: True)
    assert messages.decode(messages.Carried, carried.payload).seq == 1
    assert carried.topic == f"{BASE}/sparkplug"


# --- what is kept, written, set ---------------------------------------------------------------


def test_numbers_of_connections_begin_anew_after_255(tmp_path: Path):
    memory = SparkplugMemory(tmp_path / "sparkplug.json")
    seen = []
    for _ in range(258):
        memory.count_connection()
        seen.append(memory.bd_seq)
    assert seen[:2] == [0, 1]
    assert seen[254:] == [254, 255, 0, 1]
    assert SparkplugMemory(tmp_path / "sparkplug.json").bd_seq == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"bd_seq": "x", "record_seq": 1}', "null"])
def test_a_damaged_file_keeps_no_station_from_starting(tmp_path: Path, content: str):
    (tmp_path / "sparkplug.json").write_text(content)
    memory = SparkplugMemory(tmp_path / "sparkplug.json")
    assert memory.record_seq is None


def test_text_that_is_no_unicode_is_written_anyway():
    at = datetime(2026, 11, 23, tzinfo=UTC)
    metric = Metric(name="a", datatype=DataType.STRING, value="\ud83d grün", at=at)
    message = payload_type()()
    message.ParseFromString(encode((metric,), at=at, seq=0))
    assert message.metrics[0].string_value == "? grün"


@pytest.mark.parametrize("group", ["", "a/b", "a+", "#", "x" * 65])
def test_a_group_must_be_a_level_of_a_topic(group: str):
    with pytest.raises(ValidationError):
        SparkplugSettings(group=group)
