"""Pairings as rows: one value for each, put back whole, and a line of the allowlist's record for each act.

Whoever changes one has taken the turn of its origin (`turn_of`) and read it in the same unit of work.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from federation.allowlist import LocalPolicy
from federation.delivery import GIVE_UP_AFTER
from federation.errors import PairingOver
from federation.pairing import GRACE, OPEN, Event, State, Verb, moved
from instance.ids import new_ulid
from instance.services.candidates import Found, read_found, write_found
from instance.services.dossiers import chain
from instance.services.errors import Missing
from instance.services.farewells import leave, welcome
from instance.services.orders import who
from instance.services.pairing_ends import turn_of
from instance.services.sibling_changes import record, take_turn, to_json
from instance.services.siblings import entry_of
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification.audit import COMMAND_LINE
from verification.ways import PROPOSAL

if TYPE_CHECKING:
    from instance.wiring import Node

#: So many other fingerprints may be typed before the pairing ends.
MOST_WRONG: Final = 5
#: How long the row of one that ended stays.
KEPT: Final = timedelta(days=90)
#: How long where nobody here has looked into it: longer than a message's signature counts, so that none comes again.
KEPT_UNREAD: Final = timedelta(days=1)
#: Why one ended, beside what people choose.
WRONG, OVER_THERE, FORGED, UNANSWERED = "wrong_fingerprint", "over_there", "other_keys", "unanswered"
ENDINGS: Final = (WRONG, OVER_THERE, FORGED, UNANSWERED)
#: What administrators choose when they decline.
REASONS: Final = ("not_agreed", "unknown", "other_fingerprint", "later", "mistake")
#: What the audit log calls an act.
LOGGED: Final = {
    "invite": "pairing.invited", "read": "pairing.read", "propose": "pairing.proposed",
    "confirm": "pairing.confirmed", "confirmed_there": "pairing.confirmed_there", "decline": "pairing.declined",
    "withdraw": "pairing.withdrawn", "expire": "pairing.expired", "unheard": "pairing.unheard",
}  # fmt: skip
_TIMES: Final = ("read_at", "proposed_at", "confirmed_at", "there_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """One pairing, seen from here."""

    id: str
    origin: str
    name: str
    direction: str
    state: State
    found: Found
    fingerprint: str
    #: When its actor was read at its home; None while it only says so itself.
    read_at: datetime | None
    countries: tuple[str, ...]
    proposed_by: str | None
    proposed_at: datetime | None
    confirmed_by: str | None
    confirmed_at: datetime | None
    there_at: datetime | None
    wrong: int
    #: What the other side has not taken yet.
    owed: str
    tries: int
    next_at: int
    last_code: str
    reason: str
    at: datetime
    changed_at: datetime
    expires_at: datetime

    @property
    def open(self) -> bool:
        """Whether somebody is still asked."""
        return self.state in OPEN

    @property
    def is_open_there(self) -> bool:
        """Whether it is active here and the other side has not taken our confirmation yet."""
        return self.state is State.ACTIVE and self.owed == Verb.CONFIRM

    @property
    def asked_by_us(self) -> bool:
        """Whether it began here."""
        return self.direction == "out"

    @property
    def left(self) -> int:
        """How many more fingerprints may be typed."""
        return max(0, MOST_WRONG - self.wrong)

    def proposal_of(self, administrators: Collection[str], now: datetime) -> str | None:
        """Who of these, or which command line, has proposed to confirm, within the last seven days."""
        if self.proposed_at is None or self.proposed_by is None or now > self.proposed_at + PROPOSAL:
            return None
        counts = self.proposed_by in administrators or who(self.proposed_by) == COMMAND_LINE
        return self.proposed_by if counts else None

    def is_late(self, now: datetime) -> bool:
        """Whether nobody may act on it any more, since its time is over."""
        return self.open and now >= self.expires_at

    def hears_until(self) -> datetime:
        """Until when what the other side says still counts: it may have been said in time and got lost."""
        waits = self.state is State.CONFIRMED_HERE or self.is_open_there
        return self.expires_at + GRACE if waits else self.expires_at

    @property
    def told_until(self) -> datetime:
        """Until when the other side is told that it is over: as long as any other message is sent."""
        return self.changed_at + GIVE_UP_AFTER

    @property
    def was_not_heard(self) -> bool:
        """Whether we ended it, and the other side never took that."""
        return self.state in (State.DECLINED, State.WITHDRAWN) and not self.owed and bool(self.last_code)

    def after(self, event: Event, **changes: Any) -> Pairing:
        """Return it after an event; raise PairingOver where its state knows no such move."""
        if self.state is State.ACTIVE and not self.is_open_there:
            raise PairingOver("both sides have confirmed")
        return replace(self, state=moved(self.state, event), **changes)

    def owing(self, verb: Verb | None) -> Pairing:
        """Return it with something to be told the other side, at once."""
        return replace(self, owed=verb.value if verb else "", tries=0, next_at=0, last_code="")


def begun(
    found: Found, now: datetime, expires_at: datetime, *, state: State, name: str = "", read_at: datetime | None = None,
    there_at: datetime | None = None, owed: str = "",
) -> Pairing:  # fmt: skip
    """Return a new one: of an invitation from here, or of a request."""
    id = new_ulid(now).lower()
    return Pairing(
        id=id, origin=found.origin, name=name or id, direction="out" if state is State.INVITED else "in", state=state,
        found=found, fingerprint=found.fingerprint, read_at=read_at,
        countries=(found.country,) if found.country else (), proposed_by=None, proposed_at=None, confirmed_by=None,
        confirmed_at=None, there_at=there_at, wrong=0, owed=owed, tries=0, next_at=0, last_code="", reason="", at=now,
        changed_at=now, expires_at=expires_at,
    )  # fmt: skip


def read_pairing(row: Row) -> Pairing:
    """Return what a row holds."""
    values = dict(row)
    for name in _TIMES:
        values[name] = None if values[name] is None else from_ms(values[name])
    for name in ("at", "changed_at", "expires_at"):
        values[name] = from_ms(values[name])
    return Pairing(
        **{
            **values, "state": State(row["state"]), "found": read_found(orjson.loads(row["found"])),
            "countries": tuple(orjson.loads(row["countries"])),
        }
    )  # fmt: skip


async def require(tx: Transaction, id: str) -> Pairing:
    """Return a pairing as this unit of work sees it, the allowlist's and its origin's turn taken; raise Missing."""
    await take_turn(tx)
    row = await tx.one("pairings.get", id=id)
    if row is None:
        raise Missing()
    await turn_of(tx, row["origin"])
    again = await tx.one("pairings.get", id=id)
    if again is None:
        raise Missing()
    return read_pairing(again)


async def add(tx: Transaction, pairing: Pairing, now: datetime) -> bool:
    """Keep a new one; False where there is one of this name, or another is open with this origin."""
    values = _values(pairing)
    names = (
        "id", "origin", "name", "direction", "state", "found", "fingerprint", "read_at", "countries", "there_at",
        "owed", "expires_at",
    )  # fmt: skip
    return bool(await tx.run("pairings.add", **{name: values[name] for name in names}, now=to_ms(now)))


async def put(tx: Transaction, pairing: Pairing, now: datetime) -> None:
    """Keep it as it is now."""
    values = _values(pairing)
    for name in ("origin", "direction", "at", "changed_at"):
        del values[name]
    await tx.run("pairings.put", **values, now=to_ms(now))


def _values(pairing: Pairing) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(pairing, name) for name in pairing.__slots__}
    for name in (*_TIMES, "at", "changed_at", "expires_at"):
        values[name] = None if values[name] is None else to_ms(values[name])
    values["found"], values["countries"] = to_json(write_found(pairing.found)), to_json(list(pairing.countries))
    values["state"] = pairing.state.value
    return values


async def note(node: Node, tx: Transaction, pairing: Pairing, act: str, by: str, reason: str) -> None:
    """Write the line of an act and its entry of the audit log, as the last step of its unit of work.

    The allowlist is as it was, so nobody has to read it anew.
    """
    now = node.clock()
    id = new_ulid(now)
    about = {"pairing": pairing.id, "state": pairing.state.value, "fingerprint": pairing.fingerprint}
    await tx.run(
        "siblings.record", id=id, origin=pairing.origin, act=f"pairing_{act}", by_whom=by, reason=reason,
        before="null", after=to_json(about), touched="null", at=to_ms(now),
    )  # fmt: skip
    await chain.append(tx, LOGGED[act], now, who(by), thing=f"c-{id.lower()}")


async def admit(node: Node, tx: Transaction, pairing: Pairing, by: str) -> None:
    """Write the entry of the allowlist: both have confirmed. Whom somebody has added meanwhile stays as they are.

    Whoever was expelled begins anew where an administrator here has confirmed since then, else raises PairingOver;
    raises Rejected(being_purged) for a moment.
    """
    farewell = await tx.one("farewells.get", origin=pairing.origin)
    if farewell is not None and (pairing.confirmed_at is None or to_ms(pairing.confirmed_at) < farewell["expelled_at"]):
        raise PairingOver("it was expelled after it was confirmed here")
    entry = entry_of(pairing.found, pairing.countries, node.clock())
    if await tx.run("siblings.add", **entry):
        await welcome(tx, pairing.origin, node.clock())
        await tx.run("siblings.reset_lane", origin=pairing.origin)
        await tx.run("siblings.forget_shown", origin=pairing.origin)
        await record(node, tx, pairing.origin, "add", by, f"pairing {pairing.id}", before=None, after=entry)


async def undo(node: Node, tx: Transaction, pairing: Pairing, by: str) -> None:
    """Take back an entry that only this pairing has made, and that the other side never had.

    Whatever anybody has decided of it since, a pause, a block or an alarm, stays.
    """
    before = await tx.one("siblings.get", origin=pairing.origin)
    last = await tx.one("pairings.last_decided", origin=pairing.origin)
    if before is None or last is None or before["policy"] != LocalPolicy.INHERIT:
        return
    if (last["act"], last["reason"]) != ("add", f"pairing {pairing.id}"):
        return
    await leave(node, tx, pairing.origin, never_there=True)
    reason = f"pairing {pairing.id}: {pairing.reason}"
    await record(node, tx, pairing.origin, "remove", by, reason, before=before, after=None)


# ── fingerprints, as people read them out ──


def typed(text: str) -> str:
    """Return what somebody typed as a fingerprint is written: without spaces, hyphens and capitals."""
    bare = "".join(sign for sign in text.lower() if sign not in " \t\r\n-\N{NO-BREAK SPACE}")
    return bare if bare.startswith("sha256:") else f"sha256:{bare}"


def same(text: str, fingerprint: str) -> bool:
    """Whether that is this fingerprint, in a time that tells nothing of where it differs."""
    return hmac.compare_digest(typed(text).encode(), fingerprint.encode())


def groups(fingerprint: str) -> list[str]:
    """The fingerprint as it is read out: sixteen groups of four."""
    digits = fingerprint.removeprefix("sha256:")
    return [digits[at : at + 4] for at in range(0, len(digits), 4)]
