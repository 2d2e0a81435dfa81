"""Who may speak: empty admits nobody, and a local policy only narrows."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.allowlist import Allowlist, Direction, Listed, LocalPolicy, Sibling
from federation.errors import (
    FederationListExpired,
    IssuerSuspended,
    IssuerWithdrawn,
    NotASibling,
    PinMismatch,
    SiblingBlocked,
    SiblingPaused,
    SiblingReadOnly,
)
from federation.membership import narrowed
from tests.federation.chambers import NOW, draft, entry, listed, pin
from tests.federation.test_audience import sibling
from tests.federation.words import DE, FR, IT

_OPEN = {
    LocalPolicy.INHERIT: set(Direction),
    LocalPolicy.READ_ONLY: {Direction.IN, Direction.FETCH},
    LocalPolicy.PAUSE: set(),
    LocalPolicy.BLOCK: set(),
}
_REFUSAL = {
    LocalPolicy.READ_ONLY: SiblingReadOnly,
    LocalPolicy.PAUSE: SiblingPaused,
    LocalPolicy.BLOCK: SiblingBlocked,
}


def allowlist(*siblings: Sibling) -> Allowlist:
    """The list of these."""
    return Allowlist(1, {entry.origin: entry for entry in siblings})


@given(st.text() | st.sampled_from((DE, FR, "")), st.sampled_from(Direction))
def test_the_empty_list_admits_nobody(origin: str, direction: Direction) -> None:
    """N1: no list, no federation, in any direction, for anybody."""
    assert not Allowlist().permits(origin, direction)
    assert () == Allowlist().open_to(direction)
    with pytest.raises(NotASibling):
        Allowlist().require(origin, direction)


@pytest.mark.parametrize(("policy", "direction"), list(itertools.product(LocalPolicy, Direction)))
def test_every_policy_opens_what_it_says(policy: LocalPolicy, direction: Direction) -> None:
    """Each of the four directions is open or refused with the policy's own code."""
    entry = sibling(DE, policy)
    listed = allowlist(entry)

    assert (direction in _OPEN[policy]) == listed.permits(DE, direction)
    assert ((entry,) if direction in _OPEN[policy] else ()) == listed.open_to(direction)
    if direction in _OPEN[policy]:
        assert entry == listed.require(DE, direction)
    else:
        with pytest.raises(_REFUSAL[policy]):
            listed.require(DE, direction)


def test_a_policy_only_narrows() -> None:
    """N20: from inherit to block each step opens no direction that the one before had closed."""
    steps = [LocalPolicy.INHERIT, LocalPolicy.READ_ONLY, LocalPolicy.PAUSE, LocalPolicy.BLOCK]

    for wider, narrower in itertools.pairwise(steps):
        assert _OPEN[narrower] <= _OPEN[wider]


@pytest.mark.parametrize(
    "origin",
    [
        "http://de.esanum.example",
        "https://de.esanum.example.",
        "https://de.esanum.example:443",
        "https://de.esanum.example:8443",
        "https://esanum.example",
        "https://xde.esanum.example",
        "https://de.esanum.example.stranger.example",
        "https://xn--d-7ga.esanum.example",
        "HTTPS://DE.ESANUM.EXAMPLE",
        "https://de.esanum.example/",
        "de.esanum.example",
        "",
    ],
)
def test_an_origin_matches_exactly(origin: str) -> None:
    """A59, A60, A61, N40: no suffix, prefix, look-alike, trailing dot or other port gets in."""
    with pytest.raises(NotASibling):
        allowlist(sibling(DE)).require(origin, Direction.IN)


@given(st.permutations([DE, FR, IT]), st.lists(st.sampled_from(LocalPolicy), min_size=3, max_size=3))
def test_the_order_of_entries_never_matters(origins: list[str], policies: list[LocalPolicy]) -> None:
    """N19: the effective permission is a function of the entry, not of where it stands."""
    by_origin = dict(zip(sorted(origins), policies, strict=True))
    one = allowlist(*(sibling(origin, by_origin[origin]) for origin in origins))
    other = allowlist(*(sibling(origin, by_origin[origin]) for origin in reversed(origins)))

    for origin, direction in itertools.product(origins, Direction):
        assert one.permits(origin, direction) == other.permits(origin, direction)


def test_a_new_version_is_a_new_value() -> None:
    """A62 begins here: an allowlist is never changed in place, so no half-applied change is ever seen."""
    listed = allowlist(sibling(DE), sibling(FR))

    with pytest.raises(AttributeError):
        listed.version = 2  # type: ignore[misc]
    assert {DE, FR} == {entry.origin for entry in listed}
    assert 2 == len(listed)
    assert None is listed.find(IT)


# ── under a federation list ──

_CLOSED = {
    Listed.SUSPENDED: IssuerSuspended,
    Listed.WITHDRAWN: IssuerWithdrawn,
    Listed.ABSENT: NotASibling,
    Listed.OTHER_KEYS: PinMismatch,
    Listed.EXPIRED: FederationListExpired,
    Listed.UNREAD: NotASibling,
}


