"""What the script of the feed adds: news are announced and not put in, and the way back leads to where one was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from instance.hot.answers import Answers
from instance.hot.feed import HomeFeed
from instance.services.publishing import PostDraft
from tests.browser.conftest import Port, Shown
from tests.instance.pages.house import FR, close_house, open_house
from tests.instance.pages.rows import Rows
from tests.instance.pages.scene import fill

LOOK = "import(document.querySelector('script[src*=\"feed.js\"]').src).then((feed) => feed.look())"
MANY = 45


class Front:
    """The pages, with what stands in front of them for the feed."""

    def __init__(self, node: Any, pages: Any) -> None:
        self._pages, self._feed = pages, HomeFeed(node, Answers(secure=False))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == "/feed/new":
            await self._feed.news(scope, send, scope["query_string"].decode())
        else:
            await self._pages(scope, receive, send)


def fill_many(rows: Rows) -> None:
    """More than two pages of posts."""
    fill(rows)
    for number in range(MANY):
        rows.post(f"{FR}/doctors/leo", f"Discussion {number}", "<p>Made up.</p>", hours_ago=10 + number)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Shown]:
    """The scene with many posts, served with its front."""
    port, house = Port(), await open_house(tmp_path, fill_many)
    house.app = Front(house.node, house.app)  # type: ignore[assignment]
    try:
        async with port.serving(house) as shown:
            yield shown
    finally:
        await close_house(house)


async def publishes(shown: Shown, title: str) -> None:
    """Leo writes something while somebody reads."""
    shown.house.now += timedelta(minutes=1)
    draft = PostDraft(
        kind="case", title=title, text="Made up.", specialties=("cardiology",), audience="national", language="en"
    )
    await shown.house.node.publishing.publish(f"{FR}/doctors/leo", draft)


async def test_what_comes_is_announced_and_shown_by_one_key(home: Shown) -> None:
    """The list stays as it is under the reader; the line says how many, and leads to them from the keyboard."""
    async with home.visit() as visit:
        page = visit.page
        await visit.sign_in("marie")
        await visit.open("/feed?tab=all")
        before = await page.locator(".card-title").all_inner_texts()
        height = await page.evaluate("document.body.scrollHeight")
        await page.evaluate(LOOK)
        nothing = await page.inner_text(".arrived")
        said = []
        for title in ("Came first", "Came second"):
            await publishes(home, title)
            await page.evaluate(LOOK)
            said.append(await page.inner_text(".arrived"))
        after = await page.locator(".card-title").all_inner_texts()
        moved = abs(await page.evaluate("document.body.scrollHeight") - height)
        await page.focus(".arrived a")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="Came second").wait_for()
        shown = await page.locator(".card-title").all_inner_texts()

        assert "Look for new posts" == nothing
        assert ["1 new post – show", "2 new posts – show"] == said
        assert before == after
        assert moved < 2
        assert ["Came second", "Came first", *before[:18]] == shown
        assert [] == visit.complaints


async def test_the_way_back_leads_to_where_one_was(home: Shown) -> None:
    """The browser's own way restores the place; the page's leads to the card, on the page of the list it stands on."""
    async with home.visit(has_touch=True, is_mobile=True) as visit:
        page = visit.page
        await visit.sign_in("marie")
        await visit.open("/feed?tab=all&kind=case")
        await page.get_by_role("link", name="Show older").click()
        await page.wait_for_url("**before=**")
        address = page.url
        link = page.locator(".card-title a").nth(14)
        await link.scroll_into_view_if_needed()
        place = await page.evaluate("scrollY")
        card = await page.locator(".cards article").nth(14).get_attribute("id")
        await link.click()
        await page.wait_for_url("**/posts/**")
        await page.go_back(wait_until="load")
        await page.wait_for_function(f"Math.abs(scrollY - {place}) < 60")
        restored = page.url
        await page.locator(f"#{card} .card-title a").click()
        await page.wait_for_url("**/posts/**")
        back = page.locator(".way-back")
        await back.press("Enter")
        await page.wait_for_url(f"**#{card}")
        box = await page.locator(f"#{card}").bounding_box()

        assert place > 1000
        assert address == restored
        assert f"{address}#{card}" == page.url
        assert 0 <= box["y"] < 400
        assert [] == visit.complaints
