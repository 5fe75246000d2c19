"""What the pages need beside the database: settings, words for operators, figures, times."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path

from dashboard.theme import LOOKS, MUTED
from inspector.domain import Decision, Reason, Standard
from inspector.errors import SettingsError, StorageError
from inspector.settings import load_standard, shipped_configs
from inspector.storage.queries import StationEvent

# How the command `inspector dashboard` tells the pages where to read; the environment, not the
# command line, because a database URL may hold a password and anybody can list processes.
DATABASE_VARIABLE = "INSPECTOR_DATABASE"
RECORDS_VARIABLE = "INSPECTOR_RECORDS"

# A picture older than this is no longer what is in front of the camera.
LIVE_LIMIT = timedelta(seconds=60)
# Kinds of station events after which no part is to be expected.
STOPPED = frozenset({"STOPPED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the dashboard reads: a database URL, and the folder with the pictures."""

    url: str
    records: Path


def source() -> Source:
    """Return where to read, from the environment; raise `StorageError` where it is not set."""
    url, records = os.environ.get(DATABASE_VARIABLE), os.environ.get(RECORDS_VARIABLE)
    if not url or not records:
        raise StorageError(
            f"expected the variables {DATABASE_VARIABLE} and {RECORDS_VARIABLE}, found them unset; "
            "start the dashboard with: inspector dashboard"
        )
    return Source(url=url, records=Path(records))


# --- words --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a reason means, and what to do."""

    meaning: str
    remedy: str


REASONS = {
    Reason.CLEAN: Explanation(
        meaning="Nothing in the standard objects to this part.", remedy="Nothing to do."
    ),
    Reason.RULE_VIOLATED: Explanation(
        meaning="A measured limit of the standard is broken.",
        remedy="Take the part out. If several in a row fail alike, check the step before.",
    ),
    Reason.JUDGED_BAD: Explanation(
        meaning="The language model finds that a clause is not met.",
        remedy="Look at the part and the clause, then confirm or overrule.",
    ),
    Reason.UNCERTAIN: Explanation(
        meaning="The station is not sure enough either way.",
        remedy="Look at the marked places on the part, then decide.",
    ),
    Reason.TEXT_UNREADABLE: Explanation(
        meaning="Printed text that the standard asks for could not be read.",
        remedy="Read it by eye. If it is clear, clean the lens and check the lamp.",
    ),
    Reason.CODE_UNREADABLE: Explanation(
        meaning="A bar code or matrix code could not be read.",
        remedy="Scan it by hand. If it scans, check focus, lamp and glare.",
    ),
    Reason.EXPECTED_MISSING: Explanation(
        meaning="The work order did not say what should be printed.",
        remedy="Check what the PLC or the MES sends for this order.",
    ),
    Reason.REFERENCE_MISSING: Explanation(
        meaning="There is no reference picture for this view of the part.",
        remedy="Add the reference picture, or correct the view that the PLC sends.",
    ),
    Reason.NO_FRAME: Explanation(
        meaning="The camera gave no picture in time.",
        remedy="Check the camera's cable, power and trigger.",
    ),
    Reason.STALE_FRAME: Explanation(
        meaning="The only picture was taken before this part arrived.",
        remedy="Check the camera's trigger and its delay in the station file.",
    ),
    Reason.BAD_FRAME: Explanation(
        meaning="The picture was damaged, dark, blurred or of the wrong size.",
        remedy="Check lamp, lens and focus; look at the picture.",
    ),
    Reason.CAMERA_LOST: Explanation(
        meaning="The connection to the camera broke.",
        remedy="Check cable and power; the station connects again by itself.",
    ),
    Reason.MODEL_FAILED: Explanation(
        meaning="A model of the station did not give an answer.",
        remedy="Inspect this part by hand and tell maintenance.",
    ),
    Reason.OVERLOAD: Explanation(
        meaning="Parts came faster than the station can inspect.",
        remedy="Slow the line, or give the station more workers.",
    ),
    Reason.DEADLINE: Explanation(
        meaning="The inspection was not finished when the line needed its answer.",
        remedy="Inspect this part by hand. If it happens often, allow more time.",
    ),
    Reason.NOT_RECORDED: Explanation(
        meaning="The result could not be saved, so it was not trusted.",
        remedy="Check free space and rights of the record folder.",
    ),
    Reason.INTERRUPTED: Explanation(
        meaning="The station stopped while this part was being inspected.",
        remedy="Inspect this part by hand; it got no answer or HOLD.",
    ),
    Reason.UNKNOWN_RECIPE: Explanation(
        meaning="The PLC asked for a recipe that this station does not have.",
        remedy="Correct the recipe's name, or add the recipe to the station file.",
    ),
    Reason.ALARM_ACTIVE: Explanation(
        meaning="An alarm was active while this part was made.",
        remedy="See what the alarm was, then inspect the part by hand.",
    ),
    Reason.STOPPING: Explanation(
        meaning="The station was shutting down.", remedy="Inspect this part by hand."
    ),
}

