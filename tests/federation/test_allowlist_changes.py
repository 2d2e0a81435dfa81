"""What a change opens and closes is asked of the list itself: a pure function, in which order entries stand or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from federation.allowlist import Allowlist, Direction, LocalPolicy, Sibling
from federation.allowlist_changes import effect, widens, with_entry, without
from federation.errors import NotASibling, Refused, SiblingPaused
from federation.farewell import ERASURE, ERASURES, WITHDRAWAL, WORDS, Farewell
from federation.uri import Uri
from federation.vocabulary import PostKind

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOSTS = ("de", "it", "es", "at", "ch")


def entry(
    host: str = "de", policy: LocalPolicy = LocalPolicy.INHERIT, kinds_in: frozenset[PostKind] = frozenset(),
    kinds_out: frozenset[PostKind] = frozenset(), countries: frozenset[str] = frozenset(),
) -> Sibling:  # fmt: skip
    """An entry of which only what is judged is told."""
    origin = f"https://{host}.example"
    return Sibling(
        origin=origin, actor=Uri.parse(f"{origin}/actor"), name=host, country=host.upper(), since=NOW,
        instance_keys=frozenset({"sha256:x"}), issuer_keys=(), may_issue_for=countries, policy=policy,
        kinds_in=kinds_in, kinds_out=kinds_out, inbox=Uri.parse(f"{origin}/inbox"),
    )  # fmt: skip


KINDS = some.frozensets(some.sampled_from(PostKind))
COUNTRIES = some.frozensets(some.sampled_from(("DE", "AT", "FR")))
ENTRIES = some.builds(
    entry, some.just("de"), some.sampled_from(LocalPolicy), kinds_in=KINDS, kinds_out=KINDS, countries=COUNTRIES
)


def listed(*entries: Sibling) -> Allowlist:
    """These entries, in this order."""
    return Allowlist(1, {each.origin: each for each in entries})


@given(some.lists(some.sampled_from(LocalPolicy), min_size=5, max_size=5), some.permutations(range(5)))
def test_the_order_of_entries_never_matters(policies: list[LocalPolicy], order: list[int]) -> None:
    """N19: every origin and direction is decided alike, however the list was put together."""
    entries = [entry(host, policy) for host, policy in zip(HOSTS, policies, strict=True)]
    one, other = listed(*entries), listed(*(entries[place] for place in order))

    for host in (*HOSTS, "fr", "xn--de"):
        assert effect(one, f"https://{host}.example") == effect(other, f"https://{host}.example")


@given(ENTRIES, some.sampled_from(LocalPolicy))
def test_an_entry_says_nothing_of_another(changed: Sibling, policy: LocalPolicy) -> None:
    """Whatever is made of Germany, Italy is decided as before; and the list that was asked is the same."""
    italy = entry("it", policy)
    before = listed(italy, entry("de"))
    frozen = dict(before.siblings)

    for after in (with_entry(before, changed), without(before, changed.origin)):
        assert effect(before, italy.origin) == effect(after, italy.origin)
    assert frozen == dict(before.siblings)


@given(ENTRIES, ENTRIES)
def test_what_widens_and_what_undoes_it_do_not_both_narrow(one: Sibling, other: Sibling) -> None:
    """Of a change and its undoing at least one takes two people, unless nothing that is decided differs."""
    before, after = effect(listed(one), one.origin), effect(listed(other), one.origin)

    assert (before == after) == (not widens(before, after) and not widens(after, before))


@given(ENTRIES)
def test_leaving_widens_nothing_and_coming_does(one: Sibling) -> None:
    """Whatever the entry was."""
    there, gone = effect(listed(one), one.origin), effect(listed(), one.origin)

    assert not widens(there, gone)
    assert widens(gone, there)
    assert set(gone.refused.values()) == {"not_a_sibling"}


@given(ENTRIES)
def test_the_preview_says_what_the_door_will(one: Sibling) -> None:
    """The same function: no code on a page that the door would not answer with."""
    allowlist = listed(one)
    shown = effect(allowlist, one.origin)

    for direction in Direction:
        assert shown.refused[direction] == answered(allowlist, one.origin, direction)


def answered(allowlist: Allowlist, origin: str, direction: Direction) -> str:
    """What the door makes of it."""
    try:
        allowlist.require(origin, direction)
    except Refused as refusal:
        return refusal.code
    return ""


# ── what may be said to whoever was expelled ──

FORMER = Farewell("https://de.example", Uri.parse("https://de.example/inbox"), True, NOW + WORDS, NOW + ERASURES)


@pytest.mark.parametrize(
    ("urgency", "after", "heard"),
    [
        (ERASURE, timedelta(0), True), (ERASURE, ERASURES, True), (ERASURE, ERASURES + timedelta(seconds=1), False),
        (WITHDRAWAL, WORDS, True), (WITHDRAWAL, WORDS + timedelta(seconds=1), False),
        (2, timedelta(0), False), (3, timedelta(0), False),
    ],
)  # fmt: skip
def test_a_former_sibling_hears_what_takes_back_for_a_time(urgency: int, after: timedelta, heard: bool) -> None:
    """Erasures for thirty days, ends for an hour, nothing else ever."""
    allowlist = replace(listed(), farewells={FORMER.origin: FORMER})
    if heard:
        assert FORMER is allowlist.require_sending(FORMER.origin, NOW + after, urgency)
        return
    with pytest.raises(NotASibling):
        allowlist.require_sending(FORMER.origin, NOW + after, urgency)


def test_a_farewell_opens_no_direction_and_yields_to_an_entry() -> None:
    """Nothing is taken, read or served by it; whoever is listed again is decided by the entry alone."""
    allowlist = replace(listed(), farewells={FORMER.origin: FORMER})
    again = replace(listed(entry("de", LocalPolicy.PAUSE)), farewells={FORMER.origin: FORMER})

    assert [False] * 4 == [allowlist.permits(FORMER.origin, direction) for direction in Direction]
    assert () == allowlist.open_to(Direction.OUT)
    assert allowlist.find(FORMER.origin) is None
    with pytest.raises(SiblingPaused):
        again.require_sending(FORMER.origin, NOW)
    with pytest.raises(NotASibling):
        allowlist.require_sending("https://it.example", NOW)
