"""What a list would do here is known before it counts, and what it did stays written down: by the function that decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from federation.allowlist import Direction
from federation.allowlist_changes import effect
from instance import commands_federation_list as commands
from tests.network.expelling import DE, settled_between
from tests.network.listed import Federation
from tests.town import rows

DOORS = sorted(each.value for each in Direction)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Federation]:
    """France (which publishes) and Germany, and Italy which no list names."""
    opened = await Federation.open(tmp_path, "fr", "de")
    await opened.add("it")
    yield opened
    await opened.network.close()


async def previewed(town: Federation, body: bytes) -> dict[str, Any]:
    """What France would see of each domain before it hands this list in."""
    found = await commands.verify(town["fr"].node, body.decode())
    return {each["domain"]: each for each in found["changes"]}


async def did(town: Federation) -> dict[str, Any]:
    """What the list in force did at France, as `show` has it."""
    return {each["domain"]: each for each in (await commands.show(town["fr"].node))["changed"]}


def doors(node: Any, origin: str) -> list[str]:
    """Which directions are open, asked of what decides."""
    refused = effect(node.allowlist(), origin).refused
    return sorted(each.value for each in Direction if not refused[each])


async def test_the_preview_is_what_happens(town: Federation) -> None:
    """A member leaves, another enters: what is shown before is what the doors do after, with what it touches."""
    await settled_between(town.network)
    fr = town["fr"].node
    town.network.down.add("de")
    marie = await town["fr"].doctor("paul")
    await marie.posts("It waits")
    await town.network.settle()
    town.network.down.clear()
    await town.publish(await town.admitting("it"))
    await town.hour()
    entered = await did(town)
    body = town.signed(town.with_status("de", "withdrawn"))
    versions = await rows(fr, "select value from versions where name = 'allowlist'")
    before, open_before = await previewed(town, body), doors(fr, DE)
    unchanged = await rows(fr, "select value from versions where name = 'allowlist'")
    await fr.federation_list.publish(body, "test")
    after, open_after = await did(town), doors(fr, DE)

    assert ["it.example"] == list(entered)
    assert DOORS == sorted(entered["it.example"]["opens"]) == doors(fr, "https://it.example")
    assert versions == unchanged
    assert before == after
    assert ["de.example"] == list(before)
    assert (open_before, open_after) == (DOORS, [])
    assert ([], open_before) == (before["de.example"]["opens"], sorted(before["de.example"]["closes"]))
    assert {"doctors": 1, "follows": 2, "posts": 1, "comments": 1, "copies": 3, "waiting": 0} == (
        before["de.example"]["touched"]
    )
    assert [{"what": "status", "before": "active", "after": "withdrawn"}] == before["de.example"]["differences"]


async def test_what_is_closed_here_is_not_said_to_be_opened(town: Federation) -> None:
    """The twin: a list opens no pause, and one that changes nothing shows nothing."""
    fr = town["fr"].node
    await town.publish(town.with_status("de", "suspended"))
    await fr.siblings.set_policy(DE, "pause", by="test", reason="test")
    found = await previewed(town, town.signed(town.with_status("de", "active")))
    nothing = await commands.verify(fr, town.signed(town.draft()).decode())

    assert ([], []) == (found["de.example"]["opens"], found["de.example"]["closes"])
    assert ([], "") == (nothing["changes"], nothing["signers"])


async def test_a_list_after_the_end_of_another_opens_everybody_again(town: Federation) -> None:
    """Nothing of its members differs, and still it does much here: it is said."""
    town.network.clock.move(days=14, seconds=301)
    await town["fr"].node.allowlist.refresh_if_changed()
    found = await previewed(town, town.signed(town.draft()))

    assert ["de.example"] == list(found)
    assert [] == found["de.example"]["differences"]
    assert DOORS == sorted(found["de.example"]["opens"])


async def test_a_list_that_would_be_refused_shows_no_impact(town: Federation) -> None:
    """With one signature there is nothing to look at but the code."""
    from instance.services.errors import Rejected

    with pytest.raises(Rejected, match="too_few_signatures"):
        await previewed(town, town.signed(town.with_status("de", "withdrawn"), "a"))
    assert orjson.dumps(await did(town))
