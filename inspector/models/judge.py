"""The fused judge at run time: evidence and clauses in, calibrated P(violated) out.

A judge is a folder: weights in safetensors (int8 by rows), the encoder's configuration, the
tokenizer and `model.json` with temperature and thresholds; with a sight beside them, it doubts
defects that their crops do not show (`inspector.models.crop_sight`). Loading needs no network and
no base model, and runs no code from the folder.
"""

from __future__ import annotations

import json
import math
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from inspector.asked import CLAUSE_CHARACTERS, asked_of
from inspector.combining import share
from inspector.decision import Thresholds
from inspector.domain import Clause, Evidence
from inspector.errors import ModelError
from inspector.evidence import EVIDENCE_VERSION
from inspector.models.judge_inputs import TOKENS_AT_MOST, for_all, looks_of, pieces, sentences
from inspector.premise import KINDS_AT_MOST
from inspector.signs import signs

if TYPE_CHECKING:
    from torch import Tensor

    from inspector.models.crop_sight import Sight
    from inspector.models.fusion import FusedEncoder, Looks
    from inspector.models.judge_engines import JudgeEngine

FILES_BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """What the network says of one clause: the calibrated P(violated), and whether it saw all."""

    probability: float
    is_wholly_read: bool


class Network(Protocol):
    """A judge's network, in whatever engine; see `FusedEncoder.forward`."""

    def __call__(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        signs: Tensor,
        looks: Looks | None,
        /,
    ) -> Tensor:
        """Return float32[B], the log-odds; raise `RuntimeError` where it fails."""
        ...


class _Question(NamedTuple):
    """All that the network is given for one clause of evidence without crops."""

    sentences: tuple[str, str]
    signs: tuple[float, ...]


class _Answer(NamedTuple):
    """The network's log-odds, and how many word pieces it read for them."""

    log_odds: float
    pieces: int


class FusedJudge:
    """Judges evidence against clauses; implements the pipeline's `Judge`.

    One instance serves one thread.
    """

    def __init__(
        self,
        network: Network,
        tokenizer: Any,
        *,
        name: str,
        sha256: str,
        temperature: float,
        thresholds: Thresholds,
        engine: str = "pytorch",
        sight: Sight | None = None,
        remembers: int = 0,
    ) -> None:
        """Take a network with its tokenizer; `remembers` is how many answers are kept."""
        self.name = name
        self.engine = engine
        self.sha256 = sha256
        self.thresholds = thresholds
        self._network = network
        self._tokenizer = tokenizer
        self._sight = sight
        self.temperature = temperature
        self._remembers = remembers
        self._remembered: OrderedDict[_Question, _Answer] = OrderedDict()

    def violation_probabilities(
        self, evidence: Evidence, clauses: tuple[Clause, ...]
    ) -> tuple[float, ...]:
        """Return the calibrated P(violated) of each clause, all in one batch.

        Where the network did not see all of it, the answer is at least uncertain.
        Raises `ModelError` where the model gives no number.
        """
        doubtful = (self.thresholds.pass_at + self.thresholds.fail_at) / 2
        return tuple(
            found.probability if found.is_wholly_read else max(found.probability, doubtful)
            for found in self.assess(evidence, clauses)
        )

    def assess(self, evidence: Evidence, clauses: tuple[Clause, ...]) -> tuple[Assessed, ...]:
        """Return what the network says of each clause, before any threshold.

        Where crops leave a defect in doubt, P(violated) is the mean over the evidence with and
        without it, by the chance of each. Raises `ModelError` where the model gives no number.
        """
        if not clauses:
            return ()
        versions = self._versions(evidence)
        found = [self._assessed(version, clauses) for _, version in versions]
        return tuple(
            Assessed(
                probability=sum(
                    weight * one.probability
                    for (weight, _), one in zip(versions, of_clause, strict=True)
                ),
                is_wholly_read=all(one.is_wholly_read for one in of_clause),
            )
            for of_clause in zip(*found, strict=True)
        )

    def _versions(self, evidence: Evidence) -> tuple[tuple[float, Evidence], ...]:
        """Return `evidence` with and without the defects that their crops leave in doubt."""
        if self._sight is None or all(crop is None for crop in evidence.crops_bgr):
            return ((1.0, evidence),)
        from inspector.models.crop_sight import by_doubt

        return by_doubt(evidence, self._sight.chances(evidence))

    def _assessed(self, evidence: Evidence, clauses: tuple[Clause, ...]) -> tuple[Assessed, ...]:
        answers = self._answers(evidence, [clause.text for clause in clauses])
        return tuple(
            Assessed(
                probability=share(answer.log_odds / self.temperature),
                is_wholly_read=self._is_wholly_read(evidence, clause.text)
                and (answer.pieces < TOKENS_AT_MOST or not self._is_cut(evidence, clause.text)),
            )
            for clause, answer in zip(clauses, answers, strict=True)
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
        )

    def _is_cut(self, evidence: Evidence, clause: str) -> bool:
        (pair,) = sentences(self._tokenizer, evidence, [clause])
        return len(self._tokenizer(*pair)["input_ids"]) > TOKENS_AT_MOST

    def logits(self, evidence: Evidence, clauses: Sequence[str]) -> tuple[float, ...]:
        """Return the log-odds before calibration."""
        return tuple(answer.log_odds for answer in self._answers(evidence, clauses))

    def _answers(self, evidence: Evidence, clauses: Sequence[str]) -> list[_Answer]:
        """Return the answer for each clause, from memory where the same was asked before.

        What comes with crops is always asked anew: no two pictures are the same.
        """
        questions = [
            _Question(sentences=pair, signs=signs(evidence, clause))
            for clause, pair in zip(
                clauses, sentences(self._tokenizer, evidence, clauses), strict=True
            )
        ]
        looks = looks_of([evidence], self._tokenizer)
        if looks is not None:
            return self._asked(questions, for_all(looks, len(questions)))
        new = list(dict.fromkeys(q for q in questions if q not in self._remembered))
        answers = dict(zip(new, self._asked(new, None), strict=True))
        found = [answers[q] if q in answers else self._remembered[q] for q in questions]
        for question, answer in zip(questions, found, strict=True):
            self._remembered[question] = answer
            self._remembered.move_to_end(question)
        while len(self._remembered) > self._remembers:
            self._remembered.popitem(last=False)
        return found

    def _asked(self, questions: Sequence[_Question], looks: Looks | None) -> list[_Answer]:
        """Return the network's answers in one batch; raise `ModelError` where it gives none."""
        import torch

        if not questions:
            return []
        pairs = [question.sentences for question in questions]
        batch = pieces(self._tokenizer, pairs, padding=True, return_tensors="pt")
        with torch.inference_mode():
            try:
                found = self._network(
                    batch["input_ids"],
                    batch["attention_mask"],
                    batch["token_type_ids"],
                    torch.tensor([question.signs for question in questions]),
                    looks,
                ).tolist()
            except RuntimeError as exc:
                raise ModelError(f"{self.name}: the judge failed: {exc}") from exc
        if not all(map(math.isfinite, found)):
            raise ModelError(
                f"expected a number for every clause, {self.name} gave {found}; its weights are "
                "damaged: install it again"
            )
        lengths: list[int] = batch["attention_mask"].sum(1).tolist()
        return [_Answer(log_odds=x, pieces=n) for x, n in zip(found, lengths, strict=True)]


