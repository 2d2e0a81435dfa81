"""Which tests are `long`, in one place, and how a test run logs.

Of each long module the daily gate runs the first test, the whole suite all.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from instance import log
from tests import examples

__all__ = ["examples"]

#: Whole towns of instances and their pages, commands and packages as processes, passwords hashed at full cost.
LONG: Final = (
    "network/",
    "packaging/",
    "property/",
    "contract/test_who_sees_what.py",
    "instance/pages/",
    "instance/storage/test_faults.py",
    "instance/test_answers.py",
    "instance/test_cli.py",
    "instance/test_directory.py",
    "instance/test_kek.py",
    "instance/test_publishing.py",
    "instance/test_sessions.py",
)
#: What a country expects first of all is told whole every day.
DAILY: Final = ("network/test_story.py",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all but the first test of each long module."""
    begun: set[str] = set()
    for item in items:
        module = item.path.relative_to(Path(__file__).parent).as_posix()
        if module.startswith(LONG) and module not in DAILY:
            if module in begun:
                item.add_marker("long")
            begun.add(module)


def pytest_runtest_setup() -> None:
    """Log plainly where a test sets nothing up: structlog's own tracebacks, with every value, take a second each."""
    if not structlog.is_configured():
        plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
        structlog.configure(processors=[structlog.processors.add_log_level, plain])


@pytest.fixture
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The events that were logged so far; the logging of the test run is put back afterwards."""
    stream, handlers, level = io.StringIO(), list(logging.root.handlers), logging.root.level
    for handler in handlers:
        logging.root.removeHandler(handler)
    log.set_up("info", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
