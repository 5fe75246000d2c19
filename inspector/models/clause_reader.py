"""The clause reader at run time: the text of a clause in, the line of a check out.

A small language model writes the line under the grammar of the check language, whose words can only
be those of the clause; so a line is always well-formed, and says nothing that was not written. How
sure the reading is comes from the likelihood of its pieces and from how many of several readings
drawn at random mean the same. Nothing that is printed on a part ever comes here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspector.checks import ReadCheck
from inspector.errors import ModelError
from inspector.line_grammar import CLAUSE_CHARACTERS, as_line, as_read, grammar
from inspector.reading import LineError, from_line, in_words, to_line

LANGUAGE_VERSION = "check-line/1"
FILES_BESIDE = ("config.json", "tokenizer.json", "tokenizer_config.json")
PIECES_AT_MOST = 160
BATCH = 24
WARMTH = 0.7  # of the readings drawn at random


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was read: `check` is None where no check can say the clause, or nothing was read.

    `likelihood` is the mean over the pieces of the line, `agreement` the share of further readings
    that mean the same; both 0–1. `words` says the check in plain words.
    """

    clause: str
    check: ReadCheck | None
    line: str
    words: str
    likelihood: float
    agreement: float
    is_read: bool

    @property
    def confidence(self) -> float:
        return self.likelihood * self.agreement


