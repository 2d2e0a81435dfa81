"""Who of the siblings may read a post or an answer here, decided anew at each reading by who is in its audience now."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation.uri import Uri
from tests.doorway import reads
from tests.town import Network, Person, Place, rows

#: Whom a discussion of Germany's is for, and which siblings may read a French answer in it.
FOREIGN = {
    "federation": {"de": 200, "it": 200},
    "colleagues": {"de": 200, "it": 404},
    "named": {"de": 200, "it": 404},
    "named to Italy too": {"de": 200, "it": 200},
}


@pytest.fixture
async def town(tmp_path: Any) -> AsyncIterator[Network]:
    """France, Germany and Italy, which list each other."""
    network = await Network.open(tmp_path, "fr", "de", "it")
    yield network
    await network.close()


@pytest.fixture
async def marie(town: Network) -> Person:
    """Who writes in France."""
    return await town["fr"].doctor("marie")


@pytest.fixture
async def anna(town: Network) -> Person:
    """Who reads and writes in Germany."""
    return await town["de"].doctor("anna")


async def statuses(town: Network, target: str) -> dict[str, int]:
    """What each sibling is answered in France."""
    return {name: (await reads(town[name], town["fr"], target)).status for name in ("de", "it")}


def change(place: Place, sql: str, *values: Any) -> None:
    """Change rows behind the instance's back."""
    with sqlite3.connect(place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute(sql, values)
    connection.close()


@pytest.mark.parametrize("whom", FOREIGN)
async def test_an_answer_elsewhere_is_read_by_the_home_and_by_the_audience(town, marie, anna, whom):
    """In another's discussion: its home, everybody where it is for everybody, the named where they live; nobody else."""
    luca = await town["it"].doctor("luca")
    await marie.follows(anna)
    await luca.follows(anna)
    await town.settle()
    named = (marie.address, luca.address) if whom == "named to Italy too" else (marie.address,)
    audience = whom.partition(" ")[0]
    slug = await anna.posts("Hers", audience=audience, **({"named": named} if audience == "named" else {}))
    await town.settle()
    made = await marie.comments(f"https://de.example/posts/{slug}", "An answer.")

    assert FOREIGN[whom] == await statuses(town, f"/comments/{made}")


@pytest.mark.parametrize("audience", ["colleagues", "named"])
async def test_a_doctor_who_has_left_opens_nothing(town, marie, anna, audience):
    """The only follower there, or the only one named: their instance read the post, and does not any more."""
    await anna.follows(marie)
    await town.settle()
    named = {"named": (anna.address,)} if audience == "named" else {}
    slug = await marie.posts("For her", audience=audience, **named)
    made = await marie.comments(f"https://fr.example/posts/{slug}", "And more.")
    before = [await statuses(town, target) for target in (f"/posts/{slug}", f"/comments/{made}")]
    change(town["fr"], "update doctors set gone_at = 1 where uri = ?", anna.uri)
    after = [await statuses(town, target) for target in (f"/posts/{slug}", f"/comments/{made}")]

    assert [{"de": 200, "it": 404}] * 2 == before
    assert [{"de": 404, "it": 404}] * 2 == after


async def test_a_kind_that_is_not_opened_to_a_sibling_is_not_there_for_it(town, marie, anna):
    """Neither the post nor an answer in it; a kind that is open is, and so are both for another sibling."""
    slugs = {kind: await marie.posts("One", kind=kind) for kind in ("case", "question")}
    made = {kind: await marie.comments(f"https://fr.example/posts/{slugs[kind]}", "More.") for kind in slugs}
    await town["fr"].node.siblings.set_kinds("https://de.example", ("case",), ("case",), by="admin", reason="test")

    shown = {
        kind: [await statuses(town, target) for target in (f"/posts/{slugs[kind]}", f"/comments/{made[kind]}")]
        for kind in slugs
    }

    assert {"case": [{"de": 200, "it": 200}] * 2, "question": [{"de": 404, "it": 200}] * 2} == shown


async def test_an_activity_whose_delivery_was_dropped_was_not_sent(town, marie, anna):
    """Dropped before it left (the sibling was removed meanwhile, say): nobody there may read it; sent, they may."""
    await town["de"].doctor("berta")
    await town["fr"].node.directory.find_handle("anna@de.example")
    await marie.follows(anna)
    sent = Uri.parse((await rows(town["fr"].node, "select uri from activities where type = 'Follow'"))[0]["uri"]).target
    before = await statuses(town, sent)
    change(town["fr"], "update deliveries set state = 'dropped'")

    assert ({"de": 200, "it": 404}, {"de": 404, "it": 404}) == (before, await statuses(town, sent))
