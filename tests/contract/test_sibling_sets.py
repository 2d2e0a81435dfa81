"""What the rows of siblings' sets promise, kept by both engines."""

from __future__ import annotations

from typing import Any

from instance.ids import new_ulid
from instance.storage.store import Store, Transaction
from tests.town import NOON

FR, DE, IT = "https://fr.example", "https://de.example", "https://it.example"
NOW, HOUR = 1_795_000_000_000, 3_600_000
WAITS, THING = "sibling_set_unknown", "https://fr.example/comments/1"


async def run(product: Store, query: str, **values: Any) -> int:
    """One statement as its own unit of work."""
    return int(await product.write(lambda tx: tx.run(query, **values)))


async def keep(product: Store, at: int, seen: int = 0, until: int = 6 * HOUR) -> None:
    """France's set was read."""
    await run(
        product, "sibling_sets.keep", origin=FR, siblings='["https://de.example"]', sequence=4, issued=at,
        until=at + until, now=at, seen=seen,
    )  # fmt: skip


async def known(product: Store) -> tuple[str, int, int]:
    """Why it does not count, how often it was announced, and since when it stands so."""
    row = await product.one("sibling_sets.get", origin=FR)
    assert row is not None
    return row["code"], int(row["announced"]), int(row["since"]) - NOW


async def test_what_is_announced_while_a_set_is_read_stands(product: Store) -> None:
    """Two announcements, of which the second came when the set was being read: that one is not forgotten."""
    await run(product, "sibling_sets.announce", origin=FR, now=NOW)
    first = await known(product)
    await run(product, "sibling_sets.announce", origin=FR, now=NOW)
    await keep(product, NOW + 1, seen=1)
    between = await known(product)
    await keep(product, NOW + 2, seen=2)

    assert ("set_unread", 1, 0) == first
    assert ("", 2, 1) == between
    assert ("", 0, 1) == await known(product)


async def test_since_when_a_set_counts_or_does_not_is_kept(product: Store) -> None:
    """Read again it counts since the first time; closed twice it is closed since the first; run out, it counts anew."""
    await keep(product, NOW)
    await keep(product, NOW + HOUR)
    again = await known(product)
    for at, code in ((2 * HOUR, "set_malformed"), (3 * HOUR, "set_rolled_back")):
        await run(product, "sibling_sets.close", origin=FR, code=code, now=NOW + at, seen=0)
    closed, row = await known(product), await product.one("sibling_sets.get", origin=FR)
    await keep(product, NOW + 4 * HOUR)
    opened = await known(product)
    await keep(product, NOW + 11 * HOUR)

    assert ("", 0, 0) == again
    assert ("set_rolled_back", 0, 2 * HOUR) == closed
    assert row is not None
    assert NOW + HOUR == row["issued"]  # what was believed last stays, so that nothing older is
    assert ("", 0, 4 * HOUR) == opened
    assert ("", 0, 11 * HOUR) == await known(product)


async def test_every_process_sees_that_something_was_read(product: Store) -> None:
    """By one number that rises."""
    before = await product.one("sibling_sets.version")
    await run(product, "sibling_sets.raise_version")
    after = await product.one("sibling_sets.version")

    assert (0, 1) == (before and before["value"], after and after["value"])


async def send(
    tx: Transaction, number: int, origin: str, *, state: str, code: str = "", tried: int | None = None
) -> None:
    """What stands in the queue for a sibling about the one thing."""
    uri = f"https://fr.example/activities/{number}"
    await tx.run(
        "activities.add", uri=uri, actor="https://fr.example/doctors/a", type="Create", object=THING, audience="",
        body=b"{}", at=NOW,
    )  # fmt: skip
    await tx.run("lanes.number", origin=origin)
    await tx.run(
        "deliveries.add", id=new_ulid(NOON), origin=origin, inbox=origin + "/inbox", shared=1, activity=uri,
        actor="https://fr.example/doctors/a", object=THING, priority=3, state="waiting", now=NOW, kind="",
    )  # fmt: skip
    await tx.run("copies.add", object=THING, origin=origin, at=NOW)
    (row,) = [one for one in await tx.all("deliveries.next", origin=origin, limit=10) if one["activity"] == uri]
    if tried is not None:
        await tx.run(
            "deliveries.tried", id=row["id"], status=0, code="reset", now=tried, key_id="", profile="", head=""
        )
    if state == "held":
        await tx.run("deliveries.hold", id=row["id"], code=code)
    elif state == "dropped":
        await tx.run("deliveries.drop", id=row["id"], code=code, now=NOW)


