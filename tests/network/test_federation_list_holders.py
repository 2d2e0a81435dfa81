"""Everybody knows which list every sibling holds, and since when: read there, not said of oneself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from instance.ops import count
from instance.services.federation_list_holders import Holder, Holds
from tests.network.listed import Federation

FR, DE, IT = "https://fr.example", "https://de.example", "https://it.example"


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Federation]:
    """France (which publishes), Germany and Italy."""
    opened = await Federation.open(tmp_path, "fr", "de", "it")
    await opened.hour()
    yield opened
    await opened.network.close()


async def holders(town: Federation, name: str = "fr") -> dict[str, Holder]:
    """What an instance knows of each sibling."""
    lists = town[name].node.federation_list
    found = (await lists.state()).current
    assert found is not None
    return {each.origin: each for each in await lists.holders.list(found)}


def shows(town: Federation, name: str, body: bytes) -> None:
    """Let an instance show this list to whoever asks."""

    async def document(sequence: str = "") -> tuple[bytes, str]:
        return body, '"x"'

    town[name].node.federation_list.document = document  # type: ignore[method-assign]


async def test_each_sibling_shows_which_list_it_holds(town: Federation) -> None:
    """J5.3: the same everywhere within the hour; who publishes sees it of all, and the others of each other."""
    before = {each.holds for each in (await holders(town)).values()}
    await town.publish(town.draft())
    await town.hour()
    await town.hour()
    found = await holders(town)

    assert {Holds.SAME} == before
    assert {DE: (2, Holds.SAME), IT: (2, Holds.SAME)} == {
        origin: (each.sequence, each.holds) for origin, each in found.items()
    }
    assert {FR, IT} == {origin for origin, each in (await holders(town, "de")).items() if each.holds is Holds.SAME}
    now = town.network.clock()
    assert all(each.shown_at is not None and (now - each.shown_at).total_seconds() < 3_700 for each in found.values())
    assert not [each for each in found.values() if each.loud]


async def test_a_sibling_that_lags_is_said_loudly_after_two_hours(town: Federation) -> None:
    """Italy cannot reach France and shows its old list: within the hours it may it is only older, then it is late."""
    old = orjson.dumps(town.last.document if town.last else {})
    shows(town, "it", old)
    await town.publish(town.draft())
    await town.hour()
    soon = (await holders(town))[IT]
    await town.hour()
    await town.hour()
    late = (await holders(town))[IT]
    node = town["fr"].node
    await count(node)

    assert (Holds.BEHIND, 1, False) == (soon.holds, soon.sequence, soon.loud)
    assert (Holds.BEHIND, True, True) == (late.holds, late.late, late.loud)
    assert "" == await town.code("fr")
    assert 'esanum_federation_list_siblings{holds="behind"} 1.0' in node.metrics.render().decode()


async def test_a_sibling_with_another_list_of_our_number_is_a_fork(
    town: Federation, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of three have signed both: said at once, logged as an error, and the stored list stays."""
    one, other = town.draft(), town.with_status("de", "suspended")
    forked = town.signed(other, "b", "c")
    await town.publish(one)
    await town.hour()
    shows(town, "it", forked)
    capsys.readouterr()
    await town.hour()
    found = (await holders(town))[IT]
    said = capsys.readouterr().out

    assert (Holds.FORK, 2, True) == (found.holds, found.sequence, found.loud)
    assert [True] * 2 == [word in said for word in ("[error", "code=list_fork origin=https://it.example")]
    assert 2 == town.sequence("fr")


async def test_what_nobody_has_signed_is_no_fork(town: Federation) -> None:
    """The twin: whoever shows a list of their own making shows nothing but that; a higher number makes nobody behind."""
    ahead = town.draft()
    shows(town, "it", town.signed(ahead, "a"))
    await town.hour()
    found = (await holders(town))[IT]

    assert (Holds.UNSIGNED, True) == (found.holds, found.loud)
    assert 1 == town.sequence("fr")


async def test_a_newer_list_at_a_sibling_is_taken_within_the_hour(town: Federation) -> None:
    """Handed in at Italy, and the push to France was lost: France finds it where it looks."""
    body = town.signed(town.draft())
    town.network.down.add("fr")
    await town["it"].node.federation_list.publish(body, "test")
    await town.network.settle()
    town.network.down.clear()
    town.network.clock.move(hours=1)
    await town["fr"].node.federation_list.tick()

    assert 2 == town.sequence("fr")


async def test_a_sibling_that_is_away_shows_what_it_showed(town: Federation) -> None:
    """With when, and why nothing was read since; and whoever is paused here is not asked."""
    town.network.down.add("it")
    await town["fr"].node.siblings.set_policy(DE, "pause", by="test", reason="test")
    since = len(town.network.contacts)
    before = (await holders(town))[IT]
    town.network.clock.move(hours=1)
    await town["fr"].node.federation_list.tick()
    after = (await holders(town))[IT]
    asked = [each.url for each in town.network.contacts[since:] if "/federation/list" in each.url]

    assert (before.sequence, before.shown_at) == (after.sequence, after.shown_at)
    assert ("", "refused") == (before.code, after.code)
    assert f"{IT}/federation/list" in asked
    assert f"{DE}/federation/list" not in asked
