"""Logs: one event, one line of JSON; facts under known keys, and never the text of an exception."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path
from typing import Any

import pytest

import instance
from instance import log

SECRET = "made-up clinical text"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "get"}


def test_an_event_is_one_line_of_json(logged: Any) -> None:
    """Event, level, time and facts; a line break in a value stays inside its value."""
    log.get(origin="https://fr.example").info("refused", code="not_signed", sibling="https://de.example\nx")

    (event,) = logged()
    assert ("refused", "info", "not_signed") == (event["event"], event["level"], event["code"])
    assert "https://de.example\nx" == event["sibling"]
    assert event["timestamp"].endswith("Z")


def test_unknown_keys_are_dropped_and_counted(logged: Any) -> None:
    """What nobody thought about does not slip through; that something did is seen."""
    log.get().info("refused", code="not_signed", body=SECRET, name="Dr Made Up")

    (event,) = logged()
    assert 2 == event["dropped_keys"]
    assert SECRET not in json.dumps(event)
    assert "Made Up" not in json.dumps(event)


def test_no_event_of_the_product_loses_a_fact() -> None:
    """Every key that is handed to a logger is known: an event without its id helps nobody."""
    used = {(path.name, key) for path in Path(instance.__file__).parent.rglob("*.py") for key in keys_in(path)}

    assert {"dossier", "file", "reason", "sequence"} <= {key for _, key in used}
    assert not {"doctor", "handle", "login", "name", "uri", "actor"} & {key for _, key in used}
    assert set() == {(name, key) for name, key in used if key not in log.KEYS | {"exc_info"}}


def test_an_event_tells_whom_it_is_about_by_id(logged: Any) -> None:
    """Ids and codes of the review, of evidence and of the audit log; never a name, nor what somebody wrote.

    The address of a doctor is a name: the handle is made from it.
    """
    told = {
        "dossier": "d-01",
        "file": "01J",
        "reason": "retention",
        "sequence": 7,
    }
    more = {"name": "Dr Made Up", "note": SECRET, "email": "made@up.example", "doctor": "https://fr.example/doctors/x"}
    log.get().error("dossier_not_settled", **told, **more)

    (event,) = logged()
    assert told.items() <= event.items()
    assert 4 == event["dropped_keys"]
    assert "doctors/x" not in json.dumps(event)


def keys_in(path: Path) -> set[str]:
    """The keys of every call of a logger in a module."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {each.arg for call in calls if is_logging(call.func) for each in call.keywords if each.arg is not None}


def is_logging(called: ast.expr) -> bool:
    """Whether `x.log.info`, `self._log.error`, `_log.exception` or `log.get` is called."""
    if not isinstance(called, ast.Attribute) or called.attr not in LEVELS:
        return False
    logger = called.value
    name = logger.attr if isinstance(logger, ast.Attribute) else logger.id if isinstance(logger, ast.Name) else ""
    return name in {"log", "_log"}


@pytest.mark.parametrize("how", ["value", "true", "tuple", "error"])
def test_the_text_of_an_exception_is_never_written(logged: Any, how: str) -> None:
    """An exception is told by its type and place, however it is handed over."""
    try:
        raise ValueError(SECRET)
    except ValueError as fault:
        given: Any = {"value": fault, "true": True, "tuple": (ValueError, fault, fault.__traceback__)}.get(how)
        log.get().error("failed", **({"error": fault} if how == "error" else {"exc_info": given}))

    (event,) = logged()
    assert "ValueError" == event["error"]
    assert SECRET not in json.dumps(event)
    if how != "error":
        assert event["where"].startswith("test_log.py:")


def test_what_libraries_log_is_told_without_its_text(logged: Any) -> None:
    """A library's message may hold a body or an address; only who said something, and where, is kept."""
    try:
        raise RuntimeError(SECRET)
    except RuntimeError:
        logging.getLogger("asyncio").exception("task failed: %s", SECRET)
    logging.getLogger("aiohttp.client").warning("odd: %s", SECRET)

    first, second = logged()
    assert ("library", "error", "asyncio", "RuntimeError") == (
        first["event"], first["level"], first["rule"], first["error"]
    )  # fmt: skip
    assert ("library", "warning", "aiohttp.client") == (second["event"], second["level"], second["rule"])
    assert SECRET not in json.dumps([first, second])


def test_a_value_is_cut(logged: Any) -> None:
    """No fact is longer than an address."""
    log.get().info("refused", rule="x" * 10_000)

    (event,) = logged()
    assert 600 == len(event["rule"])


def test_below_its_level_nothing_is_written(logged: Any) -> None:
    """Debugging is off unless asked for."""
    log.get().debug("refused", code="not_signed")

    assert [] == logged()
