"""The queue out as administrators see it: how far behind each sibling is, why, and which letters are dead.

Whoever calls has asked whether this person may see it. Kinds, ids and codes are in here, and nothing anybody has
written. What a page costs goes with the number of siblings, however much waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from federation.allowlist import Direction
from instance.services.errors import Missing
from instance.services.sibling_entries import authority_of
from instance.storage.store import Row
from instance.times import from_ms, to_ms
from instance.views.messages import sentence_of

if TYPE_CHECKING:
    from instance.wiring import Node

STATES: Final = ("waiting", "resting", "held", "dead")
#: 0 revocation, suspension, erasure · 1 Delete, Undo · 2 named doctors · 3 the rest (federation.delivery.Priority).
PRIORITIES: Final = (0, 1, 2, 3)
#: So far each state and priority of a lane is counted where every lane is shown, and where one is.
COUNTED, COUNTED_OF_ONE = 10_000, 100_000
PER_PAGE: Final = 50
_END: Final = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One sibling's queue; times are milliseconds."""

    origin: str
    authority: str
    name: str
    #: The local policy; empty for whoever is not listed.
    policy: str
    former: bool
    #: The code of what keeps the way out shut, empty where it is open.
    closed: str
    #: By state, and in it by priority; where `more`, counting ended somewhere.
    queued: Mapping[str, Sequence[int]]
    more: Sequence[str]
    #: On the way at this moment: from this process, and whether another one empties the lane.
    in_flight: int
    elsewhere: bool
    #: Since when the oldest waits that is not dead; None where nothing waits.
    oldest: int | None
    lag: timedelta | None
    last_done: int | None
    last_answered: int | None
    #: Failures in a row, since when, and when the next try is; None where nothing has to be waited for.
    failures: int
    failing_since: int | None
    next_try: int | None
    alarm: str
    last_code: str
    last_code_at: int | None

    @property
    def open(self) -> bool:
        """Whether anything may be sent there."""
        return not self.closed

    @property
    def waiting(self) -> bool:
        """Whether anything is to be sent that is not held."""
        return bool(self.number("waiting") or self.number("resting"))

    @property
    def sentence(self) -> str:
        """Which of KNOWN_CODES explains the last fault."""
        return sentence_of(self.last_code)

    def number(self, state: str) -> int:
        """How many are in that state."""
        return sum(self.queued[state])


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter; times are milliseconds."""

    id: str
    type: str
    kind: str
    priority: int
    attempts: int
    status: int
    code: str
    written: int
    dead: int

    @property
    def sentence(self) -> str:
        """Which of KNOWN_CODES explains it."""
        return sentence_of(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """A page of dead letters, the newest first; `after` is where the next begins, empty on the last."""

    letters: Sequence[Letter]
    after: str = ""


async def lanes(node: Node, origin: str = "") -> list[Lane]:
    """Return every lane, or that of one origin, by name."""
    allowlist, now = await node.allowlist.refresh_if_changed(), to_ms(node.clock())
    rows = await node.store.all("delivery_pages.lanes", origin=origin, now=now)
    most = COUNTED_OF_ONE if origin else COUNTED
    queued: dict[str, list[Row]] = defaultdict(list)
    for each in await node.store.all("delivery_pages.queued", origin=origin, most=most) if rows else []:
        queued[each["origin"]].append(each)
    flying = node.workers.in_flight
    found = []
    for row in rows:
        sibling = allowlist.find(row["origin"])
        refusal = None if sibling is None else sibling.refusal(Direction.OUT)
        closed = "not_a_sibling" if sibling is None else refusal.code if refusal else ""
        found.append(_lane(row, queued[row["origin"]], closed, flying.get(row["origin"], 0), now, most))
    return found


async def lane(node: Node, authority: str) -> Lane:
    """Return the lane of one sibling, or of one that has left; raise Missing."""
    row = await node.store.one("delivery_pages.by_authority", authority=authority)
    found = await lanes(node, row["origin"]) if row is not None else []
    if not found:
        raise Missing()
    return found[0]


async def dead(node: Node, origin: str, before: str = "") -> Letters:
    """Return a page of an origin's dead letters."""
    rows = await node.store.all("delivery_pages.dead", origin=origin, before=before or _END, most=PER_PAGE + 1)
    letters = [
        Letter(
            id=row["id"], type=row["type"], kind=row["kind"], priority=row["priority"], attempts=row["attempts"],
            status=row["status"], code=row["last_code"], written=row["created_at"],
            dead=row["settled_at"] or row["created_at"],
        )
        for row in rows[:PER_PAGE]
    ]  # fmt: skip
    return Letters(letters=letters, after=letters[-1].id if len(rows) > PER_PAGE else "")


def _lane(row: Row, queued: Sequence[Row], closed: str, in_flight: int, now: int, most: int) -> Lane:
    numbers = {(each["state"], each["priority"]): int(each["number"]) for each in queued}
    oldest = min((each["oldest"] for each in queued if each["state"] != "dead" and each["oldest"]), default=None)
    waits = any(numbers.get((state, each)) for state in ("waiting", "resting") for each in PRIORITIES)
    return Lane(
        origin=row["origin"], authority=authority_of(row["origin"]), name=row["name"] or authority_of(row["origin"]),
        policy=row["policy"], former=bool(row["former"]), closed=closed,
        queued={state: [numbers.get((state, each), 0) for each in PRIORITIES] for state in STATES},
        more=[state for state in STATES if any(numbers.get((state, each), 0) >= most for each in PRIORITIES)],
        in_flight=in_flight, elsewhere=bool(row["owned"]) and not in_flight, oldest=oldest,
        lag=None if oldest is None else max(timedelta(0), from_ms(now) - from_ms(oldest)),
        last_done=row["last_done_at"], last_answered=row["last_out_at"], failures=row["failures"],
        failing_since=row["failing_since"],
        next_try=row["next_at"] if waits and not closed and row["next_at"] > now else None, alarm=row["alarm"],
        last_code=row["last_fault"] or "", last_code_at=row["last_fault_at"],
    )  # fmt: skip
