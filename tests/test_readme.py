"""README says what there is: commands, reasons, settings, exit codes, topics."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from edge import messages
from edge.proof.faults import KINDS
from inspector import alarm_settings, errors, settings
from inspector.cli import app, cameras_app, db_app, evaluate_app, train_app
from inspector.domain import Reason

README = (Path(__file__).parent.parent / "README.md").read_text()


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


@pytest.mark.parametrize(
    "tree",
    [
        settings.StationSettings,
        settings.CameraSettings,
        settings.MqttSettings,
        settings.SparkplugSettings,
        alarm_settings.AlarmSettings,
        alarm_settings.AlarmRule,
        alarm_settings.PlcAlertSettings,
        settings.RecipeSettings,
        settings.DetectorSettings,
        settings.FrameSettings,
        settings.StandardSettings,
        settings.ClauseSettings,
    ],
)
def test_every_setting_is_named(tree):
    for name in tree.model_fields:
        assert re.search(rf"[`\s]{name}[`\s]", README), f"{tree.__name__}.{name}"


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
