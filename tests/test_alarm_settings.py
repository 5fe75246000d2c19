"""What a station file says of alarms, and what is refused with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from inspector.alarm_settings import AlarmSettings
from inspector.alarms import Effect, Priority
from inspector.errors import SettingsError
from inspector.settings import load_station

README = (Path(__file__).parent.parent / "README.md").read_text()
STATION = """
station_id: line1
database: sqlite:///station.db
records: records
cameras: [{{id: top, folder: pictures}}]
recipes: [pcb]
alarms:
{alarms}
"""


def load(tmp_path: Path, alarms: str) -> AlarmSettings:
    file = tmp_path / "station.yaml"
    indented = "\n".join(f"  {line}" for line in alarms.splitlines())
    file.write_text(STATION.format(alarms=indented))
    return load_station(file).alarms


def test_what_the_readme_shows_is_a_station_file(tmp_path: Path):
    (shown,) = re.findall(r"^```yaml\n(alarms:.*?)^```", README, flags=re.M | re.S)
    written = yaml.safe_load(shown)["alarms"]
    settings = load(tmp_path, yaml.safe_dump(written))
    assert [rule.name for rule in settings.plc] == ["guard", "kep", "press"]
    assert settings.plc[2].priority is Priority.HIGH


def test_a_file_without_alarms_has_the_stations_own(tmp_path: Path):
    rule = load(tmp_path, "shelve_max_h: 4").rule("camera_lost.top")
    assert (rule.priority, rule.effect, rule.off_delay_s) == (Priority.HIGH, Effect.NOTE, 2)


def test_keys_of_an_own_alarm_replace_the_built_in_ones_and_leave_the_others(tmp_path: Path):
    rule = load(tmp_path, "own: {camera_lost: {effect: hold}}").rule("camera_lost.top")
    assert (rule.priority, rule.effect, rule.off_delay_s) == (Priority.HIGH, Effect.HOLD, 2)


@pytest.mark.parametrize("mode", ["python", "json"])
def test_what_was_read_can_be_written_and_read_again(tmp_path: Path, mode: str):
    settings = load(tmp_path, "own: {camera_lost: {effect: hold}}\nplc: [{name: p, filter: a}]")
    assert AlarmSettings.model_validate(settings.model_dump(mode=mode)) == settings


def test_numbers_may_stand_for_words_where_yaml_reads_numbers(tmp_path: Path):
    rule = "{name: p, filter: a, priority_at: level, priorities: {1: critical}, texts: {7: Air}}"
    (found,) = load(tmp_path, f"plc: [{rule}]").plc
    assert (found.priorities, found.texts) == ({"1": Priority.CRITICAL}, {"7": "Air"})


@pytest.mark.parametrize(
    ("alarms", "said"),
    [
        ("own: {camera_gone: {effect: hold}}", "own.camera_gone"),
        ("own: {camera_lost: {effect: stop}}", "'hold', 'pause' or 'note'"),
        ("own: {camera_lost: {priority: urgent}}", "expected one of critical, high, medium, low"),
        ("plc: [{name: p}]", "plc.0.filter: expected this key"),
        ("plc: [{name: p, filter: a}, {name: p, filter: b}]", "found twice: p"),
        ("plc: [{name: camera_lost, filter: a}]", "other than the station's own"),
        ("yield_limit: 2", "expected at most 1"),
        ("colour: red", "unknown key"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(tmp_path: Path, alarms: str, said: str):
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, alarms)
    (mistake,) = raised.value.mistakes
    assert said in mistake
    assert re.search(r"station\.yaml:\d+: alarms", mistake)
