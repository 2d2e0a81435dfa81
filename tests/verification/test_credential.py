"""A doctor credential is checked step by step: what is accepted, and each reason it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federation.integrity import Json, write_instant, write_multikey
from federation.uri import Uri
from tests.verification.helpers import (
    ACTOR_MULTIKEY,
    DOCTOR,
    GOOD,
    HOLDER,
    HOME,
    ISSUER,
    KNOWN,
    METHOD,
    NOW,
    holder,
    judge,
    key_of,
    lists,
    resigned,
)
from verification.credential import LIFE, Memory, check
from verification.dossier import Country
from verification.issuers import IssuerKey, MemberStatus
from verification.statuslist import blank, with_bit
from verification.verdicts import Accepted, Quarantined, Reason, Refused

SECOND = timedelta(seconds=1)
SKEW = timedelta(seconds=300)
OTHER_KEY = write_multikey(key_of("another").public_key())


# ── step 3: present ──


@pytest.mark.parametrize("document", [None, [], [GOOD], "credential", 7, True])
def test_without_a_credential_nobody_is_a_doctor(document: Json) -> None:
    """Absent, or anything but an object."""
    assert Refused(Reason.NO_CREDENTIAL) == judge(document)


# ── step 4: the issuer ──


@pytest.mark.parametrize("name", [None, 7, "", "fr.example", "https://rogue.example/actor", {"id": str(HOME)}])
def test_an_issuer_we_do_not_know_vouches_for_nobody(name: Any) -> None:
    """Only members, by their id."""
    assert Refused(Reason.UNKNOWN_ISSUER) == judge(resigned(GOOD, issuer=name))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (MemberStatus.CANDIDATE, Reason.UNKNOWN_ISSUER),
        (MemberStatus.SUSPENDED, Reason.ISSUER_SUSPENDED),
        (MemberStatus.WITHDRAWN, Reason.ISSUER_WITHDRAWN),
        ("unheard-of", Reason.UNKNOWN_ISSUER),
    ],
)
def test_only_an_active_member_is_believed(status: Any, reason: Reason) -> None:
    """A candidate, and a state this release does not know, is no member."""
    assert Refused(reason) == judge(GOOD, issuer=replace(ISSUER, status=status))


def test_a_key_that_is_not_listed_proves_nothing() -> None:
    """Neither another key under the listed name, nor the right key under another name."""
    renamed = replace(ISSUER, keys=(replace(ISSUER.keys[0], id=Uri.parse("https://fr.example/actor#vc-2")),))

    assert Refused(Reason.BAD_PROOF) == judge(resigned(GOOD, key_of("rogue")))
    assert Refused(Reason.BAD_PROOF) == judge(GOOD, issuer=renamed)
    assert Refused(Reason.BAD_PROOF) == judge(GOOD, issuer=replace(ISSUER, keys=()))


def test_an_empty_federation_believes_nobody() -> None:
    """No issuers, no doctors."""
    assert Refused(Reason.UNKNOWN_ISSUER) == check(GOOD, HOLDER, {}, None, KNOWN, now=NOW)


def test_a_rolled_issuer_key_leaves_old_credentials_standing() -> None:
    """A newer key beside the old one changes nothing for what the old one signed; taken off, it proves nothing."""
    new_secret = Ed25519PrivateKey.from_private_bytes(bytes(32))
    new = IssuerKey(Uri.parse("https://fr.example/actor#vc-2"), new_secret.public_key())

    assert Reason.OK == judge(GOOD, issuer=replace(ISSUER, keys=(new, *ISSUER.keys))).reason
    assert Refused(Reason.BAD_PROOF) == judge(GOOD, issuer=replace(ISSUER, keys=(new,)))


# ── step 5: proof and form ──


@pytest.mark.parametrize(
    "changes",
    [
        {"@context": ["https://www.w3.org/ns/credentials/v2"]},
        {"@context": [*GOOD["@context"], "https://added.example/"]},
        {"type": ["VerifiableCredential"]},
        {"type": "DoctorCredential"},
        {"id": None},
        {"id": "credential"},
        {"validFrom": None},
        {"validUntil": "tomorrow"},
        {"validUntil": GOOD["validFrom"]},
        {"subject": {"type": "Person"}},
        {"subject": {"id": "ada"}},
        {"subject": {"name": ""}},
        {"subject": {"name": "A" * 201}},
        {"subject": {"name": ["Ada"]}},
        {"subject": {"practitionerRole": "professor"}},
        {"subject": {"practitionerRole": []}},
        {"subject": {"country": "fr"}},
        {"subject": {"country": "FR\n"}},
        {"subject": {"specialty": "cardiology"}},
        {"subject": {"specialty": ["Cardio logy"]}},
        {"subject": {"specialty": ["cardiology", "cardiology"]}},
        {"subject": {"specialty": [f"s{n}" for n in range(17)]}},
        {"subject": {"assurance": "certain"}},
        {"subject": {"actorKey": []}},
        {"subject": {"actorKey": ACTOR_MULTIKEY}},
        {"subject": {"actorKey": ["z6Mkx"]}},
        {"subject": {"actorKey": [ACTOR_MULTIKEY, ACTOR_MULTIKEY]}},
    ],
    ids=repr,
)
def test_a_malformed_credential_is_refused_though_its_proof_holds(changes: dict[str, Any]) -> None:
    """Every member is of its form, or the whole is not read."""
    assert Refused(Reason.BAD_PROOF) == judge(resigned(GOOD, **changes))


def test_a_subject_that_is_no_object_is_refused() -> None:
    """The twin for the subject as a whole, which nothing can be read from."""
    assert Refused(Reason.BAD_PROOF) == judge({**GOOD, "credentialSubject": "ada"})


def test_an_unknown_specialty_and_an_unknown_signed_member_are_no_fault() -> None:
    """A sibling may run a newer release: what is signed and well-formed is kept, or passed over."""
    verdict = judge(resigned(GOOD, credentialSchema={"id": "https://x.example/"}, subject={"specialty": ["new-one"]}))

    assert isinstance(verdict, Accepted)
    assert ("new-one",) == verdict.standing.specialties


# ── step 6: competence ──


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "holds"),
    [
        (None, None, True),
        (NOW + SKEW, None, True),
        (NOW + SKEW + SECOND, None, False),
        (None, NOW - SKEW, True),
        (None, NOW - SKEW - SECOND, False),
    ],
)
def test_the_issuer_key_must_have_been_valid_when_the_credential_begins(
    valid_from: Any, valid_until: Any, holds: bool
) -> None:
    """To the second, with five minutes for the clocks; a key without bounds always is."""
    key = IssuerKey(METHOD, ISSUER.keys[0].public, valid_from, valid_until)
    verdict = judge(GOOD, issuer=replace(ISSUER, keys=(key,)))

    assert (Reason.OK if holds else Reason.KEY_NOT_VALID_THEN) == verdict.reason


@pytest.mark.parametrize("countries", [frozenset(), frozenset({Country("DE")})])
def test_an_issuer_vouches_for_its_countries_only(countries: frozenset[Country]) -> None:
    """None named means none."""
    assert Refused(Reason.COUNTRY_NOT_ALLOWED) == judge(GOOD, issuer=replace(ISSUER, may_issue_for=countries))


# ── step 7: whose it is ──


def test_a_credential_is_of_no_use_to_another_actor() -> None:
    """Copied to a colleague's document, it is refused."""
    other = holder(id=Uri.parse("https://fr.example/doctors/eve"))

    assert Refused(Reason.SUBJECT_MISMATCH) == judge(GOOD, holder=other)


