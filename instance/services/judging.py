"""A sibling's doctor, judged: from an actor document and an allowlist entry to what we know and believe of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson

from federation.allowlist import Listed, LocalPolicy, Sibling
from federation.errors import ForeignOrigin, Refused, StandingDeferred, StandingRefused, UnknownKey
from federation.keys import PublicKey
from federation.ports import Speaker
from federation.uri import Uri
from federation.vocabulary import Doctor, KeyDocument, Multikey
from verification import credential, status_entries
from verification.credential import HARD_STALE, Holder, Memory
from verification.issuers import SKEW, Issuer, IssuerKey, MemberStatus
from verification.names import fold
from verification.status_entries import StatusEntry
from verification.statuslist import TTL, StatusList
from verification.verdicts import Accepted, Deferred, Effect, Reason, Verdict

OK: Final = Reason.OK.value


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDoctor:
    """A doctor of a sibling as we know them: the actor document and the verdict on its credential."""

    uri: Uri
    origin: str
    handle: str
    address: str
    inbox: Uri
    shared_inbox: Uri | None
    outbox: Uri
    followers: Uri
    following: Uri
    #: As the credential has it where one holds.
    name: str
    role: str = ""
    country: str = ""
    specialties: tuple[str, ...] = ()
    assurance: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    summary: str = ""
    languages: tuple[str, ...] = ()
    #: Where the document says the doctor has moved to.
    moved_to: Uri | None = None
    #: `ok`, or the credential reason for which this doctor may not speak.
    standing: str
    speaker: Speaker
    #: Where the doctor stands in the issuer's status lists.
    places: tuple[StatusEntry, ...] = ()
    #: How long those lists' silence is trusted; then they are asked again.
    fresh_until: datetime | None = None

    def holds_at(self, now: datetime) -> bool:
        """Whether the verdict still counts: an accepted credential runs out by itself."""
        return self.standing != OK or (self.valid_until is not None and now <= self.valid_until + SKEW)

    def is_fresh_at(self, now: datetime) -> bool:
        """Whether the status lists behind the verdict are young enough."""
        return self.fresh_until is None or now <= self.fresh_until


def judge(
    doctor: Doctor, sibling: Sibling, lists: Mapping[Uri, StatusList], *, now: datetime, known: bool,
    last: datetime | None = None,
) -> KnownDoctor:  # fmt: skip
    """Return what is believed of this doctor now; raise ForeignOrigin where the document leads elsewhere.

    `known` is whether they were believed before, `last` the begin of the newest credential seen then.
    """
    require_at_home(doctor, sibling)
    holder = Holder(
        id=doctor.id, name=doctor.name, assertion_keys=frozenset(method.key for method in doctor.assertion_methods)
    )
    verdict = credential.check(
        doctor.credential, holder, {sibling.actor: issuer_of(sibling)}, lists,
        Memory(seen_before=known, last_valid_from=last), now=now, list_over=sibling.listed is Listed.EXPIRED,
    )  # fmt: skip
    believed = _believed(_bare(doctor, verdict.reason.value), verdict)
    if not isinstance(verdict, Accepted):
        return believed
    places = stands_in(doctor.credential, sibling)
    trusted = TTL if verdict.reason is Reason.OK else HARD_STALE
    fresh = min((lists[place.list].fetched_at for place in places), default=now) + trusted
    return replace(believed, places=places, fresh_until=fresh)


def stands_in(doctor_credential: Any, sibling: Sibling) -> tuple[StatusEntry, ...]:
    """Return a credential's entries in its home's status lists; none where they cannot be read or lie elsewhere."""
    try:
        entries = status_entries.read(doctor_credential["credentialStatus"])
    except (TypeError, KeyError, ValueError):
        return ()
    return entries if all(entry.list.origin == sibling.origin for entry in entries) else ()


def require_at_home(doctor: Doctor, sibling: Sibling) -> None:
    """Raise ForeignOrigin unless every address of the document lies at its home (security A46, A48)."""
    places: list[Uri] = [doctor.id, doctor.inbox, doctor.outbox, doctor.followers, doctor.following]
    places += [doctor.shared_inbox] if doctor.shared_inbox is not None else []
    if any(place.origin != sibling.origin for place in places):
        raise ForeignOrigin("an address of the doctor lies elsewhere")
    if doctor.id == sibling.actor:
        raise ForeignOrigin("the instance actor is no doctor")


def issuer_of(sibling: Sibling) -> Issuer:
    """The allowlist entry as the medical room needs it; a key that cannot be read vouches for nothing."""
    keys = []
    for key in sibling.issuer_keys:
        try:
            keys.append(IssuerKey.read(key.id, key.key, key.valid_from, key.valid_until))
        except ValueError:
            continue
    countries = frozenset(sibling.may_issue_for)
    return Issuer(
        sibling.actor, sibling.actor.authority, _STATUS.get(sibling.listed, MemberStatus.CANDIDATE),
        countries, tuple(keys), blocked=sibling.policy is LocalPolicy.BLOCK,  # type: ignore[arg-type]
    )  # fmt: skip


def refusal_of(doctor: KnownDoctor) -> Refused | None:
    """What the doctor's standing answers with, or None where the doctor may speak (perhaps after a wait)."""
    if doctor.standing == OK or doctor.speaker.held is not None:
        return None
    if doctor.standing in _DEFERRED:
        return StandingDeferred(doctor.standing)
    return StandingRefused(doctor.standing)


