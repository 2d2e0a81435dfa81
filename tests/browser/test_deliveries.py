"""Deliveries in a browser: a dead letter is sent again by keyboard alone, and every page of it is for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_accessibility import check
from tests.browser.test_desk import Room, room, tab_to
from tests.instance.pages.desk_house import Desk
from tests.instance.pages.test_deliveries import PATH, dies, waits
from tests.town import PASSWORD

__all__ = ["room"]
LANE = PATH + "/de.localhost:8002"


async def fill(desk: Desk, folder: Path) -> str:
    """Germany is away with dead letters and others that wait, Italy holds everything, Spain is paused; a post's slug."""
    for name in ("de", "it", "es"):
        other = await desk.network.add(folder, name, origin=f"http://{name}.localhost:8002")
        await desk.place.admits(other)
        await other.admits(desk.place)
    await desk.network.settle()
    desk.network.down.add("de")
    marie = await waits(desk, 2)
    await dies(desk, "unknown_context", origin="http://de.localhost:8002")
    await desk.node.siblings.set_policy("http://es.localhost:8002", "pause", by="test", reason="test")
    slug = await marie.posts("Where am I?")
    gone = await marie.posts("Taken back")
    await desk.network.settle()
    await desk.node.publishing.withdraw(marie.uri, gone)
    await desk.network.settle()
    desk.move(minutes=10)
    return f"{slug} {gone}"


async def test_a_dead_letter_is_sent_again_by_keyboard(room: Room, tmp_path: Path) -> None:
    """From the tab to the sibling, its dead letters and back, at the width of a telephone."""
    await fill(room.desk, tmp_path)
    room.desk.network.down.clear()
    async with room.shown.visit(width=360) as visit:
        page = visit.page
        await room.enter(visit, "ada", "administrator")
        await visit.open("/administration")
        for selector in (f"a[href='{PATH}']", f".card-title a[href='{LANE}']", f"form[action='{LANE}/letters'] button"):
            await tab_to(page, selector)
            async with page.expect_navigation():
                await page.keyboard.press("Enter")
        said, text = await page.inner_text(".saved"), await page.inner_text("main")
        complaints = visit.complaints + visit.foreign
    await room.desk.network.settle()

    assert "The dead letters are on their way again." == said
    assert "There is no dead letter." in text
    assert "Made up" not in text
    assert (3, []) == (len(await room.desk.network["de"].titles()), complaints)


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 1280), ("de", "dark", 360), ("fr", "light", 360)]
)
async def test_every_page_of_it_is_for_everybody(
    room: Room, axe: Any, tmp_path: Path, language: str, scheme: str, width: int
) -> None:
    """No violation of the checker, nothing cut or small: the administrator's pages, and where an author's post is."""
    slug, gone = (await fill(room.desk, tmp_path)).split()
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        await room.enter(visit, "ada", "administrator")
        wrong = await check(visit, axe, [f"{PATH}/es.localhost:8002", PATH, LANE])
        await visit.keep_picture(f"lane-{scheme}-{language}")
        await visit.open(PATH)
        await visit.keep_picture(f"deliveries-{scheme}-{language}")
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        marie = room.desk.house.visitor()
        await marie.post("/sign-in", login="marie", password=PASSWORD)
        await visit.be(marie)
        await visit.open(f"/posts/{slug}")
        await visit.page.click(".delivered summary")
        await visit.keep_picture(f"arrivals-{scheme}-{language}")
        wrong += await check(visit, axe, [f"/posts/{slug}", "/me/withdrawn", f"/me/withdrawn/{gone}"])
        await visit.keep_picture(f"withdrawn-{scheme}-{language}")

    assert [] == wrong
