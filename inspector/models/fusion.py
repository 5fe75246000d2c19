"""The fused judge as a torch module: a language model that also looks at crops.

Premise and clause go through the backbone together: any transformer of `AutoModel` that keeps its
layers in a list, an encoder or a decoder. Each crop becomes four visual tokens, named by the words
of the defect that it shows; after two of the backbone's layers the text attends to them through a
gate that starts closed (Flamingo, Alayrac et al., NeurIPS 2022, section 2.2), so that a judge
without crops is the plain language model. One logit: log-odds of "violated".
"""

from __future__ import annotations

import inspect
import math
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
        """Return `text` with what it saw; `absent` is True where a visual token is padding.

        The first visual token stands for "nothing".
        """
        seen, _ = self.attend(
            self.norm(text), tokens, tokens, key_padding_mask=absent, need_weights=False
        )
        # A pair without crops reads the same alone and beside pairs that have some.
        sees = (~absent[:, 1:]).any(dim=1).to(seen.dtype)[:, None, None]
        looked: Tensor = text + torch.tanh(self.gate) * seen * sees
        return looked


class FusedEncoder(nn.Module):
    """A language model of transformers with gated looks after the layers `look_after`.

    An encoder is read at its first place, a decoder, in which only the last place has seen all, at
    its last; both beside the mean of all places. Raises `ValueError` where it is neither.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        look_after: Sequence[int] | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        layers, words = layers_of(backbone), words_of(backbone)
        config: Any = backbone.config
        width: int = config.hidden_size
        if getattr(backbone, "pooler", None) is not None:
            backbone.register_module("pooler", None)  # a layer that this judge does not read
        self.backbone = backbone
        self.reads_last = not looks_ahead(backbone)
        self.crops = CropEncoder(width)
        self.name_norm = nn.LayerNorm(width)
        self.name_width: nn.Module = (
            nn.Identity() if words.embedding_dim == width else nn.Linear(words.embedding_dim, width)
        )
        after = places_to_look(len(layers)) if look_after is None else tuple(look_after)
        heads = math.gcd(width, config.num_attention_heads)
        self.looks = nn.ModuleList(GatedLook(width, heads=heads, dropout=dropout) for _ in after)
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
        self._knows_types = _takes(backbone, "token_type_ids")
        for index, look in zip(after, self.looks, strict=True):
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
        tokens = None if looks is None else _for_rows(self._named_tokens(looks), looks.rows)
        given = {"input_ids": input_ids, "attention_mask": attention_mask}
        return self._judged(given, token_type_ids, signs, tokens)

    def from_vectors(
        self,
        vectors: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        signs: Tensor,
        pictures: Tensor,
        names: Tensor,
        rows: Tensor,
    ) -> Tensor:
        """Return the same from the vectors of word pieces float32[B, L, V], looked up outside.

        `names` is float32[N, V], the mean vector of each crop's name; the rest is as in `Looks`.
        With a crop or more: where there is none, one that belongs to no row.
        """
        tokens = _for_rows(self._tokens_of(pictures, names), rows)
        given = {"inputs_embeds": vectors, "attention_mask": attention_mask}
        return self._judged(given, token_type_ids, signs, tokens)

    def _judged(
        self,
        given: dict[str, Tensor],
        token_type_ids: Tensor,
        signs: Tensor,
        tokens: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        """Let the backbone read what is given while its looks see `tokens`; answer."""
        types = {"token_type_ids": token_type_ids} if self._knows_types else {}
        if tokens is not None:
            batch = given["attention_mask"].shape[0]  # not len(): a tracer would take it as fixed
            nothing = self.nothing.expand(batch, 1, -1).to(tokens[0].dtype)
            # One learnt token is always there: attention over no token at all is not a number.
            present = torch.zeros(batch, 1, dtype=torch.bool, device=nothing.device)
            tokens = (
                torch.cat([nothing, tokens[0]], dim=1),
                torch.cat([present, tokens[1]], dim=1),
            )
        self._tokens = tokens
        try:
            states = self.backbone(**given, **types).last_hidden_state
        finally:
            self._tokens = None
        mask = given["attention_mask"].unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1)
        if self.reads_last:
            last = given["attention_mask"].sum(1) - 1
            place = states[torch.arange(states.shape[0], device=states.device), last]
        else:
            place = states[:, 0]
        read = torch.cat([place, mean], dim=-1)
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
        # Not through the module: what disturbs the words of the text must not disturb the names.
        words = nn.functional.embedding(looks.name_ids, words_of(self.backbone).weight)
        known = (looks.name_ids > 0).unsqueeze(-1)
        named = (words * known).sum(1) / known.sum(1).clamp(min=1)
        return self._tokens_of(looks.pictures, named)

    def _tokens_of(self, pictures: Tensor, names: Tensor) -> Tensor:
        tokens = self.crops(pictures)
        named = self.name_norm(self.name_width(names))
        whole: Tensor = tokens + named.unsqueeze(1).to(tokens.dtype)
        return whole

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


def _for_rows(tokens: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the visual tokens of each row's crops, and True where one is padding."""
    batch, crops = rows.shape
    chosen = tokens[rows.clamp(min=0)].reshape(batch, crops * TOKENS_PER_CROP, -1)
    return chosen, (rows < 0).repeat_interleave(TOKENS_PER_CROP, dim=1)


def places_to_look(layers: int) -> tuple[int, ...]:
    """Return after which of a backbone's layers the text looks: the middle and the last but one."""
    return tuple(sorted({max(0, layers // 2 - 1), max(0, layers - 2)}))


def layers_of(backbone: nn.Module) -> nn.ModuleList:
    """Return the list of a transformer's layers; raise `ValueError` where it has none."""
    config: Any = backbone.config
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(
            "expected an encoder or a decoder, found a model of both; give its encoder alone"
        )
    count = getattr(config, "num_hidden_layers", None)
    for module in backbone.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise ValueError(
        f"expected a transformer with a list of its {count} layers, found none in "
        f"{type(backbone).__name__}; take another backbone"
    )


def words_of(backbone: nn.Module) -> nn.Embedding:
    """Return the table of a transformer's word pieces."""
    found = backbone.get_input_embeddings()  # type: ignore[operator]
    assert isinstance(found, nn.Embedding)
    return found


def looks_ahead(backbone: nn.Module) -> bool:
    """Return whether an early place sees a later one, as in an encoder; found by trying."""
    training = backbone.training
    backbone.eval()
    device = words_of(backbone).weight.device
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 5]], device=device)
    with torch.no_grad():
        states = backbone(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    backbone.train(training)
    return not torch.allclose(states[0, 0], states[1, 0], atol=1e-5)


def _takes(backbone: nn.Module, name: str) -> bool:
    return name in inspect.signature(backbone.forward).parameters


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
