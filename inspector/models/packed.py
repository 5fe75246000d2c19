"""Weights in few bits: groups of values share a scale and an offset.

A matrix is cut into groups of `GROUP` values along its rows; each value becomes one of 2^bits steps
between the group's least and greatest. Codes of 4 and 6 bits are packed without gaps. What a later
training adds to such a matrix is a product of two narrow ones, its adapter, in float16.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

GROUP = 64
LARGE = 4096
DOWN, UP = ":adapter-down", ":adapter-up"


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """A matrix in few bits: uint8 codes, and float16 scale and least value of each group."""

    codes: Tensor
    scale: Tensor
    least: Tensor


def packed(
    state: dict[str, Tensor],
    *,
    bits: dict[str, int],
    rounded: Mapping[str, Rounded] | None = None,
) -> dict[str, Tensor]:
    """Return `state` with its large matrices in as many bits as `bits` says for their names.

    `NAME.codes`, `NAME.scale` and `NAME.least` stand for a matrix; `NAME.shape` is its shape and
    bits. What is not in `bits`, or small, stays in float16. A matrix in `rounded` was rounded
    before, the others go to the nearest step.
    """
    found: dict[str, Tensor] = {}
    for name, values in state.items():
        if name not in bits or values.ndim != 2 or values.numel() < LARGE:
            found[name] = values.to(torch.float16).contiguous()
            continue
        own = (rounded or {}).get(name) or to_nearest(values, bits=bits[name])
        found[f"{name}.codes"] = _folded(own.codes.reshape(-1), bits[name])
        found[f"{name}.scale"] = own.scale.reshape(-1)
        found[f"{name}.least"] = own.least.reshape(-1)
        found[f"{name}.shape"] = torch.tensor([*values.shape, bits[name]], dtype=torch.int32)
    return found


def to_nearest(values: Tensor, *, bits: int) -> Rounded:
    """Return each value as the nearest step of its group."""
    groups = values.float().reshape(-1, GROUP)
    scale, least = steps(groups, bits=bits)
    codes = torch.round((groups - least.float()) / scale.float().clamp(min=1e-7))
    return Rounded(codes.clamp(0, 2**bits - 1).to(torch.uint8), scale, least)


def steps(groups: Tensor, *, bits: int) -> tuple[Tensor, Tensor]:
    """Return float16[G, 1] scale and least value of float32[G, GROUP]."""
    least = groups.amin(dim=1, keepdim=True).to(torch.float16)
    span = groups.amax(dim=1, keepdim=True) - least.float()
    return (span / (2**bits - 1)).clamp(min=1e-7).to(torch.float16), least


def unpacked(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what `packed` packed, in float32."""
    found: dict[str, Tensor] = {}
    for name, values in state.items():
        base, _, part = name.rpartition(".")
        if part == "shape" and f"{base}.codes" in state:
            rows, columns, bits = (int(n) for n in values)
            codes = _unfolded(state[f"{base}.codes"], bits)[: rows * columns]
            scale = state[f"{base}.scale"].float().unsqueeze(1)
            least = state[f"{base}.least"].float().unsqueeze(1)
            whole = codes.reshape(-1, GROUP).float() * scale + least
            found[base] = whole.reshape(rows, columns)
        elif f"{base}.codes" not in state:
            found[name] = values.float()
    return found


def packed_adapters(adapters: Mapping[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Return float32[R, I] and [O, R] of each matrix in float16, as `with_adapters` takes them."""
    found = {}
    for name, (down, up) in adapters.items():
        found[f"{name}{DOWN}"] = down.to(torch.float16).contiguous()
        found[f"{name}{UP}"] = up.to(torch.float16).contiguous()
    return found


def with_adapters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `state` with the product of each adapter added to its matrix; `KeyError` if none."""
    found = {n: values for n, values in state.items() if not n.endswith((DOWN, UP))}
    for name in state:
        if name.endswith(DOWN):
            matrix = name.removesuffix(DOWN)
            found[matrix] = found[matrix] + state[f"{matrix}{UP}"].float() @ state[name].float()
    return found


def joined_adapters(first: Mapping[str, Tensor], then: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return adapters that add what both add: their ranks stand side by side."""
    found = dict(first)
    for name, values in then.items():
        side = 0 if name.endswith(DOWN) else 1
        found[name] = torch.cat([found[name], values], side) if name in found else values
    return found


def _folded(codes: Tensor, bits: int) -> Tensor:
    if bits == 8:
        return codes
    if bits == 4:
        return codes[0::2] | (codes[1::2] << 4)
    wide = codes.to(torch.int32)
    four = wide[0::4] | (wide[1::4] << 6) | (wide[2::4] << 12) | (wide[3::4] << 18)
    parts = [(four >> shift) & 255 for shift in (0, 8, 16)]
    return torch.stack(parts, dim=1).to(torch.uint8).reshape(-1)


def _unfolded(folded: Tensor, bits: int) -> Tensor:
    if bits == 8:
        return folded
    if bits == 4:
        return torch.stack([folded & 15, folded >> 4], dim=1).reshape(-1)
    three = folded.to(torch.int32).reshape(-1, 3)
    four = three[:, 0] | (three[:, 1] << 8) | (three[:, 2] << 16)
    return torch.stack([(four >> shift) & 63 for shift in (0, 6, 12, 18)], dim=1).reshape(-1)
