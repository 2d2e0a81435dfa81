"""N34: a thread is whole, or says how many answers are not here yet (FEP-7888, FEP-f228), within bounds (A78)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation import render
from federation.wire import Response
from instance.services import threads
from tests.doorway import a_comment, a_create
from tests.network.scene import Liar, Visitor, befriend, home_uri, reads_of, stored
from tests.town import Network, Person, Place, rows

CONTENT = ("comments", "posts", "mentions", "notifications", "tombstones", "missing_answers")


@pytest.fixture
async def people(town: Network) -> dict[str, Person]:
    """One doctor in each, who know each other."""
    found = {
        name: await town[name].doctor(handle) for name, handle in (("fr", "marie"), ("de", "anna"), ("it", "luca"))
    }
    for one in found.values():
        await one.posts(f"Hello from {one.handle}")
    await town.settle()
    return found


async def thread_of(town: Network, people: dict[str, Person], answers: int = 2) -> str:
    """Anna's case in Germany, Marie's answers from France, of which Italy got none."""
    slug = await people["de"].posts("A case")
    await town.settle()
    town.swallows = lambda method, url, body: method == "POST" and "it.example" in url
    for number in range(answers):
        await people["fr"].comments(home_uri(town["de"], slug), f"Answer {number}")
        await town.settle()
    town.swallows = lambda *_: False
    return str(home_uri(town["de"], slug))


async def page(reader: Person, uri: str, language: str = "en") -> str:
    """What the reader sees of it."""
    visitor = await Visitor.of(reader)
    return await visitor.text(f"/posts/{await reader.slug_of(uri)}?lang={language}")


async def compared(place: Place) -> None:
    """Everything wanted is compared."""
    await place.node.threads.poll_due()


async def test_what_is_missing_is_fetched_where_it_was_written(town: Network, people: dict[str, Person]) -> None:
    """Italy reads the case: what Germany lists and Italy lacks is read in France, once, and shown."""
    uri = await thread_of(town, people)
    before = await page(people["it"], uri)
    await compared(town["it"])
    after = await page(people["it"], uri)
    town.clock.move(minutes=3)
    asked = reads_of(town, "/context")
    await page(people["it"], uri)
    await compared(town["it"])

    assert "Answer 0" not in before
    assert "Answer 0" in after
    assert "Answer 1" in after
    assert "not here yet" not in after
    assert (1, 1) == (asked, reads_of(town, "/context"))
    await town.catch_up(minutes=62)
    assert 2 == len(await town["it"].answers())


async def test_what_cannot_be_had_yet_is_counted(town: Network, people: dict[str, Person]) -> None:
    """France is away: the page says how many are missing; when it is back they come."""
    uri = await thread_of(town, people)
    town.down.add("fr")
    await page(people["it"], uri)
    await compared(town["it"])
    missing = await page(people["it"], uri)
    town.down.clear()
    town.clock.move(minutes=6)
    await page(people["it"], uri)
    await compared(town["it"])

    assert "2 answers are not here yet" in missing
    assert "No answer yet" not in missing
    whole = await page(people["it"], uri)
    assert "Answer 1" in whole
    assert "not here yet" not in whole


async def test_what_our_own_rules_keep_out_is_said_apart(town: Network, people: dict[str, Person]) -> None:
    """Italy has blocked France: nothing is asked there, and the page says that its own rules are why."""
    uri = await thread_of(town, people, 1)
    await town["it"].node.siblings.set_policy(town["fr"].node.origin, "block", "test", "test")
    asked = reads_of(town, "fr.example")
    await page(people["it"], uri)
    await compared(town["it"])
    shown = await page(people["it"], uri)

    assert "1 answer is not shown under this instance’s rules" in shown
    assert "not here yet" not in shown
    assert asked == reads_of(town, "fr.example")
    assert [] == await town["it"].answers()


async def test_no_more_is_asked_than_twenty_times(town: Network, people: dict[str, Person]) -> None:
    """A78: of thirty that are missing nineteen come with one look, the rest with the next; nothing before its time."""
    uri = await thread_of(town, people, 30)
    before = len(town.contacts)
    await page(people["it"], uri)
    await compared(town["it"])
    first = [contact.url for contact in town.contacts[before:] if contact.method == "GET"]
    shown = await page(people["it"], uri)
    town.clock.move(minutes=6)
    await page(people["it"], uri)
    await compared(town["it"])

    assert threads.FETCHES == len([url for url in first if "/comments/" in url or "/context" in url])
    assert "11 answers are not here yet" in shown
    assert 30 == len(await town["it"].answers())


async def test_a_circle_s_answers_are_not_read_where_they_are_not_for_us(
    town: Network, people: dict[str, Person]
) -> None:
    """S8: in a thread of Anna's circle France shows Italy nothing; Italy counts what Germany has yet to pass on."""
    await befriend(town, people["fr"], people["de"])
    await befriend(town, people["it"], people["de"])
    slug = await people["de"].posts("For my circle", audience="colleagues")
    await town.settle()
    uri = home_uri(town["de"], slug)
    town.swallows = lambda method, url, body: method == "POST" and "it.example" in url
    await people["fr"].comments(uri, "Inside")
    await town.settle()
    town.swallows = lambda *_: False
    await page(people["it"], uri)
    await compared(town["it"])
    missing = await page(people["it"], uri)
    await town.catch_up(minutes=62)

    assert "1 answer is not here yet" in missing
    assert "Inside" in await page(people["it"], uri)


@pytest.mark.parametrize("lie", ["stranger", "other thread", "other author", "other id", "other list", "no list"])
async def test_a_list_that_lies_brings_nothing_in(town: Network, people: dict[str, Person], lie: str) -> None:
    """N3, A46: strangers' addresses are never asked, what is not an answer of this thread by its author is not kept."""
    uri = await thread_of(town, people, 1)
    target = uri.removeprefix("https://de.example")
    other = await thread_of(town, people, 0)
    comment = a_comment(people["fr"], other if lie == "other thread" else uri)
    shown = json.loads(render.comment(comment))
    if lie == "other author":
        shown["attributedTo"] = str(people["it"].uri)
    if lie == "other id":
        shown["id"] = shown["id"] + "x"
    item = "https://evil.example/comments/1" if lie == "stranger" else str(comment.id)

    def bend(document: dict[str, Any]) -> Any:
        if lie == "no list":
            return Response(200, {"content-type": "application/activity+json"}, render.activity(a_create(people["de"])))
        named = {"id": "https://de.example/posts/other/context"} if lie == "other list" else {}
        return {**document, **named, "orderedItems": [item], "items": [item], "totalItems": 1}

    true = Liar(town["de"], f"{target}/context", bend)
    written = Liar(town["fr"], comment.id.target, lambda _: shown)
    before = await stored(town["it"], CONTENT[:-1])
    await page(people["it"], uri)
    await compared(town["it"])
    true.honest()
    written.honest()

    assert before == await stored(town["it"], CONTENT[:-1])
    assert [] == [contact for contact in town.contacts if "evil" in contact.url]


async def test_our_own_threads_are_compared_with_nobody(town: Network, people: dict[str, Person]) -> None:
    """Here is their home: reading them asks nobody anything, and misses nothing."""
    uri = await thread_of(town, people, 1)
    asked = reads_of(town, "/context")
    shown = await page(people["de"], uri)
    await compared(town["de"])

    assert "Answer 0" in shown
    assert asked == reads_of(town, "/context")
    assert [] == await rows(town["de"].node, "select * from missing_answers")
