"""Every kind of notice, in one place: what it belongs to, and under what it is found.

A new kind joins by one line of KINDS and by its texts `notice.KIND` and, where several may have done the same,
`notice.KIND.many`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Group(StrEnum):
    """What is wished together: one line of the settings, one number of a mail."""

    REQUESTS = "requests"
    ANSWERS = "answers"
    FOLLOWED = "followed"
    PEOPLE = "people"
    THANKS = "thanks"
    STATUS = "status"
    STAFF = "staff"


class Filter(StrEnum):
    """What the page may be narrowed to."""

    EVERYTHING = ""
    REQUESTS = "requests"
    ANSWERS = "answers"


class Way(StrEnum):
    """How somebody is told besides the page. None of them is on unless it was wished."""

    PUSH = "push"
    NOW = "now"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. `gathers`: whether several of a day about the same stand as one line."""

    group: Group
    found: Filter = Filter.EVERYTHING
    gathers: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "asked": Kind(Group.REQUESTS, Filter.REQUESTS),
    "named": Kind(Group.REQUESTS, Filter.REQUESTS),
    "mention": Kind(Group.REQUESTS, Filter.REQUESTS),
    "answer": Kind(Group.ANSWERS, Filter.ANSWERS),
    "reply": Kind(Group.ANSWERS, Filter.ANSWERS),
    "vote_result": Kind(Group.ANSWERS, Filter.ANSWERS, gathers=False),
    "case_answer": Kind(Group.FOLLOWED, Filter.ANSWERS),
    "case_update": Kind(Group.FOLLOWED, Filter.ANSWERS, gathers=False),
    "resolved": Kind(Group.FOLLOWED, Filter.ANSWERS, gathers=False),
    "follow_asked": Kind(Group.PEOPLE, Filter.REQUESTS),
    "followed": Kind(Group.PEOPLE),
    "follow_accepted": Kind(Group.PEOPLE),
    "follow_rejected": Kind(Group.PEOPLE),
    "moved": Kind(Group.PEOPLE),
    "like": Kind(Group.THANKS),
    "recommended": Kind(Group.THANKS),
    "standing": Kind(Group.STATUS, gathers=False),
    "follows_cut": Kind(Group.STATUS, gathers=False),
    "reported": Kind(Group.STAFF),
}
#: A kind that this version does not know (rows outlive versions).
OTHER: Final = Kind(Group.PEOPLE, gathers=False)
#: What there is of each group, in the order of the settings. Staff alone are told of reports.
GROUPS: Final = tuple(Group)


def of(kind: str) -> Kind:
    """The kind of this name."""
    return KINDS.get(kind, OTHER)


def named_by(filter: Filter) -> str:
    """The names that a filter lets through, as a query takes them; empty where all are."""
    names = [name for name, kind in KINDS.items() if kind.found is filter]
    return f" {' '.join(names)} " if filter is not Filter.EVERYTHING else ""


def counted(rows: Iterable[Mapping[str, object]]) -> dict[Group, int]:
    """Numbers by group, out of numbers by kind; groups of which there is nothing are left out."""
    numbers: dict[Group, int] = {}
    for row in rows:
        group = of(str(row["kind"])).group
        numbers[group] = numbers.get(group, 0) + int(str(row["number"]))
    return {group: numbers[group] for group in GROUPS if group in numbers}
