"""Followers held the same at both ends: digests of a part of a collection (FEP-8fcf).

A delivery of a doctor says which followers of theirs live at the receiver, as one number: the XOR of the SHA-256 of
each address. Nobody learns of followers elsewhere. Where the receiver counts others, it reads its own part and mends.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from federation.signatures import Claim, SignedMessage
from federation.uri import BadUri, Uri

HEADER: Final = "Collection-Synchronization"
FIELD: Final = HEADER.lower()
_PARAMETER = re.compile(r'\s*(collectionId|url|digest)="([^"\\]*)"\s*(?:,|\Z)')
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Said:
    """What a message says of its actor's followers at the receiver."""

    collection: Uri
    #: Where the receiver reads its own part.
    url: Uri
    digest: str


def digest(members: Iterable[str]) -> str:
    """Return the digest of these members, each once; that of nobody is all zeros."""
    whole = 0
    for member in set(members):
        whole ^= int.from_bytes(hashlib.sha256(member.encode()).digest(), "big")
    return f"{whole:064x}"


def header(collection: Uri, url: Uri, value: str) -> str:
    """Return the value of the header."""
    return f'collectionId="{collection}", url="{url}", digest="{value}"'


def read(message: SignedMessage, claim: Claim) -> Said | None:
    """Return what the message says; None unless the signature covers it, with three parts of one origin."""
    if FIELD not in claim.covered or FIELD in message.repeated:
        return None
    text, found, at = message.headers.get(FIELD, ""), {}, 0
    while at < len(text):
        part = _PARAMETER.match(text, at)
        if part is None or part[1] in found:
            return None
        found[part[1]], at = part[2], part.end()
    try:
        said = Said(Uri.parse(found["collectionId"]), Uri.parse(found["url"]), found["digest"])
    except (KeyError, BadUri):
        return None
    of_one = said.collection.origin == said.url.origin == claim.key_id.origin
    return said if of_one and _DIGEST.match(said.digest) else None
