"""The small charts of a week: bars that templates draw as SVG, with the numbers that say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from instance.services.sibling_days import SHOWN

#: How high the longest bar of the chart is, and how wide a bar is.
_HEIGHT: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day of the chart: where its two bars stand, and how high they are of _HEIGHT."""

    left: int
    received: int
    sent: int
    received_height: int
    sent_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """Seven days, the oldest first, today the last."""

    bars: Sequence[Bar]
    received: int
    sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heights:
    """Seven days of one figure, the oldest first, today the last; a day that was not counted has no number."""

    #: Where a bar stands, how high it is, and of what.
    bars: Sequence[tuple[int, int, int | None]]

    @property
    def numbers(self) -> list[int | None]:
        """What the bars say."""
        return [number for _, _, number in self.bars]

    @property
    def counted(self) -> bool:
        """Whether any of these days was counted."""
        return any(number is not None for number in self.numbers)


def week(days: Mapping[int, tuple[int, int]], today: int) -> Week:
    """Return the chart of the seven days that end today (days since the epoch)."""
    found = [days.get(day, (0, 0)) for day in _days(today)]
    most = max(1, *(max(pair) for pair in found))
    bars = [
        Bar(
            left=20 * place, received=received, sent=sent, received_height=_high(received, most),
            sent_height=_high(sent, most),
        )
        for place, (received, sent) in enumerate(found)
    ]  # fmt: skip
    return Week(bars=bars, received=sum(pair[0] for pair in found), sent=sum(pair[1] for pair in found))


def heights(days: Mapping[int, int], today: int) -> Heights:
    """Return the same chart of one figure."""
    found = [days.get(day) for day in _days(today)]
    most = max(1, *(number or 0 for number in found))
    return Heights(bars=[(20 * place, _high(number or 0, most), number) for place, number in enumerate(found)])


def _days(today: int) -> range:
    return range(today - SHOWN + 1, today + 1)


def _high(number: int, most: int) -> int:
    """At least one where there was anything."""
    return max(1, number * _HEIGHT // most) if number else 0
