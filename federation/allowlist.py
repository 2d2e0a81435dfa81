"""Who may speak with us: the allowlist as an immutable value, and the one function that decides.

Empty admits nobody. Our own origin is implicit and never listed (an instance does not federate with itself).
The effective permission of an origin is its entry narrowed by the federation list, where one is kept, and by the local
policy; nothing widens it, and the list is asked first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from federation.errors import (
    FederationListExpired,
    IssuerSuspended,
    IssuerWithdrawn,
    ListUnread,
    NotASibling,
    NotOnTheList,
    PinMismatch,
    Refused,
    SiblingBlocked,
    SiblingPaused,
    SiblingReadOnly,
)
from federation.farewell import ERASURE, Farewell
from federation.uri import Uri
from federation.vocabulary import FEDERATING_KINDS, PostKind


class Direction(StrEnum):
    """The four ways two instances touch."""

    IN = "in"  #: they post to our inbox
    OUT = "out"  #: we post to theirs
    FETCH = "fetch"  #: we read at theirs
    SERVE = "serve"  #: they read at ours


class LocalPolicy(StrEnum):
    """What the administrator here makes of an entry; each step only narrows."""

    INHERIT = "inherit"
    READ_ONLY = "read-only"
    PAUSE = "pause"
    BLOCK = "block"


class Listed(StrEnum):
    """How an entry stands on the federation list."""

    UNASKED = "unasked"  #: no federation list is kept here
    ACTIVE = "active"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    ABSENT = "absent"  #: not on it, or a candidate
    OTHER_KEYS = "other keys"  #: the list names none of the keys pinned here
    EXPIRED = "expired"  #: the list itself has run out
    UNREAD = "unread"  #: no list was ever read, or the one kept cannot be


_CLOSED_BY_LIST: Final[Mapping[Listed, type[Refused]]] = {
    Listed.SUSPENDED: IssuerSuspended,
    Listed.WITHDRAWN: IssuerWithdrawn,
    Listed.ABSENT: NotOnTheList,
    Listed.OTHER_KEYS: PinMismatch,
    Listed.EXPIRED: FederationListExpired,
    Listed.UNREAD: ListUnread,
}


#: Refusals that may pass: what is written for such a sibling is kept for later.
PASSING: Final = (
    SiblingPaused, SiblingReadOnly, IssuerSuspended, FederationListExpired, NotOnTheList, ListUnread, PinMismatch,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """An Ed25519 key (Multikey text) that may sign this sibling's credentials, and when."""

    id: Uri
    key: str
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Sibling:
    """One entry of the allowlist."""

    origin: str
    actor: Uri
    name: str
    country: str
    since: datetime
    #: Fingerprints ("sha256:…" over the SubjectPublicKeyInfo) of the keys its instance actor may sign with.
    instance_keys: frozenset[str]
    issuer_keys: tuple[IssuerKey, ...]
    #: ISO 3166 alpha-2 codes of the countries for which it may vouch.
    may_issue_for: frozenset[str]
    policy: LocalPolicy = LocalPolicy.INHERIT
    kinds_in: frozenset[PostKind] = FEDERATING_KINDS
    kinds_out: frozenset[PostKind] = FEDERATING_KINDS
    inbox: Uri | None = None
    speaks_rfc9421: bool = False
    source: str = "local"
    listed: Listed = Listed.UNASKED

    @property
    def is_listed(self) -> bool:
        """Whether it is on the federation list, in whatever state, or none is kept here: no stranger."""
        return self.listed not in _STRANGE

    @property
    def is_known(self) -> bool:
        """Whether its host may stand in what others say: it is on the list, and not blocked here."""
        return self.is_listed and self.policy is not LocalPolicy.BLOCK

    def refusal(self, direction: Direction) -> type[Refused] | None:
        """Return what this direction is refused with, or None where it is open."""
        closed = _CLOSED_BY_LIST.get(self.listed)
        if closed is not None:
            return closed
        match self.policy:
            case LocalPolicy.INHERIT:
                return None
            case LocalPolicy.READ_ONLY:
                return None if direction in _READING else SiblingReadOnly
            case LocalPolicy.PAUSE:
                return SiblingPaused
            case _:
                return SiblingBlocked


_READING = frozenset({Direction.IN, Direction.FETCH})
_STRANGE = frozenset({Listed.WITHDRAWN, Listed.ABSENT, Listed.OTHER_KEYS, Listed.UNREAD})


@dataclass(frozen=True, slots=True)
class Allowlist:
    """Every entry, by exact origin. A new version is a new value."""

    version: int = 0
    siblings: Mapping[str, Sibling] = field(default_factory=dict)
    #: How members of the federation list stand that are no entries here.
    others: Mapping[str, Listed] = field(default_factory=dict)
    #: How the federation list itself stands: UNASKED, ACTIVE (in force), EXPIRED or UNREAD.
    list_state: Listed = Listed.UNASKED
    #: When the list in force runs out.
    list_until: datetime | None = None
    #: Former siblings that are still told what takes our own words back; an entry of theirs permits nothing.
    farewells: Mapping[str, Farewell] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Sibling]:
        return iter(self.siblings.values())

    def __len__(self) -> int:
        return len(self.siblings)

    def find(self, origin: str) -> Sibling | None:
        """Return the entry with exactly this scheme, host and port."""
        return self.siblings.get(origin)

    def require(self, origin: str, direction: Direction) -> Sibling:
        """Return the sibling when this direction is open; raise NotASibling, SiblingPaused, … otherwise."""
        sibling = self.siblings.get(origin)
        if sibling is None:
            raise self._stranger(origin)(origin)
        refusal = sibling.refusal(direction)
        if refusal is not None:
            raise refusal(origin)
        return sibling

    def require_sending(self, origin: str, now: datetime, urgency: int = ERASURE) -> Sibling | Farewell:
        """Return whom we may send a message of this urgency; raise as `require` does.

        That is a sibling whose way out is open, or a former one that is told of an erasure or, for a while, of an end:
        one without an entry, or one that has left the federation list.
        """
        farewell, entry = self.farewells.get(origin), self.siblings.get(origin)
        has_left = entry is None or entry.listed is Listed.WITHDRAWN
        if farewell is not None and has_left and farewell.permits(urgency, now):
            return farewell
        return self.require(origin, Direction.OUT)

    def permits(self, origin: str, direction: Direction) -> bool:
        """Whether `require` would return."""
        sibling = self.siblings.get(origin)
        return sibling is not None and sibling.refusal(direction) is None

    def open_to(self, direction: Direction) -> tuple[Sibling, ...]:
        """Return the siblings with which this direction is open."""
        return tuple(s for s in self.siblings.values() if s.refusal(direction) is None)

    def expired(self) -> Allowlist:
        """The same entries when the federation list has run out: nobody may speak, whoever they are."""
        siblings = {origin: replace(sibling, listed=Listed.EXPIRED) for origin, sibling in self.siblings.items()}
        return replace(self, siblings=siblings, others={}, farewells={}, list_state=Listed.EXPIRED)

    def _stranger(self, origin: str) -> type[Refused]:
        """What somebody without an entry is refused with: an active member is no sibling before it has one."""
        if self.list_state is Listed.EXPIRED:
            return FederationListExpired
        listed = self.others.get(origin)
        return _CLOSED_BY_LIST[listed] if listed in (Listed.SUSPENDED, Listed.WITHDRAWN) else NotASibling
