"""Countries that are stopped at the end of the test, whatever happened in it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from instance import log
from tests.faults.countries import Country, make_countries, stop_all
from tests.town import Network

Countries = Callable[..., Awaitable[list[Country]]]


@pytest.fixture
async def countries(tmp_path: Path) -> AsyncIterator[Countries]:
    """Make countries by their names; they are not started."""
    made: list[Country] = []

    async def make(*names: str, **options: Any) -> list[Country]:
        found = await make_countries(tmp_path, *names, **options)
        made.extend(found)
        return found

    yield make
    stop_all(made)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Network]]]:
    """Open a network of instances in this process by their names."""
    opened: list[Network] = []

    async def open_(*names: str, **options: Any) -> Network:
        found = await Network.open(tmp_path, *names, **options)
        opened.append(found)
        return found

    yield open_
    for one in opened:
        await one.close()


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
