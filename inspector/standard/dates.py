"""Checks of dates: compared with the day of inspection, with each other, and in their form."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date

from inspector.checks import FormatCheck, Moment, MomentCheck
from inspector.domain import CheckResult, Evidence, EvidenceRef, Reason, TextLine
from inspector.quantities import printed_days
from inspector.standard import codes, fields, gs1, names
from inspector.standard.joints import negated
from inspector.standard.phrases import quoted
from inspector.standard.world import World, absent, compared, result

_WEEK = re.compile(
    r"(?<!\d)(?P<y>\d{4})[-/ .]?(?:W|KW|CW|WK)[ -]?(?P<w>\d{1,2})(?!\d)"
    r"|\b(?:W|KW|CW|WK|week)[ .]?(?P<w2>\d{1,2})(?:[ ,/.-]+|,? (?:of|in) )(?P<y2>\d{4}|\d\d)(?!\d)",
    re.IGNORECASE,
)
_WEEK_FIRST = re.compile(r"(?<!\d)(?P<w>\d{1,2})[/.-](?P<y>\d{4})(?!\d)")
_WEEK_CODE = re.compile(r"(?<!\d)(?P<y>\d\d)(?P<w>0[1-9]|[1-4]\d|5[0-3])(?!\d)")
_OF_WEEKS = re.compile(r"week|\b[KC]W\b|[YJ]{2}WW|WW/?[YJ]{2}", re.IGNORECASE)
_COMPACT = re.compile(r"(?<!\d)(?P<y>20\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>[0-3]\d)(?!\d)")
_FORMS = {
    "iso 8601": "YYYY-MM-DD", "iso": "YYYY-MM-DD", "iso date": "YYYY-MM-DD",
    "month and year": "MM YYYY", "month/year": "MM/YYYY", "year-month": "YYYY-MM",
    "week and year": "WW YYYY", "week code": "WW YYYY", "week/year": "WW/YYYY",
}  # fmt: skip
_MONTH = (
    r"(?<![^\W\d_])(?i:jan|feb|fév|mar|mär|mrt|apr|abr|avr|may|mai|maj|mei|mag|jun|jui|giu|jul|lug|aug|août|"
    r"ago|sep|set|oct|okt|ott|out|nov|dec|dez|déc|dic|sty|lut|kwi|cze|lip|sie|wrz|paź|lis|gru)"
    r"[^\W\d_]*\.?"
)
_LETTERS = re.compile(
    r"letter|\bin words|as a word|\bspell|abbreviat|^jan(?:uary)?\b|name of the month|month name"
)
_TOKENS = {
    "YYYY": r"(?:19|20)\d\d", "YY": r"\d\d", "MMM": _MONTH, "MM": r"(?:0[1-9]|1[0-2])",
    "DD": r"(?:0[1-9]|[12]\d|3[01])", "WW": r"(?:W|KW|CW)?(?:0?[1-9]|[1-4]\d|5[0-3])",
}  # fmt: skip
_TOKEN = re.compile("|".join(_TOKENS), re.IGNORECASE)
_RELATIONS = {"<": "before", "<=": "on or before", "=": "on", ">=": "on or after", ">": "after"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """One day that a moment stands for, in words, and where it is printed."""

    day: date
    words: str
    ref: EvidenceRef | None = None


def check_moment(wanted: MomentCheck, evidence: Evidence, world: World) -> CheckResult:
    """Return whether two days compare as stated; where a field is printed twice, both must."""
    sides = []
    in_weeks = any(_OF_WEEKS.search(moment.name) for moment in (wanted.left, wanted.right))
    for moment, from_start in (
        (wanted.left, wanted.comparison in (">", "<=")),
        (wanted.right, wanted.comparison in (">=", "<")),
    ):
        if moment.kind == "element" and (no_day := _without_day(moment, evidence)) is not None:
            return _no_day(moment, no_day, evidence, world)
        days = _days(moment, evidence, world, from_start=from_start, in_weeks=in_weeks)
        if not days:
            return _missing(moment, world)
        sides.append(days)
    pairs = [(a, b) for a in sides[0] for b in sides[1]]
    broken = [
        (a, b)
        for a, b in pairs
        if not compared(a.day.toordinal(), wanted.comparison, b.day.toordinal())
    ]
    one, other = (broken or pairs)[0]
    statement = (
        f"{one.words} is {one.day.isoformat()}, {other.words} is {other.day.isoformat()}; the "
        f"first must lie {_RELATIONS[wanted.comparison]} the second."
    )
    found = [ref for ref in (one.ref, other.ref) if ref is not None]
    differ = broken and len(broken) < len(pairs) and not world.closed
    return result(None if differ else not broken, statement, found)


def _missing(moment: Moment, world: World) -> CheckResult:
    if moment.kind == "order":
        return result(
            None,
            f"The work order gives no date for {quoted(moment.name or 'it')} to compare with.",
            reason=Reason.EXPECTED_MISSING,
        )
    if moment.kind == "day":
        return result(None, f"{quoted(moment.name)} is no date that can be compared.")
    if moment.kind == "element":
        return absent(
            f"no {codes.element_in_words(moment)} was read", world, reason=Reason.CODE_UNREADABLE
        )
    return absent(
        f"no date was read as {quoted(moment.name)}", world, reason=Reason.TEXT_UNREADABLE
    )


def _without_day(moment: Moment, evidence: Evidence) -> int | None:
    """Return a code whose element of that identifier holds something that is no date."""
    today = evidence.context.inspected_on
    held = codes.holding(moment, evidence)
    return next((i for i, value in held if gs1.day_of(value, today) is None), None)


def _no_day(moment: Moment, index: int, evidence: Evidence, world: World) -> CheckResult:
    name = codes.element_in_words(moment)
    return result(
        False if world.missing == "fail" else None,
        f"{quoted(evidence.codes[index].text)} has no date as {name}; the clause requires it.",
        [EvidenceRef(kind="code", index=index)],
        reason=Reason.CODE_UNREADABLE,
    )


def _days(
    moment: Moment, evidence: Evidence, world: World, *, from_start: bool, in_weeks: bool
) -> list[_Day]:
    """Return the days a moment stands for; a named month or week counts `from_start` or to its end.

    "Not before July 2027" is met from 1 July on, "not after July 2027" until 31 July.
    """
    match moment.kind:
        case "today":
            found = [_Day(day=evidence.context.inspected_on, words="the day of inspection")]
        case "day":
            day = day_in(moment.name, starts=from_start)
            found = (
                [_Day(day=day, words=f"the day {quoted(moment.name)}")] if day is not None else []
            )
        case "order":
            value = names.ordered(moment.name, evidence.context.expected)
            if value is None and not moment.name:
                value = names.ordered("expiry", evidence.context.expected)
            day = day_in(value) if value else None
            found = [_Day(day=day, words="the ordered date")] if day is not None else []
        case "field":
            found = _printed(moment.name, evidence, world, in_weeks=in_weeks)
        case "element":
            name = codes.element_in_words(moment)
            found = [
                _Day(day=day, words=f"the {name} of {quoted(evidence.codes[i].text)}",
                     ref=EvidenceRef(kind="code", index=i))
                for i, value in codes.holding(moment, evidence)
                if (day := gs1.day_of(value, evidence.context.inspected_on)) is not None
            ]  # fmt: skip
    return [
        _Day(day=shifted(d.day, moment), words=_shift_in_words(d.words, moment), ref=d.ref)
        for d in found
    ]


def _printed(name: str, evidence: Evidence, world: World, *, in_weeks: bool) -> list[_Day]:
    key = fields.field_key(name)
    lines = fields.lines_of(name, evidence, read_at=world.read_at)
    if not lines and key in ("expiry", "made", "date"):
        lines = _unnamed_dates(evidence, world)
    found = [
        _Day(day=day, words=f"the {quoted(name)} printed as {quoted(evidence.texts[i].text)}",
             ref=EvidenceRef(kind="text", index=i))
        for i in lines
        for day in days_of(
            evidence.texts[i],
            name,
            world,
            starts=key in ("made", "date_code"),
            in_weeks=in_weeks or _OF_WEEKS.search(evidence.texts[i].field or "") is not None,
        )
    ]  # fmt: skip
    element = {"expiry": "17", "made": "11"}.get(key)
    if not found and element is not None:
        for i, code in enumerate(evidence.codes):
            value = gs1.elements(code.text).get(element) or ""
            if (day := gs1.day_of(value, evidence.context.inspected_on)) is not None:
                words = f"the {quoted(name)} in the code {quoted(code.text)}"
                ref = EvidenceRef(kind="code", index=i)
                found.append(_Day(day=day, words=words, ref=ref))
    return found


def _unnamed_dates(evidence: Evidence, world: World) -> list[int]:
    """Return the line with a date that no field and no caption claims.

    Of several, a case means the first; on a station nobody knows which, so that all count.
    """
    claimed = {i for key in ("expiry", "made") for i in fields.lines_of(key, evidence, read_at=0)}
    dated = [
        i
        for i, line in enumerate(evidence.texts)
        if i not in claimed and line.field is None and day_in(line.text) is not None
    ]
    read = [i for i in dated if evidence.texts[i].confidence >= world.read_at]
    return read[:1] if world.closed else read


def days_of(
    line: TextLine, name: str, world: World, *, starts: bool = False, in_weeks: bool = False
) -> list[date]:
    """Return the days that a line may give as the date that `name` names.

    A date counts for the caption that it stands with. Of several without one a case means the
    first; on a station nobody knows which, so that all count.
    """
    key = fields.field_key(name)
    own = own_part(line.text, key)
    first = day_in(own, starts=starts, in_weeks=in_weeks, is_code=key == "date_code")
    if first is None:
        return []
    days = [day.first if starts else day.last for day in printed_days(own)]
    return [first] if world.closed or first not in days else list(dict.fromkeys(days))


def own_part(text: str, key: str) -> str:
    """Return what of a line the caption of a date claims; all of it where no other date does.

    Captions stand before their dates, or after them where the line begins with a date.
    """
    captions = sorted(
        (*at, kind) for kind in ("expiry", "made") for at in fields.captions(text, kind)
    )
    if all(kind == key for _, _, kind in captions) or key not in ("expiry", "made"):
        return text
    ends_with = day_in(text[: captions[0][0]]) is not None
    before, after = (
        [0, *(end for _, end, _ in captions)],
        [*(at for at, _, _ in captions), len(text)],
    )
    shift = 0 if ends_with else 1
    return " ".join(
        text[before[n + shift] : after[n + shift]]
        for n, (_, _, kind) in enumerate(captions)
        if kind == key
    )


def day_in(
    text: str, *, starts: bool = False, in_weeks: bool = False, is_code: bool = False
) -> date | None:
    """Return the first day in `text`; a month or week alone ends (or `starts`) with its day.

    `in_weeks` reads 20/2026 as a week, `is_code` reads 2620 as one too.
    """
    if in_weeks and (match := _WEEK_FIRST.search(text)) and 1 <= int(match["w"]) <= 53:
        return _of_week(int(match["y"]), int(match["w"]), starts=starts)
    if match := _COMPACT.search(text):
        try:
            return date(int(match["y"]), int(match["m"]), int(match["d"]))
        except ValueError:
            pass  # eight digits that are no date: a number
    if match := _WEEK.search(text):
        year, week = match["y"] or match["y2"], match["w"] or match["w2"]
        return _of_week(int(year), int(week), starts=starts)
    days = printed_days(text)
    if not days and is_code and (match := _WEEK_CODE.search(text)):
        return _of_week(int(match["y"]), int(match["w"]), starts=starts)
    return None if not days else days[0].first if starts else days[0].last


def _of_week(year: int, week: int, *, starts: bool) -> date | None:
    try:
        return date.fromisocalendar(year + (2000 if year < 100 else 0), week, 1 if starts else 7)
    except ValueError:
        return None


def shifted(day: date, moment: Moment) -> date:
    """Return `day` plus the span of `moment`; months by the calendar."""
    number = moment.number
    if moment.span in ("day", "week"):
        return _moved(day, number * (7 if moment.span == "week" else 1))
    months = number * (12 if moment.span == "year" else 1)
    index = day.year * 12 + day.month - 1 + int(months // 1)
    year, month = max(1, min(index // 12, date.max.year)), index % 12 + 1
    last = calendar.monthrange(year, month)[1]
    return _moved(date(year, month, min(day.day, last)), 30 * (months % 1))


def _moved(day: date, days: float) -> date:
    """Return the day so many days later; the calendar's ends stop it."""
    return date.fromordinal(max(1, min(day.toordinal() + round(days), date.max.toordinal())))


