"""Our own key pairs: sealed in rows, opened when first used, rotated with overlap."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation import keys as federation_keys
from federation.keys import Algorithm, KeyRing, PrivateKey, PublicKey, RingKey
from federation.ports import Clock
from federation.signatures import Profile
from federation.uri import Uri
from instance.config import Config
from instance.storage.store import Reader, Row, Store, Transaction
from instance.times import from_ms, to_ms
from instance.vault import CannotOpen, Vault, head_under
from verification.signing import KeySigner

_ALGORITHM: Final[dict[Profile, Algorithm]] = {Profile.CAVAGE: "rsa", Profile.RFC9421: "ed25519"}
_NAME: Final[dict[Algorithm, str]] = {"rsa": "main-key", "ed25519": "ed25519-key"}
_REMEMBERED: Final = 4_096
#: The setting that names the key-encryption key under which new pairs are sealed, and the turn taken for it.
_KEK_IN_FORCE: Final = "kek"
#: Another process may have rotated: its new keys sign ten minutes later, so that by then every process has read them.
_READ_ANEW: Final = timedelta(minutes=1)
#: Makes an RSA pair: id, owner, bits.
MakeRsa = Callable[[Uri, Uri, int], PrivateKey]


Rings = dict[Algorithm, KeyRing]


@dataclass(frozen=True, slots=True)
class _Read:
    """The rings of one owner, and when their rows were read."""

    at: datetime
    rings: Rings


class NoKey(LookupError):
    """The actor has no key here that may sign."""


class OwnKeys:
    """The private keys of this instance and its doctors."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        config: Config,
        clock: Clock,
        issuer: Ed25519PrivateKey,
        make_rsa: MakeRsa = federation_keys.make_rsa,
    ) -> None:
        self._store, self._vault, self._clock = store, vault, clock
        self._rsa_bits, self._make_rsa, self._origin = config.rsa_bits, make_rsa, config.origin
        origin = config.origin
        self._rings: OrderedDict[Uri, _Read] = OrderedDict()
        #: The instance actor, which signs every request to read and all housekeeping.
        self.instance_actor = Uri.parse(origin + "/actor")
        #: The key that signs credentials; it lives in a file, never in a row.
        self.issuer = issuer
        self.issuer_id = Uri.parse(origin + "/actor#vc-1")

    @property
    def signer(self) -> KeySigner:
        """The issuer key at work: what signs credentials and status lists."""
        return KeySigner(self.instance_actor, self.issuer_id, self.issuer)

    @property
    def issuer_multikey(self) -> str:
        """The public half of the issuer key, as siblings pin it."""
        return PrivateKey.of(self.issuer_id, self.instance_actor, self.issuer).public().multikey

    async def signing_key(self, actor: Uri, profile: Profile) -> PrivateKey:
        """Return the key the actor signs with now under this profile; raise NoKey where there is none."""
        rings = await self._rings_of(actor)
        try:
            return federation_keys.signing_key(rings.get(_ALGORITHM[profile], KeyRing()), self._clock())
        except LookupError:
            raise NoKey(actor) from None

    async def proof_key(self, actor: Uri) -> PrivateKey:
        """Return the Ed25519 key with which the actor signs objects (FEP-8b32)."""
        return await self.signing_key(actor, Profile.RFC9421)

    async def published(self, owner: Uri) -> tuple[PublicKey, ...]:
        """Return every public key of the owner that siblings must be able to read now."""
        now = self._clock()
        rings = await self._rings_of(owner)
        return tuple(key for ring in rings.values() for key in federation_keys.published(ring, now))

    async def shown(self, owner: Uri) -> tuple[PublicKey, ...]:
        """The same as `published`, read from the public halves: for whoever asks for thousands of owners once."""
        rows = await self._store.few("own_keys.public_of_owner", owner=owner, now=to_ms(self._clock()))
        return tuple(PublicKey.from_spki(Uri.parse(row["id"]), owner, bytes(row["spki"])) for row in rows)

    async def make(self, owner: Uri, version: int = 1) -> tuple[PrivateKey, PrivateKey]:
        """Make an RSA and an Ed25519 pair, off the loop; nothing is stored yet (see `add`)."""
        return await asyncio.to_thread(self._make, owner, version)

    async def add(self, tx: Transaction, pairs: Sequence[PrivateKey], *, not_before: datetime) -> None:
        """Store pairs, sealed, in the caller's transaction."""
        await tx.take_turn(_KEK_IN_FORCE)
        now, kek = to_ms(self._clock()), await self.kek_in_force(tx)
        for pair in pairs:
            await tx.run(
                "own_keys.add", id=pair.id, owner=pair.owner, origin=self._origin, algorithm=pair.algorithm,
                spki=pair.public().spki, private=self._vault.seal(pair.to_pem(), pair.id.encode(), kek),
                not_before=to_ms(not_before), now=now,
            )  # fmt: skip

    async def seal(self, tx: Transaction, secret: bytes, aad: bytes) -> bytes:
        """Seal another secret for a row of the caller's transaction, under what is sealed under now; `aad` names it."""
        await tx.take_turn(_KEK_IN_FORCE)
        return self._vault.seal(secret, aad, await self.kek_in_force(tx))

    async def rotate(
        self, tx: Transaction, owner: Uri, pairs: Sequence[PrivateKey], overlap: federation_keys.Overlap | None = None
    ) -> None:
        """Publish new pairs beside the old: unless told otherwise they sign in ten minutes, the old go in 24 hours."""
        overlap = overlap or federation_keys.overlap(self._clock())
        await self.add(tx, pairs, not_before=overlap.sign_after)
        for pair in pairs:
            await tx.run(
                "own_keys.leave", owner=owner, algorithm=pair.algorithm, new=pair.id,
                drop_after=to_ms(overlap.drop_after),
            )  # fmt: skip

    async def reseal(self, tx: Transaction, kek: str, most: int) -> int:
        """Seal so many pairs under this key-encryption key that are sealed under another; return how many there were.

        From then on every process seals under it. Raises CannotOpen with the id of a pair that no key here opens.
        """
        await tx.take_turn(_KEK_IN_FORCE)
        await tx.run("settings.set", name=_KEK_IN_FORCE, value=kek)
        rows = await tx.all("own_keys.sealed_otherwise", head=head_under(kek), count=most)
        await tx.many("own_keys.reseal", [{"id": row["id"], "private": self._resealed(row, kek)} for row in rows])
        return len(rows)

    async def next_version(self, owner: Uri) -> int:
        """Return a number for the key ids of the next rotation."""
        rows = await self._store.all("own_keys.of_owner", owner=owner)
        numbers = [int(found[1]) for row in rows if (found := re.search(r"-(\d+)\Z", row["id"]))]
        return max([1, *numbers]) + 1

    def forget(self, owner: Uri) -> None:
        """Read the owner's keys anew at their next use."""
        self._rings.pop(owner, None)

    async def kek_in_force(self, rows: Reader) -> str:
        """Return what to seal under: another process may be sealing everything anew just now."""
        row = await rows.one("settings.get", name=_KEK_IN_FORCE)
        return self._vault.id if row is None else str(row["value"])

    def _resealed(self, row: Row, kek: str) -> bytes:
        row_id = row["id"].encode()
        try:
            return self._vault.seal(self._vault.open(row["private"], row_id), row_id, kek)
        except CannotOpen as fault:
            raise CannotOpen(f"{row['id']}: {fault}") from None

    def _make(self, owner: Uri, version: int) -> tuple[PrivateKey, PrivateKey]:
        suffix = "" if version == 1 else f"-{version}"
        return (
            self._make_rsa(Uri.parse(f"{owner}#{_NAME['rsa']}{suffix}"), owner, self._rsa_bits),
            federation_keys.make_ed25519(Uri.parse(f"{owner}#{_NAME['ed25519']}{suffix}"), owner),
        )

    async def _rings_of(self, owner: Uri) -> Rings:
        now, before = self._clock(), self._rings.get(owner)
        if before is not None and before.at <= now < before.at + _READ_ANEW:
            self._rings.move_to_end(owner)
            return before.rings
        rows = await self._store.all("own_keys.of_owner", owner=owner)
        read = _Read(now, {algorithm: self._ring(algorithm, rows, before) for algorithm in _NAME})
        if rows:
            self._rings[owner] = read
            self._rings.move_to_end(owner)
            if len(self._rings) > _REMEMBERED:
                self._rings.popitem(last=False)
        else:
            self.forget(owner)
        return read.rings

    def _ring(self, algorithm: Algorithm, rows: Sequence[Row], before: _Read | None) -> KeyRing:
        known = {item.key.id: item.key for item in before.rings[algorithm].keys} if before else {}
        return KeyRing(tuple(self._ring_key(row, known) for row in rows if row["algorithm"] == algorithm))

    def _ring_key(self, row: Row, known: Mapping[Uri, PrivateKey]) -> RingKey:
        key = known.get(row["id"]) or self._unseal(row)
        drop_after = row["drop_after"]
        return RingKey(key, from_ms(row["not_before"]), from_ms(drop_after) if drop_after is not None else None)

    def _unseal(self, row: Row) -> PrivateKey:
        pem = self._vault.open(row["private"], row["id"].encode())
        return PrivateKey.from_pem(Uri.parse(row["id"]), Uri.parse(row["owner"]), pem)
