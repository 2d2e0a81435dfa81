"""What is written when something is said: one activity, a row for each inbox that is open, and who has a copy."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from federation import render
from federation.allowlist import LocalPolicy
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Comment, Create, Follow
from instance.storage.store import Transaction
from tests.federation.servers import sibling
from tests.instance.parts import ANNA, BRUNO, DE, FR, HOME, IT, Parts, parts, personal, shared


@pytest.fixture
async def fr(tmp_path: Path) -> AsyncIterator[Parts]:
    """The sending half of an instance."""
    async with parts(tmp_path) as found:
        yield found


async def test_a_case_is_queued_once_for_each_inbox(fr: Parts) -> None:
    """One row per sibling inbox, one lane per sibling, one line of the copy ledger for each."""
    create = await fr.creates(targets=[shared(DE), shared(DE), personal(DE), shared(IT)])
    rows = await fr.store.all("deliveries.list", origin="", state="waiting", limit=10)
    holders = await fr.store.all("copies.holders", object=create.object.id)
    lanes = await fr.store.all("lanes.all")

    assert [DE + "/inbox", DE + "/doctors/bert/inbox", IT + "/inbox"] == [row["inbox"] for row in rows]
    assert [DE, IT] == [row["origin"] for row in holders]
    assert [DE, IT] == [lane["origin"] for lane in lanes]


async def test_the_same_activity_is_queued_once(fr: Parts) -> None:
    """A unit of work that is run again writes nothing twice."""
    create = await fr.creates()
    await fr.publishes(create, create.object.id, [shared(DE), shared(IT)])
    rows = await fr.store.all("deliveries.list", origin="", state="", limit=10)

    assert 2 == len(rows)


async def test_nothing_is_left_of_a_fact_that_failed(fr: Parts) -> None:
    """The rows are those of the caller's transaction, and go with it."""
    post = fr.post()
    activity = Create(id=fr.an_id(), actor=ANNA, object=post)

    async def work(tx: Transaction) -> None:
        await fr.outbox.publish(tx, activity, body=b"{}", targets=[shared(DE)], object=post.id)
        raise RuntimeError("the fact failed")

    with pytest.raises(RuntimeError):
        await fr.store.write(work)

    assert {} == await fr.states(activity)
    assert await fr.store.one("activities.body", uri=activity.id) is None


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(LocalPolicy.INHERIT, {DE: "waiting"}), (LocalPolicy.PAUSE, {DE: "held"}), (LocalPolicy.READ_ONLY, {DE: "held"}),
     (LocalPolicy.BLOCK, {}), (None, {})],
)  # fmt: skip
async def test_the_policy_decides_how_a_row_begins(
    fr: Parts, policy: LocalPolicy | None, expected: dict[str, str]
) -> None:
    """Open: it waits. Paused or only read: it is held. Blocked or unknown: there is no row."""
    fr.listed = {DE: sibling(DE, policy)} if policy else {}
    create = await fr.creates(targets=[shared(DE)])

    assert expected == await fr.states(create)


async def test_an_inbox_elsewhere_and_our_own_get_no_row(fr: Parts) -> None:
    """A48: a target names one origin in both its parts, and never this one."""
    fr.listed[FR] = sibling(FR)
    elsewhere = shared(DE).__class__(DE, Uri.parse(IT + "/inbox"), True)
    create = await fr.creates(targets=[elsewhere, shared(FR)])

    assert {} == await fr.states(create)


async def test_a_delete_silences_its_object_and_goes_to_every_holder(fr: Parts) -> None:
    """What was to say that it exists is not said any more; whoever may have a copy is told."""
    create = await fr.creates()
    update = await fr.updates(create.object)
    other = await fr.creates()
    delete = await fr.deletes(ANNA, create.object.id, [shared(DE)])

    assert {DE: "dropped", IT: "dropped"} == await fr.states(create) == await fr.states(update)
    assert {DE: "waiting", IT: "waiting"} == await fr.states(other) == await fr.states(delete)


async def test_a_delete_reaches_a_holder_that_is_paused_later(fr: Parts) -> None:
    """A pause keeps back the withdrawal, not the knowledge of who has a copy."""
    create = await fr.creates()
    fr.listed[IT] = sibling(IT, LocalPolicy.PAUSE)
    delete = await fr.deletes(ANNA, create.object.id)

    assert {DE: "waiting", IT: "held"} == await fr.states(delete)


async def test_an_undo_silences_what_it_undoes(fr: Parts) -> None:
    """A Follow that was taken back before it was sent is never sent."""
    follow = Follow(id=fr.an_id(), actor=ANNA, object=Uri.parse(DE + "/doctors/bert"))
    await fr.publishes(follow, follow.object, [shared(DE)])
    undo = await fr.undoes(ANNA, follow.id)

    assert {DE: "dropped"} == await fr.states(follow)
    assert {DE: "waiting"} == await fr.states(undo)


async def test_nobody_silences_what_another_doctor_said(fr: Parts) -> None:
    """An Undo reaches only what its own actor said."""
    follow = Follow(id=fr.an_id(), actor=ANNA, object=Uri.parse(DE + "/doctors/bert"))
    await fr.publishes(follow, follow.object, [shared(DE)])
    await fr.undoes(HOME, follow.id)

    assert {DE: "waiting"} == await fr.states(follow)


def actor_of(folder: Path, activity: str) -> str:
    """Whose activity it is, as its row says."""
    with sqlite3.connect(folder / "fr.sqlite") as file:
        return str(file.execute("select actor from activities where uri = ?", (activity,)).fetchone()[0])


async def test_what_is_forwarded_is_signed_by_the_instance_and_in_nobodys_outbox(fr: Parts, tmp_path: Path) -> None:
    """The home of a thread passes a message on as it came, in its own name."""
    bert, thread = Uri.parse(DE + "/doctors/bert"), fr.post().id
    comment = Comment(
        id=Uri.parse(DE + "/comments/1"), author=bert, content="<p>Made up</p>", language="de", in_reply_to=thread,
        context=thread, to=(VERIFIED_DOCTORS,), published=fr.clock(),
    )  # fmt: skip
    create = Create(id=Uri.parse(DE + "/activities/1"), actor=bert, object=comment)
    body = render.activity(create) + b"\n"  # as it came

    async def work(tx: Transaction) -> int:
        return await fr.outbox.publish(tx, create, body=body, targets=[shared(IT)], object=comment.id, signer=HOME)

    number = await fr.store.write(work)
    [row] = await fr.store.all("deliveries.list", origin=IT, state="", limit=10)
    kept = await fr.store.one("activities.body", uri=create.id)
    shown = [await fr.store.all("serving.outbox", actor=actor, origin=IT) for actor in (ANNA, BRUNO, HOME)]

    assert 1 == number
    assert (HOME, create.id) == (row["actor"], row["activity"])
    assert (bert, body) == (actor_of(tmp_path, create.id), bytes(kept["body"]))
    assert [[], [], []] == shown