def _shift_in_words(words: str, moment: Moment) -> str:
    if not moment.number:
        return words
    number = abs(moment.number)
    side = "after" if moment.number > 0 else "before"
    return f"{number:g} {moment.span}{'' if number == 1 else 's'} {side} {words}"


def check_format(
    wanted: FormatCheck, evidence: Evidence, world: World, *, is_forbidden: bool = False
) -> CheckResult:
    """Return whether each such date is printed in the form asked for, or none where forbidden."""
    lines = fields.lines_of(wanted.field, evidence, read_at=world.read_at)
    if not lines and fields.field_key(wanted.field) == "date":
        lines = [i for i, line in enumerate(evidence.texts)
                 if line.confidence >= world.read_at and day_in(line.text) is not None]  # fmt: skip
    lines = lines or _unnamed_dates(evidence, world)
    if not lines:
        found = absent(f"no {quoted(wanted.field)} was read", world, reason=Reason.TEXT_UNREADABLE)
        return negated(found) if is_forbidden else found
    pattern = _pattern(wanted.form)
    if pattern is None:
        return result(None, f"{quoted(wanted.form)} is no form of a date that is known here.")
    key = fields.field_key(wanted.field)
    of_form = {i: bool(pattern.search(own_part(evidence.texts[i].text, key))) for i in lines}
    wrong = [i for i in lines if of_form[i] is is_forbidden]
    index = (wrong or lines)[0]
    printed = quoted(evidence.texts[index].text)
    statement = (
        f"{quoted(wanted.field)} is printed as {printed}; the form {quoted(wanted.form)} is "
        f"{'not allowed' if is_forbidden else 'required'}."
    )
    return result(not wrong, statement, [EvidenceRef(kind="text", index=index)])


