"""Staff: who is one of them, how they are invited, and how they leave.

Roles stand in the account (`accounts.roles`) and nowhere else; of those that must not go together what sees evidence
counts for nothing. countries, sites and who invited whom in `staff`. A
person has one id for life, whatever the number of roles (four eyes count people). Codes raised here: CODES.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from instance.config import Config
from instance.ids import new_ulid
from instance.services import addresses, passwords, staff_acts
from instance.services.accounts import STAFF, Session, Stage, factors_of, hashed
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.staff_acts import forget, of_invitation, record, require_reason, whom_of
from instance.storage.store import Reader, Row, Transaction
from instance.times import from_ms, to_ms
from verification.dossier import Country
from verification.people import JUDGES, Actor, DoctorId, SiteId, StaffId, StaffRole, go_together, what_holds

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = (
    "not_staff", "role_missing", "factor_missing", "bad_email", "bad_staff_role", "countries_missing",
    "country_not_allowed", "bad_site", "invitation_gone", "already_staff", "bad_handle", "handle_taken",
    "unknown_staff", "unknown_invitation", *staff_acts.CODES, *("password_too_short", "password_too_long"),
    "password_common", "not_found", "roles_together", "last_administrator", "not_former", "not_signed_in",
)  # fmt: skip

#: How long an invitation can be accepted.
VALID: Final = timedelta(days=7)
MAX_SITES: Final = 10
_LOGIN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,30}\Z")
#: One mailbox and nothing that two programs could read in two ways.
_EMAIL: Final = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z", re.IGNORECASE)
_SITE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
#: Doctors whose own standing was taken away work for nobody.
_FALLEN: Final = frozenset({"suspended", "revoked"})
#: The subject on which those take turns who end somebody.
_ENDING: Final = "staff ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """Whom to ask for what: roles, the countries whose dossiers they see, and the sites where they work.

    `former` is the id (staff-…) of somebody who comes back to a closed account, as the same person.
    """

    email: str
    roles: tuple[str, ...]
    countries: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    former: str = ""


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation; the link is shown this once and only a hash of its token is kept."""

    id: str
    link: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that can be accepted, as its page shows it."""

    id: str
    roles: tuple[str, ...]
    countries: tuple[str, ...]
    expires_at: datetime
    #: The name of the closed account it opens again; empty for an account to be made, or one that is open.
    login: str = ""


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """An invitation that waits, as administrators see it."""

    id: str
    email: str
    roles: tuple[str, ...]
    countries: tuple[str, ...]
    sites: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """One member of staff."""

    id: str
    login: str
    roles: tuple[str, ...]
    countries: tuple[str, ...]
    sites: tuple[str, ...]
    since: datetime
    has_factor: bool


class Staff:
    """The staff of this instance."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store

    async def actor(self, session: Session) -> Actor:
        """Return who this is to the medical room; raise Forbidden: not_staff, or factor_missing without a factor.

        A doctor who is suspended or revoked is no staff, whatever the role.
        """
        if session.stage is not Stage.WHOLE or (session.roles and session.factor_at is None):
            raise Forbidden("factor_missing")
        row = await self._store.one("staff.of_account", account=session.account_id)
        if row is None or not _active(row):
            raise Forbidden("not_staff")
        return await self._actor(row)

    async def of(self, staff_id: str) -> Actor:
        """Return a member of staff by id, also one who has left (then without roles); raise Missing for any other."""
        row = await self._store.one("staff.by_id", id=staff_id)
        if row is None:
            raise Missing()
        return await self._actor(row)

    async def _actor(self, row: Row) -> Actor:
        account = row["account"]
        invited, inviters = [
            [found["account"] for found in await self._store.all(f"staff.{name}", account=account)]
            for name in ("invited", "inviters")
        ]
        near = [found["id"] for found in await self._store.all("staff.near", account=account)]
        return _actor(row, invited, inviters, near)

    async def list(self) -> tuple[Member, ...]:
        """List the staff."""
        return tuple([_member(row) for row in await self._store.all("staff.list")])

    async def sites(self) -> tuple[str, ...]:
        """Where those work who judge applications here."""
        return tuple(sorted({site for each in await self.list() if JUDGES & set(each.roles) for site in each.sites}))

    async def waiting(self) -> tuple[OpenInvitation, ...]:
        """List the invitations nobody has accepted yet."""
        rows = await self._store.all("staff.open_invitations", now=to_ms(self._node.clock()))
        return tuple([_open_invitation(row) for row in rows])

    # ── inviting ──

    async def invite(self, new: Invite, by: str, inviter: str | None = None) -> Invited:
        """Make an invitation for a week; `inviter` is the account of whoever asks (None: the command line).

        Raises Rejected: bad_email, bad_staff_role, roles_together, countries_missing, country_not_allowed, bad_site,
        not_former; Forbidden(not_staff) where the inviter has left meanwhile.
        """
        check(new, self._node.config)
        now, token = self._node.clock(), secrets.token_urlsafe(32)
        id, expires = new_ulid(now), now + VALID

        async def work(tx: Transaction) -> None:
            if not await _promises(tx, inviter):
                raise Forbidden("not_staff")
            if new.former and await _closed(tx, new.former) is None:
                raise Rejected("not_former", "former")
            await tx.run(
                "staff.add_invitation", id=id, token=hashed(token), email=new.email, roles=_array(new.roles),
                countries=_array(new.countries), sites=_array(new.sites), invited_by=inviter, former=new.former,
                now=to_ms(now), expires_at=to_ms(expires),
            )  # fmt: skip
            await record(tx, "staff_invited", by, id, now, whom=of_invitation(id))

        await self._store.write(work)
        return Invited(id, f"{self._node.origin}/invitation/{token}", expires)

    async def invitation(self, token: str) -> Invitation:
        """Return what the holder of the link is asked.

        Raises Rejected(invitation_gone): unknown, used, past, made by somebody who administers no more, or for somebody
        who has come back already.
        """

        async def look(tx: Reader) -> Invitation:
            row = await tx.one("staff.invitation", token=hashed(token))
            if row is None or row["used_at"] is not None or row["expires_at"] <= to_ms(self._node.clock()):
                raise _gone()
            if not await _promises(tx, row["invited_by"]):
                raise _gone()
            former = await _closed(tx, row["former"]) if row["former"] else None
            if row["former"] and former is None:
                raise _gone()
            return Invitation(row["id"], *_asked(row), former["login"] if former else "")

        return await self._store.read(look)

    async def accept(self, token: str, login: str, password: str) -> str:
        """Make an account for whoever holds the link and appoint them, once; return the account.

        Somebody who was named in the invitation as one who comes back gets the closed account, with a new password, the
        old name and the factors it had. Raises Rejected: invitation_gone, bad_handle, handle_taken, and what passwords
        are refused for.
        """
        asked = await self.invitation(token)
        name = asked.login or login.strip().casefold()
        if not _LOGIN.match(name):
            raise Rejected("bad_handle", "login")
        passwords.check_password(password, name)
        stored = await self._node.hash_password(password)
        account = new_ulid(self._node.clock())

        async def work(tx: Transaction) -> str:
            now = to_ms(self._node.clock())
            row = await tx.one("staff.invitation", token=hashed(token))
            if row is not None and row["former"]:
                return await self._come_back(tx, token, row["former"], stored)
            added = await tx.run(
                "people.add_account", id=account, login=name, password=stored, doctor=None, roles="[]", language="",
                now=now,
            )  # fmt: skip
            if not added:
                raise Rejected("handle_taken", "login")
            await self._use(tx, token, account)
            return account

        return await self._store.write(work)

    async def _come_back(self, tx: Transaction, token: str, former: str, password: str) -> str:
        row = await _closed(tx, former)
        if row is None:
            raise _gone()
        await tx.take_turn(factors_of(row["account"]))
        if not await tx.run("staff.reopen", account=row["account"], password=password):
            raise _gone()
        await self._use(tx, token, row["account"])
        return str(row["account"])

    async def accept_as(self, token: str, account_id: str, session: Session | None = None) -> str:
        """Appoint somebody who has an account here already; its sessions end, since its roles change.

        One alone goes on, where it is given: under the token that is returned, as one that may enrol a first factor. It
        ends, too (empty text), where the account has factors. Raises Rejected: invitation_gone, already_staff,
        not_signed_in.
        """
        fresh = secrets.token_urlsafe(32)

        async def work(tx: Transaction) -> str:
            await tx.take_turn(factors_of(account_id))
            row = await tx.one("staff.of_account", account=account_id)
            if row is not None and _active(row):
                raise Rejected("already_staff")
            await self._use(tx, token, account_id)
            factors = await tx.one("factors.of_account", account=account_id)
            if session is None or factors is None or factors["passkeys"] or factors["apps"]:
                await tx.run("sessions.end_all", account=account_id)
                return ""
            await tx.run("sessions.end_others", account=account_id, token=session.key)
            now = self._node.clock()
            if not await tx.run(
                "sessions.let_enrol", token=session.key, new=hashed(fresh), now=to_ms(now),
                expires_at=to_ms(now + STAFF.absolute),
            ):  # fmt: skip
                raise Rejected("not_signed_in", status=401)
            return fresh

        return await self._store.write(work)

    async def withdraw(self, invitation_id: str, by: str) -> None:
        """Take an invitation back; raise Rejected(unknown_invitation) where none waits under this id."""

        async def work(tx: Transaction) -> None:
            if not await tx.run("staff.withdraw_invitation", id=invitation_id):
                raise Rejected("unknown_invitation", status=404)
            whom = of_invitation(invitation_id)
            await record(tx, "invitation_withdrawn", by, invitation_id, self._node.clock(), whom=whom)

        await self._store.write(work)

    async def end(self, staff_id: str, by: str, reason: str, *, force: bool = False) -> None:
        """Take every role from somebody: sessions end, their invitations are void, an account for nothing else closes.

        Raises Rejected: reason_missing, reason_too_long, unknown_staff; last_administrator unless `force` (the command
        line alone).
        """
        reason = require_reason(reason)

        async def work(tx: Transaction) -> None:
            await tx.take_turn(_ENDING)
            at = self._node.clock()
            now, row = to_ms(at), await tx.one("staff.by_id", id=staff_id)
            if row is not None and not force and await _is_last(tx, row):
                raise Rejected("last_administrator", status=409)
            if row is None or not await tx.run("staff.end", id=staff_id, now=now):
                raise Rejected("unknown_staff", status=404)
            await tx.run("staff.set_roles", account=row["account"], roles="[]")
            await tx.run("staff.withdraw_invitations_of", account=row["account"])
            await tx.run("sessions.end_all", account=row["account"])
            await tx.run("staff.disable", account=row["account"], now=now)
            await record(tx, "staff_ended", by, staff_id, at, reason=reason, whom=staff_id.lower())

        await self._store.write(work)

    async def sweep(self) -> int:
        """Delete invitations and links nobody used in their time, and words given for acts; return how many."""

        async def work(tx: Transaction) -> int:
            now, words = to_ms(self._node.clock()), await forget(tx, self._node.clock())
            return (
                words
                + await tx.run("staff.drop_passed", now=now)
                + await tx.run("factors.drop_passed_enrolments", now=now)
            )

        return await self._store.write(work)

    # ── parts ──

    async def _use(self, tx: Transaction, token: str, account: str) -> None:
        """Use the invitation up and appoint; of two who hold the link one comes first."""
        row, now = await tx.one("staff.invitation", token=hashed(token)), self._node.clock()
        if row is None or not await _promises(tx, row["invited_by"]):
            raise _gone()
        if row["former"] and (await tx.one("staff.by_id", id=row["former"]) or {}).get("account") != account:
            raise _gone()
        if not await tx.run("staff.use_invitation", id=row["id"], account=account, now=to_ms(now)):
            raise _gone()
        roles, countries, sites = (json.loads(row[name]) for name in ("roles", "countries", "sites"))
        await appoint(tx, account, roles, countries, now, sites=sites, invited_by=row["invited_by"])
        await addresses.claim(tx, account, row["email"], now)
        inviter = await tx.one("staff.of_account", account=row["invited_by"] or "")
        await record(
            tx, "staff_appointed", inviter["id"] if inviter else row["id"], f"staff of {account}", now,
            whom=await whom_of(tx, account),
        )  # fmt: skip


