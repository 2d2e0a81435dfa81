"""Kept messages are worked off sibling by sibling, and what siblings said is written down and counted."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from federation.uri import Uri
from federation.vocabulary import Like, Update
from federation.wire import NotReached
from instance.services import inbound
from instance.storage import sqlite_writer
from instance.storage.errors import StorageError
from instance.times import to_ms
from tests.doorway import a_create, a_post, an_act, says
from tests.town import Network, Person, refused, rows


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """Three countries that list each other."""
    found = await Network.open(tmp_path, "fr", "de", "it")
    yield found
    await found.close()


async def announces_a_change(author: Person, to: Any, times: int) -> None:
    """Post Updates that name only an address, so that the receiver has to read at home."""
    await says(author, to, a_create(author, a_post(author)))
    for number in range(times):
        where = Uri.parse(f"{author.place.node.origin}/posts/made-to-be-read-{number}")
        await says(author, to, an_act(author, Update, object=where))


async def test_a_sibling_that_hangs_delays_nobody_elses_kept_messages(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F33, P4: its first message meets the silence, its others wait with it, and the rest is worked off beside."""
    fr, asked, released = network["fr"], [], asyncio.Event()
    luca, anna = await network["it"].doctor("luca"), await network["de"].doctor("anna")
    await announces_a_change(luca, fr, 3)
    await announces_a_change(anna, fr, 1)
    get = fr.node.wire.get

    async def hangs(url: Uri, headers: Any, **options: Any) -> Any:
        if url.origin != "https://it.example":
            return await get(url, headers, **options)
        asked.append(url)
        await released.wait()
        raise NotReached("deadline")

    monkeypatch.setattr(fr.node.wire, "get", hangs)
    working = asyncio.create_task(fr.node.inbound.apply_next())
    async with asyncio.timeout(10):
        while await open_rows(fr, "https://de.example"):
            await asyncio.sleep(0.01)
    still = await open_rows(fr, "https://it.example")
    released.set()
    await working

    assert 3 == still
    assert 1 == len(asked)
    assert 0 == await fr.node.inbound.apply_next()


