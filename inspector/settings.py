"""What a plant edits: station, recipe and standard files in YAML.

Unknown keys are refused, every mistake of a file is reported at once (`file:line: key: what`), and
secrets come from the environment only: `${NAME}` anywhere in a value stands for a variable.

A recipe or standard is named by its file's stem or given as a path. `./configs` is searched first,
then the files that came with the package. A path that starts with `asset:` lies in the package's
own `inspector/assets`; any other relative path is taken from the working directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from inspector.alarm_settings import AlarmSettings
from inspector.checks import (
    Check,
    CodesCheck,
    FormatCheck,
    KeyedCheck,
    MeasureCheck,
    MomentCheck,
    PrintCheck,
    atoms,
)
from inspector.domain import (
    Clause,
    CodeCheck,
    DateCheck,
    DefectCheck,
    Severity,
    Standard,
    TextCheck,
)
from inspector.errors import SettingsError
from inspector.mistakes import did_you_mean, worded
from inspector.printable import printable
from inspector.reading import from_line
from inspector.settings_file import SettingsFile, read_settings_file
from inspector.symbologies import KINDS, symbology_key

PACKAGE = Path(__file__).parent
SHIPPED = PACKAGE / "_shipped" / "configs"
VIEW_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,32}")
PART_PATTERN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
NAME_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SPARKPLUG_ID = r"^[^\x00-\x1f+#/]{1,64}$"


class Settings(BaseModel):
    """A part of a settings file; unknown keys are mistakes."""

    # a limit of .inf or .nan is one that nothing exceeds
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _expect_once(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"expected each {what} once, found twice: {', '.join(twice)}")


# --- standard ---------------------------------------------------------------------------------


class ClauseSettings(Settings):
    id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,16}$", description="short id, unique in the file")
    text: str = Field(
        min_length=3,
        max_length=4000,
        pattern=r"[^\W_]{2}",
        description="the clause in plain words",
    )
    severity: Severity = Field(Severity.MAJOR, description="critical, major or minor")
    check: Annotated[KeyedCheck, Field(discriminator="kind")] | None = Field(
        None, description="the same clause as a typed check; without one the model judges alone"
    )
    line: str | None = Field(
        None, description="the same clause as a line, as `inspector standard read` writes it"
    )

    @field_validator("text", "line", mode="before")
    @classmethod
    def _says_what_it_shows(cls, text: object) -> object:
        return " ".join(printable(text).split()) if isinstance(text, str) else text

    @field_validator("line")
    @classmethod
    def _line_says_a_check(cls, line: str | None) -> str | None:
        try:
            says_none = line is not None and from_line(line) is None
        except ValueError as exc:
            raise ValueError(f"{exc}; `inspector standard read` proposes lines") from exc
        if says_none:
            raise ValueError("expected a check, found 'no check'; leave the line out")
        return line

    @model_validator(mode="after")
    def _has_one_check(self) -> ClauseSettings:
        if self.check is not None and self.line is not None:
            raise ValueError("expected 'check' or 'line', found both")
        return self


class StandardSettings(Settings):
    title: str = Field(description="title as it appears on the dashboard")
    clauses: tuple[ClauseSettings, ...] = Field(min_length=1, description="in reading order")

    @field_validator("clauses")
    @classmethod
    def _ids_are_unique(cls, clauses: tuple[ClauseSettings, ...]) -> tuple[ClauseSettings, ...]:
        _expect_once("clause id", [clause.id for clause in clauses])
        return clauses


# --- recipe -----------------------------------------------------------------------------------


class DetectorSettings(Settings):
    model: str = Field(description="name of a shipped model, or a path to a .pt with its card")
    engine: Literal["auto", "pytorch", "onnx", "openvino", "tensorrt"] = Field(
        "auto", description="what computes it; auto: the fastest that passed the parity gate"
    )
    report_at: float | None = Field(
        None, gt=0, lt=1, description="detections below this are not seen; the detector's own"
    )
    sure_at: float | None = Field(
        None, gt=0, lt=1, description="below this a detection can only hold; the detector's own"
    )
    iou: float = Field(0.5, gt=0, lt=1, description="overlap above which two boxes are one defect")

    @model_validator(mode="after")
    def _sure_is_not_below_report(self) -> DetectorSettings:
        report_at, sure_at = self.report_at, self.sure_at
        if report_at is not None and sure_at is not None and sure_at < report_at:
            raise ValueError(f"expected sure_at ≥ report_at, got {sure_at} < {report_at}")
        return self


class ZoneSettings(Settings):
    name: str = Field(min_length=1, max_length=40)
    polygon: tuple[tuple[float, float], ...] = Field(
        min_length=3, description="corners [x, y] in px of the frame; the first zone that fits wins"
    )


class RegistrationSettings(Settings):
    """How far a frame may lie from its reference.

    Registering has no switch: a part in a fixture costs a glance that nothing moved, and on the day
    the fixture slips an unregistered comparison would report every edge as a defect.
    """

    max_shift_px: float = Field(20, gt=0, description="a part shifted further in x or y is held")
    max_angle_deg: float = Field(2, gt=0, le=10, description="a part turned further is held")


class FrameSettings(Settings):
    """What a frame must be like to be judged at all."""

    min_light_share: float = Field(
        1e-4, ge=0, lt=1, description="share of pixels above 16 of 255, or it is black"
    )
    max_white_share: float = Field(
        0.999, gt=0, le=1, description="share of pixels at 254 or 255, or it is overexposed"
    )
    sharpness: float | None = Field(
        None, gt=0, description="of a good frame, as `cameras snap` prints it; none is not checked"
    )
    sharpness_by_reference: bool = Field(
        False, description="the reference picture of the view says how sharp a good frame is"
    )
    min_sharpness_share: float = Field(
        0.5, gt=0, le=1, description="share of that sharpness, or it is blurred"
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
        if re.search(pattern, ""):
            raise ValueError(
                "expected a pattern that finds something, found one that fits an empty text"
            )
        return pattern


class RecipeSettings(Settings):
    product: str = Field(description="the product in words, as the judge reads it")
    standard: str = Field(description="name or path of the quality standard")
    detector: DetectorSettings | None = Field(None, description="no detector where left out")
    judge: str = Field("judge", description="name of a shipped judge, or a path to its folder")
    reference: str | None = Field(
        None, description="a golden picture, or a folder of them named by view (VIEW.png)"
    )
    registration: RegistrationSettings = Field(
        RegistrationSettings(), description="how far a frame may lie from its reference"
    )
    frame: FrameSettings = Field(
        FrameSettings(), description="what a frame must be like to be judged"
    )
    px_per_mm: float | None = Field(None, gt=0, description="scale of the frame; sizes in mm")
    zones: tuple[ZoneSettings, ...] = Field((), description="named areas of the frame")
    read_text: bool = Field(False, description="read printed text")
    text_fields: tuple[TextFieldSettings, ...] = Field((), description="what the lines mean")
    read_codes: bool = Field(False, description="read bar codes and matrix codes")
    bit_depth: Literal[8, 10, 12, 14, 16] = Field(8, description="bits a camera pixel uses")
    frame_size_px: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="[width, height] expected"
    )
    missing: Literal["hold", "fail"] = Field(
        "hold", description="a required text or code that was not read: hold, or fail"
    )
    minor: Literal["fail", "hold", "note"] = Field(
        "hold", description="what a violated minor clause does to the part"
    )

    @model_validator(mode="after")
    def _sharpness_has_one_norm(self) -> RecipeSettings:
        if self.frame.sharpness_by_reference and self.reference is None:
            raise ValueError("expected a reference where sharpness_by_reference is, found none")
        if self.frame.sharpness_by_reference and self.frame.sharpness is not None:
            raise ValueError("expected sharpness or sharpness_by_reference, found both")
        return self

    @model_validator(mode="after")
    def _registration_has_a_reference(self) -> RecipeSettings:
        if "registration" in self.model_fields_set and self.reference is None:
            raise ValueError("expected a reference where there is registration, found none")
        return self

    @model_validator(mode="after")
    def _text_fields_are_read(self) -> RecipeSettings:
        if self.text_fields and not self.read_text:
            raise ValueError("expected read_text: true where there are text_fields, found it off")
        return self

    @field_validator("zones")
    @classmethod
    def _zones_are_unique(cls, zones: tuple[ZoneSettings, ...]) -> tuple[ZoneSettings, ...]:
        _expect_once("zone", [zone.name for zone in zones])
        return zones

    @field_validator("text_fields")
    @classmethod
    def _fields_are_unique(
        cls, fields: tuple[TextFieldSettings, ...]
    ) -> tuple[TextFieldSettings, ...]:
        _expect_once("text field", [field.field for field in fields])
        return fields


# --- station ----------------------------------------------------------------------------------


class CameraSettings(Settings):
    """One camera. What only some drivers know is refused for the others."""

    id: str = Field(pattern=f"^{NAME_PATTERN.pattern}$")
    driver: Literal["folder", "opencv", "genicam", "basler", "aravis"] = Field(
        "folder", description="folder, opencv, genicam, basler or aravis"
    )
    folder: Path | None = Field(
        None, description="folder: holds PART.png or PART_VIEW.png, or the same as .jpg"
    )
    device: str | None = Field(
        None,
        coerce_numbers_to_str=True,
        description="which camera; opencv: USB index, URL or video file; else serial number, name "
        "or address, the only one there where left out",
    )
    producer: Path | None = Field(
        None, description="genicam: the maker's .cti; GENICAM_GENTL64_PATH where left out"
    )
    features: dict[str, bool | int | float | str] = Field(
        {}, description="settings by the camera's own names, set in order and read back"
    )
    trigger_by: Literal["mqtt", "camera_line"] = Field(
        "mqtt", description="who has the camera expose: the station, or the camera's own input"
    )
    trigger_line: str = Field("Line1", description="the camera's input, with camera_line")
    pair_window_ms: tuple[NonNegativeFloat, NonNegativeFloat] = Field(
        (200.0, 50.0),
        description="camera_line: a part's exposure lies that long before or after its trigger",
    )
    latency_bound_ms: float | None = Field(
        None, ge=0, description="a frame reaches the station at most this long after its exposure"
    )
    frame_timeout_ms: int | None = Field(
        None, ge=1, description="no frame by then is HOLD; 500 more than latency_bound_ms"
    )
    silent_after_s: float = Field(
        3, gt=0, description="a camera that runs by itself and sends nothing this long is lost"
    )
    reconnect_max_s: float = Field(10, gt=0, description="longest pause between attempts")
    expect_noise: bool | None = Field(
        None, description="two identical frames are a frozen camera; off for folders and videos"
    )

    @field_validator("folder", mode="before")
    @classmethod
    def _folder_may_be_an_asset(cls, folder: object) -> object:
        return resolve_asset(folder) if isinstance(folder, str) else folder

    @model_validator(mode="after")
    def _keys_fit_the_driver(self) -> CameraSettings:
        for key, drivers in _KEYS_OF_DRIVERS.items():
            default = type(self).model_fields[key].get_default()
            if getattr(self, key) != default and self.driver not in drivers:
                raise ValueError(
                    f"expected {key} only for driver {' or '.join(drivers)}, found {self.driver}"
                )
        if self.driver == "folder" and self.folder is None:
            raise ValueError("expected folder, the pictures of driver folder; found none")
        if self.driver == "opencv":
            if self.device is None:
                raise ValueError("expected device: a USB index, a URL or a video file; found none")
            if self.latency_bound_ms is None and not self.is_video_file:
                raise ValueError(
                    "expected latency_bound_ms, since this camera runs by itself and a frame may "
                    "be the previous part's; found none. README says how to measure it"
                )
        if self.trigger_by == "camera_line" and self.driver not in _TRIGGERED:
            raise ValueError(
                f"expected trigger_by: mqtt for driver {self.driver}, which no input can fire; "
                "found camera_line"
            )
        return self

    @property
    def is_video_file(self) -> bool:
        return self.driver == "opencv" and not re.match(r"\d+$|[a-z]+://", self.device or "")

    @property
    def expects_noise(self) -> bool:
        if self.expect_noise is not None:
            return self.expect_noise
        return self.driver != "folder" and not self.is_video_file

    @property
    def frame_timeout_s(self) -> float:
        if self.frame_timeout_ms is not None:
            return self.frame_timeout_ms / 1000
        return (500 + (self.latency_bound_ms or 0)) / 1000


_TRIGGERED = ("genicam", "basler", "aravis")
_LIVE = ("opencv", *_TRIGGERED)
_KEYS_OF_DRIVERS = {
    "folder": ("folder",),
    "device": _LIVE,
    "producer": ("genicam",),
    "features": _LIVE,
    "latency_bound_ms": _LIVE,
    "silent_after_s": _LIVE,
    "reconnect_max_s": _LIVE,
}


class SparkplugSettings(Settings):
    """The station as a Sparkplug B edge node."""

    group: str = Field(pattern=_SPARKPLUG_ID, description="group id, as a site or an area")
    node: str | None = Field(
        None, pattern=_SPARKPLUG_ID, description="edge node id; STATION_ID where left out"
    )
    primary_host: str | None = Field(
        None,
        pattern=_SPARKPLUG_ID,
        description="host id without which nothing is sent; each host is taken where left out",
    )


class MqttSettings(Settings):
    host: str = "127.0.0.1"
    port: int = Field(1883, ge=1, le=65535)
    base: str | None = Field(None, description="topic prefix; qc/STATION_ID where left out")
    username: str | None = None
    password_env: str | None = Field(None, description="environment variable with the password")
    keepalive_s: int = Field(5, ge=1, le=60)
    tls: bool = Field(False, description="encrypt, and check the broker's certificate")
    ca_file: Path | None = Field(None, description="who signs it; the system's list if left out")
    cert_file: Path | None = Field(None, description="the station's own certificate")
    key_file: Path | None = Field(None, description="its key, without a password")
    ack_within_ms: int = Field(
        0, ge=0, description="the PLC acknowledges each result by then; 0: it does not"
    )
    scalars: bool = Field(False, description="each answer on out/NAME too, for PLCs without JSON")
    self_test: bool = Field(True, description="prove both directions before saying Ready")
    sparkplug: SparkplugSettings | None = Field(
        None, description="the station is a Sparkplug B edge node too; off where left out"
    )

    @field_validator("base")
    @classmethod
    def _base_is_a_topic(cls, base: str | None) -> str | None:
        if base is not None and not re.fullmatch(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", base):
            raise ValueError("expected levels of letters, digits, '_', '.', '-' joined by '/'")
        return base

    @model_validator(mode="after")
    def _certificates_need_tls(self) -> MqttSettings:
        files = (self.ca_file, self.cert_file, self.key_file)
        if not self.tls and any(file is not None for file in files):
            raise ValueError("expected tls: true where there are certificates, found it off")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("expected cert_file and key_file together, found one of them")
        return self

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
    station_id: str = Field(pattern=f"^{NAME_PATTERN.pattern}$")
    database: str = Field(description="SQLAlchemy URL; a password only by ${VARIABLE}")
    records: Path = Field(description="folder for the spool and the pictures")
    cameras: tuple[CameraSettings, ...] = Field(min_length=1)
    recipes: tuple[str, ...] = Field(min_length=1, description="recipes loaded at start")
    mqtt: MqttSettings = MqttSettings()
    alarms: AlarmSettings = AlarmSettings()
    deadline_ms: int = Field(1000, ge=50, description="answer due after the trigger, by default")
    deadline_max_ms: int = Field(10_000, ge=50, description="the longest a trigger may ask for")
    answer_margin_ms: int = Field(50, ge=5, description="HOLD leaves this long before the deadline")
    queue_size: int = Field(8, ge=1, le=1000, description="tickets waiting before HOLD/OVERLOAD")
    inspect_workers: int = Field(1, ge=1, le=64, description="inspections at a time")
    duplicate_window_s: float = Field(60, ge=0, description="a request_id is remembered this long")
    torch_threads: int | None = Field(None, ge=1, description="CPU threads a worker's models use")
    min_free_mb: int = Field(200, ge=0, description="below this free space every part is held")
    spool_max: int = Field(2000, ge=1, description="parts without a row; beyond it nothing passes")
    outbox_max: int = Field(
        100_000, ge=1, description="records the broker lacks; beyond it nothing passes"
    )
    outbox_old_s: float = Field(60, gt=0, description="a record waiting longer is an alarm")
    outbox_keep_days: int = Field(
        90, ge=0, description="records the broker has are kept for cmd/replay; 0: for ever"
    )
    stuck_after_s: float = Field(
        20, ge=0.1, le=600, description="camera, model or disk at one piece of work so long: stuck"
    )
    interval_ms: int = Field(
        0, ge=0, description="the station triggers itself this often; 0: it waits for triggers"
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port of /metrics and /healthz; none if left out"
    )
    metrics_host: str = Field("127.0.0.1", description="address of /metrics and /healthz")
    log_format: Literal["text", "json"] = Field("text", description="json: an object a line")

    @field_validator("database")
    @classmethod
    def _database_is_a_url(cls, url: str) -> str:
        if not re.match(r"(sqlite|postgresql\+psycopg)://", url):
            raise ValueError("expected sqlite:///FILE or postgresql+psycopg://HOST/NAME")
        return url

    @field_validator("cameras")
    @classmethod
    def _ids_are_unique(cls, cameras: tuple[CameraSettings, ...]) -> tuple[CameraSettings, ...]:
        _expect_once("camera id", [camera.id for camera in cameras])
        return cameras

    @field_validator("recipes")
    @classmethod
    def _recipes_are_unique(cls, recipes: tuple[str, ...]) -> tuple[str, ...]:
        _expect_once("recipe", list(recipes))
        return recipes

    @model_validator(mode="after")
    def _deadlines_fit(self) -> StationSettings:
        if not self.answer_margin_ms < self.deadline_ms <= self.deadline_max_ms:
            raise ValueError(
                "expected answer_margin_ms < deadline_ms ≤ deadline_max_ms, got "
                f"{self.answer_margin_ms}, {self.deadline_ms} and {self.deadline_max_ms}"
            )
        return self

    @model_validator(mode="after")
    def _interval_needs_one_recipe(self) -> StationSettings:
        if self.interval_ms and len(self.recipes) != 1:
            raise ValueError(
                "expected one recipe where the station triggers itself (interval_ms), found "
                f"{len(self.recipes)}"
            )
        return self

    @property
    def mqtt_base(self) -> str:
        return self.mqtt.base or f"qc/{self.station_id}"


# --- loading ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe with its standard; `rev` is the sha256 of the recipe's file.

    `sources` are the files of both, each with its sha256.
    """

    name: str
    rev: str
    settings: RecipeSettings
    standard: Standard
    sources: tuple[tuple[Path, str], ...] = ()

    def with_reference(self, reference: Path) -> Recipe:
        """Return this recipe with another golden picture."""
        settings = self.settings.model_copy(update={"reference": str(reference)})
        return replace(self, settings=settings)


