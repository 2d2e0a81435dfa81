"""Logs: one event, one line of JSON; facts under known keys, and never the text of an exception."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from instance import log

SECRET = "made-up clinical text"


@pytest.fixture
def lines() -> Iterator[Any]:
    """What was written, read back; the logging of the test run is put back afterwards."""
    stream, handlers, level = io.StringIO(), list(logging.root.handlers), logging.root.level
    for handler in handlers:
        logging.root.removeHandler(handler)
    log.set_up("info", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def test_an_event_is_one_line_of_json(lines: Any) -> None:
    """Event, level, time and facts; a line break in a value stays inside its value."""
    log.get(origin="https://fr.example").info("refused", code="not_signed", sibling="https://de.example\nx")

    (event,) = lines()
    assert ("refused", "info", "not_signed") == (event["event"], event["level"], event["code"])
    assert "https://de.example\nx" == event["sibling"]
    assert event["timestamp"].endswith("Z")


def test_unknown_keys_are_dropped_and_counted(lines: Any) -> None:
    """What nobody thought about does not slip through; that something did is seen."""
    log.get().info("refused", code="not_signed", body=SECRET, name="Dr Made Up")

    (event,) = lines()
    assert 2 == event["dropped_keys"]
    assert SECRET not in json.dumps(event)
    assert "Made Up" not in json.dumps(event)


@pytest.mark.parametrize("how", ["value", "true", "tuple", "error"])
def test_the_text_of_an_exception_is_never_written(lines: Any, how: str) -> None:
    """An exception is told by its type and place, however it is handed over."""
    try:
        raise ValueError(SECRET)
    except ValueError as fault:
        given: Any = {"value": fault, "true": True, "tuple": (ValueError, fault, fault.__traceback__)}.get(how)
        log.get().error("failed", **({"error": fault} if how == "error" else {"exc_info": given}))

    (event,) = lines()
    assert "ValueError" == event["error"]
    assert SECRET not in json.dumps(event)
    if how != "error":
        assert event["where"].startswith("test_log.py:")


def test_what_libraries_log_is_told_without_its_text(lines: Any) -> None:
    """A library's message may hold a body or an address; only who said something, and where, is kept."""
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        logging.getLogger("asyncio").exception("task failed: %s", SECRET)
    logging.getLogger("aiohttp.client").warning("odd: %s", SECRET)

    first, second = lines()
    assert ("library", "error", "asyncio", "RuntimeError") == (
        first["event"], first["level"], first["rule"], first["error"]
    )  # fmt: skip
    assert ("library", "warning", "aiohttp.client") == (second["event"], second["level"], second["rule"])
    assert SECRET not in json.dumps([first, second])


def test_a_value_is_cut(lines: Any) -> None:
    """No fact is longer than an address."""
    log.get().info("refused", rule="x" * 10_000)

    (event,) = lines()
    assert 600 == len(event["rule"])


def test_below_its_level_nothing_is_written(lines: Any) -> None:
    """Debugging is off unless asked for."""
    log.get().debug("refused", code="not_signed")

    assert [] == lines()
