"""Logs: one event, one line of JSON. Facts, never patients: ids, hosts, codes, counts and durations."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO, cast

import orjson
import structlog

#: The only keys an event may carry; anything else is dropped and counted, so that no text slips through.
KEYS: Final = frozenset(
    {
        "event", "level", "timestamp", "code", "rule", "sibling", "key", "activity", "type", "profile", "count",
        "ms", "attempts", "status", "id", "version", "signal", "server", "worker", "path", "error", "where", "state",
        "act", "method", "direction", "due", "held", "origin", "listen",
        # ids of people's things, never what they are called: no address of a doctor; `reason` and `alarm` are codes
        "dossier", "file", "piece", "reason", "alarm", "sequence", "failures", "new", "gone",
    }
)  # fmt: skip


_LONGEST: Final = 600


def set_up(level: str = "info", *, stream: Any = None) -> None:
    """Configure logging for this process; what libraries log goes the same way, without their text."""
    logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING, force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_facts,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Forgiving(stream or sys.stderr))),
        cache_logger_on_first_use=False,
    )


def get(**bound: Any) -> Any:
    """Return a logger."""
    return structlog.get_logger(**bound)


def only_facts(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep the known keys; an exception is told by its type and place, never by its text."""
    fault = _exception(event.pop("exc_info", None))
    if fault is not None:
        event["error"], event["where"] = type(fault).__name__, where(fault)
    dropped = [key for key in event if key not in KEYS]
    for key in dropped:
        del event[key]
    for key, value in event.items():
        event[key] = _fact(value)
    if dropped:
        event["dropped_keys"] = len(dropped)
    return event


def _exception(given: Any) -> BaseException | None:
    if given is True:
        given = sys.exc_info()
    if isinstance(given, tuple):
        given = given[1]
    return given if isinstance(given, BaseException) else None


def _fact(value: Any) -> Any:
    """A value as it may be written: short, and of an exception only the type."""
    if isinstance(value, BaseException):
        return type(value).__name__
    return value[:_LONGEST] if isinstance(value, str) else value


class _Forgiving:
    """A stream; what cannot be written to it is lost before the service is (F39: the disk for logs is full)."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write, if that can be done."""
        with contextlib.suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        """Hand on what was written, if that can be done."""
        with contextlib.suppress(OSError):
            self._stream.flush()


class _FromLibraries(logging.Handler):
    """Tells that a library logged something, and where; its message and traceback may hold anything."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one event."""
        level = "error" if record.levelno >= logging.ERROR else "warning"
        place = {} if record.exc_info else {"where": f"{record.filename}:{record.lineno}"}
        getattr(get(), level)("library", rule=record.name, exc_info=record.exc_info, **place)


def where(fault: BaseException) -> str:
    """The file, line and function in which an exception was raised."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}"


def _dumps(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()
