"""The command line as a stranger meets it."""

import json
import subprocess
import sys
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from typer.testing import CliRunner

from inspector import __version__
from inspector.cli import (
    app,
    evaluate_detector_command,
    export_detector_command,
    train_detector_command,
)
from inspector.models.engines import ENGINES
from inspector.training.architecture import ARCHITECTURES
from inspector.training.datasets import FORMATS, SPLITS
from inspector.training.engine_files import Precision

HEAVY = {"torch", "cv2", "streamlit", "ultralytics", "transformers", "sqlalchemy"}


def inspector(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "inspector.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_imports_nothing_heavy():
    code = (
        "import sys, json\n"
        "from inspector.cli import main\n"
        "sys.argv = ['inspector', '--help']\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Inspect parts against a written quality standard" in done.stdout
    assert not HEAVY & set(json.loads(done.stderr))


COMMANDS = (
    ["demo"],
    ["run"],
    ["check"],
    ["inspect"],
    ["judge"],
    ["samples"],
    ["db", "upgrade"],
    ["db", "check"],
    ["dashboard"],
    ["plc"],
    ["cameras", "list"],
    ["cameras", "test"],
    ["cameras", "snap"],
    ["train", "detector"],
    ["train", "judge"],
    ["evaluate", "detector"],
    ["evaluate", "judge"],
    ["export", "detector"],
    ["info"],
    ["bench"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command):
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_a_mistake_in_settings_is_one_line_with_its_place_and_exit_code_2(tmp_path):
    (tmp_path / "s.yaml").write_text("station_id: a\nstation: b\n")
    done = inspector("db", "check", "s.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "s.yaml:2: station: unknown key" in done.stderr
    assert "s.yaml:1: database: expected this key, found none" in done.stderr
    assert "Traceback" not in done.stderr


def choices(command):
    """Return the options of a command that take one of a few words, with those words."""
    hints = get_type_hints(command)
    return {
        name: set(get_args(hint)) for name, hint in hints.items() if get_origin(hint) is Literal
    }


def test_the_words_that_options_take_are_those_that_are_known():
    assert choices(train_detector_command) == {
        "format": set(FORMATS),
        "architecture": set(ARCHITECTURES),
    }
    assert choices(evaluate_detector_command) == {
        "format": set(FORMATS),
        "engine": {"auto", *ENGINES},
        "split": set(SPLITS),
    }
    assert choices(export_detector_command) == {
        "format": set(FORMATS),
        "engine": set(ENGINES) - {"pytorch"},
        "precision": set(get_args(Precision)),
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "detector", "--data", ".", "--format", "png"],
        ["evaluate", "detector", "--data", ".", "--split", "trainval"],
        ["evaluate", "sight", "--data", ".", "--model", "m", "--split", "training"],
        ["export", "judge", "--precision", "fp16"],
        ["train", "judge", "--out", "o", "--part", "eye"],
    ],
    ids=" ".join,
)
def test_a_word_that_an_option_does_not_take_is_a_usage_mistake_with_those_it_takes(arguments):
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert "is not one of" in done.output


def test_the_version_is_told():
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.output == f"inspector {__version__}\n"


def test_a_file_of_cases_that_is_not_there_is_told_once(tmp_path):
    done = inspector("judge", "none.jsonl", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.count("none.jsonl") == 1
    assert "correct the path" in done.stderr


def test_an_unknown_recipe_names_those_there_are(tmp_path):
    done = inspector("inspect", "x.png", "--recipe", "nonsense", cwd=tmp_path)
    assert done.returncode == 2
    assert "expected one of recipes coil, label, pcb" in done.stderr


def test_a_database_that_is_not_migrated_ends_with_5_and_the_remedy(tmp_path):
    done = inspector("db", "check", "--url", "sqlite:///none.db", cwd=tmp_path)
    assert done.returncode == 5
    assert "inspector db upgrade" in done.stderr
    assert not (tmp_path / "none.db").exists()


def test_the_database_is_made_and_checked(tmp_path):
    made = inspector("db", "upgrade", "--url", "sqlite:///a.db", cwd=tmp_path)
    found = inspector("db", "check", "--url", "sqlite:///a.db", cwd=tmp_path)
    assert made.returncode == found.returncode == 0
    assert made.stdout == found.stdout != ""


def test_the_demo_never_clears_a_folder_that_is_not_its_own(tmp_path):
    kept = tmp_path / "inspector-demo" / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("years of work")
    done = inspector("demo", "--no-dashboard", cwd=tmp_path)
    assert done.returncode == 5
    assert "move it away" in done.stderr
    assert kept.read_text() == "years of work"


def test_a_topic_prefix_with_a_wildcard_is_a_usage_mistake(tmp_path):
    (tmp_path / "parts.jsonl").write_text("")
    done = inspector("plc", "--parts", "parts.jsonl", "--base", "qc/#", cwd=tmp_path)
    assert done.returncode == 2
    assert "expected levels of letters" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
