"""Showing a second factor: at the second step of a sign-in, and again before a decision.

Each of a code of an app, a passkey's answer and a recovery code is taken once. Five wrong ones in a quarter of an hour,
or twenty in a day, and the account waits: its second steps apart from the sessions that are whole, so that whoever
knows the password alone locks nobody out who is in. A success forgives what its own session got wrong, and nobody
else's; of guesses behind the right password the owner is told by mail. A session that has shown a factor goes on under
a new token. How factors are added and taken away: second_factor.py. Codes raised here: CODES.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from instance.services import attempts, code_apps, passkeys, passwords
from instance.services.accounts import Session, Stage, factors_of, hashed, lifetime
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.owners import GUESSED, tell_owner
from instance.services.passkeys import NotShown, Party
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    *attempts.CODES, "factor_missing", "factor_owed", "factor_stale", "factor_wrong", "password_wrong",
    "challenge_stale", "not_signed_in", "not_found",
)  # fmt: skip

#: A factor shown this long ago still counts for a decision.
FRESH: Final = timedelta(minutes=5)
#: The time a browser has for what a passkey is asked.
CHALLENGE: Final = timedelta(minutes=5)

#: At the third wrong one of a day behind the right password.
_GUESSES: Final = 3

#: Marks a factor as used, in the transaction that takes it.
Use = Callable[[Transaction], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey, as its owner's list shows it."""

    id: str
    label: str
    created_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Factors:
    """The factors of an account; `compulsory` where it must keep one."""

    passkeys: tuple[Passkey, ...]
    app_since: datetime | None
    codes_left: int
    compulsory: bool

    @property
    def any(self) -> bool:
        """Whether there is one; recovery codes are none."""
        return bool(self.passkeys) or self.app_since is not None


@dataclass(frozen=True, slots=True)
class Shown:
    """What somebody shows: an app's or a recovery code, a passkey's answer, or (without a factor) the password."""

    code: str = ""
    credential: str = ""
    password: str = ""

    @property
    def anything(self) -> bool:
        """Whether something was shown at all."""
        return bool(self.code or self.credential or self.password)


@dataclass(frozen=True, slots=True)
class Renewed:
    """The session goes on under this token; recovery codes are shown this once, where there are new ones."""

    token: str
    codes: tuple[str, ...] = ()


class FactorNeeded(Forbidden):
    """This needs a factor (or, where there is none, the password) shown in the last five minutes.

    `mistake` is what was wrong with the one that came with the form, if one came.
    """

    def __init__(self, mistake: Rejected | None = None) -> None:
        super().__init__("factor_stale")
        self.mistake = mistake
        if mistake is not None:
            self.status = mistake.status if mistake.status == 429 else self.status


def is_fresh(session: Session, now: datetime) -> bool:
    """Whether a factor was shown in the last five minutes; for an account without one, the password."""
    shown = session.factor_at or session.password_at
    return timedelta() <= now - shown <= FRESH  # a clock that was set back makes nothing fresh


