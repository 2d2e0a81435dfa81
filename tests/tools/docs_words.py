"""What each credential reason means, in words; the generator fails where one is missing or too many."""

from __future__ import annotations

from typing import Final

from verification.verdicts import Effect, Reason

REASONS: Final[dict[Reason, str]] = {
    Reason.OK: "The doctor is verified.",
    Reason.NO_CREDENTIAL: "The actor carries no credential, cannot be read, or is no doctor.",
    Reason.BAD_PROOF: "The credential, or the list, is not signed as it must be, or a field of it is malformed.",
    Reason.UNKNOWN_ISSUER: "The issuer is not an entry of the allowlist.",
    Reason.ISSUER_SUSPENDED: "The issuer is suspended on the federation list.",
    Reason.ISSUER_WITHDRAWN: "The issuer has left the federation.",
    Reason.LOCALLY_BLOCKED: "This instance has blocked the issuer.",
    Reason.COUNTRY_NOT_ALLOWED: "The issuer may not vouch for doctors of this country.",
    Reason.KEY_NOT_VALID_THEN: "The issuer's key was not valid when the credential was signed.",
    Reason.SUBJECT_MISMATCH: "The credential is about another actor.",
    Reason.ISSUER_NOT_HOME: "The issuer is not the instance at whose origin the doctor lives.",
    Reason.VALIDITY_TOO_LONG: "The credential claims to hold longer than one may.",
    Reason.NOT_YET_VALID: "The credential does not hold yet.",
    Reason.EXPIRED: "The credential does not hold any more; the actor is read once more before this is answered.",
    Reason.CREDENTIAL_ROLLBACK: "A newer credential of this doctor was seen before.",
    Reason.ACTOR_KEY_MISMATCH: "The keys of the actor are not those the credential binds.",
    Reason.STATUS_MISSING: "The credential names no place in the status lists, and this instance demands one.",
    Reason.STATUS_ISSUER_MISMATCH: "The status list belongs to another issuer.",
    Reason.STATUS_RANGE: "The place in the status list does not exist.",
    Reason.REVOKED: "The doctor's recognition was revoked.",
    Reason.SUSPENDED: "The doctor's recognition is suspended.",
    Reason.NAME_MISMATCH: "The actor's name is not the one in the credential; a person has to look.",
    Reason.STATUS_SOFT_STALE: "The status list is overdue; doctors known before go on, first contacts wait.",
    Reason.STATUS_HARD_STALE: "The status list is too old to say anything.",
    Reason.STATUS_UNKNOWN: "The status list was never read.",
    Reason.FEDERATION_LIST_EXPIRED: "The federation list has run out: nobody is admitted until it is renewed.",
    Reason.SEQUENCE_ROLLBACK: "A federation list older than the one in force.",
    Reason.TOO_FEW_SIGNATURES: "A federation list signed by too few.",
    Reason.LIST_FORK: "Another federation list with the same place in the chain.",
    Reason.LIST_GAP: "A federation list whose predecessors cannot be had.",
}

EFFECTS: Final[dict[Effect, str]] = {
    Effect.ACCEPT: "accepted",
    Effect.REFUSE: "403",
    Effect.HOLD: "202, kept unapplied",
    Effect.RETRY: "503, Retry-After 900 at most",
    Effect.ALARM: "alarm; a list is not adopted",
}
