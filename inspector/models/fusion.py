"""The fused judge as a torch module: a language encoder that also looks at crops.

Premise and clause go through the encoder as a sentence pair. Each crop becomes four visual tokens,
named by the words of the defect that it shows; inside two encoder layers the text attends to them
through a gate that starts closed (Flamingo, Alayrac et al., NeurIPS 2022, section 2.2), so that a
judge without crops is the plain language model. One logit: log-odds of "violated".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from inspector.signs import SIGNS

TOKENS_PER_CROP = 4
CROP_CHANNELS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Crops of one batch.

    `pictures` is float32[N, 3, H, W] in 0–1, all crops of all evidences. `name_ids` int64[N, L] are
    the word pieces of each crop's label and zone, 0 where padded. `rows` int64[B, C] gives, for
    each pair of the batch, which crops belong to it, -1 where none.
    """

    pictures: Tensor
    name_ids: Tensor
    rows: Tensor

    def to(self, device: torch.device) -> Looks:
        return Looks(
            pictures=self.pictures.to(device),
            name_ids=self.name_ids.to(device),
            rows=self.rows.to(device),
        )


class CropEncoder(nn.Module):
    """Turns crops float32[N, 3, 64, 64] into visual tokens float32[N, 4, width]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = (3, 24, 48, 96, CROP_CHANNELS)
        steps: list[nn.Module] = []
        for before, after in pairwise(channels):
            steps += [
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.GroupNorm(8, after),
                nn.SiLU(),
            ]
        self.layers = nn.Sequential(*steps, nn.Conv2d(CROP_CHANNELS, CROP_CHANNELS, 3, padding=1))
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.project = nn.Linear(CROP_CHANNELS, width)

    def forward(self, pictures: Tensor) -> Tensor:
        seen = self.pool(nn.functional.silu(self.layers(pictures - 0.5)))
        tokens: Tensor = self.project(seen.flatten(2).transpose(1, 2))
        return tokens


class GatedLook(nn.Module):
    """Cross-attention from text to visual tokens behind a gate that starts closed."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, text: Tensor, tokens: Tensor, absent: Tensor) -> Tensor:
        """Return `text` with what it saw; `absent` is True where a visual token is padding."""
        seen, _ = self.attend(
            self.norm(text), tokens, tokens, key_padding_mask=absent, need_weights=False
        )
        looked: Tensor = text + torch.tanh(self.gate) * seen
        return looked


class FusedEncoder(nn.Module):
    """A sentence-pair encoder of transformers with gated looks after the layers `look_after`."""

    def __init__(
        self, backbone: nn.Module, *, look_after: Sequence[int], dropout: float = 0.1
    ) -> None:
        super().__init__()
        config: Any = backbone.config
        width: int = config.hidden_size
        self.backbone = backbone
        self.crops = CropEncoder(width)
        self.name_norm = nn.LayerNorm(width)
        self.looks = nn.ModuleList(
            GatedLook(width, heads=config.num_attention_heads, dropout=dropout) for _ in look_after
        )
        self.nothing = nn.Parameter(torch.zeros(1, 1, width))
        self.head = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(2 * width, width), nn.Tanh(), nn.Dropout(dropout),
            nn.Linear(width, 1),
        )  # fmt: skip
        self.real_head = nn.Linear(width, 1)
        self.weigh = nn.Linear(2 * width, len(SIGNS))
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)
        self._tokens: tuple[Tensor, Tensor] | None = None
        layers: Any = backbone.encoder.layer  # type: ignore[union-attr]
        for index, look in zip(look_after, self.looks, strict=True):
            layers[index].register_forward_hook(self._looking(look))

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        signs: Tensor,
        looks: Looks | None,
    ) -> Tensor:
        """Return float32[B]: the log-odds that each pair is violated.

        `signs` is float32[B, S]: what code answers for each of `inspector.signs.SIGNS`.
        """
        self._tokens = None if looks is None else self._visual_tokens(looks)
        try:
            states = self.backbone(
                input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
            ).last_hidden_state
        finally:
            self._tokens = None
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1)
        read = torch.cat([states[:, 0], mean], dim=-1)
        # What was read decides which answers count and which way: a clause that requires and one
        # that forbids differ in the sign of one weight.
        weighed = (self.weigh(read).float() * signs).sum(-1)
        logits: Tensor = self.head(read).squeeze(-1).float() + weighed
        return logits

    def real_logits(self, looks: Looks) -> Tensor:
        """Return float32[N]: the log-odds that each crop shows the defect that it is named for."""
        logits: Tensor = self.real_head(torch.tanh(self._named_tokens(looks).mean(1))).squeeze(-1)
        return logits.float()

    def _named_tokens(self, looks: Looks) -> Tensor:
        words: Any = self.backbone.embeddings.word_embeddings  # type: ignore[union-attr]
        known = (looks.name_ids > 0).unsqueeze(-1)
        named = (words(looks.name_ids) * known).sum(1) / known.sum(1).clamp(min=1)
        tokens = self.crops(looks.pictures)
        whole: Tensor = tokens + self.name_norm(named).unsqueeze(1).to(tokens.dtype)
        return whole

    def _visual_tokens(self, looks: Looks) -> tuple[Tensor, Tensor]:
        tokens = self._named_tokens(looks)
        batch, crops = looks.rows.shape
        chosen = tokens[looks.rows.clamp(min=0)].reshape(batch, crops * TOKENS_PER_CROP, -1)
        absent = (looks.rows < 0).repeat_interleave(TOKENS_PER_CROP, dim=1)
        # One learnt token is always there: attention over no token at all is not a number.
        nothing = self.nothing.expand(batch, 1, -1).to(chosen.dtype)
        present = torch.zeros(batch, 1, dtype=torch.bool, device=absent.device)
        return torch.cat([nothing, chosen], dim=1), torch.cat([present, absent], dim=1)

    def _looking(self, look: nn.Module) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> Any:
            del module, inputs
            if self._tokens is None:
                return None
            tokens, absent = self._tokens
            if isinstance(output, tuple):
                return (look(output[0], tokens, absent), *output[1:])
            return look(output, tokens, absent)

        return hook


def quantised(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return `state` with its large matrices in int8, one scale for each row.

    Symmetric rounding to 255 steps; `NAME.scale` stands beside each matrix.
    """
    packed: dict[str, Tensor] = {}
    for name, values in state.items():
        if values.ndim == 2 and values.numel() >= 4096:
            scale = values.float().abs().amax(dim=1, keepdim=True).clamp(min=1e-8) / 127
            packed[name] = torch.round(values.float() / scale).to(torch.int8)
            packed[f"{name}.scale"] = scale
        else:
            packed[name] = values.float().contiguous()
    return packed


def restored(packed: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what `quantised` packed, in float32."""
    return {
        name: values.float() * packed[f"{name}.scale"] if values.dtype == torch.int8 else values
        for name, values in packed.items()
        if not name.endswith(".scale")
    }
