"""From settings to a station: every mistake in one line, and nothing half built."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pytest
from edge_builders import FakeInspector, running, station_settings

from edge.build import build, check
from edge.examination import InspectorLike
from inspector.cli.station import check_station, run_station
from inspector.errors import (
    BrokerError,
    InspectorError,
    ModelError,
    NotMigrated,
    SettingsError,
    StorageError,
)
from inspector.settings import Recipe, StationSettings


def make_fake(_recipes: tuple[Recipe, ...]) -> InspectorLike:
    return FakeInspector()


def changed(settings: StationSettings, **changes: object) -> StationSettings:
    return StationSettings.model_validate({**settings.model_dump(), **changes})


def test_a_good_station_has_no_mistakes(settings: StationSettings):
    assert check(settings, make_inspector=make_fake) == ()


def test_every_mistake_is_found_at_once(tmp_path: Path, own_port: int):
    settings = station_settings(tmp_path, port=own_port, migrated=None)
    (tmp_path / "file").write_text("")
    mistakes = check(
        changed(
            settings,
            recipes=["/no/such/recipe.yaml"],
            records=tmp_path / "file",
            cameras=[{"id": "top", "folder": tmp_path / "unplugged"}],
            mqtt={"port": 1},
        ),
        make_inspector=make_fake,
    )
    found = "\n".join(mistakes)
    assert len(mistakes) == 5, found
    for words in (
        "/no/such/recipe.yaml: expected a settings file",
        "expected to write",
        "inspector db upgrade",
        "camera top: expected a folder",
        "expected an MQTT broker at 127.0.0.1:1, found none",
    ):
        assert words in found
    assert all("\n" not in mistake for mistake in mistakes)


def test_a_model_that_cannot_be_trusted_is_a_mistake(settings: StationSettings):
    def make(_recipes: tuple[Recipe, ...]) -> InspectorLike:
        raise ModelError("model judge: expected sha256 aa…, found bb…; install it again")

    (mistake,) = check(settings, make_inspector=make)
    assert "expected sha256" in mistake


def refused(settings: StationSettings) -> InspectorError:
    with pytest.raises(InspectorError) as error, running(settings):
        pass
    assert str(error.value).count("\n") <= 1
    return error.value


def test_what_keeps_a_station_from_starting_has_its_own_exit_code(
    settings: StationSettings, tmp_path: Path
):
    nowhere = changed(settings, database=f"sqlite:///{tmp_path / 'none.db'}")
    assert isinstance(refused(nowhere), NotMigrated)
    assert refused(nowhere).exit_code == 5
    no_broker = changed(settings, mqtt={"port": 1})
    assert isinstance(refused(no_broker), BrokerError)
    assert refused(no_broker).exit_code == 6
    assert isinstance(refused(changed(settings, recipes=["nosuch"])), SettingsError)


def test_two_stations_do_not_share_a_record_folder(settings: StationSettings):
    with (
        build(settings, make_inspector=make_fake),
        pytest.raises(StorageError, match="found one running"),
        build(settings, make_inspector=make_fake),
    ):
        pass
    with build(settings, make_inspector=make_fake):
        pass  # free again


def test_each_worker_has_models_of_its_own(settings: StationSettings):
    made: list[InspectorLike] = []

    def make(_recipes: tuple[Recipe, ...]) -> InspectorLike:
        made.append(FakeInspector())
        return made[-1]

    with build(changed(settings, inspect_workers=3), make_inspector=make):
        assert len({id(inspector) for inspector in made}) == 3


def test_two_recipes_of_one_name_are_a_mistake(settings: StationSettings, tmp_path: Path):
    shutil.copytree(tmp_path / "recipes", tmp_path / "others")
    other = str(tmp_path / "others" / "plate.yaml")
    twice = changed(settings, recipes=[*settings.recipes, other])
    with (
        pytest.raises(SettingsError, match="found 'plate' twice"),
        build(twice, make_inspector=make_fake),
    ):
        pass


def test_the_commands_say_what_is_wrong(
    settings: StationSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "station.yaml"
    content = json.loads(settings.model_dump_json())  # JSON is YAML
    content["database"] = f"sqlite:///{tmp_path / 'none.db'}"
    content["recipes"] = ["nosuch"]
    file.write_text(json.dumps(content))
    assert check_station(file) == 1
    said = capsys.readouterr().err
    assert f"{file}:1: recipes: nosuch: expected one of recipes" in said
    assert f"{file}:1: database: " in said
    assert "inspector db upgrade" in said
    with pytest.raises(SettingsError):
        run_station(file)
    file.write_text("station_id: line1\nspeed: 9\n")
    assert check_station(file) == 1
    assert f"{file}:2: speed: unknown key" in capsys.readouterr().err


def test_a_failed_start_leaves_nothing_behind(settings: StationSettings):
    with contextlib.suppress(BrokerError), running(changed(settings, mqtt={"port": 1})):
        pass
    with running(settings):
        pass
