"""What a change of the allowlist opens and closes, asked of the function that decides: before it is made, and after.

There is no second rule here. The list is asked as it is and as it would be, each direction for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from federation.allowlist import Allowlist, Direction, LocalPolicy, Sibling
from federation.errors import Refused
from federation.vocabulary import PostKind

#: From the widest to the narrowest.
_ORDER: Final = (LocalPolicy.INHERIT, LocalPolicy.READ_ONLY, LocalPolicy.PAUSE, LocalPolicy.BLOCK)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one origin may do here under one list."""

    #: For each direction the code it is refused with; empty where it is open.
    refused: Mapping[Direction, str]
    kinds_in: frozenset[PostKind]
    kinds_out: frozenset[PostKind]
    countries: frozenset[str]
    #: None for whoever is no entry.
    policy: LocalPolicy | None


def effect(allowlist: Allowlist, origin: str) -> Effect:
    """Ask the list in every direction."""
    sibling = allowlist.find(origin)
    refused = {direction: _code(allowlist, origin, direction) for direction in Direction}
    if sibling is None:
        return Effect(refused, frozenset(), frozenset(), frozenset(), None)
    return Effect(refused, sibling.kinds_in, sibling.kinds_out, sibling.may_issue_for, sibling.policy)


def with_entry(allowlist: Allowlist, entry: Sibling) -> Allowlist:
    """Return the list with this entry in the place of the one of its origin."""
    return replace(allowlist, siblings={**allowlist.siblings, entry.origin: entry})


def without(allowlist: Allowlist, origin: str) -> Allowlist:
    """Return the list without this origin."""
    return replace(allowlist, siblings={key: each for key, each in allowlist.siblings.items() if key != origin})


def widens(before: Effect, after: Effect) -> bool:
    """Whether anything is opened: a direction, a kind, a country, or a policy less strict than the one before."""
    opened = any(before.refused[direction] and not after.refused[direction] for direction in Direction)
    gained = bool(
        after.kinds_in - before.kinds_in or after.kinds_out - before.kinds_out or after.countries - before.countries
    )
    return opened or gained or _rank(after.policy) < _rank(before.policy)


def _rank(policy: LocalPolicy | None) -> int:
    return len(_ORDER) if policy is None else _ORDER.index(policy)


def _code(allowlist: Allowlist, origin: str, direction: Direction) -> str:
    try:
        allowlist.require(origin, direction)
    except Refused as refusal:
        return refusal.code
    return ""
