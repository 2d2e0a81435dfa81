"""A forgotten password, an account that was taken over, and a proved address: in a browser, for everybody."""

from __future__ import annotations

import itertools
import os

import pytest

from instance.services.staff import Invite
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import DESCRIBED, EXPECTED, check, check_here
from tests.browser.test_applying import here
from tests.factors import code as shown_code
from tests.instance.pages.recovering import NEW, OWN, mailed, taken_over
from tests.town import PASSWORD

__all__ = ["here"]

LOOKS = list(itertools.product(("en", "de", "fr"), ("light", "dark"), (360, 1280)))
#: Every language, both appearances and both widths, each with some of the others.
SOME = [("en", "light", 360), ("de", "dark", 360), ("fr", "light", 1280), ("en", "dark", 1280)]


async def looked_at(visit: Visit, name: str, look: tuple[str, str, int]) -> None:
    """Keep a picture where somebody asked for pictures."""
    if folder := os.environ.get("PICTURES"):
        await visit.page.screenshot(path=f"{folder}/{name}-{'-'.join(map(str, look))}.png", full_page=True)


def asked(looks: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """Every look where pictures are asked for."""
    return LOOKS if os.environ.get("PICTURES") else looks


@pytest.mark.parametrize("look", asked(SOME), ids=lambda look: "-".join(map(str, look)))
async def test_the_way_back_can_be_gone_by_everybody(here, axe, look):
    """Void password, code, new password, second step, whose the factors are, new codes: no violation, nothing cut."""
    shown, door = here
    language, scheme, width = look
    _, secret = await taken_over(door)
    async with shown.visit(language=language, scheme=scheme, width=width) as visit:
        page = visit.page
        await visit.open("/sign-in")
        await page.fill("#login", OWN)
        await page.fill("#password", PASSWORD)
        await page.click("main form button")
        await page.wait_for_selector("#mistakes")
        wrong = await check_here(visit, axe)
        await looked_at(visit, "void", look)
        await page.click("a[href='/recover']")
        wrong += await check_here(visit, axe)
        await looked_at(visit, "recover", look)
        await page.fill("#email", OWN)
        await page.click("main form button")
        await page.wait_for_url("**/recover/confirm")
        wrong += await check(visit, axe, ["/recover/confirm"])
        await looked_at(visit, "confirm", look)
        await page.fill("#code", "00000000")
        for field in ("#password", "#again"):
            await page.fill(field, NEW)
        await page.click("main form button")
        await page.wait_for_selector("#mistakes")
        wrong += [*await check_here(visit, axe), *await page.evaluate(DESCRIBED)]
        await looked_at(visit, "wrong", look)
        await page.fill("#code", await mailed(door))
        for field in ("#password", "#again"):
            await page.fill(field, NEW)
        await page.click("main form button")
        await page.wait_for_url("**/sign-in/second**")
        door.network.clock.move(minutes=1)
        await page.fill("#factor_code", shown_code(secret, door.network.clock()))
        await page.click("main form button")
        await page.wait_for_url("**/sign-in/factors")
        wrong += await check(visit, axe, ["/sign-in/factors"])
        await looked_at(visit, "factors", look)
        await page.keyboard.press("Tab")
        await page.check("label:has-text('stranger') input")
        await page.click("main form button")
        await page.wait_for_selector(".codes")
        wrong += await check_here(visit, axe)
        await looked_at(visit, "codes", look)

    assert [] == wrong
    assert [] == [text for text in visit.complaints if not EXPECTED.match(text)]


@pytest.mark.parametrize("look", asked(SOME[:2]), ids=lambda look: "-".join(map(str, look)))
async def test_an_address_can_be_proved_by_everybody(here, axe, look):
    """Accepted, the code of the mail, a wrong one, and the reminder on the own page."""
    shown, door = here
    language, scheme, width = look
    new = Invite(email="rita@chamber.example", roles=("reviewer",), countries=("FR",))
    link = (await door.node.staff.invite(new, by="test")).link.removeprefix(shown.origin)
    async with shown.visit(language=language, scheme=scheme, width=width) as visit:
        page = visit.page
        await visit.open(link)
        await page.fill("#login", "rita")
        for field in ("#password", "#again"):
            await page.fill(field, PASSWORD)
        await page.click("main form button")
        await page.wait_for_url("**/invitation/confirm")
        wrong = await check_here(visit, axe)
        await looked_at(visit, "address", look)
        await page.fill("#code", "0")
        await page.click("main form button")
        await page.wait_for_selector("#mistakes")
        wrong += [*await check_here(visit, axe), *await page.evaluate(DESCRIBED)]
        await visit.open("/me/security")
        wrong += await check_here(visit, axe)
        await looked_at(visit, "owed", look)
        await visit.open("/invitation/confirm")
        await page.fill("#code", await door.code())
        await page.click("main form button")
        await page.wait_for_url("**/me/security")

    assert [] == wrong
    assert (
        "rita@chamber.example" == (await door.node.store.one("joining.address_of", account=await _rita(door)))["email"]
    )


async def _rita(door) -> str:
    return str((await door.node.store.one("people.account_for_sign_in", login="rita"))["id"])
