"""The two questions put to a signed message: what does it claim, and is the claim true?

The second has two halves, since the first of them needs no key: `check` looks at host, time and body, `prove` at the
key and the signature. Between them stands a `Sound`, so that neither half can be left out or is done twice.
"""

from __future__ import annotations

import hashlib
from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from typing import Final, assert_never

from federation.errors import BadSignature, NotSigned
from federation.keys import PublicKey
from federation.signatures.cavage import cavage_string, read_cavage
from federation.signatures.claim import Claim, Profile
from federation.signatures.digest import check_digest
from federation.signatures.message import SignedMessage, require_host
from federation.signatures.rfc9421 import read_rfc9421, rfc9421_string
from federation.signatures.window import WINDOW, check_window
from federation.uri import Uri

_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class Sound:
    """A message for this server, of now, whose body is the one the digest names; only `check` makes one."""

    message: SignedMessage
    claim: Claim
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        """Refuse every maker but `check`."""
        if seal is not _SEAL:
            raise TypeError("only check() makes a Sound")


@dataclass(frozen=True, slots=True)
class Verified:
    """Proof that the owner of this key signed these bytes for us, now; only `prove` makes one.

    `replay_key` names the signature itself, however its header was spelled: equal means the same message again.
    """

    signer: Uri
    key_id: Uri
    body: bytes = field(repr=False)
    profile: Profile
    replay_key: bytes = field(repr=False)
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        """Refuse every maker but `prove`."""
        if seal is not _SEAL:
            raise TypeError("only prove() makes a Verified")


def read_claim(message: SignedMessage) -> Claim:
    """Return the one signature's claim; raise NotSigned, WeakCoverage or BadSignature."""
    headers = message.headers
    if "signature" not in headers:
        raise NotSigned
    # The draft lets a signature stand in Authorization as well: then there are two, and which one counts?
    if headers.get("authorization", "")[:9].lower() == "signature":
        raise BadSignature("two signatures")
    # A cavage signature beside Signature-Input cannot be read as RFC 9421, so both profiles at once are refused.
    return read_rfc9421(message) if "signature-input" in headers else read_cavage(message)


def check(message: SignedMessage, claim: Claim, now: datetime, window: timedelta = WINDOW) -> Sound:
    """Return the message as sound if host, time and body hold; raise Refused at the first that does not.

    Host and time are looked at here also where the door did so before it read the body: a proof rests on no caller.
    """
    require_host(message)
    check_window(claim, message, now, window)
    check_digest(message, claim)
    return Sound(message, claim, _SEAL)


def prove(sound: Sound, key: PublicKey) -> Verified:
    """Return the proof if this key is the one named and made the signature; raise BadSignature otherwise."""
    message, claim = sound.message, sound.claim
    if key.id != claim.key_id:
        raise BadSignature("another key than the one named")
    signed = _signed_string(message, claim, key)
    seen = hashlib.sha256(signed + claim.signature).digest()
    return Verified(key.owner, key.id, message.body, claim.profile, seen, _SEAL)


def verify(message: SignedMessage, claim: Claim, key: PublicKey, now: datetime, window: timedelta = WINDOW) -> Verified:
    """Return the proof if host, time, body, key and signature all hold; raise Refused at the first that does not."""
    return prove(check(message, claim, now, window), key)


def _signed_string(message: SignedMessage, claim: Claim, key: PublicKey) -> bytes:
    match claim.profile:
        case Profile.CAVAGE:
            return cavage_string(message, claim, key)
        case Profile.RFC9421:
            return rfc9421_string(message, claim, key)
        case _ as never:
            assert_never(never)
