"""The doctor credential: what is issued, what is accepted, and each reason it is not."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from federation.integrity import Json, canonical, write_instant, write_multikey
from federation.uri import Uri
from tests.examples import examples
from tests.verification.helpers import (
    ACTOR_MULTIKEY,
    DOCTOR,
    FR,
    HOLDER,
    HOME,
    ISSUER,
    KNOWN,
    METHOD,
    NOW,
    REVOCATION,
    SIGNER,
    STRANGER,
    SUBJECT,
    SUSPENSION,
    TERMS,
    any_json,
    credential,
    holder,
    judge,
    key_of,
    lists,
    resigned,
)
from verification.credential import LIFE, Memory, issue
from verification.dossier import Country, Role
from verification.errors import NotIssuable
from verification.issuers import IssuerKey, MemberStatus
from verification.standing import Standing, StandingState
from verification.status_entries import StatusPlace
from verification.statuslist import Purpose, StatusList, blank, with_bit
from verification.verdicts import Accepted, Deferred, Effect, Quarantined, Reason, Refused

SECOND = timedelta(seconds=1)
SKEW = timedelta(seconds=300)
GOOD = credential()
OTHER_KEY = write_multikey(key_of("another").public_key())


# ── issuing ──


def test_an_issued_credential_is_accepted_with_the_standing_it_was_issued_for() -> None:
    """What the dossier decided is what the sibling knows, with status lists and without."""
    standing = Standing(
        name="Dr Ada Beispiel",
        role=Role.SPECIALIST,
        country=FR,
        specialties=("cardiology",),
        assurance=SUBJECT.assurance,
        valid_from=NOW,
        valid_until=NOW + LIFE,
        state=StandingState.ACTIVE,
    )

    assert Accepted(standing, Reason.OK) == judge(GOOD)
    assert Accepted(standing, Reason.OK) == judge(GOOD, stored=lists())


@given(
    role=st.sampled_from(Role),
    specialties=st.lists(st.sampled_from(["cardiology", "neurology", "general-practice"]), unique=True),
    days=st.integers(1, 400),
    status=st.none() | st.builds(StatusPlace, st.integers(0, 131_071), st.just(REVOCATION), st.just(SUSPENSION)),
)
def test_whatever_is_issued_is_accepted(
    role: Role, specialties: list[str], days: int, status: StatusPlace | None
) -> None:
    """Issuing and checking agree on every role, specialty and term."""
    subject = replace(SUBJECT, role=role, specialties=tuple(specialties))
    terms = replace(TERMS, reverify_on=NOW + timedelta(days=days), status=status)

    verdict = judge(issue(subject, terms, SIGNER, now=NOW))

    assert isinstance(verdict, Accepted)
    assert (role, tuple(specialties)) == (verdict.standing.role, verdict.standing.specialties)


def test_a_credential_carries_what_siblings_may_know_and_no_more() -> None:
    """The members are those agreed upon; no number, no birth date, no evidence has a place."""
    members = {"@context", "id", "type", "issuer", "validFrom", "validUntil", "credentialSubject", "credentialStatus"}
    subject = {"id", "type", "name", "practitionerRole", "country", "specialty", "assurance", "actorKey"}

    assert members | {"proof"} == GOOD.keys()
    assert subject == GOOD["credentialSubject"].keys()


def test_no_credential_outlives_the_day_of_re_verification() -> None:
    """Ninety days, or less where the dossier must be looked at before."""
    soon = NOW + timedelta(days=10)

    assert write_instant(NOW + timedelta(days=90)) == GOOD["validUntil"]
    assert write_instant(soon) == credential(terms=replace(TERMS, reverify_on=soon))["validUntil"]


@pytest.mark.parametrize(
    ("subject", "terms"),
    [
        ({}, {"reverify_on": NOW}),
        ({}, {"reverify_on": NOW - timedelta(days=1)}),
        ({}, {"id": Uri.parse("https://de.example/doctors/ada/credential")}),
        ({}, {"status": StatusPlace(7, Uri.parse("https://de.example/r"), SUSPENSION)}),
        ({}, {"status": StatusPlace(-1, REVOCATION, SUSPENSION)}),
        ({"id": Uri.parse("https://de.example/doctors/ada")}, {}),
        ({"name": ""}, {}),
        ({"name": "Dr"}, {}),
        ({"name": "Dr Ada ✓"}, {}),
        ({"name": "A" * 201}, {}),
        ({"country": Country("fr")}, {}),
        ({"specialties": ("cardiology", "cardiology")}, {}),
        ({"specialties": ("astrology",)}, {}),
        ({"actor_keys": ()}, {}),
        ({"actor_keys": ("zNotAKey",)}, {}),
        ({"actor_keys": (ACTOR_MULTIKEY, ACTOR_MULTIKEY)}, {}),
    ],
    ids=repr,
)
def test_what_a_sibling_would_refuse_is_not_issued(subject: dict[str, Any], terms: dict[str, Any]) -> None:
    """The issuer judges itself by the rules it judges others by."""
    with pytest.raises(NotIssuable):
        issue(replace(SUBJECT, **subject), replace(TERMS, **terms), SIGNER, now=NOW)


def test_the_issuer_key_is_never_shown() -> None:
    """A signer that ends up in a message or log shows its address alone."""
    assert "Ed25519" not in repr(SIGNER)


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


# ── step 11: status ──

ENTRIES = GOOD["credentialStatus"]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        ENTRIES[:1],
        ENTRIES[1:],
        [*ENTRIES, ENTRIES[0]],
        ENTRIES[0],
        "none",
        [ENTRIES[0], {**ENTRIES[1], "type": "StatusList2021Entry"}],
        [ENTRIES[0], {**ENTRIES[1], "statusListCredential": "list"}],
        *([ENTRIES[0], {**ENTRIES[1], "statusListIndex": bad}] for bad in (7, "-1", "07", "+7", "7 ", "٧", "9" * 5000)),
    ],
    ids=lambda entries: repr(entries)[-60:],
)
@pytest.mark.parametrize("stored", [None, lists()], ids=["not kept", "kept"])
def test_there_is_one_well_formed_entry_of_each_kind(entries: Any, stored: Any) -> None:
    """Absent, doubled or malformed entries are refused whether lists are kept or not."""
    assert Refused(Reason.STATUS_MISSING) == judge(resigned(GOOD, credentialStatus=entries), stored=stored)


def test_entries_may_be_left_out_only_where_no_lists_are_kept() -> None:
    """No lists kept, and lists kept of which none was read, are two things."""
    bare = resigned(GOOD, credentialStatus=None)

    assert Reason.OK == judge(bare).reason
    assert Refused(Reason.STATUS_MISSING) == judge(bare, stored=lists())
    assert Refused(Reason.STATUS_MISSING) == judge(bare, stored={})


def test_an_entry_for_another_purpose_is_no_concern_of_ours() -> None:
    """Further purposes may be added without asking every sibling."""
    more = [*ENTRIES, {**ENTRIES[0], "statusPurpose": "message"}]

    assert Reason.OK == judge(resigned(GOOD, credentialStatus=more), stored=lists()).reason


@pytest.mark.parametrize("stored", [None, lists()], ids=["not kept", "kept"])
def test_a_status_list_lies_at_the_issuer(stored: Any) -> None:
    """A list on another host is refused, and so never fetched."""
    abroad = [ENTRIES[0], {**ENTRIES[1], "statusListCredential": "https://de.example/vc/status/suspension/1"}]

    assert Refused(Reason.STATUS_ISSUER_MISMATCH) == judge(resigned(GOOD, credentialStatus=abroad), stored=stored)


def test_a_status_list_is_of_the_same_issuer() -> None:
    """Two issuers on one host keep their lists apart."""
    foreign = {
        address: replace(status, issuer=Uri.parse("https://fr.example/other")) for address, status in lists().items()
    }

    assert Refused(Reason.STATUS_ISSUER_MISMATCH) == judge(GOOD, stored=foreign)


def test_an_entry_is_for_what_its_list_says() -> None:
    """The list of suspensions cannot stand in for the list of revocations."""
    swapped = [
        {**ENTRIES[0], "statusListCredential": str(SUSPENSION)},
        {**ENTRIES[1], "statusListCredential": str(REVOCATION)},
    ]

    assert Refused(Reason.STATUS_MISSING) == judge(resigned(GOOD, credentialStatus=swapped), stored=lists())


def test_without_a_list_nothing_is_known() -> None:
    """Kept, and never fetched: come back later."""
    half = {REVOCATION: lists()[REVOCATION]}

    assert Deferred(Reason.STATUS_UNKNOWN) == judge(GOOD, stored={})
    assert Deferred(Reason.STATUS_UNKNOWN) == judge(GOOD, stored=half)


@pytest.mark.parametrize(("index", "reason"), [(131_071, Reason.OK), (131_072, Reason.STATUS_RANGE)])
def test_the_index_lies_inside_the_list(index: int, reason: Reason) -> None:
    """The last bit is inside, the next is not."""
    placed = credential(terms=replace(TERMS, status=StatusPlace(index, REVOCATION, SUSPENSION)))

    assert reason == judge(placed, stored=lists()).reason


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=20), timedelta(days=30)])
def test_a_set_bit_is_read_however_old_the_list(age: timedelta) -> None:
    """A revocation and a suspension do not fade; a revocation is named first."""
    here, beside = with_bit(blank(), 7, True), with_bit(blank(), 8, True)

    assert Refused(Reason.REVOKED) == judge(GOOD, stored=lists(age, revocation=here))
    assert Refused(Reason.SUSPENDED) == judge(GOOD, stored=lists(age, suspension=here))
    assert Refused(Reason.REVOKED) == judge(GOOD, stored=lists(age, revocation=here, suspension=here))
    assert not isinstance(judge(GOOD, stored=lists(age, revocation=beside, suspension=beside)), Refused)


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


# ── step 13: freshness ──


@pytest.mark.parametrize(
    ("age", "known", "stranger"),
    [
        (timedelta(minutes=15), Reason.OK, Reason.OK),
        (timedelta(minutes=15, seconds=1), Reason.STATUS_SOFT_STALE, Reason.STATUS_SOFT_STALE),
        (timedelta(hours=24), Reason.STATUS_SOFT_STALE, Reason.STATUS_SOFT_STALE),
        (timedelta(hours=24, seconds=1), Reason.STATUS_HARD_STALE, Reason.STATUS_HARD_STALE),
        (timedelta(seconds=-301), Reason.STATUS_HARD_STALE, Reason.STATUS_HARD_STALE),
    ],
)
def test_the_silence_of_a_list_is_trusted_as_long_as_it_is_fresh(
    age: timedelta, known: Reason, stranger: Reason
) -> None:
    """A doctor we know gets through for a day, a new one waits; a list from the future is as good as none."""
    to_known, to_stranger = (judge(GOOD, stored=lists(age), memory=who) for who in (KNOWN, STRANGER))

    assert (known, stranger) == (to_known.reason, to_stranger.reason)
    assert (Effect.RETRY if known is Reason.STATUS_HARD_STALE else Effect.ACCEPT) == to_known.effect
    if stranger is Reason.STATUS_SOFT_STALE:
        assert Effect.HOLD == to_stranger.effect


def test_one_stale_list_is_enough() -> None:
    """Both lists must be fresh, not one of them."""
    mixed = {**lists(), SUSPENSION: lists(timedelta(hours=25))[SUSPENSION]}

    assert Deferred(Reason.STATUS_HARD_STALE) == judge(GOOD, stored=mixed, memory=KNOWN)


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


# ── whatever arrives ──


@given(any_json)
def test_any_value_gets_a_verdict(document: Json) -> None:
    """Whatever stands where a credential should, the answer is a refusal with its code."""
    assert isinstance(judge(document), Refused)


@given(st.dictionaries(st.sampled_from([*GOOD, "signature"]), any_json, min_size=1))
def test_any_members_get_a_verdict(members: dict[str, Any]) -> None:
    """A good credential with anything in place of its members is never accepted unless nothing has changed."""
    changed = {**GOOD, **members}
    try:
        same = canonical(changed) == canonical(GOOD)
    except ValueError:
        same = False

    assert same == isinstance(judge(changed, stored=lists()), Accepted)


@settings(max_examples=examples(200))
@given(st.dictionaries(st.sampled_from([*GOOD["credentialSubject"], "credentialStatus", "validFrom"]), any_json))
def test_any_signed_members_get_a_verdict(members: dict[str, Any]) -> None:
    """Even an issuer that signs nonsense gets a verdict, never another exception."""
    outer = {name: members.pop(name) for name in ("credentialStatus", "validFrom") if name in members}
    try:
        document = resigned(GOOD, subject=members, **outer)
    except ValueError:  # what has no canonical bytes cannot be signed
        return

    verdict = judge(document, stored=lists())

    assert isinstance(verdict, Accepted | Refused | Quarantined | Deferred)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member and item in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, child in inner for found in ((*path, name), *places(child, (*path, name)))]


def mutations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every single change: each place removed, replaced by each kind of value, wrapped, doubled; members added."""
    made = []
    for path in places(document):
        for label, change in CHANGES.items():
            copied = copy.deepcopy(document)
            parent: Any = copied
            for step in path[:-1]:
                parent = parent[step]
            change(parent, path[-1])
            made.append((f"{label} {'/'.join(map(str, path))}", copied))
    return made


