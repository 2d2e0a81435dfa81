"""Accounts and sessions: who is signed in, for how long, and what keeps others out.

A session is whole, or it opens one thing alone: the second step of a sign-in, or the enrolment that staff owe
(`Stage`). Codes raised here: CODES.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from instance.config import LANGUAGES
from instance.i18n import CONTENT_LANGUAGES
from instance.ids import new_ulid
from instance.services import attempts, passwords
from instance.services.attempts import DAY, PER_ACCOUNT, PER_ADDRESS
from instance.services.errors import Missing, Rejected
from instance.services.owners import PASSWORD_CHANGED, tell_owner
from instance.services.standings import is_student, standing_of
from instance.storage.store import Row, StorageUnavailable, Transaction
from instance.times import from_ms, to_ms
from verification.standing import Action, OwnAct, Policy, WhyNot, may_own, why_not

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    *attempts.CODES, "wrong_credentials", "password_void", "account_over", "too_busy", "password_too_short",
    "password_too_long", "password_common", "bad_language", "bad_appearance", "bad_text_size", "bad_reading",
    "not_found",
)  # fmt: skip

APPEARANCES: Final = ("", "auto", "light", "dark")
#: How large text may be set, in per cent; the first is the size of pages for everybody else.
TEXT_SIZES: Final = (100, 110, 125, 150)
#: Of an account that was taken over: its password opens nothing, its factors may be somebody else's.
_VOID, _IN_QUESTION = "password", "factors"
_TOUCH_AFTER: Final = timedelta(minutes=1)
_MAX_DEVICE: Final = 200
#: The time for the second step of a sign-in.
_SECOND_STEP: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts: without use, and at most."""

    idle: timedelta
    absolute: timedelta


DOCTOR: Final = Lifetime(timedelta(days=7), timedelta(days=30))
STAFF: Final = Lifetime(timedelta(minutes=30), timedelta(hours=12))


@dataclass(frozen=True, slots=True)
class SignIn:
    """A new session; the token is shown this once and only its hash is kept."""

    token: str
    account: str
    csrf: str
    expires_at: datetime
    stage: Stage


class Stage(StrEnum):
    """What a session opens: everything, or one thing alone, which is still to be done."""

    WHOLE = "whole"
    SECOND_STEP = "second_step"
    ENROL = "enrol"
    #: After an account was taken over: saying which of its factors are the owner's.
    FACTORS = "factors"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in. `doctor` is their row, or None for staff who are no doctors."""

    #: SHA-256 of the token.
    key: bytes
    stage: Stage
    account_id: str
    login: str
    doctor: Row | None
    roles: tuple[str, ...]
    csrf: str
    language: str
    appearance: str
    text_size: int
    #: The languages whose posts this person reads, as they were chosen; none where nothing was.
    reading: tuple[str, ...]
    #: Why this person may not read now (a code), or None where they may.
    closed: WhyNot | None
    expires_at: datetime
    #: When the password was last shown in this session, and when a second factor was (None: never).
    password_at: datetime
    factor_at: datetime | None
    #: Whether it may add a first factor to an account with a role (an invitation or an enrolment link began it).
    enrols: bool = False

    @property
    def doctor_uri(self) -> str | None:
        """The address of the doctor, where there is one."""
        return None if self.doctor is None else str(self.doctor["uri"])

    @property
    def reads(self) -> bool:
        """Whether room is kept for this person: a doctor who may read, or staff; anybody can have an account."""
        verified = self.doctor is not None and self.closed is None
        return self.stage is Stage.WHOLE and (verified or bool(self.roles))


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One of one's own sessions, as the settings page lists it."""

    id: str
    device: str
    created_at: datetime
    last_seen_at: datetime
    current: bool