def check(new: Invite, config: Config) -> None:
    """Raise Rejected at the first thing that cannot be so."""
    if len(new.email) > 254 or not _EMAIL.match(new.email) or ".." in new.email:
        raise Rejected("bad_email", "email")
    check_roles(new.roles)
    if JUDGES & set(new.roles) and not new.countries:
        raise Rejected("countries_missing", "countries")
    if not set(new.countries) <= {config.country, *config.may_issue_for}:
        raise Rejected("country_not_allowed", "countries")
    if len(new.sites) > MAX_SITES or not all(_SITE.match(site) for site in new.sites):
        raise Rejected("bad_site", "sites")


def check_roles(roles: Collection[str]) -> None:
    """Raise Rejected unless these are one or more of the roles there are."""
    if not roles or not set(roles) <= {role.value for role in StaffRole}:
        raise Rejected("bad_staff_role", "roles")
    if not go_together(map(StaffRole, roles)):
        raise Rejected("roles_together", "roles")


async def _promises(tx: Reader, inviter: str | None) -> bool:
    """Whether what this account has promised holds: it is staff still, and administers. The command line's holds."""
    if inviter is None:
        return True
    row = await tx.one("staff.of_account", account=inviter)
    return row is not None and _active(row) and StaffRole.ADMINISTRATOR in json.loads(row["roles"])