DECIDED_BY = {
    "rule": "measured rule",
    "reading": "reading of the clause",
    "model": "language model",
    "combined": "rule and model",
}

AGREED = "AGREED"
OTHER = "OTHER"
# Why a reviewer overrules, by what the part becomes; OTHER needs a note.
REVIEW_REASONS = {
    Decision.PASS: {
        "NO_DEFECT": "There is no defect: dust, glare, a false alarm",
        "TOLERATED": "The defect is there, but the standard allows it",
        "READ_BY_EYE": "Text or code read by eye, and right",
        "INSPECTED_BY_HAND": "Inspected by hand, and good",
        OTHER: "Something else (say what in the note)",
    },
    Decision.FAIL: {
        "DEFECT_SEEN": "The defect is real and not allowed",
        "DEFECT_MISSED": "A defect that the station did not see",
        "WRONG_PRINT": "Text or code read by eye, and wrong",
        "INSPECTED_BY_HAND": "Inspected by hand, and bad",
        OTHER: "Something else (say what in the note)",
    },
    Decision.HOLD: {
        "SECOND_OPINION": "Somebody else has to look",
        "TO_LABORATORY": "Has to be measured first",
        OTHER: "Something else (say what in the note)",
    },
}


def review_reason(code: str) -> str:
    """Return the words for the reason of a review; the code itself where it is unknown."""
    if code == AGREED:
        return "Agrees with the station"
    for reasons in REVIEW_REASONS.values():
        if code in reasons and code != OTHER:
            return reasons[code]
    return "Something else" if code == OTHER else code


def clause_texts(standard_rev: str) -> dict[str, str]:
    """Return the words of each clause of the standard with that sha256, by clause id.

    Empty where no such file is known here any more: clauses then show by their id.
    """
    folders = (Path("configs") / "standards", shipped_configs() / "standards")
    for path in (path for folder in folders for path in sorted(folder.glob("*.yaml"))):
        standard = _standard(path, path.stat().st_mtime_ns)
        if standard is not None and standard.rev == standard_rev:
            return {clause.id: clause.text for clause in standard.clauses}
    return {}


@lru_cache(maxsize=128)
def _standard(path: Path, changed_ns: int) -> Standard | None:  # noqa: ARG001
    """Return the standard of a file as it is since `changed_ns`, None while it has mistakes."""
    try:
        return load_standard(str(path))
    except SettingsError:
        return None  # someone is editing it; it cannot be the revision that judged


# --- the station's state -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StationState:
    """How a station is, as far as its records tell."""

    word: str
    symbol: str
    colour: str
    note: str


def station_state(
    *, newest_part_at: datetime | None, newest_event: StationEvent | None, now: datetime
) -> StationState:
    """Return what the newest part and the newest event say; silence is never called running."""
    signs = [newest_part_at] if newest_part_at is not None else []
    if newest_event is not None:
        if newest_event.kind in STOPPED and newest_event.at >= max(signs, default=newest_event.at):
            return StationState(
                word="STOPPED",
                symbol="■",
                colour=MUTED,
                note=f"{age_in_words(now - newest_event.at)} ago: {newest_event.detail}",
            )
        signs.append(newest_event.at)
    if not signs:
        return StationState(word="NO SIGN", symbol="?", colour=MUTED, note="nothing recorded yet")
    age = now - max(signs)
    if is_live(max(signs), now):
        return StationState(
            word="RUNNING",
            symbol="●",
            colour=LOOKS[Decision.PASS].strong,
            note=f"last sign {age_in_words(age)} ago",
        )
    note = (
        f"nothing for {age_in_words(age)}: does the line stand, or the station?"
        if age > LIVE_LIMIT
        else f"its clock is {age_in_words(-age)} ahead of this machine's: set the clocks"
    )
    return StationState(word="QUIET", symbol="‖", colour=LOOKS[Decision.HOLD].strong, note=note)


# --- figures and times --------------------------------------------------------------------------


def is_live(moment: datetime, now: datetime) -> bool:
    """Return whether `moment` is about now; one far ahead is a wrong clock, not the present."""
    return abs(now - moment) <= LIVE_LIMIT


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a rate (Wilson 1927, JASA 22:209); (0, 1) for n = 0.

    Unlike the plain ± interval it stays inside 0–1 and holds for a handful of parts.
    """
    if n == 0:
        return 0.0, 1.0
    z = 1.959964
    rate = successes / n
    centre = rate + z * z / (2 * n)
    margin = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


def day_begins(now: datetime, zone: tzinfo) -> datetime:
    """Return the last midnight in `zone`, in UTC."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC)


def age_in_words(age: timedelta) -> str:
    """Return "4 s", "12 min", "3 h 5 min" or "2 days"; a clock that runs ahead counts as 0 s."""
    seconds = max(0, round(age.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} days"
