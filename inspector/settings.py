"""What a plant edits: station, recipe and standard files in YAML.

Unknown keys are refused, every mistake of a file is reported at once (`file:line: key: what`), and
secrets come from the environment only: `${NAME}` anywhere in a value stands for a variable.

A recipe or standard is named by its file's stem or given as a path. `./configs` is searched first,
then the files that came with the package. A path that starts with `asset:` lies in the package's
own `inspector/assets`; any other relative path is taken from the working directory.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from inspector.domain import Check, Clause, DateCheck, DefectCheck, Severity, Standard, TextCheck
from inspector.errors import SettingsError

PACKAGE = Path(__file__).parent
SHIPPED = PACKAGE / "_shipped" / "configs"
VIEW_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,32}")
PART_PATTERN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
NAME_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Settings(BaseModel):
    """A part of a settings file; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- standard ---------------------------------------------------------------------------------


class ClauseSettings(Settings):
    id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,16}$", description="short id, unique in the file")
    text: str = Field(min_length=3, max_length=4000, description="the clause in plain words")
    severity: Severity = Field(Severity.MAJOR, description="critical, major or minor")
    check: Annotated[Check, Field(discriminator="kind")] | None = Field(
        None, description="the same clause as a typed check; without one the model judges alone"
    )


class StandardSettings(Settings):
    title: str = Field(description="title as it appears on the dashboard")
    clauses: tuple[ClauseSettings, ...] = Field(min_length=1, description="in reading order")

    @model_validator(mode="after")
    def _ids_are_unique(self) -> StandardSettings:
        ids = [clause.id for clause in self.clauses]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"expected each clause id once, found twice: {', '.join(twice)}")
        return self


# --- recipe -----------------------------------------------------------------------------------


class DetectorSettings(Settings):
    model: str = Field(description="name of a shipped model, or a path to a .pt with its card")
    report_at: float = Field(0.25, gt=0, lt=1, description="detections below this are not seen")
    sure_at: float = Field(0.5, gt=0, lt=1, description="below this a detection can only hold")
    iou: float = Field(0.5, gt=0, lt=1, description="overlap above which two boxes are one defect")

    @model_validator(mode="after")
    def _sure_is_not_below_report(self) -> DetectorSettings:
        if self.sure_at < self.report_at:
            raise ValueError(f"expected sure_at ≥ report_at, got {self.sure_at} < {self.report_at}")
        return self


class ZoneSettings(Settings):
    name: str = Field(min_length=1, max_length=40)
    polygon: tuple[tuple[float, float], ...] = Field(
        min_length=3, description="corners [x, y] in px of the frame; the first zone that fits wins"
    )


class TextFieldSettings(Settings):
    field: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="name that clauses use")
    pattern: str = Field(description="regular expression that finds the field in a printed line")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as exc:
            raise ValueError(f"expected a regular expression: {exc}") from exc
        return pattern


class RecipeSettings(Settings):
    product: str = Field(description="the product in words, as the judge reads it")
    standard: str = Field(description="name or path of the quality standard")
    detector: DetectorSettings | None = Field(None, description="no detector where left out")
    judge: str = Field("judge", description="name of a shipped judge, or a path to its folder")
    reference: str | None = Field(
        None, description="a golden picture, or a folder of them named by view (VIEW.png)"
    )
    px_per_mm: float | None = Field(None, gt=0, description="scale of the frame; sizes in mm")
    zones: tuple[ZoneSettings, ...] = Field((), description="named areas of the frame")
    read_text: bool = Field(False, description="read printed text")
    text_fields: tuple[TextFieldSettings, ...] = Field((), description="what the lines mean")
    read_codes: bool = Field(False, description="read bar codes and matrix codes")
    bit_depth: Literal[8, 10, 12, 14, 16] = Field(8, description="bits a camera pixel uses")
    frame_size_px: tuple[int, int] | None = Field(None, description="[width, height] expected")
    missing: Literal["hold", "fail"] = Field(
        "hold", description="a required text or code that was not read: hold, or fail"
    )
    minor: Literal["fail", "hold", "note"] = Field(
        "hold", description="what a violated minor clause does to the part"
    )


# --- station ----------------------------------------------------------------------------------


class CameraSettings(Settings):
    id: str = Field(pattern=NAME_PATTERN.pattern)
    driver: Literal["folder"] = Field("folder", description="folder: a picture per part and view")
    folder: Path = Field(description="holds PART.png or PART_VIEW.png")
    latency_bound_ms: float = Field(
        0, ge=0, description="a frame counts only if received this much after the trigger"
    )


