"""N19, N20: lists and local decisions, in whatever order they come, end in one effective permission; local only narrows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as some

from federation import membership
from federation.allowlist import Allowlist, Direction, LocalPolicy, Sibling
from federation.allowlist_changes import Effect, effect
from federation.membership import FederationList, NotAdopted, State
from federation.vocabulary import FEDERATING_KINDS
from instance.services.allowlist_cache import counting
from tests.federation.chambers import NOW, draft, entry, listed, pin, signed, state

HOSTS = ("de", "it", "es")
ORIGINS = tuple(f"https://{host}.example" for host in HOSTS)
STATUSES = ("active", "suspended", "withdrawn", "candidate")
KINDS = tuple(sorted(FEDERATING_KINDS))


@cache
def signed_after(before: bytes | None, statuses: tuple[str, ...], at: int) -> bytes:
    """The list after another in which the members stand so, signed by two of three."""
    members = [entry(host, status=status) for host, status in zip(HOSTS, statuses, strict=True)]
    earlier = None if before is None else listed(orjson.loads(before))
    made = draft(*members, before=earlier, at=NOW + timedelta(hours=at))
    return orjson.dumps(signed(made, "a", "b"))


def chain(stands: Sequence[tuple[str, ...]]) -> list[FederationList]:
    """Lists in which the members stand like this, one after the other."""
    bodies: list[bytes] = []
    for at, statuses in enumerate(stands):
        bodies.append(signed_after(bodies[-1] if bodies else None, statuses, at))
    return [listed(orjson.loads(body)) for body in bodies]


def row(origin: str, source: str) -> Sibling:
    """An entry as it is stored: by hand, or of a list."""
    member = listed(orjson.loads(signed_after(None, ("active",) * 3, 0))).find(origin)
    assert member is not None
    return Sibling(
        origin=origin, actor=member.actor, name=origin, country="DE", since=NOW,
        instance_keys=frozenset({pin(origin[8:10])}), issuer_keys=member.issuer_keys,
        may_issue_for=member.may_issue_for, source=source,
    )  # fmt: skip


@dataclass
class House:
    """What an instance has: the lists it may read, the one in force, and its entries."""

    lists: list[FederationList]
    state: State = field(default_factory=state)
    rows: dict[str, Sibling] = field(default_factory=dict)
    #: Why lists were refused.
    refused: set[str] = field(default_factory=set)

    def reads(self, number: int) -> None:
        """A list comes, and those before it are where it came from; refused, nothing has changed."""
        found = self.lists[number]
        gap = membership.missing_before(self.state, found) if self.state.current else range(0)
        missing = [each for each in self.lists if each.sequence in gap]
        try:
            self.state = membership.adopt(self.state, found, missing, now=NOW + timedelta(hours=len(self.lists)))
        except NotAdopted as fault:
            self.refused.add(fault.code)

    def decides(self, origin: str, **changes: Any) -> None:
        """An administrator here changes one thing of one entry."""
        self.rows[origin] = replace(self.rows[origin], **changes)

    def counts(self) -> Allowlist:
        """What is in force."""
        return counting(0, self.rows, self.state.current, listed=True)


STANDS = some.lists(some.tuples(*(some.sampled_from(STATUSES) for _ in HOSTS)), min_size=1, max_size=3)
POLICIES = some.tuples(*(some.sampled_from(LocalPolicy) for _ in ORIGINS))
KINDS_LEFT = some.tuples(*(some.frozensets(some.sampled_from(KINDS)) for _ in ORIGINS))
SOURCES = some.tuples(*(some.sampled_from(("local", "list")) for _ in ORIGINS))


def ends(events: Sequence[tuple[str, Any, Any]], lists: list[FederationList], sources: Sequence[str]) -> list[Effect]:
    """What is permitted when all has come, in this order."""
    house = House(lists, rows={origin: row(origin, source) for origin, source in zip(ORIGINS, sources, strict=True)})
    for what, about, value in events:
        if what == "list":
            house.reads(about)
        else:
            house.decides(about, **{what: value})
    assert house.refused <= {"sequence_rollback"}
    return [effect(house.counts(), origin) for origin in ORIGINS]


#: Lists are signed and checked for real, a few milliseconds each.
_few = settings(deadline=None, max_examples=25)


@_few
@given(some.data(), STANDS, POLICIES, KINDS_LEFT, SOURCES)
def test_in_whatever_order_it_comes_the_same_is_permitted(
    data: Any, stands: Any, policies: Any, kinds: Any, sources: Any
) -> None:
    """N19: lists late, twice and backwards, pauses and kinds between them: one end."""
    events: list[tuple[str, Any, Any]] = [("list", number, None) for number in range(len(stands))]
    events += [("policy", origin, policy) for origin, policy in zip(ORIGINS, policies, strict=True)]
    events += [("kinds_in", origin, left) for origin, left in zip(ORIGINS, kinds, strict=True)]
    again = data.draw(some.lists(some.sampled_from([each for each in events if each[0] == "list"]), max_size=3))
    order = data.draw(some.permutations([*events, *again]))
    lists = chain(stands)

    assert ends(events, lists, sources) == ends(order, lists, sources)


@_few
@given(STANDS, POLICIES, KINDS_LEFT, SOURCES)
def test_what_is_decided_here_only_narrows(stands: Any, policies: Any, kinds: Any, sources: Any) -> None:
    """N20: nothing is open that the list alone, or what is set here alone, would close."""
    lists = chain(stands)
    rows = {origin: row(origin, source) for origin, source in zip(ORIGINS, sources, strict=True)}
    narrow = {
        origin: replace(each, policy=policy, kinds_in=left)
        for (origin, each), policy, left in zip(rows.items(), policies, kinds, strict=True)
    }
    here = counting(0, {key: replace(each, source="local") for key, each in narrow.items()}, None, listed=False)
    alone, both = (counting(0, each, lists[-1], listed=True) for each in (rows, narrow))

    for origin in ORIGINS:
        of_list, of_both, of_here = (effect(each, origin) for each in (alone, both, here))
        assert _open(of_both) <= _open(of_list)
        assert _open(of_both) <= _open(of_here)
        assert of_both.kinds_in <= of_list.kinds_in & of_here.kinds_in
        assert of_both.countries <= of_list.countries & of_here.countries
    assert lists[-1].document == listed(dict(lists[-1].document)).document


@_few
@given(STANDS, SOURCES)
def test_a_member_that_is_active_and_inherits_is_open(stands: Any, sources: Any) -> None:
    """The twin: what nobody closes is open, in every direction; so the tests above compare more than closed doors."""
    lists = chain([*stands, ("active",) * len(HOSTS)])
    found = ends([("list", number, None) for number in range(len(lists))], lists, sources)

    for each in found:
        assert set(Direction) == _open(each)
        assert frozenset(FEDERATING_KINDS) == each.kinds_in


def _open(found: Effect) -> set[Direction]:
    return {each for each in Direction if not found.refused[each]}
