"""The federation list: m of n signatures, a chain, a life; each rule with what it keeps out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation import membership_drafts as drafts
from federation.membership import (
    MAX_GAP,
    NotAdopted,
    State,
    adopt,
    missing_before,
    read,
    signed_by,
    widens,
)
from federation.membership_changes import differences
from tests.federation.chambers import NOW, chambers, did, draft, entry, key_of, listed, signed, state

FR, DE, IT = entry("fr"), entry("de"), entry("it")
FIRST = listed(signed(draft(FR, DE), "a", "b"))
IN_FORCE = adopt(state(), FIRST, now=NOW)
SECOND = listed(signed(draft(FR, DE, IT, before=FIRST), "b", "c"))
DAY = timedelta(days=1)


def refused(kept: State, document: Any, missing: Any = (), *, now: Any = NOW) -> str:
    """The code with which a list is not adopted."""
    with pytest.raises(NotAdopted) as caught:
        adopt(kept, listed(document) if isinstance(document, dict) else document, missing, now=now)
    return caught.value.code


# ── rule 1: m of n ──


def test_two_of_three_signers_are_enough() -> None:
    """The first list ever, and the one after it, signed by other two."""
    assert FIRST == IN_FORCE.current
    assert SECOND == adopt(IN_FORCE, SECOND, now=NOW).current


@pytest.mark.parametrize(
    ("names", "code"),
    [
        pytest.param((), "bad_proof", id="nobody"),
        pytest.param(("a",), "too_few_signatures", id="one of two"),
        pytest.param(("x", "y"), "bad_proof", id="strangers"),
        pytest.param(("a", "x"), "too_few_signatures", id="one and a stranger"),
    ],
)
def test_too_few_signers_are_refused(names: tuple[str, ...], code: str) -> None:
    """Nobody, one of two, and whoever is no signer: strangers count nothing."""
    assert code == refused(state(), signed(draft(FR), *names))


def test_a_signer_counts_once() -> None:
    """Two proofs of one signer are one signer (J5.2)."""
    once = signed(draft(FR), "a")
    again = signed(draft(FR), "a", at=NOW + DAY)

    assert "too_few_signatures" == refused(state(), {**once, "proof": [once["proof"], again["proof"]]})


def test_a_broken_proof_counts_nothing_and_spoils_nothing() -> None:
    """Beside two that hold, a broken one is no harm; in the place of one it is missing."""
    whole = signed(draft(FR), "a", "b", "c")
    broken = {**whole["proof"][2], "proofValue": whole["proof"][0]["proofValue"]}

    assert adopt(state(), listed({**whole, "proof": [*whole["proof"][:2], broken]}), now=NOW).current
    assert "too_few_signatures" == refused(state(), {**whole, "proof": [whole["proof"][0], broken]})


def test_what_is_changed_after_signing_is_signed_by_nobody() -> None:
    """One country more, and no proof holds."""
    changed = drafts.with_values(signed(draft(FR), "a", "b"), member=[{**FR, "mayIssueFor": ["DE", "FR"]}])

    assert "bad_proof" == refused(state(), changed)


def test_no_more_than_thirty_two_proofs_are_read() -> None:
    """Whoever hides two good ones behind a heap is not waited for; before it they count."""
    whole = signed(draft(FR), "a", "b")
    heap = [whole["proof"][0]] * 32

    assert "too_few_signatures" == refused(state(), {**whole, "proof": [*heap, whole["proof"][1]]})
    assert adopt(state(), listed({**whole, "proof": [whole["proof"][1], *heap]}), now=NOW).current


def test_a_key_that_names_another_fragment_is_no_signer() -> None:
    """`did:key:A#B` is nobody's method."""
    one = signed(draft(FR), "a")
    method = f"{did('a')}#{did('b').removeprefix('did:key:')}"
    borrowed = {**one, "proof": {**one["proof"], "verificationMethod": method}}

    assert frozenset() == signed_by(listed(borrowed), [did("a"), did("b")])


def test_one_signer_where_one_is_enough() -> None:
    """With m = 1 a single proof object is the same case as in the vectors."""
    lone = state(signers=chambers("a", threshold=1))
    one = signed(draft(FR), "a")

    assert isinstance(one["proof"], dict)
    assert adopt(lone, listed(one), now=NOW).current


# ── rule 2: the sequence ──


