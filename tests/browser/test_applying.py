"""Joining and applying in a browser: 360 px, by touch and by keyboard alone, with and without scripts, for everybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.conftest import Port, Shown, Visit
from tests.browser.test_accessibility import DESCRIBED, EXPECTED, check, check_here
from tests.instance.files import archive, image
from tests.instance.pages.newcomer import FORM, Door, open_door


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[tuple[Shown, Door]]:
    """An instance nobody has joined yet, served."""
    port = Port()
    door = await open_door(tmp_path, port.origin)
    try:
        async with port.serving(door.house) as shown:
            yield shown, door
    finally:
        await door.network.close()


async def join(visit: Visit, door: Door) -> None:
    """Fill the form in, read the mail, type the code."""
    await visit.open("/join")
    await visit.keep_picture("join")
    page = visit.page
    for field in ("name", "birth_day", "birth_month", "birth_year", "email", "password", "again"):
        await page.fill(f"#{field}", str(FORM[field]))
    await page.check("[name=role][value=resident]")
    await page.select_option("#specialty-0", "cardiology")
    await page.click("main form.form .button")
    await page.wait_for_url("**/join/confirm")
    await visit.keep_picture("confirm")
    await page.fill("#code", await door.code())
    await page.click("main form.form .button")
    await page.wait_for_url("**/application")


async def add(visit: Visit, tmp_path: Path, content: bytes, name: str = "card.png") -> None:
    """Add a resident's card with a document."""
    page, path = visit.page, tmp_path / name
    path.write_bytes(content)
    if not await page.locator("[type=file]").count():
        await page.click("a[href='/application/add/card']")
        await page.check("[name=proof][value=resident_card]")
        await page.check("[name=medicine][value=yes]")
        await visit.keep_picture("add-card")
        await page.click("main form .button:not(.quiet)")
        await page.wait_for_url("**/application#*")
    await page.set_input_files("[type=file]", path)
    await page.click("form[enctype] .button")


@pytest.mark.parametrize(("width", "scripts"), [(360, True), (1280, True), (360, False)])
async def test_from_the_door_to_handed_in(here, tmp_path, width, scripts):
    """At 360 px and on a desk, with scripts and without: a bad file costs nothing, the good one goes in."""
    shown, door = here
    async with shown.visit(width=width, java_script_enabled=scripts) as visit:
        await join(visit, door)
        await visit.keep_picture("draft")
        await add(visit, tmp_path, archive(), "bad.png")
        await visit.page.wait_for_selector("#mistakes")
        await visit.keep_picture("bad-file")
        await add(visit, tmp_path, image())
        await visit.page.wait_for_selector("text=Document with one page")
        await visit.keep_picture("ready")
        await visit.page.click("form[action='/application/submit'] .button")
        await visit.page.wait_for_selector("text=Expect an answer by")
        await visit.keep_picture("received")
        await visit.open("/feed")
        text = await visit.page.inner_text("main")
        await visit.keep_picture("closed")
        complaints = [each for each in visit.complaints if not EXPECTED.match(each)]

    assert "Received" in text
    assert [] == complaints
    assert [] == visit.foreign


@pytest.mark.parametrize("language", ["en", "de", "fr"])
async def test_the_pages_can_be_used_by_everybody(here, axe, tmp_path, language):
    """No violation, nothing cut at 320 px, no small target: signed out, at the code, in a draft, at mistakes."""
    shown, door = here
    async with shown.visit(language=language, width=360) as visit:
        wrong = await check(visit, axe, ["/join"])
        await join(visit, door)
        wrong += await check(visit, axe, ["/application", "/application/edit", "/application/withdraw", "/feed", "/me"])
        wrong += await check(visit, axe, [f"/application/add/{form}" for form in ("diploma", "registration", "card")])
        await visit.open("/application")
        await add(visit, tmp_path, archive(), "bad.png")
        await visit.page.wait_for_selector("#mistakes")
        wrong += [*await visit.page.evaluate(DESCRIBED), *await check_here(visit, axe)]
        await visit.open("/application/add/registration")
        await visit.page.check("[name=proof][value=register_number]")
        await visit.page.fill("#number", "10001234566")
        await visit.page.click("main form .button:not(.quiet)")
        await visit.page.wait_for_selector("#mistakes")
        wrong += [*await visit.page.evaluate(DESCRIBED), *await check_here(visit, axe)]

    assert [] == wrong


async def test_the_form_of_joining_by_keyboard_alone(here):
    """Every field is reached in the order it is read, and Enter sends the form."""
    shown, _door = here
    async with shown.visit() as visit:
        await visit.open("/join")
        order = []
        for _ in range(40):
            await visit.page.keyboard.press("Tab")
            name = await visit.page.evaluate("document.activeElement.name || ''")
            if name and (not order or order[-1] != name):
                order.append(name)
            if name == "again":
                break
        await visit.page.keyboard.press("Enter")

    assert [
        *("name", "birth_day", "birth_month", "birth_year", "country", "role", "specialty", "spoken", "handle"),
        *("email", "password", "again"),
    ] == order
