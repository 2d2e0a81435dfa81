"""What follows for a doctor's messages when the standing is taken away or given back, in the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import Update
from instance.services import sending
from instance.storage.store import Transaction

if TYPE_CHECKING:
    from instance.wiring import Node


async def silence(tx: Transaction, doctor: str, now: int) -> None:
    """Drop what the doctor still had to say, keep back what was taken back, and tell the other processes."""
    await tx.run("people.drop_deliveries", actor=doctor, now=now)
    await tx.run("people.hold_deliveries", actor=doctor)
    await tx.run("people.raise_standing_version")


async def let_speak(tx: Transaction, doctor: str, now: int) -> None:
    """Send what was kept back, and tell the other processes."""
    await tx.run("people.release_deliveries", actor=doctor, now=now)
    await tx.run("people.raise_standing_version")


async def ask_siblings_to_read_anew(node: Node, tx: Transaction, doctor: Uri) -> None:
    """Queue an `Update` of the instance that names the doctor: the home says so even of one who may not speak."""
    await sending.to_all_siblings(node, tx, Update, actor=node.actor, object=doctor, priority=Priority.REVOCATION)