def test_a_lower_sequence_is_a_rollback() -> None:
    """However well it is signed; and below the least sequence the first list is one too."""
    after = adopt(IN_FORCE, SECOND, now=NOW)

    assert "sequence_rollback" == refused(after, FIRST)
    assert "sequence_rollback" == refused(state(least=2), FIRST)
    assert adopt(state(least=1), FIRST, now=NOW).current


def test_an_unsigned_old_list_is_no_rollback() -> None:
    """Anybody could make one: it is a bad proof and nothing worse."""
    after = adopt(IN_FORCE, SECOND, now=NOW)

    assert "bad_proof" == refused(after, draft(FR))


def test_the_same_list_again_changes_nothing() -> None:
    """Also with a third signature: the list is the same."""
    more = listed(drafts.sign(FIRST.document, key_of("c"), now=NOW))

    assert IN_FORCE is adopt(IN_FORCE, FIRST, now=NOW)
    assert IN_FORCE is adopt(IN_FORCE, more, now=NOW)


def test_two_lists_of_one_sequence_are_a_fork() -> None:
    """Signed by enough it is an alarm; by nobody it is nothing."""
    other = draft(FR, DE, IT)

    assert "list_fork" == refused(IN_FORCE, signed(other, "a", "c"))
    assert "too_few_signatures" == refused(IN_FORCE, signed(other, "a"))
    assert "bad_proof" == refused(IN_FORCE, other)


# ── rule 3: the chain ──


def test_the_next_list_names_the_one_before() -> None:
    """Another hash, or none at all, is a fork where more than one must sign."""
    other = listed(signed(draft(DE), "a", "b"))
    without = draft(FR, before=FIRST)
    del without["credentialSubject"]["previous"]

    assert "list_fork" == refused(IN_FORCE, signed(draft(FR, before=other), "a", "b"))
    assert "list_fork" == refused(IN_FORCE, signed(without, "a", "b"))


def test_a_single_signer_need_not_name_the_one_before() -> None:
    """With m = 1 it may be absent; a wrong one is a fork all the same."""
    lone = state(signers=chambers("a", threshold=1))
    kept = adopt(lone, listed(signed(draft(FR), "a")), now=NOW)
    without = draft(FR, before=kept.current)
    del without["credentialSubject"]["previous"]
    wrong = drafts.with_values(draft(FR, before=kept.current), previous="sha256:" + 64 * "0")

    assert 2 == adopt(kept, listed(signed(without, "a")), now=NOW).current.sequence  # type: ignore[union-attr]
    assert "list_fork" == refused(kept, signed(wrong, "a"))


def chain(length: int) -> list[Any]:
    """So many lists after the first."""
    made = [FIRST]
    for _ in range(length):
        made.append(listed(signed(draft(before=made[-1]), "a", "b")))
    return made[1:]


def test_a_gap_is_closed_by_the_lists_between() -> None:
    """Each is checked in rising order; without them, or with another between, the stored list stays."""
    two, three, four = chain(3)
    forged = listed(signed(draft(FR, before=two), "a"))

    assert range(2, 4) == missing_before(IN_FORCE, four)
    assert four == adopt(IN_FORCE, four, [two, three], now=NOW).current
    assert "list_gap" == refused(IN_FORCE, four)
    assert "list_gap" == refused(IN_FORCE, four, [three])
    assert "list_gap" == refused(IN_FORCE, four, [three, two])
    assert "list_gap" == refused(IN_FORCE, four, [two, forged])


def test_a_gap_whose_first_list_follows_another_is_a_fork() -> None:
    """The two have parted before it."""
    other = listed(signed(draft(FR, IT), "a", "b"))
    two = listed(signed(draft(before=other), "a", "b"))

    assert "list_fork" == refused(IN_FORCE, listed(signed(draft(before=two), "a", "b")), [two])


def test_a_gap_of_more_than_fifty_is_not_closed() -> None:
    """Fifty are; one more is a gap, and nothing is asked for."""
    far = drafts.with_values(draft(before=FIRST), sequence=2 + MAX_GAP)
    further = drafts.with_values(draft(before=FIRST), sequence=3 + MAX_GAP)

    assert MAX_GAP == len(missing_before(IN_FORCE, listed(far)))
    with pytest.raises(NotAdopted, match="51"):
        missing_before(IN_FORCE, listed(further))


def test_missed_lists_may_be_over() -> None:
    """Only the newest must be of now."""
    later = NOW + 20 * DAY
    two = listed(signed(draft(before=FIRST), "a", "b"))
    three = listed(signed(draft(before=two, at=later), "a", "b"))

    assert three == adopt(IN_FORCE, three, [two], now=later).current


