"""Heads of audit logs: ours signed and told to every sibling once an hour, theirs kept, the newest of each.

    ours     audit/heads/N is served to siblings; an `Update` of the instance names the newest
    theirs   read when they say so, judged beside the one that is held: a fork is an alarm, and no block
    held     audit/held tells a sibling which head of its log is held here: so a log whose end was cut off is found

Everything here is for siblings alone; entries never leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation.allowlist import Sibling
from federation.delivery import Priority
from federation.errors import NotFound, Refused
from federation.uri import Uri
from federation.vocabulary import Update
from instance.services import sending
from instance.services.dossiers import chain
from instance.services.fetching import Fetcher, NotListed, NotThere
from instance.services.judging import issuer_of
from instance.services.status_lists import VC_ACCEPT
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification import audit, statuslist
from verification.audit import START, AuditHead, Head, Judgement
from verification.errors import BadHead
from verification.issuers import Issuer, IssuerKey, MemberStatus

if TYPE_CHECKING:
    from instance.wiring import Node

#: A sibling that lists us and holds nothing; one that shuts us out (another 403) says nothing of what it holds.
_HOLDS_NONE: Final = "status 404"
#: After a restore our own clock may be wrong as well.
_AHEAD: Final = timedelta(days=366)
FOLDER: Final = "/audit/heads/"
HELD: Final = "/audit/held"
_TOLD: Final = "audit head told"


@dataclass(frozen=True, slots=True)
class Held:
    """What a sibling says it holds of our log (START: nothing); `proof`: the same as we signed it, if it shows that."""

    sibling: str
    head: Head
    answered: bool
    proof: AuditHead | None = None
    #: Our own status lists as they were last read there, by address and encoded; nothing of ours proves them.
    lists: Mapping[str, str] = field(default_factory=dict)


class Heads:
    """The heads of this instance's log, and those it keeps for its siblings."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def tell(self) -> bool:
        """Tell siblings of the newest head, unless they were told; a chore. Return whether there was anything new."""

        if not await self._node.dossiers.restoring.may_sign():
            return False
        new = await self._node.store.write(self.tell_in)
        self._node.wake.deliveries.set()
        return new

    async def tell_in(self, tx: Transaction) -> bool:
        """The same in the caller's transaction, after the last entry: with every change of a status list."""
        head, told = await chain.head(tx), await tx.one("settings.get", name=_TOLD)
        if head.sequence < 1 or (told is not None and int(told["value"]) >= head.sequence):
            return False
        await tx.run("settings.set", name=_TOLD, value=str(head.sequence))
        await sending.to_all_siblings(
            self._node, tx, Update, actor=self._node.actor, object=self._address(head.sequence), priority=Priority.REST
        )
        return True

    async def document(self, number: str) -> bytes:
        """Return one of our heads, signed; raise NotFound where the log does not go so far."""
        if not number.isascii() or not number.isdigit() or number.startswith("0") or len(number) > 15:
            raise NotFound
        await self._node.dossiers.restoring.require_for_sibling()
        row = await self._node.store.one("audit.head", n=int(number))
        if row is None:
            raise NotFound
        head = Head(int(row["n"]), bytes(row["hash"]))
        return orjson.dumps(audit.issue_head(head, self._node.keys.signer, now=self._node.clock()))

    async def announced(self, uri: Uri, sibling: Sibling) -> Judgement | None:
        """Read a head that a sibling says is new, judge it, and keep it; None where it was none of its own."""
        now = self._node.clock()
        try:
            document = await Fetcher(self._node).json(uri, sibling, VC_ACCEPT)
            new = audit.read_head(document, issuer_of(sibling), now=now)
        except BadHead as fault:
            self._node.log.warning("audit_head", sibling=sibling.origin, code=fault.code)
            return None
        signed = orjson.dumps(document).decode()
        return await self._node.store.write(lambda tx: self._judged(tx, new, signed, sibling, now))

    async def _judged(
        self, tx: Transaction, new: AuditHead, signed: str, sibling: Sibling, now: datetime
    ) -> Judgement:  # fmt: skip
        await tx.take_turn(f"head of {new.issuer}")
        row = await tx.one("audit.known_head", issuer=new.issuer)
        verdict = audit.judge(new, None if row is None else _known(row))
        if verdict is Judgement.OK:
            await tx.run(
                "audit.keep_head", issuer=new.issuer, sequence=new.head.sequence, hash=new.head.hash,
                signed_at=to_ms(new.at), received_at=to_ms(now), document=signed,
            )  # fmt: skip
        elif verdict is Judgement.FORK:
            await tx.run("audit.raise_alarm", issuer=new.issuer, alarm=verdict.value)
            self._node.log.error("audit_fork", sibling=sibling.origin, sequence=new.head.sequence)
        return verdict

    async def held(self, sibling: Sibling) -> bytes:
        """Return which head of a sibling's own log is held here, as signed there, and how its status lists were read.

        Raise NotFound where no head is held.
        """
        row = await self._node.store.one("audit.known_head", issuer=sibling.actor)
        if row is None:
            raise NotFound
        known = _known(row)
        signed = {"signed": orjson.loads(row["document"])} if row["document"] else {}
        held = {str(one.id): statuslist.encode(one.bits) for one in self._node.directory.lists.of(sibling.origin)}
        return orjson.dumps({"sequence": known.head.sequence, "head": str(known.head), "lists": held, **signed})

    async def held_by_siblings(self) -> list[Head]:
        """Ask every sibling which head of our log it holds, and return those that show our signature."""
        return [each.head for each in await self.ask(self._node.allowlist()) if each.proof is not None]

    async def ask(self, siblings: Iterable[Sibling]) -> list[Held]:
        """Ask these, all at once."""
        return list(await asyncio.gather(*map(self.held_by, siblings)))

    async def held_by(self, sibling: Sibling) -> Held:
        """Ask one sibling which head of our log it holds, and whether it can show our signature over it."""
        try:
            url = Uri.parse(sibling.origin + HELD)
            document = await Fetcher(self._node).json(url, sibling, VC_ACCEPT, limit=statuslist.MAX_ENCODED)
            head = _read(document)
        except NotListed:
            return Held(sibling.origin, START, answered=True)
        except NotThere as fault:
            return Held(sibling.origin, START, answered=fault.reason == _HOLDS_NONE)
        except (Refused, ValueError, KeyError, TypeError) as fault:
            self._node.log.info("audit_head", sibling=sibling.origin, code=type(fault).__name__)
            return Held(sibling.origin, START, answered=False)
        proof, lists = self._proof(head, document.get("signed")), document.get("lists")
        return Held(sibling.origin, head, answered=True, proof=proof, lists=lists if isinstance(lists, dict) else {})

    def _proof(self, head: Head, signed: Any) -> AuditHead | None:
        """Return that head with its time, where our issuer key signed both: nobody else can make up a log of ours."""
        keys, now = self._node.keys, self._node.clock()
        own = Issuer(
            self._node.actor, self._node.authority, MemberStatus.ACTIVE, frozenset(),
            (IssuerKey.read(keys.issuer_id, keys.issuer_multikey),),
        )  # fmt: skip
        try:
            found = audit.read_head(signed, own, now=now + _AHEAD)
        except BadHead:
            return None
        return found if found.head == head else None

    async def alarms(self) -> list[str]:
        """The siblings that have shown two logs."""
        return [row["issuer"] for row in await self._node.store.all("audit.known_heads") if row["alarm"]]

    def _address(self, sequence: int) -> Uri:
        return Uri.parse(f"{self._node.origin}{FOLDER}{sequence}")


def is_head(uri: Uri, sibling: Sibling) -> bool:
    """Whether an address is that of a head of this sibling's log."""
    return str(uri).startswith(sibling.origin + FOLDER)


def _known(row: Row) -> AuditHead:
    return AuditHead(
        Uri.parse(row["issuer"]), Head(int(row["sequence"]), bytes(row["hash"])), from_ms(row["signed_at"])
    )


def _read(document: dict[str, Any]) -> Head:
    sequence, text = document["sequence"], document["head"]
    if isinstance(sequence, bool) or not isinstance(sequence, int) or sequence < 1:
        raise ValueError("no sequence")
    return Head(sequence, bytes.fromhex(str(text).removeprefix("sha256:")))
