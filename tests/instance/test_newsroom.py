"""Imported news: from approved sources alone, at most hourly, each item once, and none of it anybody's words here."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation.wire import Wire
from instance.services.errors import Missing, Rejected
from instance.services.newsroom import CODES, MAX_SOURCES, SourceDraft
from tests.federation.servers import Handler, Listener, answers, listening
from tests.feeds import LAUGHS, RSS, an_item, rss
from tests.network.pairing_scene import administrator
from tests.town import Place, rows
from verification.people import Actor, StaffId, StaffRole

EDITOR = Actor(id=StaffId("staff-1"), roles=frozenset({StaffRole.EDITOR}))
OTHER = Actor(id=StaffId("staff-2"), roles=frozenset({StaffRole.ADMINISTRATOR}))
DRAFT = SourceDraft(name="A journal", specialty="cardiology", language="en")


@pytest.fixture
async def fr(network, tmp_path) -> AsyncIterator[Place]:
    """One instance on loopback, with a real way out."""
    town = await network()
    place = await town.add(tmp_path, "fr", origin="http://fr.localhost:8001")
    old, place.node.wire = place.node.wire, Wire(place.node.allowlist, place.node.origin, clock=town.clock)
    yield place
    await place.node.wire.close()
    place.node.wire = old


def served(body: bytes, kind: str = RSS, status: int = 200) -> Handler:
    """A publisher who answers with this."""
    return answers(status, body, {"Content-Type": kind})


async def code_of(attempt: Any) -> str:
    """The code an act is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    assert refused.value.code in CODES
    return refused.value.code


async def source(place: Place, journal: Listener | None = None, **changed: str) -> str:
    """A source that was added and approved; with an address where somebody listens."""
    address = {"address": str(journal.url("/feed"))} if journal else {}
    values = {"name": DRAFT.name, "specialty": DRAFT.specialty, "language": "en", **address, **changed}
    id = await place.node.newsroom.add(SourceDraft(**values), EDITOR)
    await place.node.newsroom.approve(id, OTHER)
    return id


async def shown(place: Place) -> list[str]:
    """The titles that are shown, by their number."""
    found = await rows(place.node, "select title from imported_items where withdrawn_at is null order by title")
    return [row["title"].removeprefix("A made-up finding ") for row in found]


async def said(place: Place) -> str:
    """Why the last reading failed."""
    (row,) = await rows(place.node, "select last_code from news_sources")
    return row["last_code"]


# ── sources ──


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": " "}, "source_unnamed"),
        ({"name": "x" * 101}, "field_too_long"),
        ({"specialty": "alchemy"}, "bad_specialties"),
        ({"language": "english"}, "bad_language"),
        ({"address": "http://journal.example/feed"}, "bad_feed_address"),
        ({"address": "https://10.0.0.1/feed"}, "bad_feed_address"),
        ({"address": "https://user:pw@journal.example/"}, "bad_feed_address"),
        ({"address": "file:///etc/passwd"}, "bad_feed_address"),
        ({"address": "http://fr.localhost:8001/feed"}, "feed_of_federation"),
    ],
)
async def test_a_source_that_cannot_be_is_refused(fr, changed, code):
    """With the code of the first thing to mend; nothing is kept."""
    values = {"name": "A journal", "specialty": "cardiology", "language": "en", **changed}

    assert code == await code_of(fr.node.newsroom.add(SourceDraft(**values), EDITOR))
    assert [] == await rows(fr.node, "select id from news_sources")


async def test_a_sibling_and_a_loopback_name_are_no_source(network):
    """What comes from a sibling comes by the federation; an instance on the net asks nobody on its own machine."""
    town = await network("fr", "de")
    add = town["fr"].node.newsroom.add
    for address, code in (
        ("https://de.example/feed", "feed_of_federation"),
        ("https://localhost/f", "bad_feed_address"),
    ):
        draft = SourceDraft(name="A", specialty="cardiology", language="en", address=address)
        assert code == await code_of(add(draft, EDITOR))


async def test_two_people_let_a_source_in(fr):
    """Whoever has added it does not approve it; it is approved once; one that is not there is missing."""
    approve = fr.node.newsroom.approve
    id = await fr.node.newsroom.add(DRAFT, OTHER)

    assert "same_person" == await code_of(approve(id, OTHER))
    await approve(id, EDITOR)
    assert "source_approved" == await code_of(approve(id, EDITOR))
    with pytest.raises(Missing):
        await approve("01JDB", EDITOR)


