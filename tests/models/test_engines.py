"""Engines find the same as PyTorch, load verified files only, and reach for no network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.exported import board_and_template, small_model, with_export

from inspector.domain import Detection
from inspector.errors import ModelError
from inspector.models import choice, engines, shelf
from inspector.models.detector import YoloDetector, load_detector
from inspector.settings import PACKAGE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with an ONNX and an OpenVINO export."""
    pytest.importorskip("onnx", reason="exports are made with inspector[train]")
    made = small_model(tmp_path_factory.mktemp("models") / "small")
    with_export(made, "onnx")
    with_export(made, "openvino")
    return made


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the choices of a test to itself."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    choice.forget()
    return tmp_path / "cache" / "inspector" / "engines"


def found_by(detector: YoloDetector) -> tuple[Detection, ...]:
    board, template = board_and_template()
    return detector.detect(board, reference_bgr=template, report_at=0.25, iou=0.5)


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_an_export_finds_what_pytorch_finds(folder: Path, engine: str) -> None:
    expected = found_by(load_detector(str(folder), engine="pytorch", threads=1))
    detector = load_detector(str(folder), engine=engine, threads=1)
    found = found_by(detector)
    assert expected
    assert detector.engine == f"{engine} fp32"
    assert [d.label for d in found] == [d.label for d in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=0.01)
        assert one.box.iou(other.box) > 0.95


def test_auto_takes_the_fastest_and_remembers_it(folder: Path, cache: Path) -> None:
    detector = load_detector(str(folder), threads=1)
    (file,) = cache.iterdir()
    written = json.loads(file.read_text())
    assert set(written["ms"]) == {"pytorch", "onnx fp32", "openvino fp32"}
    assert written["chosen"] == min(written["ms"], key=written["ms"].get)
    assert detector.engine in (written["chosen"], "pytorch fp32")

    other = next(name for name in written["ms"] if name not in (written["chosen"], "pytorch"))
    file.write_text(json.dumps({**written, "chosen": other}))
    choice.forget()  # as a new process would
    assert load_detector(str(folder), threads=1).engine == other


@pytest.mark.parametrize("content", ["{", "[]", '{"chosen": "nonesuch"}'])
def test_a_spoilt_memory_costs_a_measurement_only(folder: Path, cache: Path, content: str) -> None:
    load_detector(str(folder), threads=1)
    (file,) = cache.iterdir()
    file.write_text(content)
    choice.forget()
    load_detector(str(folder), threads=1)
    assert "ms" in json.loads(file.read_text())


def test_without_a_home_nothing_is_remembered_and_all_works(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "missing" / "cache"))
    load_detector(str(folder), threads=1)
    assert not (tmp_path / "missing").exists()


def test_a_model_without_exports_runs_in_pytorch(tmp_path: Path, cache: Path) -> None:
    detector = load_detector(str(small_model(tmp_path / "bare")), threads=1)
    assert detector.engine.startswith("pytorch")
    assert not cache.exists()


def test_an_engine_without_an_export_is_refused_with_the_command(tmp_path: Path) -> None:
    made = small_model(tmp_path / "bare")
    with pytest.raises(ModelError, match="inspector export detector --engine openvino"):
        load_detector(str(made), engine="openvino")
    with pytest.raises(ModelError, match="expected an engine of auto, pytorch"):
        load_detector(str(made), engine="abacus")


def test_a_changed_export_is_not_opened(folder: Path) -> None:
    file = folder / "export-onnx"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"\0")
    try:
        with pytest.raises(ModelError, match=r"expected sha256 .* the file was changed"):
            load_detector(str(folder), engine="onnx")
    finally:
        file.write_bytes(content)


def test_an_export_of_other_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "model.json").read_text())
    content["exports"][0]["weights_sha256"] = "f" * 64
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="expected exports of the weights"):
        shelf.read_detector(str(tmp_path))


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_a_file_that_is_no_network_is_our_error(engine: engines.ExportEngine) -> None:
    with pytest.raises(ModelError, match="cannot load the export"):
        engines.exported_engine(engine, b"no network", precision="fp32", threads=1)


def test_planes_of_another_size_are_our_error(folder: Path) -> None:
    _, description = shelf.read_detector(str(folder))
    for export in description.exports:
        engine = choice.load_export(folder, export, threads=1)
        with pytest.raises(ModelError, match="the detector failed in"):
            engine.predictions(np.zeros((1, 3, 64, 64), np.uint8))


@pytest.mark.skipif(engines.is_installed("tensorrt"), reason="TensorRT is installed here")
def test_a_missing_engine_is_an_error_and_nothing_is_installed() -> None:
    """In a process that ends at the first socket or child process."""
    done = run_guarded(
        "from inspector.errors import ModelError\n"
        "from inspector.models import engines\n"
        "try:\n"
        "    engines.exported_engine('tensorrt', b'', precision='fp16', threads=1)\n"
        "except ModelError as exc:\n"
        "    print(exc)\n"
    )
    assert done.returncode == 0, done.stderr
    assert "expected the package tensorrt, found none" in done.stdout
    assert "nothing is installed at run time" in done.stdout


@pytest.mark.parametrize("engine", ["pytorch", "onnx", "openvino"])
def test_detecting_opens_no_socket_and_starts_no_program(folder: Path, engine: str) -> None:
    done = run_guarded(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from support.exported import board_and_template\n"
        "from inspector.models.detector import load_detector\n"
        f"detector = load_detector({str(folder)!r}, engine={engine!r}, threads=1)\n"
        "board, template = board_and_template()\n"
        "print(len(detector.detect(board, reference_bgr=template, report_at=0.25, iou=0.5)))\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) > 0


def run_guarded(script: str) -> subprocess.CompletedProcess[str]:
    """Run `script` with the switches a careless shell may have set against us."""
    guard = (
        "import os, sys\n"
        "def watch(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo') or (\n"
        "        event in ('subprocess.Popen', 'os.system') and 'pip' in str(arguments)\n"
        "    ):\n"
        "        print(event, arguments, file=sys.stderr, flush=True)\n"
        "        os._exit(9)\n"
        "sys.addaudithook(watch)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", guard + script],
        env={**os.environ, "YOLO_AUTOINSTALL": "true", "YOLO_OFFLINE": "false"},
        capture_output=True,
        text=True,
        cwd=PACKAGE.parent,
    )
