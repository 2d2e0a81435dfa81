"""What the rows of status lists promise, kept by both engines."""

from __future__ import annotations

from typing import Any

from instance.storage.store import Store, Transaction
from tests.contract.test_who_sees_what import add_doctor

ANNA, BERTA, MARIE = (
    "https://de.example/doctors/anna",
    "https://de.example/doctors/berta",
    "https://fr.example/doctors/marie",
)
LIST = "https://de.example/vc/status/suspension/1"


async def run(store: Store, query: str, **values: Any) -> int:
    """One change in a unit of its own."""

    async def work(tx: Transaction) -> int:
        return await tx.run(query, **values)

    return await store.write(work)


async def test_a_place_is_allotted_once(product: Store) -> None:
    """Nobody else is given it; the last one allotted to a doctor counts."""
    first = await run(product, "status.allot", list=1, place=7, doctor=MARIE, now=1)
    again = await run(product, "status.allot", list=1, place=7, doctor=ANNA, now=2)
    second = await run(product, "status.allot", list=2, place=3, doctor=MARIE, now=2)

    assert (1, 0, 1) == (first, again, second)
    assert {"list": 2, "place": 3} == await product.one("status.place", doctor=MARIE)
    assert await product.one("status.place", doctor=ANNA) is None


async def test_the_newest_list_is_counted(product: Store) -> None:
    """The first there is none of yet is list 1, and empty."""
    empty = await product.one("status.newest_list")
    for place, number in ((1, 1), (2, 1), (1, 2)):
        await run(product, "status.allot", list=number, place=place, doctor=f"{MARIE}-{place}-{number}", now=1)

    assert {"list": 1, "taken": 0} == empty
    assert {"list": 2, "taken": 1} == await product.one("status.newest_list")


async def test_a_bit_is_changed_once_and_a_revocation_is_never_cleared(product: Store) -> None:
    """Said twice it changes nothing; no query takes a revocation back."""
    place = {"list": 1, "place": 7}
    await run(product, "status.allot", **place, doctor=MARIE, now=1)
    suspended = [await run(product, "status.set_suspended", **place, value=value) for value in (1, 1, 0, 0)]
    revoked = [await run(product, "status.set_revoked", **place) for _ in range(2)]
    await run(product, "status.set_suspended", **place, value=0)

    assert [1, 0, 1, 0] == suspended
    assert [1, 0] == revoked
    assert [{"place": 7, "revoked": 1, "suspended": 0}] == await product.all("status.bits", list=1)
    assert [] == await product.all("status.bits", list=2)


async def test_a_list_read_by_a_clock_that_was_ahead_keeps_no_other_out(product: Store) -> None:
    """From more than a quarter of an hour ahead it gives way; up to there another process may have been faster."""
    kept = {"uri": LIST, "origin": "https://de.example", "purpose": "suspension", "bits": b"\x01"}
    await run(product, "status.keep_list", **kept, fetched_at=900_011)
    within = await run(product, "status.keep_list", **{**kept, "bits": b"\x02", "fetched_at": 11})
    beyond = await run(product, "status.keep_list", **{**kept, "bits": b"\x03", "fetched_at": 10})
    found = await product.one("status.list", uri=LIST)

    assert (0, 1) == (within, beyond)
    assert found is not None
    assert (b"\x03", 10) == (bytes(found["bits"]), found["fetched_at"])


async def test_a_list_is_kept_unless_a_younger_one_is(product: Store) -> None:
    """The same age is taken; another origin or purpose never replaces a list; forgotten by origin."""
    kept = {"uri": LIST, "origin": "https://de.example", "purpose": "suspension", "bits": b"\x01", "fetched_at": 10}
    first = await run(product, "status.keep_list", **kept)
    older = await run(product, "status.keep_list", **{**kept, "bits": b"\x02", "fetched_at": 9})
    same = await run(product, "status.keep_list", **{**kept, "bits": b"\x03"})
    other = await run(product, "status.keep_list", **{**kept, "origin": "https://it.example", "fetched_at": 11})
    purpose = await run(product, "status.keep_list", **{**kept, "purpose": "revocation", "fetched_at": 11})
    found = await product.one("status.list", uri=LIST)
    await run(product, "status.forget_lists", origin="https://it.example")
    left = len(await product.all("status.lists"))
    await run(product, "status.forget_lists", origin="https://de.example")

    assert (1, 0, 1, 0, 0) == (first, older, same, other, purpose)
    assert {**kept, "bits": b"\x03"} == found
    assert (1, []) == (left, await product.all("status.lists"))


