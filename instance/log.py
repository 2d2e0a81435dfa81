"""Logs: one event, one line of JSON. Facts, never patients: ids, hosts, codes, counts and durations."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import orjson
import structlog

#: The only keys an event may carry; anything else is dropped and counted, so that no text slips through.
KEYS: Final = frozenset(
    {
        "event", "level", "timestamp", "code", "rule", "sibling", "key", "activity", "type", "profile", "count",
        "ms", "attempts", "status", "id", "version", "signal", "server", "worker", "path", "error", "where", "state",
        "act", "method", "direction", "due", "held", "origin", "listen",
    }
)  # fmt: skip


def set_up(level: str = "info", *, stream: Any = None) -> None:
    """Configure logging for this process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_facts,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


def get(**bound: Any) -> Any:
    """Return a logger."""
    return structlog.get_logger(**bound)


def only_facts(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep the known keys; an exception is told by its type and place, never by its text."""
    fault = event.pop("exc_info", None)
    if isinstance(fault, BaseException):
        event["error"], event["where"] = type(fault).__name__, _where(fault)
    dropped = [key for key in event if key not in KEYS]
    for key in dropped:
        del event[key]
    if dropped:
        event["dropped_keys"] = len(dropped)
    return event


def _where(fault: BaseException) -> str:
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}"


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
