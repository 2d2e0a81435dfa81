"""Carrying an outcome out: every act of the medical room becomes rows, all of them in one transaction.

Record       → audit, the last thing of the unit (others wait for its turn)
SetBit       → the doctor's bit in a status list, and its `Update`
Issue        → the doctor, made or renewed, with a credential
Stop         → the standing goes, what waits to be sent is dropped
Push         → an `Update` of the doctor, queued
EndSessions  → the sessions of the account
VoidAccess   → its password is void, and codes on their way to it
Notify       → a notice, and a mail of a code and a language
Schedule     → the vault is told when files go; a row of `retention` says it of what stands in rows
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, assert_never

from federation.delivery import Priority
from federation.uri import Uri
from federation.vocabulary import Update
from instance.ids import new_ulid
from instance.services import doctors, notices, sending, standing_changes
from instance.services.dossiers import admitting, chain, retention, rows
from instance.services.dossiers.admitting import Ready
from instance.services.dossiers.restoring import CURRENT
from instance.services.dossiers.values import File
from instance.services.effects import STANDING
from instance.services.errors import Rejected
from instance.storage.store import Row, Transaction
from instance.times import to_ms
from verification.acts import (
    Act,
    EndSessions,
    Issue,
    Notify,
    Outcome,
    Push,
    Record,
    Schedule,
    SetBit,
    Stop,
    VoidAccess,
    Whom,
)
from verification.moves import RENEWABLE, State
from verification.names import fold
from verification.statuslist import Purpose

if TYPE_CHECKING:
    from instance.wiring import Node

_ENDED: Final = frozenset({State.CLOSED, State.REVOKED, State.WITHDRAWN, State.DECEASED, State.MOVED})
#: Records come last: whoever has the turn of the audit log holds everybody else up.
_ORDER: Final = (Issue, Stop, SetBit, Push, VoidAccess, EndSessions, Schedule, Notify, Record)


#: Rows that belong to the same unit of work, written before the audit log.
Further = Callable[[Transaction], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What the instance adds to an outcome: the assurance the evidence gave, who has it in hand, further rows."""

    assurance: str = ""
    taken_by: str | None = None


NOTHING_MORE: Final = Extra()


async def carry_out(
    node: Node, tx: Transaction, file: File, outcome: Outcome, *, now: datetime, ready: Ready | None = None,
    extra: Extra = NOTHING_MORE, further: Further | None = None,
) -> None:  # fmt: skip
    """Save the dossier and do everything that follows; raise Rejected where somebody else was faster."""
    beside = rows.Beside(
        assurance=extra.assurance or file.assurance,
        taken_by=file.taken_by if extra.taken_by is None else extra.taken_by,
    )
    await rows.save(tx, file, outcome.dossier, beside, now)
    carrying = _Carrying(node, tx, file, outcome, now, ready, extra)
    await carrying.rename()
    await carrying.specialise()
    acts = sorted(outcome.acts, key=lambda each: _ORDER.index(type(each)))
    for act in acts:
        if not isinstance(act, Record):
            await carrying.do(act)
    await carrying.settle_standing()
    if file.dossier.state is State.SUSPENDED and outcome.dossier.renewable:
        await tx.run("campaigns.look_again", country=file.dossier.country, now=to_ms(now))
    if further is not None:
        await further(tx)
    for act in acts:
        if isinstance(act, Record):
            await carrying.do(act)
    if outcome.having(SetBit) and node.dossiers.restoring.state == CURRENT:
        # A sibling that reads the changed list knows a log with the act in it (decision 24).
        await node.dossiers.heads.tell_in(tx)