# ── rule 4: time ──


def test_a_list_lives_fourteen_days_at_most() -> None:
    """A second more is too long."""
    longer = draft(FR, life=timedelta(days=14, seconds=1))

    assert "validity_too_long" == refused(state(), signed(longer, "a", "b"))


def test_a_list_that_is_over_is_not_adopted() -> None:
    """Five minutes are left for clocks that differ, at both ends."""
    ends = FIRST.valid_until

    assert "federation_list_expired" == refused(state(), FIRST, now=ends + timedelta(seconds=301))
    assert adopt(state(), FIRST, now=ends + timedelta(seconds=300)).current
    assert "list_not_begun" == refused(state(), FIRST, now=NOW - timedelta(seconds=301))
    assert adopt(state(), FIRST, now=NOW - timedelta(seconds=300)).current


# ── rule 8: signers ──


def new_signers(*names: str, threshold: int = 2) -> dict[str, Any]:
    """How a list names the next set."""
    return {"threshold": threshold, "key": [did(name) for name in names]}


def test_a_lost_signer_is_replaced_by_the_others() -> None:
    """Two of the set before sign, and whoever is new; the new set judges the next list, and the lost key is nobody."""
    change = listed(signed(draft(before=FIRST, signers=new_signers("a", "b", "d")), "a", "b", "d"))
    after = adopt(IN_FORCE, change, now=NOW)
    following = draft(before=change)

    assert chambers("a", "b", "d") == after.signers
    assert adopt(after, listed(signed(following, "a", "d")), now=NOW)
    assert "too_few_signatures" == refused(after, signed(following, "a", "c"))


def test_a_new_signer_must_sign_and_counts_nothing() -> None:
    """Without the new key's proof nobody knows that somebody holds it; with it, one of two is still one of two."""
    change = draft(before=FIRST, signers=new_signers("a", "b", "d"))

    assert "too_few_signatures" == refused(IN_FORCE, signed(change, "a", "b"))
    assert "too_few_signatures" == refused(IN_FORCE, signed(change, "a", "d"))


def test_a_change_of_signers_in_the_gap_judges_what_follows() -> None:
    """The set is followed list by list."""
    change = listed(signed(draft(before=FIRST, signers=new_signers("d", "e")), "a", "b", "d", "e"))
    after = draft(before=change)

    assert adopt(IN_FORCE, listed(signed(after, "d", "e")), [change], now=NOW)
    assert "bad_proof" == refused(IN_FORCE, listed(signed(after, "a", "b")), [change])


@pytest.mark.parametrize(("threshold", "names"), [(0, "ab"), (3, "ab"), (1, ""), (True, "ab")])
def test_a_set_that_cannot_sign_is_no_set(threshold: int, names: str) -> None:
    """Nobody, or fewer than must sign."""
    change = draft(before=FIRST, signers=new_signers(*names, threshold=threshold))

    with pytest.raises(NotAdopted, match="Error"):
        listed(change)


# ── rule 9: emergencies ──


def emergency(days: float = 7) -> dict[str, Any]:
    """As a list says it."""
    return {"reason": "made up", "reviewBy": (NOW + timedelta(days=days)).isoformat().replace("+00:00", "Z")}


def test_an_emergency_list_narrows() -> None:
    """A suspension, signed by as many as always."""
    suspended = draft(FR, entry("de", status="suspended"), before=FIRST, emergency=emergency())

    assert adopt(IN_FORCE, listed(signed(suspended, "a", "b")), now=NOW).current.emergency  # type: ignore[union-attr]
    assert "too_few_signatures" == refused(IN_FORCE, signed(suspended, "a"))


@pytest.mark.parametrize(
    "members",
    [
        pytest.param((FR, DE, IT), id="a member"),
        pytest.param((FR, {**DE, "mayIssueFor": ["AT", "DE"]}), id="a country"),
        pytest.param((FR, {**DE, "issuerKey": [*DE["issuerKey"], {**DE["issuerKey"][0], "id": DE["id"] + "#vc-2"}]}),
                     id="an issuer key"),
        pytest.param((FR, {name: value for name, value in DE.items() if name != "instanceKey"}), id="no pin"),
    ],
)  # fmt: skip
def test_an_emergency_list_that_widens_is_refused(members: tuple[Any, ...]) -> None:
    """J5.4: whatever opens is no emergency; the same list signed in its turn is adopted."""
    wide = draft(*members, before=FIRST, emergency=emergency())
    ordinary = draft(*members, before=FIRST)

    assert "emergency_widens" == refused(IN_FORCE, signed(wide, "a", "b"))
    assert adopt(IN_FORCE, listed(signed(ordinary, "a", "b")), now=NOW).current


