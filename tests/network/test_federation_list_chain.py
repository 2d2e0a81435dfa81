"""Lists that were missed are read one by one, each judged before the next: who lies costs one reading."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from federation.allowlist import Direction
from instance.services import federation_list
from tests.network.listed import Federation, town

__all__ = ["town"]

FR, DE, IT = "https://fr.example", "https://de.example", "https://it.example"


def serves(town: Federation, name: str, lists: dict[str, bytes]) -> None:
    """Let an instance answer with these lists, by number; the newest under the empty name."""

    async def document(sequence: str = "") -> tuple[bytes, str]:
        body = lists.get(sequence, b"{}")
        return body, f'"{len(body)}-{sequence}"'

    town[name].node.federation_list.document = document  # type: ignore[method-assign]


async def asked(town: Federation, name: str) -> list[tuple[str, int]]:
    """Have an instance read, and return where it read lists, in order."""
    town.network.clock.move(seconds=5)
    since = len(town.network.contacts)
    await town[name].node.federation_list.refresh()
    found = [each for each in town.network.contacts[since:] if "/federation/list" in each.url]
    return [(each.url, each.status) for each in found]


async def announced(town: Federation, to: str, by: str) -> None:
    """One says to another that it has a newer list."""
    node = town[to].node
    await node.federation_list.announced(node.allowlist().require(by, Direction.IN))


async def test_an_announcer_that_lies_costs_one_reading(town: Federation) -> None:
    """It shows a list fifty ahead that no chamber has signed: the pinned host is asked first, and it once."""
    ahead = town.draft()
    ahead["credentialSubject"] |= {"sequence": 51}
    serves(town, "it", {"": town.signed(ahead, "x", "y")})
    await announced(town, "de", IT)
    places = await asked(town, "de")

    assert [(f"{FR}/federation/list", 304), (f"{IT}/federation/list", 200)] == places
    assert ("bad_proof", 1) == (await town.code("de"), town.sequence("de"))


async def test_a_chain_ends_at_the_first_list_that_does_not_hold(town: Federation) -> None:
    """Whoever has a true list and false ones before it is asked for the first of them, and for no other."""
    true = {}
    for _ in range(5):
        await town.publish(town.draft())
        true[str(town.last.sequence)] = orjson.dumps(town.last.document)  # type: ignore[union-attr]
    false = town.signed({**orjson.loads(true["2"]), "proof": []}, "x", "y")
    serves(town, "it", {**true, "": true["6"], "2": false})
    town.network.down.add("fr")
    await announced(town, "de", IT)
    places = await asked(town, "de")

    assert [f"{IT}/federation/list", f"{IT}/federation/list/2"] == [url for url, status in places if url.startswith(IT)]
    assert ("list_gap", 1) == (await town.code("de"), town.sequence("de"))


async def test_an_announcer_that_tells_the_truth_is_read_to_the_end(town: Federation) -> None:
    """The twin: the pinned host is away, the announcer has all; each is read once, in rising order."""
    for _ in range(3):
        await town.publish(town.draft())
    await town["it"].node.federation_list.refresh()
    town.network.down.add("fr")
    await announced(town, "de", IT)
    places = await asked(town, "de")

    assert [f"{IT}/federation/list{part}" for part in ("", "/2", "/3")] == [
        url for url, status in places if url.startswith(IT)
    ]
    assert 4 == town.sequence("de")


async def test_what_the_announcer_has_is_asked_although_the_pinned_host_answers(town: Federation) -> None:
    """Handed in at Italy, not yet at France: Germany hears of it, finds nothing new at France, and reads it there."""
    body = town.signed(town.draft())
    await town["it"].node.federation_list.publish(body, "test")
    await announced(town, "de", IT)
    places = await asked(town, "de")

    assert [(f"{FR}/federation/list", 304), (f"{IT}/federation/list", 200)] == places
    assert ("", 2) == (await town.code("de"), town.sequence("de"))


async def test_a_chain_has_an_end_in_bytes(town: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than is read in all leaves the list in force; the twin reads the same chain within its measure."""
    for _ in range(4):
        await town.publish(town.draft())
    size = len(orjson.dumps(town.last.document if town.last else {}))
    with monkeypatch.context() as patched:
        patched.setattr(federation_list, "MAX_CHAIN", size + size // 2)
        places = await asked(town, "de")
        before = await town.code("de"), town.sequence("de")
    await asked(town, "de")

    assert [f"{FR}/federation/list{part}" for part in ("", "/2", "/3")] == [url for url, _ in places][:3]
    assert f"{FR}/federation/list/4" not in [url for url, _ in places]
    assert ("list_gap", 1) == before
    assert ("", 5) == (await town.code("de"), town.sequence("de"))


async def test_a_host_that_hangs_in_a_chain_is_left(town: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading at one place has an end in time, however many lists there are; the last good list stays."""
    import asyncio

    await town.publish(town.draft())
    lists = town["de"].node.federation_list

    async def hangs(url: Any, sequence: int) -> Any:
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(federation_list, "CHAIN_DEADLINE", 0.05)
        patched.setattr(lists, "_get", hangs)
        await lists.refresh()
    before = await town.code("de"), town.sequence("de")
    await asked(town, "de")

    assert ("deadline", 1) == before
    assert ("", 2) == (await town.code("de"), town.sequence("de"))
