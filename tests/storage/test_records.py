from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from storage_builders import part

from inspector.domain import Decision, Detection, Findings, Inspection, Timings
from inspector.errors import StorageError
from inspector.storage.records import inspection_from_json, inspection_to_json, json_text


def through_text(inspection: Inspection) -> Inspection:
    return inspection_from_json(json.loads(json_text(inspection_to_json(inspection))))


def test_a_record_is_read_back_as_it_was_written():
    inspection = part(decision=Decision.FAIL, sent=Decision.HOLD)
    assert through_text(inspection) == inspection


def test_a_part_of_which_nothing_is_known_is_read_back_as_it_was_written():
    inspection = replace(
        part(),
        part_id=None,
        lot=None,
        view=None,
        captured_at=None,
        judgement=None,
        findings=Findings(),
        picture=None,
        expected={},
    )
    assert through_text(inspection) == inspection


def test_text_with_nul_and_lone_surrogates_is_read_back_as_it_was_written():
    inspection = part(code_text="\0\x1d\ud83d\n\u2028")
    assert through_text(inspection) == inspection


def test_numbers_of_numpy_become_numbers_of_json():
    inspection = part()
    seen = inspection.findings.detections[0]
    odd = Detection(label="short", confidence=np.float32(0.3), box=seen.box, width_mm=np.float32(2))
    record = inspection_to_json(replace(inspection, findings=Findings(detections=(odd,))))
    assert inspection_from_json(json.loads(json_text(record))).findings.detections == (odd,)


def test_the_schema_is_the_first_key():
    assert next(iter(inspection_to_json(part()).items())) == ("schema", "record/1")


def test_keys_of_a_newer_version_are_ignored():
    inspection = part()
    assert inspection_from_json({**inspection_to_json(inspection), "seq": 7}) == inspection


def test_a_number_that_json_lacks_is_refused():
    inspection = replace(part(), timings=Timings(total_ms=math.nan))
    with pytest.raises(StorageError, match="expected finite numbers"):
        json_text(inspection_to_json(inspection))


@pytest.mark.parametrize(
    "broken",
    [{}, {"schema": "record/2"}, {"schema": "record/1"}],
    ids=["no schema", "another schema", "nothing else"],
)
def test_what_is_no_record_is_refused(broken: dict[str, str]):
    with pytest.raises(StorageError, match="expected a"):
        inspection_from_json(broken)
