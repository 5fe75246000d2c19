"""What is wrong in a settings file, in words: expected, found, and what to do.

Pydantic finds the mistakes and words them for programmers; the keys and values near a wrong one
come from the same tree of models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from pydantic_core import ErrorDetails

PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        "^[A-Za-z0-9_-]{1,64}$": "1 to 64 letters, digits, '_' or '-'",
        "^[A-Za-z0-9_-]{1,32}$": "1 to 32 letters, digits, '_' or '-'",
        "^[A-Za-z0-9_.-]{1,16}$": "1 to 16 letters, digits, '_', '.' or '-'",
        "^[a-z][a-z0-9_]{0,31}$": "1 to 32 small letters, digits or '_', a letter first",
        r"^[^\x00-\x1f+#/]{1,64}$": "1 to 64 characters other than '+', '#' and '/'",
        r"[^\W_]{2}": "words",
    }
)
_KINDS = {
    "a whole number": ("int_parsing", "int_type", "int_from_float", "int_parsing_size"),
    "a number": ("float_parsing", "float_type"),
    "a finite number": ("finite_number",),
    "true or false": ("bool_parsing", "bool_type"),
    "text": ("string_type",),
    "a path": ("path_type",),
    "a list": ("tuple_type", "list_type"),
    "keys and values": ("model_type", "model_attributes_type", "dataclass_type", "mapping_type"),
}
_KIND_OF = {error: kind for kind, errors in _KINDS.items() for error in errors}
_LIMITS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}
_SIZES = {
    "too_short": ("at least", "min_length", "entries"),
    "too_long": ("at most", "max_length", "entries"),
    "string_too_short": ("at least", "min_length", "characters"),
    "string_too_long": ("at most", "max_length", "characters"),
}
_NEAR = 0.6  # likeness (difflib) from which a word is taken for a slip of another


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` is most likely a slip of, None where none is near."""
    by_plain = {_plain(name): name for name in known}
    found = get_close_matches(_plain(word), by_plain, n=1, cutoff=_NEAR)
    return by_plain[found[0]] if found else None


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return the question after a mistake, "" where no known word is near."""
    near = nearest(str(word), known)
    return "" if near is None else f"; did you mean {near!r}?"


def worded(error: ErrorDetails, tree: type[BaseModel]) -> str:
    """Return what pydantic found wrong with a file that `tree` describes, in one line."""
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    location = error["loc"]
    match kind:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"unknown key; {_known_instead(location, tree)}"
        case "missing" | "missing_keyword_only_argument":
            what = "one value more" if isinstance(location[-1], int) else "this key"
            return f"expected {what}, found none"
        case "value_error":
            return str(context["error"])
        case "literal_error" | "enum":
            known = re.findall(r"'([^']*)'", context["expected"])
            return f"expected {context['expected']}, {_found(value)}{did_you_mean(value, known)}"
        case "union_tag_invalid":
            known = re.findall(r"'([^']*)'", context["expected_tags"])
            tag = context["tag"]
            return f"expected kind: {' or '.join(known)}, found {tag!r}{did_you_mean(tag, known)}"
        case "union_tag_not_found":
            kinds = [tag for shape in _shapes_at(location, tree) if (tag := _tag(shape))]
            return f"expected kind: {' or '.join(kinds)}, found none"
        case "string_pattern_mismatch":
            words = PATTERNS.get(context["pattern"], f"text like {context['pattern']}")
            return f"expected {words}, {_found(value)}"
    if kind in _LIMITS:
        least, key = _LIMITS[kind]
        return f"expected {least} {context[key]}, {_found(value)}"
    if kind in _SIZES:
        least, key, what = _SIZES[kind]
        return f"expected {least} {context[key]} {what}, found {len(value)}"
    if kind in _KIND_OF:
        return f"expected {_KIND_OF[kind]}, {_found(value)}{_remedy(_KIND_OF[kind], value)}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, {_found(value)}"


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _found(value: object) -> str:
    return "found nothing" if value is None else f"found {repr(value)[:80]}"


def _remedy(kind: str, value: object) -> str:
    match kind, value:
        case "a whole number" | "a number", str() if re.match(r"\s*-?\d", value):
            return "; write the number alone, the key names its unit"
        case "a list", str():
            return f"; write [{value}]"
        case "a list", dict():
            return "; begin each entry with '- '"
        case "keys and values", None:
            return "; remove it, or write its keys below it, indented"
        case "keys and values", str():
            return "; write them below it, each as 'key: value'"
    return ""


def _known_instead(location: tuple[int | str, ...], tree: type[BaseModel]) -> str:
    """Return what to do about the unknown key at `location`."""
    key = str(location[-1])
    siblings = {name for shape in _shapes_at(location[:-1], tree) for name in _keys(shape)}
    if (near := nearest(key, siblings)) is not None:
        return f"did you mean {near!r}?"
    places = [path for path in _paths(tree) if path[-1] == key]
    if places:
        return f"it belongs under {'.'.join(places[0][:-1]) or 'the file itself'}"
    return "check its spelling or remove it"


def _shapes_at(location: tuple[int | str, ...], tree: type) -> tuple[type, ...]:
    """Return the models that may stand at `location`, several where a union has no kind yet."""
    shapes: tuple[type, ...] = (tree,)
    for part in location:
        keys = [_keys(shape) for shape in shapes]
        below = tuple(s for known in keys if part in known for s in _shapes(known[str(part)]))
        of_kind = tuple(shape for shape in shapes if _tag(shape) == part)
        shapes = below or of_kind or shapes  # a list's index and a mapping's key change nothing
    return shapes


def _shapes(annotation: object) -> tuple[type, ...]:
    if isinstance(annotation, type) and (
        is_dataclass(annotation) or issubclass(annotation, BaseModel)
    ):
        return (annotation,)
    return tuple(shape for part in get_args(annotation) for shape in _shapes(part))


def _keys(shape: type) -> Mapping[str, Any]:
    if issubclass(shape, BaseModel):
        return {name: field.annotation for name, field in shape.model_fields.items()}
    return {name: hint for name, hint in get_type_hints(shape).items() if name[0] != "_"}


def _tag(shape: type) -> str | None:
    """Return the kind of a check as its file names it, None for what has no kind."""
    return next((str(value) for value in get_args(_keys(shape).get("kind"))), None)


def _paths(shape: type, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, annotation in _keys(shape).items():
        yield (*above, name)
        for below in _shapes(annotation):
            yield from _paths(below, (*above, name))