async def test_doctors_are_found_by_their_place(product: Store) -> None:
    """Those of siblings who have not left; a place is dropped with the next credential."""

    async def fill(tx: Transaction) -> None:
        for uri, standing in ((ANNA, "ok"), (BERTA, "gone"), (MARIE, "ok")):
            await add_doctor(tx, uri, standing)
            await tx.run("status.add_place", list=LIST, place=7, doctor=uri)
            await tx.run("status.add_place", list=LIST, place=7, doctor=uri)

    await product.write(fill)
    found = [row["uri"] for row in await product.all("status.doctors_at", list=LIST, place=7)]
    elsewhere = await product.all("status.doctors_at", list=LIST, place=8)
    await run(product, "status.drop_places", doctor=ANNA)

    assert ([ANNA], []) == (found, elsewhere)
    assert [] == await product.all("status.doctors_at", list=LIST, place=7)


async def test_what_waits_for_lists_is_released_by_origin(product: Store) -> None:
    """Of the doctors of this origin and no neighbour in the alphabet; what waits for something else waits on."""
    wanted = {"first": "https://de.example/", "behind": "https://de.example0", "code": "status_soft_stale"}
    origins = ("https://de.example", "https://de.example.org", "https://de.example:8443", "https://dd.example")
    nothing = await product.one("status.waits", **wanted)
    for number, origin in enumerate(origins):
        await held(product, f"{origin}/doctors/anna", f"a{number}", "status_soft_stale")
    await held(product, ANNA, "name", "name_mismatch")
    waits = await product.one("status.waits", **wanted)
    released = await run(product, "status.release_held", **wanted, now=5)
    due = await product.all("inbound.due", now=5, far=1_000, count=9, apart="")

    assert (None, {"found": 1}) == (nothing, waits)
    assert 1 == released
    assert [ANNA] == [row["actor"] for row in due]
    assert await product.one("status.waits", **wanted) is None


async def held(store: Store, actor: str, activity: str, code: str) -> None:
    """Keep a message that waits."""
    await run(
        store, "inbound.add", id=activity, actor=actor, activity=activity, type="Create", origin="https://de.example",
        key_id=f"{actor}#key", profile="cavage-12", body=b"{}", now=1, state="held", held_for=code, applied_at=None,
        kind="", head="", log_epoch="", log_number=0,
    )  # fmt: skip


async def test_who_has_no_place_is_due_for_renewal(product: Store) -> None:
    """Placed doctors wait for two thirds of a credential's life; nobody is renewed past the day of verification."""
    day = 86_400_000

    async def fill(tx: Transaction) -> None:
        for number, (placed, due_at) in enumerate(((1, 900), (0, 900), (0, 90), (1, 90), (0, 1))):
            uri = f"{MARIE}-{number}"
            await add_doctor(tx, uri, "nothing")
            await tx.run("people.set_standing", uri=uri, standing="ok", before="nothing", now=1)
            await tx.run("people.set_credential", uri=uri, credential="{}", valid_from=0, valid_until=90 * day, now=2)
            await tx.run("people.set_reverification", doctor=uri, due_at=due_at * day)
            if placed:
                await tx.run("status.allot", list=1, place=number, doctor=uri, now=1)

    await product.write(fill)
    first = {"ends": 0, "after": ""}
    young = await product.all("people.to_renew", now=30 * day, count=9, **first)
    old = await product.all("people.to_renew", now=60 * day, count=9, **first)
    page = await product.all("people.to_renew", now=60 * day, count=1, **first)
    next_page = await product.all(
        "people.to_renew", now=60 * day, count=9, ends=page[0]["valid_until"], after=page[0]["uri"]
    )

    assert [(f"{MARIE}-1", 0), (f"{MARIE}-2", 0)] == [(row["uri"], row["placed"]) for row in young]
    assert [0, 1, 2] == sorted(int(row["uri"][-1]) for row in old)
    assert [row["uri"] for row in old] == [row["uri"] for row in [*page, *next_page]]