async def waiting(product: Store, origin: str) -> list[tuple[str, str]]:
    """What would be sent next, with the homes it is bound to."""
    found = await product.all("deliveries.next", origin=origin, limit=10)
    return [(row["activity"].rpartition("/")[2], row["homes"]) for row in found]


async def test_what_waits_for_a_set_is_let_go_and_nothing_else(product: Store) -> None:
    """Not what was held for another reason; after thirty days it is given up instead."""
    await product.write(lambda tx: send(tx, 1, DE, state="held", code=WAITS))
    await product.write(lambda tx: send(tx, 2, DE, state="held", code="sibling_paused"))
    early = await run(product, "sibling_sets.give_up", code=WAITS, now=NOW, before=NOW - 1)
    found = await product.all("sibling_sets.waiting", code=WAITS)
    others = await run(product, "sibling_sets.release", origin=DE, homes=FR, code=WAITS, now=NOW)
    released = await run(product, "sibling_sets.release", origin=DE, homes="", code=WAITS, now=NOW)
    after = await waiting(product, DE)
    await product.write(lambda tx: send(tx, 3, IT, state="held", code=WAITS))
    given_up = await run(product, "sibling_sets.give_up", code=WAITS, now=NOW, before=NOW)

    assert [(DE, "")] == [(row["origin"], row["homes"]) for row in found]
    assert (0, 0, 1, 1) == (early, others, released, given_up)
    assert [("1", "")] == after


async def test_a_delivery_is_bound_to_the_homes_it_concerns(product: Store) -> None:
    """Each of an activity for itself."""
    for origin in (DE, IT):
        await product.write(lambda tx, origin=origin: send(tx, 1, origin, state="waiting"))
    uri = "https://fr.example/activities/1"
    await run(product, "sibling_sets.bind_delivery", activity=uri, origin=DE, homes=f"{FR} {IT}")
    await run(product, "sibling_sets.bind_activity", activity=uri, homes=f"{DE} {IT}")
    shown = await product.one("serving.activity", uri=uri, origin=DE)

    assert [("1", f"{FR} {IT}")] == await waiting(product, DE)
    assert [("1", "")] == await waiting(product, IT)
    assert shown is not None
    assert f"{DE} {IT}" == shown["homes"]


async def test_who_was_never_sent_a_thing_holds_no_copy(product: Store) -> None:
    """One dropped unsent; but not where it was tried, where more of it waits, or where it was confirmed."""
    await product.write(lambda tx: send(tx, 1, DE, state="dropped", code="outside_sibling_set"))
    await product.write(lambda tx: send(tx, 1, IT, state="dropped", code="outside_sibling_set", tried=NOW))
    await product.write(lambda tx: send(tx, 1, FR, state="dropped", code="outside_sibling_set"))
    await product.write(lambda tx: send(tx, 2, FR, state="waiting"))
    es = "https://es.example"
    await product.write(lambda tx: send(tx, 1, es, state="dropped", code="outside_sibling_set"))
    await run(
        product, "copies.delivered", object=THING, origin=es, activity="https://fr.example/activities/1", now=NOW
    )  # fmt: skip
    may_hold = {row["origin"] for row in await product.all("sibling_sets.may_hold", object=THING)}
    gone = {
        origin: await run(product, "sibling_sets.never_sent", object=THING, origin=origin)
        for origin in (DE, IT, FR, es)
    }

    assert {IT, es} == may_hold
    assert {DE: 1, IT: 0, FR: 0, es: 0} == gone


async def test_what_was_handed_out_is_a_copy_from_then_on(product: Store) -> None:
    """At an address or by the log; who had it before keeps its day, and who had let go has it again."""
    asked = {"object": THING, "origin": DE}
    await run(product, "copies.handed_out", **asked, now=NOW)
    await run(product, "copies.handed_out", **asked, now=NOW + 1)
    first = await product.one("serving.holder", **asked)
    await product.write(lambda tx: send(tx, 1, IT, state="waiting"))
    read = [await run(product, "logs.read", origin=IT, number=number, now=NOW) for number in (1, 1, 2)]
    may_hold = {row["origin"] for row in await product.all("sibling_sets.may_hold", object=THING)}

    assert first is not None
    assert (NOW, None) == (first["delivered_at"], first["released_at"])
    assert [1, 0, 0] == read
    assert {DE, IT} == may_hold


async def test_after_a_restore_every_set_is_in_doubt_until_it_was_read(product: Store) -> None:
    """What was kept counts no more; what is read after that does."""
    await keep(product, NOW)
    await run(product, "sibling_sets.doubt_all")
    doubted = await known(product)
    await keep(product, NOW + 1, seen=1)

    assert ("", 1, 0) == doubted
    assert ("", 0, 0) == await known(product)
