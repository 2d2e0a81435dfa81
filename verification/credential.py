"""The doctor credential: `issue` makes one, `check` judges one, and nothing else makes a remote doctor's standing.

`check` takes its steps in the order in which the federation has agreed on them, and the first that fails gives the
reason. What the network may believe of the issuers, and the time, are arguments: the function is pure, and whatever
JSON it is given, it answers with a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from federation.integrity import BadProof, Json, check_proof, read_proof, write_instant
from federation.uri import BadUri, Uri
from verification import specialties, status_entries
from verification.credential_form import CONTEXT, TYPE, Credential, read_credential
from verification.dossier import Assurance, Country, Role
from verification.errors import NotIssuable
from verification.issuers import SKEW, Issuer, IssuerKey, MemberStatus
from verification.names import clean_display_name, fold, same_name
from verification.ports import Signer
from verification.standing import Standing, StandingState
from verification.status_entries import StatusPlace
from verification.statuslist import TTL, StatusList
from verification.verdicts import Accepted, Deferred, Quarantined, Reason, Refused, Verdict

SignedCredential: TypeAlias = "dict[str, Json]"

#: How long an issued credential holds, unless its doctor must be verified again before.
LIFE: Final = timedelta(days=90)
#: The longest span that is believed.
MAX_LIFE: Final = timedelta(days=100)
#: A stored status list older than this says nothing any more.
HARD_STALE: Final = timedelta(hours=24)

_NOT_ACTIVE: Final = {
    MemberStatus.SUSPENDED: Reason.ISSUER_SUSPENDED,
    MemberStatus.WITHDRAWN: Reason.ISSUER_WITHDRAWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The doctor a credential is about, as the dossier decided."""

    id: Uri
    name: str
    role: Role
    country: Country
    specialties: tuple[str, ...]
    assurance: Assurance
    actor_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a credential is issued.

    `reverify_on` is the day the dossier must be looked at again: no credential outlives it. `status` is the
    dossier's place in the issuer's two status lists, or None where the instance publishes none.
    """

    id: Uri
    reverify_on: datetime | None
    status: StatusPlace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What the actor document claims: who it is, what it is called, which Multikeys it makes assertions with."""

    id: Uri
    name: str
    assertion_keys: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What we know of this doctor from before."""

    seen_before: bool
    last_valid_from: datetime | None


class _Judged(Exception):
    """A step has decided; the verdict is complete."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


# ── issuing ──


def issue(subject: Subject, terms: Terms, signer: Signer, *, now: datetime) -> SignedCredential:
    """Return a credential signed by the issuer; raise NotIssuable for one that every sibling would refuse."""
    begins = now.replace(microsecond=0)
    ends = begins + LIFE if terms.reverify_on is None else min(begins + LIFE, terms.reverify_on)
    if ends <= begins:
        raise NotIssuable("the doctor must be verified again first")
    document: dict[str, Json] = {
        "@context": list(CONTEXT),
        "id": str(terms.id),
        "type": list(TYPE),
        "issuer": str(signer.issuer),
        "validFrom": write_instant(begins),
        "validUntil": write_instant(ends),
        "credentialSubject": _subject(subject),
    }
    if terms.status is not None:
        document["credentialStatus"] = terms.status.entries()
    _require_issuable(document, subject, signer.issuer)
    return signer.sign(document, at=begins)


def _require_issuable(document: dict[str, Json], subject: Subject, home: Uri) -> None:
    """What we would not believe of others, we do not sign."""
    try:
        credential = read_credential(document)
        entries = status_entries.read(document["credentialStatus"]) if "credentialStatus" in document else ()
    except ValueError:
        raise NotIssuable("not a well-formed credential") from None
    places = [credential.subject, credential.id, *(entry.list for entry in entries)]
    if not all(place.same_origin(home) for place in places):
        raise NotIssuable("an instance vouches for its own doctors only, with its own lists")
    if subject.name != clean_display_name(subject.name) or not fold(subject.name):
        raise NotIssuable("the name is not one that can be shown")
    if not all(specialties.known(slug) for slug in subject.specialties):
        raise NotIssuable("a specialty outside the vocabulary")


def _subject(subject: Subject) -> dict[str, Json]:
    return {
        "id": str(subject.id),
        "type": "Doctor",
        "name": subject.name,
        "practitionerRole": subject.role.value,
        "country": str(subject.country),
        "specialty": list(subject.specialties),
        "assurance": subject.assurance.value,
        "actorKey": list(subject.actor_keys),
    }


# ── checking ──


def check(
    credential: Json,
    holder: Holder,
    issuers: Mapping[Uri, Issuer],
    lists: Mapping[Uri, StatusList] | None,
    memory: Memory,
    *,
    now: datetime,
    list_over: bool = False,
) -> Verdict:
    """Judge a credential against its holder; every JSON value gets a verdict.

    `list_over` says that the federation list behind the issuers has run out: then nobody is believed, whoever vouches.
    `lists=None` says that this federation keeps no status lists: then a credential may carry no status entries, those
    it carries must still be well-formed, and a revocation shows only when the credential is replaced or runs out.
    An empty mapping is another thing: lists are kept, and none has been read yet.
    """
    if list_over:
        return Refused(Reason.FEDERATION_LIST_EXPIRED)
    try:
        return _judge(credential, holder, issuers, lists, memory, now)
    except _Judged as judged:
        return judged.verdict


