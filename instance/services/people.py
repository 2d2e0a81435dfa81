"""Doctors of this instance: added, renewed, suspended, shown to siblings.

Accounts and sessions: accounts.py; what doctors say of themselves: descriptions.py. `People` is all three for routes.
Codes raised here: CODES.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from federation.keys import PrivateKey
from federation.uri import Uri
from federation.vocabulary import Doctor
from instance.ids import new_ulid
from instance.services import (
    accounts,
    descriptions,
    doctors,
    new_doctors,
    passwords,
    renewals,
    staff,
    staff_acts,
    standing_changes,
)
from instance.services.accounts import Lifetime, Session, SessionInfo, SignIn
from instance.services.descriptions import Descriptions, later
from instance.services.doctors import NewDoctor
from instance.services.errors import Missing, Rejected
from instance.services.renewals import Renewals
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification.credential import SignedCredential
from verification.errors import NotIssuable

__all__ = ["Lifetime", "NewDoctor", "OwnDoctor", "People", "Session", "SessionInfo", "SignIn"]

CODES: Final = (
    *doctors.CODES,
    *accounts.CODES,
    *descriptions.CODES,
    *renewals.CODES,
    "reason_missing",
    "not_suspended",
    "not_in_order",
    "not_renewable",
    "decided_at_the_desk",
)
_REMEMBERED: Final = 4_096


@dataclass(frozen=True, slots=True)
class OwnDoctor:
    """One line of the list of doctors."""

    handle: str
    role: str
    country: str
    standing: str
    valid_until: datetime


class People(Descriptions):
    """The doctors who live here, and everybody who signs in here."""

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.renewals = Renewals(node)
        self._documents: dict[Uri, tuple[tuple[Any, ...], Doctor]] = {}

    # ── adding ──

    async def add_doctor(self, new: NewDoctor, by: str) -> tuple[Uri, str]:
        """Make doctor, keys, credential and account at once; return the address and the password, shown this once.

        Siblings learn of the doctor at the first message; none is told before.
        """
        name = doctors.check_new(new, self._node.config)
        uri = doctors.uri_of(self._node.origin, new.handle)
        password = new.password if new.password is not None else passwords.make_password()
        passwords.check_password(password, new.handle)
        if await self._store.one("people.by_address", address=new.handle) is not None:
            raise Rejected("handle_taken", "handle")
        stored = await self._node.hash_password(password)
        pairs = await self._node.keys.make(uri)
        row = new_doctors.row_of(self._node, new, uri, name)
        row.update(
            await self._issued(row, new_doctors.multikeys(pairs), doctors.reverify_on(new.role, self._node.clock()))
        )

        async def keep(tx: Transaction) -> bool:
            return await self._keep_new(tx, new, row, pairs, stored, by)

        if not await self._store.write(keep):
            raise Rejected("handle_taken", "handle")
        self._node.keys.forget(uri)
        return uri, password

    async def _keep_new(
        self, tx: Transaction, new: NewDoctor, row: Row, pairs: Sequence[PrivateKey], stored: str, by: str
    ) -> bool:
        now = self._node.clock()
        due = doctors.reverify_on(new.role, now)
        if not await new_doctors.keep(self._node, tx, row, pairs, reverify=due, now=now):
            return False
        account = new_ulid(now)
        added = await tx.run(
            "people.add_account", id=account, login=new.handle, password=stored, doctor=row["uri"], roles="[]",
            language="", now=to_ms(now),
        )  # fmt: skip
        if not added:
            raise Rejected("handle_taken", "handle")
        if new.roles:
            await staff.appoint(tx, account, new.roles, (new.country,), now)
        await self._record(tx, "doctor_added", by, row["uri"], "")
        return True

    # ── standing ──

    async def suspend(self, handle: str, by: str, reason: str) -> None:
        """Take the doctor's standing away: sessions end, what waits to be sent is dropped, every sibling is told.

        Not of somebody who was approved at the desk: that is for the desk, where a second person has to say so too.
        """
        row = await self._require_without_dossier(handle, by, reason)

        async def work(tx: Transaction) -> None:
            now = to_ms(self._node.clock())
            changed = await tx.run(
                "people.set_standing", uri=row["uri"], standing="suspended", before="ok", now=later(row, now)
            )
            if not changed:
                raise Rejected("not_in_order")
            await tx.run("sessions.end_all_of_doctor", doctor=row["uri"])
            await standing_changes.silence(tx, row["uri"], now)
            if not await self._node.own_status.suspend(tx, row["uri"]):
                await standing_changes.ask_siblings_to_read_anew(self._node, tx, Uri.parse(row["uri"]))
            await self._log(tx, "doctor_suspended", by, row["uri"], reason)

        await self._store.write(work)
        self._node.wake.deliveries.set()

    async def reinstate(self, handle: str, by: str, reason: str) -> None:
        """Give a suspended doctor's standing back with a new credential, and tell every sibling; not with a dossier."""
        row = await self._require_without_dossier(handle, by, reason)
        multikeys = await self._published_multikeys(Uri.parse(row["uri"]))
        issued = await self._issued(row, multikeys, _reverify_at(row))

        async def work(tx: Transaction) -> None:
            now = to_ms(self._node.clock())
            at = later(row, now)
            if not await tx.run("people.set_standing", uri=row["uri"], standing="ok", before="suspended", now=at):
                raise Rejected("not_suspended")
            await tx.run("people.set_credential", uri=row["uri"], now=at, **issued)
            await standing_changes.let_speak(tx, row["uri"], now)
            await self._node.own_status.suspend(tx, row["uri"], suspended=False)
            await standing_changes.ask_siblings_to_read_anew(self._node, tx, Uri.parse(row["uri"]))
            await renewals.record(tx, row["uri"], self._node)
            await self._log(tx, "doctor_reinstated", by, row["uri"], reason)

        await self._store.write(work)
        self._node.wake.deliveries.set()

    async def renew_due(self) -> int:
        """Renew the credentials that are due; return how many."""
        return await self.renewals.renew_due()

    async def rotate_keys(self, handle: str, by: str, reason: str) -> None:
        """Give the doctor new message keys, bound by a new credential in the same transaction; old ones overlap."""
        row = await self._require(handle, by, reason)
        uri = Uri.parse(row["uri"])
        pairs = await self._node.keys.make(uri, await self._node.keys.next_version(uri))
        before = await self._node.keys.published(uri)
        keys = (*(pair.public() for pair in pairs), *before)
        multikeys = [key.multikey for key in keys if key.algorithm == "ed25519"]
        issued = await self._issued(row, multikeys, _reverify_at(row))

        async def work(tx: Transaction) -> None:
            now = later(row, to_ms(self._node.clock()))
            if not await tx.run("people.renew", uri=uri, now=now, seen=row["updated_at"], **issued):
                raise Rejected("not_in_order")
            await self._node.keys.rotate(tx, uri, pairs)
            await self._tell_siblings(tx, doctors.document({**row, **issued, "updated_at": now}, keys, self._authority))
            await renewals.record(tx, uri, self._node)
            await self._log(tx, "keys_rotated", by, uri, reason)

        await self._store.write(work)
        self._node.keys.forget(uri)
        self._node.wake.deliveries.set()

    # ── reading ──

    async def list_own(self) -> list[OwnDoctor]:
        """List the doctors of this instance with their standing."""
        return [
            OwnDoctor(row["handle"], row["role"], row["country"], row["standing"], from_ms(row["valid_until"]))
            for row in await self._store.all("people.own")
        ]

    async def doctor_document(self, handle: str) -> Doctor:
        """Return the actor of an own doctor as siblings read it; raise Missing where there is none."""
        row = await self._by_handle(handle)
        uri = Uri.parse(row["uri"])
        keys = await self._node.keys.published(uri)
        version = (row["updated_at"], row["standing"], *(key.id for key in keys))
        remembered = self._documents.get(uri)
        if remembered is None or remembered[0] != version:
            if len(self._documents) >= _REMEMBERED:
                self._documents.clear()
            document = doctors.document(row, keys, self._authority)
            # Shown where it is read alone: what is sent names nobody at an instance the receiver may not know.
            remembered = self._documents[uri] = (version, replace(document, also_known_as=doctors.aliases(row)))
        return remembered[1]

    # ── parts ──

    @property
    def _authority(self) -> str:
        return self._node.config.authority

    async def _by_handle(self, handle: str) -> Row:
        try:
            uri = doctors.uri_of(self._node.origin, handle)
        except ValueError:
            raise Missing() from None
        row = await self._store.known("people.doctor", uri=uri)
        if row is None or row["gone_at"] is not None:
            raise Missing()
        return row

    async def _require(self, handle: str, by: str, reason: str) -> Row:
        if not reason.strip() or not by.strip():
            raise Rejected("reason_missing", "reason")
        return await self._by_handle(handle)

    async def _log(self, tx: Transaction, act: str, by: str, uri: str, reason: str) -> None:
        """Say in the audit log what was done to a doctor; what it calls her is her account."""
        found = await tx.one("people.account_of_doctor", doctor=uri)
        whom = None if found is None else await staff_acts.whom_of(tx, found["id"])
        await staff_acts.record(tx, act, by, uri, self._node.clock(), reason=reason, whom=whom)

    async def _require_without_dossier(self, handle: str, by: str, reason: str) -> Row:
        row = await self._require(handle, by, reason)
        if await self._store.one("dossiers.approved_of_doctor", doctor=row["uri"]) is not None:
            raise Rejected("decided_at_the_desk", status=409)
        return row

    async def _published_multikeys(self, uri: Uri) -> list[str]:
        return [key.multikey for key in await self._node.keys.published(uri) if key.algorithm == "ed25519"]

    async def _issued(self, row: Row, multikeys: Sequence[str], reverify: datetime | None) -> dict[str, Any]:
        await self._node.dossiers.restoring.require()
        place = await self._node.own_status.place_of(Uri.parse(row["uri"]))
        try:
            signed: SignedCredential = doctors.issue(self._node, row, multikeys, reverify, place)
        except NotIssuable:
            raise Rejected("not_renewable") from None
        return {"credential": json.dumps(signed, ensure_ascii=False), **doctors.validity(signed)}


def _reverify_at(row: Row) -> datetime | None:
    return None if row["reverify_at"] is None else from_ms(row["reverify_at"])
