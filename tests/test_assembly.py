"""A recipe that does not fit its models is refused before a station starts."""

import shutil
from dataclasses import replace

import cv2
import pytest

from inspector.assembly import assemble
from inspector.domain import Clause, DefectCheck
from inspector.errors import ModelError, SettingsError
from inspector.models.shelf import model_folder
from inspector.settings import load_recipe


def test_labels_the_detector_does_not_know_are_named():
    recipe = load_recipe("pcb")
    odd = Clause(id="X1", text="No dents.", check=DefectCheck(labels=("dent",)))
    standard = replace(recipe.standard, clauses=(*recipe.standard.clauses, odd))
    with pytest.raises(SettingsError) as refused:
        assemble((replace(recipe, standard=standard),))
    (mistake,) = refused.value.mistakes
    assert "clause X1" in mistake
    assert "open, short, mousebite, spur, copper, pin-hole" in mistake
    assert "found 'dent'" in mistake


def test_a_detector_that_compares_needs_a_reference():
    recipe = load_recipe("pcb")
    settings = recipe.settings.model_copy(update={"reference": None})
    with pytest.raises(SettingsError, match="expected a reference"):
        assemble((replace(recipe, settings=settings),))


def test_one_model_with_two_engines_is_refused_since_it_is_loaded_once():
    recipe = load_recipe("pcb")
    detector = recipe.settings.detector.model_copy(update={"engine": "pytorch"})
    other = replace(
        recipe, name="other", settings=recipe.settings.model_copy(update={"detector": detector})
    )
    with pytest.raises(SettingsError, match="expected the engine auto for pcb-yolo11n, as in"):
        assemble((recipe, other))


def test_opencv_takes_as_many_threads_as_the_models():
    before = cv2.getNumThreads()
    try:
        assemble((load_recipe("label"),), threads=1)
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("kind", ["detector", "judge"])
def test_a_model_whose_file_was_changed_is_not_loaded(tmp_path, kind):
    recipe = load_recipe("pcb")
    shipped = {"detector": "pcb-yolo11n", "judge": "judge"}[kind]
    altered = tmp_path / shipped
    shutil.copytree(model_folder(shipped), altered)
    (weights,) = [path for path in altered.iterdir() if path.suffix in (".pt", ".safetensors")]
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    settings = recipe.settings
    if kind == "detector":
        detector = settings.detector.model_copy(update={"model": str(altered)})
        settings = settings.model_copy(update={"detector": detector})
    else:
        settings = settings.model_copy(update={"judge": str(altered)})
    with pytest.raises(ModelError, match="sha256"):
        assemble((replace(recipe, settings=settings),))
