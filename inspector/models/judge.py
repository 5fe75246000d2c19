"""The fused judge at run time: evidence and clauses in, calibrated P(violated) out.

A judge is a folder: weights in safetensors (int8 by rows), the encoder's configuration, the
tokenizer and `model.json` with temperature and thresholds. Loading needs no network and no base
model, and runs no code from the folder.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.asked import CLAUSE_CHARACTERS, asked_of
from inspector.decision import Thresholds
from inspector.domain import Clause, Evidence
from inspector.errors import ModelError
from inspector.evidence import EVIDENCE_VERSION, cleaned, premise, spoken
from inspector.ontology import Ontology
from inspector.premise import KINDS_AT_MOST
from inspector.signs import signs

if TYPE_CHECKING:
    from inspector.models.fusion import FusedEncoder, Looks

LOOK_AFTER = (2, 4)
TOKENS_AT_MOST = 224
NAME_PIECES = 8
FILES_BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")


class FusedJudge:
    """Judges evidence against clauses; implements the pipeline's `Judge`.

    One instance serves one thread.
    """

    def __init__(
        self,
        network: FusedEncoder,
        tokenizer: Any,
        *,
        name: str,
        sha256: str,
        temperature: float,
        thresholds: Thresholds,
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self.thresholds = thresholds
        self._network = network.eval()
        self._tokenizer = tokenizer
        self._temperature = temperature

    def violation_probabilities(
        self, evidence: Evidence, clauses: tuple[Clause, ...]
    ) -> tuple[float, ...]:
        """Return the calibrated P(violated) of each clause, all in one batch.

        Raises `ModelError` where the model gives no number.
        """
        logits = self.logits(evidence, [clause.text for clause in clauses])
        if not all(map(math.isfinite, logits)):
            raise ModelError(
                f"expected a number for every clause, {self.name} gave {logits}; its weights are "
                "damaged: install it again"
            )
        doubtful = (self.thresholds.pass_at + self.thresholds.fail_at) / 2
        return tuple(
            probability
            if self._is_wholly_read(evidence, clause.text)
            else max(probability, doubtful)
            for clause, probability in zip(
                clauses, (_sigmoid(logit / self._temperature) for logit in logits), strict=True
            )
        )

    def _is_wholly_read(self, evidence: Evidence, clause: str) -> bool:
        """Return whether the network sees all that the clause may hang on.

        What was cut, and a size that nobody measured, can object to a part but never clear it.
        """
        text, asked = " ".join(clause.split()), asked_of(clause)
        sized = bool(asked.lengths or asked.areas)
        return (
            len(text) <= CLAUSE_CHARACTERS
            and len({defect.label for defect in evidence.defects}) <= KINDS_AT_MOST
            and not (sized and any(d.longest_mm is None for d in evidence.defects))
            and len(self._tokenizer(premise(evidence, text), text)["input_ids"]) <= TOKENS_AT_MOST
        )

    def logits(self, evidence: Evidence, clauses: Sequence[str]) -> tuple[float, ...]:
        """Return the log-odds before calibration."""
        import torch

        if not clauses:
            return ()
        batch = encoded(self._tokenizer, evidence, clauses, padding=True, return_tensors="pt")
        looks = looks_of([evidence], self._tokenizer)
        if looks is not None:
            looks = _for_all(looks, len(clauses))
        with torch.inference_mode():
            try:
                found = self._network(
                    batch["input_ids"],
                    batch["attention_mask"],
                    batch["token_type_ids"],
                    torch.tensor([signs(evidence, clause) for clause in clauses]),
                    looks,
                )
            except RuntimeError as exc:
                raise ModelError(f"{self.name}: the judge failed: {exc}") from exc
        return tuple(float(value) for value in found)


def load_judge(name_or_path: str | Path, *, threads: int | None = None) -> FusedJudge:
    """Return the judge of that name (shipped) or folder; its sha256 is verified first.

    `threads` is the number of CPU threads that torch may use in this process.

    Raises `ModelError` where a file is missing, damaged or of another evidence version.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from inspector.models.shelf import model_folder, verified

    folder = model_folder(str(name_or_path))
    try:
        card: dict[str, Any] = json.loads((folder / "model.json").read_text())
        weights = folder / card["file"]
        sha256: str = card["sha256"]
        beside: dict[str, str] = {name: card["files"][name] for name in FILES_BESIDE}
        version: str = card["evidence_version"]
        temperature = float(card["temperature"])
        thresholds = Thresholds(pass_at=card["pass_at"], fail_at=card["fail_at"])
        judge_name = f"{card['name']} {sha256[:12]}"
        if not 0.05 <= temperature <= 100:
            raise ValueError(f"expected a temperature of 0.05 to 100, found {temperature}")
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise ModelError(
            f"expected a judge with its model.json in {folder}: {exc}; install it again"
        ) from exc
    if version != EVIDENCE_VERSION:
        raise ModelError(
            f"expected a judge trained on {EVIDENCE_VERSION}, {folder.name} was trained on "
            f"{version}; train it again: inspector train judge"
        )
    verified(weights, sha256)
    for name, expected in beside.items():
        verified(folder / name, expected)  # another vocabulary would change every verdict
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    network, tokenizer = _built(folder, weights)
    return FusedJudge(
        network,
        tokenizer,
        name=judge_name,
        sha256=sha256,
        temperature=temperature,
        thresholds=thresholds,
    )