async def _closed(tx: Reader, staff_id: str) -> Row | None:
    """The row of somebody who has left and whose account was closed with that; None for anybody else."""
    row = await tx.one("staff.by_id", id=staff_id)
    return row if row is not None and row["ended_at"] is not None and row["disabled_at"] is not None else None


async def _is_last(tx: Reader, row: Row) -> bool:
    """Whether nobody else could let others in."""
    found = {each["id"] for each in await tx.all("staff.administrators")}
    return found == {row["id"]}


async def appoint(
    tx: Transaction, account: str, roles: Collection[str], countries: Collection[str], now: datetime, *,
    sites: Collection[str] = (), invited_by: str | None = None,
) -> None:  # fmt: skip
    """Give an account roles, in the caller's transaction; somebody who was staff before keeps the id."""
    await tx.run("staff.set_roles", account=account, roles=_array(roles))
    await tx.run(
        "staff.appoint", account=account, id=f"staff-{new_ulid(now)}", countries=_array(countries),
        sites=_array(sites), invited_by=invited_by, now=to_ms(now),
    )  # fmt: skip


def _array(texts: Collection[str]) -> str:
    return json.dumps(sorted(set(texts)))


def _gone() -> Rejected:
    return Rejected("invitation_gone", status=404)


def _active(row: Row) -> bool:
    kept = row["ended_at"] is None and row["disabled_at"] is None and row["standing"] not in _FALLEN
    return kept and bool(json.loads(row["roles"]))


