"""Second factors: apps that show codes, passkeys and recovery codes, added and taken away by their owner.

Whatever changes the factors of an account ends its other sessions and asks for a factor (the password, where there is
none yet) of the last five minutes. How a factor is shown: factor_showing.py. What passkeys answer is checked in
passkeys.py, what apps show in code_apps.py. Codes raised here: CODES.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from instance.ids import new_ulid
from instance.services import code_apps, factor_showing, passkeys, staff_acts
from instance.services.accounts import Session, Stage, factors_of, hashed
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.factor_showing import (
    FactorNeeded,
    FactorShowing,
    Renewed,
    is_fresh,
    sealed_as,
)
from instance.services.owners import ADDED, tell_owner
from instance.services.passkeys import NewPasskey, NotShown
from instance.services.staff_acts import record, require_reason, whom_of
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from instance.vault import head_under

CODES: Final = (
    *factor_showing.CODES, "passkey_not_made", "too_many_passkeys", "last_factor", "no_factor", *staff_acts.CODES,
    "unknown_account", "enrolment_closed", "enrolment_gone",
)  # fmt: skip

#: The time for trying a new app's first code.
TO_CONFIRM: Final = timedelta(minutes=30)
#: How long an enrolment link opens.
ENROLMENT: Final = timedelta(days=7)
MAX_PASSKEYS: Final = 10
MAX_LABEL: Final = 60


@dataclass(frozen=True, slots=True)
class NewApp:
    """A secret that waits for its first code: as text to type, and as a picture (SVG)."""

    secret: str
    picture: str


def may_enrol(session: Session) -> bool:
    """Whether factors may be added in this session: not the first of staff who came by the password alone."""
    return session.stage is not Stage.ENROL or session.enrols


class SecondFactors(FactorShowing):
    """The second factors of every account."""

    # ── an app ──

    async def begin_app(self, session: Session) -> None:
        """Make a secret that waits for its first code, for this session alone; one that waited in it before is gone.

        Raises FactorNeeded; Forbidden(enrolment_closed) where staff came here by the password alone.
        """
        self._require_enrolling(session)
        if not is_fresh(session, self._node.clock()):
            raise FactorNeeded()
        secret, now = code_apps.make_secret(), self._node.clock()
        id = new_ulid(now)

        async def work(tx: Transaction) -> None:
            await tx.take_turn(factors_of(session.account_id))
            await tx.run("factors.drop_unconfirmed", account=session.account_id, session=session.key)
            sealed = await self._node.keys.seal(tx, secret, sealed_as(id))
            if not await tx.run(
                "factors.add_app", id=id, account=session.account_id, session=session.key, secret=sealed, now=to_ms(now)
            ):
                raise Rejected("not_signed_in", status=401)

        await self._store.write(work)

    async def app_to_confirm(self, session: Session) -> NewApp | None:
        """Return the secret that waits for its first code in this session, or None."""
        row = await self._waiting(session)
        if row is None:
            return None
        secret = self._opened(row)
        address = code_apps.address(secret, session.login, self._node.config.name)
        return NewApp(code_apps.typed(secret), code_apps.picture(address))

    async def confirm_app(self, session: Session, code: str) -> Renewed:
        """Take the app's first code: from now on it is the account's app, and the one before it is not.

        Raises Rejected: factor_wrong, too_many_attempts; Missing where no app waits.
        """
        row = await self._waiting(session)
        if row is None:
            raise Missing()
        attempt = await self._count(session)
        step = code_apps.step_of(self._opened(row), code_apps.plain(code), self._node.clock())
        if step is None:
            raise Rejected("factor_wrong", "code")
        taken, now, account = step, to_ms(self._node.clock()), session.account_id

        async def add(tx: Transaction) -> None:
            if not await tx.run(
                "factors.confirm_app", id=row["id"], account=account, session=session.key, step=taken, now=now
            ):
                raise Missing()
            await tx.run("factors.drop_other_apps", account=account, id=row["id"])
            await self._forgive(tx, session, attempt)

        return await self._change(session, "app_added", add)

    async def remove_app(self, session: Session) -> Renewed:
        """Take the app away; raise Rejected(last_factor) where staff would be left without a factor."""

        async def remove(tx: Transaction) -> None:
            if not await tx.run("factors.drop_app", account=session.account_id):
                raise Missing()

        return await self._change(session, "app_removed", remove)

    # ── passkeys ──

    async def ask_for_new(self, session: Session) -> str:
        """Return, as JSON, what the browser hands to a device that is to make a passkey; empty where none is added."""
        if not may_enrol(session):
            return ""
        known = await self._store.all("factors.passkeys", account=session.account_id)
        challenge = await self._challenge(session, "register")
        return await asyncio.to_thread(
            passkeys.ask_to_make, self._party, session.account_id, session.login, known, challenge
        )

    async def add_passkey(self, session: Session, credential: str, label: str) -> Renewed:
        """Keep the passkey that a device made; raise Rejected: challenge_stale, passkey_not_made, too_many_passkeys."""
        challenge = await self._asked(session, "register")
        try:
            new = await asyncio.to_thread(passkeys.made, self._party, credential, challenge)
        except NotShown:
            raise Rejected("passkey_not_made") from None
        named = " ".join(label.replace("\0", "").split())[:MAX_LABEL]

        async def add(tx: Transaction) -> None:
            await self._keep_passkey(tx, session.account_id, new, named)

        return await self._change(session, "passkey_added", add)

    async def _keep_passkey(self, tx: Transaction, account: str, new: NewPasskey, label: str) -> None:
        found = await tx.one("factors.of_account", account=account)
        if found is None or found["passkeys"] >= MAX_PASSKEYS:
            raise Rejected("too_many_passkeys")
        kept = await tx.run(
            "factors.add_passkey", id=new.id, account=account, public_key=new.public_key, sign_count=new.sign_count,
            label=label, transports=json.dumps(list(new.transports)), now=to_ms(self._node.clock()),
        )  # fmt: skip
        if not kept:  # its id is taken, perhaps by somebody else's
            raise Rejected("passkey_not_made")

    async def remove_passkey(self, session: Session, passkey_id: str) -> Renewed:
        """Take one of one's own passkeys away; Missing for any other, last_factor as for the app."""
        try:
            id = bytes.fromhex(passkey_id)
        except ValueError:
            raise Missing() from None

        async def remove(tx: Transaction) -> None:
            if not await tx.run("factors.drop_passkey", id=id, account=session.account_id):
                raise Missing()

        return await self._change(session, "passkey_removed", remove)

    # ── an account that was taken over ──

    async def say_whose(self, session: Session, not_hers: Collection[str]) -> Renewed:
        """Take away what its owner does not know (ids of passkeys, `app`) and open the account; recovery codes are new.

        Raises Missing where nobody asks; Rejected(last_factor) where staff would be left without a factor.
        """
        if session.stage is not Stage.FACTORS:
            raise Missing()

        async def settle(tx: Transaction) -> None:
            if "app" in not_hers:
                await tx.run("factors.drop_apps", account=session.account_id)
            for row in await tx.all("factors.passkeys", account=session.account_id):
                if bytes(row["id"]).hex() in not_hers:
                    await tx.run("factors.drop_passkey", id=bytes(row["id"]), account=session.account_id)
            await tx.run("factors.drop_recovery_codes", account=session.account_id)
            await tx.run("codes.factors_are_hers", account=session.account_id)

        return await self._change(session, "factors_confirmed", settle)

    # ── recovery codes ──

    async def new_codes(self, session: Session) -> Renewed:
        """Replace the recovery codes by a new set; raise Rejected(no_factor) where there is nothing to recover."""

        async def work(tx: Transaction) -> None:
            await tx.run("factors.drop_recovery_codes", account=session.account_id)

        return await self._change(session, "codes_made", work)

    async def reset(self, login: str, by: str, reason: str) -> str:
        """Take every factor and recovery code of an account whose owner has lost them, and end its sessions.

        Return a link under which staff add the next one, shown this once (used once, for seven days); empty for others,
        whom the password alone lets in. Raises Rejected: reason_missing, reason_too_long, unknown_account.
        """
        reason = require_reason(reason)
        account = await self._store.one("people.account_for_sign_in", login=login.strip().casefold())
        if account is None:
            raise Rejected("unknown_account", status=404)
        id, now = account["id"], self._node.clock()

        async def work(tx: Transaction) -> str:
            await tx.take_turn(factors_of(id))
            for query in ("factors.drop_passkeys", "factors.drop_apps", "factors.drop_recovery_codes"):
                await tx.run(query, account=id)
            await tx.run("sessions.end_all", account=id)
            await tx.run("factors.drop_enrolments", account=id)
            await tx.run("codes.factors_are_hers", account=id)
            link = await self._enrolment(tx, id, now)
            await record(tx, "factors_reset", by, id, now, reason=reason, whom=await whom_of(tx, id))
            return link

        return await self._store.write(work)

    async def _enrolment(self, tx: Transaction, id: str, now: datetime) -> str:
        """A new link for staff whose factors are gone; empty for others."""
        found, token = await tx.one("factors.of_account", account=id), secrets.token_urlsafe(32)
        if found is None or not json.loads(found["roles"]):
            return ""
        await tx.run(
            "factors.add_enrolment", token=hashed(token), account=id, now=to_ms(now), expires_at=to_ms(now + ENROLMENT)
        )
        return f"{self._node.origin}/me/security/enrol/{token}"

    async def open_enrolment(self, session: Session, token: str) -> str:
        """Let this session of staff without a factor add one, once; it goes on under the token that is returned.

        Raises Rejected(enrolment_gone): unknown, used, past, or of another account; Missing where none is owed.
        """
        if session.stage is not Stage.ENROL:
            raise Missing()
        fresh, now = secrets.token_urlsafe(32), to_ms(self._node.clock())

        async def work(tx: Transaction) -> str:
            await tx.take_turn(factors_of(session.account_id))
            if not await tx.run("factors.use_enrolment", token=hashed(token), account=session.account_id, now=now):
                raise Rejected("enrolment_gone", "enrolment")
            ends = to_ms(session.expires_at)
            if not await tx.run("sessions.let_enrol", token=session.key, new=hashed(fresh), now=now, expires_at=ends):
                raise Rejected("not_signed_in", status=401)
            return fresh

        return await self._store.write(work)

    async def sweep(self) -> int:
        """Delete what passkeys were asked too long ago; return how many."""

        async def work(tx: Transaction) -> int:
            return await tx.run("factors.drop_passed", now=to_ms(self._node.clock()))

        return await self._store.write(work)

    async def reseal(self, tx: Transaction, kek: str, most: int) -> int:
        """Seal so many secrets of apps under this key-encryption key that are sealed under another; return how many.

        Raises CannotOpen for one that no key here opens.
        """
        rows = await tx.all("factors.sealed_otherwise", head=head_under(kek), count=most)
        await tx.many("factors.reseal", [{"id": row["id"], "secret": self._resealed(row, kek)} for row in rows])
        return len(rows)

    # ── parts ──

    def _require_enrolling(self, session: Session) -> None:
        if not may_enrol(session):
            raise Forbidden("enrolment_closed")

    def _resealed(self, row: Row, kek: str) -> bytes:
        name = sealed_as(row["id"])
        return self._node.vault.seal(self._node.vault.open(bytes(row["secret"]), name), name, kek)

    async def _change(self, session: Session, act: str, change: Callable[[Transaction], Awaitable[None]]) -> Renewed:
        """Change the factors, end every other session, and give this one a new token; a first factor brings codes."""
        self._require_enrolling(session)
        if not is_fresh(session, self._node.clock()):
            raise FactorNeeded()
        codes = code_apps.make_recovery_codes()

        async def work(tx: Transaction) -> Renewed:
            await tx.take_turn(factors_of(session.account_id))
            await change(tx)
            found = await tx.one("factors.of_account", account=session.account_id)
            if found is None:
                raise Missing()
            if act == "codes_made" and not (found["passkeys"] or found["apps"]):
                raise Rejected("no_factor")
            given = await self._settle(tx, session, found, codes)
            await tx.run("sessions.end_others", account=session.account_id, token=session.key)
            has, adds = bool(found["passkeys"] or found["apps"]), act.endswith("_added")
            token = await self._renew(tx, session, factor_at=self._shown_at(session, adds) if has else None)
            await self._record(tx, act, session)
            if adds:
                await tell_owner(tx, session.account_id, ADDED, self._node.clock())
            return Renewed(token, given)

        return await self._store.write(work)

    def _shown_at(self, session: Session, adds: bool) -> datetime | None:
        """Whoever adds a factor has just shown it; whoever takes one away has not."""
        return self._node.clock() if adds else session.factor_at

    async def _settle(self, tx: Transaction, session: Session, found: Row, codes: list[str]) -> tuple[str, ...]:
        """Keep codes where there is a factor and no code, none where there is no factor; return those kept now."""
        if not (found["passkeys"] or found["apps"]):
            if json.loads(found["roles"]):
                raise Rejected("last_factor")
            await tx.run("factors.drop_recovery_codes", account=session.account_id)
            return ()
        if found["codes"]:
            return ()
        now = to_ms(self._node.clock())
        await tx.run("factors.drop_recovery_codes", account=session.account_id)
        await tx.many(
            "factors.add_recovery_code",
            [
                {"code": code_apps.hashed(session.account_id, code), "account": session.account_id, "now": now}
                for code in codes
            ],
        )
        return tuple(codes)

    async def _waiting(self, session: Session) -> Row | None:
        row = await self._store.one("factors.app_to_confirm", account=session.account_id, session=session.key)
        waits = row is not None and self._node.clock() - from_ms(row["created_at"]) < TO_CONFIRM
        return row if waits else None

    async def _record(self, tx: Transaction, act: str, session: Session) -> None:
        now, who = self._node.clock(), session.account_id
        await tx.run("people.record", id=new_ulid(now), act=act, by_whom=who, subject=who, reason="", at=to_ms(now))
