"""Round matrices to few bits so that what a network computes with them changes least.

The columns of a matrix are rounded one after another, and what the rounding of one changes in the
products with the inputs that the network meets is made up for in the columns not yet rounded:
GPTQ, Frantar et al., "Accurate Post-Training Quantization for Generative Pre-trained Transformers",
ICLR 2023, in blocks of one group of `inspector.models.packed`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from inspector.models.packed import GROUP, Rounded, steps

DAMPING = 0.01  # share of the mean moment that is added to each, so that all can be inverted


def input_moments(network: nn.Module, run: Callable[[], Any]) -> dict[str, Tensor]:
    """Return the sums of x xᵀ over the inputs x of each linear layer while `run` runs.

    Keys are the names of the layers' weights; each value is float32[I, I].
    """
    moments: dict[str, Tensor] = {}

    def noting(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(_layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            inputs = given[0].detach().reshape(-1, given[0].shape[-1]).float()
            moments[name] = moments.get(name, torch.zeros(())) + (inputs.T @ inputs).cpu()

        return note

    hooks = [
        layer.register_forward_pre_hook(noting(f"{name}.weight"))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        with torch.inference_mode():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return moments


def compensated(weight: Tensor, moments: Tensor, *, bits: int) -> Rounded:
    """Return float32[O, I] in few bits, rounded for inputs with these `moments`, float32[I, I]."""
    left = weight.detach().float().clone()
    rows, columns = left.shape
    damped = moments.float().clone()
    damped.diagonal().add_(DAMPING * damped.diagonal().mean() + 1e-8)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    reach = torch.linalg.cholesky(inverse, upper=True)
    codes = torch.empty(rows, columns, dtype=torch.uint8)
    groups = columns // GROUP
    scale = torch.empty(rows, groups, dtype=torch.float16)
    least = torch.empty(rows, groups, dtype=torch.float16)
    for group in range(groups):
        start, end = group * GROUP, (group + 1) * GROUP
        own, within = left[:, start:end].clone(), reach[start:end, start:end]
        step, low = steps(own, bits=bits)
        scale[:, group : group + 1], least[:, group : group + 1] = step, low
        wide, low = step.float().clamp(min=1e-7), low.float()
        errors = torch.empty_like(own)
        for column in range(GROUP):
            values = own[:, column : column + 1]
            code = torch.round((values - low) / wide).clamp(0, 2**bits - 1)
            codes[:, start + column] = code[:, 0].to(torch.uint8)
            error = (values - (code * wide + low)) / within[column, column]
            own[:, column:] -= error * within[column, column:]
            errors[:, column] = error[:, 0]
        left[:, end:] -= errors @ reach[start:end, end:]
    return Rounded(codes, scale, least)
