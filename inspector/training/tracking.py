"""Where the curves of a language training go: TensorBoard always, Weights & Biases on request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from inspector.errors import ModelError


class Tracker:
    """Writes numbers of a training by step; a context, which closes what it opened."""

    def __init__(self, folder: Path, *, wandb: str | None, settings: Mapping[str, Any]) -> None:
        """Log into `folder`/tensorboard, and to a run named `wandb` where that is given.

        Raises `ModelError` where Weights & Biases cannot be reached or is not installed.
        """
        from torch.utils.tensorboard import SummaryWriter

        self._run = None if wandb is None else _run(folder, wandb, settings)
        self._writer: Any = SummaryWriter(str(folder / "tensorboard"))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write the values of one step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        if self._run is not None:
            self._run.log(dict(values), step=step)

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        if self._run is not None:
            self._run.finish()


def _run(folder: Path, name: str, settings: Mapping[str, Any]) -> Any:
    try:
        import wandb
    except ModuleNotFoundError as exc:
        raise ModelError(
            "expected the package wandb, found none; install it with: pip install "
            "'inspector[wandb]', or leave out --wandb"
        ) from exc
    try:
        return wandb.init(
            project="inspector",
            name=name,
            dir=str(folder),
            config=dict(settings),
            settings=wandb.Settings(console="off", silent=True),
        )
    except wandb.Error as exc:
        raise ModelError(
            f"expected a run on Weights & Biases: {exc}; run `wandb login`, set "
            "WANDB_MODE=offline, or leave out --wandb"
        ) from exc
