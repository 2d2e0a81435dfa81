"""The loops of an instance: they start, they are woken, they stop in time, and a fault does not end them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federation.errors import Refused
from federation.ports import Answer, Delivery
from federation.uri import Uri
from instance import workers
from instance.storage.store import Transaction
from instance.workers import Inboxes, OwnStanding
from tests.town import Network, rows


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """Two countries that list each other."""
    found = await Network.open(tmp_path, "fr", "de")
    yield found
    await found.close()


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds; the loops under test run in real time."""
    async with asyncio.timeout(10):
        while not await holds():
            await asyncio.sleep(0.01)


async def states(network: Network, name: str = "fr") -> list[tuple[str, str]]:
    """State and code of every delivery of an instance."""
    found = await rows(network[name].node, "select state, last_code from deliveries order by id")
    return [(row["state"], row["last_code"]) for row in found]


async def a_delivery(network: Network) -> Delivery:
    """The one row that waits in the French queue."""
    [row] = await network["fr"].node.queue.next("https://de.example", network.clock(), 10)
    return row


async def test_running_workers_send_what_is_published(network: Network) -> None:
    """A published case is on its way without anybody asking."""
    fr = network["fr"].node
    marie = await network["fr"].doctor("marie")
    before = fr.workers.alive
    await fr.workers.start()
    alive = fr.workers.alive
    await marie.posts("Syncope after exercise")

    async def arrived() -> bool:
        return ["Syncope after exercise"] == await network["de"].titles()

    await until(arrived)
    await fr.workers.stop()

    assert (False, True, False) == (before, alive, fr.workers.alive)


async def test_quiet_means_that_nothing_is_due(network: Network) -> None:
    """Busy until everything due has been sent; a lane that waits for its hour is not busy."""
    fr = network["fr"].node
    marie = await network["fr"].doctor("marie")
    network.down.add("de")
    await marie.posts("Syncope after exercise")
    busy = await fr.workers.busy()
    await fr.workers.run_until_quiet()
    waits = await fr.workers.busy()
    network.clock.move(seconds=30)
    due = await fr.workers.busy()
    network.down.clear()
    await fr.workers.run_until_quiet()

    assert (True, False, True) == (busy, waits, due)
    assert not await fr.workers.busy()
    assert ["Syncope after exercise"] == await network["de"].titles()


