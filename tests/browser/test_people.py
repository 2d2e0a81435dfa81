"""Colleagues on a phone: found, put on a list and muted without a pointer."""

from __future__ import annotations

from tests.browser.test_accessibility import check_here
from tests.browser.test_keyboard import press_until


async def test_a_colleague_is_found_listed_and_muted_by_keyboard(shown, axe):
    """At 360 px: a list is made, a colleague abroad found by filter, put on it, muted; every page passes the checker."""
    async with shown.visit() as visit:
        page = visit.page
        await visit.sign_in("marie")
        await visit.open("/lists")
        await page.focus("#name")
        await page.keyboard.type("Rhythmus")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/lists/*")
        wrong = await check_here(visit, axe)
        await visit.open("/colleagues")
        assert await press_until(visit, "Language and role")
        await page.keyboard.press("Enter")
        await page.focus("#language")
        await page.keyboard.type("German")
        await page.focus("#q")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**language=de**")
        assert await press_until(visit, "Dr. Anna Weber")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/doctors/**")
        for opened, pressed, said in (
            ("Put on a list", "Put on", "Put on your list."),
            ("Mute this doctor", "Mute", "Muted."),
        ):
            assert await press_until(visit, opened)
            await page.keyboard.press("Enter")
            assert await press_until(visit, pressed)
            await page.keyboard.press("Enter")
            await page.wait_for_selector(f".saved:has-text('{said}')")
        wrong += await check_here(visit, axe)
        await visit.open("/colleagues/muted")

        assert "Dr. Anna Weber" in await page.inner_text("main")
        assert [] == wrong
