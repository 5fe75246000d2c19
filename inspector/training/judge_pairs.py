"""Pairs of the corpus as batches for the fused judge."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inspector.models.fusion import FusedEncoder, Looks
from inspector.models.judge_inputs import encoded, looks_of
from inspector.ontology import shipped_ontology
from inspector.signs import signs
from inspector.training.corpus import Pair
from inspector.training.yolo import cpu_has_bfloat16

NO_WORDS = replace(shipped_ontology(), labels_of={})
SORTED_TOGETHER = 40  # batches whose pairs are sorted by length among themselves


@dataclass(frozen=True, slots=True)
class Encoded:
    """A pair with its word pieces.

    `taught` is P(violated) as the training teaches it: the truth, or softened by an ensemble.
    """

    ids: list[int]
    types: list[int]
    signs: tuple[float, ...]
    pair: Pair
    taught: float

    @property
    def length(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Tensors of several pairs; `real` is parallel to the crops of `looks`."""

    ids: Tensor
    mask: Tensor
    types: Tensor
    signs: Tensor
    taught: Tensor
    looks: Looks | None
    real: Tensor


def encode(pairs: Sequence[Pair], tokenizer: Any) -> list[Encoded]:
    """Return `pairs` with their word pieces."""
    return [encode_one(pair, tokenizer) for pair in pairs]


def encode_one(pair: Pair, tokenizer: Any, *, taught: float | None = None) -> Encoded:
    """Return one pair with its word pieces, taught its truth where nothing else is given."""
    ontology = None if pair.known_words else NO_WORDS
    pieces = encoded(tokenizer, pair.evidence, [pair.clause], ontology=ontology)
    return Encoded(
        ids=pieces["input_ids"][0],
        types=pieces["token_type_ids"][0],
        signs=signs(pair.evidence, pair.clause, ontology=ontology),
        pair=pair,
        taught=float(pair.violated) if taught is None else taught,
    )


def in_batches(
    items: Sequence[Encoded], size: int, *, chance: random.Random | None
) -> list[list[Encoded]]:
    """Return batches of similar length; in random order where `chance` is given, else sorted."""
    order = list(items)
    if chance is None:
        order.sort(key=lambda item: item.length)
    else:
        chance.shuffle(order)
        window = SORTED_TOGETHER * size
        parts = [order[i : i + window] for i in range(0, len(order), window)]
        order = [item for part in parts for item in sorted(part, key=lambda e: e.length)]
    found = [order[i : i + size] for i in range(0, len(order), size)]
    if chance is not None:
        chance.shuffle(found)
    return found


def batch_of(items: Sequence[Encoded], tokenizer: Any, device: torch.device) -> Batch:
    """Return `items` padded to the longest of them, on `device`."""
    longest = max(item.length for item in items)
    shape = (len(items), longest)
    ids = torch.full(shape, int(tokenizer.pad_token_id))
    types, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
    for row, item in enumerate(items):
        ids[row, : item.length] = torch.tensor(item.ids)
        types[row, : item.length] = torch.tensor(item.types)
        mask[row, : item.length] = 1
    looks = looks_of([item.pair.evidence for item in items], tokenizer)
    real = [
        float(is_real)
        for item in items
        for is_real, crop in zip(item.pair.real, item.pair.evidence.crops_bgr, strict=True)
        if crop is not None
    ]
    return Batch(
        ids=ids.to(device),
        mask=mask.to(device),
        types=types.to(device),
        signs=torch.tensor([item.signs for item in items], device=device),
        taught=torch.tensor([item.taught for item in items], device=device),
        looks=None if looks is None else looks.to(device),
        real=torch.tensor(real, device=device),
    )


def device_named(name: str) -> torch.device:
    """Return the device of that name; auto: the GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def mixed_precision(device: torch.device) -> Any:
    """Return a context of bfloat16 where the device computes it natively, else of fp16 on CUDA."""
    if needs_loss_scale(device):
        return torch.autocast("cuda", dtype=torch.float16)
    native = device.type == "cuda" or (device.type == "cpu" and cpu_has_bfloat16())
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=native)


def needs_loss_scale(device: torch.device) -> bool:
    """Return whether small gradients would be lost: on a GPU that computes fp16, no bfloat16."""
    return device.type == "cuda" and not torch.cuda.is_bf16_supported()


def logits_of(
    network: FusedEncoder,
    items: Sequence[Encoded],
    tokenizer: Any,
    device: torch.device,
    *,
    size: int = 64,
) -> NDArray[np.float64]:
    """Return the log-odds of each of `items`, in their order, without dropout."""
    network.eval()
    position = {id(item): i for i, item in enumerate(items)}
    found = np.zeros(len(items))
    with torch.inference_mode(), mixed_precision(device):
        for part in in_batches(items, size, chance=None):
            batch = batch_of(part, tokenizer, device)
            logits = network(batch.ids, batch.mask, batch.types, batch.signs, batch.looks)
            found[[position[id(item)] for item in part]] = logits.cpu().numpy()
    return found
