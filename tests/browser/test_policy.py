"""Countries' policies in a browser: two administrators open the student role by keyboard, and every page is for everybody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_accessibility import check, check_here
from tests.browser.test_desk import Room, room, tab_to
from verification.dossier import Country
from verification.standing import Action

__all__ = ["room"]
READING = "/policy/DE/change?what=students&right=read"


async def press(page: Any, selector: str, key: str = "Enter") -> None:
    """Reach something by Tab and press a key that leads on."""
    await tab_to(page, selector)
    async with page.expect_navigation():
        await page.keyboard.press(key)


async def test_two_administrators_let_students_in_by_keyboard(room: Room) -> None:
    """From the own page to the preview, the reason and the proposal; the second confirms; no pointer anywhere."""
    node, said = room.desk.node, {}
    async with room.shown.visit(width=1280) as visit:
        page = visit.page
        await room.enter(visit, "ada", "administrator")
        await visit.open("/me")
        await press(page, "a[href='/policy']")
        await press(page, "a[href='/policy/DE']")
        await tab_to(page, "#right-read")
        await page.keyboard.press("Space")
        await press(page, "form[aria-labelledby=students-title] button")
        preview = await page.inner_text("main")
        await tab_to(page, "#reason")
        await page.keyboard.type("The network")
        await press(page, "form[action='/policy/DE/change'] button")
        said["ada"] = await page.inner_text(".saved")
        own = await page.query_selector("form[action='/policy/DE/confirm']")
    proposed = node.policies.effective()[Country("DE")].students.admitted
    async with room.shown.visit(width=360) as visit:
        await room.enter(visit, "ben", "administrator")
        await visit.open("/policy/DE")
        await press(visit.page, "form[action='/policy/DE/confirm'] button")
        said["ben"] = await visit.page.inner_text(".saved")
        complaints = visit.complaints + visit.foreign
    await node.policies.look()

    assert "This change opens something: another administrator has to confirm it" in preview
    assert {
        "ada": "The change is proposed; another administrator confirms it.",
        "ben": "The change is confirmed and counts from now on.",
    } == said
    assert (None, False, []) == (own, proposed, complaints)
    assert Action.READ in node.policies.effective()[Country("DE")].students.rights


async def test_the_mistake_has_the_focus(room: Room) -> None:
    """A period that is no number: the summary is read first, and leads to the field."""
    async with room.shown.visit() as visit:
        await room.enter(visit, "ada", "administrator")
        await visit.open("/policy/FR")
        await visit.page.fill("#months", "x")
        await visit.page.press("#months", "Enter")
        await visit.page.wait_for_selector("#mistakes")
        focus = await visit.page.evaluate("document.activeElement.id")
        leads = await visit.page.get_attribute("#mistakes a", "href")

    assert ("mistakes", "#months") == (focus, leads)


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 1280), ("de", "dark", 360), ("fr", "light", 360)]
)
async def test_every_page_of_a_policy_is_for_everybody(
    room: Room, axe: Any, language: str, scheme: str, width: int
) -> None:
    """No violation, nothing cut or small: the list, a country as it comes and with a proposal, the preview."""
    own = room.desk.node.config.data / "countries"
    own.mkdir()
    (own / "nowhere.toml").write_text("[[[", "utf-8")
    room.desk.node.policies.read_files()
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        page = visit.page
        await room.enter(visit, "ada", "administrator")
        wrong = await check(visit, axe, ["/policy", "/policy/DE", READING])
        for path in (READING, "/policy/DE/change?what=validity&period=resident&months=6"):
            await visit.open(path)
            await page.select_option("#reason", "rules_changed")
            async with page.expect_navigation():
                await page.click("form[action='/policy/DE/change'] button")
        wrong += await check_here(visit, axe)
        wrong += await check(visit, axe, ["/policy", "/policy/DE"])

    assert [] == wrong
