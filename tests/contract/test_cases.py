"""Polls, votes, ends of cases and what readers keep: alike on both engines, and found by indexes."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from instance.storage import open_store
from instance.storage.queries import Queries
from instance.storage.store import Store, Transaction
from tests.contract.test_packaged_queries import QUERIES
from tests.contract.test_who_sees_what import HERE, add_doctor

ANNA, MARIE = f"{HERE}/doctors/anna", f"{HERE}/doctors/marie"
CASE = f"{HERE}/posts/case"


@pytest.fixture
async def product(address: str) -> AsyncIterator[Store]:
    """The product's own schema, with a case of Anna's."""
    store = await open_store(address)

    async def fill(tx: Transaction) -> None:
        for doctor in (ANNA, MARIE):
            await add_doctor(tx, doctor)
        await tx.run(
            "posts.add", uri=CASE, slug="case", origin=HERE, author=ANNA, kind="case", title="T", content="", source="",
            language="en", specialties="[]", audience="national", role_then="", context="", facts="{}",
            interests="", event_from="", now=1,
        )  # fmt: skip
        await tx.run(
            "cases.add_poll", post=CASE, uri=f"{CASE}/poll", options='["A","B"]', closes_at=None, closed_at=None, now=1,
            updated_at=1, totals="[]", by_specialty="{}",
        )  # fmt: skip

    try:
        await store.migrate()
        await store.write(fill)
        yield store
    finally:
        await store.close()


async def run(store: Store, query: str, **values: Any) -> int:
    """Carry out one statement."""
    return int(await store.write(lambda tx: tx.run(query, **values)))


async def test_a_vote_is_one_row_and_the_later_counts(product: Store) -> None:
    """In whichever order they come, and however often."""
    vote = {"post": CASE, "voter": MARIE, "specialty": "cardiology"}
    for choice, at in ((1, 20), (0, 10), (1, 20), (0, 20)):
        await run(product, "cases.vote", **vote, choice=choice, at=at)

    assert [{"choice": 1, "specialty": "cardiology", "number": 1}] == [
        dict(row) for row in await product.all("cases.votes", post=CASE)
    ]


async def test_a_poll_that_has_ended_stays_so_and_is_told_once(product: Store) -> None:
    """What is told is no more due; what was voted meanwhile is due again, once the time has come."""
    due = {"before": 5, "most": 9}
    await run(product, "cases.voted", post=CASE, now=10)
    first = await product.all("cases.polls_to_tell", **due)
    await run(product, "cases.poll_told", post=CASE, now=11, updated_at=11, seen=10)
    none = await product.all("cases.polls_to_tell", **due)
    await run(product, "cases.voted", post=CASE, now=12)
    early, later = (
        await product.all("cases.polls_to_tell", **due),
        await product.all("cases.polls_to_tell", before=11, most=9),
    )
    ended = [await run(product, "cases.close_poll", post=CASE, now=number) for number in (13, 14)]
    at_once = await product.all("cases.polls_to_tell", **due)
    newer = {"closes_at": None, "closed_at": None, "totals": "[1,2]", "by_specialty": "{}", "options": '["A","B"]'}
    changed = await run(product, "cases.change_poll", post=CASE, updated_at=99, **newer)
    other = await run(product, "cases.change_poll", post=CASE, updated_at=100, **{**newer, "options": '["A","C"]'})
    kept = await product.one("cases.poll", post=CASE)

    assert [1, 0, 0, 1, 1] == [len(found) for found in (first, none, early, later, at_once)]
    assert ([1, 0], 1, 0) == (ended, changed, other)
    assert kept is not None
    assert (13, "[1,2]") == (kept["closed_at"], kept["totals"])


async def test_votes_of_a_purged_instance_are_told_to_be_gone(product: Store) -> None:
    """A poll that loses votes is due to be told; one in which nobody from there has voted is not."""
    due, gone = {"before": 5, "most": 9}, {"origin": "https://de.example"}
    berta = f"{gone['origin']}/doctors/berta"
    await product.write(lambda tx: add_doctor(tx, berta))
    await run(product, "cases.vote", post=CASE, voter=MARIE, specialty="", choice=1, at=1)
    await run(product, "farewells.votes_lost", **gone)
    untouched = await product.all("cases.polls_to_tell", **due)
    await run(product, "cases.vote", post=CASE, voter=berta, specialty="", choice=0, at=1)
    await run(product, "farewells.votes_lost", **gone)
    await run(product, "farewells.purge_votes_by", **gone)

    assert [] == untouched
    assert [CASE] == [row["post"] for row in await product.all("cases.polls_to_tell", **due)]
    assert [(1, 1)] == [(row["choice"], row["number"]) for row in await product.all("cases.votes", post=CASE)]


async def test_an_older_end_does_not_replace_a_newer(product: Store) -> None:
    """Nor does it after the case was opened again."""
    end = {"post": CASE, "outcome": "", "language": "en", "thanked": "[]"}
    came = [
        await run(product, "cases.resolve", **end, diagnosis=said, resolved_at=resolved, updated_at=at)
        for said, resolved, at in (("late", 5, 20), ("early", 5, 10), ("", None, 30), ("late", 5, 20))
    ]
    kept = await product.one("cases.resolution", post=CASE)

    assert [1, 0, 1, 0] == came
    assert kept is not None
    assert ("", None) == (kept["diagnosis"], kept["resolved_at"])


async def test_following_ends_muting_and_the_other_way(product: Store) -> None:
    """What is saved, and when it was seen, stays; a visit only goes forward."""
    marie = {"doctor": MARIE, "post": CASE}
    for query in ("cases.follow", "cases.save", "cases.mute"):
        await run(product, query, **marie, now=7)
    muted = await product.all("cases.hearers", post=CASE, voters=1)
    await run(product, "cases.follow", **marie, now=8)
    for at in (30, 20):
        await run(product, "cases.visit", **marie, at=at)
    kept = await product.one("cases.marks", slug="case", doctor=MARIE)

    assert [ANNA] == [row["uri"] for row in muted]
    assert [ANNA, MARIE] == [row["uri"] for row in await product.all("cases.hearers", post=CASE, voters=0)]
    assert kept is not None
    assert (8, None, 7, 30) == tuple(kept[name] for name in ("followed_at", "muted_at", "saved_at", "visited_at"))


async def test_everything_goes_with_its_post(product: Store) -> None:
    """A poll, its votes and the end of a case are gone when the post is."""
    await run(product, "cases.vote", post=CASE, voter=MARIE, specialty="", choice=1, at=1)
    end = {"diagnosis": "x", "outcome": "", "language": "en", "thanked": "[]", "resolved_at": 1, "updated_at": 1}
    await run(product, "cases.resolve", post=CASE, **end)
    await run(product, "posts.remove", uri=CASE)

    assert [] == await product.all("cases.votes", post=CASE)
    assert (None, None) == (
        await product.one("cases.poll", post=CASE), await product.one("cases.resolution", post=CASE)
    )  # fmt: skip


async def test_no_statement_walks_a_whole_table(tmp_path: Path) -> None:
    """SQLite finds every row of these by an index, however many posts and readers there are."""
    path = tmp_path / "product.db"
    store = await open_store(f"sqlite://{path}")
    await store.migrate()
    await store.close()
    walked = {}
    with closing(sqlite3.connect(path)) as connection:
        for query in Queries(QUERIES, "sqlite"):
            if query.name.startswith("cases."):
                plan = connection.execute(f"explain query plan {query.text}", [1] * len(query.names)).fetchall()
                walked[query.name] = [step[3] for step in plan if step[3].startswith("SCAN")]

    assert {} == {name: steps for name, steps in walked.items() if steps and "CONSTANT" not in steps[0]}
