"""Getting in, being heard, being told: TLS, certificates, access lists, a broker that hangs."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from brokers import Certificates, mosquitto, needs_mosquitto, needs_openssl
from edge_builders import WAIT_S, LinePlc, await_that, running
from sparkplug_host import sparkplug_host
from typer.testing import CliRunner

from edge import messages
from edge.mqtt import Link, Message
from inspector.alarms import AlarmState
from inspector.cli import app
from inspector.errors import BrokerError
from inspector.settings import MqttSettings, SparkplugSettings, StationSettings

PASSWD = shutil.which("mosquitto_passwd")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def tls_rules(certificates: Certificates, *more: str, days: int = 2) -> tuple[str, ...]:
    certificate, key = certificates.signed(f"broker{days}", days=days)
    return (
        f"cafile {certificates.ca}",
        f"certfile {certificate}",
        f"keyfile {key}",
        *(more or ("allow_anonymous true",)),
    )


@needs_mosquitto
@needs_openssl
def test_a_broker_with_a_good_certificate_is_spoken_to(tmp_path: Path, certificates: Certificates):
    with mosquitto(tmp_path, *tls_rules(certificates)) as port:
        settings = MqttSettings(port=port, tls=True, ca_file=certificates.ca)
        link = Link(settings, client_id="a", subscribe=("t/1",))
        link.start()
        try:
            link.publish(Message(topic="t/1", payload=b"hello"))
            assert link.arrivals.get(timeout=WAIT_S).payload == b"hello"
        finally:
            link.stop()


@needs_mosquitto
@needs_openssl
def test_an_expired_certificate_is_said_in_one_line(tmp_path: Path, certificates: Certificates):
    with (
        mosquitto(tmp_path, *tls_rules(certificates, days=-1)) as port,
        pytest.raises(BrokerError, match="found certificate has expired; renew") as refused,
    ):
        Link(MqttSettings(port=port, tls=True, ca_file=certificates.ca), client_id="a").start()
    assert "\n" not in str(refused.value)


@needs_mosquitto
@needs_openssl
def test_a_station_may_show_a_certificate_in_place_of_a_password(
    tmp_path: Path, certificates: Certificates
):
    certificate, key = certificates.signed("line1-cell4")
    rules = tls_rules(
        certificates, "require_certificate true", "use_identity_as_username true",
        "allow_anonymous false",
    )  # fmt: skip
    with mosquitto(tmp_path, *rules) as port:
        known = MqttSettings(
            port=port, tls=True, ca_file=certificates.ca, cert_file=certificate, key_file=key
        )
        link = Link(known, client_id="a")
        link.start()
        link.stop()
        with pytest.raises(BrokerError):
            Link(MqttSettings(port=port, tls=True, ca_file=certificates.ca), client_id="b").start()


def test_a_certificate_file_that_is_none_is_named(tmp_path: Path):
    (tmp_path / "ca.crt").write_text("no certificate")
    with pytest.raises(BrokerError, match=r"expected .*ca\.crt to hold certificate and key"):
        Link(MqttSettings(tls=True, ca_file=tmp_path / "ca.crt"), client_id="a").start()


def users(folder: Path, *names: str) -> tuple[str, ...]:
    """Return the rules of a broker that knows these users, their name being the password."""
    assert PASSWD is not None
    (folder / "passwords").touch()
    for name in names:
        subprocess.run([PASSWD, "-b", folder / "passwords", name, name], check=True)
    return ("allow_anonymous false", f"password_file {folder / 'passwords'}")


def shipped_acl(folder: Path, base: str) -> Path:
    """Write the access list that ships, for another base."""
    shipped = Path(__file__).parents[2] / "configs" / "broker" / "inspector.acl"
    text = shipped.read_text().replace("plant/site1/area2/line1/cell4/vqi/line1-cell4", base)
    (folder / "acl").write_text(text.replace("plant/+/+/+/+/vqi/+", base))
    return folder / "acl"


def secured(settings: StationSettings, port: int, **more: object) -> StationSettings:
    mqtt = {"port": port, "username": "line1-cell4", "password_env": "TEST_MQTT_PASSWORD", **more}
    return StationSettings.model_validate({**settings.model_dump(), "mqtt": mqtt})


@contextlib.contextmanager
def plc_as(port: int, user: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEST_PLC_PASSWORD", user)
    link = Link(
        MqttSettings(port=port, username=user, password_env="TEST_PLC_PASSWORD"),
        client_id=f"test-{user}",
        subscribe=("qc/line1/state", "qc/line1/evt/+", "qc/line1/record", "qc/line1/alarm/#"),
    )
    link.start()
    try:
        yield LinePlc(link)
    finally:
        link.stop()


@needs_mosquitto
@pytest.mark.skipif(PASSWD is None, reason="mosquitto_passwd is not installed")
def test_the_shipped_access_list_lets_a_line_work(
    tmp_path: Path, settings: StationSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEST_MQTT_PASSWORD", "line1-cell4")
    rules = (
        *users(tmp_path, "line1-cell4", "plc-line1", "mes"),
        f"acl_file {shipped_acl(tmp_path, 'qc/line1')}",
    )
    with (
        mosquitto(tmp_path, *rules) as port,
        plc_as(port, "plc-line1", monkeypatch) as plc,
        plc_as(port, "mes", monkeypatch) as mes,
        running(secured(settings, port)),
    ):
        plc.await_state("Ready")
        plc.trigger("r1")
        assert plc.result("r1").request_id == "r1"
        mes.await_message(messages.RECORD, lambda payload: b'"r1"' in payload)
        order = messages.ReplayOrder(after_seq=0)
        replay = Message(topic="qc/line1/cmd/replay", payload=messages.encode_command(order))
        mes.link.publish(replay)
        mes.await_message(messages.RECORD, lambda payload: b'"replayed": true' in payload)


@needs_mosquitto
@needs_openssl
@pytest.mark.skipif(PASSWD is None, reason="mosquitto_passwd is not installed")
def test_the_command_plays_the_plc_at_a_broker_with_tls_users_and_the_access_list(
    tmp_path: Path,
    settings: StationSettings,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("TEST_MQTT_PASSWORD", "line1-cell4")
    monkeypatch.setenv("PLC_PASSWORD", "plc-line1")
    parts = tmp_path / "parts.jsonl"
    parts.write_text('{"part_id": "GOOD"}\n{"part_id": "BAD"}\n')
    rules = (
        *tls_rules(certificates, *users(tmp_path, "line1-cell4", "plc-line1")),
        f"acl_file {shipped_acl(tmp_path, 'qc/line1')}",
    )
    secret = ["--username=plc-line1", "--password-env=PLC_PASSWORD"]
    with (
        mosquitto(tmp_path, *rules) as port,
        running(secured(settings, port, tls=True, ca_file=certificates.ca)),
    ):
        asked = ["plc", f"--parts={parts}", f"--port={port}", "--base=qc/line1", *secret]
        done = CliRunner().invoke(app, [*asked, "--tls", f"--ca-file={certificates.ca}"])
    assert done.exit_code == 0, done.output
    assert "2 triggers: 1 PASS, 1 FAIL, 0 HOLD" in done.output


@pytest.mark.parametrize(
    ("options", "named"),
    [(["--base=a b"], "--base: "), (["--ca-file=ca.crt"], "--tls: ")],
)
def test_the_command_that_plays_the_plc_names_a_wrong_option(options: list[str], named: str):
    done = CliRunner().invoke(app, ["plc", "--parts=none.jsonl", *options])
    assert done.exit_code == 2
    assert named in done.output


@needs_mosquitto
@pytest.mark.skipif(PASSWD is None, reason="mosquitto_passwd is not installed")
def test_only_whom_the_shipped_access_list_names_may_command_alarms(
    tmp_path: Path, settings: StationSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEST_MQTT_PASSWORD", "line1-cell4")
    alerts = "plant/site1/area2/line1/cell4/plc/guard"
    alarms = {"plc": [{"name": "guard", "filter": alerts, "shape": "scalar", "effect": "hold"}]}
    rules = (
        *users(tmp_path, "line1-cell4", "plc-line1", "panel-line1", "mes"),
        f"acl_file {shipped_acl(tmp_path, 'qc/line1')}",
    )
    with (
        mosquitto(tmp_path, *rules) as port,
        plc_as(port, "plc-line1", monkeypatch) as plc,
        plc_as(port, "mes", monkeypatch) as mes,
        plc_as(port, "panel-line1", monkeypatch) as panel,
        running(StationSettings.model_validate(
            {**secured(settings, port).model_dump(), "alarms": alarms}
        )) as station,
    ):  # fmt: skip
        plc.await_state("Ready")
        plc.link.publish(Message(topic=alerts, payload=b"1"))
        await_that(lambda: station._desk.alarms.state("guard") is AlarmState.UNACK)
        for intruder in (plc, mes):
            token = command_alarm(intruder, "out_of_service", by="Ana")
            receipt = intruder.link.receipts.get(timeout=WAIT_S)
            while receipt is None or receipt.token != token:
                receipt = intruder.link.receipts.get(timeout=WAIT_S)
            assert not receipt.delivered
        # what is refused never comes: the panel's later word is the first that is heard
        command_alarm(panel, "ack", by="Ana")
        await_that(lambda: station._desk.alarms.state("guard") is not AlarmState.UNACK)
        assert station._desk.alarms.state("guard") is AlarmState.ACKED
        plc.trigger("r1")
        assert plc.result("r1").reason == "ALARM_ACTIVE"
        panel.await_message("alarm/guard", lambda payload: b'"ACKED"' in payload)


def command_alarm(client: LinePlc, action: str, *, by: str) -> int:
    payload = json.dumps({"alarm_id": "guard", "action": action, "by": by, "reason": "test"})
    token = client.link.publish(Message(topic="qc/line1/cmd/alarm", payload=payload.encode()))
    assert token is not None
    return token


@needs_mosquitto
@pytest.mark.skipif(PASSWD is None, reason="mosquitto_passwd is not installed")
def test_the_shipped_access_list_lets_sparkplug_work(
    tmp_path: Path, settings: StationSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEST_MQTT_PASSWORD", "line1-cell4")
    rules = (
        *users(tmp_path, "line1-cell4", "plc-line1", "scada"),
        f"acl_file {shipped_acl(tmp_path, 'qc/line1')}",
    )
    group, node = "area2", "line1-cell4"
    sparkplug = SparkplugSettings(group=group, node=node, primary_host="scada")
    with (
        mosquitto(tmp_path, *rules) as port,
        plc_as(port, "plc-line1", monkeypatch) as plc,
        sparkplug_host(port, user="scada", group=group, node=node) as host,
        running(secured(settings, port, sparkplug=sparkplug)),
    ):
        host.say_state("scada", online=True, at_ms=1)
        plc.await_state("Ready")
        host.await_("DBIRTH", "camera-top")
        plc.trigger("r1")
        host.part("r1")
        count = len(host.told)
        host.command("Node Control/Rebirth", True)
        host.await_("NBIRTH", after=count)
    host.await_("NDEATH")


@needs_mosquitto
@pytest.mark.skipif(PASSWD is None, reason="mosquitto_passwd is not installed")
@pytest.mark.parametrize("missing", ["cmd", "evt"])
def test_a_station_that_may_not_hear_or_speak_says_so_and_is_not_ready(
    tmp_path: Path, settings: StationSettings, monkeypatch: pytest.MonkeyPatch, missing: str
):
    monkeypatch.setenv("TEST_MQTT_PASSWORD", "line1-cell4")
    acl = tmp_path / "acl"
    acl.write_text(
        "user line1-cell4\ntopic readwrite qc/line1/#\n"
        f"topic deny qc/line1/{missing}/#\nuser plc\ntopic readwrite qc/#\n"
    )
    rules = (*users(tmp_path, "line1-cell4", "plc"), f"acl_file {acl}")
    monkeypatch.setattr("edge.selftest.RETRY_S", 0.5)
    with (
        mosquitto(tmp_path, *rules) as port,
        plc_as(port, "plc", monkeypatch) as plc,
        running(secured(settings, port)),
    ):
        state = plc.await_message(
            messages.STATE, lambda payload: b"nothing comes back from" in payload
        )
        told = messages.decode(messages.State, state.payload)
        assert told.state == "Preoperational"
        assert f"qc/line1/{missing}/selftest" in told.detail
        plc.trigger("r1")
        with contextlib.suppress(AssertionError):
            assert plc.rejected("r1").reason == "NOT_READY"


@needs_mosquitto
def test_a_broker_that_hangs_is_given_up_before_its_keepalive(tmp_path: Path):
    with mosquitto(tmp_path) as port:
        pid = int(
            subprocess.run(
                ["pgrep", "-f", str(tmp_path / "mosquitto.conf")], capture_output=True, text=True
            ).stdout.split()[0]
        )
        link = Link(MqttSettings(port=port, keepalive_s=1), client_id="a")
        link.start()
        try:
            import os

            os.kill(pid, signal.SIGSTOP)
            link.publish(Message(topic="t/1", payload=b"hello"))
            await_that(lambda: link.trouble() is not None or not link.is_up)
            link.renew()
            assert not link.is_up
            os.kill(pid, signal.SIGCONT)
            await_that(lambda: link.is_up)
        finally:
            os.kill(pid, signal.SIGCONT)
            link.stop()
