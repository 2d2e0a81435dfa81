"""What an administrator sees at one look: whether this instance can do its work, whom it speaks with, what waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from instance.figures import (
    BY_NAME,
    FIGURES,
    PAGE_OF,
    PLACES,
    Figure,
    Finding,
    Part,
    State,
    Unit,
    Values,
    findings,
    state_of,
)
from instance.services.health_days import COUNTED
from instance.services.sibling_days import DAY, SHOWN
from instance.times import to_ms
from instance.views import health
from instance.views.week import Heights, Week, heights, week

if TYPE_CHECKING:
    from instance.wiring import Node

#: The pages of administration, by name and address; the first is where they begin.
TABS: Final = (
    ("overview", "/administration"), ("siblings", "/administration/siblings"), ("pairing", "/administration/pairing"),
    ("list", "/administration/list"), ("messages", "/administration/messages"),
    ("deliveries", "/administration/deliveries"), ("newsroom", "/newsroom"),
)  # fmt: skip
#: The chart of a figure by day that stands in each part.
CHARTS: Final[Mapping[Part, str]] = {
    Part.FEDERATION: "refusals", Part.QUEUES: "deliveries", Part.VERIFICATION: "dossiers", Part.STORAGE: "database",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure: its key in the catalogues, what it is now, and what it asks for."""

    figure: Figure
    #: The value of its label; empty where it has none.
    value: str
    number: float
    state: State

    @property
    def key(self) -> str:
        """How the catalogues call it."""
        return key_of(self.figure, self.value)

    @property
    def first(self) -> bool:
        """Whether it is worth the first look: it asks for somebody, is a main figure, or there is something to say."""
        says = self.number == self.number and self.number != 0 and self.figure.unit is not Unit.TRUTH
        return self.state is not State.OK or self.figure.main or says


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One part of the page."""

    part: Part
    state: State
    lines: Sequence[Line]
    #: The page where more is seen and done; empty where that is done on the server.
    path: str
    #: Which figure the chart shows, and the chart.
    chart: str
    days: Heights | None

    @property
    def first(self) -> list[Line]:
        """What is shown at once."""
        return [line for line in self.lines if line.first]

    @property
    def rest(self) -> list[Line]:
        """What is folded away."""
        return [line for line in self.lines if not line.first]


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """Something to do: what it asks, because of which figure, and where it is done."""

    code: str
    state: State
    line: Line
    place: str
    path: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The state of this instance; nothing of what anybody has written, nobody's name."""

    #: Whether the allowlist could be read; where not, nobody is a sibling.
    readable: bool
    #: Whether nobody is listed: this instance speaks with nobody.
    alone: bool
    #: How many siblings are suspended since they show keys that nobody here has compared.
    alarms: int
    #: How many invitations and requests to become siblings wait.
    pairings: int
    #: What somebody has to do, the urgent first, apart from what these four say.
    todo: Sequence[Todo]
    cards: Sequence[Card]
    #: What went in and out in seven days.
    traffic: Week
    #: Whether copies are made by `esanum backup`; PostgreSQL has its own tools.
    copied_here: bool

    @property
    def state(self) -> State:
        """The worst of all parts."""
        return max(card.state for card in self.cards)


async def overview(node: Node) -> Overview:
    """Return how this instance stands now, by the figures that Prometheus reads."""
    values = await health.read(node)
    found = findings(values)
    today = to_ms(node.clock()) // DAY
    highest = await _highest(node, today)
    return Overview(
        readable=bool(values["allowlist_readable", ""]), alone=not values["siblings_listed", ""],
        alarms=int(values["sibling_key_alarms", ""]), pairings=int(values["pairings_waiting", ""]),
        todo=[_todo(each) for each in found if not each.rule.loud],
        cards=[_card(part, values, found, highest, today) for part in Part],
        traffic=await _traffic(node, today), copied_here=node.store.engine == "sqlite",
    )  # fmt: skip


async def _highest(node: Node, today: int) -> Mapping[str, dict[int, int]]:
    days: dict[str, dict[int, int]] = defaultdict(dict)
    for row in await node.store.all("health.highest", after=today - SHOWN):
        days[row["figure"]][int(row["day"])] = int(row["value"])
    return days


async def _traffic(node: Node, today: int) -> Week:
    rows = await node.store.all("health.days", after=today - SHOWN)
    return week({int(row["day"]): (int(row["received"]), int(row["sent"])) for row in rows}, today)


def _card(
    part: Part, values: Values, found: Sequence[Finding], highest: Mapping[str, dict[int, int]], today: int
) -> Card:
    asks = {(each.rule.figure, each.rule.value): each.state for each in reversed(found)}
    lines = [
        Line(figure=figure, value=value, number=values[figure.name, value], state=_asked(asks, figure, value))
        for figure in FIGURES
        if figure.part is part
        for value in _values_of(figure, values)
    ]
    chart = CHARTS.get(part, "")
    return Card(
        part=part, state=state_of(part, found), lines=lines, path=PLACES[PAGE_OF[part]] if part in PAGE_OF else "",
        chart=chart, days=heights(highest.get(chart, {}), today) if chart in COUNTED else None,
    )  # fmt: skip


def _asked(asks: Mapping[tuple[str, str], State], figure: Figure, value: str) -> State:
    return asks.get((figure.name, value if figure.values else ""), State.OK)


def _values_of(figure: Figure, values: Values) -> list[str]:
    """The values of its label that there are now, in the order of the page."""
    if figure.values:
        return [value for value in figure.values if (figure.name, value) in values]
    return sorted(value for name, value in values if name == figure.name)


def _todo(found: Finding) -> Todo:
    rule = found.rule
    figure = BY_NAME[rule.figure]
    line = Line(figure=figure, value=rule.value, number=found.found, state=found.state)
    path = PLACES[rule.place] if rule.place else ""
    return Todo(code=rule.code, state=found.state, line=line, place=rule.place, path=path, command=rule.command)


def key_of(figure: Figure, value: str) -> str:
    """How the catalogues call a figure, with the value of its label where that has a name."""
    return f"{figure.name}.{value}" if value and figure.values else figure.name