@pytest.mark.parametrize(
    "place", ["https://de.example/d/ada", "https://fr.example:8443/d/ada", "https://x.fr.example/d"]
)
def test_only_the_home_instance_vouches(place: str) -> None:
    """Another host, another port and a host below are not the issuer's home."""
    abroad = resigned(GOOD, subject={"id": place})

    assert Refused(Reason.ISSUER_NOT_HOME) == judge(abroad, holder=holder(id=Uri.parse(place)))


@pytest.mark.parametrize("domain", ["", "de.example", "fr.example:8443"])
def test_an_issuer_is_at_home_on_its_own_domain_only(domain: str) -> None:
    """A member whose domain is not where its id lies vouches for nobody."""
    assert Refused(Reason.ISSUER_NOT_HOME) == judge(GOOD, issuer=replace(ISSUER, domain=domain))


def test_two_schemes_are_two_homes() -> None:
    """Between loopback names, plain and encrypted addresses are not one place."""
    plain, encrypted = (Uri.parse(f"{scheme}://fr.localhost:8001/actor") for scheme in ("http", "https"))
    issuer = replace(ISSUER, id=plain, domain="fr.localhost:8001")

    assert [True, False] == [issuer.is_home_of(plain), issuer.is_home_of(encrypted)]


# ── step 8: time ──


def test_a_credential_spans_at_most_a_hundred_days() -> None:
    """The hundredth day is believed, a second more is not."""
    last = NOW + timedelta(days=100)

    assert Reason.OK == judge(resigned(GOOD, validUntil=write_instant(last))).reason
    assert Refused(Reason.VALIDITY_TOO_LONG) == judge(resigned(GOOD, validUntil=write_instant(last + SECOND)))


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (NOW - SKEW, Reason.OK),
        (NOW - SKEW - SECOND, Reason.NOT_YET_VALID),
        (NOW + LIFE + SKEW, Reason.OK),
        (NOW + LIFE + SKEW + SECOND, Reason.EXPIRED),
    ],
)
def test_a_credential_holds_from_its_begin_to_its_end(now: Any, reason: Reason) -> None:
    """With five minutes for the clocks at both ends."""
    assert reason == judge(GOOD, now=now).reason


