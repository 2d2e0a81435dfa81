"""How far siblings' clocks are from ours, by the times their answers bear; beyond a minute somebody must hear of it.

A message is refused as stale at five minutes. Whoever is told at one minute mends a clock, not a federation.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from instance.wiring import Node

#: Beyond this the administrator is told.
LIMIT: Final = timedelta(seconds=60)
#: While it lasts it is logged so often.
AGAIN: Final = timedelta(hours=1)


@dataclass(slots=True)
class _Off:
    """A clock that is wrong, or ours is."""

    by: timedelta
    logged: datetime | None = None


class SiblingClocks:
    """Hears the time of a sibling with each of its answers; implements `federation.ports.Hears`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._off: dict[str, _Off] = {}
        self._last: dict[str, timedelta] = {}

    def __call__(self, origin: str, said: datetime) -> None:
        """Note what time it is there, and say so where that is too far from ours."""
        now = self._node.clock()
        self._last[origin] = said - now
        if abs(said - now) <= LIMIT:
            if self._off.pop(origin, None) is None:
                return  # as nearly always
        else:
            off = self._off.setdefault(origin, _Off(said - now))
            off.by = said - now
            if off.logged is None or abs(now - off.logged) >= AGAIN:
                off.logged = now
                self._node.log.warning("clock_skew", sibling=origin, ms=_ms(off.by))
        self._count()

    def offset(self, origin: str) -> timedelta | None:
        """Return how far its clock was ahead of ours at its last answer to this process; None where there was none."""
        return self._last.get(origin)

    def forget_strangers(self) -> None:
        """Say nothing more of whoever is no sibling any more."""
        allowlist = self._node.allowlist()
        self._off = {origin: off for origin, off in self._off.items() if allowlist.find(origin) is not None}
        self._last = {origin: by for origin, by in self._last.items() if allowlist.find(origin) is not None}
        self._count()

    @property
    def farthest(self) -> float:
        """By how many seconds the clock that is farthest from ours is off; 0 where none is beyond a minute."""
        return max((abs(off.by.total_seconds()) for off in self._off.values()), default=0.0)

    def _count(self) -> None:
        self._node.metrics.skew.set(self.farthest)

    def findings(self) -> list[str]:
        """Every clock that is too far from ours, in sentences."""
        self.forget_strangers()
        return [
            f"warning: the clock of {origin} is {abs(off.by).total_seconds():.0f} s {_which_way(off.by)} ours;"
            " set both by the network (NTP)"
            for origin, off in sorted(self._off.items())
        ]


def _ms(by: timedelta) -> int:
    return int(by.total_seconds() * 1000)


def _which_way(by: timedelta) -> str:
    return "ahead of" if by > timedelta() else "behind"
