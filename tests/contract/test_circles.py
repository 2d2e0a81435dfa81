"""What is remembered of circles that change promises the same on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from instance.storage import open_store
from instance.storage.store import Store, Transaction
from tests.contract.test_logs import DE, NOW, send
from tests.contract.test_who_sees_what import HERE, add_doctor

MARIE, ANNA = f"{HERE}/doctors/marie", f"{DE}/doctors/anna"
POST, ANSWER = f"{HERE}/posts/1", f"{HERE}/comments/1"


@pytest.fixture
async def rows(address: str) -> AsyncIterator[Store]:
    """A post of Marie's for colleagues with an answer, over each engine in turn; Anna has left her circle."""
    store = await open_store(address)
    try:
        await store.migrate()
        await store.write(_begin)
        yield store
    finally:
        await store.close()


async def _begin(tx: Transaction) -> None:
    for doctor in (MARIE, ANNA):
        await add_doctor(tx, doctor)
    written = {"content": "", "source": "", "language": "en", "role_then": "specialist", "now": NOW}
    facts = {"facts": "{}", "interests": "", "event_from": ""}
    await tx.run(
        "posts.add", uri=POST, slug="1", origin=HERE, author=MARIE, kind="case", title="T", specialties="[]",
        audience="colleagues", context="", **facts, **written,
    )  # fmt: skip
    await tx.run(
        "comments.add", uri=ANSWER, slug="1", origin=HERE, post=POST, parent=POST, author=MARIE, **written
    )  # fmt: skip
    await _left(tx, 5)


async def _left(tx: Transaction, number: int) -> None:
    await tx.run("circles.left", follower=ANNA, followee=MARIE, origin=DE, epoch="E", number=number, now=NOW)


async def _inside(rows: Store, number: int, **other: Any) -> bool:
    asked = {"post": POST, "reader": ANNA, "origin": DE, "epoch": "E", "number": number, **other}
    return await rows.one("circles.said_inside", **asked) is not None


async def test_what_was_said_before_leaving_was_said_inside(rows: Store) -> None:
    """By its number alone: of the same epoch, lower than that of the leaving, and above the mark; blocks count."""
    before = [await _inside(rows, number) for number in (4, 5, 6)]
    others = [
        await _inside(rows, 4, epoch="F"),
        await _inside(rows, 4, reader=MARIE),
        await _inside(rows, 4, origin=HERE),
    ]
    await rows.write(lambda tx: _left(tx, 9))
    later = await _inside(rows, 8)
    await rows.write(lambda tx: tx.run("logs.begin", origin=DE, epoch="E", mark=4))
    passed = [await _inside(rows, 4), await _inside(rows, 5)]
    found = await rows.one("circles.passed", origin=DE, epoch="E", number=4)
    await rows.write(lambda tx: tx.run("follows.block", doctor=MARIE, blocked=ANNA, now=0))

    assert [True, False, False] == before
    assert [False, False, False] == others
    assert later
    assert [False, True] == passed
    assert found is not None
    assert await rows.one("circles.passed", origin=DE, epoch="E", number=5) is None
    assert not await _inside(rows, 5)


async def test_who_left_is_forgotten(rows: Store) -> None:
    """As old as asked for, and no younger."""
    gone = [await rows.write(lambda tx, at=at: tx.run("circles.forget", before=at)) for at in (NOW - 1, NOW, NOW)]

    assert [0, 1, 0] == gone


async def _missed(rows: Store) -> tuple[list[str], list[str]]:
    asked = {"doctor": MARIE, "origin": DE, "count": 10}
    posts, answers = [await rows.all(f"circles.missed_{what}", **asked) for what in ("posts", "answers")]
    return [row["uri"] for row in posts], [row["uri"] for row in answers]


async def test_what_is_missed_hangs_on_what_is_held(rows: Store) -> None:
    """Nothing where the post never was; its answers where it was; both where they were withheld; nothing withdrawn."""
    never = await _missed(rows)
    await rows.write(lambda tx: tx.run("copies.add", object=POST, origin=DE, at=NOW))
    held = await _missed(rows)
    for uri in (ANSWER, POST):
        await rows.write(lambda tx, uri=uri: tx.run("copies.add", object=uri, origin=DE, at=NOW))
    whole = await _missed(rows)
    await rows.write(lambda tx: tx.run("circles.withhold", object=POST, origin=DE))
    await rows.write(lambda tx: tx.run("circles.withhold_version", object=ANSWER, activity="none"))
    withheld = await _missed(rows)
    await rows.write(lambda tx: tx.run("circles.given", object=ANSWER, origin=DE))
    given = await _missed(rows)
    await rows.write(
        lambda tx: tx.run("apply.add_tombstone", uri=POST, origin=HERE, actor=MARIE, former_type="Article", now=NOW)
    )

    assert ([], []) == never == whole
    assert ([], [ANSWER]) == held
    assert ([POST], [ANSWER]) == withheld
    assert ([POST], []) == given
    assert ([], []) == await _missed(rows)


async def test_a_delivery_is_said_again_under_a_new_number(rows: Store) -> None:
    """The one row there is takes the last number given; what waits is known to wait; an unknown one changes nothing."""
    await rows.write(lambda tx: send(tx, 1, DE))
    said = {"inbox": DE + "/inbox", "activity": f"{HERE}/activities/1"}
    waiting = await rows.one("deliveries.is_waiting", **said)

    async def again(tx: Transaction) -> list[int]:
        await tx.many("lanes.number", [{"origin": DE}])
        values = {"state": "waiting", "priority": 1, "origin": DE, "now": NOW}
        return [
            await tx.run("deliveries.again", **said, **values),
            await tx.run("deliveries.again", **{**said, "activity": "none"}, **values),
        ]

    changed = await rows.write(again)
    page = await rows.all("logs.page", origin=DE, after=0, count=10)
    sent = await rows.all("logs.sent_to", activity=said["activity"])

    assert waiting is not None
    assert [1, 0] == changed
    assert [2] == [row["number"] for row in page]
    assert [DE] == [row["origin"] for row in sent]


async def test_where_an_earlier_start_left_off_is_kept_until_it_was_asked(rows: Store) -> None:
    """The second start changes nothing; once asked, the next begins at the end again. Numbers only jump ahead."""

    async def starts() -> list[int]:
        await rows.write(lambda tx: tx.run("logs.not_asked"))
        return [row["number"] for row in await rows.all("logs.all_ends")]

    await rows.write(lambda tx: send(tx, 1, DE))
    first = await starts()
    await rows.write(lambda tx: send(tx, 2, DE))
    second = await starts()
    await rows.write(lambda tx: tx.run("logs.asked", origin=DE))
    third = await starts()
    jumps = [await rows.write(lambda tx, to=to: tx.run("logs.skip", origin=DE, number=to)) for to in (9, 9, 3)]

    assert ([1], [1], [2]) == (first, second, third)
    assert [1, 0, 0] == jumps
