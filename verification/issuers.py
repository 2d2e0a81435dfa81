"""Who may vouch for doctors: members of the federation, as this room needs them.

An `Issuer` is made by the instance from a member of the federation list or from a local allowlist entry; both carry
the same pins. A key that is not listed here is never looked for elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from federation.integrity import read_multikey
from federation.uri import Uri
from verification.dossier import Country

#: How far two clocks may differ, in every comparison of a signed time.
SKEW: Final = timedelta(seconds=300)


class MemberStatus(StrEnum):
    """The life of a member; only an active one is believed."""

    CANDIDATE = "candidate"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """One pinned key of an issuer, and the time for which it may vouch; no bound means always."""

    id: Uri
    public: Ed25519PublicKey
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @classmethod
    def read(
        cls, key_id: object, multikey: object, valid_from: datetime | None = None, valid_until: datetime | None = None
    ) -> IssuerKey:
        """Make a key from its address and Multikey text; raise ValueError where one of them is none."""
        return cls(Uri.parse(key_id), read_multikey(multikey), valid_from, valid_until)

    def valid_at(self, at: datetime) -> bool:
        """Whether the key might sign at this time, a clock's difference allowed."""
        begun = self.valid_from is None or self.valid_from - at <= SKEW
        return begun and (self.valid_until is None or at - self.valid_until <= SKEW)


@dataclass(frozen=True, slots=True)
class Issuer:
    """One member of the federation; `domain` is host and, where it is not the scheme's own, port."""

    id: Uri
    domain: str
    status: MemberStatus
    may_issue_for: frozenset[Country]
    keys: tuple[IssuerKey, ...]
    #: Whether a local policy blocks it, whatever the federation says.
    blocked: bool = False

    def key(self, method: str) -> IssuerKey | None:
        """The listed key of this id, or None."""
        return next((key for key in self.keys if key.id == method), None)

    def is_home_of(self, place: Uri) -> bool:
        """Whether this address lies on the issuer's own domain and scheme."""
        return place.authority == self.domain and place.same_origin(self.id)
