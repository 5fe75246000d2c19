"""Matrices rounded for the inputs they meet."""

import torch
from torch import nn

from inspector.models.packed import GROUP, packed, to_nearest, unpacked
from inspector.training.rounding import compensated, input_moments


def _inputs(count: int) -> torch.Tensor:
    """Return inputs whose parts go together, as those of a language model do."""
    torch.manual_seed(0)
    mixture = torch.randn(12, 2 * GROUP)
    return torch.randn(count, 12) @ mixture + 0.1 * torch.randn(count, 2 * GROUP)


def test_products_change_less_than_with_the_nearest_steps():
    inputs, weight = _inputs(500), torch.randn(96, 2 * GROUP)
    moments, fresh = inputs.T @ inputs, _inputs(700)[500:]
    wrong = {}
    for way, rounded in (
        ("nearest", to_nearest(weight, bits=4)),
        ("compensated", compensated(weight, moments, bits=4)),
    ):
        state = packed({"w": weight}, bits={"w": 4}, rounded={"w": rounded})
        wrong[way] = float((fresh @ (unpacked(state)["w"] - weight).T).square().mean())
    assert wrong["compensated"] < 0.5 * wrong["nearest"]


def test_inputs_that_do_not_go_together_leave_the_nearest_steps():
    torch.manual_seed(1)
    weight = torch.randn(8, 2 * GROUP)
    assert torch.equal(
        compensated(weight, torch.eye(2 * GROUP), bits=6).codes.reshape(-1),
        to_nearest(weight, bits=6).codes.reshape(-1),
    )


def test_the_moments_are_those_of_each_linear_layer():
    torch.manual_seed(2)
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    given = [torch.randn(5, 3), torch.randn(7, 3)]
    found = input_moments(network, lambda: [network(x) for x in given])
    whole = torch.cat(given)
    assert set(found) == {"0.weight", "2.weight"}
    assert torch.allclose(found["0.weight"], whole.T @ whole, atol=1e-4)
    assert not any(layer._forward_pre_hooks for layer in network)
