"""FEP-8fcf: where the two ends of a follow do not agree, the digest on the next message has them mended, both ways."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from federation import synchronisation
from federation.wire import Response
from instance.services import synchronising
from tests.network.converging import differences
from tests.network.scene import Liar, all_follow, befriend, reads_of
from tests.town import Network, Person, Place, rows

LIST = "/doctors/anna/followers"


@pytest.fixture
async def people(town: Network) -> dict[str, Person]:
    """Marie in France and Luca in Italy follow Anna in Germany."""
    return await all_follow(town, "anna")


def spoil(place: Place, sql: str) -> None:
    """Change a row behind the instance's back, as whatever no log explains would."""
    with closing(sqlite3.connect(place.config.database.removeprefix("sqlite:///"), timeout=5)) as connection:
        connection.execute(sql)
        connection.commit()


async def next_message(town: Network, anna: Person) -> None:
    """Anna says something; a minute later it is looked at what her message said of her followers."""
    town.clock.move(minutes=6)
    await anna.posts("Something")
    await town.settle()
    await town.catch_up()


async def follows(place: Place) -> list[tuple[str, str]]:
    """Who follows whom there, and how far."""
    found = await rows(place.node, "select follower, state from follows where followee like '%anna' order by follower")
    return [(row["follower"].rpartition("/")[2], row["state"]) for row in found]


async def test_who_agrees_asks_nothing(town: Network, people: dict[str, Person]) -> None:
    """Each message bears the digest of the receiver's part alone (A103), and nobody reads a list."""
    seen: dict[str, str] = {}
    true = town.request

    async def watch(method: str, url: Any, headers: dict[str, str], body: bytes) -> Response:
        if synchronisation.HEADER in headers:
            seen[url.origin] = headers[synchronisation.HEADER]
        return await true(method, url, headers, body)

    town.request = watch  # type: ignore[method-assign]
    await next_message(town, people["anna"])

    assert 0 == reads_of(town, LIST)
    for name, origin in (("marie", "https://fr.example"), ("luca", "https://it.example")):
        assert seen[origin].endswith(f'digest="{synchronisation.digest([str(people[name].uri)])}"')


async def test_whom_their_home_does_not_count_follows_no_more(town: Network, people: dict[str, Person]) -> None:
    """Germany has lost Marie's follow: France holds it no longer either; Luca's is left alone."""
    spoil(town["de"], f"delete from follows where follower = '{people['marie'].uri}'")
    unequal = await differences(town)
    await next_message(town, people["anna"])

    assert unequal
    assert [] == await follows(town["fr"])
    assert [("luca", "accepted")] == await follows(town["it"]) == await follows(town["de"])
    assert [] == await differences(town)


async def test_whom_their_home_counts_has_been_accepted(town: Network, people: dict[str, Person]) -> None:
    """The yes never came: Germany counts Marie, so France does."""
    spoil(town["fr"], "update follows set state = 'pending', answered_at = null")
    await next_message(town, people["anna"])

    assert [("marie", "accepted")] == await follows(town["fr"])
    assert [] == await differences(town)


async def test_a_home_that_counts_one_who_left_is_told_again(town: Network, people: dict[str, Person]) -> None:
    """The Undo never came: France says it once more, and Germany counts Marie no longer."""
    spoil(town["fr"], "delete from follows")
    await next_message(town, people["anna"])
    await town.settle()

    assert [("luca", "accepted")] == await follows(town["de"])
    assert [] == await follows(town["fr"])
    assert [] == await differences(town)


@pytest.mark.parametrize("lie", ["others", "not whole", "another list"])
async def test_a_list_ends_nothing_that_it_does_not_prove(town: Network, people: dict[str, Person], lie: str) -> None:
    """Others' doctors in it are none of our business, and of a list that is not whole nothing is concluded."""
    spoil(town["de"], f"delete from follows where follower = '{people['marie'].uri}'")

    def bend(document: dict[str, Any]) -> Any:
        if lie == "others":
            return {**document, "orderedItems": [str(people["luca"].uri), str(people["marie"].uri)], "totalItems": 2}
        if lie == "not whole":
            return {**document, "orderedItems": [], "totalItems": 5}
        return {**document, "id": "https://de.example/doctors/berta/followers"}

    liar = Liar(town["de"], LIST, bend)
    await next_message(town, people["anna"])
    liar.honest()

    assert 1 == reads_of(town, LIST)
    assert [("marie", "accepted")] == await follows(town["fr"])
    assert [("luca", "accepted")] == await follows(town["it"])


async def test_one_list_is_read_once_an_hour(town: Network, people: dict[str, Person]) -> None:
    """However often its digest differs: here the home shows a list that it does not sign for."""
    spoil(town["de"], f"delete from follows where follower = '{people['marie'].uri}'")
    gone = Response(404, {"content-type": "application/json"}, json.dumps({"error": "not_found"}).encode())
    liar = Liar(town["de"], LIST, lambda _: gone)
    for _ in range(4):
        await next_message(town, people["anna"])
    early = reads_of(town, LIST)
    liar.honest()
    town.clock.move(minutes=62)
    await next_message(town, people["anna"])

    assert (1, 2) == (early, reads_of(town, LIST))
    assert [] == await follows(town["fr"])


async def writes_of(place: Place, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count from now on every transaction that an instance writes."""
    seen: list[str] = []
    true = place.node.store.write

    async def counting(work: Any, **options: Any) -> Any:
        seen.append(getattr(work, "__name__", "work"))
        return await true(work, **options)

    monkeypatch.setattr(place.node.store, "write", counting)
    return seen


async def test_names_that_are_nobodys_cost_nothing(
    town: Network, people: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of names of ours that no doctor of ours has: one transaction, for Marie, whom it does not list."""
    spoil(town["de"], f"delete from follows where follower = '{people['marie'].uri}'")
    names = [f"https://fr.example/doctors/no{number}" for number in range(900)]

    def bend(document: dict[str, Any]) -> Any:
        return {**document, "orderedItems": names, "totalItems": len(names)}

    Liar(town["de"], LIST, bend)
    town.clock.move(minutes=6)
    await people["anna"].posts("Something")
    await town.settle()
    await town["fr"].node.synchronising.begin_due()
    town.clock.move(minutes=2)
    given = await rows(town["fr"].node, "select origin, last_number from lanes order by origin")
    written = await writes_of(town["fr"], monkeypatch)
    await town["fr"].node.synchronising.poll_due()

    assert 1 == reads_of(town, LIST)
    assert 1 == len(written)
    assert [tuple(row) for row in given] == [
        tuple(row) for row in await rows(town["fr"].node, "select origin, last_number from lanes order by origin")
    ]
    assert [] == await follows(town["fr"])


async def test_many_relations_are_mended_in_steps(
    town: Network, people: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin: whom the home does not list any more follows no more, a step of them in one transaction."""
    monkeypatch.setattr(synchronising, "STEP", 2)
    fr = town["fr"]
    for handle in ("paul", "lise", "remy"):
        await befriend(town, await fr.doctor(handle), people["anna"])
    town.clock.move(minutes=62)
    await people["anna"].posts("Before")
    await town.settle()
    await town.catch_up()
    spoil(town["de"], "delete from follows where follower like 'https://fr.example/%'")
    town.clock.move(minutes=62)
    await people["anna"].posts("Something")
    await town.settle()
    await fr.node.synchronising.begin_due()
    town.clock.move(minutes=2)
    written = await writes_of(fr, monkeypatch)
    await fr.node.synchronising.poll_due()

    assert 2 == len(written)
    assert [] == await follows(fr)
    assert [("luca", "accepted")] == await follows(town["de"])