_S = TypeVar("_S", bound=Settings)
_T = TypeVar("_T")


def load_station(path: Path) -> StationSettings:
    """Return the station of `path`.

    Raises `SettingsError` with every mistake of the file.
    """
    return _validated(read_settings_file(path), StationSettings)


def load_recipe(name: str) -> Recipe:
    """Return the recipe of that name or path, with its standard.

    Raises `SettingsError` with every mistake of both files, and of what one says of the other.
    """
    path = _find("recipes", name)
    file = read_settings_file(path)
    mistakes: list[str] = []
    settings = _collected(mistakes, lambda: _validated(file, RecipeSettings))
    standard = _collected(mistakes, lambda: _standard_of(file))
    if settings is not None and standard is not None:
        mistakes += (
            file.mistake(("standard",), what) for what in _disagreements(settings, standard)
        )
    if mistakes or settings is None or standard is None:
        raise SettingsError(tuple(mistakes))
    standard_path = _find("standards", settings.standard)
    return Recipe(
        name=path.stem,
        rev=file.sha256,
        settings=settings,
        standard=standard,
        sources=((path.resolve(), file.sha256), (standard_path.resolve(), standard.rev)),
    )


def load_standard(name: str) -> Standard:
    """Return the quality standard of that name or path.

    Raises `SettingsError` with every mistake of the file.
    """
    return _standard_at(_find("standards", name))


