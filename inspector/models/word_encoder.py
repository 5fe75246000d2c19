"""The sentence encoder that finds the term for a word nobody wrote down.

A model is a folder: the layers of a small encoder in safetensors, in few bits, its configuration
and tokenizer, and `model.json` with what a guess must reach to count. The vectors of its word
pieces are the judge's own, which training left as they were: they are read from the judge's file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inspector.errors import ModelError
from inspector.models.offline import keep_offline
from inspector.models.shelf import ASSETS, DESCRIPTION, model_folder, verified
from inspector.ontology import ANY_DEFECT, Group, Term, TermGraph

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "word-encoder"
ATTRIBUTE = "attribute"
FILES_BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")
WORD_VECTORS = "embeddings.word_embeddings.weight"
PIECES_AT_MOST = 24
TOGETHER = 128


class WordEncoder:
    """Turns short texts into vectors of length 1; texts that mean alike lie near each other.

    One instance serves one thread.
    """

    def __init__(self, network: nn.Module, tokenizer: Any) -> None:
        self._network = network.eval()
        self._tokenizer = tokenizer

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return float32[N, width]."""
        import torch

        found = []
        with torch.inference_mode():
            for at in range(0, len(texts), TOGETHER):
                batch = pieces(self._tokenizer, texts[at : at + TOGETHER])
                found.append(embedded(self._network, batch).float().numpy())
        return np.concatenate(found) if found else np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a guess must reach to count: its similarity, and its lead over unrelated names."""

    similarity: float
    lead: float

    def admits(self, guess: Guess) -> bool:
        return guess.similarity >= self.similarity and guess.lead >= self.lead


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The name nearest to a text; `lead` is how much nearer than any that is unrelated to it.

    Two names are related where one falls under the other. Both numbers are 0–1.
    """

    name: str
    similarity: float
    lead: float


class NearestTerm:
    """Finds the name in an ontology whose words lie nearest to a text; an ontology's `Nearest`."""

    def __init__(self, encoder: WordEncoder, graph: TermGraph, *, limits: Limits) -> None:
        """Place every word for a defect."""
        self.limits = limits
        self._encoder = encoder
        self._graph = graph
        entries: Mapping[str, Term | Group] = {**graph.terms, **graph.groups}
        rows = [(w, name) for name in defect_names(graph) for w in (name, *entries[name].words)]
        self._names = [name for _, name in rows]
        self._vectors = encoder.vectors([word for word, _ in rows])

    def __call__(self, text: str) -> tuple[str, float] | None:
        """Return the nearest name with its similarity, None where that is not enough."""
        guess = self.guess(text)
        return (guess.name, guess.similarity) if self.limits.admits(guess) else None

    def guess(self, text: str) -> Guess:
        """Return the nearest name, whatever that is worth."""
        similar = self._vectors @ self._encoder.vectors([text])[0]
        return nearest_name(similar, self._names, self._graph.wider)


def defect_names(graph: TermGraph) -> tuple[str, ...]:
    """Return the terms and groups a word may be taken for: no attribute, and not just any defect.

    An unknown word taken for "length" or "defect" would say nothing of what was found.
    """
    return tuple(
        name
        for name in (*graph.terms, *graph.groups)
        if name != ANY_DEFECT and ATTRIBUTE not in graph.wider[name]
    )


def nearest_name(
    similar: NDArray[np.float32],
    names: Sequence[str],
    wider: Mapping[str, frozenset[str]],
) -> Guess:
    """Return the name with the most similar word; `similar` and `names` are parallel, by word."""
    best: dict[str, float] = {}
    for name, value in zip(names, similar.tolist(), strict=True):
        if value > best.get(name, -2.0):
            best[name] = value
    first = max(best, key=lambda name: best[name])
    others = (
        value
        for name, value in best.items()
        if name not in wider[first] and first not in wider[name]
    )
    similarity = max(0.0, min(1.0, best[first]))
    return Guess(name=first, similarity=similarity, lead=similarity - max(others, default=0.0))


def shipped_word_encoder() -> str | None:
    """Return the name of the shipped encoder, None where this installation has none."""
    return NAME if (ASSETS / NAME / DESCRIPTION).is_file() else None


def load_word_encoder(
    name_or_path: str | Path, graph: TermGraph, *, judge: str | Path = "judge"
) -> NearestTerm:
    """Return what finds the nearest name in `graph`; all files are verified first.

    `judge` is the judge whose word pieces it shares. Raises `ModelError` where a file is missing,
    damaged, or made for another judge.
    """
    keep_offline()
    folder = model_folder(str(name_or_path))
    try:
        card: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
        weights = folder / card["file"]
        verified(weights, card["sha256"])
        for name in FILES_BESIDE:
            verified(folder / name, card["files"][name])
        limits = Limits(similarity=float(card["similarity"]), lead=float(card["lead"]))
        network, tokenizer = _built(folder, weights, _word_vectors(judge, card["words_sha256"]))
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise ModelError(
            f"expected a word encoder with its {DESCRIPTION} in {folder}: {exc}; install it again"
        ) from exc
    return NearestTerm(WordEncoder(network, tokenizer), graph, limits=limits)


def _built(folder: Path, weights: Path, words: Tensor) -> tuple[nn.Module, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    from inspector.models.packed import unpacked

    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
        network: nn.Module = AutoModel.from_config(config)
        network.register_module("pooler", None)
        network.load_state_dict({**unpacked(load_file(weights)), WORD_VECTORS: words})
    except (AttributeError, RuntimeError, SafetensorError) as exc:
        raise ModelError(
            f"expected the weights of a word encoder in {folder}: {exc}; install it again"
        ) from exc
    return network, tokenizer


def _word_vectors(judge: str | Path, sha256: str) -> Tensor:
    """Return the vectors of the judge's word pieces, if they are those with that hash."""
    from safetensors import SafetensorError, safe_open

    from inspector.models.fusion import restored
    from inspector.models.shelf import content_sha256, load_card

    name = f"backbone.{WORD_VECTORS}"
    path = model_folder(str(judge)) / load_card(str(judge)).file
    try:
        with safe_open(path, framework="pt") as file:
            kept = {key: file.get_tensor(key) for key in (name, f"{name}.scale")}
    except SafetensorError as exc:
        raise ModelError(
            f"{path}: expected the word pieces of a MiniLM: {exc}; train the word encoder again "
            "for this judge, or name the judge it was trained for"
        ) from exc
    if (found := content_sha256(kept[name].numpy().tobytes())) != sha256:
        raise ModelError(
            f"{path}: expected word pieces with sha256 {sha256}, found {found}; this judge has "
            "others: train the word encoder again"
        )
    return restored(kept)[name]


def pieces(tokenizer: Any, texts: Sequence[str]) -> Any:
    """Return a padded batch of word pieces; long texts are cut."""
    return tokenizer(
        list(texts),
        padding=True,
        truncation=True,
        max_length=PIECES_AT_MOST,
        split_special_tokens=True,
        return_tensors="pt",
    )


def embedded(network: nn.Module, batch: Any) -> Tensor:
    """Return the mean of each text's last states, scaled to length 1."""
    from torch.nn.functional import normalize

    mask = batch["attention_mask"]
    states = network(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
    weight = mask.unsqueeze(-1).to(states.dtype)
    return normalize((states * weight).sum(1) / weight.sum(1), dim=-1)
