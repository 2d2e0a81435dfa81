"""Keys of doctors and instances: what is accepted, how they are written, and their rotation with overlap.

A foreign key is a `PublicKey` only once it has passed the rules: RSA of 2048 to 4096 bits with e = 65537
as PEM (`publicKey`), or Ed25519 as a Multikey (FEP-521a). Everything else is UnknownKey.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from federation.errors import UnknownKey
from federation.multibase import decode_multikey, encode_multikey, usable_ed25519
from federation.uri import Uri

Algorithm: TypeAlias = Literal["rsa", "ed25519"]

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 4096
#: What we make: 128-bit strength.
OUR_RSA_BITS: Final = 3072
#: A new key is published this long before it signs, so that every sibling can have read it.
SIGN_AFTER: Final = timedelta(minutes=10)
#: An old key is still published this long after the change, for messages under way.
DROP_AFTER: Final = timedelta(hours=24)

_MAX_PEM: Final = 2048  # a 4096-bit key needs about 800 characters
# One block and nothing beside it: a private key pasted behind the public one must not pass unseen.
_PEM = re.compile(
    r"\s*-----BEGIN (?P<kind>(?:RSA )?PUBLIC KEY)-----\r?\n"
    r"[A-Za-z0-9+/=\r\n]+"
    r"-----END (?P=kind)-----\s*\Z"
)
_PKCS1V15 = PKCS1v15()
_SHA256 = SHA256()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that passed our rules, and who its document says it belongs to.

    Two are equal when id, owner and key are; `spki` is the SubjectPublicKeyInfo in DER.
    """

    id: Uri
    owner: Uri
    algorithm: Algorithm
    spki: bytes = field(repr=False)
    key: RSAPublicKey | Ed25519PublicKey = field(repr=False, compare=False)

    @classmethod
    def from_pem(cls, id: Uri, owner: Uri, pem: object) -> PublicKey:
        """Read `publicKeyPem`: RSA only; raise UnknownKey for anything else."""
        found = _PEM.match(pem) if isinstance(pem, str) and len(pem) <= _MAX_PEM else None
        if found is None:
            raise UnknownKey("not the PEM of one public key")
        try:
            key = load_pem_public_key(found[0].encode("ascii"))
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UnknownKey("the PEM holds no key") from None
        if not isinstance(key, RSAPublicKey):
            raise UnknownKey("a PEM key must be RSA")
        return cls(id, owner, "rsa", _spki(_usable_rsa(key)), key)

    @classmethod
    def from_multikey(cls, id: Uri, owner: Uri, multibase: object) -> PublicKey:
        """Read `publicKeyMultibase`: Ed25519 only; raise UnknownKey for anything else."""
        try:
            key = Ed25519PublicKey.from_public_bytes(decode_multikey(multibase))
        except ValueError:
            raise UnknownKey("not the Multikey of an Ed25519 key") from None
        return cls(id, owner, "ed25519", _spki(key), key)

    @classmethod
    def from_spki(cls, id: Uri, owner: Uri, spki: bytes) -> PublicKey:
        """Read what `spki` wrote, by the same rules; raise UnknownKey for anything else."""
        try:
            key = load_der_public_key(spki)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UnknownKey("the stored bytes hold no key") from None
        if isinstance(key, RSAPublicKey):
            return cls(id, owner, "rsa", _spki(_usable_rsa(key)), key)
        if isinstance(key, Ed25519PublicKey):
            _usable_point(key)
            return cls(id, owner, "ed25519", _spki(key), key)
        raise UnknownKey("neither RSA nor Ed25519")

    @property
    def fingerprint(self) -> str:
        """`sha256:` and the hexadecimal SHA-256 of the SubjectPublicKeyInfo: what an allowlist pins."""
        return "sha256:" + hashlib.sha256(self.spki).hexdigest()

    @property
    def pem(self) -> str:
        """The key as `publicKeyPem` carries it."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")

    @property
    def multikey(self) -> str:
        """The key as `publicKeyMultibase` carries it; ValueError for RSA, which travels as PEM."""
        if not isinstance(self.key, Ed25519PublicKey):
            raise ValueError("only an Ed25519 key is written as a Multikey")
        return encode_multikey(self.key.public_bytes_raw())

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the holder of this key signed the data; the key alone decides the algorithm."""
        try:
            if isinstance(self.key, RSAPublicKey):
                self.key.verify(signature, data, _PKCS1V15, _SHA256)
            else:
                self.key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key of ours; it never shows itself in a log or an error."""

    id: Uri
    owner: Uri
    algorithm: Algorithm
    key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False, compare=False)
    _public: PublicKey = field(repr=False)

    @classmethod
    def of(cls, id: Uri, owner: Uri, key: RSAPrivateKey | Ed25519PrivateKey) -> PrivateKey:
        """Give a key its id and owner; raise UnknownKey when its public half would be refused."""
        public = PublicKey.from_spki(id, owner, _spki(key.public_key()))
        return cls(id, owner, public.algorithm, key, public)

    @classmethod
    def from_pem(cls, id: Uri, owner: Uri, pem: bytes) -> PrivateKey:
        """Read what `to_pem` wrote; the caller's vault vouches for the bytes.

        The primes are not tested again: the vault authenticates what it returns, and the test costs 0.1 s.
        """
        try:
            key = load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise UnknownKey("the bytes hold no private key") from None
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise UnknownKey("neither RSA nor Ed25519")
        return cls.of(id, owner, key)

    def to_pem(self) -> bytes:
        """Return PKCS #8 without encryption: for the vault, which encrypts, and for nothing else."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, data: bytes) -> bytes:
        """Sign: RSASSA-PKCS1-v1_5 with SHA-256, or Ed25519."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, _PKCS1V15, _SHA256)
        return self.key.sign(data)

    def public(self) -> PublicKey:
        """The half that is published."""
        return self._public


def make_rsa(id: Uri, owner: Uri, bits: int = OUR_RSA_BITS) -> PrivateKey:
    """Make a new RSA key."""
    return PrivateKey.of(id, owner, rsa.generate_private_key(65537, bits))


def make_ed25519(id: Uri, owner: Uri) -> PrivateKey:
    """Make a new Ed25519 key."""
    return PrivateKey.of(id, owner, Ed25519PrivateKey.generate())


@dataclass(frozen=True, slots=True)
class Overlap:
    """When the new keys of a rotation begin to sign, and when the old ones are dropped."""

    sign_after: datetime
    drop_after: datetime


def overlap(now: datetime, wait: timedelta = SIGN_AFTER) -> Overlap:
    """The overlap of a rotation that begins now; the old keys outlive the first of the new by the same time always."""
    begins = now + max(wait, SIGN_AFTER)
    return Overlap(begins, begins - SIGN_AFTER + DROP_AFTER)


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key of ours in time: published until `drop_after`, signing from `not_before`."""

    key: PrivateKey
    not_before: datetime
    drop_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one owner and one algorithm, oldest first; an empty ring signs nothing."""

    keys: tuple[RingKey, ...] = ()

    def __post_init__(self) -> None:
        """Hold one owner's keys of one algorithm, each under an id of its own."""
        if len({(held.key.owner, held.key.algorithm) for held in self.keys}) > 1:
            raise ValueError("a ring holds the keys of one owner and one algorithm")
        if len({held.key.id for held in self.keys}) != len(self.keys):
            raise ValueError("two keys of a ring share an id")


