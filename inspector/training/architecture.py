"""The networks that can be trained, and the weights that a training begins with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inspector.errors import ModelError
from inspector.models import shelf

ARCHITECTURES = ("yolo11n", "yolo11s", "yolo11n-p2", "yolo26n", "yolo26s", "yolo26n-p2")
SHIPPED_START = "pcb-yolo11n"
NO_START = "none"
FITTING_SHARE = 0.5  # of the parameters that a start has to bring


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingWeights:
    """Weights to begin with, their hash compared."""

    name: str
    path: Path
    sha256: str


def starting_weights(
    start: str | None, *, architecture: str, labels: tuple[str, ...]
) -> StartingWeights | None:
    """Return the weights that `start` names, None for random ones.

    Labels may differ: the last layer then begins anew. Raises `ModelError` where weights that were
    asked for by name do not fit `architecture`.
    """
    if start == NO_START:
        return None
    folder, description = shelf.read_detector(start or SHIPPED_START)
    path = shelf.verified(folder / description.file, description.sha256)
    share = _fitting_share(path, architecture=architecture, labels=labels)
    if share < FITTING_SHARE:
        if start is None:
            return None
        raise ModelError(
            f"{start}: expected weights for {architecture}, found that {share:.0%} of them fit; "
            "choose the architecture that they were trained with, or --start none"
        )
    return StartingWeights(name=start or SHIPPED_START, path=path, sha256=description.sha256)


def model_file(architecture: str) -> str:
    """Return the description of the network: ours where there is one, else ultralytics' own."""
    own = Path(__file__).with_name(f"{architecture}.yaml")
    return str(own) if own.is_file() else own.name


def _fitting_share(weights: Path, *, architecture: str, labels: tuple[str, ...]) -> float:
    from ultralytics.nn.tasks import DetectionModel, torch_safe_load
    from ultralytics.utils.torch_utils import intersect_dicts

    checkpoint, _ = torch_safe_load(weights, safe_only=True)
    held = (checkpoint.get("ema") or checkpoint["model"]).state_dict()
    wanted = DetectionModel(model_file(architecture), nc=len(labels), verbose=False).state_dict()
    fitting = intersect_dicts(held, wanted)
    held_count, wanted_count = (
        sum(int(tensor.numel()) for tensor in tensors.values()) for tensors in (fitting, wanted)
    )
    return held_count / wanted_count
