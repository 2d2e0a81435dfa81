"""The pages of pairing: a mistake is found at once, and every page is for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instance.services import key_alarm
from tests.browser.test_accessibility import check, check_here
from tests.browser.test_desk import Room, room
from tests.network.pairing_scene import CLI, Stranger

__all__ = ["room"]
PATH = "/administration/pairing"


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