def _pattern(form: str) -> re.Pattern[str] | None:
    plain = form.strip().strip("\"'").lower()
    named = "MMM" if _LETTERS.search(plain) else _FORMS.get(plain)
    if named is None:
        named = re.sub(r"\bday\b", "DD", plain)
        named = re.sub(r"\bmonth\b", "MM", named)
        named = re.sub(r"\byear\b", "YYYY", named)
        named = re.sub(r"\bweek\b", "WW", named)
        named = re.sub(r"[jy]{4}", "YYYY", named.replace("tt", "dd")).upper()
    tokens = _TOKEN.findall(named)
    if not tokens:
        return None
    parts, at = [], 0
    for match in _TOKEN.finditer(named):
        between = named[at : match.start()]
        parts.append(_between(between) if at else "")
        joined = (bool(at) and not between) or named[match.end() : match.end() + 1].isalpha()
        part = _TOKENS[match[0].upper()]
        parts.append(part.replace("0?[1-9]", "0[1-9]") if joined else part)
        at = match.end()
    return re.compile(rf"(?<![\d])(?<!\d[-/.]){''.join(parts)}(?![\d])(?![-/.]\d)")


def _between(text: str) -> str:
    if text in (" ", ", ", " AND "):
        return r"[\s./-]+"
    return re.escape(text)