def test_other_signers_are_no_emergency() -> None:
    """Whoever changes who signs does it in turn."""
    change = draft(before=FIRST, signers=new_signers("a", "b"), emergency=emergency())

    assert widens(FIRST, listed(change))


@pytest.mark.parametrize("days", [-1, 31])
def test_an_emergency_is_reviewed_within_thirty_days(days: int) -> None:
    """Neither before it began nor later."""
    with pytest.raises(NotAdopted):
        listed(draft(before=FIRST, emergency=emergency(days)))


# ── the form ──


def spoilt(**changes: Any) -> list[tuple[str, dict[str, Any]]]:
    """One list for each change."""
    whole = draft(FR)
    return [(name, {**whole, name: value}) for name, value in changes.items()]


@pytest.mark.parametrize(
    "document",
    [
        *(pytest.param(made, id=name) for name, made in spoilt(
            **{"@context": ["https://www.w3.org/ns/credentials/v2"]}, id="list", type=["FederationList"], issuer=None,
            validFrom="soon", validUntil="2026-11-01T00:00:00Z", credentialSubject=[], signature="x")),
        pytest.param(draft(FR, FR), id="a member twice"),
        pytest.param(draft({**FR, "domain": "de.example"}), id="another's domain"),
        pytest.param(draft({**FR, "instanceKey": []}), id="an empty pin"),
        pytest.param(draft({**FR, "mayIssueFor": ["fr"]}), id="no country"),
        pytest.param(draft({**FR, "issuerKey": [{**FR["issuerKey"][0], "controller": DE["id"]}]}), id="another's key"),
        pytest.param(draft(FR, sequence=0), id="zero"),
        pytest.param(draft(FR, sequence=True), id="true"),
        pytest.param(draft(FR, previous="sha256:1"), id="no hash"),
    ],
)  # fmt: skip
def test_what_is_no_list_is_malformed(document: dict[str, Any]) -> None:
    """Whoever signed it."""
    with pytest.raises(NotAdopted) as caught:
        read(orjson.dumps(document))

    assert "list_malformed" == caught.value.code


def test_a_state_nobody_knows_is_no_member() -> None:
    """Rule 7: an unknown value is a candidate, and the list is read."""
    found = listed(draft({**FR, "status": "emeritus"}))

    assert "candidate" == found.members[0].status


def test_a_list_beyond_a_mebibyte_is_not_read() -> None:
    """Nor a key twice."""
    with pytest.raises(NotAdopted, match="limit"):
        read(b" " * 1_048_577)
    with pytest.raises(NotAdopted, match="strict"):
        read(b'{"type": 1, "type": 2}')


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["@context", "credentialSubject", "type", "member", "proof", "id", "sequence"]), inner),
    max_leaves=12,
))  # fmt: skip
def test_anything_else_is_not_adopted(value: Any) -> None:
    """Whatever arrives that nobody signed, the answer is NotAdopted, never another exception."""
    with pytest.raises(NotAdopted):
        adopt(state(), read(orjson.dumps(value)), now=NOW)


def test_what_differs_is_said_in_words() -> None:
    """Who came, who left, and what changed of whom."""
    after = listed(draft({**DE, "mayIssueFor": ["AT", "DE"]}, IT, before=FIRST))
    found = {(each.domain, each.what): (each.before, each.after) for each in differences(FIRST, after)}

    assert ("DE", "AT, DE") == found["de.example", "countries"]
    assert ("active", "") == found["fr.example", "status"]
    assert ("", "active") == found["it.example", "status"]
    assert [] == differences(FIRST, listed(signed(draft(before=FIRST), "a")))


def test_copies_signed_apart_are_put_together() -> None:
    """In any order; another list is no copy."""
    whole = draft(FR, DE)
    made = drafts.merge([signed(whole, "b"), signed(whole, "a")])

    assert {did("a"), did("b")} == signed_by(listed(made), chambers().keys)
    with pytest.raises(ValueError, match="copies"):
        drafts.merge([signed(whole, "a"), signed(draft(FR), "b")])