def shipped_configs() -> Path:
    """Return the folder of the settings files that came with the package."""
    return SHIPPED if SHIPPED.is_dir() else PACKAGE.parent / "configs"


def resolve_asset(path: str) -> Path:
    """Return where `path` lies: `asset:…` in the package, else as given."""
    if path.startswith("asset:"):
        return PACKAGE / "assets" / path.removeprefix("asset:")
    return Path(path)


def reference_of(recipe: RecipeSettings, view: str | None) -> Path | None:
    """Return where the golden picture of a view should lie.

    None where the recipe has none, or a folder of them and the view names none.
    """
    if recipe.reference is None:
        return None
    path = resolve_asset(recipe.reference)
    if not path.is_dir():
        return path
    if view is None or not VIEW_PATTERN.fullmatch(view):
        return None
    return path / f"{view}.png"


def _collected(mistakes: list[str], load: Callable[[], _T | None]) -> _T | None:
    """Return what `load` loads; where that fails, add its mistakes and return None."""
    try:
        return load()
    except SettingsError as exc:
        mistakes += exc.mistakes
        return None


def _standard_of(recipe: SettingsFile) -> Standard | None:
    """Return the standard that a recipe's file names, None where it names none."""
    named = recipe.content.get("standard")
    if not isinstance(named, str):
        return None  # a mistake of the recipe, reported with its others
    try:
        path = _find("standards", named)
    except SettingsError as exc:
        raise SettingsError(
            tuple(recipe.mistake(("standard",), what) for what in exc.mistakes)
        ) from exc
    return _standard_at(path)


