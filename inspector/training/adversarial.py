"""Adversarial training on word vectors: Miyato et al., "Adversarial Training Methods for
Semi-Supervised Text Classification" (ICLR 2017), the fast gradient method.

The word vectors of each text are moved a little way along the gradient of the loss, the direction
that hurts most, and the network learns from the moved ones too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WordPush:
    """Listens to the word vectors of one batch, then moves them; also where their table is frozen.

    `size` is the length of the push on a whole text, in lengths of its mean word vector.
    """

    def __init__(self, words: nn.Embedding, *, size: float) -> None:
        self._size = size
        self._listens = False
        self._heard: Tensor | None = None
        self._push: Tensor | None = None
        self._handle = words.register_forward_hook(self._hook)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep the word vectors, and later their gradients, of the one batch read within."""
        self._listens = True
        try:
            yield
        finally:
            self._listens = False

    @contextmanager
    def pushing(self) -> Iterator[None]:
        """Move the vectors of the batch heard before, which is read again within.

        Raises `RuntimeError` where the gradients of that batch are not there yet.
        """
        if self._heard is None or self._heard.grad is None:
            raise RuntimeError("expected the gradients of a batch heard before; call backward")
        gradient, vectors = self._heard.grad.float(), self._heard.detach().float()
        length = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
        mean = vectors.norm(dim=-1).mean(dim=1)[:, None, None]
        self._push = (self._size * mean * gradient / length).to(self._heard.dtype)
        try:
            yield
        finally:
            self._push = self._heard = None

    def close(self) -> None:
        """Leave the table alone from now on."""
        self._handle.remove()

    def _hook(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        del module, inputs
        if self._push is not None:
            return output + self._push
        if not (self._listens and torch.is_grad_enabled()):
            return None
        if not output.requires_grad:
            output.requires_grad_()
        output.retain_grad()
        self._heard = output
        return None
