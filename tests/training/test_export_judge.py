"""Exporting a judge: the same verdicts in OpenVINO, or no export."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_judge import tiny_network, write_tiny_judge

from inspector.decision import Thresholds
from inspector.domain import Box, Clause, Context, Detection, Evidence
from inspector.errors import ModelError
from inspector.models.judge import load_judge
from inspector.models.judge_engines import (
    LEFT_OUT,
    JudgeParity,
    OpenVinoNetwork,
    edges_of,
    large_matrices,
)
from inspector.training.judge_export import compared, export_judge, why_refused

CLAUSES = tuple(
    Clause(id=str(i), text=text)
    for i, text in enumerate(("No spur.", "No open, no short, and one pin hole in the margin."))
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A judge that is sure of itself, so that rounding changes no verdict, and sees crops."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    network = tiny_network()
    with torch.no_grad():
        network.head[-1].bias.fill_(4.0)  # type: ignore[union-attr, operator]
        network.crops.project.weight.mul_(20)  # what is seen counts for more than bfloat16 rounds
        for look in network.looks:
            look.gate.fill_(1.0)  # type: ignore[union-attr, operator]
    folder = write_tiny_judge(tmp_path_factory.mktemp("judge") / "tiny", network=network)
    found = export_judge(str(folder), precision="bf16", threads=1, pairs=24)
    assert found.failure is None
    assert found.export.parity.pairs == 24
    yield folder
    torch.set_num_threads(before)


def part(*labels: str, crop: int | None) -> Evidence:
    box = Box(x0=0, y0=0, x1=9, y1=9)
    picture = None if crop is None else np.full((64, 64, 3), crop, np.uint8)
    return Evidence(
        product="board",
        defects=tuple(Detection(label=x, confidence=0.9, box=box) for x in labels),
        texts=(),
        codes=(),
        context=Context(inspected_on=date(2026, 11, 23)),
        crops_bgr=(picture,) * len(labels),
    )


@pytest.mark.parametrize("crop", [None, 10, 240])
def test_the_export_says_what_pytorch_says(exported: Path, crop: int | None) -> None:
    fast, slow = (load_judge(exported, threads=1, engine=e) for e in ("auto", "pytorch"))  # type: ignore[arg-type]
    assert (fast.engine, slow.engine) == ("openvino", "pytorch")
    texts = [clause.text for clause in CLAUSES]
    for labels in (("spur",), ("open", "short", "spur")):
        evidence = part(*labels, crop=crop)
        wanted = slow.logits(evidence, texts)
        assert fast.logits(evidence, texts) == pytest.approx(wanted, abs=0.1)
        together = fast.violation_probabilities(evidence, CLAUSES)
        alone = [fast.violation_probabilities(evidence, (c,))[0] for c in CLAUSES]
        assert together == pytest.approx(alone, abs=0.02)


def test_crops_are_seen_in_the_export_too(exported: Path) -> None:
    judge = load_judge(exported, threads=1)
    dark, bright = (judge.logits(part("spur", crop=value), ["No spur."]) for value in (10, 240))
    assert dark != pytest.approx(bright, abs=1e-3)


def test_the_matrices_are_those_of_the_judge_itself_and_take_no_room(exported: Path) -> None:
    card = json.loads((exported / "model.json").read_text())
    (listed,) = card["exports"]
    with zipfile.ZipFile(exported / listed["file"]) as packed:
        graph, rest = packed.read("model.xml"), packed.read("model.bin")
    matrices = large_matrices(exported / card["file"])
    left_out = [name for name in matrices if f'name="{LEFT_OUT}{name}"'.encode() in graph]
    assert "crops.project.weight" in left_out
    assert not any(matrices[name].tobytes() in rest for name in left_out)


def test_what_comes_out_close_to_an_edge_is_computed_again_in_float32(exported: Path) -> None:
    card = json.loads((exported / "model.json").read_text())
    (listed,) = card["exports"]
    assert listed["recheck_within"] > 0
    content, weights = (exported / listed["file"]).read_bytes(), exported / card["file"]
    judge = load_judge(exported, threads=1)
    texts = [clause.text for clause in CLAUSES]

    def logits(precision: str, **recheck: object) -> list[float]:
        judge._network = OpenVinoNetwork(
            content,
            weights,
            precision=precision,
            threads=1,
            **recheck,  # type: ignore[arg-type]
        )
        return list(judge.logits(part("open", "short", "spur", crop=10), texts))

    exact, rounded = logits("int8"), logits("bf16")  # of this file "int8" leaves all in float32
    assert logits("bf16", edges=(0.0,), recheck_within=1000.0) == pytest.approx(exact, abs=1e-4)
    assert logits("bf16", edges=(1e6,), recheck_within=1.0) == rounded
    (second,) = logits("bf16", edges=(rounded[1],), recheck_within=1e-6)[1:]
    assert second == pytest.approx(exact[1], abs=1e-4)


def test_verdicts_change_at_both_thresholds_and_at_even_odds() -> None:
    edges = edges_of(Thresholds(pass_at=0.2, fail_at=0.8), temperature=2.0)
    assert edges == pytest.approx((-2 * np.log(4), 0, 2 * np.log(4)))


def test_an_export_of_other_weights_is_not_taken(exported: Path, tmp_path: Path) -> None:
    other = write_tiny_judge(tmp_path / "other")
    card = json.loads((other / "model.json").read_text())
    listed = json.loads((exported / "model.json").read_text())["exports"]
    (other / "model.json").write_text(json.dumps({**card, "exports": listed}))
    assert load_judge(other).engine == "pytorch"
    with pytest.raises(ModelError, match="inspector export judge"):
        load_judge(other, engine="openvino")


def test_a_changed_export_is_refused(exported: Path, tmp_path: Path) -> None:
    listed = json.loads((exported / "model.json").read_text())["exports"][0]
    path = exported / listed["file"]
    content = path.read_bytes()
    path.write_bytes(content + b"!")
    try:
        with pytest.raises(ModelError, match="sha256"):
            load_judge(exported)
    finally:
        path.write_bytes(content)


def test_one_verdict_in_a_thousand_may_differ_and_no_more() -> None:
    same = {"pairs": 1000, "answers_alike": 1000, "worst": 0.1}
    assert why_refused(JudgeParity(outcomes_alike=999, **same)) is None  # type: ignore[arg-type]
    refused = why_refused(JudgeParity(outcomes_alike=998, **same))  # type: ignore[arg-type]
    assert refused is not None
    assert "99.80%" in refused


def test_an_outcome_is_the_side_of_both_thresholds() -> None:
    pytorch, other = np.array([-3.0, 0.1, 3.0]), np.array([-2.9, -0.1, 1.0])
    limits = Thresholds(pass_at=0.2, fail_at=0.8)
    found = compared(pytorch, other, limits=limits, temperature=1.0)
    assert (found.outcomes_alike, found.answers_alike, found.worst) == (2, 2, 2.0)


def test_a_refused_export_leaves_the_judge_as_it_was(tmp_path: Path) -> None:
    folder = write_tiny_judge(tmp_path / "tiny", fail_at=0.5, pass_at=0.4999)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    found = export_judge(str(folder), precision="int8", threads=1, pairs=24)
    if found.failure is not None:
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    else:
        assert found.export.parity.outcomes_alike == 24
