"""What a check answers: one of four verdicts, one reason code, and what the door does with it.

The codes are exact strings, known to every sibling. A verdict's `effect` is all a door needs; the instance maps
it to its answer:

    ACCEPT   go on
    REFUSE   no, with the code; the sender keeps a dead letter (403)
    HOLD     keep the message unapplied until an accept, at most seven days (202)
    RETRY    cannot be known now, come back after `RETRY_AFTER` seconds (503)
    ALARM    nobody is answered: a federation list is not adopted and the administrator is told
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Final, TypeAlias

from verification.standing import Standing

#: Seconds after which a deferred sender may ask again.
RETRY_AFTER: Final = 900


class Reason(StrEnum):
    """Why a check answered as it did."""

    OK = "ok"
    NO_CREDENTIAL = "no_credential"
    BAD_PROOF = "bad_proof"
    UNKNOWN_ISSUER = "unknown_issuer"
    ISSUER_SUSPENDED = "issuer_suspended"
    ISSUER_WITHDRAWN = "issuer_withdrawn"
    LOCALLY_BLOCKED = "locally_blocked"
    COUNTRY_NOT_ALLOWED = "country_not_allowed"
    KEY_NOT_VALID_THEN = "key_not_valid_then"
    SUBJECT_MISMATCH = "subject_mismatch"
    ISSUER_NOT_HOME = "issuer_not_home"
    VALIDITY_TOO_LONG = "validity_too_long"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    CREDENTIAL_ROLLBACK = "credential_rollback"
    ACTOR_KEY_MISMATCH = "actor_key_mismatch"
    STATUS_MISSING = "status_missing"
    STATUS_ISSUER_MISMATCH = "status_issuer_mismatch"
    STATUS_RANGE = "status_range"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    NAME_MISMATCH = "name_mismatch"
    STATUS_SOFT_STALE = "status_soft_stale"
    STATUS_HARD_STALE = "status_hard_stale"
    STATUS_UNKNOWN = "status_unknown"
    FEDERATION_LIST_EXPIRED = "federation_list_expired"
    SEQUENCE_ROLLBACK = "sequence_rollback"
    TOO_FEW_SIGNATURES = "too_few_signatures"
    LIST_FORK = "list_fork"
    LIST_GAP = "list_gap"


class Effect(Enum):
    """What a door does with a verdict."""

    ACCEPT = auto()
    REFUSE = auto()
    HOLD = auto()
    RETRY = auto()
    ALARM = auto()


_REFUSE: Final = frozenset({Effect.REFUSE})
_ALARM: Final = frozenset({Effect.ALARM})

#: Every effect a code can have. The codes of the federation list stand here so that one table explains them all.
EFFECTS: Final[Mapping[Reason, frozenset[Effect]]] = MappingProxyType(
    {
        Reason.OK: frozenset({Effect.ACCEPT}),
        Reason.NO_CREDENTIAL: _REFUSE,
        Reason.BAD_PROOF: _REFUSE | _ALARM,
        Reason.UNKNOWN_ISSUER: _REFUSE,
        Reason.ISSUER_SUSPENDED: _REFUSE,
        Reason.ISSUER_WITHDRAWN: _REFUSE,
        Reason.LOCALLY_BLOCKED: _REFUSE,
        Reason.COUNTRY_NOT_ALLOWED: _REFUSE,
        Reason.KEY_NOT_VALID_THEN: _REFUSE,
        Reason.SUBJECT_MISMATCH: _REFUSE,
        Reason.ISSUER_NOT_HOME: _REFUSE,
        Reason.VALIDITY_TOO_LONG: _REFUSE,
        Reason.NOT_YET_VALID: _REFUSE,
        Reason.EXPIRED: _REFUSE,
        Reason.CREDENTIAL_ROLLBACK: _REFUSE,
        Reason.ACTOR_KEY_MISMATCH: _REFUSE,
        Reason.STATUS_MISSING: _REFUSE,
        Reason.STATUS_ISSUER_MISMATCH: _REFUSE,
        Reason.STATUS_RANGE: _REFUSE,
        Reason.REVOKED: _REFUSE,
        Reason.SUSPENDED: _REFUSE,
        Reason.NAME_MISMATCH: frozenset({Effect.HOLD}),
        Reason.STATUS_SOFT_STALE: frozenset({Effect.ACCEPT, Effect.HOLD}),
        Reason.STATUS_HARD_STALE: frozenset({Effect.RETRY}),
        Reason.STATUS_UNKNOWN: frozenset({Effect.RETRY}),
        Reason.FEDERATION_LIST_EXPIRED: frozenset({Effect.RETRY}),
        Reason.SEQUENCE_ROLLBACK: _ALARM,
        Reason.TOO_FEW_SIGNATURES: _ALARM,
        Reason.LIST_FORK: _ALARM,
        Reason.LIST_GAP: _ALARM,
    }
)

#: The actor document in hand may be older than the credential: fetch it once more before refusing.
REFETCH_FIRST: Final = frozenset({Reason.EXPIRED, Reason.CREDENTIAL_ROLLBACK})


@dataclass(frozen=True, slots=True)
class Accepted:
    """The holder is a verified doctor with this standing."""

    standing: Standing
    reason: Reason = Reason.OK

    @property
    def effect(self) -> Effect:
        return Effect.ACCEPT


@dataclass(frozen=True, slots=True)
class Refused:
    """The holder is not, or no longer, a doctor we may believe in."""

    reason: Reason

    @property
    def effect(self) -> Effect:
        return Effect.RETRY if self.reason is Reason.FEDERATION_LIST_EXPIRED else Effect.REFUSE


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Everything holds but one thing that only people can clear; what was sent waits for them."""

    reason: Reason

    @property
    def effect(self) -> Effect:
        return Effect.HOLD


@dataclass(frozen=True, slots=True)
class Deferred:
    """The standing cannot be known now; nothing was found against the doctor."""

    reason: Reason

    @property
    def effect(self) -> Effect:
        return Effect.HOLD if self.reason is Reason.STATUS_SOFT_STALE else Effect.RETRY


Verdict: TypeAlias = "Accepted | Refused | Quarantined | Deferred"
