"""What the numbered logs between siblings promise of their rows, kept by both engines."""

from __future__ import annotations

import asyncio
from typing import Any

from instance.ids import new_ulid
from instance.storage.store import Store, Transaction
from tests.town import NOON

DE, IT = "https://de.example", "https://it.example"
NOW = 1_795_000_000_000


class Stop(Exception):
    """The unit of work ends here."""


async def send(tx: Transaction, number: int, *origins: str) -> None:
    """What the outbox writes for one activity."""
    uri = f"https://fr.example/activities/{number}"
    await tx.run(
        "activities.add", uri=uri, actor="https://fr.example/doctors/a", type="Like", object=uri, audience="",
        body=b"{}", at=NOW,
    )  # fmt: skip
    await tx.many("lanes.number", [{"origin": origin} for origin in sorted(origins)])
    await tx.many(
        "deliveries.add",
        [
            {
                "id": new_ulid(NOON), "origin": origin, "inbox": origin + "/inbox", "shared": 1, "activity": uri,
                "actor": "https://fr.example/doctors/a", "object": uri, "priority": 3, "state": "waiting", "now": NOW,
                "kind": "",
            }
            for origin in origins
        ],
    )  # fmt: skip


async def test_numbers_rise_by_one_whoever_writes_at_once(product: Store) -> None:
    """Sixty at the same moment, some of which fail: each sibling's numbers are 1, 2, 3 … without a gap or a double."""

    async def one(number: int) -> None:
        async def work(tx: Transaction) -> None:
            await send(tx, number, *((DE, IT) if number % 2 else (DE,)))
            if number % 5 == 0:
                raise Stop

        try:
            await product.write(work)
        except Stop:
            return

    await asyncio.gather(*map(one, range(60)))
    pages = {
        origin: [row["number"] for row in await product.all("logs.page", origin=origin, after=0, count=100)]
        for origin in (DE, IT)
    }
    ends = {origin: await product.one("logs.ends", origin=origin) for origin in (DE, IT)}

    assert {DE: list(range(1, 49)), IT: list(range(1, 25))} == pages
    assert {DE: 48, IT: 24} == {origin: int(row["last_number"]) for origin, row in ends.items() if row}


async def test_an_epoch_begins_where_the_numbers_end(product: Store) -> None:
    """And is set back where a sibling shows that they had ended before."""
    for number in range(3):
        await product.write(lambda tx, number=number: send(tx, number, DE))
    await product.write(lambda tx: tx.run("logs.begin_epoch"))
    begun = await product.one("logs.ends", origin=DE)
    for at in (2, 3):
        await product.write(lambda tx, at=at: tx.run("logs.begin_epoch_at", origin=DE, number=at))

    assert {"last_number": 3, "epoch_from": 3} == dict(begun or {})
    assert {"last_number": 3, "epoch_from": 2} == dict(await product.one("logs.ends", origin=DE) or {})
    assert [(DE, 3)] == [(row["origin"], row["last_number"]) for row in await product.all("logs.all_ends")]


async def _note(product: Store, number: int, **values: Any) -> None:
    said = {"object": "", "head": "h", "body": b"words", "now": NOW, **values}
    await product.write(lambda tx: tx.run("logs.note", origin=DE, epoch="E", number=number, **said))


async def test_what_came_is_kept_once_and_loses_its_words(product: Store) -> None:
    """A number noted twice is one; what is withdrawn has no words; the oldest are dropped, and the mark stays."""
    await product.write(lambda tx: tx.run("logs.begin", origin=DE, epoch="E", mark=0))
    for number in (1, 2, 2, 4):
        await _note(product, number, object=f"https://de.example/posts/{number}")
    await _note(product, 2, body=b"others")
    above = [row["number"] for row in await product.all("logs.above", origin=DE, epoch="E", mark=1, count=10)]
    await product.write(lambda tx: tx.run("logs.forget_words", object="https://de.example/posts/2", nothing=b""))
    kept = [
        (row["number"], bytes(row["body"]))
        for row in await product.all("logs.kept", origin=DE, epoch="E", after=0, count=10)
    ]
    moved = [
        await product.write(lambda tx, mark=mark: tx.run("logs.advance", origin=DE, epoch="E", mark=mark))
        for mark in (2, 1, 2)
    ]
    await product.write(lambda tx: tx.run("logs.drop_through", origin=DE, epoch="E", number=2))
    highest = await product.one("logs.highest", origin=DE, epoch="E")

    assert [2, 4] == above
    assert [(1, b"words"), (4, b"words")] == kept
    assert [1, 0, 0] == moved
    assert highest is not None
    assert 4 == highest["number"]
    assert {"epoch": "E", "mark": 2} == dict(await product.one("logs.known", origin=DE) or {})


async def test_old_rows_go_a_step_at_a_time(product: Store) -> None:
    """Of another epoch, and only as old as asked for; each origin that has any is found in turn."""
    for number in range(1, 6):
        await _note(product, number, now=NOW + number)
    old = {"origin": DE, "epoch": "F", "before": NOW + 4, "most": 3}
    steps = [await product.write(lambda tx: tx.run("logs.drop_others", **old)) for _ in range(3)]
    found = [(await product.one("logs.next_origin", after=after) or {}).get("origin") for after in ("", DE)]

    assert [3, 1, 0] == steps
    assert [DE, None] == found


async def test_what_was_given_up_has_arrived_where_the_sibling_misses_nothing(product: Store) -> None:
    """Up to the number it asks from, and what it refused for its content stays a dead letter."""
    for number in range(1, 5):
        await product.write(lambda tx, number=number: send(tx, number, DE))
        code = "not_visible" if number == 2 else "gave_up"
        row = (await product.all("logs.page", origin=DE, after=number - 1, count=1))[0]
        found = await product.all("deliveries.list", origin=DE, state="waiting", limit=9)
        (delivery,) = [each["id"] for each in found if each["activity"] == row["uri"]]
        await product.write(
            lambda tx, id=delivery, code=code: tx.run(
                "deliveries.dead", id=id, status=0, code=code, now=NOW, key_id="", profile="", head=""
            )
        )
    before = await product.one("logs.given_up", origin=DE, number=3)
    settled = await product.write(lambda tx: tx.all("logs.arrived", origin=DE, number=3, now=NOW))
    left = await product.all("deliveries.list", origin=DE, state="dead", limit=9)

    assert before is not None
    assert 2 == len(settled)
    assert [("gave_up"), ("not_visible")] == sorted(row["last_code"] for row in left)
    assert None is await product.one("logs.given_up", origin=DE, number=3)


async def test_answers_that_are_missing_are_counted(product: Store) -> None:
    """Those still to come and those kept out; what is withdrawn is neither, and nothing is nothing."""
    post = "https://de.example/posts/1"
    listed = [{"post": post, "uri": f"https://it.example/comments/{n}", "closed": int(n == 0)} for n in range(4)]
    nothing = await product.one("threads.missing", post=post)
    await product.write(lambda tx: tx.many("threads.add_missing", listed))
    await product.write(
        lambda tx: tx.run(
            "posts.add_tombstone", uri=listed[3]["uri"], origin=IT, actor="x", former_type="Note", now=NOW
        )
    )
    found = await product.one("threads.missing", post=post)
    await product.write(lambda tx: tx.run("threads.forget"))
    left = await product.one("threads.missing", post=post)

    assert [(None, None)] * 2 == [(row["awaited"], row["closed"]) for row in (nothing, left) if row]
    assert (2, 1) == (int(found["awaited"]), int(found["closed"])) if found else False
