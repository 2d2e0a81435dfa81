"""Home: what is new is announced, the place one had read to is kept, what waits is told, and the way back is there."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from instance.services import visits
from tests.network.scene import Visitor, home_uri
from tests.town import Network, Person, rows

TITLE = re.compile(r'class="card-title"><a[^>]*>([^<]+)<')
LINE = "You had read up to here"


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """France alone."""
    opened = await Network.open(tmp_path, "fr")
    yield opened
    await opened.close()


@pytest.fixture
async def people(network: Network) -> tuple[Person, Person]:
    """Marie, who writes, and Paul, who reads."""
    return await network["fr"].doctor("marie"), await network["fr"].doctor("paul")


def between(page: str) -> list[str]:
    """The titles of a page, with the line that says how far one had read."""
    found = re.findall(rf'class="card-title"><a[^>]*>([^<]+)<|({LINE})', page)
    return [title or line for title, line in found]


async def waits_for_places(network: Network) -> list[dict[str, Any]]:
    """The rows of places, once what is being written is written."""
    await network["fr"].node.visits.stop()
    return [dict(row) for row in await rows(network["fr"].node, "select * from reading_places order by doctor, place")]


# ── what is new ──


async def test_what_is_new_is_a_number(network: Network, people) -> None:
    """Posts above the place that the page names, in its list and under its filters, and nothing of them."""
    marie, paul = people
    await marie.posts("Before")
    visitor = await Visitor.of(paul)
    page = await visitor.text("/feed?tab=all&kind=case")
    ask = unescape(re.search(r'data-ask="([^"]+)"', page)[1])
    network.clock.move(seconds=1)
    await marie.posts("A case")
    await marie.posts("A question", kind="question")
    answers = [await visitor.get(path) for path in (ask, ask.replace("kind=case", "kind=question"), "/feed/new")]

    assert [{"new": 1}, {"new": 1}, {"new": 0}] == [json.loads(answer.body) for answer in answers]
    assert {"private, no-store"} == {answer.headers["cache-control"] for answer in answers}
    assert {"application/json"} == {answer.headers["content-type"] for answer in answers}


@pytest.mark.parametrize("query", ["", "?tab=questions&since=9-x", "?since=%00&tab=x", "?since=" + "9" * 400, "?=&&;"])
async def test_what_is_new_is_told_to_readers_alone(network: Network, people, query: str) -> None:
    """401 without a session, 403 for whoever may not read now, whatever is asked; a number for who may."""
    _, paul = people
    visitor = await Visitor.of(paul)
    stranger = {name: value for name, value in visitor.headers.items() if name != "Cookie"}
    answers = [await visitor.get(f"/feed/new{query}")]
    answers.append(await network["fr"].request("GET", f"/feed/new{query}", stranger))
    network.clock.move(days=200)
    answers.append(await (await Visitor.of(paul)).get(f"/feed/new{query}"))

    assert [200, 401, 403] == [answer.status for answer in answers]
    assert [b'{"new":0}', "not_signed_in", "expired"] == [
        answers[0].body, *(json.loads(answer.body)["error"] for answer in answers[1:])
    ]  # fmt: skip


async def test_asking_keeps_no_session_alive(network: Network, people) -> None:
    """A page left open does not stand for somebody who is there; the twin, a page that is opened, does."""
    _, paul = people
    asking, opening = await Visitor.of(paul), await Visitor.of(paul)
    for _ in range(8):
        network.clock.move(days=1)
        await asking.get("/feed/new")
        await opening.get("/feed")

    assert [401, 200] == [(await visitor.get("/feed/new")).status for visitor in (asking, opening)]


async def test_without_scripts_a_link_looks_for_more(people) -> None:
    """It asks for the same list from its top; on later pages there are the ways up."""
    marie, paul = people
    for number in range(21):
        await marie.posts(f"Case {number}")
    visitor = await Visitor.of(paul)
    first = await visitor.text("/feed?tab=all&kind=case")
    older = unescape(re.search(r'href="(/feed\?[^"]*before=[^"]+)"', first)[1])
    second = await visitor.text(older)
    newer = unescape(re.search(r'href="(/feed\?[^"]*after=[^"]+)"', second)[1])

    assert ">Look for new posts</a>" in first
    assert 'role="status"' in first
    assert "after=" not in first
    assert "data-ask" not in second
    assert '<a class="button quiet" href="/feed?tab=all&amp;kind=case">To the newest</a>' in second
    assert between(first) == between(await visitor.text(newer))
    assert 1 == len(between(second))


# ── how far one had read ──


async def test_the_line_stands_where_the_last_visit_ended(network: Network, people) -> None:
    """Below what came since, for the whole of this visit; none on a first visit, nor where nothing or all is new."""
    marie, paul = people
    await marie.posts("Old")
    visitor = await Visitor.of(paul)
    pages = [await visitor.text("/feed?tab=all")]
    network.clock.move(minutes=31)
    pages.append(await visitor.text("/feed?tab=all"))
    network.clock.move(minutes=31)
    await marie.posts("New")
    pages.append(await visitor.text("/feed?tab=all"))
    network.clock.move(minutes=20)
    await marie.posts("Newer")
    pages.append(await visitor.text("/feed?tab=all"))
    other = await visitor.text("/feed?tab=specialty")

    assert [["Old"], ["Old"], ["New", LINE, "Old"], ["Newer", "New", LINE, "Old"]] == [between(page) for page in pages]
    assert ["Newer", "New", "Old"] == between(other)


async def test_a_narrowed_list_is_no_visit(network: Network, people) -> None:
    """Who looks at questions alone has not read the rest; open questions do not go by time and bear no line."""
    marie, paul = people
    await marie.posts("Old", kind="question")
    visitor = await Visitor.of(paul)
    await visitor.text("/feed?tab=all")
    network.clock.move(minutes=31)
    await marie.posts("New", kind="question")
    narrowed = await visitor.text("/feed?tab=all&kind=question")
    questions = await visitor.text("/feed?tab=questions")
    network.clock.move(minutes=31)
    whole = await visitor.text("/feed?tab=all")

    assert ["New", "Old"] == between(questions)
    assert ["New", "Old"] == between(narrowed)
    assert ["New", LINE, "Old"] == between(whole)


async def test_a_place_outlives_a_restart_and_is_written_once_a_minute(network: Network, people) -> None:
    """A row for each list; of many looks in a minute one is written."""
    marie, paul = people
    await marie.posts("Old")
    visitor, place = await Visitor.of(paul), network["fr"]
    await visitor.text("/feed?tab=all")
    first = await waits_for_places(network)
    for _ in range(5):
        network.clock.move(seconds=10)
        await visitor.text("/feed?tab=all")
    second = await waits_for_places(network)
    network.clock.move(seconds=10)
    await visitor.text("/feed?tab=all")
    third = await waits_for_places(network)
    await place.reopen()
    network.clock.move(minutes=31)
    await marie.posts("New")
    visitor = await Visitor.of(paul)

    assert [("all", 0)] == [(row["place"], row["mark_at"]) for row in first]
    assert first == second
    assert 60_000 == third[0]["seen_at"] - first[0]["seen_at"]
    assert ["New", LINE, "Old"] == between(await visitor.text("/feed?tab=all"))


async def test_reading_goes_on_where_no_place_can_be_kept(network: Network, people, monkeypatch: Any) -> None:
    """A full disk takes the line, not the list."""
    from instance.storage.errors import StorageUnavailable

    marie, paul = people
    await marie.posts("Old")
    visitor = await Visitor.of(paul)

    async def fails(*_: Any, **__: Any) -> Any:
        raise StorageUnavailable("storage_full", "of ours")

    monkeypatch.setattr(network["fr"].node.store, "write", fails)
    page = await visitor.text("/feed?tab=all")
    kept = await waits_for_places(network)

    assert ["Old"] == between(page)
    assert [] == kept


async def test_the_way_back_leads_to_the_card(people) -> None:
    """From a post to the page of the list it was opened from; who came otherwise is led to the feed."""
    marie, paul = people
    slug = await marie.posts("A case")
    visitor, author = await Visitor.of(paul), await Visitor.of(marie)
    feed_page = await visitor.text("/feed?tab=all&kind=case")
    post, other = await visitor.text(f"/posts/{slug}"), await author.text(f"/posts/{slug}")

    assert f'id="p-{slug}"' in feed_page
    assert f'href="/feed?tab=all&amp;kind=case#p-{slug}" class="way-back"' in post
    assert f'href="/feed#p-{slug}" class="way-back"' in other


def test_the_places_in_memory_are_bounded() -> None:
    """Of twenty thousand readers the last are remembered."""
    kept = visits.Visits(None)  # type: ignore[arg-type]
    for number in range(20_005):
        kept.leave(f"reader {number}", f"/feed?before={number}")

    assert ["/feed", "/feed?before=20004"] == [kept.left("reader 4"), kept.left("reader 20004")]


# ── what waits, and how long ──


async def test_how_long_somebody_waits_is_told_in_steps(network: Network, people) -> None:
    """Nothing for a moment, then minutes by tens, hours, days; the answer ends it, and the time it took stays."""
    marie, paul = people
    uri = home_uri(marie.place, await marie.posts("How long?", kind="question"))
    visitor, told = await Visitor.of(paul), []
    for passed in ({"minutes": 9}, {"minutes": 16}, {"hours": 2}, {"days": 2}):
        network.clock.move(**passed)
        told += re.findall(r'class="waiting">([^<]+)<', await visitor.text("/feed?tab=questions")) or [""]
    await paul.comments(uri, "Now.")
    page = await visitor.text("/feed?tab=questions")

    assert ["", "waiting for 20 minutes", "waiting for 2 hours", "waiting for 2 days"] == told
    assert "first answer after 2 days" in page
    assert 'class="waiting"' not in page
    assert "No answer yet" not in page


async def test_the_median_is_told_where_there_is_one(network: Network, people) -> None:
    """Of three answered questions the middle one; taken anew after some minutes; below three, and elsewhere, none."""
    marie, paul = people
    visitor, said = await Visitor.of(paul), []
    for number, minutes in enumerate((10, 90, 30)):
        uri = home_uri(marie.place, await marie.posts(f"Question {number}", kind="question"))
        network.clock.move(minutes=minutes)
        await paul.comments(uri, "An answer.")
        said += re.findall(r"last 30 days: ([^<]+)\.<", await visitor.text("/feed?tab=questions")) or [""]
    network.clock.move(minutes=1)
    await marie.posts("For a circle", kind="question", audience="colleagues")
    said += re.findall(r"last 30 days: ([^<]+)\.<", await visitor.text("/feed?tab=questions"))

    assert ["", "", "30 minutes", "30 minutes"] == said
    assert "last 30 days" not in await visitor.text("/feed?tab=all")


@pytest.mark.parametrize(
    ("tab", "says", "leads"),
    [
        ("specialty", "Nothing in your specialty yet", "/write?kind=question"),
        ("colleagues", "Nothing yet from doctors you follow", "/colleagues"),
        ("questions", "Nobody is waiting for an answer", "/write?kind=question"),
        ("all", "Nothing has been written yet", "/write?kind=question"),
    ],
)
async def test_an_empty_list_says_what_to_do_next(people, tab: str, says: str, leads: str) -> None:
    """Each in its own words, with the way; a filter that fits nothing can be cleared there."""
    visitor = await Visitor.of(people[1])
    page = await visitor.text(f"/feed?tab={tab}")
    narrowed = await visitor.text(f"/feed?tab={tab}&specialty=urology&solved=yes")
    form = await visitor.text("/write?kind=question")

    assert says in page.split('class="empty"')[1]
    assert f'href="{leads}"' in page.split('class="empty"')[1]
    assert "Only: <strong>Urology · solved</strong>" in narrowed
    assert 2 == narrowed.count(f'href="/feed?tab={tab}">Clear filter</a>')
    assert '<option value="urology" selected>' in narrowed
    assert 'value="question" checked' in form


# ── #doctoctoc ──


FORM = {
    "title": "A rash", "text": "What is this? #DocTocToc", "specialty": ["dermatology"], "language": "en",
    "audience": "federation", "form_key": "01JDB00000000000000000KEY1",
}  # fmt: skip


async def test_what_calls_on_colleagues_is_offered_to_be_a_question(network: Network, people) -> None:
    """Nothing is published before the answer; as a question or as it is, whichever is pressed."""
    visitor = await Visitor.of(people[1])
    offered = await visitor.post("/write", kind="case", **FORM)
    before = await rows(network["fr"].node, "select kind from posts")
    as_is = await visitor.post("/write", kind="case", offered="case", **FORM)
    question = await visitor.post("/write", kind="case", offered="question", **{**FORM, "form_key": "k2"})
    kinds = [row["kind"] for row in await rows(network["fr"].node, "select kind from posts order by sort_at, slug")]
    page = await visitor.text("/feed?tab=questions")

    assert (200, []) == (offered.status, before)
    assert b'name="offered" value="question"' in offered.body
    assert b"What is this? #DocTocToc" in offered.body
    assert [303, 303] == [as_is.status, question.status]
    assert ["case", "question"] == kinds
    assert '<a class="tag" href="/feed?tab=questions">#doctoctoc</a>' in page


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("case", "No call."),
        ("question", "#doctoctoc"),
        ("case", "#doctoctocs"),
        ("case", "a#doctoctoc"),
        ("case", "doctoctoc"),
    ],
)
async def test_other_posts_are_published_at_once(network: Network, people, kind: str, text: str) -> None:
    """The twin: a question already, or no such tag."""
    visitor = await Visitor.of(people[1])
    answer = await visitor.post("/write", kind=kind, **{**FORM, "text": text})

    assert 303 == answer.status
    assert [kind] == [row["kind"] for row in await rows(network["fr"].node, "select kind from posts")]
