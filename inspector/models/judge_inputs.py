"""What the fused judge's network is given: word pieces of premise and clause, and crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.asked import CLAUSE_CHARACTERS
from inspector.domain import Evidence
from inspector.evidence import cleaned, premise, spoken
from inspector.ontology import Ontology

if TYPE_CHECKING:
    from inspector.models.fusion import Looks

TOKENS_AT_MOST = 224
NAME_PIECES = 8


def encoded(
    tokenizer: Any,
    evidence: Evidence,
    clauses: Sequence[str],
    *,
    ontology: Ontology | None = None,
    **options: Any,
) -> Any:
    """Return premise and clause of each clause as word pieces."""
    return pieces(tokenizer, sentences(tokenizer, evidence, clauses, ontology=ontology), **options)


def sentences(
    tokenizer: Any,
    evidence: Evidence,
    clauses: Sequence[str],
    *,
    ontology: Ontology | None = None,
) -> list[tuple[str, str]]:
    """Return premise and clause of each clause."""
    texts = [" ".join(clause.split())[:CLAUSE_CHARACTERS] for clause in clauses]
    return [
        (premise(evidence, text, ontology=ontology), _second(tokenizer, text)) for text in texts
    ]


def pieces(tokenizer: Any, pairs: Sequence[tuple[str, str]], **options: Any) -> Any:
    """Return premises and clauses as word pieces; the longer of the two is cut.

    Special tokens in print are spelt out: they cannot end a sentence.
    """
    return tokenizer(
        [first for first, _ in pairs],
        [second for _, second in pairs],
        truncation="longest_first",
        split_special_tokens=True,
        max_length=TOKENS_AT_MOST,
        return_token_type_ids=True,  # a saved tokenizer_config.json may not ask for them
        **options,
    )


def _second(tokenizer: Any, clause: str) -> str:
    """Return the clause as it follows the premise; a decoder's tokenizer parts them by no sign."""
    return clause if tokenizer.sep_token is not None else f"\nRequirement: {clause}"


def looks_of(evidences: Sequence[Evidence], tokenizer: Any) -> Looks | None:
    """Return the crops of `evidences`, one row each, None where none has any."""
    import torch

    from inspector.models.fusion import Looks

    found = [
        (row, defect, crop)
        for row, evidence in enumerate(evidences)
        for defect, crop in zip(evidence.defects, evidence.crops_bgr, strict=False)
        if crop is not None
    ]
    if not found:
        return None
    called = [
        cleaned(f"{spoken(defect.label)} {spoken(defect.zone or '')}") for _, defect, _ in found
    ]
    named = tokenizer(called, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    names = [of_name[:NAME_PIECES] for of_name in named]
    of_row: list[list[int]] = [[] for _ in evidences]
    for index, (row, _, _) in enumerate(found):
        of_row[row].append(index)
    width = max(map(len, of_row))
    # Not by torch: its threads wait for more work for a while, on the cores that the network needs.
    pictures = np.stack([crop for _, _, crop in found]).transpose(0, 3, 1, 2) / np.float32(255)
    return Looks(
        pictures=torch.from_numpy(np.ascontiguousarray(pictures)),
        name_ids=torch.tensor([n + [0] * (NAME_PIECES - len(n)) for n in names]),
        rows=torch.tensor([r + [-1] * (width - len(r)) for r in of_row]),
    )


def for_all(looks: Looks, count: int) -> Looks:
    """Return the crops of one evidence as those of `count` pairs with it."""
    from inspector.models.fusion import Looks

    rows = looks.rows.expand(count, -1)
    return Looks(pictures=looks.pictures, name_ids=looks.name_ids, rows=rows)
