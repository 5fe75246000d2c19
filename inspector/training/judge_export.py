"""Export a fused judge to OpenVINO, and let it through only where its verdicts stay the same.

The graph is traced from the torch module. Its large matrices are left out where they are those of
the judge's own file: they are put in again when it is loaded, so that nothing is rounded anew.
"bf16" computes with them in bfloat16, and again in float32 what comes out close to an edge; "int8"
rounds them and the states between them, calibrated on pairs of the training part.

**The parity gate.** Of a fixed set of pairs, with wordings and names that training never sees, at
least 99.9 % have to lie on the same side of both thresholds, and of even odds, as in PyTorch. An
export that fails leaves the judge's folder as it was.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inspector.decision import Thresholds
from inspector.errors import ModelError
from inspector.models.choice import cpu_model
from inspector.models.engines import vendor
from inspector.models.fusion import FusedEncoder
from inspector.models.judge import load_parts
from inspector.models.judge_engines import (
    JudgeExport,
    JudgeParity,
    JudgePrecision,
    OpenVinoNetwork,
    WordTable,
    edges_of,
    graph_inputs,
    large_matrices,
    put_in,
    word_table,
)
from inspector.models.offline import keep_offline
from inspector.models.openvino_archive import archived
from inspector.models.shelf import DESCRIPTION, content_sha256, model_folder
from inspector.training.card_sections import CARD, with_section, write_whole
from inspector.training.corpus import make_corpus
from inspector.training.crops import CropBank, cut_crops
from inspector.training.judge_pairs import Batch, batch_of, encode, in_batches

ALIKE_AT_LEAST = 0.999
PAIRS = 1500
CALIBRATION_PAIRS = 256
BATCH = 12
# In log-odds, for "bf16". Of 1,500 pairs the shipped judge's verdicts changed for six, all within
# 0.1 of an edge; one in a thousand was further off than this.
RECHECK_WITHIN = 0.25
CARD_HEADING = "## In OpenVINO"
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedJudge:
    """What came of an export; `failure` says why it was not taken, None where it was."""

    export: JudgeExport
    failure: str | None


def export_judge(
    model: str,
    *,
    precision: JudgePrecision,
    data: Path | None = None,
    threads: int | None = None,
    pairs: int = PAIRS,
) -> ExportedJudge:
    """Make the export, compare it with PyTorch, and put it beside the weights if it passed.

    `data` is a folder in the format of DeepPCB for crops; None compares without any. Raises
    `ModelError` where the judge cannot be exported.
    """
    keep_offline()
    folder = model_folder(model)
    card: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
    network, tokenizer = load_parts(folder)
    words = word_table(folder / card["file"])
    fixed = _batches(tokenizer, _bank(data, validation=True), pairs, held_out=True)
    taught = _batches(
        tokenizer, _bank(data, validation=False), CALIBRATION_PAIRS, held_out=False, size=1
    )
    with contextlib.redirect_stdout(sys.stderr):  # vendors print their progress
        content = judge_file(
            network,
            words,
            fixed,
            taught if precision == "int8" else (),
            kept=large_matrices(folder / card["file"]),
        )
    limits = Thresholds(pass_at=card["pass_at"], fail_at=card["fail_at"])
    temperature = float(card["temperature"])
    recheck_within = RECHECK_WITHIN if precision == "bf16" else 0.0
    runner = OpenVinoNetwork(
        content,
        folder / card["file"],
        precision=precision,
        threads=threads,
        edges=edges_of(limits, temperature=temperature),
        recheck_within=recheck_within,
    )
    parity = compared(
        _log_odds(network, fixed),
        _log_odds(runner, fixed),
        limits=limits,
        temperature=temperature,
    )
    sha256 = content_sha256(content)
    export = JudgeExport(
        engine="openvino",
        precision=precision,
        file=f"openvino-{precision}-{sha256[:8]}.ovz",
        sha256=sha256,
        weights_sha256=card["sha256"],
        machine=cpu_model(),
        versions={name: metadata.version(name) for name in ("torch", "openvino")},
        parity=parity,
        recheck_within=recheck_within,
    )
    failure = why_refused(parity)
    if failure is None:
        _shelve(folder, card, export, content)
    return ExportedJudge(export=export, failure=failure)


def why_refused(parity: JudgeParity) -> str | None:
    """Return why the parity gate refuses these answers, None where it lets them through."""
    alike = min(parity.outcomes_alike, parity.answers_alike)
    if alike >= ALIKE_AT_LEAST * parity.pairs:
        return None
    return (
        f"expected the verdicts of PyTorch for {ALIKE_AT_LEAST:.1%} of {parity.pairs} pairs, found "
        f"{alike / parity.pairs:.2%}"
    )


def compared(
    pytorch: NDArray[np.float64],
    exported: NDArray[np.float64],
    *,
    limits: Thresholds,
    temperature: float,
) -> JudgeParity:
    """Return how the log-odds of the same pairs compare."""
    pass_at, _, fail_at = edges_of(limits, temperature=temperature)
    sides = [np.digitize(found, (pass_at, fail_at)) for found in (pytorch, exported)]
    return JudgeParity(
        pairs=len(pytorch),
        outcomes_alike=int((sides[0] == sides[1]).sum()),
        answers_alike=int(((pytorch > 0) == (exported > 0)).sum()),
        worst=round(float(np.abs(pytorch - exported).max()), 4),
    )


def judge_file(
    network: FusedEncoder,
    words: WordTable,
    fixed: Sequence[Batch],
    calibration: Sequence[Batch],
    *,
    kept: Mapping[str, NDArray[np.float32]],
) -> bytes:
    """Return the content of an `.ovz` file; its states are in int8 where there is calibration.

    Without calibration the matrices `kept` in the judge's own file are left out.

    `fixed` gives the tracer an example; any number of clauses, words and crops may come later.
    """
    openvino = vendor("openvino")
    example = next((batch for batch in fixed if batch.looks is not None), fixed[0])
    given = tuple(torch.from_numpy(array) for array in _arrays(words, example))
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns of every branch on a shape; the branches are those of any batch.
        warnings.simplefilter("ignore")
        model = openvino.convert_model(_FromVectors(network).eval(), example_input=given)
    if calibration:
        names = [one.any_name for one in model.inputs]
        nncf = _nncf()
        rows = [dict(zip(names, _arrays(words, batch), strict=True)) for batch in calibration]
        model = nncf.quantize(
            model,
            nncf.Dataset(rows),
            subset_size=len(rows),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
        )
    else:
        _leave_out(model, kept)
    return archived(openvino, model, in_fp16=False)


def _leave_out(model: Any, kept: Mapping[str, NDArray[np.float32]]) -> None:
    """Put zeros, which take no room in a file, for each matrix of `kept`, under its name."""
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or len(node.get_output_shape(0)) != 2:
            continue
        values = node.get_data()
        name = next((n for n, own in kept.items() if np.array_equal(own, values)), None)
        if name is not None:
            put_in(node, name, np.zeros_like(values))


class _FromVectors(nn.Module):
    """A fused judge that is called as its exported graph is."""

    def __init__(self, network: FusedEncoder) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        vectors: Tensor,
        mask: Tensor,
        types: Tensor,
        signs: Tensor,
        pictures: Tensor,
        names: Tensor,
        rows: Tensor,
    ) -> Tensor:
        return self.network.from_vectors(vectors, mask, types, signs, pictures, names, rows)


def _nncf() -> Any:
    try:
        import nncf
    except ModuleNotFoundError as exc:
        raise ModelError(
            "expected the package nncf for an export, found none; install it with: pip install "
            "'inspector[train]'"
        ) from exc
    nncf.set_log_level(logging.ERROR)
    return nncf


def _bank(data: Path | None, *, validation: bool) -> CropBank | None:
    if data is None:
        return None
    return cut_crops(data, validation=validation, boards_at_most=40, seed=0)


def _batches(
    tokenizer: Any, bank: CropBank | None, count: int, *, held_out: bool, size: int = BATCH
) -> list[Batch]:
    items = encode(make_corpus(seed=99, count=count, held_out=held_out, bank=bank), tokenizer)
    return [batch_of(part, tokenizer, CPU) for part in in_batches(items, size, chance=None)]


def _arrays(words: WordTable, batch: Batch) -> list[NDArray[Any]]:
    return graph_inputs(words, (batch.ids, batch.mask, batch.types, batch.signs), batch.looks)


def _log_odds(network: Any, batches: Iterable[Batch]) -> NDArray[np.float64]:
    with torch.inference_mode():
        found = [network(b.ids, b.mask, b.types, b.signs, b.looks) for b in batches]
    return torch.cat(found).double().numpy()


def _card(export: JudgeExport) -> str:
    parity = export.parity
    versions = ", ".join(f"{name} {version}" for name, version in export.versions.items())
    return (
        f"`{export.file}` (sha256 `{export.sha256}`), {export.precision}: of {parity.pairs} fixed "
        f"pairs {parity.outcomes_alike} lie on the same side of both thresholds as in PyTorch, "
        f"{parity.answers_alike} of even odds; greatest difference {parity.worst:.3f} in log-odds. "
        f"{export.machine}, {versions}."
    )


def _shelve(folder: Path, card: dict[str, Any], export: JudgeExport, content: bytes) -> None:
    """Write the file, then the description, which makes it count; older exports go."""
    try:
        write_whole(folder / export.file, content)
        if (folder / CARD).is_file():
            text = with_section((folder / CARD).read_text("utf-8"), CARD_HEADING, _card(export))
            write_whole(folder / CARD, text.encode())
        listed = json.dumps({**card, "exports": [asdict(export)]}, indent=2) + "\n"
        write_whole(folder / DESCRIPTION, listed.encode())
        for other in card.get("exports", ()):
            if other["file"] != export.file:
                (folder / other["file"]).unlink(missing_ok=True)
    except OSError as exc:
        raise ModelError(f"{folder}: expected to write the export there: {exc.strerror}") from exc
