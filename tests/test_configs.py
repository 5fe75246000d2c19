"""What ships in `configs/` loads, agrees with itself and reads as documented."""

import importlib.util
import sys
from pathlib import Path

import pytest
import yaml
from sqlalchemy import make_url

from inspector.checks import KeyedCheck, ReadCheck
from inspector.domain import Severity
from inspector.settings import (
    MqttSettings,
    StationSettings,
    load_recipe,
    load_standard,
    load_station,
)

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"
RECIPES = sorted(path.stem for path in (CONFIGS / "recipes").glob("*.yaml"))
STANDARDS = sorted(path.stem for path in (CONFIGS / "standards").glob("*.yaml"))


def truth_script():
    path = ROOT / "tests/truth/make_truth.py"
    spec = importlib.util.spec_from_file_location("truth_of_the_demo", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while they are made
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", RECIPES)
def test_a_shipped_recipe_loads_with_its_standard(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.standard.clauses


def test_there_are_recipes_for_boards_labels_and_coils():
    assert {"pcb", "label", "coil"} <= set(RECIPES)


@pytest.mark.parametrize("name", ["bare-board", "retail-label"])
def test_a_standard_has_clauses_with_checks_and_clauses_read_from_their_words(name):
    clauses = load_standard(name).clauses
    assert len(clauses) >= 8
    assert sum(isinstance(clause.check, KeyedCheck) for clause in clauses) >= 6
    assert sum(isinstance(clause.check, ReadCheck) for clause in clauses) >= 2
    assert {clause.severity for clause in clauses} == set(Severity)


def test_the_truth_knows_which_clauses_were_read_from_their_words():
    read = {
        clause.id
        for name in STANDARDS
        for clause in load_standard(name).clauses
        if isinstance(clause.check, ReadCheck)
    }
    assert read == truth_script().READ_FROM_WORDS


def test_the_truth_knows_which_clauses_are_only_noted():
    noted = {
        name: {c.id for c in recipe.standard.clauses if c.severity is Severity.MINOR}
        if recipe.settings.minor == "note"
        else set()
        for name in RECIPES
        for recipe in [load_recipe(name)]
    }
    assert noted == truth_script().NOTED


def test_zones_cover_the_frame_and_do_not_overlap():
    recipe = load_recipe("pcb")
    width, height = recipe.settings.frame_size_px
    areas = []
    for zone in recipe.settings.zones:
        xs, ys = zip(*zone.polygon, strict=True)
        areas.append((max(xs) - min(xs)) * (max(ys) - min(ys)))
    assert sum(areas) == width * height


def test_the_demo_station_runs_on_the_samples_with_its_own_broker(monkeypatch):
    monkeypatch.setenv("INSPECTOR_DEMO_MQTT_PORT", "18833")
    station = load_station(CONFIGS / "stations/demo.yaml")
    assert station.mqtt.port == 18833
    assert station.mqtt.host == "127.0.0.1"
    assert (station.cameras[0].folder / "PCB-01.png").is_file()
    assert set(station.recipes) == {"pcb", "label", "coil"}
    assert station.database == "sqlite:///inspector-demo/inspector.db"


def test_the_plant_example_loads_once_its_password_is_set(monkeypatch):
    monkeypatch.setenv("INSPECTOR_DB_PASSWORD", "correct horse")
    station = load_station(CONFIGS / "stations/plant.yaml")
    assert make_url(station.database).password == "correct horse"
    assert station.mqtt.password_env == "INSPECTOR_MQTT_PASSWORD"


def test_the_plant_example_shows_every_setting_of_a_station():
    written = yaml.safe_load((CONFIGS / "stations/plant.yaml").read_text())
    assert set(written) == set(StationSettings.model_fields)
    assert set(written["mqtt"]) == set(MqttSettings.model_fields)
