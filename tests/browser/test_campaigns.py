"""A campaign in a browser: a lead proposes and a second person starts it by keyboard alone; the pages are for everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import check, check_here
from tests.browser.test_desk import Room, room, tab_to
from tests.instance.dossiers.applying import RENE, RITA, Applicant
from verification.campaign import Cohort
from verification.grounds import Ground
from verification.moves import State

__all__ = ["room"]


async def sent(page: Any, button: str) -> None:
    """Reach a button by Tab and press it."""
    await tab_to(page, button)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def proposes(page: Any) -> str:
    """From the list to the proposal: whom, how many, why, by when; return its path."""
    await sent(page, ".head .button")
    await tab_to(page, "#rank-E3")
    await page.keyboard.press("Space")
    await sent(page, "form[method=get] button")
    await tab_to(page, "#propose-ground")
    await page.keyboard.type("Spot")
    await tab_to(page, "#days")
    await page.keyboard.type("14")
    await sent(page, "form[action='/desk/campaigns/new'][method=post] button")
    return str(await page.evaluate("location.pathname"))


async def test_two_people_start_a_campaign_by_keyboard(room: Room) -> None:
    """Counted, proposed, started, told, and followed by its numbers, without a pointer and without a script's help."""
    member = await Applicant.submits(room.desk.node)
    await member.is_approved()
    said = []
    async with room.shown.visit(width=1280) as lead:
        await room.enter(lead, "lea", "lead")
        await lead.open("/desk/campaigns")
        path = await proposes(lead.page)
        said.append(await lead.page.inner_text(".saved"))
        said.append(await lead.page.inner_text("main .note"))
    async with room.shown.visit() as second:
        await room.enter(second, "rita", "reviewer")
        await second.open("/desk/campaigns")
        await tab_to(second.page, ".card-title a")
        async with second.page.expect_navigation():
            await second.page.keyboard.press("Enter")
        await sent(second.page, "form[action$='/start'] button")
        said.append(await second.page.inner_text(".saved"))
        await room.desk.node.dossiers.tick()
        await second.open(path)
        numbers = await second.page.inner_text(".parts")

    assert [] == lead.complaints + lead.foreign + second.complaints + second.foreign
    assert "The campaign is proposed." in said[0]
    assert "You proposed it; a second person starts it." == said[1]
    assert "The campaign runs." in said[2]
    assert "1 still to come" in numbers
    assert State.REVERIFY_DUE is (await member.file()).dossier.state


async def test_the_mistake_has_the_focus(room: Room) -> None:
    """Counting nobody in particular: the summary is read first, and leads to the conditions."""
    async with room.shown.visit() as visit:
        await room.enter(visit, "lea", "lead")
        await visit.open("/desk/campaigns/new")
        async with visit.page.expect_navigation():
            await visit.page.click("form[method=get] button")
        focus = await visit.page.evaluate("document.activeElement.id")
        leads = await visit.page.get_attribute("#mistakes a", "href")

    assert ("mistakes", "#cohort") == (focus, leads)


@asynccontextmanager
async def at_work(room: Room, **look: Any) -> AsyncIterator[tuple[Visit, list[str]]]:
    """A window of a lead, with something on every list, and a campaign in every state."""
    late, member = (
        await Applicant.submits(room.desk.node, "luc", name="Dr Luc Marin"),
        await Applicant.submits(room.desk.node),
    )
    await member.is_approved()
    room.desk.move(days=4)
    campaigns, paths = (
        room.desk.node.dossiers.campaigns,
        ["/desk/overdue", "/desk/overdue?list=campaign", "/desk/campaigns"],
    )
    async with room.shown.visit(**look) as visit:
        await room.enter(visit, "lea", "lead")
        lead = await room.desk.actor("lea")
        await room.desk.staff("rose", "reviewer")
        for reviewer in (RITA, RENE):
            made = await campaigns.propose("FR", Cohort(reviewers=frozenset({reviewer.id})), Ground.SPOT_CHECK, lead)
            paths.append(f"/desk/campaigns/{made}")
        await campaigns.start(made, await room.desk.actor("rose"))
        await room.desk.node.dossiers.tick()
        await late.does("take", by=RITA)
        yield visit, [*paths, "/desk/campaigns/new", "/desk/campaigns/new?count=1&rank=E3&since=2026-01-01"]


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "dark", 1280), ("de", "light", 360), ("fr", "dark", 360)]
)
async def test_every_page_of_campaigns_is_for_everybody(
    room: Room, axe: Any, language: str, scheme: str, width: int
) -> None:
    """No violation, nothing cut or small: what is late, campaigns in every state, the form with and without mistakes."""
    async with at_work(room, language=language, scheme=scheme, width=width) as (visit, paths):
        wrong = await check(visit, axe, paths)
        await visit.page.select_option("#propose-ground", "spot_check")
        await visit.page.fill("#days", "3")
        async with visit.page.expect_navigation():
            await visit.page.click("form[method=post][action='/desk/campaigns/new'] button")
        wrong += await check_here(visit, axe)
        marked = await visit.page.get_attribute("#days", "aria-invalid")

    assert [] == wrong
    assert "true" == marked
