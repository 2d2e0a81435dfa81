"""The doctor credential as it is issued: what it carries, how long it lasts, and what is not issued at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.integrity import write_instant
from federation.uri import Uri
from tests.verification.helpers import (
    ACTOR_MULTIKEY,
    FR,
    GOOD,
    NOW,
    REVOCATION,
    SIGNER,
    SUBJECT,
    SUSPENSION,
    TERMS,
    credential,
    judge,
    lists,
)
from verification.credential import LIFE, issue
from verification.dossier import Country, Role
from verification.errors import NotIssuable
from verification.standing import Standing, StandingState
from verification.status_entries import StatusPlace
from verification.verdicts import Accepted, Reason


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
