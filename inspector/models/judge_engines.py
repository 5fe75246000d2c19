"""A fused judge's network in OpenVINO, where an export of it agreed with PyTorch.

The exported graph starts from the vectors of word pieces: they are looked up in the judge's own
file, so that the export need not carry that table, half of all weights, a second time. Its large
matrices are put in from that file too, as PyTorch restores them.

bfloat16 takes some 60 % of float32's time and rounds. What it puts close to an edge, where rounding
could change a verdict, is computed again in float32: one pair in twenty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked

from inspector.decision import Thresholds
from inspector.errors import ModelError
from inspector.models.engines import is_installed, vendor
from inspector.models.openvino_archive import compiled, has_bfloat16, opened
from inspector.models.shelf import verified_content

if TYPE_CHECKING:
    from torch import Tensor

    from inspector.models.fusion import Looks

JudgeEngine = Literal["auto", "pytorch", "openvino"]
JudgePrecision = Literal["bf16", "int8"]
WORDS = "backbone.embeddings.word_embeddings.weight"
# A matrix that is put in when the graph is loaded is called this and its name in the judge's file.
LEFT_OUT = "judge:"


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

    "bf16" computes in bfloat16 where the processor does so natively, in float32 elsewhere; log-odds
    within `recheck_within` of an edge are then computed again in float32.
    """

    engine: Literal["openvino"]
    precision: JudgePrecision
    file: str
    sha256: str
    weights_sha256: str
    machine: str
    versions: dict[str, str]
    parity: JudgeParity
    recheck_within: float = 0.0


def edges_of(thresholds: Thresholds, *, temperature: float) -> tuple[float, float, float]:
    """Return the log-odds of `pass_at`, of even odds and of `fail_at`: where verdicts change."""
    pass_at, fail_at = (
        temperature * math.log(p / (1 - p)) for p in (thresholds.pass_at, thresholds.fail_at)
    )
    return pass_at, 0.0, fail_at


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
        self,
        content: bytes,
        weights: Path,
        *,
        precision: JudgePrecision,
        threads: int | None,
        edges: Sequence[float] = (),
        recheck_within: float = 0.0,
    ) -> None:
        """Compile the model in an `.ovz` file's content with the judge's verified `weights`.

        `edges` are log-odds, see `edges_of`.
        """
        openvino = vendor("openvino")
        rounds = precision == "bf16" and has_bfloat16(openvino)
        model = opened(openvino, content)
        try:
            _fill(model, large_matrices(weights))
        except KeyError as exc:
            raise ModelError(
                f"expected the judge that the export was made of, found no {exc}; export again"
            ) from exc
        self._request = compiled(openvino, model, in_bfloat16=rounds, threads=threads)
        self._exact: Any = None
        if rounds and edges and recheck_within > 0:
            self._exact = compiled(openvino, model, in_bfloat16=False, threads=threads)
        self._words = word_table(weights)
        self._edges = np.array(edges, np.float32)
        self._recheck_within = recheck_within

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
        found = _log_odds(self._request, given)
        if self._exact is not None:
            apart = np.abs(found[:, None] - self._edges).min(axis=1)
            (close,) = np.nonzero(~(apart >= self._recheck_within))  # also what is no number
            if len(close):
                found[close] = _log_odds(self._exact, _of_rows(given, close))
        return torch.from_numpy(found)


def _log_odds(request: Any, given: list[NDArray[Any]]) -> NDArray[np.float32]:
    request.infer(given, share_inputs=True)
    found: NDArray[np.float32] = request.get_output_tensor(0).data.copy()
    return found


def _of_rows(given: list[NDArray[Any]], chosen: NDArray[np.intp]) -> list[NDArray[Any]]:
    """Return the pairs `chosen` of what the graph takes, cut to the longest of them."""
    vectors, mask, types, signs, pictures, names, rows = given
    longest = int(mask[chosen].sum(axis=1).max())
    return [
        np.ascontiguousarray(vectors[chosen, :longest]),
        np.ascontiguousarray(mask[chosen, :longest]),
        np.ascontiguousarray(types[chosen, :longest]),
        signs[chosen],
        pictures,
        names,
        rows[chosen],
    ]


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


def large_matrices(weights: Path) -> dict[str, NDArray[np.float32]]:
    """Return the matrices in a judge's verified file by name, as PyTorch restores them.

    The table of word pieces is left out. Raises `ModelError` where the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="numpy") as file:
            names = set(file.keys()) - {WORDS}
            return {
                name: file.get_tensor(name) * file.get_tensor(f"{name}.scale")
                for name in sorted(names)
                if f"{name}.scale" in names
            }
    except SafetensorError as exc:
        raise ModelError(f"{weights}: expected a judge's weights: {exc}; install it again") from exc


def put_in(node: Any, name: str, values: NDArray[np.float32]) -> None:
    """Replace a constant of a graph by `values`, under its name in the judge's file."""
    constant = vendor("openvino").opset13.constant(values)
    constant.set_friendly_name(f"{LEFT_OUT}{name}")
    node.output(0).replace(constant.output(0))


def _fill(model: Any, matrices: Mapping[str, NDArray[np.float32]]) -> None:
    """Put in what was left out; raise `KeyError` for a matrix that the judge's file lacks."""
    for node in model.get_ordered_ops():
        called = node.get_friendly_name()
        if called.startswith(LEFT_OUT):
            name = called.removeprefix(LEFT_OUT)
            put_in(node, name, matrices[name])


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
    folder: Path,
    export: JudgeExport,
    weights: Path,
    *,
    threads: int | None,
    edges: Sequence[float],
) -> OpenVinoNetwork:
    """Return the network of a listed export, its file verified."""
    return OpenVinoNetwork(
        verified_content(folder / export.file, export.sha256),
        weights,
        precision=export.precision,
        threads=threads,
        edges=edges,
        recheck_within=export.recheck_within,
    )
