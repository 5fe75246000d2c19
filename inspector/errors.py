"""Every error this product raises on purpose.

    InspectorError               something a person has to put right
    ├── SettingsError            a station, recipe or standard file has mistakes (all listed)
    ├── SystemLibraryMissing     an operating-system library that a wheel needs is not installed
    ├── PictureError             a picture cannot be read or has the wrong size, depth or channels
    ├── ReferenceMissing         the recipe has a reference, but none for this view
    ├── ModelError               a model file is missing, altered or does not fit the recipe
    ├── DataError                training or measuring data has mistakes (all listed)
    ├── CaseError                a judge case is malformed
    ├── StorageError             the database or the record folder does not do what is needed
    │   ├── AlreadyReviewed      somebody else has reviewed the part since it was shown
    │   ├── NotMigrated          the database schema is not the one this version writes
    │   ├── RecordRefused        the database will never take this record as it is
    │   └── StorageFull          no space is left, or the folder cannot be written
    ├── CameraError              a camera cannot be opened or gave no picture
    │   └── NoFrame              the camera works, and has no picture for this part
    │       └── StaleFrame       it has one that may be the previous part's
    ├── MessageError             a message of the PLC does not keep to the contract
    ├── AlarmRefused             what was asked of an alarm makes no sense in its state
    ├── BrokerError              the MQTT broker cannot be reached or refuses
    └── PortInUse                the port asked for is taken

Each message says what was expected, what was found and what to do. `exit_code` is what the command
`inspector` ends with: 2 usage or settings, 3 input unreadable, 4 model or data, 5 storage,
6 device or network.
"""

from __future__ import annotations

from typing import ClassVar


class InspectorError(Exception):
    """Something a person has to put right; the message says what."""

    exit_code: ClassVar[int] = 1


class SettingsError(InspectorError):
    """A settings file has mistakes; `mistakes` holds one line each (`file:line: key: what`)."""

    exit_code = 2

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class SystemLibraryMissing(InspectorError):
    """An operating-system library that a wheel needs is not installed."""

    exit_code = 6


class PictureError(InspectorError):
    """A picture cannot be read, or its size, depth or channels are not what was expected."""

    exit_code = 3


class ReferenceMissing(InspectorError):
    """The recipe compares with a reference picture, and there is none for this view."""

    exit_code = 3


class ModelError(InspectorError):
    """A model file is missing, has a wrong hash, or does not fit what the recipe asks."""

    exit_code = 4


class DataError(InspectorError):
    """Training or measuring data has mistakes; the message lists all of them."""

    exit_code = 4


class CaseError(InspectorError):
    """A case for the judge is malformed."""

    exit_code = 3


class StorageError(InspectorError):
    """The database or the record folder does not do what is needed."""

    exit_code = 5


class AlreadyReviewed(StorageError):
    """Somebody else has reviewed the part since it was shown."""


class NotMigrated(StorageError):
    """The schema of the database is not the one this version writes."""


class RecordRefused(StorageError):
    """The database will never take this record as it is; trying again does not help."""


class StorageFull(StorageError):
    """No space is left, or the folder cannot be written."""


class CameraError(InspectorError):
    """A camera cannot be opened, or gave no picture in time."""

    exit_code = 6


class NoFrame(CameraError):
    """The camera works, and has no picture for this part."""


class StaleFrame(NoFrame):
    """The camera works, and its newest picture may show the previous part."""


class MessageError(InspectorError):
    """A message does not keep to the PLC contract; `request_id` is set where it could be read."""

    exit_code = 3

    def __init__(self, message: str, *, request_id: str | None) -> None:
        super().__init__(message)
        self.request_id = request_id


class AlarmRefused(InspectorError):
    """What was asked of an alarm makes no sense in the state that it is in."""

    exit_code = 2


class BrokerError(InspectorError):
    """The MQTT broker cannot be reached, or refuses this client."""

    exit_code = 6


class PortInUse(InspectorError):
    """The port asked for is taken by another program."""

    exit_code = 6
