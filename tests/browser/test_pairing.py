"""Two administrators in two browsers make two fresh instances siblings: one by touch, one by keyboard alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from instance.demo.desk import appoint
from instance.demo.town import Country
from instance.services import key_alarm
from tests.browser.steps import enter
from tests.browser.story import PATIENCE, Doctor, Scene, open_scene
from tests.browser.test_accessibility import check, check_here
from tests.browser.test_desk import Room, room
from tests.factors import code
from tests.network.pairing_scene import CLI, Stranger

__all__ = ["room"]
PATH = "/administration/pairing"


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Scene]:
    """France and Germany, served on loopback, which list nobody; each has one administrator."""
    async with open_scene(tmp_path) as scene:
        for one, other in (scene.town, reversed(scene.town)):
            await one.node.siblings.remove(other.node.origin, by="test", reason="to begin anew")
            one.staff.append(await appoint(one.node, f"ada.{one.code.lower()}", "administrator"))
        yield scene


async def signs_in(who: Doctor) -> None:
    """With the password and the code that the app shows now."""
    known = who.country.staff[0]
    await enter(who, known.handle, arrives="/sign-in/second")
    await who.write("#factor_code", code(known.secret, datetime.now(UTC)))
    await who.press_to("main form button", "/administration$")


async def admitted(one: Country, other: Country) -> None:
    """Wait until the one lists the other."""
    async with asyncio.timeout(PATIENCE / 1000):
        while other.node.origin not in one.node.allowlist().siblings:
            await asyncio.sleep(0.05)


async def own_groups(who: Doctor) -> str:
    """The fingerprint on the own page, as somebody reads it out."""
    await who.open(PATH)
    return await who.page.inner_text("section[aria-labelledby=own] .fingerprint")


async def test_two_administrators_pair_two_fresh_instances(fresh: Scene) -> None:
    """Invite, look, compare both ways, confirm both; then a post crosses."""
    france, germany = fresh.town
    async with (
        fresh.somebody(france, france.staff[0], "fr", "touch") as marie,
        fresh.somebody(germany, germany.staff[0], "de", "keys") as anna,
    ):
        await signs_in(marie)
        await signs_in(anna)
        await marie.press_to(f"nav.tabs a[href='{PATH}']", f"{PATH}$")
        await marie.see("nobody")
        await marie.write("#origin", germany.node.authority)
        await marie.press_to("form[action$='/invite'] button", f"{PATH}/[0-9a-z]+$")
        await marie.see("invited")
        await anna.until(PATH, france.node.origin)
        await anna.see("requests")
        await anna.press_to(".devices a", f"{PATH}/[0-9a-z]+$")
        await anna.see("unread")
        request = anna.page.url
        await anna.press_to("form[action$='/read'] button", f"{PATH}/[0-9a-z]+$")
        await anna.see("read")
        mine, theirs = await own_groups(marie), await own_groups(anna)
        await anna.open(request.removeprefix(anna.origin))
        await anna.write("#fingerprint", mine)
        await anna.press_to("form[action$='/confirm'] button", f"{PATH}/[0-9a-z]+$")
        confirmed = await anna.see("confirmed-here")
        await marie.press_to(".devices a", f"{PATH}/[0-9a-z]+$")
        await marie.see("confirmed-there")
        await marie.write("#fingerprint", theirs)
        await marie.press_to("form[action$='/confirm'] button", f"{PATH}/[0-9a-z]+$")
        done = await marie.see("active")
        await admitted(france, germany)
        await admitted(germany, france)
        await anna.open(PATH)
        listed = await anna.see("list")

    assert marie.words.text("done.pairing_active") in done
    assert anna.words.text("pairing.waits_there") in confirmed
    assert anna.words.text("pairing.state.active") in listed
    assert await france.node.siblings.own_fingerprint() == "sha256:" + mine.replace(" ", "")


async def test_a_wrong_fingerprint_has_the_focus(room: Room, tmp_path: Path) -> None:
    """The summary is read first and leads to the field; what was typed is still there."""
    german = await room.desk.network.add(tmp_path, "de", origin="http://de.localhost:8001")
    await german.node.pairings.invite(room.desk.node.origin, CLI)
    await room.desk.network.settle()
    (request,) = await room.desk.node.pairings.open()
    await room.desk.node.pairings.read(request.id, CLI)
    async with room.shown.visit() as visit:
        await room.enter(visit, "ada", "administrator")
        await visit.open(f"{PATH}/{request.id}")
        await visit.page.fill("#fingerprint", "abcd " * 16)
        await visit.page.press("#fingerprint", "Enter")
        await visit.page.wait_for_selector("#mistakes")
        focus = await visit.page.evaluate("document.activeElement.id")
        leads = await visit.page.get_attribute("#mistakes a", "href")
        kept = await visit.page.input_value("#fingerprint")

    assert ("mistakes", "#fingerprint") == (focus, leads)
    assert ("abcd " * 16).strip() == kept


async def waiting(room: Room, folder: Path) -> list[str]:
    """One of each: a request nobody has looked into, one to confirm, a suspended sibling; the pages of the first two."""
    network, node = room.desk.network, room.desk.node
    german = await network.add(folder, "de", origin="http://de.localhost:8001", contact="+49 30 1234567")
    italian = await network.add(folder, "it", origin="http://it.localhost:8001")
    await room.desk.place.admits(italian)
    await key_alarm.suspend(node, node.allowlist().siblings[italian.node.origin])
    await german.node.pairings.invite(node.origin, CLI)
    await network.settle()
    await Stranger("https://es.example", name="Instance of a very long name that says it is Spain").says(
        room.desk.place
    )
    found = {each.origin: each.id for each in await node.pairings.open()}
    await node.pairings.read(found[german.node.origin], CLI)
    return [f"{PATH}/{found[origin]}" for origin in (german.node.origin, "https://es.example")]


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 1280), ("de", "dark", 360), ("fr", "light", 360)]
)
async def test_every_page_of_it_is_for_everybody(
    room: Room, axe: Any, tmp_path: Path, language: str, scheme: str, width: int
) -> None:
    """No violation, nothing cut or small: the list, both kinds of page, a mistake, the end."""
    pages = await waiting(room, tmp_path)
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        page = visit.page
        await room.enter(visit, "ada", "administrator")
        await visit.open("/administration")
        await page.click(f".languages button[value={language}] >> nth=0") if language != "en" else None
        wrong = await check(visit, axe, ["/administration", PATH, *pages])
        for number, path in enumerate((PATH, *pages)):
            await visit.open(path)
            await visit.keep_picture(f"pairing-{number}-{language}-{scheme}")
        await page.select_option("#reason", "unknown")
        async with page.expect_navigation():
            await page.click("form[action$='/decline'] button")
        wrong += await check_here(visit, axe)
        await visit.keep_picture(f"pairing-declined-{language}-{scheme}")

    assert [] == wrong
