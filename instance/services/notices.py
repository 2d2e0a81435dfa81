"""Notices: what our own doctors are told about, by what happens here. What siblings bring: effects.notify."""

from __future__ import annotations

from typing import TYPE_CHECKING

from instance.ids import new_ulid
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node


async def tell(
    node: Node, tx: Transaction, doctor: str, kind: str, actor: str, *, post: str = "", about: str = ""
) -> None:
    """Tell a doctor of ours, once; nobody of themselves, nobody of somebody they have blocked."""
    now = node.clock()
    await tx.run(
        "notifications.add", id=new_ulid(now), doctor=doctor, kind=kind, actor=actor, post=post, object=about,
        now=to_ms(now),
    )  # fmt: skip


async def take_back(tx: Transaction, doctor: str, kind: str, actor: str, *, about: str = "") -> None:
    """Remove a notice whose occasion is gone."""
    await tx.run("notifications.drop", doctor=doctor, kind=kind, actor=actor, object=about)
