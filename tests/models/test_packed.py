"""Weights in few bits."""

import pytest
import torch

from inspector.models.packed import GROUP, packed, unpacked


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_every_value_comes_back_within_half_a_step(bits):
    torch.manual_seed(0)
    wide = torch.randn(128, 2 * GROUP)
    back = unpacked(packed({"w": wide}, bits={"w": bits}))["w"]
    step = (wide.reshape(-1, GROUP).amax(1) - wide.reshape(-1, GROUP).amin(1)) / (2**bits - 1)
    worst = (wide - back).abs().reshape(-1, GROUP).amax(1)
    assert (worst <= 0.51 * step + 2e-3).all()
    assert back.shape == wide.shape


def test_small_and_unnamed_values_stay_as_they_are():
    state = {"norm": torch.ones(8), "w": torch.ones(64, 64) * 0.5}
    back = unpacked(packed(state, bits={"norm": 4}))
    assert torch.equal(back["norm"], state["norm"])
    assert torch.equal(back["w"], state["w"])
