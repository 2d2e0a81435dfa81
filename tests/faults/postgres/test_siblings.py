"""Two processes on one database change one entry of the allowlist at once: neither undoes what the other has decided."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from federation.allowlist import LocalPolicy, Sibling
from instance.services import key_alarm
from instance.services.errors import Rejected
from instance.storage.postgres_rows import Rows
from tests.faults.postgres.conftest import rows
from tests.instance.students import administrators
from tests.network.expelling import DE, REASON, actor, wanted
from tests.town import Place

pytestmark = [pytest.mark.faults, pytest.mark.postgres, pytest.mark.xdist_group("postgres")]

ORDER = {"by": "command line: test", "reason": "test"}
WAITING = "select pid from pg_locks where not granted and locktype = 'advisory'"


@pytest.fixture
async def two(network: Any) -> AsyncIterator[tuple[Place, Place]]:
    """France twice, on one database, with two administrators; it lists Germany."""
    town = await network("fr", "de")
    await administrators(town["fr"].node)
    other = await Place.open(town, "fr", town["fr"].config)
    yield town["fr"], other
    await other.node.close()


async def paused_by_a_person(place: Place) -> None:
    """Germany is paused for some reason that has nothing to do with keys."""
    ada = await actor(place.node, "ada")
    assert await place.node.siblings.proposals.change([await wanted(place.node, policy="pause")], ada, REASON)


async def at_a_page(place: Place) -> Callable[[], Awaitable[object]]:
    """Ada proposes to resume; what Ben does to confirm."""
    proposals = place.node.siblings.proposals
    ada, ben = await actor(place.node, "ada"), await actor(place.node, "ben")
    assert not await proposals.change([await wanted(place.node, policy="inherit")], ada, REASON)
    (waiting,) = await proposals.waiting()
    return lambda: proposals.confirm(waiting.id, ben)


async def at_the_command_line(place: Place) -> Callable[[], Awaitable[object]]:
    """What the operator does who cannot wait."""
    return lambda: place.node.siblings.set_policy(DE, "inherit", **ORDER, alone=True)


def stops_at(monkeypatch: Any, query: str) -> tuple[asyncio.Event, asyncio.Event]:
    """Hold the first unit of work that comes to this query, until it is let go; the rest goes through."""
    true, reached, go = Rows.run, asyncio.Event(), asyncio.Event()

    async def held(self: Any, asked: str, /, **values: Any) -> int:
        if asked == query and not reached.is_set():
            reached.set()
            await go.wait()
        return await true(self, asked, **values)

    monkeypatch.setattr(Rows, "run", held)
    return reached, go


async def is_held(work: asyncio.Task[Any], reached: asyncio.Event) -> None:
    """Until it stands there; what went wrong before is raised."""
    held = asyncio.ensure_future(reached.wait())
    await asyncio.wait([work, held], return_when=asyncio.FIRST_COMPLETED)
    if not reached.is_set():
        held.cancel()
        raise AssertionError(f"it never came there: {work.exception()!r}")


async def is_through_or_waits(place: Place, work: asyncio.Task[Any]) -> None:
    """Until it has done all it can: it is over, or waits for its turn."""
    while not work.done() and not await rows(place.node, WAITING):
        await asyncio.sleep(0.01)


async def suspends(place: Place, sibling: Sibling) -> None:
    """Somebody else speaks with it again, and what is read then shows other keys."""
    with contextlib.suppress(Rejected):  # it is spoken with already
        await place.node.siblings.set_policy(DE, "inherit", **ORDER, alone=True)
    await key_alarm.suspend(place.node, sibling)


@pytest.mark.parametrize("resumes", [at_a_page, at_the_command_line])
async def test_a_resume_never_undoes_the_alarm_that_came_meanwhile(
    two: tuple[Place, Place], monkeypatch: Any, resumes: Any
) -> None:
    """One resumes and has seen no alarm; another does too, and its keys turn out to be others: it stays suspended."""
    fr, other = two
    await paused_by_a_person(fr)
    resume = await resumes(fr)
    sibling = (await other.node.allowlist.refresh_if_changed()).siblings[DE]
    reached, go = stops_at(monkeypatch, "siblings.set_policy")
    first = asyncio.ensure_future(resume())
    await is_held(first, reached)
    second = asyncio.ensure_future(suspends(other, sibling))
    await is_through_or_waits(fr, second)
    go.set()
    await asyncio.gather(first, second)

    assert [(LocalPolicy.PAUSE.value,)] == await rows(fr.node, f"select policy from siblings where origin = '{DE}'")
    assert [DE] == list(await key_alarm.alarms(fr.node))
    acts = [(change.act, change.by == "system") for change in await fr.node.siblings.changes(DE)]
    assert [("inherit", False), ("pause", True)] == acts[-2:]


async def test_a_comparison_and_an_alarm_at_once_are_one_after_the_other(
    two: tuple[Place, Place], monkeypatch: Any
) -> None:
    """People pin the keys that were read as others a moment ago: then they are no others, and nothing is suspended."""
    fr, other = two

    async def other_pins(tx: Any) -> None:
        row = await tx.one("siblings.get", origin=DE)
        kept = {name: row[name] for name in ("origin", "issuer_keys", "speaks_rfc9421", "software", "contact")}
        seen = {"seen_keys": row["instance_keys"], "seen_issuers": row["issuer_keys"]}
        assert await tx.run("siblings.set_pins", instance_keys='["sha256:0"]', **kept, **seen)
        await tx.run("siblings.raise_version")

    await fr.node.store.write(other_pins)
    sibling = (await other.node.allowlist.refresh_if_changed()).siblings[DE]
    found = (await fr.node.siblings.pins.compare(DE)).found
    reached, go = stops_at(monkeypatch, "siblings.set_pins")
    first = asyncio.ensure_future(fr.node.siblings.pins.repin(found, found.fingerprint, **ORDER))
    await is_held(first, reached)
    second = asyncio.ensure_future(key_alarm.suspend(other.node, sibling))
    await is_through_or_waits(fr, second)
    go.set()
    await asyncio.gather(first, second)

    assert [(LocalPolicy.INHERIT.value,)] == await rows(fr.node, f"select policy from siblings where origin = '{DE}'")
    assert {} == await key_alarm.alarms(fr.node)


@pytest.mark.parametrize("resumes", [at_a_page, at_the_command_line])
async def test_without_an_alarm_a_resume_is_one(two: tuple[Place, Place], resumes: Any) -> None:
    """The twin: nobody is in the way, and both processes speak with it."""
    await paused_by_a_person(two[0])
    await (await resumes(two[0]))()
    seen = [place.node.allowlist for place in two]

    assert [LocalPolicy.INHERIT] * 2 == [(await each.refresh_if_changed()).siblings[DE].policy for each in seen]