async def test_a_feed_is_one_source_and_sources_are_few(fr):
    """The same address twice is refused; so is one source too many."""
    one = SourceDraft(name="A", specialty="cardiology", language="en", address="https://journal.example/feed")
    await fr.node.newsroom.add(one, EDITOR)

    assert "source_known" == await code_of(fr.node.newsroom.add(one, EDITOR))
    for _ in range(MAX_SOURCES - 1):
        await fr.node.newsroom.add(DRAFT, EDITOR)
    assert "too_many_sources" == await code_of(fr.node.newsroom.add(DRAFT, EDITOR))


async def test_every_act_stands_in_the_log(fr):
    """Added, approved, taken away, ended: by whom and what, by ids."""
    ada = await administrator(fr, "ada")
    id = await fr.node.newsroom.add(DRAFT, EDITOR)
    await fr.node.newsroom.approve(id, ada)
    await fr.node.newsroom.bring(id, rss(an_item()))
    (item,) = await rows(fr.node, "select id from imported_items")
    await fr.node.newsroom.withdraw(item["id"], EDITOR)
    await fr.node.newsroom.end(id, ada)
    entries = [json.loads(row["entry"]) for row in await rows(fr.node, "select entry from audit order by n")]
    kept = [(each["act"], each["thing"]) for each in entries if each["act"].startswith("news.")]

    assert [
        ("news.source_added", f"n-{id.lower()}"),
        ("news.source_approved", f"n-{id.lower()}"),
        ("news.item_withdrawn", f"n-{item['id'].lower()}"),
        ("news.source_ended", f"n-{id.lower()}"),
    ] == kept


# ── reading ──


async def test_nobody_is_asked_before_approval_and_hourly_after_it(fr):
    """No source, no reading; one that waits is not read; then once an hour, however often it is looked."""
    newsroom, clock = fr.node.newsroom, fr.network.clock
    async with listening(served(rss(an_item(1)))) as journal:
        assert 0 == await newsroom.fetch_due()
        draft = SourceDraft(name="A", specialty="cardiology", language="en", address=str(journal.url("/feed")))
        id = await newsroom.add(draft, EDITOR)
        assert (0, 0) == (await newsroom.fetch_due(), journal.connections)
        await newsroom.approve(id, OTHER)
        counts = []
        for minutes in (0, 1, 58, 1, 30, 30):
            clock.move(minutes=minutes)
            await newsroom.fetch_due()
            counts.append(len(journal.requests))
        await newsroom.end(id, OTHER)
        clock.move(hours=2)
        await newsroom.fetch_due()

    assert [1, 1, 1, 2, 2, 3] == counts
    assert 3 == len(journal.requests)


async def test_what_is_new_comes_once(fr):
    """By its identifier or by its address: an item that stands in the next feed too is not there twice."""
    id = await source(fr)
    bring = fr.node.newsroom.bring
    first = await bring(id, rss(an_item(1), an_item(2)))
    again = await bring(id, rss(an_item(1, title="Changed"), an_item(3, guid="tag:journal.example,2")))
    moved = await bring(id, rss(an_item(4, link="https://journal.example/1"), an_item(5)))

    assert (2, 0, 1) == (first.new, again.new, moved.new)
    assert ["1", "2", "5"] == await shown(fr)


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (served(LAUGHS), "feed_doctype"),
        (served(b"<html><body/></html>", "text/html"), "feed_type"),
        (served(rss(an_item()), "application/json"), "feed_type"),
        (served(b"<html><body/></html>"), "no_feed"),
        (served(rss(an_item())[:-9]), "feed_malformed"),
        (served(b" " * 1_048_577), "too_large"),
        (served(b"", status=301), "redirected"),
        (served(b"", status=404), "http_404"),
        (served(b"", status=503), "http_503"),
    ],
)  # fmt: skip
async def test_a_feed_that_cannot_be_read_is_asked_an_hour_later(fr, handler, code):
    """The source says why; nothing is kept; and one that is good again is read."""
    async with listening(handler) as journal:
        await source(fr, journal)
        assert 1 == await fr.node.newsroom.fetch_due()
        assert 0 == await fr.node.newsroom.fetch_due()

    assert code == await said(fr)
    assert [] == await shown(fr)


