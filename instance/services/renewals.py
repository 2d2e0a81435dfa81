"""Credentials issued anew, a few doctors in each transaction: silently when they are due, or on an order for many.

Each transaction holds the new credentials, an audit entry and a queued `Update` for each, and (for an order) how far it
has come; whatever ends it in the middle, it goes on there. Between two of them whoever else works has the turn. Codes
raised here: CODES.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from federation.delivery import Priority
from federation.integrity import BadProof, check_proof, read_multikey
from federation.uri import Uri
from federation.vocabulary import Update
from instance.ids import new_ulid
from instance.services import doctors, sending, staff_acts
from instance.services.dossiers import chain
from instance.services.errors import Rejected
from instance.services.sending import Written
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification.errors import NotIssuable
from verification.people import SYSTEM

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("renewal_under_way", "bad_key", "country_not_allowed", "reason_missing", "one_or_the_other")
#: Doctors whose credentials are renewed in one transaction: some milliseconds, for which others wait; on an order more.
AT_ONCE, ORDERED = 1, 16
#: Doctors read at once.
PAGE: Final = 256
#: Silent renewals rest at least this many times as long as they have worked: a third of an idle process is theirs.
REST: Final = 2.0
#: By so many seconds an idle process misses its times too; each second beyond it is this many seconds of rest.
IDLE, PATIENCE = 0.001, 50.0
#: However late the process is, it goes on after so many seconds: a credential must not run out for a busy week.
LONGEST: Final = 5.0
_ORDER: Final = "credentials order"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Whose credentials: those the issuer key in force has not signed, those one key has signed, or all."""

    country: str = ""
    all: bool = False
    signed_with: str = ""


@dataclass(slots=True, kw_only=True)
class Done:
    """How far an order has come: credentials issued, doctors passed over, those for whom none could be issued."""

    renewed: int = 0
    kept: int = 0
    failed: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class _Ready:
    """One doctor's next credential, and the `Update` that tells of it."""

    row: Row
    now: int
    issued: dict[str, Any]
    update: Written


