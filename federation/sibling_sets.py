"""Whom an instance speaks with, as it tells its siblings, and what they pass on of its things; pure.

    write, seal   our own set ─▶ the document at PATH, with the proof of our instance actor
    read          a document ─▶ SiblingSet and the key it says it is signed with, or NotBelieved
    prove         the key made the proof, or NotBelieved
    follows       the set may take the place of the one known, or NotBelieved
    passage       may what concerns these homes go on to that origin?

Nothing of an instance is passed on to anybody outside its own set (N3). A set that is not known, has run out or was not
believed has nobody in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from federation.integrity import BadProof, Json, add_proof, check_proof, read_instant, read_proof, write_instant
from federation.keys import PrivateKey, PublicKey
from federation.signatures.window import MAX_WINDOW
from federation.uri import BadUri, Uri, parse_origin

PATH: Final = "/siblings/set"
#: How long a set counts after it was issued, and the longest that is believed of anybody's.
LIFE: Final = timedelta(hours=6)
LONGEST: Final = timedelta(hours=24)
#: So many siblings in one set.
MOST: Final = 1_000
#: The largest document that is read.
MAX_SET: Final = 262_144
#: Why something is not passed on: not before a set is known, and never.
WAITS: Final = "sibling_set_unknown"
OUTSIDE: Final = "outside_sibling_set"
_LARGEST: Final = 2**53 - 1
_MEMBERS: Final = frozenset({"id", "sequence", "issued", "validUntil", "siblings", "proof"})

CODES: Final = (
    "set_malformed", "set_of_another", "set_not_signed", "set_key_not_pinned", "set_bad_signature", "set_too_early",
    "set_too_old", "set_expired", "set_too_long", "set_rolled_back", "set_forked",
)  # fmt: skip


class NotBelieved(Exception):
    """A set that counts for nothing; `code` is one of CODES."""

    def __init__(self, code: str, reason: str = "") -> None:
        super().__init__(reason or code)
        self.code, self.reason = code, reason


class Passage(Enum):
    """Whether something may go on to a third instance."""

    OPEN = auto()
    CLOSED = auto()  #: one of its homes does not speak with that instance
    UNKNOWN = auto()  #: whether one of them does is not known now: not before it is


@dataclass(frozen=True, slots=True)
class SiblingSet:
    """With whom the instance at `origin` speaks: to these it sends, and these it lets read."""

    origin: str
    siblings: frozenset[str]
    #: The number of its allowlist; of two sets issued in the same second the higher is the later.
    sequence: int
    issued: datetime
    until: datetime

    def counts(self, now: datetime) -> bool:
        """Whether it has not run out; one from the future has."""
        return self.issued - MAX_WINDOW <= now < self.until


# ── ours ──


def write(origin: str, siblings: Iterable[str], sequence: int, now: datetime) -> dict[str, Json]:
    """Return our set as a document: origins and times, nothing else of anybody."""
    return {
        "id": origin + PATH, "sequence": sequence, "issued": write_instant(now),
        "validUntil": write_instant(now + LIFE), "siblings": [*sorted(siblings)],
    }  # fmt: skip


def seal(document: Mapping[str, Json], key: PrivateKey, now: datetime) -> bytes:
    """Return the document as bytes, with the proof of the instance actor whose key this is (`eddsa-jcs-2022`)."""
    if not isinstance(key.key, Ed25519PrivateKey):
        raise TypeError("object proofs are made with Ed25519")
    return orjson.dumps(add_proof(document, key.key, verification_method=key.id, created=now))


# ── theirs ──


def read(document: Mapping[str, Any], origin: str, now: datetime) -> tuple[SiblingSet, Uri]:
    """Return the set of the instance at `origin`, and the key it says it is signed with; raise NotBelieved.

    Nothing is believed before `prove` has returned.
    """
    found = _read(document, origin)
    try:
        method = Uri.parse(read_proof(dict(document)).verification_method)
    except (BadProof, BadUri):
        raise NotBelieved("set_not_signed") from None
    if method.origin != origin:
        raise NotBelieved("set_of_another", "signed by another host")
    _require_of_now(found, now)
    return found, method


def prove(document: Mapping[str, Any], key: PublicKey) -> None:
    """Raise NotBelieved unless the document is signed with this key; whose key it is the caller has asked."""
    try:
        if not isinstance(key.key, Ed25519PublicKey):
            raise BadProof("object proofs are made with Ed25519")
        check_proof(dict(document), key.key)
    except BadProof:
        raise NotBelieved("set_bad_signature") from None


def follows(found: SiblingSet, known: SiblingSet | None, now: datetime) -> None:
    """Raise NotBelieved where a later set, or another one of the same moment, was shown before.

    One from the future was read while both clocks were ahead. It counts for nothing, and says nothing against what is
    issued now: whoever waited for it to be of the past would have no set for as long as the clocks had been ahead.
    """
    if known is None or known.issued > now + MAX_WINDOW:
        return
    new, old = (found.issued, found.sequence), (known.issued, known.sequence)
    if new < old:
        raise NotBelieved("set_rolled_back")
    if new == old and found.siblings != known.siblings:
        raise NotBelieved("set_forked")


# ── what is passed on ──


def passage(
    homes: Collection[str], receiver: str, own: str, sets: Mapping[str, SiblingSet], now: datetime
) -> Passage:  # fmt: skip
    """Say whether something that concerns these homes may go on to the receiver; what is the receiver's own may.

    Ours we decide ourselves: our own origin asks for nothing here.
    """
    found = Passage.OPEN
    for home in homes:
        if home in (receiver, own):
            continue
        known = sets.get(home)
        if known is None or not known.counts(now):
            found = Passage.UNKNOWN
        elif receiver not in known.siblings:
            return Passage.CLOSED
    return found


# ── parts ──


def _read(document: Mapping[str, Any], origin: str) -> SiblingSet:
    if document.get("id") != origin + PATH:
        raise NotBelieved("set_of_another", "another address")
    try:
        if not document.keys() <= _MEMBERS:  # what is not understood might narrow what is
            raise ValueError("a member that is not known")
        siblings = document["siblings"]
        if not isinstance(siblings, list) or len(siblings) > MOST:
            raise ValueError("no list of siblings, or too long")
        found = frozenset(parse_origin(each) for each in siblings)
        if len(found) != len(siblings) or origin in found:
            raise ValueError("one twice, or itself")
        return SiblingSet(
            origin, found, _number(document["sequence"]), read_instant(document["issued"]),
            read_instant(document["validUntil"]),
        )  # fmt: skip
    except (BadUri, KeyError, TypeError, ValueError):
        raise NotBelieved("set_malformed") from None


def _require_of_now(found: SiblingSet, now: datetime) -> None:
    """A set is issued when it is asked for: one that is older was kept by somebody."""
    if found.issued > now + MAX_WINDOW:
        raise NotBelieved("set_too_early")
    if not timedelta(0) < found.until - found.issued <= LONGEST:
        raise NotBelieved("set_too_long")
    if now >= found.until:
        raise NotBelieved("set_expired")
    if found.issued < now - MAX_WINDOW:
        raise NotBelieved("set_too_old")


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise ValueError("no number")
    return value