async def test_a_publisher_who_is_away_is_asked_again(fr):
    """A fault is no end: after an hour the feed is read, and the source says nothing of it any more."""
    answer = {"now": served(b"", status=500)}

    async def changing(request: Any, writer: Any) -> None:
        await answer["now"](request, writer)

    async with listening(changing) as journal:
        await source(fr, journal)
        await fr.node.newsroom.fetch_due()
        assert "http_500" == await said(fr)
        answer["now"] = served(rss(an_item(1)))
        fr.network.clock.move(hours=1)
        await fr.node.newsroom.fetch_due()

    assert "" == await said(fr)
    assert ["1"] == await shown(fr)


async def test_the_request_says_nothing_of_us(fr):
    """Unsigned, without cookies; what is asked for is the feed."""
    async with listening(served(rss(an_item()))) as journal:
        await source(fr, journal)
        await fr.node.newsroom.fetch_due()
    (request,) = journal.requests

    assert ("GET", "/feed") == (request.method, request.target)
    assert {"host", "accept", "user-agent", "accept-encoding"} == set(request.headers)


# ── files ──


async def test_a_file_needs_an_approved_source(fr):
    """Without approval it is refused, and so is what is no feed; a source that is not there is missing."""
    bring = fr.node.newsroom.bring
    id = await fr.node.newsroom.add(DRAFT, EDITOR)

    assert "source_not_approved" == await code_of(bring(id, rss(an_item())))
    await fr.node.newsroom.approve(id, OTHER)
    assert "feed_doctype" == await code_of(bring(id, LAUGHS))
    assert "no_feed" == await code_of(bring(id, b""))
    assert (1, 1) == ((done := await bring(id, rss(an_item(1), an_item(2, link="javascript:x")))).new, done.left_out)
    with pytest.raises(Missing):
        await bring("01JDB", rss(an_item()))


# ── taken away ──


async def test_what_an_editor_takes_away_does_not_come_again(fr):
    """The next feed holds it still; its words are in no row; the others stay."""
    id = await source(fr)
    newsroom, feed = fr.node.newsroom, rss(an_item(1), an_item(2))
    await newsroom.bring(id, feed)
    (item,) = await rows(fr.node, "select id from imported_items where link like '%/1'")
    await newsroom.withdraw(item["id"], EDITOR)
    with pytest.raises(Missing):
        await newsroom.withdraw(item["id"], EDITOR)
    await newsroom.bring(id, feed)

    assert ["2"] == await shown(fr)
    assert 1 == len(await rows(fr.node, "select id from imported_items where title = '' and summary = ''"))


async def test_what_is_old_goes_by_itself_and_does_not_come_again(fr):
    """After the days of the setting; its place is forgotten once no feed holds it any more."""
    id = await source(fr)
    newsroom, clock = fr.node.newsroom, fr.network.clock
    await newsroom.bring(id, rss(an_item(1, pubDate="")))
    clock.move(days=91)
    await newsroom.bring(id, rss(an_item(1, pubDate=""), an_item(2), an_item(3, pubDate="")))
    await newsroom.sweep()
    first = await shown(fr)
    await newsroom.bring(id, rss(an_item(1, pubDate="")))
    again = await shown(fr)
    kept = await rows(fr.node, "select id from imported_items where withdrawn_at is not null")
    clock.move(days=91)
    await newsroom.sweep()

    assert ["3"] == first == again
    assert 1 == len(kept)
    assert [] == await rows(fr.node, "select id from imported_items where withdrawn_at is not null and title <> ''")


async def test_a_source_that_ends_takes_everything_along(fr):
    """Its items and its place; another source keeps its own."""
    one, two = await source(fr), await source(fr, name="Another")
    await fr.node.newsroom.bring(one, rss(an_item(1)))
    await fr.node.newsroom.bring(two, rss(an_item(2)))
    await fr.node.newsroom.end(one, EDITOR)

    assert ["2"] == await shown(fr)
    with pytest.raises(Missing):
        await fr.node.newsroom.end(one, EDITOR)


async def test_one_source_does_not_fill_the_newsroom(fr, monkeypatch):
    """Of more than is shown of one source the oldest go."""
    monkeypatch.setattr("instance.services.newsroom.MOST_SHOWN", 3)
    id = await source(fr)
    days = [f"{number} Nov 2026 08:00:00 GMT" for number in range(10, 20)]
    await fr.node.newsroom.bring(id, rss(*(an_item(n, pubDate=day) for n, day in enumerate(days))))

    assert ["7", "8", "9"] == await shown(fr)