@pytest.mark.parametrize(
    ("begins", "ends", "reason"),
    [
        ("0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z", Reason.EXPIRED),
        ("9999-12-30T00:00:00Z", "9999-12-31T23:59:59Z", Reason.NOT_YET_VALID),
    ],
)
def test_times_at_the_ends_of_the_calendar_get_a_verdict(begins: str, ends: str, reason: Reason) -> None:
    """A sibling may sign any time there is; the skew must not lead out of the calendar."""
    document = resigned(GOOD, validFrom=begins, validUntil=ends)

    assert Refused(reason) == judge(document)


# ── step 9: rollback ──


@pytest.mark.parametrize(("seen", "reason"), [(NOW, Reason.OK), (NOW + SECOND, Reason.CREDENTIAL_ROLLBACK)])
def test_an_older_credential_than_one_already_seen_is_refused(seen: Any, reason: Reason) -> None:
    """The same one again is welcome."""
    assert reason == judge(GOOD, memory=Memory(seen_before=True, last_valid_from=seen)).reason


# ── step 10: keys ──


@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (frozenset({ACTOR_MULTIKEY}), Reason.OK),
        (frozenset({OTHER_KEY}), Reason.ACTOR_KEY_MISMATCH),
        (frozenset({ACTOR_MULTIKEY, OTHER_KEY}), Reason.ACTOR_KEY_MISMATCH),
    ],
)
def test_an_actor_shows_bound_keys_only(shown: frozenset[str], reason: Reason) -> None:
    """A changed actor document does not inherit the mark."""
    assert reason == judge(GOOD, holder=holder(assertion_keys=shown)).reason


# ── step 12: names ──


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("BEISPIEL Ada, Prof. Dr. med.", Reason.OK),
        ("Dr Ada Beispiel", Reason.OK),
        ("Dr Eve Beispiel", Reason.NAME_MISMATCH),
        ("", Reason.NAME_MISMATCH),
        ("Dr", Reason.NAME_MISMATCH),
    ],
)
def test_the_actor_bears_the_name_in_the_credential(name: str, reason: Reason) -> None:
    """Order, titles and case make no difference; another name waits for people."""
    verdict = judge(GOOD, holder=holder(name=name))

    assert reason == verdict.reason
    assert isinstance(verdict, Accepted if reason is Reason.OK else Quarantined)


def test_the_name_of_a_standing_is_fit_to_be_shown() -> None:
    """A mark that a careless issuer let through does not reach a page."""
    verdict = judge(resigned(GOOD, subject={"name": "Dr Ada Beispiel \u2714\ufe0f"}))

    assert isinstance(verdict, Accepted)
    assert "Dr Ada Beispiel" == verdict.standing.name


# ── the order of the steps ──


def test_the_first_failure_gives_the_reason() -> None:
    """A credential with every fault is named after each in turn, as the faults are taken away one by one."""
    bad_key = IssuerKey(METHOD, ISSUER.keys[0].public, NOW + timedelta(days=1), None)
    worst = replace(ISSUER, status=MemberStatus.SUSPENDED, keys=(bad_key,), may_issue_for=frozenset())
    eve = holder(id=Uri.parse("https://fr.example/doctors/eve"), name="Eve", assertion_keys=frozenset({OTHER_KEY}))
    revoked = lists(timedelta(hours=25), revocation=with_bit(blank(), 7, True))
    late = NOW + timedelta(days=200)
    memory = Memory(seen_before=True, last_valid_from=NOW + SECOND)

    def reason(issuer: Any, who: Any, now: Any, known: Any, stored: Any) -> Reason:
        return judge(GOOD, issuer=issuer, holder=who, now=now, memory=known, stored=stored).reason

    active = replace(worst, status=MemberStatus.ACTIVE)
    rekeyed = replace(active, keys=ISSUER.keys)
    ada = replace(eve, id=DOCTOR)
    bound = replace(ada, assertion_keys=HOLDER.assertion_keys)
    stale = lists(timedelta(hours=25))
    assert [
        Reason.ISSUER_SUSPENDED,
        Reason.KEY_NOT_VALID_THEN,
        Reason.COUNTRY_NOT_ALLOWED,
        Reason.SUBJECT_MISMATCH,
        Reason.EXPIRED,
        Reason.CREDENTIAL_ROLLBACK,
        Reason.ACTOR_KEY_MISMATCH,
        Reason.REVOKED,
        Reason.NAME_MISMATCH,
        Reason.STATUS_HARD_STALE,
        Reason.OK,
    ] == [
        reason(worst, eve, late, memory, revoked),
        reason(active, eve, late, memory, revoked),
        reason(rekeyed, eve, late, memory, revoked),
        reason(ISSUER, eve, late, memory, revoked),
        reason(ISSUER, ada, late, memory, revoked),
        reason(ISSUER, ada, NOW, memory, revoked),
        reason(ISSUER, ada, NOW, KNOWN, revoked),
        reason(ISSUER, bound, NOW, KNOWN, revoked),
        reason(ISSUER, bound, NOW, KNOWN, stale),
        reason(ISSUER, HOLDER, NOW, KNOWN, stale),
        reason(ISSUER, HOLDER, NOW, KNOWN, lists()),
    ]