class _Carrying:
    """One outcome being carried out in one transaction."""

    def __init__(
        self, node: Node, tx: Transaction, file: File, outcome: Outcome, now: datetime, ready: Ready | None,
        extra: Extra,
    ) -> None:  # fmt: skip
        self._node, self._tx, self._file, self._outcome = node, tx, file, outcome
        self._after, self._now, self._ready, self._extra = outcome.dossier, now, ready, extra
        self._doctor: Row | None = None

    async def rename(self) -> None:
        """A change of name that was accepted is the dossier's name from now on."""
        name = admitting.renamed(self._file, self._after)
        if name:
            await self._tx.run("dossiers.set_name", id=self._after.id, name=name, folded=fold(name))

    async def specialise(self) -> None:
        """So is the specialty of a certificate that was accepted."""
        slug, shown = admitting.specialised(self._file, self._after), self._file.said.specialties
        if slug and slug not in shown:
            more = json.dumps(admitting.with_specialty(shown, slug))
            await self._tx.run("dossiers.set_specialties", id=self._after.id, specialties=more)

    async def do(self, act: Act) -> None:
        """One act."""
        match act:
            case Issue():
                await self._issue()
            case Stop():
                await self.settle_standing()
            case SetBit():
                await self._set_bit(act)
            case Push():
                await self._push(act)
            case EndSessions():
                await self._tx.run("sessions.end_all", account=self._file.account)
            case VoidAccess():
                await self._tx.run("codes.make_unsafe", account=self._file.account)
                await self._tx.run("codes.drop_of", account=self._file.account, purpose="password")
            case Notify():
                await notify(self._node, self._tx, self._file, act, self._now)
            case Schedule():
                await retention.schedule(self._node, self._tx, self._after.id, act)
            case Record():
                await chain.append(
                    self._tx, act.act, act.at, act.by, dossier=act.dossier,
                    reason=None if act.reason is None else act.reason.value,
                )  # fmt: skip
            case _:
                assert_never(act)

    async def settle_standing(self) -> None:
        """Bring the doctor's row where the dossier stands; whoever is no longer in order is silent at once."""
        row = await self._row()
        wanted = _standing(self._after.state)
        if row is None or self._after.approved_at is None or wanted == "ok" or row["standing"] == wanted:
            return
        at = max(to_ms(self._now), int(row["updated_at"]) + 1)
        if await self._tx.run("dossiers.move_standing", uri=row["uri"], standing=wanted, now=at):
            await standing_changes.silence(self._tx, row["uri"], to_ms(self._now))
        self._doctor = None

    async def _row(self) -> Row | None:
        if self._doctor is None and self._file.doctor is not None:
            self._doctor = await self._tx.one("people.doctor", uri=self._file.doctor)
        return self._doctor

    async def _issue(self) -> None:
        if self._ready is None:
            raise Rejected("changed_meanwhile", status=409)
        self._doctor = await admitting.admit(
            self._node, self._tx, self._file, self._after, self._ready, self._extra.assurance
        )
        await standing_changes.let_speak(self._tx, self._doctor["uri"], to_ms(self._now))

    async def _set_bit(self, act: SetBit) -> None:
        row = await self._row()
        if row is None:
            return
        status = self._node.own_status
        if act.purpose is Purpose.REVOCATION:
            await status.revoke(self._tx, row["uri"])
        else:
            await status.suspend(self._tx, row["uri"], suspended=act.value)

    async def _push(self, act: Push) -> None:
        """Lists have told of themselves; the doctor speaks for a new credential, the instance for one who may not."""
        row, issued = await self._row(), bool(self._outcome.having(Issue))
        if row is None or (act.lists and not issued):
            return
        if act.lists or self._ready is None:
            await standing_changes.ask_siblings_to_read_anew(self._node, self._tx, Uri.parse(row["uri"]))
            return
        document = doctors.document(row, self._ready.keys, self._node.config.authority)
        await sending.to_all_siblings(
            self._node, self._tx, Update, actor=document.id, object=document, priority=Priority.REST
        )


async def notify(node: Node, tx: Transaction, file: File, act: Notify, now: datetime) -> None:
    """One notice and one mail; who is meant by a part of the desk, the sender of mail finds out."""
    account = file.account if act.whom is Whom.APPLICANT else ""
    await tell(
        node, tx, whom=act.whom.value, dossier=file.dossier.id, account=account, country=file.dossier.country,
        notice=act.notice.value, grounds=[ground.value for ground in act.grounds],
        until=None if act.until is None else to_ms(act.until), now=now,
    )  # fmt: skip


async def tell(
    node: Node, tx: Transaction, *, whom: str, dossier: str, account: str, country: str, notice: str,
    grounds: list[str], until: int | None, now: datetime,
) -> None:  # fmt: skip
    """Keep a notice for the applicant, and a mail that says no more than that there is something.

    The desk has its queue: what its people are told of is a mail alone.
    """
    common = {"whom": whom, "account": account, "country": country, "notice": notice, "at": to_ms(now)}
    if account:
        await tx.run(
            "dossiers.notice", id=new_ulid(now), dossier=dossier, grounds=json.dumps(grounds), until=until, **common
        )
    row = await tx.one("dossiers.account", id=account) if account else None
    if row is not None and row["doctor"] is not None:
        # Whoever is a doctor here finds it on the page of notices, too.
        await notices.put(tx, row["doctor"], STANDING, "", now=now, about=new_ulid(now))
    language = (row["language"] if row is not None else "") or node.config.language
    await tx.run("dossiers.mail", id=new_ulid(now), language=language if account else "", **common)


def _standing(state: State) -> str:
    """The standing that goes with a state, of somebody who was approved once."""
    if state in RENEWABLE:
        return "ok"
    if state is State.SUSPENDED:
        return "suspended"
    return "revoked" if state in _ENDED else "expired"
