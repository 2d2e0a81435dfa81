"""Second factors in a browser: a passkey of a device that Chromium plays, an app by keyboard alone, every page for everybody."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from instance.services.staff import Invite
from tests.browser.conftest import Port, Shown, Visit
from tests.browser.test_accessibility import EXPECTED, check, check_here
from tests.factors import code
from tests.instance.pages.house import close_house, open_house
from tests.instance.pages.rows import PASSWORD
from tests.instance.pages.scene import fill

#: A phone's own authenticator that knows its person.
PHONE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Shown]:
    """The scene under the very address it is served at: passkeys look at the origin."""
    port = Port()
    house = await open_house(tmp_path, fill, origin=port.origin)
    try:
        async with port.serving(house) as shown:
            yield shown
    finally:
        await close_house(house)


@asynccontextmanager
async def device(visit: Visit, **changes: Any) -> AsyncIterator[tuple[Any, str]]:
    """Give the window a device that makes passkeys."""
    tools = await visit.context.new_cdp_session(visit.page)
    await tools.send("WebAuthn.enable")
    made = await tools.send("WebAuthn.addVirtualAuthenticator", {"options": {**PHONE, **changes}})
    yield tools, made["authenticatorId"]
    await tools.detach()


async def enter(visit: Visit, login: str, path: str = "/sign-in") -> None:
    """Show the password."""
    await visit.open(path)
    await visit.page.fill("#login", login)
    await visit.page.fill("#password", PASSWORD)
    await visit.page.click("main form button")


async def add_app(here: Shown, visit: Visit) -> str:
    """Add an app from the page of factors; return its secret, and stay on the page with the codes."""
    await visit.page.click("form[action='/me/security/app'] button")
    secret = await visit.page.inner_text(".secret code")
    await visit.page.fill("#code", code(secret, here.house.now))
    await visit.page.click("main form button")
    await visit.page.wait_for_selector(".codes")
    return secret


def complaints(visit: Visit) -> list[str]:
    """What the browser complained of, but for pages refused on purpose."""
    return [text for text in visit.complaints if not EXPECTED.match(text)]


async def test_a_passkey_is_made_and_opens_the_second_step(here):
    """Added with a press, asked for after the password, taken: and the way goes on to where it led."""
    async with here.visit() as visit, device(visit) as (tools, id):
        await visit.sign_in("marie")
        await visit.open("/me/security")
        await visit.page.fill("#label", "My phone")
        await visit.page.click("[data-passkey=create]")
        await visit.page.wait_for_selector(".codes")
        codes = await visit.page.locator(".codes li").all_inner_texts()
        await visit.page.click("main .actions a")
        listed = await visit.page.inner_text("main")
        await visit.page.click("form[action='/sign-out'] button")
        await enter(visit, "marie", "/sign-in?next=/notices")
        await visit.page.wait_for_url("**/sign-in/second**")
        await visit.page.click("[data-passkey=get]")
        await visit.page.wait_for_url("**/notices")
        kept = await tools.send("WebAuthn.getCredentials", {"authenticatorId": id})

    assert (10, True) == (len(set(codes)), "My phone" in listed)
    assert ["fr.localhost"] == [one["rpId"] for one in kept["credentials"]]
    assert [] == complaints(visit)
    assert [] == visit.foreign


async def test_a_device_that_does_not_know_its_person_opens_nothing(here):
    """The twin: without user verification none is made; the page says what to do, and nothing is kept."""
    async with here.visit() as visit, device(visit, isUserVerified=False):
        await visit.sign_in("marie")
        await visit.open("/me/security")
        await visit.page.click("[data-passkey=create]")
        await visit.page.wait_for_selector("[data-passkey-said]:not([hidden])")
        said = await visit.page.inner_text("[data-passkey-said]")
        button = await visit.page.get_attribute("[data-passkey=create]", "aria-disabled")

    assert "No passkey was added" in said
    assert button is None
    assert 0 == (await here.house.node.store.one("factors.of_account", account=await _account(here)))["passkeys"]


async def _account(here: Shown) -> str:
    row = await here.house.node.store.one("people.account_for_sign_in", login="marie")
    return str(row["id"])


async def test_a_passkey_of_an_older_page_is_told_and_the_next_try_works(here):
    """The challenge has passed while the page lay open: a sentence, a new challenge, no lost account."""
    async with here.visit() as visit, device(visit):
        await visit.sign_in("marie")
        await visit.open("/me/security")
        await visit.page.click("[data-passkey=create]")
        await visit.page.wait_for_selector(".codes")
        await visit.page.click("form[action='/sign-out'] button")
        await enter(visit, "marie")
        await visit.page.wait_for_url("**/sign-in/second**")
        here.house.now += timedelta(minutes=6)
        await visit.page.click("[data-passkey=get]")
        await visit.page.wait_for_selector("#mistakes")
        said = await visit.page.inner_text("#mistakes")
        await visit.page.click("[data-passkey=get]")
        await visit.page.wait_for_url("**/feed")

    assert "challenge_stale" in said


async def test_an_app_is_added_and_shown_by_keyboard_alone(here):
    """From the enrolment to the second sign-in no pointer; the field of the code is where one begins to type."""
    async with here.visit(java_script_enabled=True) as visit:
        await visit.sign_in("marie")
        await visit.open("/me/security")
        await _reach(visit, "Add an app")
        await visit.page.keyboard.press("Enter")
        await visit.page.wait_for_selector(".secret")
        secret = await visit.page.inner_text(".secret code")
        await _reach(visit, "code")
        await visit.page.keyboard.type(code(secret, here.house.now))
        await visit.page.keyboard.press("Enter")
        await visit.page.wait_for_selector(".codes")
        await visit.context.clear_cookies()
        here.house.now += timedelta(minutes=1)
        await enter(visit, "marie")
        await visit.page.wait_for_url("**/sign-in/second**")
        await _reach(visit, "factor_code")
        await visit.page.keyboard.type(code(secret, here.house.now))
        await visit.page.keyboard.press("Enter")
        await visit.page.wait_for_url("**/feed")

    assert [] == complaints(visit)


async def _reach(visit: Visit, what: str) -> None:
    """Press Tab until the focus is on something with this text or id."""
    for _ in range(60):
        await visit.page.keyboard.press("Tab")
        on = await visit.page.evaluate("[document.activeElement.textContent.trim(), document.activeElement.id]")
        if what in on:
            return
    raise AssertionError(f"no way to {what} by Tab")


async def test_without_scripts_codes_do_the_work(here):
    """No passkey is offered that could not be used; an app and a recovery code open the second step."""
    async with here.visit(java_script_enabled=False) as visit:
        await visit.sign_in("marie")
        await visit.open("/me/security")
        offered = await visit.page.is_visible("[data-passkey=create]")
        await visit.page.click("form[action='/me/security/app'] button")
        secret = await visit.page.inner_text(".secret code")
        await visit.page.fill("#code", code(secret, here.house.now))
        await visit.page.click("main form button")
        first = await visit.page.inner_text(".codes li:first-child")
        await visit.context.clear_cookies()
        await enter(visit, "marie")
        await visit.page.fill("#factor_code", first)
        await visit.page.click("main form button")
        await visit.page.wait_for_url("**/feed")

    assert not offered


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("en", "light", 360), ("de", "dark", 360), ("fr", "light", 360), ("en", "dark", 1280), ("de", "light", 1280)],
)
async def test_every_page_of_factors_and_staff_can_be_used_by_everybody(here, axe, language, scheme, width):
    """Invitation, enrolment, codes, second step, staff, the asking again, and their mistakes: no violation, nothing cut."""
    new = Invite(email="ada@chamber.example", roles=("administrator", "moderator"), countries=("FR",))
    link = (await here.house.node.staff.invite(new, by="test")).link.removeprefix(here.origin)
    wrong: list[str] = []
    async with here.visit(language=language, scheme=scheme, width=width) as visit, device(visit):
        wrong += await check(visit, axe, [link, "/invitation/x"])
        await visit.open(link)
        await visit.page.fill("#login", "ada")
        for field in ("#password", "#again"):
            await visit.page.fill(field, PASSWORD)
        await visit.page.click("main form button")
        await visit.page.wait_for_url("**/invitation/confirm")
        wrong += await check(visit, axe, ["/invitation/confirm", "/me/security", "/me"])
        await visit.open("/me/security")
        await visit.page.click("form[action='/me/security/app'] button")
        wrong += await check_here(visit, axe)
        await visit.page.fill("#code", "000000")
        await visit.page.click("main form button")
        await visit.page.wait_for_selector("#mistakes")
        wrong += await check_here(visit, axe)
        await visit.open("/me/security")
        secret = await add_app(here, visit)
        wrong += await check_here(visit, axe)
        await visit.open("/me/security")
        await visit.page.click("[data-passkey=create]")
        await visit.page.wait_for_url("**saved=passkey_added")
        await here.house.node.staff.invite(new, by="test")
        wrong += await check(visit, axe, ["/me/security", "/staff", "/me"])
        await visit.open("/staff")
        here.house.now += timedelta(minutes=6)
        await visit.page.fill("#email", "rita@chamber.example")
        await visit.page.click("form[action='/staff/invite'] .button")
        await visit.page.wait_for_selector("#factor_code")
        wrong += await check_here(visit, axe)
        await visit.page.fill("#factor_code", code(secret, here.house.now))
        await visit.page.click("main form button")
        await visit.page.wait_for_selector("#mistakes")
        typed = await visit.page.input_value("#email")
        wrong += await check_here(visit, axe)
        await visit.page.check("#role-moderator")
        await visit.page.click("form[action='/staff/invite'] .button")
        await visit.page.wait_for_selector("#link")
        wrong += await check_here(visit, axe)
        await visit.page.click("form[action='/sign-out'] button")
        await enter(visit, "ada")
        await visit.page.wait_for_url("**/sign-in/second**")
        wrong += await check(visit, axe, ["/sign-in/second"])
        await visit.page.fill("#factor_code", "000000")
        await visit.page.click("main form button")
        await visit.page.wait_for_selector("#mistakes")
        wrong += await check_here(visit, axe)

    assert "rita@chamber.example" == typed
    assert [] == wrong
    assert [] == visit.foreign


async def test_no_page_of_factors_breaks_its_policy(here):
    """Picture, script and codes: nothing inline, nothing from elsewhere."""
    async with here.visit() as visit, device(visit):
        await visit.page.add_init_script(
            "window.broken = [];"
            "addEventListener('securitypolicyviolation', e => window.broken.push(e.violatedDirective))"
        )
        await visit.sign_in("marie")
        await visit.open("/me/security")
        broken = await visit.page.evaluate("window.broken")
        await visit.page.click("form[action='/me/security/app'] button")
        await visit.page.wait_for_selector(".secret")
        broken += await visit.page.evaluate("window.broken")
        size = await visit.page.locator(".qr").bounding_box()

    assert [] == broken
    assert re.match(r"http://fr\.localhost:\d+\Z", here.origin)
    assert size["width"] > 150
