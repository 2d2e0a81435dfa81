"""The shared credential cases, each with the verdict and the reason that the federation has agreed on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from federation import membership
from federation.integrity import read_instant
from federation.membership import Member, NotAdopted, Signers, State
from federation.uri import Uri
from tests.verification.helpers import VECTORS, needs_vectors, vectors
from verification.credential import Holder, Memory, check
from verification.dossier import read_country
from verification.issuers import Issuer, IssuerKey, MemberStatus
from verification.statuslist import Purpose, StatusList, read_list
from verification.verdicts import Accepted, Deferred, Quarantined, Refused, Verdict

VERDICTS = {"accept": Accepted, "reject": Refused, "quarantine": Quarantined, "defer": Deferred}
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
    """The cases but those named."""
    return [pytest.param(case, id=case["id"]) for case in CASES if case["id"] not in without]


def in_force() -> State:
    """What the shared list is under the shared anchor."""
    anchor = vectors()["trust_anchor"]
    signers = Signers(1, frozenset({anchor["verificationMethod"].partition("#")[0]}))
    found = membership.read(orjson.dumps(vectors()["federation_list"]))
    return membership.adopt(State(signers, anchor["min_sequence"]), found, now=read_instant("2026-11-23T12:00:00Z"))


def blocked(case: dict[str, Any]) -> frozenset[str]:
    """The domains that the case's own policy blocks."""
    return frozenset(domain for domain, policy in case.get("local_policy", {}).items() if policy == "block")


def judged(case: dict[str, Any], lists: dict[Uri, StatusList] | None) -> Verdict:
    """The verdict on the case, with the shared list in force as far as it is at that time."""
    found = in_force().current
    assert found is not None
    now = read_instant(case["now"])
    known = {actor: replace(one, blocked=one.domain in blocked(case)) for actor, one in issuers().items()}
    return check(
        case["actor"].get("doctorCredential"), holder(case["actor"]), known, lists, memory(case), now=now,
        list_over=found.is_over(now),
    )  # fmt: skip


def issuers() -> dict[Uri, Issuer]:
    """The members of the shared federation list, as it was adopted."""
    found = in_force().current
    assert found is not None
    return {member.actor: issuer(member) for member in found.members}


def issuer(member: Member) -> Issuer:
    keys = tuple(IssuerKey.read(key.id, key.key, key.valid_from, key.valid_until) for key in member.issuer_keys)
    countries = frozenset(read_country(country) for country in member.may_issue_for)
    return Issuer(member.actor, member.domain, MemberStatus(member.status.value), countries, keys)


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
    verdict = judged(case, lists_of(case))

    assert (VERDICTS[case["expect"]], case["reason"]) == (type(verdict), verdict.reason.value)


@needs_vectors
@pytest.mark.parametrize("case", params(without=NEEDS_STATUS))
def test_a_shared_case_gives_the_same_where_no_status_lists_are_kept(case: dict[str, Any]) -> None:
    """Where a federation keeps no status lists, every case that needs none ends in the same way."""
    verdict = judged(case, None)

    assert (VERDICTS[case["expect"]], case["reason"]) == (type(verdict), verdict.reason.value)


@needs_vectors
@pytest.mark.parametrize("bad", vectors()["federation_list_bad"] if VECTORS.is_dir() else [], ids=lambda bad: bad["id"])
def test_a_bad_federation_list_is_not_adopted(bad: dict[str, Any]) -> None:
    """It is refused with the agreed reason, and what is in force stays."""
    kept = in_force()

    with pytest.raises(NotAdopted) as caught:
        membership.adopt(kept, membership.read(orjson.dumps(bad["list"])), now=read_instant("2026-11-23T12:00:00Z"))

    assert bad["reason"] == caught.value.code
    assert 42 == kept.current.sequence  # type: ignore[union-attr]


@needs_vectors
def test_the_shared_list_has_the_hash_that_the_next_one_names() -> None:
    """As the design has it of list 42."""
    found = in_force().current

    assert found is not None
    assert "sha256:54fe521f015f0d5caa8d75c23039610970f8acfebfb76a497e3e071bfe1b030a" == found.hash


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
