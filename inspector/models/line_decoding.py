"""Write lines with a language model under the grammar of the check language, many side by side.

A question is worked through once, however many lines are written for it: the first takes the
likeliest piece each time, the others are drawn at random, by a seed of the clause and their number.
Lines that have ended leave the batch.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from inspector.line_grammar import as_line, as_read, grammar

ROWS = 60  # lines written side by side
PIECES_AT_MOST = 160
WARMTH = 0.7  # of the lines drawn at random
LEAVE_AT = 0.75  # share of a batch still open below which the others leave


@dataclass(frozen=True, slots=True)
class Written:
    """A line and the mean likelihood of its pieces; "" where it came to no end."""

    line: str
    likelihood: float


@dataclass(slots=True)
class _Row:
    """One line on its way; `luck` is None where the likeliest piece is taken."""

    matcher: Any
    luck: Any
    is_open: bool
    pieces: list[int] = field(default_factory=list)
    sure: float = 0.0


class LineDecoder:
    """Writes lines for clauses; one instance serves one thread."""

    def __init__(self, network: Any, tokenizer: Any) -> None:
        import llguidance.hf

        self._network = network.eval()
        self._tokenizer = tokenizer
        self._pieces = llguidance.hf.from_tokenizer(tokenizer)
        self._end = int(tokenizer.eos_token_id)

    def lines(self, texts: Sequence[str], *, drawn: int) -> list[tuple[Written, ...]]:
        """Return for each text the likeliest line, then `drawn` lines drawn at random."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        at_once = max(1, ROWS // (1 + drawn))
        found: list[tuple[Written, ...]] = [()] * len(texts)
        for start in range(0, len(order), at_once):
            part = order[start : start + at_once]
            written = self._batch([texts[i] for i in part], drawn=drawn)
            for i, lines in zip(part, written, strict=True):
                found[i] = lines
        return found

    def _batch(self, texts: Sequence[str], *, drawn: int) -> list[tuple[Written, ...]]:
        import torch

        each = 1 + drawn
        asked = self._tokenizer([as_read(text) + "\n" for text in texts])["input_ids"]
        width = max(map(len, asked))
        # Questions end at the same place, so that all lines begin there.
        ids = torch.tensor([[self._end] * (width - len(q)) + q for q in asked])
        mask = torch.tensor([[0] * (width - len(q)) + [1] * len(q) for q in asked])
        rows = [row for text in texts for row in self._rows(text, each)]
        with torch.inference_mode():
            out = self._network(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(1) - 1).clamp(min=0),
                use_cache=True,
                logits_to_keep=1,
            )
            past = out.past_key_values
            logits = out.logits[:, -1]
            if each > 1:
                past.batch_repeat_interleave(each)
                logits = logits.repeat_interleave(each, dim=0)
                mask = mask.repeat_interleave(each, dim=0)
            self._write(rows, past, logits, mask)
        texts_read = self._tokenizer.batch_decode(
            [row.pieces for row in rows], skip_special_tokens=True
        )
        written = [
            Written("" if row.is_open else as_line(text), row.sure / max(1, len(row.pieces)))
            for row, text in zip(rows, texts_read, strict=True)
        ]
        return [tuple(written[i : i + each]) for i in range(0, len(written), each)]

    def _rows(self, text: str, each: int) -> list[_Row]:
        import llguidance
        import torch

        matcher = llguidance.LLMatcher(
            self._pieces, llguidance.LLMatcher.grammar_from_lark(grammar(text)), log_level=0
        )
        rows = []
        for number in range(each):
            luck = None
            if number:
                luck = torch.Generator().manual_seed(_seed(text, number))
            own = matcher.deep_copy() if number else matcher
            rows.append(_Row(matcher=own, luck=luck, is_open=not matcher.is_error()))
        return rows

    def _write(self, rows: list[_Row], past: Any, logits: Any, mask: Any) -> None:
        """Add pieces to `rows` until all have ended, or have as many as a line may have."""
        import torch

        there = rows  # those still in the batch, ended or not
        for _ in range(PIECES_AT_MOST):
            step = self._chosen(there, logits)
            still = [i for i, row in enumerate(there) if row.is_open]
            if not still:
                return
            if len(still) <= LEAVE_AT * len(there):
                keep = torch.tensor(still)
                past.batch_select_indices(keep)
                mask, step, there = mask[keep], step[keep], [there[i] for i in still]
            mask = torch.cat([mask, torch.ones(len(there), 1, dtype=mask.dtype)], dim=1)
            out = self._network(
                input_ids=step,
                attention_mask=mask,
                position_ids=mask.sum(1, keepdim=True) - 1,
                past_key_values=past,
                use_cache=True,
                logits_to_keep=1,
            )
            past, logits = out.past_key_values, out.logits[:, -1]

    def _chosen(self, rows: Sequence[_Row], logits: Any) -> Any:
        """Choose the next piece of each row that is open; return them, one in each row."""
        import llguidance.torch as guide
        import torch

        bits = guide.allocate_token_bitmask(len(rows), self._network.config.vocab_size)
        for i, row in enumerate(rows):
            if row.is_open:
                guide.fill_next_token_bitmask(row.matcher, bits, i)
                row.is_open = not row.matcher.is_error()
        logits = logits.float()
        guide.apply_token_bitmask_inplace(logits, bits)
        chances = torch.log_softmax(logits, dim=-1)
        step = torch.full((len(rows), 1), self._end)
        for i, row in enumerate(rows):
            if not row.is_open:
                continue
            if row.luck is None:
                piece = int(logits[i].argmax())
            else:
                piece = int(
                    torch.multinomial(torch.softmax(logits[i] / WARMTH, -1), 1, generator=row.luck)
                )
            row.pieces.append(piece)
            row.sure += math.exp(float(chances[i, piece]))
            row.is_open = piece != self._end and row.matcher.consume_token(piece)
            step[i, 0] = piece
        return step


def _seed(text: str, number: int) -> int:
    """Return a seed that does not depend on what else is read beside a clause."""
    return zlib.crc32(f"{number} {text}".encode())