def _set(value: Any) -> Any:
    return lambda parent, name: parent.__setitem__(name, value)


CHANGES: dict[str, Any] = {
    "removed": lambda parent, name: parent.__delitem__(name),
    "null": _set(None),
    "text": _set("changed"),
    "number": _set(1),
    "empty object": _set({}),
    "empty list": _set([]),
    "wrapped": lambda parent, name: parent.__setitem__(name, [parent[name]]),
    "longer": lambda parent, name: parent.__setitem__(
        name, parent[name] + "x" if isinstance(parent[name], str) else [parent[name], parent[name]]
    ),
    "neighbour added": lambda parent, name: (
        parent.append(parent[name]) if isinstance(parent, list) else parent.__setitem__(f"{name}2", parent[name])
    ),
}


def test_no_single_change_is_accepted() -> None:
    """Every place of a credential, changed in every way, is noticed: nothing in it is left unproved."""
    accepted = [
        label
        for label, changed in [*mutations(GOOD), ("signature", {**GOOD, "signature": {}})]
        if isinstance(judge(changed, stored=lists(), memory=KNOWN), Accepted)
    ]

    assert [] == accepted


def test_the_unchanged_credential_is_accepted() -> None:
    """The twin, without which the walk over changes would prove nothing."""
    assert isinstance(judge(copy.deepcopy(GOOD), stored=lists(), memory=KNOWN), Accepted)


def test_an_empty_federation_believes_nobody() -> None:
    """No issuers, no doctors."""
    from verification.credential import check

    assert Refused(Reason.UNKNOWN_ISSUER) == check(GOOD, HOLDER, {}, None, KNOWN, now=NOW)


def test_a_rolled_issuer_key_leaves_old_credentials_standing() -> None:
    """A newer key beside the old one changes nothing for what the old one signed; taken off, it proves nothing."""
    new_secret = Ed25519PrivateKey.from_private_bytes(bytes(32))
    new = IssuerKey(Uri.parse("https://fr.example/actor#vc-2"), new_secret.public_key())

    assert Reason.OK == judge(GOOD, issuer=replace(ISSUER, keys=(new, *ISSUER.keys))).reason
    assert Refused(Reason.BAD_PROOF) == judge(GOOD, issuer=replace(ISSUER, keys=(new,)))


def test_lists_of_other_issuers_are_not_looked_at() -> None:
    """A stored list under another address changes nothing."""
    other = Uri.parse("https://fr.example/vc/status/revocation/2")
    full = StatusList(other, HOME, Purpose.REVOCATION, b"\xff" * 16_384, NOW)

    assert Reason.OK == judge(GOOD, stored={**lists(), other: full}).reason


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
