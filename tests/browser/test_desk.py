"""The review desk in a browser: two reviewers approve by keyboard alone, and every page of it is for everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Port, Shown, Visit
from tests.browser.test_accessibility import check, check_here
from tests.instance.pages.desk_house import Desk, open_desk


@dataclass
class Room:
    """The desk, served, and browsers in front of it."""

    desk: Desk
    shown: Shown

    async def enter(self, visit: Visit, login: str, *roles: str) -> None:
        """Be that member of staff in this window; the sign-in with a code has a test of its own."""
        await visit.be(await self.desk.staff(login, *roles))


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """France, with its pages at a free port."""
    port = Port()
    desk = await open_desk(tmp_path, port.origin)
    try:
        async with port.serving(desk.house) as shown:
            yield Room(desk, shown)
    finally:
        await desk.network.close()


async def tab_to(page: Any, selector: str, most: int = 120) -> None:
    """Press Tab until this has the focus; fail where it never has."""
    for _ in range(most):
        await page.keyboard.press("Tab")
        if await page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


async def approve(page: Any) -> None:
    """Tick what a good deed shows and approve, by keyboard alone."""
    for fact in ("same_name", "from_authority"):
        await tab_to(page, f"[name={fact}]")
        await page.keyboard.press("Space")
    await tab_to(page, "form[action$='/findings'] button")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await tab_to(page, "#vote-approve-ground")
    await page.keyboard.type("The evidence")
    await tab_to(page, "form[action$='/vote'] button")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def test_two_reviewers_approve_by_keyboard(room: Room) -> None:
    """From the queue to the decision without a pointer; arrow keys move between pages of the document."""
    made, _ = await room.desk.applicant(pages=2)
    for login in ("rita", "rene"):
        async with room.shown.visit(width=1280) as visit:
            page = visit.page
            await room.enter(visit, login, "reviewer")
            await visit.open("/desk")
            await tab_to(page, ".card-title a")
            await page.keyboard.press("Enter")
            await page.wait_for_url(f"**/desk/{made.id}")
            if login == "rita":
                await tab_to(page, "form[action$='/take'] button")
                async with page.expect_navigation():
                    await page.keyboard.press("Enter")
            await tab_to(page, ".pages a")
            await page.keyboard.press("ArrowRight")
            second = await page.evaluate("document.activeElement.getAttribute('href')")
            await page.keyboard.press("ArrowLeft")
            await approve(page)
            said = await page.inner_text(".saved")

        assert second.endswith("/2.jpg")
        assert "Your vote is cast." == said
        assert [] == visit.complaints + visit.foreign

    assert "approved" == (await made.file()).dossier.state


async def test_the_mistake_has_the_focus(room: Room) -> None:
    """Without findings the approval is refused: the summary is read first, and leads to the evidence."""
    made, _ = await room.desk.applicant()
    async with room.shown.visit() as visit:
        await room.enter(visit, "rita", "reviewer")
        await made.does("take", by=await room.desk.actor("rita"))
        await visit.open(f"/desk/{made.id}")
        await visit.page.select_option("#vote-approve-ground", "evidence_holds")
        await visit.page.click("form[action$='/vote'] .button >> nth=0")
        await visit.page.wait_for_selector("#mistakes")
        focus = await visit.page.evaluate("document.activeElement.id")
        leads = await visit.page.get_attribute("#mistakes a", "href")

    assert ("mistakes", "#evidence") == (focus, leads)


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 1280), ("de", "dark", 360), ("fr", "light", 360)]
)
async def test_every_page_of_the_desk_is_for_everybody(
    room: Room, axe: Any, language: str, scheme: str, width: int
) -> None:
    """No violation, nothing cut or small: queue with figures, dossier at work and with a mistake, suspension."""
    made, _ = await room.desk.applicant(pages=2)
    twin, _ = await room.desk.applicant("twin", role="resident")
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        await room.enter(visit, "lea", "lead")
        await twin.does("take", by=await room.desk.actor("lea"))
        wrong = await check(visit, axe, ["/desk", "/desk?role=resident", f"/desk/{made.id}", f"/desk/{twin.id}"])
        await visit.page.evaluate("document.querySelectorAll('details').forEach(all => { all.open = true })")
        wrong += await check_here(visit, axe)
        await visit.page.select_option("#vote-approve-ground", "evidence_holds")
        await visit.page.evaluate("document.querySelector(\"form[action$='/vote']\").noValidate = true")
        await visit.page.click("form[action$='/vote'] .button >> nth=0")
        await visit.page.wait_for_selector("#mistakes")
        wrong += await check_here(visit, axe)
        luc, _ = await room.desk.applicant("luc", name="Dr Luc Marin")
        await luc.is_approved()
        handle = (await luc.doctor(room.desk.place)).handle
        visit.complaints.clear()
        await room.enter(visit, "ada", "administrator")
        wrong += await check(visit, axe, ["/desk/suspend", f"/desk/suspend?handle={handle}"])
        await room.enter(visit, "dora", "dpo")
        wrong += await check(visit, axe, ["/desk/audit"])

    assert [] == wrong