def _judge(
    document: Json,
    holder: Holder,
    issuers: Mapping[Uri, Issuer],
    lists: Mapping[Uri, StatusList] | None,
    memory: Memory,
    now: datetime,
) -> Verdict:
    if not isinstance(document, dict):
        raise _refused(Reason.NO_CREDENTIAL)
    issuer = _active_issuer(document, issuers)
    key = _listed_key(document, issuer)
    credential = _proven(document, key)
    _require_competence(credential, issuer, key)
    _require_home(credential, issuer, holder)
    _require_time(credential, now)
    if memory.last_valid_from is not None and credential.valid_from < memory.last_valid_from:
        raise _refused(Reason.CREDENTIAL_ROLLBACK)
    if not holder.assertion_keys <= credential.actor_keys:
        raise _refused(Reason.ACTOR_KEY_MISMATCH)
    found = _status(document, issuer, lists)
    if not same_name(holder.name, credential.name):
        raise _Judged(Quarantined(Reason.NAME_MISMATCH))
    return Accepted(_standing(credential), _freshness(found, memory, now))


def _active_issuer(document: Mapping[str, Json], issuers: Mapping[Uri, Issuer]) -> Issuer:
    try:
        issuer = issuers.get(Uri.parse(document.get("issuer")))
    except BadUri:
        issuer = None
    if issuer is None:
        raise _refused(Reason.UNKNOWN_ISSUER)
    if issuer.status != MemberStatus.ACTIVE:  # a candidate, or a state we do not know, is no member
        raise _refused(_NOT_ACTIVE.get(issuer.status, Reason.UNKNOWN_ISSUER))
    if issuer.blocked:
        raise _refused(Reason.LOCALLY_BLOCKED)
    return issuer


def _listed_key(document: Json, issuer: Issuer) -> IssuerKey:
    """The pinned key the proof names; a key that is not pinned is never looked for."""
    try:
        key = issuer.key(read_proof(document).verification_method)
    except BadProof:
        key = None
    if key is None:
        raise _refused(Reason.BAD_PROOF)
    return key


def _proven(document: Json, key: IssuerKey) -> Credential:
    try:
        check_proof(document, key.public)
        return read_credential(document)
    except ValueError:
        raise _refused(Reason.BAD_PROOF) from None


def _require_competence(credential: Credential, issuer: Issuer, key: IssuerKey) -> None:
    if not key.valid_at(credential.valid_from):
        raise _refused(Reason.KEY_NOT_VALID_THEN)
    if credential.country not in issuer.may_issue_for:
        raise _refused(Reason.COUNTRY_NOT_ALLOWED)


def _require_home(credential: Credential, issuer: Issuer, holder: Holder) -> None:
    if credential.subject != holder.id:
        raise _refused(Reason.SUBJECT_MISMATCH)
    if not issuer.is_home_of(holder.id):
        raise _refused(Reason.ISSUER_NOT_HOME)


def _require_time(credential: Credential, now: datetime) -> None:
    if credential.valid_until - credential.valid_from > MAX_LIFE:
        raise _refused(Reason.VALIDITY_TOO_LONG)
    # Differences, not sums: a signed time may be the calendar's first or last.
    if credential.valid_from - now > SKEW:
        raise _refused(Reason.NOT_YET_VALID)
    if now - credential.valid_until > SKEW:
        raise _refused(Reason.EXPIRED)


def _status(
    document: Mapping[str, Json], issuer: Issuer, lists: Mapping[Uri, StatusList] | None
) -> tuple[StatusList, ...]:
    """The lists that clear this doctor. Their bits are read however old they are: a revocation does not fade."""
    if lists is None and "credentialStatus" not in document:
        return ()
    try:
        entries = status_entries.read(document.get("credentialStatus"))
    except ValueError:
        raise _refused(Reason.STATUS_MISSING) from None
    if not all(issuer.is_home_of(entry.list) for entry in entries):
        raise _refused(Reason.STATUS_ISSUER_MISMATCH)
    return () if lists is None else _cleared(entries, issuer, lists)


def _cleared(
    entries: tuple[status_entries.StatusEntry, ...], issuer: Issuer, lists: Mapping[Uri, StatusList]
) -> tuple[StatusList, ...]:
    found = [(entry, lists.get(entry.list)) for entry in entries]
    stored = [(entry, status) for entry, status in found if status is not None]
    if any(status.issuer != issuer.id for _, status in stored):
        raise _refused(Reason.STATUS_ISSUER_MISMATCH)
    if any(status.purpose != entry.purpose for entry, status in stored):
        raise _refused(Reason.STATUS_MISSING)  # an entry is for what its list says it is for
    if len(stored) < len(entries):
        raise _Judged(Deferred(Reason.STATUS_UNKNOWN))
    if any(entry.index >= status.length for entry, status in stored):
        raise _refused(Reason.STATUS_RANGE)
    for entry, status in stored:  # revocation first: it is final
        if status.is_set(entry.index):
            raise _refused(entry.purpose.reason)
    return tuple(status for _, status in stored)


def _freshness(found: tuple[StatusList, ...], memory: Memory, now: datetime) -> Reason:
    """How far the lists' silence can be trusted; a list from the future has an age nobody knows."""
    if any(not -SKEW <= now - status.fetched_at <= HARD_STALE for status in found):
        raise _Judged(Deferred(Reason.STATUS_HARD_STALE))
    if all(now - status.fetched_at <= TTL for status in found):
        return Reason.OK
    if not memory.seen_before:
        raise _Judged(Deferred(Reason.STATUS_SOFT_STALE))
    return Reason.STATUS_SOFT_STALE


def _standing(credential: Credential) -> Standing:
    return Standing(
        name=clean_display_name(credential.name),
        role=credential.role,
        country=credential.country,
        specialties=credential.specialties,
        assurance=credential.assurance,
        valid_from=credential.valid_from,
        valid_until=credential.valid_until,
        state=StandingState.ACTIVE,
    )


def _refused(reason: Reason) -> _Judged:
    return _Judged(Refused(reason))
