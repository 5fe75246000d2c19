"""Low-rank adapters (LoRA, Hu et al., ICLR 2022) in a judge's backbone, by peft."""

from __future__ import annotations

from typing import Any

from torch import nn

from inspector.errors import ModelError
from inspector.models.fusion import FusedEncoder, layers_of


def put_adapters(network: FusedEncoder, rank: int) -> None:
    """Freeze the backbone but for adapters of `rank` beside every matrix of its layers.

    Raises `ModelError` where peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as exc:
        raise ModelError(
            "expected the package peft, found none; install it with: pip install "
            "'inspector[train]', or train with --lora 0"
        ) from exc
    layers = layers_of(network.backbone)
    matrices = {
        name.rpartition(".")[2] if "." in name else name
        for name, module in layers.named_modules()
        if isinstance(module, nn.Linear)
    }
    network.backbone.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=sorted(matrices))
    inject_adapter_in_model(config, network.backbone)


def merge_adapters(network: FusedEncoder) -> None:
    """Add the adapters into the matrices they stand beside, and take them out."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    owners: list[tuple[nn.Module, str, Any]] = [
        (module, name, child)
        for module in network.backbone.modules()
        for name, child in module.named_children()
        if isinstance(child, BaseTunerLayer)
    ]
    for owner, name, layer in owners:
        layer.merge()
        setattr(owner, name, layer.get_base_layer())
