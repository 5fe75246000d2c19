"""Settings files: every mistake at once, each with its file, line and key."""

from pathlib import Path
from textwrap import dedent

import pytest
from sqlalchemy import make_url

from inspector.alarm_settings import PlcAlertSettings
from inspector.domain import CodeCheck, DefectCheck
from inspector.errors import SettingsError
from inspector.mistakes import PATTERNS
from inspector.settings import (
    CameraSettings,
    ClauseSettings,
    SparkplugSettings,
    StationSettings,
    TextFieldSettings,
    load_recipe,
    load_standard,
    load_station,
    resolve_asset,
    shipped_configs,
)

STATION = """\
station_id: s1
database: sqlite:///x.db
records: records
cameras:
  - id: top
    folder: pictures
recipes: [pcb]
"""

STANDARD = """\
title: Plates
clauses:
  - id: P1
    text: No scratch is accepted.
    check: {kind: defects, labels: [scratch]}
"""

RECIPE = """\
product: plate
standard: ./plates.yaml
detector: {model: plates}
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(name, text):
    Path(name).write_text(dedent(text))
    return f"./{name}"


def mistakes_of(load, name):
    with pytest.raises(SettingsError) as raised:
        load(name)
    return raised.value.mistakes


def mistakes_of_station(text):
    return mistakes_of(load_station, Path(written("s.yaml", text)))


def mistakes_of_standard(text):
    return mistakes_of(load_standard, written("plates.yaml", text))


def mistakes_of_recipe(text, standard=STANDARD):
    written("plates.yaml", standard)
    return mistakes_of(load_recipe, written("plate.yaml", text))


# --- one line for each mistake ----------------------------------------------------------------


def test_a_station_needs_few_keys():
    station = load_station(Path(written("s.yaml", STATION)))
    assert station.mqtt_base == "qc/s1"
    assert station.cameras[0].folder == Path("pictures")


def test_every_mistake_is_reported_at_once_with_file_line_and_key():
    found = mistakes_of_station(
        """\
        station_id: a station
        database: mysql://here
        records: records
        cameras:
          - id: top
            folder: pictures
            exposure: 3
        recipes: []
        mqtt:
          port: 99999
          pasword: secret
        """
    )
    assert [line.split(": ")[0] + ": " + line.split(": ")[1] for line in found] == [
        "s.yaml:1: station_id",
        "s.yaml:2: database",
        "s.yaml:7: cameras.0.exposure",
        "s.yaml:8: recipes",
        "s.yaml:10: mqtt.port",
        "s.yaml:11: mqtt.pasword",
    ]


def test_an_unknown_key_is_called_unknown():
    assert mistakes_of_station(STATION + "colour: blue\n") == (
        "s.yaml:8: colour: unknown key; check its spelling or remove it",
    )


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("deadlineMs: 800", "s.yaml:8: deadlineMs: unknown key; did you mean 'deadline_ms'?"),
        ("mqtt: {hots: a}", "s.yaml:8: mqtt.hots: unknown key; did you mean 'host'?"),
        ("ack_within_ms: 3", "s.yaml:8: ack_within_ms: unknown key; it belongs under mqtt"),
        ("alarms: {plc: [{name: a, filtre: b}]}", "unknown key; did you mean 'filter'?"),
        ("group: area2", "s.yaml:8: group: unknown key; it belongs under mqtt.sparkplug"),
        (
            "deadline_ms: 800 ms",
            "s.yaml:8: deadline_ms: expected a whole number, found '800 ms'; write the number "
            "alone, the key names its unit",
        ),
        ("queue_size: 0", "s.yaml:8: queue_size: expected at least 1, found 0"),
        ("mqtt: {port: 99999}", "s.yaml:8: mqtt.port: expected at most 65535, found 99999"),
        ("mqtt: {tls: maybe}", "s.yaml:8: mqtt.tls: expected true or false, found 'maybe'"),
        (
            "mqtt:",
            "s.yaml:8: mqtt: expected keys and values, found nothing; remove it, or write its "
            "keys below it, indented",
        ),
        (
            "log_format: jsn",
            "s.yaml:8: log_format: expected 'text' or 'json', found 'jsn'; did you mean 'json'?",
        ),
        ("alarms: {own: {camera_lst: {effect: hold}}}", "did you mean 'camera_lost'?"),
        ("mqtt: {sparkplug: {group: a/b}}", "expected 1 to 64 characters other than '+', '#'"),
    ],
)
def test_a_typical_mistake_of_a_station_says_what_to_do(wrong, expected):
    found = mistakes_of_station(f"{STATION}{wrong}\n")
    assert any(expected in mistake for mistake in found), found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("recipes: [pcb]", "recipes: pcb"), "expected a list, found 'pcb'; write [pcb]"),
        (("  - id: top\n    folder", "  id: top\n  folder"), "begin each entry with '- '"),
        (("records: records", "records:"), "s.yaml:3: records: expected a path, found nothing"),
        (("records: records", "records records"), "s.yaml:3: expected YAML: could not find"),
    ],
)
def test_a_typical_slip_of_yaml_says_what_to_do(change, expected):
    assert change[0] in STATION
    (found,) = mistakes_of_station(STATION.replace(*change))
    assert expected in found


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("{kind: defect, labels: [a]}", "expected kind: defects or text or code or date, found"),
        ("{kind: defect, labels: [a]}", "did you mean 'defects'?"),
        ("{labels: [a]}", "expected kind: defects or text or code or date, found none"),
        ("{kind: defects, labels: dent}", "expected a list, found 'dent'; write [dent]"),
        ("{kind: date, field: f, min_days: 3}", "min_days: unknown key; did you mean 'min_days_l"),
        ("{kind: defects, labels: [a], mesure: width}", "unknown key; did you mean 'measure'?"),
    ],
)
def test_a_typical_mistake_of_a_check_says_what_to_do(check, expected):
    (found,) = mistakes_of_standard(
        f"title: Plates\nclauses:\n  - {{id: P1, text: A clause., check: {check}}}\n"
    )
    assert expected in found


def test_a_line_that_is_no_check_says_who_proposes_lines():
    (found,) = mistakes_of_standard(
        "title: Plates\nclauses:\n  - {id: P1, text: A clause., line: 'dents = 0'}\n"
    )
    assert "`inspector standard read` proposes lines" in found


def patterns(tree):
    for field in tree.model_fields.values():
        found = (getattr(rule, "pattern", None) for rule in field.metadata)
        yield from (pattern for pattern in found if pattern is not None)


@pytest.mark.parametrize(
    "tree",
    [
        StationSettings,
        CameraSettings,
        SparkplugSettings,
        PlcAlertSettings,
        ClauseSettings,
        TextFieldSettings,
    ],
)
def test_every_pattern_of_a_value_is_told_in_words(tree):
    found = set(patterns(tree))
    assert found
    assert found <= set(PATTERNS)


def test_a_missing_key_is_reported_where_it_should_stand():
    assert mistakes_of_station(STATION.replace("    folder: pictures\n", "")) == (
        "s.yaml:5: cameras.0: expected folder, the pictures of driver folder; found none",
    )


def test_a_key_written_twice_is_a_mistake():
    assert mistakes_of_station(STATION + "records: elsewhere\n") == (
        "s.yaml:8: records: expected once, found twice",
    )


def test_both_files_of_a_recipe_are_reported():
    found = mistakes_of_recipe(RECIPE + "speed: 3\n", STANDARD + "author: me\n")
    assert found == (
        "plate.yaml:4: speed: unknown key; check its spelling or remove it",
        "plates.yaml:6: author: unknown key; check its spelling or remove it",
    )


def test_an_unknown_standard_is_reported_at_the_recipe_with_those_there_are():
    (found,) = mistakes_of_recipe(RECIPE.replace("./plates.yaml", "plates"))
    assert found.startswith("plate.yaml:2: standard: plates: expected one of standards bare-board")


def test_a_file_that_is_not_there_is_named():
    (found,) = mistakes_of(load_station, Path("none.yaml"))
    assert found == (
        "none.yaml: expected a settings file: No such file or directory; correct the path"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "s.yaml:1: expected keys and values, found none"),
        ("- a\n- b\n", "s.yaml:1: expected keys and values, found none"),
        ("a: [1\nb: 2\n", "s.yaml:2: expected YAML: "),
        ("a: !!python/object:os.system x\n", "s.yaml:1: expected plain values, found a tag"),
        ("a: !!bool x\n", "s.yaml:1: expected plain values, found a tag"),
        ("a: " + "[" * 5000, "s.yaml: expected a few levels, found too many"),
        ("a: &x [1]\nb: *x\n", "s.yaml:2: expected plain values, found an alias"),
        ("a: &x [*x]\n", "s.yaml:1: expected plain values, found an alias"),
        ("a: 2026-13-45\n", "s.yaml: expected YAML: month must be in 1..12; put the value in"),
        ("a: \0\n", "s.yaml:1: expected YAML: not YAML"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_in_one_line(text, expected):
    (found,) = mistakes_of_station(text)
    assert found.startswith(expected)


def test_a_file_that_is_not_utf_8_is_refused():
    Path("s.yaml").write_bytes("station_id: Prüfplatz".encode("latin-1"))
    (found,) = mistakes_of(load_station, Path("s.yaml"))
    assert found.startswith("s.yaml: expected UTF-8 text")


# --- the environment and passwords ------------------------------------------------------------


def test_a_variable_stands_for_its_value_also_in_a_number(monkeypatch):
    monkeypatch.setenv("PORT", "1884")
    station = load_station(Path(written("s.yaml", STATION + "mqtt: {port: '${PORT}'}\n")))
    assert station.mqtt.port == 1884


def test_an_unset_variable_is_named_with_its_line(monkeypatch):
    monkeypatch.delenv("PORT", raising=False)
    found = mistakes_of_station(STATION + "mqtt:\n  port: ${PORT}\n")
    assert found[0] == (
        "s.yaml:9: mqtt.port: expected the environment variable PORT, found it unset"
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:secret@host/db",
        "postgresql+psycopg://me:half${DB_PASSWORD}@host/db",
        "postgresql+psycopg://host/db?user=me&password=secret",
    ],
)
def test_a_password_written_in_the_file_is_refused_and_not_repeated(monkeypatch, url):
    monkeypatch.setenv("DB_PASSWORD", "word")
    (found,) = mistakes_of_station(STATION.replace("sqlite:///x.db", url))
    assert found == (
        "s.yaml:2: database: expected the password as ${VARIABLE}, found it written in the file"
    )


@pytest.mark.parametrize("password", ["it's p@ss/w:rd?#%", "${DB_PASSWORD}", "plain"])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:${DB_PASSWORD}@host/db",
        "postgresql+psycopg://host/db?user=me&password=${DB_PASSWORD}",
    ],
)
def test_a_password_from_the_environment_is_taken_as_it_is(monkeypatch, url, password):
    monkeypatch.setenv("DB_PASSWORD", password)
    station = load_station(Path(written("s.yaml", STATION.replace("sqlite:///x.db", url))))
    taken = make_url(station.database)
    assert (taken.host, taken.database) == ("host", "db")
    assert password in (taken.password, taken.query.get("password"))


def test_a_database_url_may_be_one_variable(monkeypatch):
    monkeypatch.setenv("URL", "postgresql+psycopg://me:p%40ss@host/db")
    station = load_station(Path(written("s.yaml", STATION.replace("sqlite:///x.db", "${URL}"))))
    assert station.database == "postgresql+psycopg://me:p%40ss@host/db"


def test_a_literal_broker_password_has_no_key():
    assert mistakes_of_station(STATION + "mqtt: {password: secret}\n") == (
        "s.yaml:8: mqtt.password: unknown key; did you mean 'password_env'?",
    )


def test_the_broker_password_comes_from_the_variable_named(monkeypatch):
    monkeypatch.setenv("BROKER", "secret")
    path = Path(written("s.yaml", STATION + "mqtt: {password_env: BROKER}\n"))
    assert load_station(path).mqtt.password() == "secret"
    monkeypatch.delenv("BROKER")
    with pytest.raises(SettingsError, match="BROKER, found it unset"):
        load_station(path).mqtt.password()


# --- stations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("id: top\n", "id: ../top\n"), "cameras.0.id"),
        (("[pcb]", "[pcb, pcb]"), "expected each recipe once, found twice: pcb"),
        (("[pcb]", "[pcb]\ndeadline_ms: 20000"), "deadline_ms ≤ deadline_max_ms"),
        (("[pcb]", "[pcb]\nmqtt: {base: 'qc/#'}"), "mqtt.base: expected levels of letters"),
        (("[pcb]", "[pcb]\nduplicate_window_s: .inf"), "duplicate_window_s: expected a finite"),
        (("records: records", 'records: "a\\0b"'), "s.yaml:3: records: expected printable text"),
    ],
)
def test_a_station_that_could_not_work_is_refused(change, expected):
    (found,) = mistakes_of_station(STATION.replace(*change))
    assert expected in found


def test_two_cameras_of_one_name_are_refused():
    second = "  - id: top\n    folder: others\nrecipes"
    (found,) = mistakes_of_station(STATION.replace("recipes", second))
    assert found == "s.yaml:4: cameras: expected each camera id once, found twice: top"


def test_a_folder_may_lie_in_the_package():
    text = STATION.replace("folder: pictures", "folder: asset:samples/pictures")
    station = load_station(Path(written("s.yaml", text)))
    assert station.cameras[0].folder == resolve_asset("asset:samples/pictures")
    assert station.cameras[0].folder.is_dir()


# --- recipes and standards --------------------------------------------------------------------


def test_the_revision_of_a_recipe_is_that_of_its_file():
    written("plates.yaml", STANDARD)
    before = load_recipe(written("plate.yaml", RECIPE))
    after = load_recipe(written("plate.yaml", RECIPE + "px_per_mm: 10\n"))
    assert before.rev != after.rev
    assert before.standard.rev == after.standard.rev


def test_a_recipe_of_the_working_directory_comes_before_the_shipped_one():
    Path("configs/recipes").mkdir(parents=True)
    Path("configs/standards").mkdir()
    written("configs/standards/bare-board.yaml", STANDARD)
    written("configs/recipes/pcb.yaml", RECIPE.replace("./plates.yaml", "bare-board"))
    assert load_recipe("pcb").settings.product == "plate"
    assert load_standard("bare-board").title == "Plates"
    assert load_recipe("label").standard.name == "retail-label"


def test_clause_text_over_several_lines_is_one_line():
    name = written(
        "plates.yaml",
        """\
        title: Plates
        clauses:
          - id: P1
            text: >
              No scratch
              is   accepted.
        """,
    )
    assert load_standard(name).clauses[0].text == "No scratch is accepted."


def test_a_check_is_typed_by_its_kind():
    name = written(
        "plates.yaml",
        """\
        title: Plates
        clauses:
          - {id: P1, text: At most two., check: {kind: defects, labels: [any], at_most: 2}}
          - {id: P2, text: The code must fit., check: {kind: code, equals: gtin}}
          - {id: P3, text: The plate is clean.}
        """,
    )
    checks = [clause.check for clause in load_standard(name).clauses]
    assert checks == [
        DefectCheck(labels=("any",), at_most=2),
        CodeCheck(equals="gtin"),
        None,
    ]


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("{kind: defect, labels: [a]}", "plates.yaml:3: clauses.0.check: "),
        ("{labels: [a]}", "plates.yaml:3: clauses.0.check: "),
        ("{kind: defects}", "plates.yaml:3: clauses.0.check.labels: expected this key"),
        ("{kind: defects, labels: []}", "expected at least one label"),
        ("{kind: defects, labels: [a], most: 1}", "plates.yaml:3: clauses.0.check.most: unknown"),
        ("{kind: defects, labels: [a], at_most: -1}", "expected 'at_most' of 0 or more, got -1"),
        ("{kind: defects, labels: [a], inside: x, outside: y}", "got both"),
        ("{kind: text, field: f, min_confidence: high}", "clauses.0.check.min_confidence: "),
    ],
)
def test_a_wrong_check_is_reported_at_its_clause(check, expected):
    (found,) = mistakes_of_standard(
        f"title: Plates\nclauses:\n  - {{id: P1, text: A clause., check: {check}}}\n"
    )
    assert expected in found


def test_two_clauses_of_one_id_are_refused():
    clause = "  - {id: P1, text: A clause.}\n"
    assert mistakes_of_standard(f"title: Plates\nclauses:\n{clause}{clause}") == (
        "plates.yaml:2: clauses: expected each clause id once, found twice: P1",
    )


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("{kind: defects, labels: [a], inside: rim}", "a zone of the recipe, found 'rim'"),
        ("{kind: defects, labels: [a], larger_than_mm: 1}", "px_per_mm in the recipe"),
        ("{kind: text, field: lot}", "a text field of the recipe, found 'lot'"),
        ("{kind: date, field: expiry}", "a text field of the recipe, found 'expiry'"),
        ("{kind: code}", "read_codes: true in the recipe, found it off"),
    ],
)
def test_a_check_that_the_recipe_cannot_serve_is_reported(check, expected):
    standard = f"title: Plates\nclauses:\n  - {{id: P1, text: A clause., check: {check}}}\n"
    (found,) = mistakes_of_recipe(RECIPE, standard)
    assert found.startswith("plate.yaml:2: standard: clause P1: expected ")
    assert expected in found


def test_a_check_of_defects_needs_a_detector():
    (found,) = mistakes_of_recipe("product: plate\nstandard: ./plates.yaml\n")
    assert (
        found == "plate.yaml:2: standard: clause P1: expected a detector in the recipe, found none"
    )


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("zones: [{name: a, polygon: [[0, 0], [1, 1]]}]", "plate.yaml:4: zones.0.polygon: "),
        (
            "zones: [{name: a, polygon: [[0, 0], [1, 1], [1, 0]]},"
            " {name: a, polygon: [[0, 0], [1, 1], [1, 0]]}]",
            "plate.yaml:4: zones: expected each zone once, found twice: a",
        ),
        (
            "text_fields: [{field: lot, pattern: '(x'}]",
            "plate.yaml:4: text_fields.0.pattern: expected a regular expression",
        ),
        ("text_fields: [{field: lot, pattern: x}]", "expected read_text: true"),
        ("bit_depth: 9", "plate.yaml:4: bit_depth: "),
        ("px_per_mm: 0", "plate.yaml:4: px_per_mm: "),
        ("minor: ignore", "plate.yaml:4: minor: "),
    ],
)
def test_a_recipe_that_could_not_work_is_refused(more, expected):
    (found,) = mistakes_of_recipe(f"{RECIPE}{more}\n")
    assert expected in found


def test_a_detector_is_not_surer_of_what_it_does_not_report():
    (found,) = mistakes_of_recipe(
        RECIPE.replace("{model: plates}", "{model: plates, report_at: 0.6, sure_at: 0.4}")
    )
    assert found == "plate.yaml:3: detector: expected sure_at ≥ report_at, got 0.4 < 0.6"


@pytest.mark.parametrize("name", ["../pcb", "pcb;", "", "p" * 65])
def test_a_name_that_is_no_name_reaches_no_file(name):
    with pytest.raises(SettingsError):
        load_recipe(name)


def test_an_unknown_recipe_lists_those_there_are():
    (found,) = mistakes_of(load_recipe, "pbc")
    assert found == (
        "pbc: expected one of recipes coil, label, pcb, or a path; did you mean 'pcb'?"
    )


def test_settings_come_with_the_package():
    assert (shipped_configs() / "recipes/pcb.yaml").is_file()


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("{kind: defects, labels: [a], total_at_most_mm: .nan}", "finite number"),
        ("{kind: defects, labels: [a], larger_than_mm: .inf}", "finite number"),
        ("{kind: defects, labels: [a], total_at_most_mm: 2, at_most: 1}", "got both"),
        ("{kind: text, field: a, min_confidence: -1}", "between 0 and 1"),
        ("{kind: date, field: a, min_confidence: 7}", "between 0 and 1"),
    ],
)
def test_a_limit_that_nothing_could_exceed_is_refused(check, expected):
    (found,) = mistakes_of_standard(STANDARD.replace("{kind: defects, labels: [scratch]}", check))
    assert expected in found


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("px_per_mm: .inf", "px_per_mm: expected a finite number"),
        ("zones: [{name: z, polygon: [[0, 0], [.nan, 1], [2, 2]]}]", "finite number"),
        ("frame_size_px: [0, 480]", "frame_size_px.0: expected more than 0"),
        ("read_text: true\ntext_fields: [{field: a, pattern: '\\d*'}]", "fits an empty text"),
    ],
)
def test_a_recipe_that_would_find_nothing_is_refused(more, expected):
    (found,) = mistakes_of_recipe(RECIPE + more + "\n")
    assert expected in found
