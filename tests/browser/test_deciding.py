"""Leaving, and what a dossier tells of earlier ones, in a browser: for everybody, and by keyboard alone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import DESCRIBED, check, check_here
from tests.browser.test_desk import Room, room, tab_to
from tests.instance.dossiers.applying import REJECT, RENE, RITA, Applicant, application
from tests.instance.dossiers.test_audit import damage
from tests.instance.pages.house import Visitor
from tests.town import PASSWORD
from verification.moves import State

__all__ = ["room"]


async def enter(room: Room, visit: Visit, language: str = "en", login: str = "eliane") -> None:
    """Be that doctor in this window, who reads this language."""
    damage(room.desk.place, f"update accounts set language = '{language}'")
    somebody: Visitor = room.desk.house.visitor()
    await somebody.post("/sign-in", login=login, password=PASSWORD)
    await visit.be(somebody)


@pytest.mark.parametrize(("language", "scheme"), [("en", "dark"), ("de", "light"), ("fr", "light")])
async def test_the_page_for_leaving_can_be_used_by_everybody(room: Room, axe: Any, language: str, scheme: str) -> None:
    """No violation, nothing cut at 320 px; a form without the tick says so at the tick."""
    made, _ = await room.desk.applicant()
    await made.is_approved()
    async with room.shown.visit(language=language, scheme=scheme, width=360) as visit:
        await enter(room, visit, language)
        wrong = await check(visit, axe, ["/application", "/application/leave"])
        await visit.keep_picture(f"leave-{language}")
        await visit.page.evaluate("document.querySelector('main form').noValidate = true")
        await visit.page.click("main form .danger")
        await visit.page.wait_for_selector("#mistakes")
        wrong += [*await visit.page.evaluate(DESCRIBED), *await check_here(visit, axe)]
        await visit.keep_picture(f"leave-unsure-{language}")

    assert [] == wrong
    assert State.APPROVED is (await made.file()).dossier.state


async def test_leaving_by_keyboard(room: Room) -> None:
    """From the own application to the end of the session without a pointer."""
    made, _ = await room.desk.applicant()
    await made.is_approved()
    async with room.shown.visit(width=1280) as visit:
        page = visit.page
        await enter(room, visit)
        await visit.open("/application")
        await tab_to(page, "a[href='/application/leave']")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/application/leave")
        await tab_to(page, "#sure")
        await page.keyboard.press("Space")
        await visit.keep_picture("leave")
        await tab_to(page, "main form .danger")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/sign-in**")

    assert State.WITHDRAWN is (await made.file()).dossier.state


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 1280), ("de", "dark", 360), ("fr", "light", 360)]
)
async def test_a_dossier_with_a_past_can_be_used_by_everybody(
    room: Room, axe: Any, language: str, scheme: str, width: int
) -> None:
    """With earlier applications, a possible duplicate and findings that stand, since the vote is cast."""
    made, _ = await room.desk.applicant()
    await made.is_rejected(RITA, RENE)
    await made.does("withdraw")
    await room.desk.applicant("twin")
    room.desk.move(seconds=1)
    again = Applicant(room.desk.node, made.account, await room.desk.node.dossiers.open(made.account, application()))
    await again.shows()
    await again.does("submit")
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        await room.enter(visit, "remy", "reviewer")
        damage(room.desk.place, f"update accounts set language = '{language}'")
        remy = await room.desk.actor("remy")
        await again.does("take", by=remy)
        await again.is_found(remy)
        await again.does("vote", *REJECT, by=remy)
        wrong = await check(visit, axe, [f"/desk/{again.id}"])
        disabled = await visit.page.locator("fieldset[disabled] [name=same_name]").count()
        await visit.keep_picture(f"past-{language}")

    assert [] == wrong
    assert 1 == disabled