def _asked(row: Row) -> tuple[tuple[str, ...], tuple[str, ...], datetime]:
    return tuple(json.loads(row["roles"])), tuple(json.loads(row["countries"])), from_ms(row["expires_at"])


def _open_invitation(row: Row) -> OpenInvitation:
    roles, countries, expires = _asked(row)
    return OpenInvitation(row["id"], row["email"], roles, countries, tuple(json.loads(row["sites"])), expires)


def _actor(row: Row, invited: Sequence[str], inviters: Sequence[str], near: Sequence[str]) -> Actor:
    roles = json.loads(row["roles"]) if _active(row) else ()
    return Actor(
        id=StaffId(row["id"]), roles=what_holds(map(StaffRole, roles)),
        countries=frozenset(Country(code) for code in json.loads(row["countries"])),
        doctor=DoctorId(row["account"]), sites=frozenset(SiteId(site) for site in json.loads(row["sites"])),
        invited=frozenset(DoctorId(account) for account in invited),
        invited_by=None if row["invited_by"] is None else DoctorId(row["invited_by"]),
        inviters=frozenset(DoctorId(account) for account in inviters), near=frozenset(StaffId(each) for each in near),
    )  # fmt: skip


def _member(row: Row) -> Member:
    return Member(
        id=row["id"], login=row["login"], roles=tuple(sorted(what_holds(map(StaffRole, json.loads(row["roles"]))))),
        countries=tuple(json.loads(row["countries"])), sites=tuple(json.loads(row["sites"])),
        since=from_ms(row["since"]), has_factor=bool(row["has_factor"]),
    )  # fmt: skip
