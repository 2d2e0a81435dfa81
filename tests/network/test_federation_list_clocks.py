"""A clock that was ahead and is set back keeps nobody from reading federation lists, nor from asking who holds which."""

from __future__ import annotations

from pathlib import Path

from tests.network.listed import Federation
from tests.network.test_followers_agree import spoil
from tests.town import rows

AHEAD = 20 * 86_400_000


async def test_a_clock_set_back_keeps_no_list_unread(tmp_path: Path) -> None:
    """Germany's clock was twenty days ahead when it read last: now that it is set back, it reads by the hour."""
    town = await Federation.open(tmp_path, "fr", "de", "it")
    try:
        de = town["de"]
        spoil(de, f"update federation_list_state set tried_at = tried_at + {AHEAD}")
        spoil(de, f"update sibling_federation_lists set asked_at = asked_at + {AHEAD}")
        town.network.down.add("it")
        town.network.swallows = lambda method, url, body: method == "POST"  # nobody says that there is a newer one
        await town.publish(town.draft())
        town.network.clock.move(hours=1)
        await de.node.federation_list.tick()
    finally:
        await town.network.close()

    assert 2 == town.sequence("de")


async def test_a_clock_set_back_keeps_no_sibling_unasked(tmp_path: Path) -> None:
    """The same of who holds which list; the twin: who was asked a moment ago is left alone."""
    town = await Federation.open(tmp_path, "fr", "de", "it")
    try:
        await town.hour()
        de, asked = town["de"], "select origin, asked_at from sibling_federation_lists order by origin"
        true = [tuple(row) for row in await rows(de.node, asked)]
        await de.node.federation_list.tick()
        again = [tuple(row) for row in await rows(de.node, asked)]
        spoil(de, f"update sibling_federation_lists set asked_at = asked_at + {AHEAD}")
        await de.node.federation_list.tick()
        after = [tuple(row) for row in await rows(de.node, asked)]
    finally:
        await town.network.close()

    assert 2 == len(true)
    assert true == again
    assert all(at <= before + 3_600_000 for (_, at), (_, before) in zip(after, true, strict=True))
