"""The two questions put to a signed message: what does it claim, and is the claim true?"""

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
class Verified:
    """Proof that the owner of this key signed these bytes for us, now; only `verify` makes one.

    `replay_key` names the signature itself, however its header was spelled: equal means the same message again.
    """

    signer: Uri
    key_id: Uri
    body: bytes = field(repr=False)
    profile: Profile
    replay_key: bytes = field(repr=False)
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        """Refuse every maker but `verify`."""
        if seal is not _SEAL:
            raise TypeError("only verify() makes a Verified")


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


def verify(message: SignedMessage, claim: Claim, key: PublicKey, now: datetime, window: timedelta = WINDOW) -> Verified:
    """Return the proof if host, key, time, body and signature all hold; raise Refused at the first that does not.

    Everything is checked here again, also what the door checked earlier to be cheap: a proof rests on no caller.
    """
    require_host(message)
    if key.id != claim.key_id:
        raise BadSignature("another key than the one named")
    check_window(claim, message, now, window)
    check_digest(message, claim)
    signed = _signed_string(message, claim, key)
    seen = hashlib.sha256(signed + claim.signature).digest()
    return Verified(key.owner, key.id, message.body, claim.profile, seen, _SEAL)


def _signed_string(message: SignedMessage, claim: Claim, key: PublicKey) -> bytes:
    match claim.profile:
        case Profile.CAVAGE:
            return cavage_string(message, claim, key)
        case Profile.RFC9421:
            return rfc9421_string(message, claim, key)
        case _ as never:
            assert_never(never)
