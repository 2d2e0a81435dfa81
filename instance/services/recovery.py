"""A new password for whoever can read the mail sent to the proved address of an account.

An address that nobody has is answered like every other. A new password ends every session, and the owner is told by
mail. It stands for nothing but the old one: a second factor is still asked for, and staff without one get none by it.
An account that was taken over (`unsafe`) opens by this way alone, so nobody else may close it: questions are counted by
address and network together, and an administrator, who knows whom they speak with, can have a code sent that nobody but
the owner reads. Codes raised here: CODES.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from instance.ids import new_ulid
from instance.services import attempts, mailed_codes, passwords, staff_acts
from instance.services.accounts import factors_of
from instance.services.errors import Rejected
from instance.services.joining import read_address
from instance.services.mailed_codes import Asked, Letter, Purpose, Said
from instance.services.mails import PASSWORD_CODE, SENT_CODE
from instance.services.owners import OWNER, PASSWORD_CHANGED, tell_owner
from instance.storage.store import Row, Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    *mailed_codes.CODES, *staff_acts.CODES, "bad_email", "password_too_short", "password_too_long", "password_common",
    "unknown_account", "address_not_proved",
)  # fmt: skip
#: Mails that one network asks for to one address, in a quarter of an hour and in a day; questions of one network in a
#: quarter of an hour; and mails to one address in a day, whoever asks: many, since whoever knows it can use them up.
PER_PAIR, PER_PAIR_A_DAY, PER_CLIENT, PER_ADDRESS = 3, 12, 20, 60
#: The letters of a code that is sent on behalf of an administrator: long, since it works in every browser.
_LETTERS, _LONG, _GROUP = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 20, 4
#: More than of a sign-up: this code opens an account that is there.
_DIGITS: Final = 8


class Recovery:
    """Forgotten passwords of one instance."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store

    async def begin(self, typed: str, client: str, language: str) -> str:
        """Send a code to whoever has this proved address; return the token for the browser, also where nobody has it.

        Raises Rejected: bad_email, too_many_attempts.
        """
        email = read_address(typed)
        await self._count(email, client)
        owner = await self._store.one("codes.owner_of", email=email)
        asked = Asked(
            purpose=Purpose.PASSWORD, email=email, account=owner["id"] if owner else "",
            language=(owner["language"] if owner else "") or language, digits=_DIGITS,
        )  # fmt: skip
        return await mailed_codes.send(self._node, asked, Letter(notice=PASSWORD_CODE if owner else "", whom=OWNER))

    async def _count(self, email: str, client: str) -> None:
        pair = f"{email} {client}"
        await attempts.count(
            self._node,
            [(attempts.subject("recover", pair), PER_PAIR), (attempts.subject("recover from", client), PER_CLIENT)],
            by_day=[
                (attempts.subject("recover a day", pair), PER_PAIR_A_DAY),
                (attempts.subject("recover to", email), PER_ADDRESS),
            ],
        )

    async def send(self, login: str, by: str, reason: str) -> None:
        """Send a code to the proved address of an account, on behalf of an administrator, who never reads it.

        Raises Rejected: reason_missing, reason_too_long, unknown_account, address_not_proved.
        """
        reason = staff_acts.require_reason(reason)
        owner = await self._store.one("codes.to_whom", login=login.strip().casefold())
        if owner is None:
            raise Rejected("unknown_account", status=404)
        if not owner["email"]:
            raise Rejected("address_not_proved", status=409)
        now, code = self._node.clock(), "".join(secrets.choice(_LETTERS) for _ in range(_LONG))
        asked = Asked(
            purpose=Purpose.PASSWORD, email=owner["email"], account=owner["id"], language=owner["language"], digits=0
        )

        async def work(tx: Transaction) -> None:
            await mailed_codes.add(self._node, tx, asked, Letter(notice=SENT_CODE, whom=OWNER), code, _grouped(code))
            whom = await staff_acts.whom_of(tx, owner["id"])
            await staff_acts.record(tx, "recovery_sent", by, owner["id"], now, reason=reason, whom=whom)

        await self._store.write(work)
        self._node.wake.mails.set()

    async def confirm_sent(self, typed: str, password: str) -> str:
        """Take a code that was sent on behalf of an administrator; return the account. Raises what `confirm` does."""
        code = "".join(letter for letter in typed.upper() if letter in _LETTERS)
        return await self.confirm(code, _grouped(code), password)

    async def again(self, token: str, client: str) -> str:
        """Send another code to the same address; return the token that goes with it."""
        row = await mailed_codes.look(self._node, token, Purpose.PASSWORD)
        return await self.begin(row["email"], client, row["language"])

    async def address(self, token: str) -> str:
        """The address that was typed; raise Rejected(code_gone) where nothing was asked under this token."""
        return str((await mailed_codes.look(self._node, token, Purpose.PASSWORD))["email"])

    async def confirm(self, token: str, typed: str, password: str) -> str:
        """Take the code and the new password; return the account.

        Raises Rejected: code_gone, code_past, code_used_up, code_wrong, and what passwords are refused for.
        """
        row = await mailed_codes.look(self._node, token, Purpose.PASSWORD)
        passwords.check_password(password, row["email"], row["email"].partition("@")[0])
        early = mailed_codes.judge(row, token, typed, self._node.clock())
        if early not in (Said.RIGHT, Said.WRONG):
            raise mailed_codes.refusal(early)
        stored = await self._node.hash_password(password)  # also for a wrong code: the answers take the same time

        async def work(tx: Transaction) -> tuple[Said, str]:
            said, found = await mailed_codes.take(tx, token, typed, Purpose.PASSWORD, self._node.clock())
            if said is not Said.RIGHT or found is None:
                return said, ""
            return (said if await self._renew(tx, found, stored) else Said.WRONG), found["account"]

        said, account = await self._store.write(work)
        if said is not Said.RIGHT:
            raise mailed_codes.refusal(said)
        self._node.wake.mails.set()
        return account

    async def _renew(self, tx: Transaction, row: Row, stored: str) -> bool:
        """Put the new password in force; False where the account is nobody's, or no longer has this address."""
        account, now = row["account"], self._node.clock()
        await tx.take_turn(factors_of(account))
        found = await tx.one("factors.of_account", account=account)
        if found is None:
            return False
        asks = found["unsafe"] and (found["passkeys"] or found["apps"])
        if not await tx.run(
            "codes.renew_password", account=account, email=row["email"], password=stored,
            unsafe="factors" if asks else "",
        ):  # fmt: skip
            return False
        await tx.run("sessions.end_all", account=account)
        await tx.run("codes.drop_of", account=account, purpose=Purpose.PASSWORD.value)
        await tx.run("sessions.forget_failures", subject=attempts.subject("account", found["login"]))
        await tx.run(
            "people.record", id=new_ulid(now), act="password_recovered", by_whom="owner", subject=account, reason="",
            at=to_ms(now),
        )  # fmt: skip
        await tell_owner(tx, account, PASSWORD_CHANGED, now)
        return True


def _grouped(code: str) -> str:
    """A long code as it is read and typed: letters in groups."""
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))