def is_deferred(doctor: KnownDoctor) -> bool:
    """Whether the verdict is that nothing can be known now: the lists are missing or too old."""
    return doctor.standing in _DEFERRED or doctor.standing == Reason.STATUS_SOFT_STALE.value


def read_keys(
    owner: Uri, public_keys: Iterable[KeyDocument], methods: Iterable[Multikey]
) -> tuple[tuple[PublicKey, str], ...]:
    """Return the usable keys the owner's document lists, with their purpose; those of somebody else are left out."""
    found: dict[Uri, tuple[PublicKey, str]] = {}
    for document in public_keys:
        if document.owner == owner and document.id.origin == owner.origin:
            _add(found, document.id, "http", lambda d=document: PublicKey.from_pem(d.id, owner, d.pem))
    for method in methods:
        if method.controller == owner and method.id.origin == owner.origin:
            _add(found, method.id, "proof", lambda m=method: PublicKey.from_multikey(m.id, owner, m.key))
    return tuple(found.values())


def row_of(doctor: KnownDoctor, document: Mapping[str, Any], doctor_credential: Any, now_ms: int) -> dict[str, Any]:
    """The doctor's row."""
    return {
        "uri": doctor.uri,
        "origin": doctor.origin,
        "address": doctor.address,
        "handle": doctor.handle,
        "name": doctor.name,
        "folded": fold(doctor.name),
        "role": doctor.role,
        "country": doctor.country,
        "specialties": json.dumps(doctor.specialties),
        "assurance": doctor.assurance,
        "valid_from": _ms(doctor.valid_from),
        "valid_until": _ms(doctor.valid_until),
        "standing": doctor.standing,
        "inbox": doctor.inbox,
        "shared_inbox": doctor.shared_inbox or "",
        "outbox": doctor.outbox,
        "followers": doctor.followers,
        "following": doctor.following,
        "summary": doctor.summary,
        "languages": json.dumps(doctor.languages),
        "credential": orjson.dumps(doctor_credential).decode(),
        "document": orjson.dumps(document).decode(),
        "now": now_ms,
    }


def with_standing(doctor: KnownDoctor, standing: str) -> KnownDoctor:
    """The same doctor under another verdict."""
    held = standing if standing in _HELD else None
    return replace(doctor, standing=standing, speaker=Speaker(doctor.uri, doctor.followers, held))


def _bare(doctor: Doctor, standing: str) -> KnownDoctor:
    held = standing if standing in _HELD else None
    return KnownDoctor(
        uri=doctor.id, origin=doctor.id.origin, handle=doctor.handle,
        address=f"{doctor.handle}@{doctor.id.authority}", inbox=doctor.inbox, shared_inbox=doctor.shared_inbox,
        outbox=doctor.outbox, followers=doctor.followers, following=doctor.following, name=doctor.name,
        summary=doctor.summary, languages=doctor.languages, standing=standing, moved_to=doctor.moved_to,
        speaker=Speaker(doctor.id, doctor.followers, held),
    )  # fmt: skip


def _believed(doctor: KnownDoctor, verdict: Verdict) -> KnownDoctor:
    if not isinstance(verdict, Accepted):
        held = verdict.effect is Effect.HOLD or isinstance(verdict, Deferred)
        return doctor if not held else with_standing(doctor, verdict.reason.value)
    known = verdict.standing
    return replace(
        with_standing(doctor, OK), name=known.name, role=known.role.value, country=str(known.country),
        specialties=known.specialties, assurance=known.assurance.value, valid_from=known.valid_from,
        valid_until=known.valid_until,
    )  # fmt: skip


def _add(found: dict[Uri, tuple[PublicKey, str]], key_id: Uri, purpose: str, read: Any) -> None:
    try:
        found.setdefault(key_id, (read(), purpose))
    except UnknownKey:
        return


def _ms(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


#: How the list has a sibling, as the medical room reads it; whatever is no member vouches for nobody.
_STATUS: Final = {
    Listed.UNASKED: MemberStatus.ACTIVE,
    Listed.ACTIVE: MemberStatus.ACTIVE,
    Listed.EXPIRED: MemberStatus.ACTIVE,
    Listed.SUSPENDED: MemberStatus.SUSPENDED,
    Listed.WITHDRAWN: MemberStatus.WITHDRAWN,
}
_HELD: Final = frozenset({Reason.NAME_MISMATCH.value, Reason.STATUS_SOFT_STALE.value})
_DEFERRED: Final = frozenset(
    {Reason.STATUS_HARD_STALE.value, Reason.STATUS_UNKNOWN.value, Reason.FEDERATION_LIST_EXPIRED.value}
)
