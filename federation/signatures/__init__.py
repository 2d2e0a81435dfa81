"""Signed bytes in, proof out: two complete profiles, both checked in full before anything is believed.

Read in this order: message (headers proved single), claim (what the signature says of itself), cavage and
rfc9421 (the two profiles), window and digest (time and body), verify (the makers of `Sound` and `Verified`), sign
(the way out).

    SignedMessage.from_raw ▸ require_host ▸ read_claim ▸ check_window ▸ check ─▶ Sound ▸ prove ─▶ Verified

Every function here is pure: the clock and the key are arguments, nothing is fetched, and whatever arrives,
the answer is a value or a `Refused`.
"""

from federation.signatures.claim import Claim, Profile
from federation.signatures.digest import check_digest, content_digest, digest_header
from federation.signatures.message import MAX_HEADER_BYTES, MAX_HEADERS, SignedMessage, require_host
from federation.signatures.sign import ACTIVITY_JSON, sign
from federation.signatures.verify import Sound, Verified, check, prove, read_claim, verify
from federation.signatures.window import MAX_WINDOW, WINDOW, check_window, http_date

__all__ = [
    "ACTIVITY_JSON",
    "Claim",
    "MAX_HEADERS",
    "MAX_HEADER_BYTES",
    "MAX_WINDOW",
    "Profile",
    "SignedMessage",
    "Sound",
    "Verified",
    "WINDOW",
    "check",
    "check_digest",
    "check_window",
    "content_digest",
    "digest_header",
    "http_date",
    "prove",
    "read_claim",
    "require_host",
    "sign",
    "verify",
]
