"""Whom a doctor lets come near: who may follow them, whose naming is a notice, and colleagues who are muted.

Both are kept here and told to nobody. What a rule refuses is answered like any other no: a sibling's Follow by Reject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from instance.services import acting, standings
from instance.services.errors import Missing, Rejected
from instance.storage.store import Reader, Transaction
from instance.times import to_ms
from verification.standing import Action

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (*standings.CODES, "bad_rule", "own_mute")

#: From the widest to the narrowest: everybody verified; of the own specialty or country; whom the doctor follows.
EVERYBODY, NEAR, FOLLOWED, NOBODY = WHO = ("everybody", "near", "followed", "nobody")


@dataclass(frozen=True, slots=True)
class ContactRules:
    """Who may follow a doctor, and who may name them."""

    follow: str = EVERYBODY
    name: str = EVERYBODY


class Contact:
    """Contact rules and mutes of our own doctors."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def rules(self, doctor_uri: str) -> ContactRules:
        """Return a doctor's rules."""
        row = await self._node.store.one("contact.rules", doctor=doctor_uri)
        return ContactRules() if row is None else ContactRules(row["follow"], row["name"])

    async def set_rules(self, doctor_uri: str, rules: ContactRules) -> None:
        """Keep the rules; they hold for what comes from now on, whoever follows already stays."""
        await acting.doctor(self._node, doctor_uri, Action.READ)
        for field, value in (("follow", rules.follow), ("name", rules.name)):
            if value not in WHO:
                raise Rejected("bad_rule", field)

        async def work(tx: Transaction) -> None:
            await tx.run(
                "contact.put_rules", doctor=doctor_uri, follow=rules.follow, name=rules.name,
                now=to_ms(self._node.clock()),
            )  # fmt: skip

        await self._node.store.write(work)

    async def mute(self, doctor_uri: str, target: str) -> None:
        """Mute a doctor: what they do is no notice, what they write is in no list. They are not told."""
        await acting.doctor(self._node, doctor_uri, Action.READ)
        if target == doctor_uri:
            raise Rejected("own_mute", status=409)
        other = await self._node.store.one("people.standing", uri=target)
        if other is None or other["gone_at"] is not None:
            raise Missing()

        async def work(tx: Transaction) -> None:
            await tx.run("contact.mute", doctor=doctor_uri, muted=target, now=to_ms(self._node.clock()))

        await self._node.store.write(work)

    async def unmute(self, doctor_uri: str, target: str) -> None:
        """Take a mute back, whoever it was."""
        await acting.doctor(self._node, doctor_uri, Action.READ)

        async def work(tx: Transaction) -> None:
            await tx.run("contact.unmute", doctor=doctor_uri, muted=target)

        await self._node.store.write(work)


async def takes_follow(rows: Transaction, owner: str, asker: str) -> bool:
    """Whether a doctor's rule lets this one follow them."""
    return await rows.one("contact.closed_to_follow", owner=owner, asker=asker) is None


async def may_name(rows: Reader, owner: str, asker: str) -> bool:
    """Whether a doctor's rule lets this one name them."""
    return await rows.one("contact.closed_to_name", owner=owner, asker=asker) is None