class FactorShowing:
    """The factors of every account, as they are asked for and shown."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store
        self._party = Party(node.origin, node.config.name)

    async def of(self, account_id: str) -> Factors:
        """Return the factors of an account; raise Missing where there is no such account."""
        found = await self._store.one("factors.of_account", account=account_id)
        if found is None:
            raise Missing()
        listed = tuple(_listed(row) for row in await self._store.all("factors.passkeys", account=account_id))
        app = await self._store.one("factors.app", account=account_id)
        since = from_ms(app["created_at"]) if app is not None else None
        return Factors(listed, since, found["codes"], bool(json.loads(found["roles"])))

    async def ask(self, session: Session) -> str:
        """Return, as JSON, what the browser hands to a passkey; empty where the account has none."""
        known = await self._store.all("factors.passkeys", account=session.account_id)
        if not known:
            return ""
        challenge = await self._challenge(session, "show")
        return await asyncio.to_thread(passkeys.ask_to_show, self._party, known, challenge)

    async def show(self, session: Session, shown: Shown) -> Renewed:
        """Take a factor; the session is whole afterwards, fresh, and goes on under a new token.

        Raises Rejected: factor_wrong (one answer for everything that is no factor of this account, or was used before),
        challenge_stale, too_many_attempts, password_wrong.
        """
        attempt = await self._count(session)
        if session.stage is not Stage.SECOND_STEP and session.factor_at is None:
            return await self._show_password(session, shown, attempt)
        try:
            use = await self._use(session, shown)
        except Rejected as error:
            if error.code == "challenge_stale":  # too late is not wrong
                await self._store.write(lambda tx: attempts.forget(tx, attempt))
            else:
                await self._warn(session)
            raise

        async def work(tx: Transaction) -> str:
            await tx.take_turn(factors_of(session.account_id))
            await use(tx)
            await self._forgive(tx, session, attempt)
            return await self._renew(tx, session, factor_at=self._node.clock())

        return Renewed(await self._store.write(work))

    async def _use(self, session: Session, shown: Shown) -> Use:
        """What marks this factor as used in the transaction; raise Rejected where it is none."""
        if shown.credential:
            return await self._use_passkey(session, shown.credential)
        code = code_apps.plain(shown.code)
        if code_apps.is_recovery_code(code):
            return self._use_recovery_code(session, code)
        app = await self._store.one("factors.app", account=session.account_id)
        step = code_apps.step_of(self._opened(app), code, self._node.clock()) if app is not None else None
        if app is None or step is None:
            raise _wrong()
        id, taken = app["id"], step

        async def use(tx: Transaction) -> None:
            if not await tx.run("factors.take_step", id=id, step=taken):
                raise _wrong()

        return use

    def _use_recovery_code(self, session: Session, code: str) -> Use:
        kept, now = code_apps.hashed(session.account_id, code), to_ms(self._node.clock())

        async def use(tx: Transaction) -> None:
            if not await tx.run("factors.use_recovery_code", code=kept, account=session.account_id, now=now):
                raise _wrong()

        return use

    async def _use_passkey(self, session: Session, answer: str) -> Use:
        challenge = await self._asked(session, "show")
        try:
            row = await self._store.one("factors.passkey", id=await asyncio.to_thread(passkeys.id_of, answer))
            if row is None or row["account"] != session.account_id:
                raise NotShown
            count = await asyncio.to_thread(passkeys.shown, self._party, answer, challenge, row)
        except NotShown:
            raise _wrong() from None
        id, seen, now = bytes(row["id"]), row["sign_count"], to_ms(self._node.clock())

        async def use(tx: Transaction) -> None:
            if not await tx.run("factors.count_passkey", id=id, sign_count=count, seen=seen, now=now):
                raise _wrong()

        return use

    async def _show_password(self, session: Session, shown: Shown, attempt: str) -> Renewed:
        """An account without a factor shows its password again."""
        account = await self._store.one("people.account", id=session.account_id)
        try:
            fits = await passwords.verify(shown.password[:1024], account["password"] if account else None)
        except Rejected:  # too busy to look: that was no attempt
            await self._store.write(lambda tx: attempts.forget(tx, attempt))
            raise
        if not fits:
            raise Rejected("password_wrong", "factor_password")

        async def work(tx: Transaction) -> str:
            await self._forgive(tx, session, attempt)
            token = secrets.token_urlsafe(32)
            now = to_ms(self._node.clock())
            if not await tx.run("sessions.show_password", token=session.key, new=hashed(token), now=now):
                raise Rejected("not_signed_in", status=401)
            return token

        return Renewed(await self._store.write(work))

    # ── parts ──

    async def _renew(self, tx: Transaction, session: Session, *, factor_at: datetime | None) -> str:
        """Put the session under a new token; raise Rejected where it has ended meanwhile.

        A second step begins its life, and gives it a new mark for its forms; otherwise those that are open stay good.
        """
        now, token = self._node.clock(), secrets.token_urlsafe(32)
        begins = session.stage is Stage.SECOND_STEP
        csrf = secrets.token_urlsafe(24) if begins else session.csrf
        found = await tx.one("factors.of_account", account=session.account_id)
        ends = now + lifetime(found["roles"] if found else "[]").absolute if begins else session.expires_at
        changed = await tx.run(
            "sessions.show_factor", token=session.key, new=hashed(token), csrf=csrf, now=to_ms(now),
            expires_at=to_ms(ends), factor_at=None if factor_at is None else to_ms(factor_at),
        )  # fmt: skip
        if not changed:
            raise Rejected("not_signed_in", status=401)
        return token

    async def _challenge(self, session: Session, purpose: str) -> bytes:
        challenge, now = secrets.token_bytes(32), self._node.clock()

        async def work(tx: Transaction) -> None:
            if not await tx.run(
                "factors.ask", session=session.key, purpose=purpose, challenge=challenge,
                expires_at=to_ms(now + CHALLENGE),
            ):  # fmt: skip
                raise Rejected("not_signed_in", status=401)

        await self._store.write(work)
        return challenge

    async def _asked(self, session: Session, purpose: str) -> bytes:
        """Return what was asked, this once: whatever the answer is worth, it is not asked again."""

        async def work(tx: Transaction) -> Row | None:
            row = await tx.one("factors.asked", session=session.key, purpose=purpose)
            return row if await tx.run("factors.answered", session=session.key, purpose=purpose) else None

        row = await self._store.write(work)
        if row is None or row["expires_at"] <= to_ms(self._node.clock()):
            raise Rejected("challenge_stale")
        return bytes(row["challenge"])

    def _opened(self, row: Row) -> bytes:
        return self._node.vault.open(bytes(row["secret"]), sealed_as(row["id"]))

    async def _count(self, session: Session) -> str:
        within = [(_tried(session), attempts.PER_ACCOUNT), (_tried_by(session), attempts.PER_ACCOUNT)]
        return await attempts.count(self._node, within, by_day=[(_tried(session, "day"), attempts.PER_DAY)])

    async def _forgive(self, tx: Transaction, session: Session, attempt: str) -> None:
        """Forget what this session got wrong; what another got wrong may have been somebody else's guess."""
        await attempts.forget(tx, attempt)
        await tx.run("sessions.forget_failures_with", subject=_tried_by(session))

    async def _warn(self, session: Session) -> None:
        """Tell the owner, once while it lasts, that somebody who knows the password guesses at the second step."""
        if session.stage is not Stage.SECOND_STEP:
            return
        since = to_ms(self._node.clock() - attempts.DAY)

        async def work(tx: Transaction) -> None:
            row = await tx.one("sessions.failures", subject=_tried(session, "day"), since=since)
            if row is not None and row["number"] == _GUESSES:
                await tell_owner(tx, session.account_id, GUESSED, self._node.clock())

        await self._store.write(work)


def _tried(session: Session, per: str = "") -> str:
    """What wrong factors are counted for: those of second steps apart from those of sessions that are whole."""
    half = "half " if session.stage is Stage.SECOND_STEP else ""
    return attempts.subject("factor", f"{half}{per} {session.account_id}")


def _tried_by(session: Session) -> str:
    return attempts.subject("factor of", session.key.hex())


def sealed_as(id: str) -> bytes:
    """What names the row of an app's secret to the vault."""
    return f"totp {id}".encode()


def _wrong() -> Rejected:
    return Rejected("factor_wrong", "factor_code")


def _listed(row: Row) -> Passkey:
    used = row["last_used_at"]
    return Passkey(
        bytes(row["id"]).hex(), row["label"], from_ms(row["created_at"]), None if used is None else from_ms(used)
    )
