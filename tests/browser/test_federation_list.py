"""The federation list in a browser: in force, refused, and run out, it is for everybody to read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Port
from tests.browser.test_accessibility import check
from tests.browser.test_desk import Room
from tests.instance.pages.desk_house import open_desk
from tests.instance.pages.test_federation_list import PATH, hand_in
from tests.network.listed import PINNED


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """France under a federation list, with its pages at a free port."""
    port = Port()
    desk = await open_desk(tmp_path, port.origin, federation_list=PINNED)
    try:
        async with port.serving(desk.house) as shown:
            yield Room(desk, shown)
    finally:
        await desk.network.close()


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("en", "light", 1280), ("de", "dark", 1280), ("de", "dark", 360), ("fr", "light", 360)],
)
async def test_the_list_is_for_everybody(room: Room, axe: Any, language: str, scheme: str, width: int) -> None:
    """No violation, nothing cut or small: before there is one, in force, in an emergency, and when it has run out."""
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        await room.enter(visit, "ada", "administrator")
        wrong = await check(visit, axe, [PATH])
        first = await hand_in(room.desk)
        emergency = {"reason": "The key of a signer was lost.", "reviewBy": "2026-11-26"}
        await hand_in(room.desk, first, emergency=emergency)
        wrong += await check(visit, axe, [PATH])
        await visit.keep_picture(f"list-{language}-{scheme}")
        room.desk.move(days=15)
        await room.enter(visit, "eva", "administrator")
        wrong += await check(visit, axe, [PATH, "/administration", "/federation"])
        await visit.open(PATH)
        await visit.keep_picture(f"over-{language}-{scheme}")

    assert [] == wrong
