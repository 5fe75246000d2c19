"""Prepare labelled pictures for ultralytics' trainer, as the station shows them to the detector.

Where the recipe has a reference, it is registered and moved onto the frame before the two are
composed, as at a station: a detector must be trained on what it will see.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from inspector import images
from inspector.domain import Bgr
from inspector.errors import DataError, PictureError
from inspector.registration import Golden
from inspector.settings import RecipeSettings
from inspector.training.datasets import Annotation, Dataset, LabelledPicture
from inspector.training.yolo import OPTIONS, TrainerOptions

DATA_FILE = "data.yaml"


def seen_by_detector(picture: LabelledPicture, recipe: RecipeSettings) -> Bgr:
    """Return what a detector sees of `picture`: itself, or composed with its aligned reference.

    Raises `PictureError` where one cannot be read or the two cannot be registered.
    """
    bgr = images.read(picture.picture, bit_depth=recipe.bit_depth)
    if recipe.reference is None:
        return bgr
    if picture.reference is None:
        raise PictureError("expected a reference, since the recipe has one, found none; add it")
    reference_bgr = images.read(picture.reference, bit_depth=recipe.bit_depth)
    golden = Golden(reference_bgr, limits=recipe.registration)
    return images.compose(bgr, golden.under(bgr))


def prepare(dataset: Dataset, *, recipe: RecipeSettings, input_px: int, folder: Path) -> bool:
    """Write pictures and YOLO labels of both folds into `folder`, all of them or none.

    Pictures longer than `input_px` are scaled down to it. Returns whether all pictures have two
    values only. Raises `DataError` with every picture that cannot be used; nothing of `folder` is
    touched before all are known.
    """
    mistakes: list[str] = []
    two_valued = True
    with _draft(folder) as draft:
        for fold, pictures in (("train", dataset.training), ("val", dataset.validation)):
            (draft / fold / "images").mkdir(parents=True)
            (draft / fold / "labels").mkdir()
            for picture in pictures:
                try:
                    bgr = seen_by_detector(picture, recipe)
                except PictureError as exc:
                    mistakes.append(f"{picture.picture}: {exc}")
                    continue
                rows = _rows(picture.annotations, dataset.labels, shape=bgr.shape)
                if max(bgr.shape[:2]) > input_px:
                    bgr, _ = images.letterbox(bgr, input_px, stride_px=1)
                two_valued = two_valued and _is_two_valued(bgr, input_px)
                (draft / fold / "images" / f"{picture.id}.png").write_bytes(images.encode_png(bgr))
                (draft / fold / "labels" / f"{picture.id}.txt").write_text(rows)
        if mistakes:
            counted = "1 picture" if len(mistakes) == 1 else f"{len(mistakes)} pictures"
            raise DataError(f"{counted} cannot be trained on:\n" + "\n".join(mistakes))
        if folder.exists():
            shutil.rmtree(folder)
        draft.replace(folder)
    return two_valued


@contextmanager
def _draft(folder: Path) -> Iterator[Path]:
    """Yield an empty folder beside `folder`; where it is not finished, no trace of it stays.

    What a killed process left there is removed first.
    """
    draft = folder.with_name(f"{folder.name}.part")
    if draft.exists():
        shutil.rmtree(draft)
    new = [parent for parent in draft.parents if not parent.exists()]
    draft.mkdir(parents=True)
    try:
        yield draft
    except BaseException:
        shutil.rmtree(draft)
        for parent in new:
            parent.rmdir()
        raise


def write_data_file(
    folder: Path, *, labels: Sequence[str], repeats: int, options: TrainerOptions
) -> Path:
    """Write ultralytics' list of the prepared `folder`, with our options; return its path.

    Each picture is shown `repeats` times an epoch.
    """
    listing = {
        "path": str(folder.resolve()),
        "train": ["train/images"] * repeats,
        "val": "val/images",
        "names": dict(enumerate(labels)),
        OPTIONS: asdict(options),
    }
    path = folder / DATA_FILE
    path.write_text(json.dumps(listing))  # JSON is YAML
    return path


def read_options(folder: Path) -> TrainerOptions:
    """Return our options from the list of the prepared `folder`."""
    listing = json.loads((folder / DATA_FILE).read_text())
    return TrainerOptions(**listing[OPTIONS])


def _rows(
    annotations: Sequence[Annotation], labels: Sequence[str], *, shape: tuple[int, ...]
) -> str:
    """Return the lines of a YOLO label file: number of the label, middle and sides, relative."""
    height, width = shape[:2]
    return "\n".join(
        f"{labels.index(a.label)} {a.box.centre[0] / width:.6f} {a.box.centre[1] / height:.6f} "
        f"{a.box.width / width:.6f} {a.box.height / height:.6f}"
        for a in annotations
    )


def _is_two_valued(composed: Bgr, input_px: int) -> bool:
    """Return whether frame and reference are 0 and 255 only, and will not be scaled."""
    pictures = composed[:, :, :2]
    return max(composed.shape[:2]) == input_px and bool(np.isin(pictures, (0, 255)).all())
