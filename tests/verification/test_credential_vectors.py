"""The shared credential cases, each with the verdict and the reason that the federation has agreed on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from federation.integrity import read_instant
from federation.uri import Uri
from tests.verification.helpers import VECTORS, needs_vectors, vectors
from verification.credential import Holder, Memory, check
from verification.dossier import read_country
from verification.issuers import Issuer, IssuerKey, MemberStatus
from verification.statuslist import Purpose, StatusList, read_list
from verification.verdicts import Accepted, Deferred, Quarantined, Refused

VERDICTS = {"accept": Accepted, "reject": Refused, "quarantine": Quarantined, "defer": Deferred}
NEEDS_MEMBERSHIP = {
    "list-expired": "the federation list's own validity is judged before any credential",
    "local-block": "a local policy on a sibling is judged before any credential",
}
NEEDS_STATUS = {
    "revoked",
    "suspended",
    "index-out-of-range",
    "status-stale-20h-known-actor",
    "status-stale-20h-new-actor",
    "status-stale-25h",
    "status-never-fetched",
}

CASES = vectors()["cases"] if VECTORS.is_dir() else []


def params(without: set[str]) -> list[Any]:
    """The cases but those named; those of the federation list are skipped, with the reason."""
    return [
        pytest.param(
            case,
            id=case["id"],
            marks=[pytest.mark.skip(reason=NEEDS_MEMBERSHIP[case["id"]])] if case["id"] in NEEDS_MEMBERSHIP else [],
        )
        for case in CASES
        if case["id"] not in without
    ]


def issuers() -> dict[Uri, Issuer]:
    """The members of the shared federation list, as values."""
    members = vectors()["federation_list"]["credentialSubject"]["member"]
    return {Uri.parse(member["id"]): issuer(member) for member in members}


def issuer(member: dict[str, Any]) -> Issuer:
    keys = tuple(
        IssuerKey.read(
            key["id"], key["publicKeyMultibase"], read_instant(key["validFrom"]), read_instant(key["validUntil"])
        )
        for key in member["issuerKey"]
    )
    countries = frozenset(read_country(country) for country in member["mayIssueFor"])
    return Issuer(Uri.parse(member["id"]), member["domain"], MemberStatus(member["status"]), countries, keys)


def stored_lists(fetched_at: datetime) -> dict[Uri, StatusList]:
    """The shared status lists, verified as fetched at this time."""
    known = issuers()
    found = {}
    for text, document in vectors()["status_lists"].items():
        address, purpose = Uri.parse(text), Purpose(document["credentialSubject"]["statusPurpose"])
        owner = known[Uri.parse(document["issuer"])]
        verified = read_list(document, address, purpose, owner, now=read_instant(document["validFrom"]))
        found[address] = StatusList(address, owner.id, purpose, verified.bits, fetched_at)
    return found


def holder(actor: dict[str, Any]) -> Holder:
    keys = frozenset(key["publicKeyMultibase"] for key in actor["assertionMethod"])
    return Holder(id=Uri.parse(actor["id"]), name=actor["name"], assertion_keys=keys)


def memory(case: dict[str, Any]) -> Memory:
    last = case.get("last_seen_valid_from")
    return Memory(seen_before=case.get("actor_seen_before", True), last_valid_from=read_instant(last) if last else None)


def lists_of(case: dict[str, Any]) -> dict[Uri, StatusList]:
    age = case.get("status_age_s", 0)
    return {} if age is None else stored_lists(read_instant(case["now"]) - timedelta(seconds=age))


@needs_vectors
@pytest.mark.parametrize("case", params(without=set()))
def test_a_shared_case_gives_its_verdict_and_reason(case: dict[str, Any]) -> None:
    """With status lists kept, every case this room decides ends as agreed."""
    credential, now = case["actor"].get("doctorCredential"), read_instant(case["now"])

    verdict = check(credential, holder(case["actor"]), issuers(), lists_of(case), memory(case), now=now)

    assert (VERDICTS[case["expect"]], case["reason"]) == (type(verdict), verdict.reason.value)


@needs_vectors
@pytest.mark.parametrize("case", params(without=NEEDS_STATUS))
def test_a_shared_case_gives_the_same_where_no_status_lists_are_kept(case: dict[str, Any]) -> None:
    """Where a federation keeps no status lists, every case that needs none ends in the same way."""
    credential, now = case["actor"].get("doctorCredential"), read_instant(case["now"])

    verdict = check(credential, holder(case["actor"]), issuers(), None, memory(case), now=now)

    assert (VERDICTS[case["expect"]], case["reason"]) == (type(verdict), verdict.reason.value)


@needs_vectors
@pytest.mark.skip(reason="whether a federation list is adopted is decided before this room is asked")
@pytest.mark.parametrize("bad", ["rollback", "wrong-signer"])
def test_a_bad_federation_list_is_not_adopted(bad: str) -> None:
    """The two bad lists of the vectors belong to the reader of federation lists."""


@needs_vectors
def test_the_bits_of_the_shared_lists_are_where_they_are_said_to_be() -> None:
    """In the French lists exactly bit 7 is revoked and bit 9 suspended."""
    kept = stored_lists(read_instant("2026-11-23T12:00:00Z"))
    french = {
        purpose: kept[Uri.parse(f"https://fr.esanum.example/vc/status/{purpose}/1")]
        for purpose in ("revocation", "suspension")
    }

    assert [7] == [index for index in range(131_072) if french["revocation"].is_set(index)]
    assert [9] == [index for index in range(131_072) if french["suspension"].is_set(index)]
