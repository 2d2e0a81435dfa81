"""Notices: what our own doctors are told about. With each goes what tells of it elsewhere, in the same transaction.

What siblings bring comes through effects.notify, and the same way.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from instance.ids import new_ulid
from instance.services import notice_kinds
from instance.storage.store import Store, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node


async def tell(
    node: Node, tx: Transaction, doctor: str, kind: str, actor: str, *, post: str = "", about: str = ""
) -> None:
    """Tell a doctor of ours, once; nobody of themselves, across a block, or of whom and what they have muted."""
    await put(tx, doctor, kind, actor, now=node.clock(), post=post, about=about)


async def put(
    tx: Transaction, doctor: str, kind: str, actor: str, *, now: datetime, post: str = "", about: str = ""
) -> None:
    """Write the notice, and with it that open pages look again, and each way of telling that is wished."""
    at = to_ms(now)
    added = await tx.run(
        "notifications.add", id=new_ulid(now), doctor=doctor, kind=kind, actor=actor, post=post, object=about, now=at
    )
    if added:
        await tell_elsewhere(tx, doctor, kind, at)


async def tell_elsewhere(tx: Transaction, doctor: str, kind: str, at: int) -> None:
    """Write beside a notice just added that open pages look again, and each way of telling that is wished."""
    await tx.run("notifications.mark", doctor=doctor, now=at)
    await tx.run("notifications.queue", doctor=doctor, grp=notice_kinds.of(kind).group.value, now=at)


async def tell_many_elsewhere(tx: Transaction, whom: str, kind: str, *, since: int, at: int) -> None:
    """Write beside a notice of many (`specialty:cardiology`, `country:DE`) each way of telling that is wished."""
    facet, _, value = whom.partition(":")
    group = notice_kinds.of(kind).group.value
    await tx.run("notifications.queue_asked", facet=facet, value=value, grp=group, since=since, now=at)


async def take_back(node: Node, tx: Transaction, doctor: str, kind: str, actor: str, *, about: str = "") -> None:
    """Remove a notice whose occasion is gone."""
    if await tx.run("notifications.drop", doctor=doctor, kind=kind, actor=actor, object=about):
        await tx.run("notifications.mark", doctor=doctor, now=to_ms(node.clock()))


async def take_back_of_post(tx: Transaction, post: str, now: datetime) -> None:
    """Remove every notice that leads to a post which is withdrawn."""
    await tx.run("notifications.mark_of_post", post=post, now=to_ms(now))
    await tx.run("notifications.drop_of_post", post=post)


async def take_back_between(tx: Transaction, one: str, other: str, now: datetime) -> None:
    """Remove what one was told of the other, either way."""
    if await tx.run("notifications.drop_between", one=one, other=other):
        for doctor in (one, other):
            await tx.run("notifications.mark", doctor=doctor, now=to_ms(now))


async def read_all(store: Store, doctor: str, now: datetime) -> None:
    """Count all notices of this doctor as read."""

    async def work(tx: Transaction) -> None:
        await tx.run("notifications.read_all", doctor=doctor, now=to_ms(now))
        await tx.run("askings.mark_read", doctor=doctor, now=to_ms(now))
        await tx.run("notifications.mark", doctor=doctor, now=to_ms(now))

    await store.write(work)


async def read_some(store: Store, doctor: str, now: datetime, *, kind: str, post: str, first: str, last: str) -> None:
    """Count as read what stands together on the page: of one kind and post, from the first to the last."""
    await _read(store, "notifications.read_some", doctor, now, kind=kind, post=post, first=first, last=last)
    if kind == "asked":

        async def work(tx: Transaction) -> None:
            if await tx.run("askings.mark_one", reader=doctor, post=post, now=to_ms(now)):
                await tx.run("notifications.mark", doctor=doctor, now=to_ms(now))

        await store.write(work)


async def opened(store: Store, doctor: str, post: str, now: datetime) -> None:
    """Count the notices of a post as read that is being looked at; writes nothing where there are none."""
    if await store.one("notifications.unread_of_post", doctor=doctor, post=post) is not None:
        await _read(store, "notifications.read_of_post", doctor, now, post=post)


async def _read(store: Store, query: str, doctor: str, now: datetime, **which: str) -> None:
    async def work(tx: Transaction) -> None:
        if await tx.run(query, doctor=doctor, now=to_ms(now), **which):
            await tx.run("notifications.mark", doctor=doctor, now=to_ms(now))

    await store.write(work)
