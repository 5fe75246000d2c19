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
from inspector.models.shelf import ASSETS, load_card
from inspector.pipeline import SOFTWARE
from inspector.settings import shipped_configs

PACKAGES = (
    "torch",
    "ultralytics",
    "transformers",
    "opencv-python",
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
            "pytorch": "cuda" if gpus else "cpu",
            "text": "RapidOCR on ONNX Runtime (PP-OCRv6)",
            "codes": "zxing-cpp",
        },
        "models": {folder.name: _model(folder.name) for folder in sorted(ASSETS.iterdir())},
    }


def _model(name: str) -> str:
    try:
        card = load_card(name)
    except ModelError as exc:
        return f"NOT USABLE: {exc}"
    return f"{card.kind}, sha256 {card.sha256}"
