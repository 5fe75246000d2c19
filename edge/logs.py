"""Messages on standard error: lines to read, or an object a line to collect.

An object carries what its message is about as keys of its own: `request_id`, `inspection_id`.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

IDS = ("request_id", "inspection_id")


class JsonLines(logging.Formatter):
    """One JSON object a message."""

    def format(self, record: logging.LogRecord) -> str:
        content = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        for name in IDS:
            if (value := getattr(record, name, None)) is not None:
                content[name] = str(value)
        if record.exc_info:
            content["error"] = self.formatException(record.exc_info)
        return json.dumps(content)


def log_to_stderr(*, as_json: bool) -> None:
    """Send messages from info on to standard error."""
    lines = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else lines)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # it greets at each look at the schema
    logging.getLogger("alembic").setLevel(logging.WARNING)
