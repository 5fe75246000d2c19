"""Build an `Inspector` with the real models that a set of recipes asks for."""

from __future__ import annotations

from collections.abc import Iterator

from inspector import images
from inspector.domain import DefectCheck
from inspector.errors import SettingsError
from inspector.models.codes import ZxingCodeReader
from inspector.models.detector import YoloDetector, load_detector
from inspector.models.judge import FusedJudge, load_judge
from inspector.models.reader import RapidTextReader
from inspector.pipeline import Inspector, Models
from inspector.settings import Recipe
from inspector.standard import ANY

ANSWERS_REMEMBERED = 2048  # of a judge; each takes about a kB


def assemble(
    recipes: tuple[Recipe, ...], *, threads: int | None = None, remembers: int = ANSWERS_REMEMBERED
) -> Inspector:
    """Return an inspector with every model that `recipes` name, loaded and verified.

    `threads` is the number of CPU threads its models and OpenCV may use, their own choice where
    None; `remembers` is how many answers a judge keeps, see `load_judge`. Raises `ModelError`
    where a model cannot be trusted or loaded, and `SettingsError` where a recipe does not fit its
    detector.
    """
    if mistakes := tuple(_engines_apart(recipes)):
        raise SettingsError(mistakes)
    if threads is not None:
        images.use_threads(threads)
    detectors: dict[str, YoloDetector] = {}
    judges: dict[str, FusedJudge] = {}
    for recipe in recipes:
        wanted = recipe.settings.detector
        if wanted is not None and wanted.model not in detectors:
            detectors[wanted.model] = load_detector(
                wanted.model, engine=wanted.engine, threads=threads
            )
        if recipe.settings.judge not in judges:
            judges[recipe.settings.judge] = load_judge(
                recipe.settings.judge, threads=threads, remembers=remembers
            )
    mistakes = tuple(
        mistake
        for recipe in recipes
        if recipe.settings.detector is not None
        for mistake in _misfits(recipe, detectors[recipe.settings.detector.model])
    )
    if mistakes:
        raise SettingsError(mistakes)
    return Inspector(
        Models(
            detectors=detectors,
            judges=judges,
            text_reader=(
                RapidTextReader(threads=threads)
                if any(recipe.settings.read_text for recipe in recipes)
                else None
            ),
            code_reader=(
                ZxingCodeReader() if any(recipe.settings.read_codes for recipe in recipes) else None
            ),
        )
    )


def _engines_apart(recipes: tuple[Recipe, ...]) -> Iterator[str]:
    """Yield a mistake for each model that is asked for with two engines: it is loaded once."""
    asked: dict[str, Recipe] = {}
    for recipe in recipes:
        wanted = recipe.settings.detector
        if wanted is None:
            continue
        first = asked.setdefault(wanted.model, recipe)
        engine = first.settings.detector.engine if first.settings.detector else wanted.engine
        if engine != wanted.engine:
            yield (
                f"recipe {recipe.name}: expected the engine {engine} for {wanted.model}, as in "
                f"recipe {first.name}, found {wanted.engine}; a station loads a model once"
            )


def _misfits(recipe: Recipe, detector: YoloDetector) -> list[str]:
    mistakes = [
        f"recipe {recipe.name}: clause {clause.id}: expected labels of the detector "
        f"({', '.join(detector.labels)}), found {label!r}"
        for clause in recipe.standard.clauses
        if isinstance(clause.check, DefectCheck)
        for label in clause.check.labels
        if label != ANY and label not in detector.labels
    ]
    if detector.needs_reference and recipe.settings.reference is None:
        mistakes.append(
            f"recipe {recipe.name}: expected a reference, since the detector compares with one"
        )
    return mistakes