class Accounts:
    """Sign-in, sessions and preferences."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._store = node.store

    async def sign_in(self, login: str, password: str, address: str, device: str = "") -> SignIn:
        """Open a new session; raise Rejected with one answer, in one time, for unknown names and wrong passwords.

        Whoever knows the password is told more: password_void, or account_over where the last application has ended.
        """
        name = login.strip().casefold()[:200]
        attempt = await self._count_attempt(name, address)
        account = await self._store.one("people.account_for_sign_in", login=name)
        usable = account is not None and account["disabled_at"] is None
        try:
            fits = await passwords.verify(password[:1024], account["password"] if account and usable else None)
        except Rejected:
            await self._forget(attempt)
            raise
        if account is None or not fits:
            raise Rejected("wrong_credentials", "password")
        if account["unsafe"] == _VOID:
            raise Rejected("password_void", "password", status=403)
        return await self._open_session(account, name, attempt, device)

    async def begin(self, account_id: str, device: str = "", *, enrols: bool = False) -> SignIn:
        """Open the first session of an account whose owner has just proved the address it was made for.

        With `enrols`, for whoever has just accepted an invitation: it may add a first factor.
        """
        account = await self._store.one("people.account", id=account_id)
        if account is None:
            raise Missing()
        return await self._open_session(account, account["login"], "", device, enrols=enrols)

    async def session(self, token: str, *, used: bool = True) -> Session | None:
        """Return who holds the token of a whole session; None for every other, as for one that is not there.

        Where it is not `used` by anybody, as by a page that asks by itself, it grows idle all the same.
        """
        found = await self.entered(token, used=used)
        return found if found is not None and found.stage is Stage.WHOLE else None

    async def entered(self, token: str, *, used: bool = True) -> Session | None:
        """Return who holds the token, at whatever stage; None where it is unknown, idle too long, or past its end."""
        key = _hashed(token)
        row = await self._store.known("sessions.by_token", token=key)
        now = self._node.clock()
        if row is None or not _alive(row, now):
            return None
        if used and now - from_ms(row["last_seen_at"]) >= _TOUCH_AFTER:
            # Reading goes on where nothing can be written.
            with suppress(StorageUnavailable):
                await self._run("sessions.touch", token=key, now=to_ms(now))
        if is_student(row):
            await self._node.policies.look()
        return _session(row, self._node.policies.standing, now)

    async def reading(self, accounts: Iterable[str]) -> set[bytes]:
        """Return the keys of those sessions of these accounts whose doctors may read now."""
        rows = await self._store.all("sessions.of_accounts", accounts=json.dumps(list(accounts)))
        now, found = self._node.clock(), set[bytes]()
        if any(map(is_student, rows)):
            await self._node.policies.look()
        for row in rows:
            if _alive(row, now):
                session = _session(row, self._node.policies.standing, now)
                if session.stage is Stage.WHOLE and session.doctor is not None and session.closed is None:
                    found.add(session.key)
        return found

    async def sign_out(self, token: str) -> None:
        """End this session."""
        await self._run("sessions.end", token=_hashed(token))

    async def list_sessions(self, account_id: str, token: str = "") -> list[SessionInfo]:
        """List the living sessions of an account, the last used first; `token` marks the one in use."""
        rows = await self._store.all("sessions.of_account", account=account_id, now=to_ms(self._node.clock()))
        return [_info(row, _hashed(token)) for row in rows]

    async def revoke_session(self, account_id: str, session_id: str) -> None:
        """End one of the account's own sessions; raise Missing for any other."""
        try:
            key = bytes.fromhex(session_id)
        except ValueError:
            raise Missing() from None
        if not await self._run("sessions.end_one", token=key, account=account_id):
            raise Missing()

    async def end_other_sessions(self, account_id: str, token: str) -> int:
        """End every session of the account but the one of this token; return how many there were."""
        return await self._run("sessions.end_others", account=account_id, token=_hashed(token))

    async def change_password(self, account_id: str, old: str, new: str) -> None:
        """Replace the password and end every session of the account; wrong old passwords count as failures."""
        account = await self._store.one("people.account", id=account_id)
        if account is None:
            raise Missing()
        passwords.check_password(new, account["login"])
        attempt = await self._count_attempt(account["login"], "")
        if not await passwords.verify(old[:1024], account["password"]):
            raise Rejected("wrong_credentials", "old_password")
        stored = await passwords.hash_password(new)

        async def change(tx: Transaction) -> None:
            await tx.run("people.set_password", id=account_id, password=stored)
            await tx.run("sessions.end_all", account=account_id)
            await attempts.forget(tx, attempt)
            await self._record(tx, "password_changed", account["login"], account["login"], "")
            await tell_owner(tx, account_id, PASSWORD_CHANGED, self._node.clock())

        await self._store.write(change)

    async def set_preferences(
        self, account_id: str, language: str, appearance: str, *, look: tuple[int, Sequence[str]] | None = None
    ) -> None:
        """Remember the language of pages and light or dark; empty means what the browser asks for.

        `look` is how large text is, in per cent, with the languages whose posts the owner reads (none means all);
        without it both stay as they are.
        """
        if language not in ("", *LANGUAGES):
            raise Rejected("bad_language", "language")
        if appearance not in APPEARANCES:
            raise Rejected("bad_appearance", "appearance")
        text_size, reading = look or (TEXT_SIZES[0], ())
        if text_size not in TEXT_SIZES:
            raise Rejected("bad_text_size", "text_size")
        if not set(reading) <= set(CONTENT_LANGUAGES):
            raise Rejected("bad_reading", "reading")
        read = json.dumps([each for each in CONTENT_LANGUAGES if each in reading])

        async def keep(tx: Transaction) -> None:
            await tx.run("people.set_preferences", id=account_id, language=language, appearance=appearance)
            if look is not None:
                await tx.run("people.set_look", id=account_id, text_size=text_size, reading=read)

        await self._store.write(keep)

    async def sweep(self) -> int:
        """Delete what has passed: sessions that ended, failures older than their window. Returns how many."""
        now = self._node.clock()

        async def work(tx: Transaction) -> int:
            idle = to_ms(now - DOCTOR.idle)
            ended = await tx.run("sessions.drop_expired", now=to_ms(now), idle_since=idle)
            return ended + await tx.run("sessions.drop_old_failures", since=to_ms(now - DAY))

        return await self._store.write(work)

    async def _count_attempt(self, login: str, address: str) -> str:
        subjects = [(_subject("account", login), PER_ACCOUNT)]
        subjects += [(_subject("address", address), PER_ADDRESS)] if address else []
        return await attempts.count(self._node, subjects)

    async def _forget(self, attempt: str) -> None:
        async def forget(tx: Transaction) -> None:
            await attempts.forget(tx, attempt)

        await self._store.write(forget)

    async def _open_session(
        self, account: Row, login: str, attempt: str, device: str, *, enrols: bool = False
    ) -> SignIn:
        """Begin a whole session, or one for the second step alone where the account has a factor by now."""
        now, token, csrf = self._node.clock(), secrets.token_urlsafe(32), secrets.token_urlsafe(24)

        async def keep(tx: Transaction) -> SignIn:
            await _require_open(tx, account["id"])
            await tx.take_turn(factors_of(account["id"]))
            found = await tx.one("factors.of_account", account=account["id"])
            owes = found is not None and bool(found["passkeys"] or found["apps"])
            if found is not None and found["unsafe"] == _VOID:
                raise Rejected("password_void", "password", status=403)
            roles = found["roles"] if found else "[]"
            stage = Stage.SECOND_STEP if owes else _stage(roles, None)
            ends = now + (_SECOND_STEP if owes else lifetime(roles).absolute)
            await attempts.forget(tx, attempt)
            await tx.run("sessions.forget_failures", subject=_subject("account", login))
            await tx.run(
                "sessions.add", token=_hashed(token), account=account["id"], csrf=csrf, owes_factor=int(owes),
                enrols=int(enrols and not owes),
                device=device[:_MAX_DEVICE].replace("\0", ""), now=to_ms(now), expires_at=to_ms(ends),
            )  # fmt: skip
            return SignIn(token, account["id"], csrf, ends, stage)

        return await self._store.write(keep)

    async def _run(self, query: str, **values: object) -> int:
        async def work(tx: Transaction) -> int:
            return await tx.run(query, **values)

        return await self._store.write(work)

    async def _record(self, tx: Transaction, act: str, by: str, subject: str, reason: str) -> None:
        now = self._node.clock()
        await tx.run(
            "people.record", id=new_ulid(now), act=act, by_whom=by, subject=subject, reason=reason, at=to_ms(now)
        )


