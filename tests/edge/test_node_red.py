"""A PLC that nobody here wrote: Node-RED triggers, actuates and raises an alarm.

Its flow is `node_red/flows.json`. Node-RED is found on the PATH, or where NODE_RED says.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from brokers import free_port
from edge_builders import LinePlc, running, station_settings

from edge.mqtt import Link
from inspector.domain import Decision, Reason
from inspector.settings import MqttSettings

FLOW = Path(__file__).parent / "node_red"
NODE_RED = os.environ.get("NODE_RED") or shutil.which("node-red")
START_WITHIN_S = 120.0

pytestmark = pytest.mark.skipif(
    NODE_RED is None, reason="Node-RED is not installed: npm install -g node-red@4.1"
)


@contextlib.contextmanager
def node_red(folder: Path, *, broker_port: int) -> Iterator[None]:
    shutil.copytree(FLOW, folder)
    environment = {**os.environ, "MQTT_PORT": str(broker_port), "UI_PORT": str(free_port())}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(NODE_RED), "--userDir", str(folder), "--settings", str(folder / "settings.js")],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def test_node_red_runs_a_line_against_the_station(
    tmp_path: Path, own_port: int, migrated: Path, plc: LinePlc
):
    guard = {"name": "guard", "filter": "plant/guard", "effect": "hold"}
    settings = station_settings(
        tmp_path / "station", port=own_port, migrated=None, alarms={"plc": [guard]}
    )
    shutil.copy(migrated, tmp_path / "station" / "station.db")
    gates = Link(MqttSettings(port=own_port), client_id="gates", subscribe=("plant/gate",))
    gates.start()
    try:
        with running(settings), node_red(tmp_path / "node-red", broker_port=own_port):
            plc.await_state("Ready")
            moved = [gates.arrivals.get(timeout=START_WITHIN_S).payload for _ in range(4)]
            answers = [plc.result(f"NR-{number}") for number in range(1, 5)]
    finally:
        gates.stop()
    assert moved == [b"pass", b"reject", b"reject", b"pass"]
    assert [answer.decision for answer in answers] == [
        Decision.PASS,
        Decision.FAIL,
        Decision.HOLD,
        Decision.PASS,
    ]
    assert answers[2].reason is Reason.ALARM_ACTIVE
