"""The way out: the headers that make a request one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from federation.keys import PrivateKey
from federation.signatures import cavage, rfc9421
from federation.signatures.claim import Profile
from federation.signatures.digest import content_digest, digest_header
from federation.signatures.message import SignedMessage
from federation.signatures.window import http_date
from federation.uri import Uri

ACTIVITY_JSON: Final = "application/activity+json"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def sign(
    method: str,
    url: Uri,
    body: bytes | None,
    key: PrivateKey,
    profile: Profile,
    now: datetime,
    *,
    content_type: str = ACTIVITY_JSON,
    label: str = "hs2019",
    more: Mapping[str, str] = _NOTHING,
) -> dict[str, str]:
    """Return every header the request must carry as it is: Host, Date, the body's two, and the signature's.

    A `body` of None means there is none (GET). `label` is what cavage calls the algorithm, a setting per sibling.
    `more` are headers besides, all of them covered.
    A key that does not fit the profile is a ValueError: ours to prevent, not the sibling's to refuse.
    """
    if (body is None) != (method in ("GET", "HEAD")):
        raise ValueError("GET and HEAD have no body, everything else has one")
    headers = {"Host": url.authority, "Date": http_date(now), **more}
    besides = tuple(name.lower() for name in more)
    if profile is Profile.CAVAGE:
        if body is not None:
            headers |= {"Content-Type": content_type, "Digest": digest_header(body)}
        return headers | cavage.sign_cavage(key, headers, method, url.target, label, besides)
    if body is not None:
        headers |= {"Content-Type": content_type, "Content-Digest": content_digest(body)}
    lower = {name.lower(): value for name, value in headers.items()}
    message = SignedMessage(method, url.origin, url.target, lower, body or b"")
    return headers | rfc9421.sign_rfc9421(key, message, int(now.timestamp()), besides)