async def test_a_stop_does_not_wait_for_a_sibling_that_hangs(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """F5: the stop ends in time, and what was in flight is sent again after the next start."""
    monkeypatch.setattr(workers, "GRACE", 0.05)
    fr = network["fr"].node
    marie = await network["fr"].doctor("marie")
    began = asyncio.Event()

    async def hangs(url: Uri, body: bytes, headers: Any) -> Answer:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(fr.wire, "_post", hangs)
    await fr.workers.start()
    await marie.posts("Syncope after exercise")
    await began.wait()
    start = time.monotonic()
    await fr.workers.stop()
    took = time.monotonic() - start
    sent = "activity in (select uri from activities where type = 'Create')"  # beside it stands news of the status lists
    left = [tuple(row) for row in await rows(fr, f"select state, last_code from deliveries where {sent}")]
    await network["fr"].reopen()
    await network.settle()

    assert took < 5
    assert [("waiting", "")] == left
    assert ["Syncope after exercise"] == await network["de"].titles()


async def test_a_fault_does_not_end_a_loop(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away for a moment: the loop says so and goes on."""
    monkeypatch.setattr(workers, "PAUSE", 0.01)
    fr = network["fr"].node
    claim, failures = fr.queue.claim, 3

    async def fails(now: Any, limit: int) -> Any:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise OSError("away")
        return await claim(now, limit)

    monkeypatch.setattr(fr.queue, "claim", fails)
    marie = await network["fr"].doctor("marie")
    await marie.posts("Syncope after exercise")
    await fr.workers.start()

    async def arrived() -> bool:
        return ["Syncope after exercise"] == await network["de"].titles()

    await until(arrived)

    assert fr.workers.alive


async def test_a_queued_case_of_a_suspended_doctor_is_not_sent(network: Network) -> None:
    """A106: the standing is asked at send time, whoever changed it and however."""
    fr = network["fr"].node
    marie = await network["fr"].doctor("marie")
    await marie.posts("Syncope after exercise")

    async def work(tx: Transaction) -> None:
        await tx.run("people.set_standing", uri=marie.uri, standing="suspended", before="ok", now=0)

    standing = OwnStanding(fr)
    before = await standing(marie.uri)
    await fr.store.write(work)
    await network.settle()

    assert (True, False) == (before, await standing(marie.uri))
    assert [("dropped", "no_standing")] == await states(network)
    assert [] == await network["de"].titles()


async def test_only_our_own_doctors_have_standing_to_send(network: Network) -> None:
    """A sibling's doctor and nobody at all cannot be sent for; nor a doctor whose credential has ended."""
    hans = await network["de"].doctor("hans")
    marie = await network["fr"].doctor("marie")
    await hans.posts("Palpitations")
    await network.settle()
    standing = OwnStanding(network["fr"].node)
    found = [await standing(uri) for uri in (hans.uri, Uri.parse("https://fr.example/doctors/nobody"), marie.uri)]
    network.clock.move(days=200)

    assert [False, False, True] == found
    assert not await standing(marie.uri)


async def test_an_inbox_is_read_anew_at_its_actor(network: Network) -> None:
    """After a 3xx: the shared inbox at the sibling's instance actor, a personal one at its doctor."""
    marie, hans = await network["fr"].doctor("marie"), await network["de"].doctor("hans")
    await hans.posts("Palpitations")
    await network.settle()
    await marie.posts("Syncope after exercise")
    row = await a_delivery(network)
    inboxes = Inboxes(network["fr"].node)
    personal = Uri.parse(hans.uri + "/inbox")
    shared = await inboxes(row)
    own = await inboxes(replace(row, inbox=personal, shared=False))

    assert (row.inbox, personal) == (shared, own)


async def test_an_inbox_that_cannot_be_read_is_none(network: Network) -> None:
    """The sibling is down, or unknown, or nobody has that inbox."""
    marie = await network["fr"].doctor("marie")
    await marie.posts("Syncope after exercise")
    row = await a_delivery(network)
    inboxes = Inboxes(network["fr"].node)
    nobody = await inboxes(replace(row, inbox=Uri.parse("https://de.example/doctors/x/inbox"), shared=False))
    stranger = await inboxes(replace(row, origin="https://it.example"))
    network.down.add("de")

    assert nobody is None
    assert stranger is None
    assert await inboxes(row) is None


async def test_every_chore_can_be_done(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewals, sessions, old keys, what was held too long, old rows: none of them fails on an instance at work."""
    faults: list[str] = []
    fr = network["fr"].node
    monkeypatch.setattr(fr.workers, "_fault", lambda where, fault: faults.append(f"{where}: {fault!r}"))
    marie = await network["fr"].doctor("marie")
    await marie.posts("Syncope after exercise")
    await network.settle()
    network.clock.move(days=60)
    await fr.workers.housekeep()

    assert [] == faults


async def test_a_chore_that_fails_keeps_no_other_back(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fault is one fault."""
    faults: list[str] = []
    done: list[str] = []
    fr = network["fr"].node

    async def fails() -> None:
        raise Refused("made to fail")

    async def tidies() -> None:
        done.append("tidy")

    monkeypatch.setattr(fr.workers, "_fault", lambda where, fault: faults.append(where))
    monkeypatch.setattr(fr.people, "renew_due", fails)
    monkeypatch.setattr(fr.queue, "tidy", tidies)
    await fr.workers.housekeep()

    assert (["credentials"], ["tidy"]) == (faults, done)


async def test_a_chore_that_takes_long_costs_no_lease(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Renewing thousands of credentials takes longer than a lease; another process must not take the lanes over."""
    kept = 0
    fr = network["fr"].node

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def keep(now: Any) -> None:
        nonlocal kept
        kept += 1

    async def often() -> bool:
        return kept >= 3

    monkeypatch.setattr(workers, "TICK", 0.01)
    monkeypatch.setattr(fr.people, "renew_due", hangs)
    monkeypatch.setattr(fr.queue, "keep", keep)
    await fr.workers.start()

    await until(often)

    assert fr.workers.alive


async def test_the_record_of_refusals_does_not_grow_for_ever(network: Network) -> None:
    """Strangers write ten rows a second as long as they like; after ninety days a row is forgotten, not before."""
    fr = network["fr"]
    left = []
    await fr.request("POST", "/inbox", {"Host": fr.node.authority, "Content-Type": "application/activity+json"}, b"{}")
    await fr.node.audit.flush()
    for days in (89, 2):
        network.clock.move(days=days)
        await fr.node.workers.housekeep()
        left.append(len(await rows(fr.node, "select id from refusals")))

    assert [1, 0] == left
