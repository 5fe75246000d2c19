"""What a plant gets wrong: one clear line each (expected, found, remedy), and nothing passes."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from brokers import Certificates, free_port, mosquitto, needs_mosquitto, needs_openssl
from edge_builders import FakeInspector, LinePlc, await_that, line_plc, running
from test_mqtt_access import PASSWD, tls_rules, users

from edge import messages, recipe_watch
from edge.mqtt import Link
from edge.presence import state_message
from edge.recipe_watch import RecipeWatch
from edge.units import NS_PER_S
from inspector.cli.station import check_station, run_station
from inspector.errors import BrokerError, SettingsError
from inspector.settings import MqttSettings, StationSettings, load_recipe

needs_passwd = pytest.mark.skipif(PASSWD is None, reason="mosquitto_passwd is not installed")


def with_broker(settings: StationSettings, port: int, **mqtt: object) -> StationSettings:
    return StationSettings.model_validate(
        {**settings.model_dump(), "mqtt": {"port": port, "keepalive_s": 2, **mqtt}}
    )


def is_one_clear_line(said: str) -> bool:
    return "\n" not in said and "expected " in said and "found " in said and "; " in said


def refused(settings: StationSettings) -> str:
    with pytest.raises(BrokerError) as error, running(settings):
        pass
    assert is_one_clear_line(str(error.value)), error.value
    return str(error.value)


def details(settings: StationSettings, kind: str) -> list[str]:
    with contextlib.closing(
        sqlite3.connect(settings.database.removeprefix("sqlite:///"))
    ) as database:
        found = database.execute("SELECT detail FROM station_events WHERE kind = ?", (kind,))
        return [detail for (detail,) in found]


def detail_of(settings: StationSettings, request_id: str) -> str:
    with contextlib.closing(
        sqlite3.connect(settings.database.removeprefix("sqlite:///"))
    ) as database:
        asked = "SELECT detail FROM inspections WHERE request_id = ?"
        return str(database.execute(asked, (request_id,)).fetchone()[0])


@needs_mosquitto
@needs_passwd
def test_wrong_credentials_keep_the_station_from_starting(
    tmp_path: Path, settings: StationSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEST_MQTT_PASSWORD", "wrong")
    with mosquitto(tmp_path, *users(tmp_path, "line1-cell4")) as port:
        said = refused(
            with_broker(settings, port, username="line1-cell4", password_env="TEST_MQTT_PASSWORD")
        )
    assert "to accept user 'line1-cell4'" in said
    assert "correct mqtt.username and the password" in said
    assert "wrong" not in said


@needs_mosquitto
@needs_passwd
def test_a_password_that_is_changed_under_a_running_station_is_said_once(
    tmp_path: Path,
    settings: StationSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setenv("TEST_MQTT_PASSWORD", "line1-cell4")
    port = free_port()
    secret = with_broker(settings, port, username="line1-cell4", password_env="TEST_MQTT_PASSWORD")
    with contextlib.ExitStack() as first:
        first.enter_context(mosquitto(tmp_path, *users(tmp_path, "line1-cell4"), at_port=port))
        with running(secret) as station, caplog.at_level(logging.WARNING, "edge.mqtt"):
            await_that(lambda: station._state()[0] == "Ready")
            first.close()
            assert PASSWD is not None
            subprocess.run([PASSWD, "-b", tmp_path / "passwords", "line1-cell4", "new"], check=True)
            rules = ("allow_anonymous false", f"password_file {tmp_path / 'passwords'}")
            with mosquitto(tmp_path, *rules, at_port=port):
                await_that(lambda: "to accept user 'line1-cell4'" in caplog.text)
                assert station._state()[0] == "Preoperational"


@needs_mosquitto
@needs_openssl
def test_an_expired_certificate_of_the_broker_keeps_the_station_from_starting(
    tmp_path: Path, settings: StationSettings
):
    certificates = Certificates(tmp_path)
    with mosquitto(tmp_path, *tls_rules(certificates, days=-1)) as port:
        said = refused(with_broker(settings, port, tls=True, ca_file=certificates.ca))
    assert "certificate has expired; renew the certificate" in said


@needs_mosquitto
@needs_openssl
def test_an_expired_certificate_of_the_station_keeps_it_from_starting(
    tmp_path: Path, settings: StationSettings
):
    certificates = Certificates(tmp_path)
    certificate, key = certificates.signed("line1-cell4", days=-1)
    rules = tls_rules(
        certificates, "require_certificate true", "use_identity_as_username true",
        "allow_anonymous false",
    )  # fmt: skip
    with mosquitto(tmp_path, *rules) as port:
        said = refused(
            with_broker(
                settings,
                port,
                tls=True,
                ca_file=certificates.ca,
                cert_file=certificate,
                key_file=key,
            )
        )
    assert "certificate" in said


@needs_mosquitto
@pytest.mark.parametrize("keeps", [False, True])
def test_a_broker_without_persistence_is_noticed_when_it_comes_back(
    tmp_path: Path, settings: StationSettings, keeps: bool
):
    rules = ["allow_anonymous true"]
    if keeps:
        (tmp_path / "kept").mkdir()
        rules += ["persistence true", f"persistence_location {tmp_path / 'kept'}/"]
        rules += ["autosave_on_changes true", "autosave_interval 1"]
    port = free_port()
    with contextlib.ExitStack() as first:
        first.enter_context(mosquitto(tmp_path, *rules, at_port=port))
        plc = first.enter_context(line_plc(port))
        with running(with_broker(settings, port)) as station:
            plc.await_state("Ready")
            plc.trigger("r1")
            plc.result("r1")
            if keeps:
                await_that(lambda: (tmp_path / "kept" / "mosquitto.db").is_file())
            first.close()
            with mosquitto(tmp_path, *rules, at_port=port), line_plc(port) as again:
                again.await_message(messages.RESULT_LAST, lambda payload: b'"r1"' in payload)
                await_that(lambda: station._line.reconnects > 0 and station._state()[0] == "Ready")
                again.trigger("r2")
                assert again.result("r2").decision == "PASS"
    said = details(settings, "BROKER_FORGOT")
    if keeps:
        assert said == []
    else:
        (line,) = said
        assert is_one_clear_line(line)


def test_a_second_station_of_one_id_is_refused_and_the_first_goes_on(
    settings: StationSettings, plc: LinePlc, tmp_path: Path
):
    with running(settings):
        plc.await_state("Ready")
        twin = StationSettings.model_validate(
            {**settings.model_dump(), "records": tmp_path / "elsewhere"}
        )
        said = refused(twin)
        assert "expected no other station 'line1'" in said
        assert "found one alive under qc/line1; stop it" in said
        plc.trigger("r1")
        assert plc.result("r1").decision == "PASS"
        assert plc.count(messages.RESULT) == 1


@needs_mosquitto
def test_a_station_whose_place_is_taken_holds_its_part_and_ends(
    tmp_path: Path, settings: StationSettings, caplog: pytest.LogCaptureFixture
):
    gate = threading.Event()
    with mosquitto(tmp_path) as port, line_plc(port) as plc:
        ours = with_broker(settings, port)
        with running(ours, lambda: FakeInspector(gate), expected_code=1):
            plc.await_state("Ready")
            plc.trigger("r1")
            plc.await_message(messages.ACQUIRED, lambda payload: b'"r1"' in payload)
            twin = Link(MqttSettings(port=port), client_id="line1-line")
            twin.start()
            twin.publish(state_message(plc.base, "twin", online=1, state="Ready", detail=""))
            answer = plc.result("r1")
            gate.set()
            twin.stop()
    assert (answer.decision, answer.reason) == ("HOLD", "STOPPING")
    (said,) = {r.message for r in caplog.records if "that took its place" in r.message}
    assert is_one_clear_line(said)


def test_a_recipe_that_is_changed_mid_part_holds_it_until_it_is_put_back(
    settings: StationSettings, plc: LinePlc
):
    gate = threading.Event()
    recipe = Path(settings.recipes[0])
    loaded = recipe.read_text()
    with running(settings, lambda: FakeInspector(gate)) as station:
        plc.await_state("Ready")
        plc.trigger("r1")
        plc.await_message(messages.ACQUIRED, lambda payload: b'"r1"' in payload)
        recipe.write_text(loaded + "minor: note\n")
        await_that(lambda: station._recipe_watch.why_switched("plate") is not None)
        gate.set()
        answer = plc.result("r1")
        assert (answer.decision, answer.reason) == ("HOLD", "UNKNOWN_RECIPE")
        recipe.write_text(loaded)
        await_that(lambda: station._recipe_watch.why_switched("plate") is None)
        plc.trigger("r2")
        assert plc.result("r2").decision == "PASS"
    assert is_one_clear_line(detail_of(settings, "r1"))
    (said,) = details(settings, "RECIPE_CHANGED")
    assert said == detail_of(settings, "r1")


def test_a_standard_that_is_changed_holds_the_part_as_well(settings: StationSettings, plc: LinePlc):
    standard = Path(settings.recipes[0]).with_name("std.yaml")
    with running(settings) as station:
        plc.await_state("Ready")
        standard.write_text(standard.read_text() + "# stricter\n")
        await_that(lambda: station._recipe_watch.why_switched("plate") is not None)
        plc.trigger("r1")
        assert plc.result("r1").reason == "UNKNOWN_RECIPE"


def test_a_changed_recipe_that_is_then_taken_away_still_holds_its_parts(settings: StationSettings):
    path = Path(settings.recipes[0])
    watch = RecipeWatch((load_recipe(settings.recipes[0]),))
    loaded = path.read_text()
    path.write_text(loaded + "minor: note\n")
    watch.look()
    path.unlink()
    watch.look()
    assert watch.why_switched("plate") is not None
    path.write_text(loaded)
    watch.look()
    assert watch.why_switched("plate") is None


@pytest.mark.parametrize("name", ["plate.yaml", "std.yaml"])
def test_a_recipe_that_stays_away_holds_its_parts_until_it_is_back(
    settings: StationSettings, name: str
):
    path = Path(settings.recipes[0]).with_name(name)
    loaded = path.read_text()
    now_ns = 0
    told: list[str] = []
    watch = RecipeWatch(
        (load_recipe(settings.recipes[0]),), changed=told.append, clock_ns=lambda: now_ns
    )
    path.unlink()
    watch.look()
    now_ns = 5 * NS_PER_S
    watch.look()
    assert watch.why_switched("plate") is None, "an editor may be writing it"
    now_ns += 1
    watch.look()
    watch.look()
    assert told == [watch.why_switched("plate")]
    assert str(path) in told[0]
    assert is_one_clear_line(told[0])
    path.write_text(loaded)
    watch.look()
    assert watch.why_switched("plate") is None
    path.unlink()
    now_ns += 5 * NS_PER_S
    watch.look()
    assert watch.why_switched("plate") is None, "it is away for the first time again"


def test_a_station_whose_recipe_was_deleted_passes_nothing(
    settings: StationSettings, plc: LinePlc, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recipe_watch, "GONE_AFTER_S", 0.1)
    recipe = Path(settings.recipes[0])
    with running(settings) as station:
        plc.await_state("Ready")
        recipe.unlink()
        await_that(lambda: station._recipe_watch.why_switched("plate") is not None)
        plc.trigger("r1")
        answer = plc.result("r1")
    assert (answer.decision, answer.reason) == ("HOLD", "UNKNOWN_RECIPE")
    assert details(settings, "RECIPE_CHANGED") == [detail_of(settings, "r1")]


def test_a_request_that_names_another_recipe_mid_part_is_refused(
    settings: StationSettings, plc: LinePlc
):
    gate = threading.Event()
    with running(settings, lambda: FakeInspector(gate)):
        plc.await_state("Ready")
        plc.trigger("r1", recipe="plate")
        plc.await_message(messages.ACQUIRED, lambda payload: b'"r1"' in payload)
        plc.trigger("r1", recipe="other")
        assert plc.rejected("r1").reason == "DUPLICATE_ID"
        gate.set()
        assert plc.result("r1").decision == "PASS"


def test_a_trigger_from_yesterday_is_refused(settings: StationSettings, plc: LinePlc):
    with running(settings):
        plc.await_state("Ready")
        plc.trigger("r1", ts=datetime.now(UTC) - timedelta(days=1))
        refusal = plc.rejected("r1")
        assert refusal.reason == "STALE"
        assert is_one_clear_line(refusal.detail)
        plc.trigger("r2", ts=datetime.now(UTC))
        assert plc.result("r2").decision == "PASS"
        assert plc.count(messages.RESULT) == 1


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing yet\n", "---\n"])
def test_an_empty_station_file_is_said_in_one_line(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "station.yaml"
    file.write_text(content)
    assert check_station(file) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"{file}:1: ")
    assert is_one_clear_line(said)
    with pytest.raises(SettingsError) as error:
        run_station(file)
    assert error.value.exit_code == 2
