"""What each part of a fused judge is worth: its accuracy with one of them left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from inspector.models.fusion import FusedEncoder
from inspector.signs import SIGNS
from inspector.training.corpus_words import Pair
from inspector.training.judge_pairs import Encoded, encode_one, logits_of

PAIRS_AT_MOST = 800


def ablation(network: FusedEncoder, items: Sequence[Encoded], tokenizer: Any) -> dict[str, float]:
    """Return the accuracy at even odds as judged, and without each part, on the same pairs."""
    some = list(items[:PAIRS_AT_MOST])
    variants: dict[str, Callable[[Encoded], Encoded]] = {
        "as judged": lambda item: item,
        "without crops": lambda item: _changed(item, _without_crops(item.pair), tokenizer),
        "without the answers of code": lambda item: replace(item, signs=(0.0,) * len(SIGNS)),
        "without the ontology": lambda item: _changed(
            item, replace(item.pair, known_words=False), tokenizer
        ),
    }
    return {
        name: _accuracy(network, [change(item) for item in some], tokenizer)
        for name, change in variants.items()
    }


def _changed(item: Encoded, pair: Pair, tokenizer: Any) -> Encoded:
    return item if pair is item.pair else encode_one(pair, tokenizer)


def _without_crops(pair: Pair) -> Pair:
    blind = (None,) * len(pair.evidence.crops_bgr)
    return replace(pair, evidence=replace(pair.evidence, crops_bgr=blind))


def _accuracy(network: FusedEncoder, items: Sequence[Encoded], tokenizer: Any) -> float:
    logits = logits_of(network, items, tokenizer, torch.device("cpu"))
    violated = np.array([item.pair.violated for item in items])
    return float(((logits > 0) == violated).mean())
