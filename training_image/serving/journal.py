"""Logs as JSON lines on standard error, which SageMaker takes to CloudWatch Logs."""

from __future__ import annotations

import datetime
import logging
from typing import Any

import orjson

logger = logging.getLogger("featuremill.serve")


class JsonFormatter(logging.Formatter):
    """A record as {"time", "level", "logger", "message", ...}; `extra={"fields": {...}}` adds to it."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": record.process,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(entry, default=str).decode()


def configuration() -> dict[str, Any]:
    """For logging.config.dictConfig, with the names of granian's loggers."""
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "json"}
    own = {"handlers": ["console"], "level": "INFO", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"console": handler},
        "loggers": {"_granian": dict(own), "granian.access": dict(own), "featuremill.serve": dict(own)},
    }
