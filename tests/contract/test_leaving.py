"""Farewells that end and stand again, and which federation list a sibling holds: alike on both engines."""

from __future__ import annotations

from typing import Any

from instance.storage.store import Store

DE = "https://de.example"


async def test_a_farewell_ends_and_stands_again(product: Any) -> None:
    """Admitted again it is found nowhere; taken back, it is as it was, or labelled anew."""
    farewell = {
        "origin": DE, "actor": f"{DE}/actor", "name": "de", "country": "DE", "inbox": f"{DE}/inbox",
        "speaks_rfc9421": 0, "proposed_by": "a", "confirmed_by": "b", "now": 1, "words_until": 2,
        "erasures_until": 3, "cause": "withdrawn",
    }  # fmt: skip

    async def run(query: str, **values: Any) -> int:
        return int(await product.write(lambda tx: tx.run(query, **values)))

    await run("farewells.add", **farewell)
    await run("farewells.returns", origin=DE, now=5)
    gone = await product.all("farewells.all")
    again = await run("farewells.stands_again", origin=DE)
    as_it_was = await product.one("farewells.get", origin=DE)
    twice = await run("farewells.stands_anew", origin=DE, now=9)
    await run("farewells.returns", origin=DE, now=10)
    await run("farewells.stands_anew", origin=DE, now=11)
    anew = await product.one("farewells.get", origin=DE)

    assert ([], 1, 0) == (gone, again, twice)
    assert (1, None, "withdrawn") == tuple(as_it_was[name] for name in ("expelled_at", "ended_at", "cause"))
    assert (11, 11, "labelled") == tuple(anew[name] for name in ("expelled_at", "ended_at", "fate"))


async def test_of_several_processes_one_asks_which_list_a_sibling_holds(product: Any) -> None:
    """Once within the hour; what it showed stays when it is away."""

    async def run(query: str, **values: Any) -> int:
        return int(await product.write(lambda tx: tx.run(query, origin=DE, **values)))

    first, second, later = [
        await run("federation_list.ask_holder", now=now, before=before) for now, before in ((10, 0), (11, 1), (20, 10))
    ]
    await run("federation_list.holder_shows", now=21, sequence=4, hash="sha256:x", signed=1)
    await run("federation_list.holder_fails", now=30, code="refused")
    await run("federation_list.holder_shows_the_same", now=31)
    (asked,) = await product.all("federation_list.asked_holders")

    assert (1, 0, 1) == (first, second, later)
    assert 31 == asked["asked_at"]
    assert [] == await product.all("federation_list.holders")
    assert 1 == await run("federation_list.forget_holder")


async def test_what_was_asked_before_a_clock_was_set_back_is_asked_again(product: Store) -> None:
    """Within a minute clocks may differ: then the first has asked for all."""
    begun, asked = [], []
    for now in (1_000_000, 990_000, 900_000):
        times = {"now": now, "before": now - 100_000}
        begun.append(await product.write(lambda tx, t=times: tx.run("federation_list.begin", **t, announced_by="")))
        asked.append(await product.write(lambda tx, t=times: tx.run("federation_list.ask_holder", origin=DE, **t)))

    assert [1, 0, 1] == begun == asked
