"""A doctor without a mouse, and one without scripts."""

from __future__ import annotations

import pytest

from tests.instance.pages.rows import PASSWORD


async def press_until(visit, text: str, most: int = 60) -> bool:
    """Press Tab until the focus is on something with this text; False when it never is."""
    for _ in range(most):
        await visit.page.keyboard.press("Tab")
        if text in await visit.page.evaluate("document.activeElement.textContent || document.activeElement.id"):
            return True
    return False


async def test_the_way_from_the_sign_in_to_an_answer_needs_no_pointer(shown):
    """Sign in, open a discussion from the feed and reach the box for the answer, by keyboard alone."""
    async with shown.visit() as visit:
        page = visit.page
        await visit.open("/sign-in")
        await page.focus("#login")
        await page.keyboard.type("marie")
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/feed**")
        assert await press_until(visit, "Syncope after exercise")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/posts/**")
        for _ in range(80):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.id") == "text":
                break

        assert "text" == await page.evaluate("document.activeElement.id")


async def test_the_first_key_leads_past_the_navigation(shown):
    """The first stop is the link to the text, and it is seen when it has the focus."""
    async with shown.visit() as visit:
        await visit.sign_in("marie")
        await visit.open("/feed")
        await visit.page.keyboard.press("Tab")
        box = await visit.page.locator(".skip").bounding_box()

        assert "#main" == await visit.page.evaluate("document.activeElement.getAttribute('href')")
        assert box["y"] >= 0


async def test_text_is_made_larger_without_a_pointer(shown):
    """From the own account to the size of text and back, by keyboard alone; the page says what was kept."""
    async with shown.visit() as visit:
        page = visit.page
        await visit.sign_in("marie")
        await visit.open("/me")
        assert await press_until(visit, "Language and appearance")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/me/appearance")
        for _ in range(40):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.name") == "text_size":
                break
        for _ in range(3):
            await page.keyboard.press("ArrowRight")
        group = await page.evaluate("document.activeElement.closest('fieldset').querySelector('legend').textContent")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**saved=preferences")

        assert "Size of text" == group
        assert "Saved." == await page.inner_text(".saved[role=status]")
        assert "27px" == await page.evaluate("getComputedStyle(document.documentElement).fontSize")


@pytest.mark.parametrize("path", ["/feed?tab=all", "/me", "/me/appearance"])
async def test_the_focus_is_seen_and_not_covered(shown, path):
    """Wherever Tab leads, the element shows an outline and is not hidden by the bar below (WCAG 2.4.7, 2.4.11)."""
    covered = []
    async with shown.visit() as visit:
        await visit.sign_in("marie")
        await visit.open(path)
        for _ in range(30):
            await visit.page.keyboard.press("Tab")
            state = await visit.page.evaluate(
                """() => {
                  const e = document.activeElement, r = e.getBoundingClientRect();
                  const bar = document.querySelector('.bar').getBoundingClientRect();
                  if (e === document.body) return ['', '', false];  // past the last stop, in the browser's own frame
                  const under = !e.closest('.bar') && r.top >= bar.top;
                  return [e.textContent.trim().slice(0, 20), getComputedStyle(e).outlineStyle, under];
                }"""
            )
            if state[1] == "none" or state[2]:
                covered.append(state)

    assert [] == covered


async def test_everything_works_without_scripts(shown):
    """Language and sign-out are plain forms; after signing out this device keeps not even the language."""
    async with shown.visit(java_script_enabled=False) as visit:
        await visit.sign_in("marie")
        await visit.page.click("text=Deutsch")
        assert "Besprechungen" in await visit.page.inner_text("h1")
        await visit.page.click("text=Abmelden")

        assert "Sign in" in await visit.page.inner_text("main")


async def test_a_form_whose_sending_was_stopped_can_be_sent_again(shown):
    """Stopped, or lost with the line: a second press at once is none; after some seconds the page is as it was."""
    async with shown.visit() as visit:
        await visit.page.clock.install()
        await visit.sign_in("marie")
        await visit.open("/me/appearance")
        tried = []

        async def lost(route):
            tried.append(route.request.method)
            await route.abort("aborted")

        await visit.page.route("**/me/preferences", lost)
        press = "form[action='/me/preferences'] button"
        await visit.page.focus(press)
        for _ in range(2):
            await visit.page.keyboard.press("Enter")
            await visit.page.wait_for_timeout(200)
        at_once = len(tried)
        await visit.page.clock.run_for(10_000)
        held = await visit.page.get_attribute(press, "aria-disabled")
        await visit.page.unroute("**/me/preferences")
        await visit.page.click(press)
        await visit.page.wait_for_url("**/me/appearance?saved=preferences")

        assert (1, None) == (at_once, held)


async def test_a_mistake_is_named_linked_and_nothing_is_lost(shown):
    """A wrong password: the mistake is read first, its link leads to the field, the name is still there."""
    async with shown.visit() as visit:
        await visit.open("/sign-in")
        await visit.page.fill("#login", "marie")
        await visit.page.fill("#password", "something else here")
        await visit.page.click("main button")
        await visit.page.wait_for_selector("#mistakes")
        assert "mistakes" == await visit.page.evaluate("document.activeElement.id")
        await visit.page.click("#mistakes a")

        assert "password" == await visit.page.evaluate("document.activeElement.id")
        assert "marie" == await visit.page.input_value("#login")