def load_judge(
    name_or_path: str | Path,
    *,
    threads: int | None = None,
    engine: JudgeEngine = "auto",
    remembers: int = 0,
) -> FusedJudge:
    """Return the judge of that name (shipped) or folder; its sha256 is verified first.

    `threads` is the number of CPU threads that torch may use in this process. "auto" takes an
    export that agreed with PyTorch, where the judge has one. `remembers` is how many answers it
    keeps for evidence that comes again, without crops and word for word the same: that of good
    parts.

    Raises `ModelError` where a file is missing, damaged or of another evidence version.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from inspector.models import judge_engines
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
        seeing: dict[str, Any] | None = card.get("sight")
        if seeing is not None:
            judge_name += f" sees {seeing['sha256'][:12]}"
        exports = tuple(judge_engines.JudgeExport(**one) for one in card.get("exports", ()))
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
    sight: Sight | None = None
    if seeing is not None:
        from inspector.models.crop_sight import load_sight

        sight = load_sight(folder, seeing)
    network: Network
    export = judge_engines.chosen_export(exports, engine, weights_sha256=sha256)
    if export is None:
        network, tokenizer = _built(folder, weights)
    else:
        edges = judge_engines.edges_of(thresholds, temperature=temperature)
        network = judge_engines.load_export(folder, export, weights, threads=threads, edges=edges)
        tokenizer = _tokenizer(folder)
    return FusedJudge(
        network,
        tokenizer,
        engine="pytorch" if export is None else export.engine,
        name=judge_name,
        sha256=sha256,
        temperature=temperature,
        thresholds=thresholds,
        sight=sight,
        remembers=remembers,
    )


def load_parts(folder: Path) -> tuple[FusedEncoder, Any]:
    """Return the torch module and the tokenizer of a judge's folder, the weights verified.

    Raises `ModelError`.
    """
    from inspector.models.shelf import load_card, verified

    card = load_card(str(folder))
    return _built(folder, verified(folder / card.file, card.sha256))


def _built(folder: Path, weights: Path) -> tuple[FusedEncoder, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel

    from inspector.models.fusion import FusedEncoder, restored

    tokenizer = _tokenizer(folder)
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        network = FusedEncoder(AutoModel.from_config(config))
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
    return network.eval(), tokenizer


def _tokenizer(folder: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError) as exc:
        raise ModelError(
            f"expected the tokenizer of a judge in {folder}: {exc}; install it again"
        ) from exc
    tokenizer.padding_side = "right"
    return tokenizer
