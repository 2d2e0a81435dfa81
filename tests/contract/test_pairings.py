"""Rows of pairings on both databases: one open pairing for each origin, and what is put back is what was read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from federation.pairing import State, Verb
from federation.uri import Uri
from instance.services import pairing_rows
from instance.services.candidates import CandidateKey, Found, read_found, write_found
from instance.storage.store import Store, Transaction

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def found(host: str = "de.example") -> Found:
    """A candidate."""
    key = CandidateKey(Uri.parse(f"https://{host}/actor#vc-1"), "z6Mk")
    shown = Found(
        origin=f"https://{host}", actor=Uri.parse(f"https://{host}/actor"), name="Instance de", country="DE",
        inbox=Uri.parse(f"https://{host}/inbox"), outbox=Uri.parse(f"https://{host}/outbox"),
        fingerprints=(pairing_rows.typed("ab" * 32),), keys=("sha256:1",), issuer_keys=(key,), software="", contact="",
        speaks_rfc9421=True,
    )  # fmt: skip
    return read_found(write_found(shown))


def new(host: str = "de.example", **changes: Any) -> pairing_rows.Pairing:
    """A request."""
    return pairing_rows.begun(found(host), NOW, NOW + timedelta(days=7), state=State.REQUESTED, **changes)


async def test_what_is_put_is_read(product: Store) -> None:
    """Every member of it."""
    made = new()
    await product.write(lambda tx: pairing_rows.add(tx, made, NOW))

    async def change(tx: Transaction) -> pairing_rows.Pairing:
        kept = await pairing_rows.require(tx, made.id)
        after = replace(
            kept, state=State.CONFIRMED_HERE, read_at=NOW, countries=("AT", "DE"), proposed_by="staff-1",
            proposed_at=NOW, confirmed_by="staff-2", confirmed_at=NOW, wrong=2, name="0" * 26,
        ).owing(Verb.CONFIRM)  # fmt: skip
        await pairing_rows.put(tx, after, NOW)
        return after

    after = await product.write(change)
    row = await product.one("pairings.get", id=made.id)

    assert row is not None
    assert after == pairing_rows.read_pairing(row)


async def test_one_is_open_for_each_origin(product: Store) -> None:
    """A second waits until the first is over; another origin has its own."""

    async def add(tx: Transaction, pairing: pairing_rows.Pairing) -> bool:
        return await pairing_rows.add(tx, pairing, NOW)

    first, second, other = new(), new(), new("it.example")
    tried = [await product.write(lambda tx, each=each: add(tx, each)) for each in (first, second, other)]

    async def end(tx: Transaction) -> None:
        kept = await pairing_rows.require(tx, first.id)
        await pairing_rows.put(tx, replace(kept, state=State.EXPIRED), NOW)

    await product.write(end)

    assert [True, False, True] == tried
    assert await product.write(lambda tx: add(tx, second))
    assert {second.id, other.id} == {row["id"] for row in await product.all("pairings.open")}
    assert [first.id] == [row["id"] for row in await product.all("pairings.over", most=5)]


async def test_what_is_owed_is_said_in_its_time(product: Store) -> None:
    """Put off, it waits; what is to be said by now is not put off for what was."""
    made = new(owed="confirm")
    await product.write(lambda tx: pairing_rows.add(tx, made, NOW))
    values: dict[str, Any] = {"id": made.id, "next_at": 5_000, "code": "reset"}
    other = await product.write(lambda tx: tx.run("pairings.later", owed="invite", **values))
    due = [row["id"] for row in await product.all("pairings.owed", now=0, most=9)]
    await product.write(lambda tx: tx.run("pairings.later", owed="confirm", **values))

    assert (0, [made.id]) == (other, due)
    assert [] == await product.all("pairings.owed", now=4_999, most=9)
    assert [("reset", 1)] == [
        (row["last_code"], row["tries"]) for row in await product.all("pairings.owed", now=5_000, most=9)
    ]
