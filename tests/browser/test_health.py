"""Health in one look in a browser: quiet and alarming, it is for everybody to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from instance.commands import backup
from instance.services import health_days
from instance.views import health
from tests.browser.test_accessibility import check
from tests.browser.test_desk import Room, room
from tests.instance.pages.alarming import alarm
from tests.network.expelling import DE

__all__ = ["room"]
PATH = "/administration"
#: The headings of the page in their order, and what each thing to do asks for.
ORDER = """() => {
  const headings = [...document.querySelectorAll('main h2')].map(e => e.id);
  return [headings, [...document.querySelectorAll('section[aria-labelledby=todo] li .health')].map(e => e.className)];
}"""
PARTS = [f"part-{part}" for part in ("federation", "queues", "verification", "storage", "keys", "list")]


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("en", "light", 1280), ("de", "dark", 360), ("fr", "light", 360), ("fr", "dark", 1280), ("de", "light", 1280)],
)
async def test_health_is_for_everybody(
    room: Room, axe: Any, tmp_path: Path, language: str, scheme: str, width: int
) -> None:
    """No violation, nothing cut or small, quiet and alarming; what is to be done stands first, the urgent above."""
    node = room.desk.node
    await room.desk.place.admits(await room.desk.network.add(tmp_path, "de"))
    await backup(node, "test", str(tmp_path / "copy.db"))
    async with room.shown.visit(language=language, scheme=scheme, width=width) as visit:
        await room.enter(visit, "ada", "administrator")
        wrong = await check(visit, axe, [PATH])
        await visit.keep_picture(f"health-quiet-{language}-{scheme}")
        await alarm(room.desk, DE)
        await room.enter(visit, "eva", "administrator")
        await health_days.keep(node, await health.read(node))
        wrong += await check(visit, axe, [PATH])
        await visit.keep_picture(f"health-alarming-{language}-{scheme}")
        headings, words = await visit.page.evaluate(ORDER)

    assert [] == wrong
    assert ["todo", *PARTS] == headings
    assert sorted(words) == words
    assert {"health health-act", "health health-look"} == set(words)
