"""What a poll's votes come to, by option and by specialty; so that a number of one or two shows nobody's choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from verification import specialties

#: A specialty with fewer votes stands under the others.
FEWEST: Final = 3
#: Where those stand, beside the slugs of specialties.
OTHERS: Final = "others"
_MOST: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each option was chosen: by all, and by specialty, each a number for every option."""

    totals: tuple[int, ...]
    by_specialty: Mapping[str, tuple[int, ...]]

    def with_one(self, place: int) -> Tally:
        """The same with one more vote in this place."""
        totals = tuple(number + (at == place) for at, number in enumerate(self.totals))
        return Tally(totals, self.by_specialty)

    @property
    def number(self) -> int:
        """How many have voted."""
        return sum(self.totals)


def count(votes: Iterable[tuple[int, str, int]], options: int) -> Tally:
    """Return the tally of (option, specialty, number) for so many options."""
    totals = [0] * options
    found: dict[str, list[int]] = {}
    for choice, specialty, number in votes:
        if 0 <= choice < options:
            totals[choice] += number
            found.setdefault(specialty, [0] * options)[choice] += number
    return Tally(tuple(totals), folded(found))


def folded(found: Mapping[str, Sequence[int]]) -> dict[str, tuple[int, ...]]:
    """Put what has fewer than three votes under the others, and the smallest with it where those are too few still.

    Whoever knows all but one number would know that one: the others, too, are three or more, or everybody.
    """
    shown = {slug: numbers for slug, numbers in found.items() if slug != OTHERS and sum(numbers) >= FEWEST}
    rest = [numbers for slug, numbers in found.items() if slug not in shown]
    while shown and 0 < sum(map(sum, rest)) < FEWEST:
        smallest = min(shown, key=lambda slug: (sum(shown[slug]), slug))
        rest.append(shown.pop(smallest))
    ordered: dict[str, tuple[int, ...]] = {
        slug: tuple(numbers) for slug, numbers in sorted(shown.items(), key=lambda item: (-sum(item[1]), item[0]))
    }
    if any(map(sum, rest)):
        ordered[OTHERS] = tuple(map(sum, zip(*rest, strict=True)))
    return ordered


def read(document: Any, options: int) -> dict[str, tuple[int, ...]]:
    """Return what a sibling says by specialty: known specialties with a number for every option, folded like ours."""
    if not isinstance(document, dict):
        return {}
    found: dict[str, list[int]] = {}
    for slug, numbers in document.items():
        fits = isinstance(numbers, list) and len(numbers) == options
        if not fits or not all(type(each) is int and 0 <= each <= _MOST for each in numbers):
            return {}
        known = slug if specialties.known(slug) else OTHERS
        found[known] = [a + b for a, b in zip(found.get(known, [0] * options), numbers, strict=True)]
    return folded(found)