def start_ring(key: PrivateKey, now: datetime) -> KeyRing:
    """A ring with the owner's first key, which signs at once."""
    return KeyRing((RingKey(key, not_before=now),))


def rotate(ring: KeyRing, new: PrivateKey, now: datetime) -> KeyRing:
    """Publish the new key beside the old: it signs in ten minutes, the old is dropped in 24 hours."""
    times = overlap(now)
    leaving = tuple(
        RingKey(held.key, held.not_before, held.drop_after or times.drop_after)
        for held in without_dropped(ring, now).keys
    )
    begins = times.sign_after if leaving else now
    return KeyRing((*leaving, RingKey(new, not_before=begins)))


def without_dropped(ring: KeyRing, now: datetime) -> KeyRing:
    """The ring without the keys whose overlap has passed: what is left to keep."""
    return KeyRing(tuple(held for held in ring.keys if held.drop_after is None or now < held.drop_after))


def signing_key(ring: KeyRing, now: datetime) -> PrivateKey:
    """The newest key that may sign, one that is not leaving first; LookupError when there is none."""
    ready = [held for held in without_dropped(ring, now).keys if held.not_before <= now]
    if not ready:
        raise LookupError("no key may sign now")
    return max(ready, key=lambda held: (held.drop_after is None, held.not_before)).key


def published(ring: KeyRing, now: datetime) -> tuple[PublicKey, ...]:
    """Every key siblings must be able to read now: new beside old, the newest first."""
    return tuple(held.key.public() for held in reversed(without_dropped(ring, now).keys))


def _usable_rsa(key: RSAPublicKey) -> RSAPublicKey:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise UnknownKey("an RSA key has 2048 to 4096 bits")
    if key.public_numbers().e != 65537:
        raise UnknownKey("the exponent of an RSA key is 65537")
    return key


def _usable_point(key: Ed25519PublicKey) -> None:
    try:
        usable_ed25519(key.public_bytes_raw())
    except ValueError:
        raise UnknownKey("anybody could sign for this key") from None


def _spki(key: RSAPublicKey | Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