def _built(folder: Path, weights: Path) -> tuple[FusedEncoder, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    from inspector.models.fusion import FusedEncoder, restored

    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
        network = FusedEncoder(
            AutoModel.from_config(config, add_pooling_layer=False), look_after=LOOK_AFTER
        )
        network.load_state_dict(restored(load_file(weights)))
    except (
        OSError,
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        RuntimeError,
        SafetensorError,
    ) as exc:
        raise ModelError(
            f"expected the weights of a fused judge in {folder}: {exc}; install it again"
        ) from exc
    return network, tokenizer


def encoded(
    tokenizer: Any,
    evidence: Evidence,
    clauses: Sequence[str],
    *,
    ontology: Ontology | None = None,
    **options: Any,
) -> Any:
    """Return premise and clause of each clause as word pieces; the longer of the two is cut.

    Special tokens in print are spelt out: they cannot end a sentence.
    """
    texts = [" ".join(clause.split())[:CLAUSE_CHARACTERS] for clause in clauses]
    return tokenizer(
        [premise(evidence, text, ontology=ontology) for text in texts],
        texts,
        truncation="longest_first",
        split_special_tokens=True,
        max_length=TOKENS_AT_MOST,
        return_token_type_ids=True,  # a saved tokenizer_config.json may not ask for them
        **options,
    )


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
    names = [
        tokenizer(
            cleaned(f"{spoken(defect.label)} {spoken(defect.zone or '')}"),
            add_special_tokens=False,
            split_special_tokens=True,
        )["input_ids"][:NAME_PIECES]
        for _, defect, _ in found
    ]
    of_row: list[list[int]] = [[] for _ in evidences]
    for index, (row, _, _) in enumerate(found):
        of_row[row].append(index)
    width = max(map(len, of_row))
    pictures = np.stack([crop for _, _, crop in found])
    return Looks(
        pictures=torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(255),
        name_ids=torch.tensor([n + [0] * (NAME_PIECES - len(n)) for n in names]),
        rows=torch.tensor([r + [-1] * (width - len(r)) for r in of_row]),
    )


def _for_all(looks: Looks, count: int) -> Looks:
    from inspector.models.fusion import Looks

    rows = looks.rows.expand(count, -1)
    return Looks(pictures=looks.pictures, name_ids=looks.name_ids, rows=rows)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