def _standard_at(path: Path) -> Standard:
    file = read_settings_file(path)
    settings = _validated(file, StandardSettings)
    return Standard(
        name=path.stem,
        title=settings.title,
        rev=file.sha256,
        clauses=tuple(
            Clause(
                id=c.id,
                text=c.text,
                severity=c.severity,
                check=c.check if c.line is None else from_line(c.line),
            )
            for c in settings.clauses
        ),
    )


def _disagreements(settings: RecipeSettings, standard: Standard) -> Iterator[str]:
    """Yield what a clause's check asks for and the recipe does not give."""
    zones = {zone.name for zone in settings.zones}
    fields = {field.field for field in settings.text_fields}
    for clause in standard.clauses:
        expected = f"clause {clause.id}: expected"
        match clause.check:
            case DefectCheck() as check:
                if settings.detector is None:
                    yield f"{expected} a detector in the recipe, found none"
                for zone in (check.inside, check.outside):
                    if zone is not None and zone not in zones:
                        yield (
                            f"{expected} a zone of the recipe, found {zone!r}"
                            f"{did_you_mean(zone, zones)}"
                        )
                measured = check.larger_than_mm is not None or check.total_at_most_mm is not None
                if measured and settings.px_per_mm is None:
                    yield f"{expected} px_per_mm in the recipe, found none for a size in mm"
            case TextCheck() | DateCheck() as check:
                if check.field not in fields:
                    yield (
                        f"{expected} a text field of the recipe, found {check.field!r}"
                        f"{did_you_mean(check.field, fields)}"
                    )
            case CodeCheck() as check:
                if not settings.read_codes:
                    yield f"{expected} read_codes: true in the recipe, found it off"
                for symbology in check.symbologies:
                    if symbology_key(symbology) not in KINDS:
                        yield (
                            f"{expected} a known symbology like EAN-13, found {symbology!r}"
                            f"{did_you_mean(symbology, KINDS)}"
                        )
            case None:
                continue
            case _:
                for what in _lacks(clause.check, settings):
                    yield f"{expected} {what}"


