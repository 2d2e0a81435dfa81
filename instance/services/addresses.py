"""Addresses that somebody else has typed for an account: its owner proves them by a code before they count.

Until then no mail goes there but the code. Of an address that another account has, a mail alone says so, and no code
fits. Codes raised here: CODES.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from instance.services import mailed_codes
from instance.services.errors import Missing
from instance.services.mailed_codes import Asked, Letter, Purpose, Said
from instance.services.mails import ADDRESS_CODE, CODE_HOLDS, HAS_ACCOUNT
from instance.services.owners import OWNER
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (*mailed_codes.CODES, "not_found")
_DIGITS: Final = 6


async def claim(tx: Transaction, account: str, email: str, now: datetime) -> None:
    """Keep an address that an account's owner has still to prove; one that has a proved address keeps that."""
    await tx.run("codes.claim", account=account, email=email.casefold(), now=to_ms(now))


class Addresses:
    """The addresses of accounts."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store

    async def waiting(self, account_id: str) -> str:
        """The address that this account's owner has still to prove; empty where there is none."""
        row = await self._store.one("codes.claimed", account=account_id)
        return "" if row is None else str(row["email"])

    async def send(self, account_id: str, client: str, language: str) -> str:
        """Send a code; return the token for the browser. Raises Missing where nothing waits, and too_many_attempts."""
        row = await self._store.one("codes.claimed", account=account_id)
        if row is None:
            raise Missing()
        email = str(row["email"])
        await mailed_codes.count(self._node, email, client, Purpose.ADDRESS)
        holder = await self._store.one("joining.account_of", email=email)
        free = holder is None or holder["id"] == account_id
        asked = Asked(
            purpose=Purpose.ADDRESS, email=email, account=account_id if free else "",
            language=row["language"] or language, digits=_DIGITS,
        )  # fmt: skip
        letter = Letter(notice=ADDRESS_CODE if free else HAS_ACCOUNT, whom=OWNER)
        return await mailed_codes.send(self._node, asked, letter)

    async def confirm(self, account_id: str, token: str, typed: str) -> None:
        """Take the code: from now on the address is the account's own.

        Raises Rejected: code_gone, code_past, code_used_up, code_wrong.
        """

        async def work(tx: Transaction) -> Said:
            said, row = await mailed_codes.take(tx, token, typed, Purpose.ADDRESS, self._node.clock())
            if said is not Said.RIGHT or row is None:
                return said
            await tx.take_turn(f"address {row['email']}")
            claimed = await tx.one("codes.claimed", account=account_id)
            holder = await tx.one("joining.account_of", email=row["email"])
            own = row["account"] == account_id and claimed is not None and claimed["email"] == row["email"]
            if not own or (holder is not None and holder["id"] != account_id):
                return Said.WRONG
            await tx.run("joining.set_address", account=account_id, email=row["email"])
            await tx.run("codes.drop_claim", account=account_id)
            return said

        said = await self._store.write(work)
        if said is not Said.RIGHT:
            raise mailed_codes.refusal(said)

    async def sweep(self) -> int:
        """Forget codes that passed an hour ago; return how many."""

        async def work(tx: Transaction) -> int:
            return await tx.run("codes.drop_passed", since=to_ms(self._node.clock() - 4 * CODE_HOLDS))

        return await self._store.write(work)