class MqttSettings(Settings):
    host: str = "127.0.0.1"
    port: int = Field(1883, ge=1, le=65535)
    base: str | None = Field(None, description="topic prefix; qc/STATION_ID where left out")
    username: str | None = None
    password_env: str | None = Field(None, description="environment variable with the password")
    keepalive_s: int = Field(5, ge=1, le=60)

    @field_validator("base")
    @classmethod
    def _base_is_a_topic(cls, base: str | None) -> str | None:
        if base is not None and not re.fullmatch(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", base):
            raise ValueError("expected levels of letters, digits, '_', '.', '-' joined by '/'")
        return base

    def password(self) -> str | None:
        """Return the password from the environment, None where none is asked for."""
        if self.password_env is None:
            return None
        try:
            return os.environ[self.password_env]
        except KeyError:
            raise SettingsError(
                (f"mqtt.password_env: expected the variable {self.password_env}, found it unset",)
            ) from None


class StationSettings(Settings):
    station_id: str = Field(pattern=NAME_PATTERN.pattern)
    database: str = Field(description="SQLAlchemy URL; a password only by ${VARIABLE}")
    records: Path = Field(description="folder for the spool and the pictures")
    cameras: tuple[CameraSettings, ...] = Field(min_length=1)
    recipes: tuple[str, ...] = Field(min_length=1, description="recipes loaded at start")
    mqtt: MqttSettings = MqttSettings()
    deadline_ms: int = Field(1000, ge=50, description="answer due after the trigger, by default")
    deadline_max_ms: int = Field(10_000, ge=50, description="the longest a trigger may ask for")
    answer_margin_ms: int = Field(50, ge=5, description="HOLD leaves this long before the deadline")
    queue_size: int = Field(8, ge=1, le=1000, description="tickets waiting before HOLD/OVERLOAD")
    inspect_workers: int = Field(1, ge=1, le=64, description="inspections at a time")
    duplicate_window_s: float = Field(60, ge=0, description="a request_id is remembered this long")
    torch_threads: int | None = Field(None, ge=1, description="CPU threads a worker's models use")
    min_free_mb: int = Field(200, ge=0, description="below this free space every part is held")

    @field_validator("database")
    @classmethod
    def _database_is_a_url(cls, url: str) -> str:
        if not re.match(r"(sqlite|postgresql\+psycopg)://", url):
            raise ValueError("expected sqlite:///FILE or postgresql+psycopg://HOST/NAME")
        return url

    @model_validator(mode="after")
    def _camera_ids_are_unique(self) -> StationSettings:
        ids = [camera.id for camera in self.cameras]
        if len(set(ids)) != len(ids):
            raise ValueError(f"expected each camera id once, got {', '.join(ids)}")
        return self

    @property
    def mqtt_base(self) -> str:
        return self.mqtt.base or f"qc/{self.station_id}"


# --- loading ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe with its standard; `rev` is the sha256 of the recipe's file."""

    name: str
    rev: str
    settings: RecipeSettings
    standard: Standard

    def with_reference(self, reference: Path) -> Recipe:
        """Return this recipe with another golden picture."""
        settings = self.settings.model_copy(update={"reference": str(reference)})
        return replace(self, settings=settings)


_S = TypeVar("_S", bound=Settings)


def load_station(path: Path) -> StationSettings:
    """Return the station of `path`.

    Raises `SettingsError` with every mistake of the file.
    """
    return _load(path, StationSettings)[0]


def load_recipe(name: str) -> Recipe:
    """Return the recipe of that name or path, with its standard.

    Raises `SettingsError` with every mistake of both files, and of what one says of the other.
    """
    path = _find("recipes", name)
    settings, rev, lines = _load(path, RecipeSettings)
    standard = load_standard(settings.standard)
    mistakes = tuple(
        f"{path}:{lines.line(('standard',))}: standard: {what}"
        for what in _disagreements(settings, standard)
    )
    if mistakes:
        raise SettingsError(mistakes)
    return Recipe(name=path.stem, rev=rev, settings=settings, standard=standard)


def load_standard(name: str) -> Standard:
    """Return the quality standard of that name or path."""
    path = _find("standards", name)
    settings, rev, _ = _load(path, StandardSettings)
    return Standard(
        name=path.stem,
        title=settings.title,
        rev=rev,
        clauses=tuple(
            Clause(id=c.id, text=" ".join(c.text.split()), severity=c.severity, check=c.check)
            for c in settings.clauses
        ),
    )


def shipped_configs() -> Path:
    """Return the folder of the settings files that came with the package."""
    return SHIPPED if SHIPPED.is_dir() else PACKAGE.parent / "configs"


def resolve_asset(path: str) -> Path:
    """Return where `path` lies: `asset:…` in the package, else as given."""
    if path.startswith("asset:"):
        return PACKAGE / "assets" / path.removeprefix("asset:")
    return Path(path)


def _disagreements(settings: RecipeSettings, standard: Standard) -> Iterator[str]:
    zones = {zone.name for zone in settings.zones}
    fields = {field.field for field in settings.text_fields}
    for clause in standard.clauses:
        match clause.check:
            case DefectCheck() as check:
                for zone in (check.inside, check.outside):
                    if zone is not None and zone not in zones:
                        yield f"clause {clause.id}: expected a zone of the recipe, found {zone!r}"
            case TextCheck() | DateCheck() as check:
                if check.field not in fields:
                    yield (
                        f"clause {clause.id}: expected a text field of the recipe, "
                        f"found {check.field!r}"
                    )


def _find(folder: str, name: str) -> Path:
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return Path(name)
    if not NAME_PATTERN.fullmatch(name):
        raise SettingsError((f"{name!r}: expected a name of letters, digits, '_' and '-'",))
    places = (Path("configs") / folder, shipped_configs() / folder)
    for place in places:
        if (path := place / f"{name}.yaml").is_file():
            return path
    known = sorted({p.stem for place in places for p in place.glob("*.yaml")})
    raise SettingsError(
        (f"{name}: expected one of {folder} {', '.join(known) or '(none found)'}, or a path",)
    )


def _load(path: Path, kind: type[_S]) -> tuple[_S, str, _Lines]:
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as exc:
        raise SettingsError((f"{path}: expected a settings file: {exc.strerror}",)) from exc
    except UnicodeDecodeError as exc:
        raise SettingsError((f"{path}: expected UTF-8 text: {exc.reason}",)) from exc
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(exc, "problem", None) or "not YAML"
        raise SettingsError((f"{path}:{line}: expected YAML: {problem}",)) from exc
    if not isinstance(node, yaml.MappingNode):
        raise SettingsError((f"{path}:1: expected keys and values, found none",))
    lines = _Lines(node)
    mistakes = [f"{path}:{line}: {key}: expected once, found twice" for line, key in lines.twice]
    content = _interpolated(yaml.safe_load(text), (), lines, path, mistakes)
    try:
        settings = kind.model_validate(content)
    except ValidationError as exc:
        for error in exc.errors():
            location = tuple(error["loc"])
            if error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]:
                continue  # short only because its items, reported themselves, were dropped
            key = ".".join(str(part) for part in lines.known(location)) or "(file)"
            mistakes.append(f"{path}:{lines.line(location)}: {key}: {_worded(error)}")
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return settings, hashlib.sha256(raw).hexdigest(), lines