@pytest.mark.parametrize("policy", LocalPolicy)
@pytest.mark.parametrize("listed", Listed)
def test_what_is_open_is_open_in_both(listed: Listed, policy: LocalPolicy) -> None:
    """The effective permission is the list's and the local policy's together; neither opens what the other closes."""
    entry = replace(sibling(DE), policy=policy, listed=listed)
    is_open = {direction for direction in Direction if allowlist(entry).permits(DE, direction)}

    assert is_open == (_OPEN[policy] if listed in (Listed.UNASKED, Listed.ACTIVE) else set())


@pytest.mark.parametrize("listed", list(_CLOSED))
def test_the_list_is_asked_before_the_local_policy(listed: Listed) -> None:
    """And names the refusal, also of a sibling that is blocked here."""
    entry = replace(sibling(DE), policy=LocalPolicy.BLOCK, listed=listed)

    with pytest.raises(_CLOSED[listed]):
        allowlist(entry).require(DE, Direction.IN)


def test_a_list_that_has_run_out_admits_nobody() -> None:
    """Strangers hear the same as siblings: nothing can be said of anybody now."""
    over = replace(allowlist(sibling(DE)), list_state=Listed.ACTIVE).expired()

    assert () == over.open_to(Direction.IN)
    for origin in (DE, "https://stranger.example"):
        with pytest.raises(FederationListExpired):
            over.require(origin, Direction.IN)


def test_a_member_without_an_entry_is_no_sibling() -> None:
    """Not before its actor was read; one that is suspended or has left hears that."""
    others = {DE: Listed.ACTIVE, FR: Listed.SUSPENDED, IT: Listed.WITHDRAWN}
    empty = Allowlist(others=others, list_state=Listed.ACTIVE)

    for origin, refusal in ((DE, NotASibling), (FR, IssuerSuspended), (IT, IssuerWithdrawn)):
        with pytest.raises(refusal):
            empty.require(origin, Direction.IN)


# ── what a list makes of an entry ──


def under(member: dict[str, Any], **entry_here: Any) -> Sibling:
    """The entry of de.example under a list with this member."""
    row = replace(sibling("https://de.example"), **entry_here)
    return narrowed(row, listed(draft(member)))


def test_an_entry_of_the_list_has_its_pins() -> None:
    """Whatever keys stood in the row: the list names them; of the countries those that are open here."""
    open_here = frozenset({"AT", "DE"})
    found = under(entry("de", country="AT"), source="list", instance_keys=frozenset(), may_issue_for=open_here)

    assert (Listed.ACTIVE, {pin("de")}, {"AT"}) == (found.listed, found.instance_keys, found.may_issue_for)
    assert ["https://de.example/actor#vc-1"] == [key.id for key in found.issuer_keys]


def test_an_entry_of_ours_keeps_what_both_hold() -> None:
    """The list narrows what was admitted here, and adds nothing."""
    member = entry("de", mayIssueFor=["AT", "DE"])
    kept = narrowed(replace(sibling("https://de.example"), source="list"), listed(draft(member))).issuer_keys
    shorter = replace(kept[0], valid_until=NOW)
    found = under(
        member, instance_keys=frozenset({pin("de"), pin("x")}), may_issue_for=frozenset({"DE", "IT"}),
        issuer_keys=(shorter, replace(kept[0], key="z6MkOther")),
    )  # fmt: skip

    assert (Listed.ACTIVE, {pin("de")}, {"DE"}) == (found.listed, found.instance_keys, found.may_issue_for)
    assert (shorter,) == found.issuer_keys


def test_an_entry_with_other_keys_than_the_list_permits_nothing() -> None:
    """The list names none of the keys pinned here; a list that pins none leaves ours."""
    unpinned = {name: value for name, value in entry("de").items() if name != "instanceKey"}

    assert Listed.OTHER_KEYS == under(entry("de"), instance_keys=frozenset({pin("x")})).listed
    assert frozenset({pin("x")}) == under(unpinned, instance_keys=frozenset({pin("x")})).instance_keys


@pytest.mark.parametrize(("status", "found"), [
    ("candidate", Listed.ABSENT), ("suspended", Listed.SUSPENDED), ("withdrawn", Listed.WITHDRAWN),
    ("emeritus", Listed.ABSENT),
])  # fmt: skip
def test_only_an_active_member_is_a_sibling(status: str, found: Listed) -> None:
    """Rule 7."""
    assert found == under({**entry("de"), "status": status}).listed


def test_whoever_is_not_on_the_list_permits_nothing() -> None:
    """Nor one whose actor is another than the list names, nor anybody without a list."""
    row = sibling("https://de.example")
    elsewhere = entry("de", id="https://de.example/other", issuerKey=[])

    assert Listed.ABSENT == narrowed(row, listed(draft(entry("fr")))).listed
    assert Listed.ABSENT == under(elsewhere).listed
    assert Listed.UNREAD == narrowed(row, None).listed


def test_countries_taken_off_here_stay_off_an_entry_of_the_list() -> None:
    """Rule 6: what the list opens, an administrator here may close; the twin: what is taken off nowhere counts."""
    found = listed(draft(entry("de") | {"mayIssueFor": ["AT", "DE"]}))
    row = replace(sibling("https://de.example"), source="list", may_issue_for=frozenset({"AT", "DE"}))

    assert {"AT", "DE"} == narrowed(row, found).may_issue_for
    assert {"DE"} == narrowed(replace(row, may_issue_for=frozenset({"DE"})), found).may_issue_for
