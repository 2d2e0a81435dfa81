"""The queries behind "why was this refused", on both engines: the same lines, in order, however many rows there are."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from instance.ids import first_ulid
from instance.storage.store import Store, Transaction
from instance.times import to_ms

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DE, IT = "https://de.example", "https://it.example"
ANNA = f"{DE}/doctors/anna"
ALL = {"origin": "", "direction": "", "verdict": "", "code": "", "part": "", "most": 50}
MANY = 100_000


_numbers = itertools.count()


def ulid(at: datetime) -> str:
    """An id of that time; those of one process are otherwise never older than the last."""
    return f"{first_ulid(at)[:-6]}{next(_numbers):06}"


def a_message(at: datetime, number: int, **changes: Any) -> dict[str, Any]:
    """A row of `inbound`."""
    return {
        "id": ulid(at), "actor": ANNA, "activity": f"{DE}/activities/{number}", "type": "Create", "origin": DE,
        "key_id": ANNA + "#main-key", "profile": "cavage-12", "body": b"", "now": to_ms(at), "state": "applied",
        "held_for": "", "applied_at": to_ms(at), "kind": "case", "head": "1 POST /inbox\nhost: fr.example\n" * 15,
        "log_epoch": "", "log_number": 0, **changes,
    }  # fmt: skip


def a_refusal(at: datetime, **changes: Any) -> dict[str, Any]:
    """A row of `refusals`."""
    return {
        "id": ulid(at), "at": to_ms(at), "direction": "in", "code": "stale", "origin": DE, "key_id": "",
        "activity": "", "rule": "Stale", "more": 0, "step": 6, "profile": "", "type": "", "kind": "", "message": "",
        "head": "", **changes,
    }  # fmt: skip


def an_unkept(at: datetime, **changes: Any) -> dict[str, Any]:
    """A row of `unkept`."""
    return {
        "id": ulid(at), "at": to_ms(at), "verdict": "repeated", "origin": DE, "key_id": "", "profile": "",
        "activity": "", "type": "", "kind": "", "head": "", "more": 0, **changes,
    }  # fmt: skip


async def fill(store: Store, **rows: list[dict[str, Any]]) -> None:
    """Write these rows; names of queries stand with two underscores for the dot."""

    async def work(tx: Transaction) -> None:
        for query, each in rows.items():
            await tx.many(query.replace("__", "."), each)

    await store.write(work)


async def found(store: Store, **asked: Any) -> list[tuple[str, str, str]]:
    """What is found: direction, verdict, code."""
    bounds = {"since": first_ulid(NOW - timedelta(days=7)), "until": first_ulid(NOW + timedelta(days=1))}
    rows = await store.all("messages.find", **{**ALL, **bounds, **asked})
    return [(row["direction"], row["verdict"], row["code"]) for row in rows]


async def sent(store: Store, at: datetime, state: str, code: str = "", origin: str = DE, number: int = 0) -> None:
    """A delivery in this state."""
    activity = f"https://fr.example/activities/{number}-{state}-{origin[8:10]}"

    async def work(tx: Transaction) -> None:
        await tx.run("activities.add", uri=activity, actor="https://fr.example/doctors/m", type="Create", object="",
                     audience="", body=b"", at=to_ms(at))  # fmt: skip
        id = ulid(at)
        await tx.run("lanes.number", origin=origin)
        await tx.run("deliveries.add", id=id, origin=origin, inbox=origin + "/inbox", shared=1, activity=activity,
                     actor="https://fr.example/doctors/m", object="", priority=3, state="waiting", now=to_ms(at), kind="case")  # fmt: skip
        tried = {"key_id": "k", "profile": "rfc9421", "head": "1 POST /inbox\n\n403"}
        match state:
            case "dead":
                await tx.run("deliveries.dead", id=id, now=to_ms(at), status=403, code=code, **tried)
            case "done":
                await tx.run("deliveries.done", id=id, now=to_ms(at), status=202, **tried)
            case "held":
                await tx.run("deliveries.hold", id=id, code=code)
            case "dropped":
                await tx.run("deliveries.drop", id=id, code=code, now=to_ms(at))

    await store.write(work)


async def test_each_kind_of_message_is_a_line_newest_first(product: Store) -> None:
    """What came, what was refused, what was repeated, what was sent."""
    at = [NOW - timedelta(minutes=number) for number in range(9)]
    await fill(
        product, inbound__add=[a_message(at[0], 1), a_message(at[1], 2, state="held", held_for="name_mismatch")],
        inbound__refusal=[a_refusal(at[2]), a_refusal(at[3], direction="serve", code="not_a_sibling", origin=IT)],
        inbound__unkept=[an_unkept(at[4])],
    )  # fmt: skip
    await sent(product, at[5], "dead", "malformed")
    await sent(product, at[6], "done", number=2)
    await sent(product, at[7], "held", "sibling_paused", number=3)
    await sent(product, at[8], "waiting", number=4)
    everything = [
        ("in", "accepted", ""), ("in", "held", "name_mismatch"), ("in", "refused", "stale"),
        ("serve", "refused", "not_a_sibling"), ("in", "repeated", ""), ("out", "dead", "malformed"), ("out", "sent", ""),
        ("out", "held", "sibling_paused"), ("out", "waiting", ""),
    ]  # fmt: skip

    assert everything == await found(product)
    assert everything[:4] == await found(product, most=4)
    assert everything[:2] == await found(product, part="%activities/%", direction="in")
    assert [everything[3]] == await found(product, origin=IT)
    assert [everything[1], everything[7]] == await found(product, verdict="held")
    assert [everything[2]] == await found(product, code="stale")
    assert [] == await found(product, part="%!%%")


async def test_an_old_or_later_message_is_outside_the_time(product: Store) -> None:
    """Bounds are times of ids: from the first, before the second."""
    await fill(product, inbound__refusal=[a_refusal(NOW - timedelta(days=8)), a_refusal(NOW - timedelta(days=1))])

    assert 1 == len(await found(product))
    assert 2 == len(await found(product, since=first_ulid(NOW - timedelta(days=9))))
    assert 0 == len(await found(product, until=first_ulid(NOW - timedelta(days=2))))


async def test_a_refusal_of_a_kept_message_is_counted_once(product: Store) -> None:
    """It stands at the message; for the sibling itself it is one of its refusals."""
    kept = a_message(NOW, 1, state="refused", held_for="not_the_owner")
    await fill(
        product, inbound__add=[kept], inbound__refusal=[a_refusal(NOW, message=kept["id"], code="not_the_owner")]
    )
    facts = await product.all("messages.facts", origin=DE, since=first_ulid(NOW - timedelta(days=7)))
    own = await product.all("messages.own_refusals", origin=DE, since=0, most=9)

    assert [("in", "refused", "not_the_owner")] == await found(product)
    assert [("refused", "not_the_owner", 1)] == [(row["verdict"], row["code"], int(row["number"])) for row in facts]
    assert ["not_the_owner"] == [row["code"] for row in own]


async def test_a_sibling_is_told_of_its_own_alone(product: Store) -> None:
    """Not of others, not of what we sent to it, not of what is older; the newest first, and no more than asked for."""
    day = timedelta(days=1)
    await fill(product, inbound__refusal=[
        a_refusal(NOW - 2 * day, code="stale"), a_refusal(NOW - day, code="malformed", direction="serve"),
        a_refusal(NOW, origin=IT), a_refusal(NOW, direction="out"), a_refusal(NOW - 9 * day, code="too_large"),
    ])  # fmt: skip
    since = to_ms(NOW - 7 * day)

    async def codes(most: int) -> list[str]:
        return [row["code"] for row in await product.all("messages.own_refusals", origin=DE, since=since, most=most)]

    assert ["malformed", "stale"] == await codes(9)
    assert ["malformed"] == await codes(1)


async def test_heads_are_forgotten_where_the_last_sweep_ended(product: Store) -> None:
    """In steps, each row once; what is younger keeps its headers, and rows stay."""
    old = [a_message(NOW - timedelta(days=100) + timedelta(seconds=number), number) for number in range(5)]
    await fill(product, inbound__add=[*old, a_message(NOW, 99)])
    after, steps = "", []
    for _ in range(4):
        row = await product.one(
            "inbound.last_of_heads", after=after, before=first_ulid(NOW - timedelta(days=90)), most=2
        )
        last = row["last"] if row else None
        if last is None:
            break
        steps.append(await product.write(lambda tx, a=after, b=last: tx.run("inbound.forget_heads", after=a, last=b)))  # type: ignore[misc]
        after = last
    left = [await product.one("messages.show", id=each["id"]) for each in [*old]]

    assert [2, 2, 1] == steps
    assert [""] * 5 == [row["head"] for row in left if row]
    assert 6 == len(await found(product, since=""))


async def test_a_hundred_thousand_messages_are_replayed_and_searched_in_time(product: Store) -> None:
    """The facts are counted, and the page of lines is found, well under a second each."""
    week = timedelta(days=7) / MANY
    for begin in range(0, MANY, 10_000):
        await fill(product, inbound__add=[
            a_message(NOW - timedelta(days=7) + (begin + number + 1) * week, begin + number) for number in range(10_000)
        ])  # fmt: skip
    times = {}
    since, until = first_ulid(NOW - timedelta(days=7)), first_ulid(NOW + timedelta(days=1))
    for name, asked in (
        ("facts", {"origin": DE, "since": since}),
        ("lines", {"origin": DE, "since": since, "until": until, "most": 500}),
        ("find", {**ALL, "since": since, "until": until, "part": "%nowhere%"}),
        ("find", {**ALL, "since": since, "until": until, "origin": IT}),
        ("of_activity", {"activity": f"{DE}/activities/5", "home": DE, "most": 50}),
    ):
        begun = time.perf_counter()
        rows = await product.all(f"messages.{name}", **asked)
        times[name] = max(times.get(name, 0), time.perf_counter() - begun)
        if name == "facts":
            assert MANY == sum(int(row["number"]) for row in rows)
    print(times)

    assert max(times.values()) < 1.0, times