def _lacks(check: Check, settings: RecipeSettings) -> Iterator[str]:
    """Yield what the atoms of a check that was written as a line need, and the recipe lacks."""
    for atom in atoms(check):
        match atom:
            case MeasureCheck():
                if settings.detector is None:
                    yield "a detector in the recipe, found none"
                sized = any(size.measure != "confidence" for size in atom.sizes)
                if (sized or atom.measure not in ("defects", "kinds")) and not settings.px_per_mm:
                    yield "px_per_mm in the recipe, found none for a size in mm"
                if (atom.inside or atom.outside) and not settings.zones:
                    named = (*atom.inside, *atom.outside)[0]
                    yield f"zones in the recipe, found none for {named!r}"
            case CodesCheck() if not settings.read_codes:
                yield "read_codes: true in the recipe, found it off"
            case PrintCheck() | MomentCheck() | FormatCheck() if not settings.read_text:
                yield "read_text: true in the recipe, found it off"


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
        (
            f"{name}: expected one of {folder} {', '.join(known) or '(none found)'}, or a path"
            f"{did_you_mean(name, known)}",
        )
    )


def _validated(file: SettingsFile, kind: type[_S]) -> _S:
    mistakes = list(file.mistakes)
    try:
        settings = kind.model_validate(file.content)
    except ValidationError as exc:
        for error in exc.errors():
            if error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]:
                continue  # short only because its items, reported themselves, were dropped
            mistakes.append(file.mistake(tuple(error["loc"]), worded(error, kind)))
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return settings
