"""Status lists on PostgreSQL: what one process of an instance reads or forgets, every process believes or forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.doorway import a_create, a_post, says
from tests.faults.postgres.conftest import rows
from tests.town import Network, Person, Place, refused

pytestmark = [pytest.mark.faults, pytest.mark.postgres, pytest.mark.xdist_group("postgres")]

ORDER = {"by": "test", "reason": "test"}
#: Longer than a process believes what it has in memory.
A_MOMENT = 0.3


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany, which list each other."""
    return await network("fr", "de")


@pytest.fixture
async def beside(town: Network) -> AsyncIterator[Place]:
    """Another process of France, on the same rows."""
    other = await Place.open(town, "fr", town["fr"].config)
    yield other
    await other.node.close()


@pytest.fixture
async def anna(town: Network, beside: Place) -> Person:
    """A German doctor whom both processes believe."""
    anna = await town["de"].doctor("anna")
    assert 202 == (await posts_to(anna, town["fr"], "First")).status
    assert 202 == (await posts_to(anna, beside, "Second")).status
    return anna


async def posts_to(doctor: Person, to: Place, title: str) -> Any:
    """Post a case by hand."""
    return await says(doctor, to, a_create(doctor, a_post(doctor, title=title)))


async def test_what_one_process_reads_every_process_believes(town, anna, beside):
    """Suspended, and given back: the other process goes by the list that the first has read."""
    await town["de"].node.people.suspend("anna", **ORDER)
    await town.settle()
    await asyncio.sleep(A_MOMENT)
    barred = await posts_to(anna, beside, "Barred")
    town.clock.move(minutes=2)
    await town["de"].node.people.reinstate("anna", **ORDER)
    await town.settle()
    await asyncio.sleep(A_MOMENT)
    back = await posts_to(anna, beside, "Back")

    assert (403, "suspended") == refused(barred)
    assert 202 == back.status
    assert [(0, 0)] == await rows(town["de"].node, "select revoked, suspended from status_places")


async def test_of_two_processes_that_read_at_once_the_older_answer_changes_nothing(town, anna, beside):
    """The slow process has read the list before the suspension, and comes to write when the other has written."""
    de, lists = town["de"], beside.node.directory.lists
    true, begun, release = de.request, asyncio.Event(), asyncio.Event()

    async def slow(method: str, target: str, headers: Any, body: bytes = b"") -> Any:
        answer = await true(method, target, headers, body)
        if target == "/vc/status/suspension/1" and not begun.is_set():
            begun.set()
            await release.wait()
        return answer

    de.request = slow  # type: ignore[method-assign]
    town.clock.move(minutes=16)
    reading = asyncio.create_task(lists.poll_due())
    await begun.wait()
    early = town.clock.now
    await de.node.people.suspend("anna", **ORDER)
    town.clock.move(seconds=20)
    await town.settle()
    late, town.clock.now = town.clock.now, early
    release.set()
    await reading
    town.clock.now = late
    await asyncio.sleep(A_MOMENT)

    assert (403, "suspended") == refused(await posts_to(anna, beside, "Barred"))
    assert [("suspended",)] == await rows(town["fr"].node, "select standing from doctors where handle = 'anna'")


async def test_what_one_process_forgets_every_process_forgets(town, anna, beside):
    """A sibling is removed: its lists are in no row and in no memory, and the other process knows nobody there."""
    held = len(beside.node.directory.lists())
    await town["fr"].node.siblings.remove("https://de.example", **ORDER)
    await beside.node.allowlist.refresh_if_changed()
    strange = await posts_to(anna, beside, "Stranger")
    await asyncio.sleep(A_MOMENT)
    await beside.node.directory.lists.poll_due()
    await town["fr"].admits(town["de"])
    await beside.node.allowlist.refresh_if_changed()
    again = await posts_to(anna, beside, "Again")

    assert 2 == held
    assert (403, "not_a_sibling") == refused(strange)
    assert 202 == again.status
    assert [(2,)] == await rows(town["fr"].node, "select count(*) from sibling_lists")
