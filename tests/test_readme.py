"""README says what there is: commands, reasons, settings, exit codes, topics."""

import json
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import typer

from edge import messages
from edge.proof.faults import KINDS
from inspector import errors, settings
from inspector.alarm_settings import AlarmRule, AlarmSettings, PlcAlertSettings
from inspector.cli import app, cameras_app, db_app, evaluate_app, train_app
from inspector.domain import Reason

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "configs/README.md").read_text()
SCHEMAS = Path(messages.__file__).parent / "schemas"
TABLES = {
    "## Station": settings.StationSettings,
    "## A camera: `cameras`": settings.CameraSettings,
    "## Broker: `mqtt`": settings.MqttSettings,
    "## Sparkplug: `mqtt.sparkplug`": settings.SparkplugSettings,
    "## Alarms: `alarms`": AlarmSettings,
    "### An entry of `own`, and of `plc` too": AlarmRule,
    "### What only an entry of `plc` has": PlcAlertSettings,
    "## Recipe": settings.RecipeSettings,
    "## Detector: `detector`": settings.DetectorSettings,
    "## Registration: `registration`": settings.RegistrationSettings,
    "## Frame: `frame`": settings.FrameSettings,
    "## A zone: `zones`": settings.ZoneSettings,
    "## A text field: `text_fields`": settings.TextFieldSettings,
    "## Standard": settings.StandardSettings,
    "## A clause: `clauses`": settings.ClauseSettings,
}


def command_names():
    for prefix, group in (("", app), ("train ", train_app), ("evaluate ", evaluate_app)):
        for command in group.registered_commands:
            yield prefix + (command.name or command.callback.__name__)
    for command in cameras_app.registered_commands:
        yield f"cameras {command.name}"
    for command in db_app.registered_commands:
        yield "db " + (command.name or command.callback.__name__)


def shown_commands():
    for block in re.findall(r"^```(?:sh)?\n(.*?)^```", README, flags=re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"(?:\$ )?inspector (.+)", line):
                yield found.group(1)


@pytest.mark.parametrize("shown", list(shown_commands()))
def test_every_command_shown_is_one_with_its_options(shown):
    command = typer.main.get_command(app)
    arguments = shlex.split(shown, comments=True)
    while hasattr(command, "commands"):
        command = command.commands[arguments.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


@pytest.mark.parametrize("command", sorted(command_names()))
def test_every_command_is_shown(command):
    assert f"inspector {command}" in README or f"`{command}`" in README


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_says_what_to_do(reason):
    row = re.search(rf"^\| `{reason}` \|(.+)\|(.+)\|$", README, flags=re.MULTILINE)
    assert row is not None
    assert len(row.group(2).strip()) > 10


@pytest.mark.parametrize(("heading", "tree"), list(TABLES.items()))
def test_the_table_of_settings_has_the_keys_that_there_are(heading, tree):
    section = SETTINGS.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    listed = re.findall(r"^\| `(\w+)` \| (.+?) \|", section, flags=re.MULTILINE)
    common = AlarmRule.model_fields if tree is PlcAlertSettings else {}
    fields = {name: field for name, field in tree.model_fields.items() if name not in common}
    assert [name for name, _ in listed] == list(fields)
    required = {name for name, default in listed if default == "required"}
    assert required == {name for name, field in fields.items() if field.is_required()}


@pytest.mark.parametrize(
    ("topic", "payload"),
    re.findall(r"^([a-z/.]+) +(\{.+\})$", README, flags=re.MULTILINE),
)
def test_every_payload_shown_keeps_to_the_contract(topic, payload):
    name = {"cmd/alarm": "alarm_command", "alarm/plc.guard": "alarm"}.get(topic)
    schema = json.loads((SCHEMAS / f"{name or topic.rpartition('/')[2]}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(payload))


def test_a_payload_of_every_topic_of_a_plc_is_shown():
    shown = set(re.findall(r"^([a-z/.]+) +\{", README, flags=re.MULTILINE))
    wanted = {path.stem for path in SCHEMAS.glob("*.json")} - {
        "record",
        "selftest",
        "sparkplug",
        "alarm",
        "alarm_command",
    }
    assert {topic.rpartition("/")[2] for topic in shown} >= wanted | {"alarm", "plc.guard"}


def test_every_exit_code_is_explained():
    codes = {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.InspectorError)
    }
    for code in codes:
        assert f"| {code} |" in README


def test_every_reason_is_reached_by_name_only():
    rows = re.findall(r"^\| `([A-Z_]+)` \|", README, flags=re.MULTILINE)
    assert set(rows) == {reason.value for reason in Reason}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_fault_of_the_proof_is_named(kind):
    assert f"| `{kind}` | {KINDS[kind]} |" in README


def test_every_topic_is_named():
    topics = {
        value
        for name, value in vars(messages).items()
        if name.isupper() and isinstance(value, str) and "." not in value
    } - {"inspected_on"}
    for topic in topics:
        assert f"`<base>/{topic}" in README, topic
