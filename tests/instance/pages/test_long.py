"""Lists that grow: long threads and many colleagues come in pages, and nothing falls between two of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from instance.views import feed
from tests.instance.pages.house import House, close_house, open_house
from tests.instance.pages.rows import DE, FR, IT, NOW, Rows
from tests.instance.pages.scene import fill

ANSWERS, FOLLOWERS = 120, 70
ITEMS = re.compile(r'<li id="(\w+)" class="answer')


def fill_long(rows: Rows) -> None:
    """A thread of three pages, the last answer given to the first; and more followers than a page holds."""
    fill(rows)
    marie, leo = f"{FR}/doctors/marie", f"{FR}/doctors/leo"
    post = rows.post(marie, "A long discussion", hours_ago=0.01)
    first = rows.comment(leo, post, "<p>Answer 0</p>", hours_ago=0.5)
    for number in range(1, ANSWERS):
        rows.comment(leo, post, f"<p>Answer {number}</p>", parent=first if number < 60 else "", hours_ago=0.4)
    for number in range(FOLLOWERS):
        rows.follow(rows.doctor(f"colleague{number}", f"Dr Colleague {number:03d}", "cardiology"), marie)


@pytest.fixture
async def long(tmp_path: Path) -> AsyncIterator[House]:
    """The instance after years."""
    opened = await open_house(tmp_path, fill_long)
    yield opened
    await close_house(opened)


async def slug_of(house: House) -> str:
    """The long discussion."""
    page = await feed.home(house.node.store, f"{FR}/doctors/marie", tab="all", count=50)
    return next(card.slug for card in page.cards if card.title == "A long discussion")


async def test_a_long_thread_comes_in_pages(long):
    """Every answer stands on exactly one of them, and the heading counts all."""
    marie, slug = await long.doctor("marie"), await slug_of(long)
    pages = [await marie.text(f"/posts/{slug}?page={number}") for number in (1, 2, 3)]
    shown = [found for page in pages for found in ITEMS.findall(page)]

    assert [50, 50, 20] == [len(ITEMS.findall(page)) for page in pages]
    assert ANSWERS == len(set(shown))
    assert all("120 answers" in page for page in pages)
    assert ("Later answers" in pages[0], "Later answers" in pages[2]) == (True, False)


@pytest.mark.parametrize(("asked", "page"), [("0", 1), ("-1", 1), ("99", 3), ("99999999", 1), ("x", 1), ("%C2%B2", 1)])
async def test_a_page_that_is_not_there_is_the_nearest(long, asked, page):
    """Whatever stands in the address, a page is shown."""
    marie, slug = await long.doctor("marie"), await slug_of(long)

    assert f"Page {page} of 3" in await marie.text(f"/posts/{slug}?page={asked}")


async def test_an_answer_is_found_on_its_page(long):
    """Its own address leads there, whoever thanks for it stays there, and a parent elsewhere is a link away."""
    marie, slug = await long.doctor("marie"), await slug_of(long)
    last = ITEMS.findall(await marie.text(f"/posts/{slug}?page=3"))[-1]
    led = await marie.get(f"/comments/{last}")
    thanked = await marie.post(f"/comments/{last}/thanks")
    second = await marie.text(f"/posts/{slug}?page=2")

    assert f"/posts/{slug}?page=3#{last}" == led.headers["Location"]
    assert led.headers["Location"] == thanked.headers["Location"]
    assert 'href="/comments/' + ITEMS.findall(await marie.text(f"/posts/{slug}"))[0] in second


async def test_every_follower_is_on_a_page(long):
    """Nobody is out of reach because there are many."""
    marie = await long.doctor("marie")
    path, seen = "/colleagues/followers", []
    while path:
        page = await marie.text(path)
        seen += re.findall(r"Dr Colleague \d{3}", page)
        more = re.search(r'href="(/colleagues/followers\?[^"]+)"', page)
        path = more[1] if more else ""

    assert FOLLOWERS == len(seen) == len(set(seen))


def fill_deliveries(rows: Rows) -> None:
    """A post of Marie's: one sibling lost it again, one is being tried, and a colleague recommended it."""
    fill(rows)
    post = rows.uri_of(rows.post(f"{FR}/doctors/marie", "How far am I?"))
    at = int(NOW.timestamp() * 1000)

    def said(kind: str, origin: str, state: str, actor: str = "marie") -> str:
        uri = f"{FR}/activities/{rows.ulid()}"
        rows.insert(
            "activities", uri=uri, actor=f"{FR}/doctors/{actor}", type=kind, object=post, body=b"", published_at=at
        )
        rows.insert(
            "deliveries", id=rows.ulid(), origin=origin, inbox=f"{origin}/inbox", shared=1, activity=uri,
            actor=f"{FR}/doctors/{actor}", object=post, priority=3, state=state, created_at=at, due_at=at,
        )  # fmt: skip
        return uri

    def has(origin: str, version: str, released: int | None = None) -> None:
        rows.insert(
            "copies", object=post, origin=origin, sent_at=at, delivered_at=at, version=version, released_at=released
        )

    has(DE, said("Create", DE, "done"))
    has(IT, said("Create", IT, "done"), at)
    said("Update", DE, "resting")
    said("Delete", IT, "done")
    said("Announce", DE, "dead", "leo")


async def test_the_author_sees_where_the_post_is(tmp_path):
    """A version that rests is tried again, what was taken back counts no more, others' recommendations are not hers."""
    house = await open_house(tmp_path, fill_deliveries)
    marie = await house.doctor("marie")
    found = await marie.get("/doctors/marie")
    address = re.search(r'href="(/posts/\w+)"[^>]*>How far', await found.get_data(as_text=True))[1]
    shown = re.search(r'<details class="delivered">.*?</details>', await marie.text(address), re.DOTALL)[0]
    await close_house(house)

    assert "Delivered to 0 of 1 instance<" in shown
    said = re.sub(r"<[^>]+>", " ", shown)
    assert re.search(
        r"esanum Deutschland\s+has held it since .* earlier version\. The newest version:\s+on its way", said
    )
    assert re.search(r"esanum Italia\s+deletion confirmed on", said)
    assert "Not taken" not in shown
