"""What another allowlist would have made of the last seven days: one sibling's messages, asked of what decides.

Nothing is changed. Messages are counted by the facts the decision rests on, so that a hundred thousand cost one look;
what a message names beside its sender is not replayed. Codes raised here: see CODES.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation.allowlist import Allowlist, Direction, LocalPolicy, Sibling
from federation.errors import SiblingPaused, SiblingReadOnly
from federation.replaying import OF_LIST, Past, replay
from federation.trail import Step
from federation.uri import BadUri, Uri, parse_origin
from federation.vocabulary import PostKind
from instance.ids import first_ulid
from instance.services.errors import Rejected
from instance.storage.store import Row
from instance.views.messages import EVER, Line, to_line

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("bad_origin", "bad_policy", "bad_search", "unknown_sibling", "already_a_sibling")
REMOVE: Final = "remove"
KINDS: Final = "kinds"
ADD: Final = "add"
#: What can be tried, in the order pages offer it.
CHANGES: Final = (*(policy.value for policy in LocalPolicy), KINDS, REMOVE, ADD)
SINCE: Final = timedelta(days=7)
#: How many of the messages that change are listed, and how many are looked at for that.
LISTED: Final = 50
_LOOKED_AT: Final = 5_000
_BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is tried: a policy, other kinds, removing or adding."""

    origin: str
    change: str
    kinds_in: frozenset[PostKind] = frozenset()
    kinds_out: frozenset[PostKind] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """So many messages of one day and direction that would have been decided otherwise; codes as in `replay`."""

    day: date
    direction: str
    before: str
    after: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One day of the chart: messages in (with reads) and out that change, and how long their bars are of a hundred."""

    day: date
    incoming: int
    outgoing: int
    incoming_length: int
    outgoing_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What would have been otherwise."""

    #: All messages of the seven days, and those of them that change.
    total: int
    number: int
    changed: Sequence[Changed]
    bars: Sequence[Bar]
    #: The newest that change, each with the code it would have; no more than LISTED.
    lines: Sequence[tuple[Line, str]]


def changed_list(allowlist: Allowlist, change: Change) -> Allowlist:
    """Return the list as it would be; raise Rejected for a change that cannot be made of it."""
    if change.change not in CHANGES:
        raise Rejected("bad_policy", "change")
    sibling = allowlist.find(change.origin)
    siblings = dict(allowlist.siblings)
    if change.change == ADD:
        if sibling is not None:
            raise Rejected("already_a_sibling", "origin", status=409)
        siblings[change.origin] = _newcomer(change.origin)
    elif sibling is None:
        raise Rejected("unknown_sibling", "origin", status=404)
    elif change.change == REMOVE:
        del siblings[change.origin]
    elif change.change == KINDS:
        siblings[change.origin] = replace(sibling, kinds_in=change.kinds_in, kinds_out=change.kinds_out)
    else:
        siblings[change.origin] = replace(sibling, policy=LocalPolicy(change.change))
    return Allowlist(allowlist.version, siblings)


def read_change(origin: str, change: str, kinds_in: Iterable[str], kinds_out: Iterable[str]) -> Change:
    """Read what a form or a command says; raise Rejected."""
    try:
        return Change(
            origin=parse_origin(origin.strip().rstrip("/")), change=change,
            kinds_in=frozenset(map(PostKind, kinds_in)), kinds_out=frozenset(map(PostKind, kinds_out)),
        )  # fmt: skip
    except BadUri:
        raise Rejected("bad_origin", "origin") from None
    except ValueError:
        raise Rejected("bad_search", "kinds_in") from None


async def ask(node: Node, change: Change) -> Outcome:
    """Replay the sibling's last seven days under the changed list; change nothing. Raises Rejected."""
    changed = changed_list(await node.allowlist.refresh_if_changed(), change)
    now = node.clock()
    since = first_ulid(now - SINCE)
    rows = await node.store.all("messages.facts", origin=change.origin, since=since)
    total, counts = 0, Counter[tuple[date, str, str, str]]()
    for row in rows:
        number = int(row["number"])
        total += number
        before, after = _decided(row, change.origin, changed)
        if before != after:
            day = datetime.fromtimestamp(int(row["day"]) * 86_400, UTC).date()
            counts[day, row["direction"], before, after] += number
    found = [
        Changed(day=day, direction=direction, before=before, after=after, number=number)
        for (day, direction, before, after), number in sorted(counts.items())
    ]
    lines = await _lines(node, change.origin, changed, since) if found else []
    return Outcome(total=total, number=counts.total(), changed=found, bars=_bars(found, now), lines=lines)


def _decided(row: Row, origin: str, allowlist: Allowlist) -> tuple[str, str]:
    """How a message was decided, and how it would be."""
    past = _past(row, origin)
    return past.code, replay(past, allowlist)


def _past(row: Row, origin: str) -> Past:
    direction = Direction(row["direction"])
    kind = PostKind(row["kind"]) if row["kind"] in set(PostKind) else None
    if direction is Direction.OUT:
        code, step = _of_delivery(row)
    else:
        code = row["code"] if row["verdict"] == "refused" else ""
        step = Step(int(row["step"])) if code else Step.UNKNOWN
    return Past(direction, origin, code, step, kind)


def _of_delivery(row: Row) -> tuple[str, Step]:
    """What we decided about a delivery ourselves: what the other side answered is no decision of our list.

    What a pause holds has no code of its own until it is tried; what its author took back was not the list's doing.
    """
    verdict, code = row["verdict"], row["code"]
    if verdict == "held":
        return code if code in _HELD_FOR else SiblingPaused.code, Step.LISTED
    if verdict == "dropped":
        return code, Step.LISTED if code in OF_LIST else Step.REQUEST
    return "", Step.UNKNOWN


#: Why we hold a delivery ourselves; every other code of one that is held is an answer from before.
_HELD_FOR: Final = frozenset({SiblingReadOnly.code, "no_standing"})


def _newcomer(origin: str) -> Sibling:
    return Sibling(
        origin=origin, actor=Uri.parse(origin + "/actor"), name="", country="", since=datetime.min.replace(tzinfo=UTC),
        instance_keys=frozenset(), issuer_keys=(), may_issue_for=frozenset(),
    )  # fmt: skip


async def _lines(node: Node, origin: str, allowlist: Allowlist, since: str) -> list[tuple[Line, str]]:
    """The newest messages that change, out of so many that were looked at."""
    found: list[tuple[Line, str]] = []
    until = first_ulid(EVER)
    for _ in range(_LOOKED_AT // _BATCH):
        rows = await node.store.all("messages.lines", origin=origin, since=since, until=until, most=_BATCH)
        for row in rows:
            before, after = _decided(row, origin, allowlist)
            if before != after:
                found.append((to_line(row), after))
        if len(found) >= LISTED or len(rows) < _BATCH:
            break
        until = rows[-1]["id"]
    return found[:LISTED]


def _bars(found: Sequence[Changed], now: datetime) -> list[Bar]:
    """A bar for each of the eight days that seven times twenty-four hours touch."""
    numbers = Counter[tuple[date, bool]]()
    for each in found:
        numbers[each.day, each.direction == "out"] += each.number
    most = max(1, *numbers.values()) if numbers else 1
    days = [(now - SINCE + timedelta(days=back)).date() for back in range(SINCE.days + 1)]
    return [
        Bar(
            day=day, incoming=numbers[day, False], outgoing=numbers[day, True],
            incoming_length=round(100 * numbers[day, False] / most),
            outgoing_length=round(100 * numbers[day, True] / most),
        )
        for day in days
    ]  # fmt: skip
