"""The line of a check: short text that a language model writes, an engineer reads, code parses.

`defects(scratches; in seal area; longest > 0.5 mm) <= two` says what must hold. Words stand as in
the clause. `to_line` writes numbers plainly, so that `from_line(to_line(check)) == check`;
`in_words` says the same as a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from inspector.checks import (
    ANY,
    AllOf,
    AnyOf,
    CodesCheck,
    EqualCheck,
    FormatCheck,
    IfThen,
    MeasureCheck,
    Moment,
    MomentCheck,
    Not,
    PrintCheck,
    ReadCheck,
    Size,
    Source,
)
from inspector.line_parser import IGNORABLE, NO_CHECK, LineError, from_line

__all__ = ["NO_CHECK", "LineError", "from_line", "in_words", "to_line"]

_COMPARED = {"<": "less than", "<=": "at most", "=": "exactly", ">=": "at least", ">": "more than"}
_EARLIER = {"<": "before", "<=": "not after", "=": "on", ">=": "not before", ">": "after"}


def to_line(check: ReadCheck | None) -> str:
    """Return the line that says `check`."""
    match check:
        case None:
            return NO_CHECK
        case MeasureCheck():
            parts = [
                _listed(check.subjects),
                *([f"except {_listed(check.exceptions)}"] if check.exceptions else []),
                *([f"in {_listed(check.inside)}"] if check.inside else []),
                *([f"not in {_listed(check.outside)}"] if check.outside else []),
                *map(_size, check.sizes),
                *([f"each {check.each}"] if check.each else []),
            ]
            unit = {"area": " mm²", "defects": "", "kinds": ""}.get(check.measure, " mm")
            limit = f"{check.comparison} {_plain(check.limit)}{unit}"
            return f"{check.measure}({'; '.join(parts)}) {limit}"
        case PrintCheck():
            return (
                f"texts({'; '.join(_print_parts(check))}) {check.comparison} {_plain(check.limit)}"
            )
        case CodesCheck():
            return (
                f"codes({'; '.join(_code_parts(check))}) {check.comparison} {_plain(check.limit)}"
            )
        case EqualCheck():
            name = "contains" if check.contains else "equal"
            sources = [_source(check.left), _source(check.right)]
            return f"{name}({'; '.join([*sources, *_options(check)])})"
        case MomentCheck():
            return f"date({_moment(check.left)}) {check.comparison} {_moment(check.right)}"
        case FormatCheck():
            return f"format({check.field}; {check.form})"
        case Not():
            return f"not ({to_line(check.check)})"
        case IfThen():
            return f"if {_within(check.condition)} then {_within(check.then, last=True)}"
        case AllOf():
            return " and ".join(map(_within, check.checks))
        case AnyOf():
            return " or ".join(map(_within, check.checks))


def _within(check: ReadCheck, *, last: bool = False) -> str:
    line = to_line(check)
    joined = isinstance(check, AllOf | AnyOf | IfThen)
    return f"({line})" if joined and not (last and not isinstance(check, IfThen)) else line


def _listed(words: Sequence[str]) -> str:
    return " | ".join(words)


def _plain(value: float) -> str:
    return f"{value:.9g}"


def _size(size: Size) -> str:
    unit = {"area": " mm²", "confidence": "", "characters": ""}.get(size.measure, " mm")
    return f"{size.measure} {size.comparison} {_plain(size.limit)}{unit}"


def _print_parts(check: PrintCheck) -> list[str]:
    match check.sought:
        case "wording":
            first = " | ".join(f'"{word}"' for word in check.words)
        case "product" | "any":
            first = check.sought
        case _:
            first = f"{check.sought} {_listed(check.words)}"
    return [
        first,
        *([f'starts "{check.starts}"'] if check.starts is not None else []),
        *map(_size, check.sizes),
        *([f"within {check.edits}"] if check.edits else []),
        *(["exact"] if check.exact else []),
    ]


def _code_parts(check: CodesCheck) -> list[str]:
    return [
        _listed(check.symbologies),
        *([f"except {_listed(check.exceptions)}"] if check.exceptions else []),
        *([f'contains "{check.contains}"'] if check.contains is not None else []),
        *([f'starts "{check.starts}"'] if check.starts is not None else []),
        *([f"element {check.element}"] if check.element is not None else []),
        *(["valid"] if check.valid else []),
        *map(_size, check.sizes),
        *(["each"] if check.each else []),
    ]


def _source(source: Source) -> str:
    if source.kind == "literal":
        return f'"{source.name}"'
    return _named(source)


def _named(one: Source | Moment) -> str:
    place = f"; in {_listed(one.symbologies)}" if one.symbologies else ""
    return f"{one.kind} {one.name}".strip() + place


def _options(check: EqualCheck) -> list[str]:
    names = {sign: name for name, sign in IGNORABLE.items()}
    return [
        *(
            [f"ignoring {' '.join('/'.join(group) for group in check.alike)}"]
            if check.alike
            else []
        ),
        *(f"ignoring {names[sign]}" for sign in check.ignored),
        *([f"within {check.edits}"] if check.edits else []),
        *(["exact"] if check.exact else []),
        *(["each"] if check.each else []),
    ]


def _moment(moment: Moment) -> str:
    base = _named(moment)
    if not moment.number:
        return base
    sign = "+" if moment.number > 0 else "-"
    number = abs(moment.number)
    return f"{base} {sign} {_plain(number)} {moment.span}{'' if number == 1 else 's'}"


# --- plain words ------------------------------------------------------------------------------


def in_words(check: ReadCheck) -> str:
    """Return what `check` requires, as one sentence for an engineer, without its full stop."""
    match check:
        case MeasureCheck():
            return _measure_in_words(check)
        case PrintCheck():
            return f"{_limit_in_words(check.comparison, check.limit)} {_print_in_words(check)}"
        case CodesCheck():
            return f"{_limit_in_words(check.comparison, check.limit)} {_codes_in_words(check)}"
        case EqualCheck():
            return _equal_in_words(check)
        case MomentCheck():
            relation = _EARLIER[check.comparison]
            return f"{_moment_in_words(check.left)} is {relation} {_moment_in_words(check.right)}"
        case FormatCheck():
            return f"the {check.field} is written as {check.form}"
        case Not():
            return f"it is not so that {in_words(check.check)}"
        case IfThen():
            return f"if {in_words(check.condition)}, then {in_words(check.then)}"
        case AllOf():
            return "; and ".join(map(in_words, check.checks))
        case AnyOf():
            return "; or ".join(map(in_words, check.checks))


def _limit_in_words(comparison: str, limit: float) -> str:
    if limit == 0 and comparison in ("=", "<="):
        return "no"
    return f"{_COMPARED[comparison]} {_plain(limit)}"


def _measure_in_words(check: MeasureCheck) -> str:
    what = "defects of any kind" if check.subjects == (ANY,) else " or ".join(check.subjects)
    what += f" other than {' or '.join(check.exceptions)}" if check.exceptions else ""
    what += "".join(f", {_size_in_words(size)}" for size in check.sizes)
    what += f", inside {' or '.join(check.inside)}" if check.inside else ""
    what += f", outside {' or '.join(check.outside)}" if check.outside else ""
    each = f", for each {check.each} on its own" if check.each else ""
    match check.measure:
        case "defects":
            return f"{_limit_in_words(check.comparison, check.limit)} {what}{each}"
        case "kinds":
            return f"{_limit_in_words(check.comparison, check.limit)} kinds among {what}{each}"
    unit = "mm²" if check.measure == "area" else "mm"
    relation = f"{_COMPARED[check.comparison]} {_plain(check.limit)} {unit}"
    return f"{relation} of {check.measure} in all over {what}{each}"


def _size_in_words(size: Size) -> str:
    name = {"longest": "longest side", "characters": "number of characters"}.get(
        size.measure, size.measure
    )
    unit = {"area": " mm²", "confidence": "", "characters": ""}.get(size.measure, " mm")
    return f"{name} {_COMPARED[size.comparison]} {_plain(size.limit)}{unit}"


def _print_in_words(check: PrintCheck) -> str:
    quoted = " or ".join(f'"{word}"' for word in check.words)
    what = {
        "wording": f"printed line with {quoted}",
        "field": f"printed {' or '.join(check.words)}",
        "language": f"printed line in {' or '.join(check.words)}",
        "unit": f"printed quantity in {' or '.join(check.words)}",
        "product": "printed line with the product's name",
        "any": "printed line",
    }[check.sought]
    what += f', beginning with "{check.starts}"' if check.starts is not None else ""
    what += "".join(f", {_size_in_words(size)}" for size in check.sizes)
    what += f", of which {check.edits} characters may differ" if check.edits else ""
    return what + (", letter for letter" if check.exact else "")


def _codes_in_words(check: CodesCheck) -> str:
    what = "code of any kind" if check.symbologies == (ANY,) else " or ".join(check.symbologies)
    what += f" other than {' or '.join(check.exceptions)}" if check.exceptions else ""
    what += f', containing "{check.contains}"' if check.contains is not None else ""
    what += f', beginning with "{check.starts}"' if check.starts is not None else ""
    what += f", with GS1 element ({check.element})" if check.element is not None else ""
    what += "".join(f", {_size_in_words(size)}" for size in check.sizes)
    what += ", with a right check digit" if check.valid else ""
    return what + (", and none that is otherwise" if check.each else "")


def _equal_in_words(check: EqualCheck) -> str:
    left, right = _source_in_words(check.left), _source_in_words(check.right)
    options = "".join(f", {option}" for option in _options(replace(check, each=False)))
    if check.left == check.right:
        return f"{left} is the same wherever it stands{options}"
    each = ", each of them" if check.each else ""
    return f"{left} {'contains' if check.contains else 'equals'} {right}{each}{options}"


def _source_in_words(source: Source) -> str:
    match source.kind:
        case "field":
            return f"the printed {source.name}"
        case "order":
            return f"the {source.name or 'value'} of the work order"
        case "code":
            return f"the content of the {source.name or 'code'}"
        case "element":
            return _element_in_words(source)
        case "literal":
            return f'"{source.name}"'


def _element_in_words(one: Source | Moment) -> str:
    place = f" of the {' or '.join(one.symbologies)}" if one.symbologies else ""
    return f"GS1 element ({one.name}){place}"


def _moment_in_words(moment: Moment) -> str:
    base = {
        "today": "the day of inspection",
        "field": f"the {moment.name}",
        "element": f"the date in {_element_in_words(moment)}",
        "order": f"the {moment.name or 'date'} of the work order",
        "day": moment.name,
    }[moment.kind]
    if not moment.number:
        return base
    number = abs(moment.number)
    span = f"{_plain(number)} {moment.span}{'' if number == 1 else 's'}"
    return f"{span} {'after' if moment.number > 0 else 'before'} {base}"
