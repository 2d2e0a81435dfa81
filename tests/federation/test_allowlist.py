"""Who may speak: empty admits nobody, and a local policy only narrows."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federation.allowlist import Allowlist, Direction, LocalPolicy, Sibling
from federation.errors import NotASibling, SiblingBlocked, SiblingPaused, SiblingReadOnly
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
