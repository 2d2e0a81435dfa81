"""`esanum audit resume` by the command line, at an instance where siblings saw somebody revoked who is not so here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from instance.cli.records import audit
from instance.cli.tools import Context, Failure
from instance.control import ControlServer
from tests.network.test_restoring import REASON, goes_on, put_back, town
from tests.town import Network, Place, rows

__all__ = ["town"]


@pytest.fixture
async def fr(town: Network, tmp_path: Path) -> AsyncIterator[Place]:
    """France after an old back-up was put back: Germany has read there that Éliane was revoked. It takes commands."""
    place = town["fr"]
    *_, copy = await goes_on(town, tmp_path)
    await put_back(place, copy)
    server = ControlServer(place.node, place.config.socket)
    await server.start()
    yield place
    await server.stop()


async def esanum(place: Place, *words: str) -> Result:
    """Run the command in a thread of its own, as another process would: by the socket of the server."""
    context = Context("no file is read")
    context.__dict__["config"] = place.config
    return await asyncio.to_thread(CliRunner().invoke, audit, list(words), obj=context)


async def orders(place: Place) -> list[Any]:
    """The orders to resume that stand on the record."""
    return [
        tuple(row) for row in await rows(place.node, "select act, reason from staff_acts where act = 'audit_resumed'")
    ]


async def test_without_force_a_lost_revocation_is_said_and_nothing_goes_on(fr: Place) -> None:
    """Whom siblings saw revoked is named, the refusal is one sentence, nothing is recorded, nothing signed."""
    said = await esanum(fr, "resume", "--reason", REASON)

    assert 1 == said.exit_code
    assert "was revoked as https://de.example read our lists, and is not so here" in said.output
    assert isinstance(said.exception, Failure)
    assert "revocations_lost" in str(said.exception)
    assert [] == await orders(fr)
    assert "behind" == fr.node.dossiers.restoring.state


async def test_with_force_it_goes_on_on_the_record(fr: Place) -> None:
    """The twin: the warning is there as well, what is lost is said by its numbers, and it is signed again."""
    said = await esanum(fr, "resume", "--force", "--reason", REASON)
    again = await esanum(fr, "resume", "--force", "--reason", REASON)

    assert 0 == said.exit_code, said.output
    assert "warning: " in said.output
    assert "are lost: siblings hold the head behind them." in said.output
    assert "credentials and status lists are signed again." in said.output
    assert [("audit_resumed", REASON)] == await orders(fr)
    assert "current" == fr.node.dossiers.restoring.state
    assert (1, True) == (again.exit_code, "not_behind" in str(again.exception))


async def test_force_replaces_no_reason(fr: Place) -> None:
    """Without one the command is none."""
    said = await esanum(fr, "resume", "--force")

    assert 2 == said.exit_code
    assert [] == await orders(fr)
    assert "current" != fr.node.dossiers.restoring.state
