"""After the verification has run out, in a browser: closed pages say what to do, it is renewed there, and opens again."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Shown, Visit
from tests.browser.test_accessibility import DESCRIBED, EXPECTED, check, check_here
from tests.browser.test_applying import here as served
from tests.browser.test_desk import tab_to
from tests.instance.dossiers.applying import RENE, RITA, Applicant
from tests.instance.files import archive, pdf
from tests.instance.pages.newcomer import EMAIL, Door
from tests.instance.pages.test_annexes import hands_in, verified
from tests.town import PASSWORD
from verification.grounds import Ground
from verification.moves import Choice

__all__ = ["served"]
YES = (Choice.APPROVE, Ground.EVIDENCE_HOLDS)


@pytest.fixture
async def ended(served: tuple[Shown, Door]) -> tuple[Shown, Door, Applicant]:
    """An instance at which somebody was verified, and is no longer."""
    shown, door = served
    _, made = await verified(door)
    door.network.clock.move(days=400)
    for _ in range(2):
        await door.node.dossiers.tick()
    await door.node.evidence.sweep()  # what was shown at first has been destroyed long since
    door.house.now = door.network.clock.now
    assert "expired" == (await made.file()).dossier.state
    return shown, door, made


async def signs_in(visit: Visit, onward: str) -> None:
    """Sign in with the address and the password."""
    await visit.open(f"/sign-in?next={onward}")
    await visit.page.fill("#login", EMAIL)
    await visit.page.fill("#password", PASSWORD)
    await visit.page.click("main form .button")
    await visit.page.wait_for_url(f"**{onward}")


async def credential(door: Door, made: Applicant) -> dict[str, Any]:
    """What siblings are shown now, by the actor."""
    handle = str((await made.file()).doctor).rpartition("/")[2]
    return dict((await door.node.people.doctor_document(handle)).credential or {})


@pytest.mark.parametrize(("width", "scripts"), [(360, True), (1280, False)])
async def test_it_is_renewed_by_oneself_and_opens_again(
    ended: tuple[Shown, Door, Applicant], tmp_path: Path, width: int, scripts: bool
) -> None:
    """She signs in and reads nothing; adds a new document, two accept it, and she reads under a new credential."""
    shown, door, made = ended
    (tmp_path / "deed.pdf").write_bytes(pdf(text="a new deed"))
    (tmp_path / "bad.pdf").write_bytes(archive())
    async with shown.visit(width=width, java_script_enabled=scripts) as visit:
        page = visit.page
        await signs_in(visit, "/application")
        await visit.open("/feed")
        closed = await page.inner_text("main")
        await visit.keep_picture("renewal-closed")
        await page.click("main .button:not(.quiet)")
        await page.wait_for_url("**/application")
        stands = await page.inner_text("main")
        await visit.keep_picture("renewal-expired")
        await page.click("a[href='/application/add/diploma']")
        await page.check("[value=licence]")
        await page.click("main form .button:not(.quiet)")
        await page.wait_for_url("**/application#*")
        for name, sign in (("bad.pdf", "#mistakes"), ("deed.pdf", "text=Document with one page")):
            await page.set_input_files("[type=file]", tmp_path / name)
            await page.click("form[enctype] .button")
            await page.wait_for_selector(sign)
        await page.click("form[action='/application/submit'] .button")
        await page.wait_for_selector("text=Expect an answer by")
        await visit.keep_picture("renewal-received")
        await visit.open("/feed")
        still = await page.inner_text("main")
        before = await credential(door, made)
        await made.does("take", by=RITA)
        await made.is_voted(RITA)
        await visit.open("/feed")
        half = await page.inner_text("main")
        await made.is_voted(RENE)
        await visit.open("/feed")
        feed = await page.inner_text("main")
        await visit.open("/application")
        verified_again = await page.inner_text("main")
        await visit.keep_picture("renewal-verified")
        complaints = [each for each in visit.complaints if not EXPECTED.match(each)]
    after = await credential(door, made)

    assert "Your verification has ended" in closed
    assert "Renew it yourself" in closed
    assert "Add present evidence here" in stands
    assert "Received" in still
    assert "Being looked at" in half
    assert "Your verification has ended" not in feed
    assert "You are verified" in verified_again
    assert after["validFrom"] != before.get("validFrom")
    assert after["credentialStatus"] == before.get("credentialStatus", after["credentialStatus"])
    assert [] == complaints + visit.foreign


async def test_a_file_too_large_is_told_before_it_is_sent(ended: tuple[Shown, Door, Applicant], tmp_path: Path) -> None:
    """The server would hang up in the middle, and the page could only say that the line was lost."""
    shown, _, _ = ended
    (tmp_path / "large.pdf").write_bytes(pdf() + bytes(10 * 1024 * 1024))
    async with shown.visit(width=360) as visit:
        await signs_in(visit, "/application")
        await visit.open("/application/add/diploma")
        await visit.page.check("[value=licence]")
        await visit.page.click("main form .button:not(.quiet)")
        await visit.page.wait_for_url("**/application#*")
        await visit.page.set_input_files("[type=file]", tmp_path / "large.pdf")
        await visit.page.click("form[enctype] .button")
        said = await visit.page.inner_text("[data-upload-said]")

    assert "The file is larger than 10 megabytes." in said


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 1280), ("de", "dark", 360), ("fr", "light", 360)]
)
async def test_every_page_of_it_is_for_everybody(
    served: tuple[Shown, Door], axe: Any, language: str, scheme: str, width: int
) -> None:
    """No violation, nothing cut or small: each annex with its steps and its mistakes, what is open, retiring, the end."""
    shown, door = served
    somebody, made = await verified(door)
    await somebody.shows(**{"for": "renewal"})
    await hands_in(somebody, "renewal")
    await door.node.people.set_preferences(made.account, language, "")
    async with shown.visit(language=language, scheme=scheme, width=width) as visit:
        await signs_in(visit, "/application")
        paths = ["/application", "/me", "/application/annexes/specialist", "/application/annexes/name",
                 "/application/retire", "/application/add/diploma?for=name"]  # fmt: skip
        wrong = await check(visit, axe, paths)
        await visit.open("/application/annexes/renewal")  # one is open: the page says so
        wrong += await check_here(visit, axe)
        await visit.keep_picture(f"{language}-open")
        for path in paths if os.environ.get("PICTURES") else []:
            await visit.open(path)
            await visit.keep_picture(f"{language}-{re.sub('[^a-z]', '', path)}")
        await visit.open("/application/annexes/name")
        await visit.page.fill("#name", "Dr Éliane Marchal")
        await visit.page.click("form[action$='/name'] .button:not(.quiet)")
        await visit.page.wait_for_selector("#mistakes")
        focus = await visit.page.evaluate("document.activeElement.id")
        wrong += await check_here(visit, axe)
        await visit.keep_picture(f"{language}-mistake")
        await visit.open("/application/annexes/specialist")
        await visit.page.evaluate("document.querySelector(\"form[action$='/specialist']\").noValidate = true")
        await visit.page.click("form[action$='/specialist'] .button:not(.quiet)")
        await visit.page.wait_for_selector("#mistakes")
        wrong += [*await visit.page.evaluate(DESCRIBED), *await check_here(visit, axe)]

    assert "mistakes" == focus
    assert [] == wrong


async def test_retiring_by_keyboard_alone(served: tuple[Shown, Door]) -> None:
    """From the own page to the tick, the fresh look and the word that it is done, without a pointer."""
    shown, door = served
    _, made = await verified(door)
    async with shown.visit(width=1280) as visit:
        page = visit.page
        await signs_in(visit, "/me")
        await tab_to(page, "a[href='/application/retire']")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/application/retire")
        await tab_to(page, "#understood")
        await page.keyboard.press("Space")
        await tab_to(page, "main form button")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        if await page.locator("#factor_password").count():
            await tab_to(page, "#factor_password")
            await page.keyboard.type(PASSWORD)
            async with page.expect_navigation():
                await page.keyboard.press("Enter")
        said = await page.inner_text(".saved")

    assert "You are recorded as retired." == said
    assert "retired" == (await made.file()).dossier.role
