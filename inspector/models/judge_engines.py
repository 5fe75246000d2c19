"""A fused judge's network in OpenVINO, where an export of it agreed with PyTorch.

The exported graph starts from the vectors of word pieces: they are looked up in the judge's own
file, so that the export need not carry that table, half of all weights, a second time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked

from inspector.errors import ModelError
from inspector.models.engines import is_installed, vendor
from inspector.models.openvino_archive import compiled
from inspector.models.shelf import verified_content

if TYPE_CHECKING:
    from torch import Tensor

    from inspector.models.fusion import Looks

JudgeEngine = Literal["auto", "pytorch", "openvino"]
JudgePrecision = Literal["bf16", "int8"]
WORDS = "backbone.embeddings.word_embeddings.weight"


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class JudgeParity:
    """How an export's answers compare with PyTorch's on a fixed set of pairs.

    `outcomes_alike` counts those on the same side of both thresholds, `answers_alike` those on the
    same side of even odds; `worst` is the greatest difference in log-odds.
    """

    pairs: int
    outcomes_alike: int
    answers_alike: int
    worst: float


@checked(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class JudgeExport:
    """An entry of `exports` in a judge's `model.json`: a file made of `weights_sha256`.

    "bf16" computes in bfloat16 where the processor does so natively, in float32 elsewhere.
    """

    engine: Literal["openvino"]
    precision: JudgePrecision
    file: str
    sha256: str
    weights_sha256: str
    machine: str
    versions: dict[str, str]
    parity: JudgeParity


def chosen_export(
    exports: tuple[JudgeExport, ...], engine: JudgeEngine, *, weights_sha256: str
) -> JudgeExport | None:
    """Return the export to run, None for PyTorch.

    Those of other weights do not count. Raises `ModelError` where OpenVINO is asked for and there
    is none.
    """
    own = [export for export in exports if export.weights_sha256 == weights_sha256]
    if engine == "pytorch" or (engine == "auto" and not is_installed("openvino")):
        return None
    if not own and engine == "openvino":
        raise ModelError(
            "expected an export of the judge for OpenVINO, found none; make one with: "
            "inspector export judge"
        )
    return own[0] if own else None


class OpenVinoNetwork:
    """The network of one judge in OpenVINO, on the CPU; called like the torch module.

    One instance serves one thread.
    """

    def __init__(
        self, content: bytes, words: WordTable, *, precision: JudgePrecision, threads: int | None
    ) -> None:
        """Compile the model in an `.ovz` file's content."""
        self._request = compiled(
            vendor("openvino"),
            content,
            in_bfloat16=precision == "bf16",
            threads=threads,
            # The weights are stored in int8; states rounded to it too would change verdicts.
            further={"DYNAMIC_QUANTIZATION_GROUP_SIZE": 0},
        )
        self._words = words

    def __call__(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor,
        signs: Tensor,
        looks: Looks | None,
    ) -> Tensor:
        """Return float32[B], the log-odds of each pair; raise `RuntimeError` where it fails."""
        import torch

        given = graph_inputs(self._words, (input_ids, attention_mask, token_type_ids, signs), looks)
        self._request.infer(given, share_inputs=True)
        return torch.from_numpy(self._request.get_output_tensor(0).data.copy())


class WordTable:
    """The vectors of word pieces in a judge's file: int8 rows, each with its scale."""

    def __init__(self, rows: NDArray[np.int8], scales: NDArray[np.float32]) -> None:
        self._rows = rows
        self._scales = scales

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return float32[..., V] for ids of any shape."""
        found: NDArray[np.float32] = self._rows[ids] * self._scales[ids]
        return found


def word_table(weights: Path) -> WordTable:
    """Return the table in a judge's verified file; raise `ModelError` where it has none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            return WordTable(file.get_tensor(WORDS), file.get_tensor(f"{WORDS}.scale"))
    except SafetensorError as exc:
        raise ModelError(
            f"{weights}: expected a table of word pieces: {exc}; only encoders like BERT run in "
            "OpenVINO, use PyTorch"
        ) from exc


def graph_inputs(
    words: WordTable, text: tuple[Tensor, Tensor, Tensor, Tensor], looks: Looks | None
) -> list[NDArray[Any]]:
    """Return the arrays that the graph takes, in its order."""
    ids, mask, types, signs = (part.numpy() for part in text)
    if looks is None:  # the graph wants a crop: one that no row looks at
        pictures = np.zeros((1, 3, 64, 64), np.float32)
        names = np.zeros((1, words.vectors(ids[:1, :1]).shape[-1]), np.float32)
        rows = np.full((len(ids), 1), -1, np.int64)
    else:
        pictures, name_ids = looks.pictures.numpy(), looks.name_ids.numpy()
        known = (name_ids > 0)[..., None]
        names = (words.vectors(name_ids) * known).sum(1) / np.maximum(known.sum(1), 1)
        rows = np.ascontiguousarray(looks.rows.numpy())
    return [words.vectors(ids), mask, types, signs, pictures, names.astype(np.float32), rows]


def load_export(
    folder: Path, export: JudgeExport, weights: Path, *, threads: int | None
) -> OpenVinoNetwork:
    """Return the network of a listed export, its file verified."""
    content = verified_content(folder / export.file, export.sha256)
    words = word_table(weights)
    return OpenVinoNetwork(content, words, precision=export.precision, threads=threads)
