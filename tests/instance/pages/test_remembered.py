"""Cards are read and rendered once per version: what is remembered of one is never shown after it has changed."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest
from msgspec.structs import replace

from instance.services.publishing import PostDraft
from instance.times import to_ms
from instance.views import cards, feed
from instance.views.feed_json import feed_json
from instance.views.marks import Moment
from tests.network.scene import Visitor, home_uri
from tests.town import Network, Person, Place

CARD = re.compile(r'<li class="card">.*?</li>', re.DOTALL)


async def shown(reader: Person) -> tuple[list[str], list[dict]]:
    """The cards on this reader's page, without tags, and those of the document."""
    visitor = await Visitor.of(reader)
    page = CARD.findall(await visitor.text("/feed?tab=all"))
    return [" ".join(re.sub(r"<[^>]+>", " ", card).split()) for card in page], await visitor.feed_json()


def draft(title: str, audience: str = "federation") -> PostDraft:
    """A version of the one post."""
    return PostDraft(
        kind="case", title=title, text="Made up.", specialties=("cardiology",), audience=audience, language="en",
        named=(),
    )  # fmt: skip


def change(place: Place, statement: str) -> None:
    """Let another process of this instance change a row."""
    with sqlite3.connect(place.config.database.removeprefix("sqlite:///")) as file:
        file.execute(statement)


@pytest.fixture
async def people(network: Network) -> tuple[Person, Person, Person]:
    """Marie with a post, Paul at home and Anna abroad; both have seen it."""
    made = await network["fr"].doctor("marie"), await network["fr"].doctor("paul"), await network["de"].doctor("anna")
    await made[0].posts("First words")
    await network.settle()
    for person in made:
        cards_shown, items = await shown(person)
        assert (1, 1) == (len(cards_shown), len(items))
    return made


async def slug_of(marie: Person) -> str:
    """The one post."""
    return (await shown(marie))[1][0]["url"].removeprefix("/posts/")


async def test_an_edited_post_is_shown_as_it_is(network: Network, people) -> None:
    """Title and mark of an edit, at home and abroad, on the page and in the document."""
    marie, paul, anna = people
    network.clock.move(seconds=5)
    await marie.place.node.publishing.edit(marie.uri, await slug_of(marie), draft("Second words"))
    await network.settle()

    for person in (marie, paul, anna):
        page, items = await shown(person)
        assert ["Second words"] == [item["title"] for item in items]
        assert items[0]["updated"] is not None
        assert "Second words" in page[0]
        assert page[0].endswith("edited")


@pytest.mark.parametrize("audience", ["colleagues", "national"])
async def test_a_narrowed_post_is_shown_to_nobody_else(network: Network, people, audience: str) -> None:
    """Whoever is outside sees it no more, whatever was remembered of it; the author sees who can read it now."""
    marie, paul, anna = people
    network.clock.move(seconds=5)
    await marie.place.node.publishing.edit(marie.uri, await slug_of(marie), draft("First words", audience))
    at_once = [len((await shown(person))[1]) for person in (marie, paul)]
    await network.settle()

    assert [1, int(audience == "national")] == at_once
    assert ([], []) == await shown(anna)
    assert audience == (await shown(marie))[1][0]["audience"]
    assert "All verified doctors" not in (await shown(marie))[0][0]


async def test_answers_are_counted_as_they_come_and_go(network: Network, people) -> None:
    """The number on the card is that of the thread, for every reader."""
    marie, paul, anna = people
    uri, counts = home_uri(marie.place, await slug_of(marie)), []
    slug = await paul.comments(uri, "An answer.")
    await network.settle()
    counts.append([(await shown(person))[1][0]["answers"] for person in people])
    await paul.place.node.publishing.withdraw_comment(paul.uri, slug)
    await network.settle()
    counts.append([(await shown(person))[1][0]["answers"] for person in people])

    assert [[1, 1, 1], [0, 0, 0]] == counts
    assert "No answer yet" in (await shown(anna))[0][0]


async def test_a_mark_lapses_by_the_clock_and_by_a_decision(network: Network, people) -> None:
    """Nothing remembered keeps a doctor verified: neither past the end of the standing nor after a suspension."""
    marie, paul, anna = people
    before = [(await shown(person))[1][0]["author"]["verified"] for person in (paul, anna)]
    at = to_ms(network.clock()) - 1
    change(network["de"], f"update doctors set valid_until = {at} where uri = '{marie.uri}'")
    abroad = await shown(anna)
    await marie.place.node.people.suspend("marie", by="test", reason="test")
    at_home = await shown(paul)

    assert [True, True] == before
    for page, items in (abroad, at_home):
        assert not items[0]["author"]["verified"]
        assert "no longer verified" in page[0]


async def test_an_author_is_shown_as_they_are_called_now(network: Network, people) -> None:
    """A new name stands on the old cards; of whoever has left, none."""
    marie, paul, _ = people
    later = to_ms(network.clock()) + 1
    change(network["fr"], f"update doctors set name = 'Dr Anew', updated_at = {later} where uri = '{marie.uri}'")
    renamed = await shown(paul)
    change(network["fr"], f"update doctors set gone_at = {later} where uri = '{marie.uri}'")
    left = await shown(paul)

    assert ("Dr Anew", True) == (renamed[1][0]["author"]["name"], "Dr Anew" in renamed[0][0])
    assert (None, None, False) == tuple(left[1][0]["author"][name] for name in ("name", "address", "verified"))
    assert "Dr Anew" not in left[0][0]


async def test_a_post_that_came_again_is_linked_where_it_is_now(network: Network, people) -> None:
    """A copy that was dropped and read anew has another address here; nothing remembered leads to the old one."""
    _, _, anna = people
    (card,) = (await feed.home(anna.place.node.store, anna.uri, tab="all")).cards
    again = replace(card, slug="01ARZ3NDEKTSV4RRFFQ69G5FAV")
    found = [json.loads(feed_json(feed.FeedPage(cards=[one]), Moment(0)))["items"][0]["url"] for one in (card, again)]
    linked = [str(cards.cards_html([one], "en", "DE", Moment(0))) for one in (card, again)]

    assert [f"/posts/{one.slug}" for one in (card, again)] == found
    assert all(f'href="/posts/{one.slug}"' in html for one, html in zip((card, again), linked, strict=True))


async def test_a_card_speaks_the_readers_language(network: Network, people) -> None:
    """What was rendered for one reader is not shown in that language to another."""
    store = people[0].place.node.store
    listed = (await feed.home(store, people[0].uri, tab="all")).cards
    words = [str(cards.cards_html(listed, language, "FR", Moment(0))) for language in ("en", "de", "fr", "en")]

    assert ["No answer yet", "Noch keine Antwort", "Pas encore de réponse", "No answer yet"] == [
        re.search(r'class="answers none">.*?</svg>\s*([^<]+)<', html, re.DOTALL)[1] for html in words
    ]