async def test_what_arrives_while_a_sibling_hangs_is_worked_off(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker goes on with the others' next messages; the one that hangs is left alone, and goes on later itself."""
    fr, released = network["fr"], asyncio.Event()
    luca, anna = await network["it"].doctor("luca"), await network["de"].doctor("anna")
    await announces_a_change(luca, fr, 2)
    get = fr.node.wire.get

    async def hangs(url: Uri, headers: Any, **options: Any) -> Any:
        if url.origin == "https://it.example":
            await released.wait()
        return await get(url, headers, **options)

    monkeypatch.setattr(fr.node.wire, "get", hangs)
    first = await fr.node.inbound.begin_due()
    await announces_a_change(anna, fr, 1)
    second = await fr.node.inbound.begin_due()
    async with asyncio.timeout(10):
        while await open_rows(fr, "https://de.example"):
            await asyncio.sleep(0.01)
    still = await open_rows(fr, "https://it.example")
    third = await fr.node.inbound.begin_due()
    released.set()
    await fr.node.inbound.rest()

    assert (2, 1, 0) == (first, second, third)
    assert 2 == still
    assert 0 == await open_rows(fr, "https://it.example")


async def test_the_worker_waits_for_no_sibling(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with the loop that runs beside the server; a stop leaves what hangs to be worked off again."""
    fr = network["fr"]
    luca, anna = await network["it"].doctor("luca"), await network["de"].doctor("anna")
    await announces_a_change(luca, fr, 1)
    get = fr.node.wire.get

    async def hangs(url: Uri, headers: Any, **options: Any) -> Any:
        if url.origin == "https://it.example":
            await asyncio.Event().wait()
        return await get(url, headers, **options)

    monkeypatch.setattr(fr.node.wire, "get", hangs)
    await fr.node.workers.start()
    await asyncio.sleep(0.1)
    await announces_a_change(anna, fr, 1)
    async with asyncio.timeout(5):
        while await open_rows(fr, "https://de.example"):
            await asyncio.sleep(0.01)
    await fr.node.workers.stop()

    assert 1 == await open_rows(fr, "https://it.example")


async def test_one_message_asks_other_homes_for_so_long_and_no_longer(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is put off, and no try is counted; what its sibling sent after it is put off with it or goes on."""
    fr = network["fr"]
    luca = await network["it"].doctor("luca")
    await announces_a_change(luca, fr, 2)
    asked: list[Uri] = []

    async def hangs(url: Uri, headers: Any, **options: Any) -> Any:
        asked.append(url)
        await asyncio.Event().wait()

    monkeypatch.setattr(fr.node.wire, "get", hangs)
    monkeypatch.setattr(inbound, "PATIENCE", 0.05)
    await fr.node.inbound.apply_next()

    assert 1 == len(asked)
    assert [("waiting", 0)] * 2 == [
        tuple(row) for row in await rows(fr.node, "select state, attempts from inbound where type = 'Update'")
    ]
    assert 0 == await fr.node.inbound.begin_due()


async def test_trouble_with_one_siblings_rows_stops_nobody_elses(network: Network) -> None:
    """A line that the database does not take: the others' messages are read to their end, and the worker hears of it."""
    fr, held, released = network["fr"], asyncio.Event(), asyncio.Event()
    luca, anna = await network["it"].doctor("luca"), await network["de"].doctor("anna")
    await announces_a_change(luca, fr, 2)
    await announces_a_change(anna, fr, 2)
    with closing(sqlite3.connect(fr.node.config.database.removeprefix("sqlite:///"), isolation_level=None)) as file:
        file.execute(
            "create trigger spoilt before update on inbound when old.origin = 'https://it.example' "
            "begin select raise(abort, 'spoilt'); end"
        )
    network.down.add("it")
    get = fr.node.wire.get

    async def slowly(url: Uri, headers: Any, **options: Any) -> Any:
        if url.origin == "https://de.example":
            held.set()
            await released.wait()
        return await get(url, headers, **options)

    fr.node.wire.get = slowly  # type: ignore[method-assign]
    working = asyncio.create_task(fr.node.inbound.apply_next())
    await held.wait()
    while not any(contact.url.startswith("https://it.example/posts") for contact in network.contacts):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    early = working.done()
    released.set()
    with pytest.raises(StorageError):
        await working

    assert not early
    assert (2, 0) == (await open_rows(fr, "https://it.example"), await open_rows(fr, "https://de.example"))


async def test_a_message_that_is_refused_does_not_stand_for_contact(network: Network) -> None:
    """Its rows are undone, and the note that its sibling spoke with them: the next one writes it down."""
    fr, anna = network["fr"], await network["de"].doctor("anna")
    answer = await says(anna, fr, an_act(anna, Like, object=Uri.parse("https://fr.example/posts/not-here")))
    before = await spoken(fr)
    await says(anna, fr, a_create(anna, a_post(anna)))
    first = await spoken(fr)
    network.clock.move(seconds=5)
    await says(anna, fr, a_create(anna, a_post(anna)))
    soon = await spoken(fr)
    network.clock.move(seconds=5)
    await says(anna, fr, a_create(anna, a_post(anna)))
    start = to_ms(network.clock())

    assert (403, "not_visible") == refused(answer)
    assert ([], [start - 10_000], [start - 10_000], [start]) == (before, first, soon, await spoken(fr))


async def test_a_repeat_is_counted_as_one(network: Network) -> None:
    """Also of what waits: siblings that send again do not look like siblings that send more."""
    fr, anna = network["fr"], await network["de"].doctor("anna")
    create = a_create(anna, a_post(anna))
    update = an_act(anna, Update, object=Uri.parse("https://de.example/posts/made-to-be-read"))
    for activity in (create, create, update, update):
        await says(anna, fr, activity)
        network.clock.move(seconds=1)
    counted = {
        (sample.labels["type"], sample.labels["outcome"]): sample.value
        for metric in fr.node.metrics.received.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }

    assert {"Create applied", "Create repeated", "Update waiting", "Update repeated"} == {" ".join(k) for k in counted}
    assert {1.0} == set(counted.values())


SPOILT = "create trigger spoilt before insert on posts begin select raise(abort, 'spoilt'); end"


async def test_a_database_that_is_busy_for_long_costs_a_message_nothing(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time the effect meets a lock that somebody else holds: the row waits, no try is counted, and it is applied."""
    fr, anna = network["fr"], await network["de"].doctor("anna")
    with closing(outside(fr)) as file:
        file.execute(SPOILT)
        await says(anna, fr, a_create(anna, a_post(anna)))
        file.execute("drop trigger spoilt")
        write, met = fr.node.store.write, 0

        async def met_by_a_lock(work: Any, **options: Any) -> Any:
            nonlocal met
            met += 1
            if met % 2:  # the effect; what follows it is how the row is put off
                file.execute("begin immediate")
                try:
                    return await write(work, **options)
                finally:
                    file.execute("rollback")
            return await write(work, **options)

        with monkeypatch.context() as busy:
            busy.setattr(fr.node.store, "write", met_by_a_lock)
            busy.setattr(sqlite_writer, "BUSY_SECONDS", 0.02)
            for _ in range(7):
                await fr.node.inbound.apply_next()
                network.clock.move(seconds=30)
        early = await standing(fr)
        await fr.node.inbound.apply_next()

    assert 14 == met
    assert [("waiting", 0)] == early
    assert [("applied", 0)] == await standing(fr)
    assert ["Made-up case"] == await fr.titles()


async def test_an_effect_that_the_database_forbids_fails_after_five_tries(network: Network) -> None:
    """The twin: the database is there and says no, which is the message's own trouble."""
    fr, anna = network["fr"], await network["de"].doctor("anna")
    found = []
    with closing(outside(fr)) as file:
        file.execute(SPOILT)
        await says(anna, fr, a_create(anna, a_post(anna)))
        for _ in range(6):
            await fr.node.inbound.apply_next()
            network.clock.move(hours=1)
            found += await standing(fr)

    assert [*[("waiting", tries) for tries in (1, 2, 3, 4)], ("failed", 5), ("failed", 5)] == found
    assert [] == await fr.titles()


@pytest.mark.parametrize(("back", "tries"), [({"hours": -2}, 2), ({"seconds": -2}, 1)])
async def test_a_clock_set_back_keeps_no_message_waiting(network: Network, back: dict[str, float], tries: int) -> None:
    """F26, F32: what was to be tried again hours ahead is tried now; the twin: within its wait a message waits."""
    fr, anna = network["fr"], await network["de"].doctor("anna")
    network.clock.move(hours=2)
    with closing(outside(fr)) as file:
        file.execute(SPOILT)
        await says(anna, fr, a_create(anna, a_post(anna)))
        await fr.node.inbound.apply_next()
        network.clock.move(**back)
        await fr.node.inbound.apply_next()

    assert [("waiting", tries)] == await standing(fr)


def outside(place: Any) -> sqlite3.Connection:
    """Another program that has the database open."""
    return sqlite3.connect(place.node.config.database.removeprefix("sqlite:///"), isolation_level=None)


async def standing(place: Any) -> list[tuple[str, int]]:
    """State and counted tries of every message."""
    return [tuple(row) for row in await rows(place.node, "select state, attempts from inbound order by id")]


async def spoken(place: Any) -> list[int]:
    """When siblings were last heard of."""
    return [row["last_in_at"] for row in await rows(place.node, "select last_in_at from sibling_contacts")]


async def open_rows(place: Any, origin: str) -> int:
    """How many messages of this sibling wait."""
    found = await rows(place.node, "select origin from inbound where state = 'waiting'")
    return sum(row["origin"] == origin for row in found)
