"""What the desk lists: the queue and what is late, by their filters and a page at a time; figures as bars.

Counts are of everything that waits. A page begins behind a line, not at a number: whoever goes on after a colleague has
decided misses nobody and sees nobody twice.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from instance.services.dossiers.values import DueLine, Figures, QueueLine
from instance.times import to_ms

#: What the queue can be narrowed by.
FILTERS: Final = ("kind", "role", "country")
#: What a line of the queue can be about.
KINDS: Final = ("application", "renewal", "specialist", "name", "together", "register")
#: The lists of what is late: over two working days, near their day, changed in a register, members of a campaign.
LATE: Final = ("waiting", "reverify", "campaign", "register")
AGES: Final = ("under_a_day", "under_two_days", "under_a_week", "longer")
#: How many lines stand on one page.
PER_PAGE: Final = 50
_OF_LINE: Final = {"propose": "together", "confirm": "together", "register": "register"}

Lines: TypeAlias = "Sequence[QueueLine | DueLine]"
Place: TypeAlias = "tuple[int, str]"
Facts: TypeAlias = "tuple[str, str, str]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value a filter can take: how many lines it leaves, and whether it is chosen."""

    value: str
    number: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One page of the lines that the chosen filters leave, and for each filter its values with counts.

    `first` is the number of the page's first line; `after` the address of the next page, empty on the last.
    """

    lines: Lines
    number: int
    total: int
    first: int = 1
    after: str = ""
    chosen: Mapping[str, str] = field(default_factory=dict)
    filters: Mapping[str, Sequence[Choice]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The number of the page's last line."""
        return self.first + len(self.lines) - 1


def kind_of_line(line: QueueLine) -> str:
    """What a line is about, one of KINDS."""
    return line.annex_kind.value if line.annex_kind is not None else _OF_LINE.get(line.wants, "application")


_FACTS: Final[Mapping[str, Callable[[QueueLine], str]]] = {
    "kind": kind_of_line, "role": lambda line: line.role.value, "country": lambda line: line.country,
}  # fmt: skip


def narrowed(lines: Sequence[QueueLine], asked: Mapping[str, str]) -> Listed:
    """Narrow the queue; a filter's counts are of the lines that the other filters leave."""
    counts = Counter((kind_of_line(line), line.role.value, line.country) for line in lines)
    known = [sorted({facts[place] for facts in counts}) for place in range(len(FILTERS))]
    chosen = {name: asked[name] for place, name in enumerate(FILTERS) if asked.get(name) in known[place]}
    filters = {
        name: [_choice(name, place, value, counts, chosen) for value in known[place]]
        for place, name in enumerate(FILTERS)
    }
    wanted = [(_FACTS[name], value) for name, value in chosen.items()]
    left = [line for line in lines if all(fact(line) == value for fact, value in wanted)] if wanted else lines
    return paged(left, asked.get("after", ""), total=len(lines), chosen=chosen, filters=filters)


def _choice(name: str, place: int, value: str, counts: Mapping[Facts, int], chosen: Mapping[str, str]) -> Choice:
    wanted = {FILTERS.index(other): kept for other, kept in chosen.items() if other != name} | {place: value}
    number = sum(
        number for facts, number in counts.items() if all(facts[each] == kept for each, kept in wanted.items())
    )
    return Choice(value=value, number=number, chosen=chosen.get(name) == value)


def paged(
    lines: Lines, after: str, *, total: int, chosen: Mapping[str, str],
    filters: Mapping[str, Sequence[Choice]],
) -> Listed:  # fmt: skip
    """The page behind a line; from the beginning where no such address can be."""
    begin = bisect_right(lines, _read(after), key=_place)
    shown = lines[begin : begin + PER_PAGE]
    more = begin + len(shown) < len(lines)
    return Listed(
        lines=shown, number=len(lines), total=total, first=begin + 1, chosen=chosen, filters=filters,
        after=_written(shown[-1]) if more else "",
    )  # fmt: skip


def _place(line: QueueLine | DueLine) -> Place:
    if isinstance(line, DueLine):
        return to_ms(line.on), line.dossier
    return to_ms(line.since), f"{line.dossier}.{line.annex}.{line.wants}"


def _written(line: QueueLine | DueLine) -> str:
    at, rest = _place(line)
    return f"{at}.{rest}"


def _read(text: str) -> Place:
    at, _, rest = text.partition(".")
    return (int(at), rest) if at.isascii() and at.isdigit() and len(at) <= 15 else (-1, "")


# ── what is late ──


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """What is late or soon will be: how many in each list and each country, and one page of the chosen list."""

    name: str
    tabs: Sequence[Choice]
    countries: Sequence[Choice]
    page: Listed


def late(queue: Sequence[QueueLine], due: Sequence[DueLine], asked: Mapping[str, str]) -> Late:
    """Choose a list and a country; counts of lists are of the chosen country, counts of countries of the list."""
    lists = _lists(queue, due)
    counts = {name: Counter(line.country for line in lines) for name, lines in lists.items()}
    known = sorted({country for each in counts.values() for country in each})
    name = asked["list"] if asked.get("list") in LATE else LATE[0]
    country = asked["country"] if asked.get("country") in known else ""
    numbers = {each: found[country] if country else found.total() for each, found in counts.items()}
    left = [line for line in lists[name] if country in ("", line.country)]
    chosen = {"list": name} | ({"country": country} if country else {})
    return Late(
        name=name,
        tabs=[Choice(value=each, number=numbers[each], chosen=each == name) for each in LATE],
        countries=[Choice(value=each, number=counts[name][each], chosen=each == country) for each in known],
        page=paged(left, asked.get("after", ""), total=len(left), chosen=chosen, filters={}),
    )


def _lists(queue: Sequence[QueueLine], due: Sequence[DueLine]) -> dict[str, Lines]:
    return {
        "waiting": [line for line in queue if line.overdue and line.wants != "register"],
        "reverify": [line for line in due if not line.campaign],
        "campaign": [line for line in due if line.campaign],
        "register": [line for line in queue if line.wants == "register"],
    }


# ── figures ──


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of the small chart: which age, how many, and how long of a hundred."""

    age: str
    number: int
    length: int


def bars(figures: Figures) -> list[Bar]:
    """The waiting by age; the longest bar has the full length, none has no length."""
    numbers = {age: int(getattr(figures, age)) for age in AGES}
    most = max(1, *numbers.values())
    return [Bar(age=age, number=number, length=round(100 * number / most)) for age, number in numbers.items()]