def _worded(error: Any) -> str:
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return "unknown key; check its spelling or remove it"
        case "missing" | "missing_keyword_only_argument":
            return "expected this key, found none"
        case "value_error":
            return str(error["ctx"]["error"])
    found = repr(error["input"])
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, found {found[:80]}"


def _interpolated(
    value: Any, at: tuple[str | int, ...], lines: _Lines, path: Path, mistakes: list[str]
) -> Any:
    if isinstance(value, dict):
        return {k: _interpolated(v, (*at, str(k)), lines, path, mistakes) for k, v in value.items()}
    if isinstance(value, list):
        return [_interpolated(v, (*at, i), lines, path, mistakes) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    for name in re.findall(r"\$\{(\w+)\}", value):
        if name in os.environ:
            value = value.replace(f"${{{name}}}", os.environ[name])
        else:
            key = ".".join(str(part) for part in at)
            mistakes.append(
                f"{path}:{lines.line(at)}: {key}: expected the environment variable {name}, "
                "found it unset"
            )
    if at and at[-1] == "database" and _has_literal_password(value, lines.raw(at)):
        mistakes.append(
            f"{path}:{lines.line(at)}: database: expected the password from the environment "
            "(${VARIABLE}), found it written in the file"
        )
    return value


def _has_literal_password(url: str, written: str | None) -> bool:
    found = re.match(r"[^:/]+://[^:/@]*:([^@]*)@", url)
    return found is not None and written is not None and f":{found.group(1)}@" in written


class _Lines:
    """Where each key of a YAML document stands."""

    def __init__(self, root: yaml.MappingNode) -> None:
        self._at: dict[tuple[str, ...], tuple[int, str | None]] = {(): (1, None)}
        self.twice: list[tuple[int, str]] = []
        self._walk(root, ())

    def _walk(self, node: yaml.Node, at: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                here = (*at, str(key.value))
                if here in self._at:
                    self.twice.append((key.start_mark.line + 1, ".".join(here)))
                written = value.value if isinstance(value, yaml.ScalarNode) else None
                self._at[here] = (key.start_mark.line + 1, written)
                self._walk(value, here)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._at[(*at, str(index))] = (value.start_mark.line + 1, None)
                self._walk(value, (*at, str(index)))

    def known(self, location: tuple[str | int, ...]) -> tuple[str, ...]:
        """Return `location` without the parts pydantic adds for unions."""
        found: tuple[str, ...] = ()
        for index, part in enumerate(location):
            last = index == len(location) - 1
            if (*found, str(part)) in self._at or (last and not str(part)[:1].isupper()):
                found = (*found, str(part))
        return found

    def line(self, location: tuple[str | int, ...]) -> int:
        found = self.known(location)
        while found not in self._at:
            found = found[:-1]
        return self._at[found][0]

    def raw(self, location: tuple[str | int, ...]) -> str | None:
        return self._at.get(tuple(str(part) for part in location), (1, None))[1]
