"""Why was this refused, in a browser: found and read by keyboard alone, and every page is for everybody."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.browser.test_accessibility import check, check_here
from tests.browser.test_desk import Room, room, tab_to
from tests.instance.pages.desk_house import Desk
from tests.instance.pages.test_messages import DE, PATH, WHAT_IF, questions, refusal, taken

__all__ = ["room"]
STRANGE = "https://evil.example/" + "a-very-long-address-without-an-end/" * 8


async def fill(desk: Desk, folder: Path) -> str:
    """A German sibling with a week of messages, and strangers; the id of one refusal."""
    german = await desk.network.add(folder, "de")
    await desk.place.admits(german)
    desk.move(minutes=1)
    await taken(desk, 40)
    await questions(desk, 9)
    await refusal(desk, timedelta(hours=3), origin="https://evil.example", key_id=STRANGE, activity=STRANGE,
                  code="not_a_sibling", step=7, more=12)  # fmt: skip
    for number in range(4):
        await refusal(desk, timedelta(days=number), code="sibling_paused", step=7)
    head = (
        "37 POST /inbox\nhost: fr.esanum.example\ndate: Mon, 23 Nov 2026 11:58:02 GMT\n"
        "digest: SHA-256=nQ2Yk1xX5Q0bG1m1c4m5mUu3sJqv6mJxk3N8a0bG1m0=\ncontent-type: application/activity+json\n"
        'signature: keyId="https://de.example/doctors/anna#main-key",algorithm="hs2019",'
        'headers="(request-target) host date digest",signature="nQ2Yk1xX..."\nuser-agent: esanum-federation\n'
        "cookie: (not kept)"
    )
    return await refusal(desk, code="digest_mismatch", step=10, activity=f"{DE}/activities/case3", head=head)


async def test_a_refusal_is_found_and_read_by_keyboard(room: Room, tmp_path: Path) -> None:
    """From the bar to the search, the line, the message and what if; no script and no pointer are needed."""
    id = await fill(room.desk, tmp_path)
    async with room.shown.visit(width=360) as visit:
        page = visit.page
        await room.enter(visit, "ada", "administrator")
        await visit.open("/administration")
        for selector in (f"a[href='{PATH}']",):
            await tab_to(page, selector)
            async with page.expect_navigation():
                await page.keyboard.press("Enter")
        await tab_to(page, "#code")
        await page.keyboard.type("digest_mismatch")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        await tab_to(page, f"a[href='{PATH}/{id}']")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        text = await page.inner_text("main")
        await tab_to(page, f"a[href^='{WHAT_IF}?origin=']")
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        origin = await page.input_value("#origin")
        complaints = visit.complaints + visit.foreign

    assert "Check 10 of the door: the body is the one that was signed." in text
    assert 'signature="nQ2Yk1xX..."' in text
    assert (DE, []) == (origin, complaints)


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 1280), ("de", "dark", 360), ("fr", "light", 360)]
)
async def test_every_page_about_messages_is_for_everybody(
    room: Room, axe: Any, tmp_path: Path, language: str, scheme: str, width: int
) -> None:
    """No violation of the checker, nothing cut or small, no complaint; with mistakes as well."""
    id = await fill(room.desk, tmp_path)
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        await room.enter(visit, "ada", "administrator")
        tried = f"{WHAT_IF}?origin={DE}&change=pause"
        wrong = await check(visit, axe, [PATH, f"{PATH}/{id}", f"{PATH}?text=nowhere", WHAT_IF, tried])
        for path in (f"{PATH}?from=odd&sibling=not a host", f"{WHAT_IF}?origin=odd&change=pause"):
            await visit.open(path)
            wrong += await check_here(visit, axe)

    assert [] == wrong
