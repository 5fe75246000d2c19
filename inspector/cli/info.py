"""`inspector info`: what runs here."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from typing import Any

from rich.console import Console
from rich.table import Table

from inspector.errors import ModelError
from inspector.models import choice, engines
from inspector.models.shelf import ASSETS, DetectorDescription, load_card, read_detector
from inspector.pipeline import SOFTWARE
from inspector.settings import shipped_configs

PACKAGES = (
    "torch",
    "ultralytics",
    "transformers",
    "opencv-python",
    "onnxruntime",
    "openvino",
    "rapidocr",
    "zxing-cpp",
    "sqlalchemy",
    "paho-mqtt",
    "streamlit",
    "numpy",
)


def print_info(*, as_json: bool) -> None:
    """Print versions, devices, engines and models."""
    found = _gather()
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return
    console = Console()
    for heading, content in found.items():
        if not isinstance(content, dict):
            console.print(f"[bold]{heading}[/]  {content}", highlight=False)
            continue
        table = Table(title=heading, title_justify="left", show_header=False, box=None)
        for key, value in content.items():
            table.add_row(f"  {key}", str(value))
        console.print(table)


def _gather() -> dict[str, Any]:
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "schema": "info/1",
        "software": SOFTWARE,
        "python": platform.python_version(),
        "system": platform.platform(),
        "configs": str(shipped_configs()),
        "packages": {name: metadata.version(name) for name in PACKAGES},
        "devices": {"cpu cores": os.cpu_count(), "gpu": ", ".join(gpus) or "none"},
        "engines": {
            **{name: _engine(name, on_gpu=bool(gpus)) for name in engines.ENGINES},
            "text": "RapidOCR on ONNX Runtime (PP-OCRv6)",
            "codes": "zxing-cpp",
        },
        "models": {folder.name: _model(folder.name) for folder in sorted(ASSETS.iterdir())},
    }


def _engine(name: engines.EngineName, *, on_gpu: bool) -> str:
    package = engines.PACKAGES[name]
    if name in engines.NOT_RUN_HERE:
        found = "installed" if engines.is_installed(name) else "not installed"
        return f"{found}; written from its documentation, not run here"
    if not engines.is_installed(name):
        return "not installed"
    device = "cuda, half precision" if on_gpu and name == "pytorch" else "cpu"
    return f"{package} {metadata.version(package)} on {device}"


def _model(name: str) -> str:
    try:
        card = load_card(name)
        exports = _exports(read_detector(name)[1]) if card.kind == "detector" else ""
    except ModelError as exc:
        return f"NOT USABLE: {exc}"
    return f"{card.kind}, sha256 {card.sha256}{exports}"


def _exports(description: DetectorDescription) -> str:
    lines = (
        f"\n{choice.named(export)}: map {export.parity.map:.4f} (PyTorch "
        f"{export.parity.map_pytorch:.4f}), {export.parity.pictures_alike} of "
        f"{export.parity.pictures} pictures alike, {export.made_on.isoformat()}, sha256 "
        f"{export.sha256}"
        for export in description.exports
    )
    return "".join(lines)