def factors_of(account_id: str) -> str:
    """The subject on which everything takes turns that changes or looks at the factors of an account."""
    return f"factors {account_id}"


async def _require_open(tx: Transaction, account_id: str) -> None:
    """Raise Rejected(account_over) where the last application of the account has ended (`may_own`).

    The unit that ends one ends the sessions as well; this waits for it, so that none begins beside it. Whoever works
    here signs in for that work.
    """
    last = await tx.one("people.last_application", account=account_id)
    if last is None:
        return
    await tx.take_turn(f"dossier {last['id']}")
    last = await tx.one("people.last_application", account=account_id)
    if last is not None and last["roles"] == "[]" and not may_own(OwnAct.SIGN_IN, last["state"]):
        raise Rejected("account_over", "login", status=403)


def _alive(row: Row, now: datetime) -> bool:
    if row["disabled_at"] is not None or row["unsafe"] == _VOID or now >= from_ms(row["expires_at"]):
        return False
    return now - from_ms(row["last_seen_at"]) < lifetime(row["roles"]).idle


def _session(row: Row, policy: Policy, now: datetime) -> Session:
    doctor = row if row["uri"] is not None else None
    closed = why_not(Action.READ, standing_of(doctor), policy, now) if doctor is not None else None
    factor_at = row["factor_at"]
    return Session(
        key=bytes(row["token"]), stage=_stage_of(row), expires_at=from_ms(row["expires_at"]),
        password_at=from_ms(row["password_at"]), factor_at=None if factor_at is None else from_ms(factor_at),
        account_id=row["account"], login=row["login"], doctor=doctor, roles=tuple(json.loads(row["roles"])),
        csrf=row["csrf"], enrols=bool(row["enrols"]),
        language=row["language"], appearance=row["appearance"], closed=closed,
        text_size=row["text_size"], reading=tuple(json.loads(row["reading"])),
    )  # fmt: skip


def _info(row: Row, current: bytes) -> SessionInfo:
    return SessionInfo(
        id=bytes(row["token"]).hex(), device=row["device"], created_at=from_ms(row["created_at"]),
        last_seen_at=from_ms(row["last_seen_at"]), current=bytes(row["token"]) == current,
    )  # fmt: skip


def _stage_of(row: Row) -> Stage:
    if row["owes_factor"]:
        return Stage.SECOND_STEP
    stage = _stage(row["roles"], row["factor_at"])
    return Stage.FACTORS if stage is Stage.WHOLE and row["unsafe"] == _IN_QUESTION else stage


def _stage(roles: str, factor_at: int | None) -> Stage:
    """Whoever has a role and has not shown a factor can do nothing but enrol one."""
    return Stage.ENROL if factor_at is None and json.loads(roles) else Stage.WHOLE


def lifetime(roles: str) -> Lifetime:
    """How long a session of somebody with these roles (a JSON array) lives."""
    return STAFF if json.loads(roles) else DOCTOR


def hashed(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).digest()


_hashed, _subject = hashed, attempts.subject
