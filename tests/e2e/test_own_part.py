"""The README's transcript of an own part, with its own commands and files, made small."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent.parent / "README.md").read_text()
SECTION = README.partition("## Your own part in one sitting\n")[2].partition("\n## ")[0]
# An epoch at 64 px finds nothing; it shows that each step takes what the one before left.
SMALL = {"train": ["--epochs", "1", "--input-px", "64", "--threads", "1"]}
HERE = r"^\$ cat (>>?) (\S+) <<'END'\n(.*?\n)END$"
KEPT = {"anomaly-3", "anomaly-6", "normal-1", "normal-4", "anomaly-8", "normal-6"}


def commands(word):
    shown = re.findall(r"^\$ inspector (.+)$", SECTION.replace("\\\n", " "), flags=re.MULTILINE)
    found = [shlex.split(line, comments=True) for line in shown]
    return [arguments for arguments in found if arguments[0] == word]


def inspector(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "inspector.cli", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def sitting(tmp_path_factory):
    """Return the folder after the transcript's steps up to the training, on six pictures."""
    folder = tmp_path_factory.mktemp("sitting")
    for into, name, content in re.findall(HERE, SECTION, flags=re.MULTILINE | re.DOTALL):
        with (folder / name).open("a" if into == ">>" else "w") as file:
            file.write(content)
    (samples,) = commands("samples")
    copied = inspector(*samples, cwd=folder)
    assert copied.returncode == 0, copied.stderr
    index = folder / "cookies/index.jsonl"
    kept = [
        line
        for line in index.read_text().splitlines()
        if Path(json.loads(line)["image"]).stem in KEPT
    ]
    index.write_text("\n".join(kept))
    (train,) = commands("train")
    trained = inspector(*train, *SMALL["train"], cwd=folder)
    assert trained.returncode == 0, trained.stderr
    return folder


def test_training_leaves_a_described_model(sitting):
    described = json.loads((sitting / "cookie-detector/model.json").read_text())
    assert described["labels"] == ["cracked"]
    assert described["input_channels"] == "picture"
    assert (sitting / "cookie-detector/MODEL_CARD.md").is_file()


def test_the_model_is_measured_on_pictures_held_out(sitting):
    (evaluate,) = commands("evaluate")
    done = inspector(*evaluate, "--json", cwd=sitting)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["boards"] + found["good_boards"] >= 2
    assert 0 <= found["per_class"]["cracked"]["recall"] <= 1
    assert 0 <= found["overkill_boards"] <= found["good_boards"]


def test_the_recipe_runs_on_the_new_model(sitting):
    (inspect,) = commands("inspect")
    done = inspector(*inspect, "--json", cwd=sitting)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    pictures = [argument for argument in inspect if argument.endswith(".jpg")]
    assert [line["image"] for line in lines] == pictures
    assert all(line["decision"] in {"PASS", "FAIL", "HOLD"} for line in lines)
    assert all("./cookie-detector" in line["models"] for line in lines)
