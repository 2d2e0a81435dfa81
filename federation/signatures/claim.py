"""What a signature says of itself: read strictly, believed by nobody yet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from federation.errors import BadSignature
from federation.uri import BadUri, Uri


class Profile(Enum):
    """The two ways of signing a message that this federation speaks."""

    CAVAGE = "cavage-12"
    RFC9421 = "rfc9421"


@dataclass(frozen=True, slots=True)
class Claim:
    """One signature of one profile, its parts checked for form and coverage.

    `params` is the text after the label in Signature-Input, which RFC 9421 section 2.5 signs verbatim;
    it is empty under cavage.
    """

    profile: Profile
    key_id: Uri
    covered: tuple[str, ...]
    signature: bytes
    algorithm: str | None = None
    created: int | None = None
    expires: int | None = None
    params: str = ""


def read_key_id(text: str) -> Uri:
    """Return the key's address; BadSignature for whatever is not a strict absolute one."""
    try:
        return Uri.parse(text)
    except BadUri:
        raise BadSignature("key id") from None
