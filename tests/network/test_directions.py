"""The allowlist in its four directions, under every policy, and when it is empty, absent or cannot be read (N1, A62)."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from federation.errors import Refused
from tests.doorway import a_create, instance_key, reads, says
from tests.town import Network, Person, Place, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
DE = "https://de.example"


class Town(NamedTuple):
    """France, whose policy changes, and Germany, which lists it throughout."""

    network: Network
    fr: Place
    de: Place
    marie: Person
    anna: Person


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: Any) -> AsyncIterator[Town]:
    """Opened once; each case sets the policy anew."""
    network = await Network.open(tmp_path_factory.mktemp("town"), "fr", "de")
    fr, de = network["fr"], network["de"]
    yield Town(network, fr, de, await fr.doctor("marie"), await de.doctor("anna"))
    await network.close()


async def enter(town: Town) -> None:
    """List Germany again, as it was."""
    if DE not in {sibling.origin for sibling in town.fr.node.allowlist()}:
        await town.fr.admits(town.de)
    elif (await town.fr.node.siblings.show(DE)).policy != "inherit":
        await town.fr.node.siblings.set_policy(DE, "inherit", by="test", reason="test")


def spoil(town: Town, sql: str) -> None:
    """Lay hands on the rows, as a fault would."""
    path = town.fr.config.database.removeprefix("sqlite:///")
    connection = sqlite3.connect(path, timeout=10)
    with connection:
        connection.execute(sql)
        connection.execute("update versions set value = value + 1 where name = 'allowlist'")
    connection.close()


async def come_in(town: Town) -> str:
    """They post to our inbox."""
    answer = await says(town.anna, town.fr, a_create(town.anna))
    return "open" if answer.status == 202 else f"{answer.status} {refused(answer)[1]}"


async def go_out(town: Town) -> str:
    """We post to theirs."""
    before = len(town.network.contacts)
    await town.fr.node.allowlist.refresh_if_changed()
    await town.marie.posts("Going out")
    await town.network.settle()
    posted = [contact for contact in town.network.contacts[before:] if contact.method == "POST"]
    return "open" if posted else "closed"


async def fetch(town: Town) -> str:
    """We read at theirs."""
    before = len(town.network.contacts)
    await town.fr.node.allowlist.refresh_if_changed()
    try:
        await town.fr.node.directory.find_handle("anna@de.example")
    except Refused as refusal:
        assert before == len(town.network.contacts)
        return refusal.answer_code
    return "open"


async def serve(town: Town) -> str:
    """They read at ours."""
    answer = await reads(town.de, town.fr, "/doctors/marie")
    return "open" if answer.status == 200 else f"{answer.status} {refused(answer)[1]}"


CLOSED = ("403 not_a_sibling", "closed", "not_a_sibling", "403 not_a_sibling")
CASES = {
    "inherit": ("open", "open", "open", "open"),
    "read-only": ("open", "closed", "open", "403 sibling_read_only"),
    "pause": ("403 sibling_paused", "closed", "sibling_paused", "403 sibling_paused"),
    "block": ("403 sibling_blocked", "closed", "sibling_blocked", "403 sibling_blocked"),
    "absent": CLOSED,
    "empty": CLOSED,
    "unreadable": CLOSED,
    "unknown policy": CLOSED,
}


@pytest.mark.parametrize("case", CASES)
async def test_each_direction_under_each_policy(town, case):
    """In, out, our fetches, theirs: what each policy opens and with which code it closes; a fault closes everything."""
    await enter(town)
    match case:
        case "absent":
            await town.fr.node.siblings.remove(DE, by="test", reason="test")
        case "empty":
            await town.fr.node.siblings.remove(DE, by="test", reason="test")
            assert 0 == len(town.fr.node.allowlist())
        case "unreadable":
            spoil(town, "update siblings set issuer_keys = 'nonsense'")
        case "unknown policy":
            spoil(town, "update siblings set kinds_in = '[\"anything\"]'")
        case "inherit":
            pass
        case policy:
            await town.fr.node.siblings.set_policy(DE, policy, by="test", reason="test")
    town.network.clock.move(seconds=30)

    found = (await come_in(town), await go_out(town), await fetch(town), await serve(town))
    if case in ("unreadable", "unknown policy"):
        spoil(town, "delete from siblings")
        await town.fr.node.allowlist.refresh_if_changed()

    assert CASES[case] == found


async def test_the_pages_go_on_without_siblings(town):
    """N2, N22: with nobody on the list, our own doctors read and write; the landing page and sign-in answer."""
    from tests.network.scene import Visitor

    await enter(town)
    await town.fr.node.siblings.remove(DE, by="test", reason="test")
    visitor = await Visitor.of(town.marie)
    slug = await town.marie.posts("Alone")

    assert "Alone" in await visitor.text(f"/posts/{slug}")
    for target in ("/", "/sign-in", "/actor", "/nodeinfo/2.1"):
        answer = await town.fr.request("GET", target, {"Host": "fr.example", "Accept": "*/*"})
        assert (200, False) == (answer.status, b"Alone" in answer.body)
    await enter(town)


async def test_the_sibling_is_told_which_of_us_closed(town):
    """The twin at the other side: Germany's key still signs, France answers by its own policy alone."""
    await enter(town)
    key = await instance_key(town.de)

    assert key.owner == town.de.node.actor
    assert "open" == await serve(town)
