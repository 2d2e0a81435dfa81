"""The number of notices while a page is open, for those who see it, hear it, or have no scripts."""

from __future__ import annotations

import asyncio

from playwright.async_api import Page, expect

from instance.services import notices
from tests.browser.test_keyboard import press_until

BADGE = "[data-unread]"


async def told(shown, number: int) -> None:
    """Anna does so many more things that concern Marie."""
    node, house = shown.house.node, shown.house
    marie, anna = f"{node.origin}/doctors/marie", "https://de.example/doctors/anna.weber"
    for each in range(number):
        await node.store.write(
            lambda tx, about=f"{each} of {number}": notices.put(tx, marie, "answer", anna, now=house.now, about=about)
        )


async def ticked(page: Page) -> None:
    """Until the page has heard something."""
    async with asyncio.timeout(10):
        while not await page.evaluate("window.ticks.length"):
            await asyncio.sleep(0.05)


async def test_the_number_goes_up_while_the_page_is_open(shown):
    """It is seen, read out politely, told to the page's other scripts; the keyboard leads to what is new."""
    async with shown.visit(language="de") as visit:
        page = visit.page
        await page.add_init_script(
            "window.ticks = []; document.addEventListener('esanum:tick', (event) => window.ticks.push(event.detail));"
        )
        await visit.sign_in("marie")
        await visit.open("/feed")
        await ticked(page)
        before, quiet = await page.inner_text(f"{BADGE} > :first-child"), await page.inner_text("[data-unread-said]")
        await told(shown, 2)
        await expect(page.locator(f"{BADGE} > :first-child")).to_have_text("5")
        name = await page.text_content(f"{BADGE} .unseen")
        said = await page.text_content("[data-unread-said]")
        ticks = await page.evaluate("window.ticks")
        assert await press_until(visit, "Hinweise")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/notices")
        await visit.keep_picture("notices-de")

        assert ("3", "") == (before, quiet)
        assert "5 neue Hinweise" == name == said
        assert {"kind": "unread", "unread": 5} == {key: ticks[-1][key] for key in ("kind", "unread")}
        assert [] == [line for line in visit.complaints if "events" in line]


async def test_without_scripts_the_page_says_how_many_there_were(shown):
    """Each page as it is opened; devices are explained, and nothing is offered that needs scripts."""
    async with shown.visit(java_script_enabled=False) as visit:
        await visit.be(await shown.house.doctor("marie"))
        await visit.open("/feed")
        before = await visit.page.inner_text(f"{BADGE} > :first-child")
        await told(shown, 1)
        await visit.open("/me/notifications")

        assert "3" == before
        assert "4" == await visit.page.inner_text(f"{BADGE} > :first-child")
        assert not await visit.page.is_visible("[data-push-on]")
        assert await visit.page.is_visible("[data-push-said]")
