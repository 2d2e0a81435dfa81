"""A doctor who goes on in another country, as tests of both homes and of receivers need one."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from tests.network.scene import befriend
from tests.town import Network, Person, Place, rows


@pytest.fixture
async def town(network: Any) -> Network:
    """France, Germany and Austria, which list each other."""
    return await network("fr", "de", "at")


@pytest.fixture
async def marie(town: Network) -> Person:
    """Marie in France, who is about to go."""
    return await town["fr"].doctor("marie")


@pytest.fixture
async def arrived(town: Network, marie: Person) -> Person:
    """Marie in Germany: verified anew, the old address named."""
    there = await town["de"].doctor("marie")
    await there.place.node.relocations.claim(there.uri, marie.address)
    return there


async def follower(town: Network, name: str, handle: str, followee: Person) -> Person:
    """Somebody who follows."""
    person = await town[name].doctor(handle)
    await befriend(town, person, followee)
    return person


async def state(place: Place, one: Person, other: Person) -> str:
    """How one stands to the other, as this instance keeps it."""
    found = await rows(
        place.node, f"select state from follows where follower = '{one.uri}' and followee = '{other.uri}'"
    )
    return found[0]["state"] if found else ""


async def believed(place: Place, old: Person) -> tuple[str, str]:
    """The standing of the old actor here, and where they have gone."""
    found = await rows(place.node, f"select standing, moved_to from doctors where uri = '{old.uri}'")
    return (found[0]["standing"], found[0]["moved_to"]) if found else ("", "")


async def goes(old: Person, new: Person) -> None:
    """The old one says where, with everything that is asked for."""
    await old.place.node.relocations.leave(old.uri, new.address, old.handle)


async def named(place: Place, handle: str, name: str) -> Person:
    """A doctor under this name."""
    person = await place.doctor(handle)
    with sqlite3.connect(place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("update doctors set name = ? where uri = ?", (name, person.uri))
    connection.close()
    row = await place.node.people._by_handle(handle)
    issued = await place.node.people._issued(row, await place.node.people._published_multikeys(person.uri), None)

    async def work(tx: Any) -> None:
        await tx.run("people.set_credential", uri=person.uri, now=row["updated_at"] + 1, **issued)

    await place.node.store.write(work)
    return person


def names_alias(person: Person, *aliases: str) -> None:
    """As an instance would that does not ask its doctors who they are."""
    with sqlite3.connect(person.place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute(
            "update doctors set also_known_as = ?, updated_at = updated_at + 1 where uri = ?",
            (json.dumps(aliases), person.uri),
        )
    connection.close()