class Renewals:
    """The renewals of one instance."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store
        self._at_work = False
        #: Of the order that is at work.
        self.progress = Done()

    async def renew_due(self) -> int:
        """Renew every credential that is due, those that end first coming first; return how many.

        None while nothing may be signed, and none from then on where that ends under way.
        """
        renewed = 0
        async for page in self._due():
            for rows in _few(page, AT_ONCE):
                if not await self._node.dossiers.restoring.may_sign():
                    return renewed
                began = asyncio.get_running_loop().time()
                renewed += await self._renew([row for row in rows if doctors.renewal_due(row, self._node.clock())])
                await asyncio.sleep(rest(asyncio.get_running_loop().time() - began, self._node.workers.late))
        return renewed

    async def renew(self, cohort: Cohort, by: str, reason: str) -> Done:
        """Issue anew for a cohort; the same order again goes on where it was interrupted.

        Raises Rejected: reason_missing, country_not_allowed, bad_key, one_or_the_other, renewal_under_way,
        signing_stopped.
        """
        self._check(cohort, reason)
        await self._node.dossiers.restoring.require()
        if self._at_work:
            raise Rejected("renewal_under_way", status=409)
        self._at_work = True
        try:
            return await self._carry_out(cohort, by, reason)
        finally:
            self._at_work = False

    # ── what is due ──

    async def _due(self) -> AsyncIterator[list[Row]]:
        ends, after = 0, ""
        while True:
            now = to_ms(self._node.clock())
            page = await self._store.all("people.to_renew", ends=ends, after=after, now=now, count=PAGE)
            if not page:
                return
            yield page
            ends, after = page[-1]["valid_until"], page[-1]["uri"]

    # ── an order ──

    def _check(self, cohort: Cohort, reason: str) -> None:
        config = self._node.config
        if not reason.strip():
            raise Rejected("reason_missing", "reason")
        if cohort.all and cohort.signed_with:
            raise Rejected("one_or_the_other")
        if cohort.country and cohort.country not in {config.country, *config.may_issue_for}:
            raise Rejected("country_not_allowed", "country")
        if cohort.signed_with:
            _key(cohort.signed_with)

    async def _carry_out(self, cohort: Cohort, by: str, reason: str) -> Done:
        name = json.dumps(asdict(cohort) | {"issuer": self._node.keys.issuer_multikey}, sort_keys=True)
        after, done = await self._begin(name, by, reason)
        self.progress = done
        found = await self._store.one("people.number_of_cohort", country=cohort.country, after=after)
        done.of = done.renewed + done.kept + done.failed + (found["number"] if found else 0)
        while page := await self._store.all("people.of_cohort", country=cohort.country, after=after, count=PAGE):
            for rows in _few(page, ORDERED):
                await self._node.dossiers.restoring.require()
                wanted = [row for row in rows if await self._is_of(cohort, row)]
                done.kept += len(rows) - len(wanted)
                await self._renew(wanted, order=(name, rows[-1]["uri"], done))
            after = page[-1]["uri"]
        await self._end()
        return done

    async def _begin(self, name: str, by: str, reason: str) -> tuple[str, Done]:
        """Return where to go on; an order that was not carried to its end goes on where it was."""
        row = await self._store.one("settings.get", name=_ORDER)
        kept = json.loads(row["value"]) if row is not None else {}
        now = self._node.clock()

        async def work(tx: Transaction) -> None:
            await tx.run(
                "people.record", id=new_ulid(now), act="credentials_renewal_ordered", by_whom=by, subject=name,
                reason=reason, at=to_ms(now),
            )  # fmt: skip

        await self._store.write(work)
        return (kept["after"], Done(**kept["done"])) if kept.get("name") == name else ("", Done())

    async def _end(self) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run("settings.drop", name=_ORDER)

        await self._store.write(work)

    async def _is_of(self, cohort: Cohort, row: Row) -> bool:
        """Whether the doctor's credential is one that is asked for; a signature is looked at in a quarter of a ms."""
        if cohort.all:
            return True
        await asyncio.sleep(0)
        key = _key(cohort.signed_with or self._node.keys.issuer_multikey)
        return _holds(row["credential"], key) == bool(cohort.signed_with)

    # ── both ──

    async def _renew(self, rows: Sequence[Row], order: tuple[str, str, Done] | None = None) -> int:
        """Renew these in one transaction; one who cannot be renewed keeps no other from it."""
        ready = [each for each in [await self._ready(row) for row in rows] if each is not None]
        if not ready and order is None:
            return 0

        async def work(tx: Transaction) -> list[str]:
            kept = [str(each.row["uri"]) for each in ready if await self._keep(tx, each)]
            if order is not None:
                await self._come_so_far(tx, order, len(kept), len(rows) - len(kept))
            for doctor in kept:
                await record(tx, doctor, self._node)
            return kept

        kept = await self._store.write(work)
        renewed = len(kept) + await self._changed_meanwhile([each for each in ready if each.row["uri"] not in kept])
        if order is not None:
            order[2].renewed += renewed
            order[2].failed += len(rows) - renewed
        if renewed:
            self._node.wake.deliveries.set()
        return renewed

    async def _come_so_far(self, tx: Transaction, order: tuple[str, str, Done], renewed: int, failed: int) -> None:
        name, after, done = order
        now = replace(done, renewed=done.renewed + renewed, failed=done.failed + failed)
        value = json.dumps({"name": name, "after": after, "done": asdict(now)})
        await tx.run("settings.set", name=_ORDER, value=value)

    async def _changed_meanwhile(self, changed: Sequence[_Ready]) -> int:
        """Once more for those whose rows have changed since they were read: they may have edited their profile."""
        renewed = 0
        for each in changed:
            row = await self._store.one("people.doctor", uri=each.row["uri"])
            if row is not None and row["standing"] == "ok" and row["valid_from"] == each.row["valid_from"]:
                renewed += await self._renew([row])
        return renewed

    async def _ready(self, row: Row) -> _Ready | None:
        """Make the next credential; None where there can be none."""
        await asyncio.sleep(0)  # somebody else's turn
        try:
            return await self._made(row)
        except (NotIssuable, ValueError) as fault:
            self._node.log.error("not_renewed", **await self._called(row["uri"]), exc_info=fault)
            return None

    async def _called(self, uri: str) -> dict[str, str]:
        """What the log calls a doctor, whose address is a name: the dossier, or where there is none the account."""
        dossier = await self._store.one("dossiers.approved_of_doctor", doctor=uri)
        if dossier is not None:
            return {"dossier": dossier["id"]}
        account = await self._store.one("people.account_of_doctor", doctor=uri)
        return {} if account is None else {"id": await staff_acts.whom_of(self._store, account["id"])}

    async def _made(self, row: Row) -> _Ready:
        node, uri = self._node, Uri.parse(row["uri"])
        keys, place = await node.keys.shown(uri), await node.own_status.place_of(uri)
        reverify = None if row["reverify_at"] is None else from_ms(row["reverify_at"])
        multikeys = [key.multikey for key in keys if key.algorithm == "ed25519"]
        signed = doctors.issue(node, row, multikeys, reverify, place)
        issued = {"credential": json.dumps(signed, ensure_ascii=False), **doctors.validity(signed)}
        now = max(to_ms(node.clock()), int(row["updated_at"]) + 1)
        document = doctors.document({**row, **issued, "updated_at": now}, keys, node.config.authority)
        update = sending.written_to_all_siblings(
            node, Update, actor=document.id, object=document, priority=Priority.REST
        )
        return _Ready(row, now, issued, update)

    async def _keep(self, tx: Transaction, each: _Ready) -> bool:
        """Keep one; False where the doctor's row has changed since it was read."""
        seen = each.row["updated_at"]
        if not await tx.run("people.renew", uri=each.row["uri"], now=each.now, seen=seen, **each.issued):
            return False
        await sending.queue(self._node, tx, each.update)
        return True


def rest(worked: float, late: float) -> float:
    """For how many seconds silent renewals leave the process to others, by how long they worked and how late it is."""
    return min(LONGEST, REST * worked + PATIENCE * max(0.0, late - IDLE))


async def record(tx: Transaction, doctor: str, node: Node) -> None:
    """Add the audit entry of a credential issued without a decision; the last thing of the unit."""
    found = await tx.one("dossiers.approved_of_doctor", doctor=doctor)
    await chain.append(
        tx, "credential.issued", node.clock(), SYSTEM.id, dossier=None if found is None else str(found["id"])
    )


def _few(rows: Sequence[Row], number: int) -> list[Sequence[Row]]:
    return [rows[at : at + number] for at in range(0, len(rows), number)]


def _key(multikey: str) -> Ed25519PublicKey:
    try:
        return read_multikey(multikey)
    except ValueError:
        raise Rejected("bad_key", "signed_with") from None


def _holds(credential: str, key: Ed25519PublicKey) -> bool:
    try:
        check_proof(json.loads(credential), key)
    except (BadProof, ValueError):
        return False
    return True
