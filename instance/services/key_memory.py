"""Public keys of siblings' actors: in memory, behind it in rows, behind them at their home."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from federation.allowlist import Direction, Sibling
from federation.errors import KeyNotOwned, PinMismatch, Refused, UnknownKey
from federation.keys import PublicKey
from federation.ports import Clock
from federation.uri import Uri
from instance.services.fetching import MISSING_FOR, NotReached
from instance.storage.store import Store, Transaction
from instance.times import from_ms, to_ms

FRESH: Final = timedelta(hours=1)
AWAY: Final = timedelta(hours=24)
REREAD: Final = timedelta(minutes=1)
_REMEMBERED: Final = 8_192

T = TypeVar("T")
Keys = tuple[tuple[PublicKey, str], ...]
#: Reads the document a key stands in, learns every key of its owner, and returns them.
ReadOwner = Callable[[Uri, Sibling], Awaitable[Keys]]


@dataclass(slots=True)
class _Held:
    key: PublicKey
    fingerprint: str
    fetched_at: datetime
    #: While the sibling is away, when to try again.
    retry_at: datetime


class KeyMemory:
    """Implements the port `Keys`; what is handed out was listed by its owner's document on the same origin."""

    def __init__(self, store: Store, clock: Clock, read_owner: ReadOwner) -> None:
        self._store, self._clock, self._read_owner = store, clock, read_owner
        self._held: OrderedDict[Uri, _Held] = OrderedDict()
        self._missing: OrderedDict[Uri, datetime] = OrderedDict()
        self._reread: OrderedDict[Uri, datetime] = OrderedDict()

    async def find(self, key_id: Uri, sibling: Sibling) -> PublicKey:
        """Return the key from memory or after one signed fetch. Raises UnknownKey, KeyNotOwned, PinMismatch."""
        held = self._held.get(key_id)
        now = self._clock()
        if held is None or now - held.fetched_at >= FRESH:
            held = await self._found(key_id, sibling, now)
        if held.key.owner == sibling.actor and held.fingerprint not in sibling.instance_keys:
            raise PinMismatch(sibling.origin)
        return held.key

    async def reread(self, key_id: Uri, sibling: Sibling) -> PublicKey | None:
        """Read the key again past every cache, at most once a minute per key; None where that is not due."""
        now = self._clock()
        last = self._reread.get(key_id)
        if last is not None and now - last < REREAD:
            return None
        _remember(self._reread, key_id, now)
        try:
            await self._read_owner(key_id, sibling)
        except PinMismatch:
            raise
        except Refused:
            return None  # whatever was wrong there, the caller's answer stays: this signature does not hold
        held = self._held.get(key_id)
        if held is None:
            return None
        if held.key.owner == sibling.actor and held.fingerprint not in sibling.instance_keys:
            raise PinMismatch(sibling.origin)
        return held.key

    async def pinned(self, key_id: Uri, sibling: Sibling) -> PublicKey:
        """Return a pinned key of the sibling's instance actor: pins do not age, so the row's own age does not count.

        Whoever may not be read is not asked for it. Raises UnknownKey, KeyNotOwned, PinMismatch.
        """
        held = self._held.get(key_id) or await self._stored(key_id)
        if held is None and sibling.refusal(Direction.FETCH) is None:
            await self.find(key_id, sibling)
            held = self._held.get(key_id)
        if held is None or held.key.owner != sibling.actor:
            raise UnknownKey("no key of the instance actor is known by this id")
        if held.fingerprint not in sibling.instance_keys:
            raise PinMismatch(sibling.origin)
        return held.key

    def learn(self, owner: Uri, keys: Keys, now: datetime) -> None:
        """Hold exactly these keys of the owner from now on."""
        for key_id in [key_id for key_id, held in self._held.items() if held.key.owner == owner]:
            del self._held[key_id]
        for key, _ in keys:
            self._missing.pop(key.id, None)
            _remember(self._held, key.id, _Held(key, key.fingerprint, now, now))

    async def keep(self, tx: Transaction, owner: Uri, keys: Keys, now: datetime) -> None:
        """Store exactly these keys of the owner, in the caller's transaction."""
        await tx.run("keys.drop_of_owner", owner=owner)
        for key, purpose in keys:
            await tx.run(
                "keys.add", id=key.id, owner=owner, origin=owner.origin, algorithm=key.algorithm, spki=key.spki,
                purpose=purpose, now=to_ms(now),
            )  # fmt: skip

    def forget(self, origin: str) -> None:
        """Forget every key of this origin; rows are the caller's to delete."""
        for memory in (self._held, self._missing, self._reread):
            for key_id in [key_id for key_id in memory if key_id.origin == origin]:
                del memory[key_id]

    def origins(self) -> frozenset[str]:
        """The origins of which keys are held."""
        return frozenset(key_id.origin for key_id in self._held)

    async def _found(self, key_id: Uri, sibling: Sibling, now: datetime) -> _Held:
        held = self._held.get(key_id) or await self._stored(key_id)
        if held is not None and (now - held.fetched_at < FRESH or (held.retry_at > now and _still(held, now))):
            return held
        if self._missing.get(key_id, now) > now:
            raise UnknownKey("remembered as missing")
        try:
            await self._read_owner(key_id, sibling)
        except NotReached:
            if held is None or not _still(held, now):
                raise
            held.retry_at = now + MISSING_FOR
            _remember(self._held, key_id, held)
            return held
        fresh = self._held.get(key_id)
        if fresh is None:
            _remember(self._missing, key_id, now + MISSING_FOR)
            raise KeyNotOwned("the owner's document does not list the key")
        return fresh

    async def _stored(self, key_id: Uri) -> _Held | None:
        row = await self._store.one("keys.get", id=key_id)
        if row is None:
            return None
        key = PublicKey.from_spki(Uri.parse(row["id"]), Uri.parse(row["owner"]), bytes(row["spki"]))
        at = from_ms(row["fetched_at"])
        held = _Held(key, key.fingerprint, at, at)
        _remember(self._held, key_id, held)
        return held


def _still(held: _Held, now: datetime) -> bool:
    return now - held.fetched_at < AWAY


def _remember(memory: OrderedDict[Uri, T], key: Uri, value: T) -> None:
    memory[key] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