class ClauseReader:
    """Reads clauses; one instance serves one thread."""

    def __init__(self, network: Any, tokenizer: Any, *, name: str, sha256: str) -> None:
        import llguidance.hf

        self.name = name
        self.sha256 = sha256
        self._network = network.eval()
        self._tokenizer = tokenizer
        self._pieces = llguidance.hf.from_tokenizer(tokenizer)
        self._end = int(tokenizer.eos_token_id)

    def read_clause(self, text: str, *, drawn: int = 4) -> Reading:
        """Return the reading of one clause."""
        return self.read_clauses([text], drawn=drawn)[0]

    def read_clauses(self, texts: Sequence[str], *, drawn: int = 4) -> tuple[Reading, ...]:
        """Return the reading of each clause; `drawn` further readings tell how sure each is.

        A clause without words, or longer than the model reads, is not read: half of it could be
        the opposite of the whole.
        """
        fit = [text for text in texts if _can_be_read(text)]
        read = dict(zip(fit, self._read(fit, drawn=drawn), strict=True))
        nothing = {"likelihood": 0.0, "agreement": 0.0}
        return tuple(read.get(text) or reading_of(text, "", **nothing) for text in texts)

    def _read(self, texts: Sequence[str], *, drawn: int) -> tuple[Reading, ...]:
        import torch

        chance = torch.Generator().manual_seed(0)
        plain = self._written(texts, warmth=0.0, chance=chance)
        others: list[list[str]] = [[] for _ in texts]
        if drawn:
            again = self._written(
                [text for text in texts for _ in range(drawn)], warmth=WARMTH, chance=chance
            )
            for index, (line, _) in enumerate(again):
                others[index // drawn].append(line)
        return tuple(
            _reading(text, line, likelihood, rest)
            for text, (line, likelihood), rest in zip(texts, plain, others, strict=True)
        )

    def _written(
        self, texts: Sequence[str], *, warmth: float, chance: Any
    ) -> list[tuple[str, float]]:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: list[tuple[str, float]] = [("", 0.0)] * len(texts)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            lines = self._batch([texts[i] for i in part], warmth=warmth, chance=chance)
            for i, line in zip(part, lines, strict=True):
                found[i] = line
        return found

    def _batch(
        self, texts: Sequence[str], *, warmth: float, chance: Any
    ) -> list[tuple[str, float]]:
        """Return the line and mean likelihood of each of `texts`, decoded side by side."""
        import llguidance
        import llguidance.torch as guide
        import torch

        asked = self._tokenizer([as_read(text) + "\n" for text in texts])["input_ids"]
        width = max(map(len, asked))
        # Questions end at the same place, so that all answers begin there.
        ids = torch.tensor([[self._end] * (width - len(q)) + q for q in asked])
        mask = torch.tensor([[0] * (width - len(q)) + [1] * len(q) for q in asked])
        guides = [
            llguidance.LLMatcher(
                self._pieces, llguidance.LLMatcher.grammar_from_lark(grammar(text)), log_level=0
            )
            for text in texts
        ]
        bits = guide.allocate_token_bitmask(len(texts), self._network.config.vocab_size)
        lines: list[list[int]] = [[] for _ in texts]
        sure = [0.0] * len(texts)
        open_ = [not g.is_error() for g in guides]
        past = None
        with torch.inference_mode():
            for _ in range(PIECES_AT_MOST):
                places = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
                out = self._network(
                    input_ids=ids, attention_mask=mask, position_ids=places,
                    past_key_values=past, use_cache=True, logits_to_keep=1,
                )  # fmt: skip
                past = out.past_key_values
                logits = out.logits[:, -1].float()
                for row, matcher in enumerate(guides):
                    if open_[row]:
                        guide.fill_next_token_bitmask(matcher, bits, row)
                        open_[row] = not matcher.is_error()
                guide.apply_token_bitmask_inplace(logits, bits)
                chances = torch.log_softmax(logits, dim=-1)
                if warmth:
                    drawn = torch.softmax(logits / warmth, dim=-1).nan_to_num(0)
                    chosen = torch.multinomial(drawn + 1e-12, 1, generator=chance).squeeze(1)
                else:
                    chosen = logits.argmax(-1)
                step = torch.full((len(texts), 1), self._end)
                for row, matcher in enumerate(guides):
                    if not open_[row]:
                        continue
                    piece = int(chosen[row])
                    sure[row] += math.exp(float(chances[row, piece]))
                    lines[row].append(piece)
                    open_[row] = piece != self._end and matcher.consume_token(piece)
                    step[row, 0] = piece
                if not any(open_):
                    break
                ids = step
                mask = torch.cat([mask, torch.ones(len(texts), 1, dtype=mask.dtype)], dim=1)
        texts_read = self._tokenizer.batch_decode(lines, skip_special_tokens=True)
        return [
            (as_line(text) if not unfinished else "", total / max(1, len(pieces)))
            for text, total, pieces, unfinished in zip(texts_read, sure, lines, open_, strict=True)
        ]


def _can_be_read(text: str) -> bool:
    plain = " ".join(text.split())
    return len(plain) <= CLAUSE_CHARACTERS and re.search(r"[^\W\d_]{2}", plain) is not None


def reading_of(text: str, line: str, *, likelihood: float, agreement: float) -> Reading:
    """Return what `line` says of a clause; one that is no line was not read."""
    try:
        check = from_line(line)
        words = "nothing that a camera's findings can decide" if check is None else in_words(check)
    except LineError:
        check, line, words, likelihood, agreement = None, "", "not read", 0.0, 0.0
    return Reading(
        clause=text,
        check=check,
        line=line,
        words=words,
        likelihood=likelihood,
        agreement=agreement,
        is_read=check is not None,
    )


def _reading(text: str, line: str, likelihood: float, others: Sequence[str]) -> Reading:
    meaning = _means(line)
    same = [meaning is not None and _means(other) == meaning for other in others]
    agreement = sum(same) / len(same) if same else 1.0
    return reading_of(text, line, likelihood=likelihood, agreement=agreement)


def _means(line: str) -> str | None:
    try:
        return to_line(from_line(line))
    except LineError:
        return None


def load_clause_reader(
    name_or_path: str | Path = "clause-reader", *, threads: int | None = None
) -> ClauseReader:
    """Return the clause reader of that name (shipped) or folder; every file is verified first.

    Raises `ModelError` where a file is missing, damaged or of another version of the language.
    """
    from inspector.models.offline import keep_offline
    from inspector.models.shelf import model_folder, verified

    keep_offline()
    folder = model_folder(str(name_or_path))
    try:
        card: dict[str, Any] = json.loads((folder / "model.json").read_text())
        if card["language_version"] != LANGUAGE_VERSION:
            raise ModelError(
                f"expected a reader of {LANGUAGE_VERSION}, {folder.name} writes "
                f"{card['language_version']}; train it again: inspector train judge --part reader"
            )
        weights = {card["file"]: card["sha256"], **card["files"]}
        sha256 = str(card["sha256"])
    except (OSError, KeyError, TypeError, ValueError) as exc:
        raise ModelError(
            f"expected a clause reader with its model.json in {folder}: {exc}; install it again"
        ) from exc
    for name, expected in weights.items():
        verified(folder / name, expected)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    network, tokenizer = _built(folder, [n for n in weights if n.endswith(".safetensors")])
    return ClauseReader(network, tokenizer, name=f"{card['name']} {sha256[:12]}", sha256=sha256)


def _built(folder: Path, files: Sequence[str]) -> tuple[Any, Any]:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    from inspector.models.packed import unpacked

    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder), local_files_only=True)
        network = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        state: dict[str, Any] = {}
        for name in files:
            state |= unpacked(load_file(folder / name))
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
        network.load_state_dict(state)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as exc:
        raise ModelError(
            f"expected the weights of a clause reader in {folder}: {exc}; install it again"
        ) from exc
    return network, tokenizer
