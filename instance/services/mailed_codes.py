"""Codes that come by mail: they hold for a quarter of an hour, five tries and one use, in the browser that asked.

The browser keeps a token, the mail holds a code; what is kept of both opens nothing. An address that nobody here has
gets a row like any other, so that the answers are the same, and no mail. Codes raised here: CODES.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from instance.ids import new_ulid
from instance.services import attempts
from instance.services.accounts import hashed
from instance.services.errors import Rejected
from instance.services.mails import CODE_HOLDS, sealed_for
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (*attempts.CODES, "code_wrong", "code_past", "code_used_up", "code_gone")
#: How often a code can be typed, and all codes of one sign-up together.
TRIES, ALL_TRIES = 5, 15
#: For one purpose: mails to one address, and requests of one client, in a quarter of an hour; mails to it in a day.
PER_EMAIL, PER_CLIENT, PER_DAY = 3, 20, 12


class Purpose(StrEnum):
    """What a code is for."""

    SIGN_UP = "sign_up"
    ADDRESS = "address"
    PASSWORD = "password"  # noqa: S105  # what it is for


class Said(StrEnum):
    """What came of a code."""

    GONE = "code_gone"
    PAST = "code_past"
    USED_UP = "code_used_up"
    WRONG = "code_wrong"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """For whom a code is asked: an address, and whose account it is to be for ('' for nobody's)."""

    purpose: Purpose
    email: str
    account: str
    language: str
    digits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The mail that brings it: what it is about, to whom; nothing is sent where `notice` is empty."""

    notice: str
    whom: str


def new_code(digits: int) -> str:
    """Draw a code."""
    return f"{secrets.randbelow(10**digits):0{digits}}"


def bound(token: str, code: str) -> bytes:
    """What is kept of a code; the token makes it long."""
    return hashlib.sha256(f"{token} {code}".encode()).digest()


def judge(row: Row | None, token: str, typed: str, now: datetime) -> Said:
    """Say what a code is worth that was typed now."""
    if row is None:
        return Said.GONE
    if now - from_ms(row["code_at"]) >= CODE_HOLDS:
        return Said.PAST
    if row["tries"] >= TRIES:
        return Said.USED_UP
    fits = hmac.compare_digest(bytes(row["code"]), bound(token, "".join(typed.split())))
    return Said.RIGHT if fits else Said.WRONG


async def count(node: Node, email: str, client: str, purpose: Purpose) -> None:
    """Count a mail, whether the address has an account or not; raise Rejected(too_many_attempts) beyond the limits.

    Each purpose has bounds of its own: what strangers ask for keeps no owner from a new password. Of the sign-ups with
    an address in a day one client has a share, so that a stranger alone shuts nobody out.
    """
    signs_up, both = purpose is Purpose.SIGN_UP, f"{email} {client}"
    soon = attempts.subject(f"{purpose.value} to", both if signs_up else email)
    subjects = [(soon, PER_EMAIL), (attempts.subject("mail for", client), PER_CLIENT)]
    by_day = [(attempts.subject(f"{purpose.value} a day to", email), PER_DAY)]
    by_day += [(attempts.subject(f"{purpose.value} a day from", both), PER_DAY // 2)] if signs_up else []
    await attempts.count(node, subjects, by_day=by_day)


async def send(node: Node, asked: Asked, letter: Letter) -> str:
    """Keep a code and send it; return the token for the browser."""
    token, code = secrets.token_urlsafe(32), new_code(asked.digits)

    async def work(tx: Transaction) -> None:
        await add(node, tx, asked, letter, token, code)

    await node.store.write(work)
    node.wake.mails.set()
    return token


async def add(node: Node, tx: Transaction, asked: Asked, letter: Letter, token: str, code: str) -> None:
    """Keep a code and its mail in the caller's transaction; the one who is asked types what `code` says."""
    now = node.clock()
    id = new_ulid(now)
    await tx.run(
        "codes.add", token=hashed(token), purpose=asked.purpose.value, email=asked.email, account=asked.account,
        language=asked.language, code=bound(token, code), now=to_ms(now),
    )  # fmt: skip
    if letter.notice:
        await tx.run(
            "mails.add", id=id, whom=letter.whom, account="", country=node.config.country, notice=letter.notice,
            language=asked.language, at=to_ms(now), address=asked.email,
            sealed=node.vault.seal(code.encode(), sealed_for(id)),
        )  # fmt: skip


async def look(node: Node, token: str, purpose: Purpose) -> Row:
    """Return the row of a code; raise Rejected(code_gone) where there is none for this."""
    row = await node.store.one("codes.get", token=hashed(token))
    if row is None or row["purpose"] != purpose.value:
        raise refusal(Said.GONE)
    return row


async def take(tx: Transaction, token: str, typed: str, purpose: Purpose, now: datetime) -> tuple[Said, Row | None]:
    """Judge a code in the caller's transaction: a wrong one is counted, the right one is used up.

    A caller for whom the right one turns out to be nobody's says `Said.WRONG` as well.
    """
    await tx.take_turn(f"code {hashed(token).hex()}")
    row = await tx.one("codes.get", token=hashed(token))
    said = judge(row if row is None or row["purpose"] == purpose.value else None, token, typed, now)
    if said is Said.WRONG:
        await tx.run("codes.count_try", token=hashed(token))
    elif said is Said.RIGHT:
        await tx.run("codes.drop", token=hashed(token))
    return said, row


def refusal(said: Said) -> Rejected:
    """How a code that is not right is refused."""
    return Rejected(said.value, "code", 404 if said is Said.GONE else 422)
