"""From an activity to its rows, in the transaction of the fact it announces: what is said, to whom, who has a copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

from federation import parse
from federation.allowlist import PASSING, Allowlist, Direction, LocalPolicy
from federation.audience import Target
from federation.delivery import Priority
from federation.sibling_sets import OUTSIDE
from federation.uri import Uri
from federation.vocabulary import Activity, AnyActivity, Comment, Create, Delete, Post, Undo, Update
from instance.ids import new_ulid
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node


@dataclass(frozen=True, slots=True)
class Repeat:
    """An activity that was written before, to be said to one sibling anew; `signer` is the actor whose key signs."""

    activity: Uri
    signer: Uri
    object: str
    priority: int


class Outbox:
    """Writes activities and their deliveries; sends nothing."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def publish(
        self,
        tx: Transaction,
        activity: Activity,
        *,
        body: bytes,
        targets: Sequence[Target],
        audience: str = "",
        object: Uri | str = "",
        priority: int = Priority.REST,
        signer: Uri | None = None,
        narrowed: bool = False,
    ) -> int:
        """Queue the activity, once for each inbox that our allowlist opens; return for how many.

        A Delete goes to every holder of a copy besides, and silences what was still to be said of its object; an Undo
        silences what it undoes. `signer` is the actor whose key signs: the activity's own, or the instance actor for
        what this instance forwards as the home of a thread. `narrowed` says of a Delete that the object lives on for
        fewer people: it is for its targets alone. What concerns other instances' things goes to nobody outside their
        own sets (N3). The caller wakes the worker after the commit.
        """
        at, homes = self._node.clock(), _homes(activity, body, self._node.origin)
        await tx.run(
            "activities.add", uri=activity.id, actor=activity.actor, type=type(activity).__name__, object=object,
            audience=audience, body=body, at=to_ms(at),
        )  # fmt: skip
        wanted = [target for target in targets if self._node.sets(homes, target.origin) != OUTSIDE]
        if isinstance(activity, Delete) and not narrowed:
            await tx.run("deliveries.withdraw_object", object=activity.object, now=to_ms(at))
            wanted += await self._holders(tx, activity.object, wanted)
        elif isinstance(activity, Undo):
            await tx.run("deliveries.withdraw_activity", activity=activity.object, actor=activity.actor, now=to_ms(at))
        kind = _kind_of(activity)
        queued = await self._queue(tx, activity.id, signer or activity.actor, object, kind, priority, wanted, at)
        if homes:
            await self._bind(tx, activity, homes, queued)
        if isinstance(activity, Create | Update) and isinstance(activity.object, Post | Comment):
            await _note_copies(tx, object, queued, at)
            if isinstance(activity, Update):
                await tx.run("circles.withhold_version", object=object, activity=activity.id)
        return len(queued)

    async def say_again(self, tx: Transaction, repeat: Repeat, target: Target) -> bool:
        """Queue a stored activity for one sibling, under a new number of its log, though it was sent there before.

        What still waits to be sent there is left alone; what concerns other instances' things goes to nobody outside
        their own sets (N3). Returns whether it is on its way. The caller wakes the worker after the commit.
        """
        where, at = {"inbox": target.inbox, "activity": repeat.activity}, self._node.clock()
        states = _states(self._node.allowlist(), [target], self._node.origin)
        homes = await self._homes_of(tx, repeat.activity)
        if not states or self._node.sets(homes, target.origin) == OUTSIDE:
            return False
        if await tx.one("deliveries.is_waiting", **where) is not None:
            return True
        state = {"state": states[target], "priority": int(repeat.priority), "origin": target.origin, "now": to_ms(at)}
        await tx.many("lanes.number", [{"origin": target.origin}])
        if not await tx.run("deliveries.again", **where, **state):
            await tx.run(
                "deliveries.add", id=new_ulid(at), shared=int(target.shared), actor=repeat.signer,
                object=repeat.object, kind="", **where, **state,
            )  # fmt: skip
        bound = {"activity": repeat.activity, "origin": target.origin}
        await tx.run("sibling_sets.bind_delivery", **bound, homes=_joined(homes - {target.origin}))
        return True

    async def _homes_of(self, tx: Transaction, activity: Uri) -> frozenset[str]:
        """Whose things a stored activity concerns; what another's doctor said and nobody was sent yet is bound now."""
        row = await tx.one("sibling_sets.homes_of", activity=activity)
        if row is None:
            return frozenset()
        homes = frozenset(row["homes"].split())
        if not homes and not row["actor"].startswith(f"{self._node.origin}/"):
            homes = parse.hosts_in(bytes(row["body"])) - {self._node.origin}
            await tx.run("sibling_sets.bind_activity", activity=activity, homes=_joined(homes))
        return homes

    async def _queue(
        self,
        tx: Transaction,
        activity: Uri,
        signer: Uri,
        object: str,
        kind: str,
        priority: int,
        targets: Sequence[Target],
        at: datetime,
    ) -> list[Target]:
        """Write a row for each inbox that is open, or will be, with one number for each sibling; return which."""
        states = _states(self._node.allowlist(), targets, self._node.origin)
        rows = [
            {
                "id": new_ulid(at), "origin": target.origin, "inbox": target.inbox, "shared": int(target.shared),
                "activity": activity, "actor": signer, "object": object, "priority": int(priority), "state": state,
                "now": to_ms(at), "kind": kind,
            }
            for target, state in states.items()
        ]  # fmt: skip
        await tx.many("lanes.number", [{"origin": origin} for origin in _origins(states)])
        await tx.many("deliveries.add", rows)
        return list(states)

    async def _bind(self, tx: Transaction, activity: Activity, homes: frozenset[str], queued: Sequence[Target]) -> None:
        """Note whose things it concerns, so that it is asked again when it is sent, and wherever it is shown.

        A withdrawal goes to whoever may hold what it withdraws: it names nothing that was not said there.
        """
        await tx.run("sibling_sets.bind_activity", activity=activity.id, homes=_joined(homes))
        free: set[str] = set()
        if isinstance(activity, Delete):
            free = {row["origin"] for row in await tx.all("sibling_sets.may_hold", object=activity.object)}
        bound = [
            {"activity": activity.id, "origin": origin, "homes": _joined(homes - {origin})}
            for origin in _origins(queued)
            if origin not in free and homes - {origin}
        ]
        await tx.many("sibling_sets.bind_delivery", bound)

    async def _holders(self, tx: Transaction, object: Uri, known: Sequence[Target]) -> list[Target]:
        """Return the shared inboxes of holders that are not among the targets."""
        served = {target.origin for target in known}
        rows = await tx.all("copies.holders", object=object)
        return [Target(row["origin"], Uri.parse(row["inbox"]), True) for row in rows if row["origin"] not in served]


def _homes(activity: Activity, body: bytes, own: str) -> frozenset[str]:
    """Other instances whose things an activity names; what takes back our own words names only what was said there."""
    forwarded = activity.actor.origin != own
    if not forwarded and isinstance(activity, Delete | Undo):
        return frozenset()
    # What another's doctor wrote is asked in every field it came with; of ours there are no others than are known.
    return (parse.hosts_in(body) if forwarded else parse.addressed_hosts(cast("AnyActivity", activity))) - {own}


def _joined(homes: Iterable[str]) -> str:
    return " ".join(sorted(homes))


def _kind_of(activity: Activity) -> str:
    """The kind of the post that is sent, or sent anew; empty for everything else."""
    match activity:
        case Create(object=Post() as post) | Update(object=Post() as post):
            return post.kind.value
        case _:
            return ""


def _states(allowlist: Allowlist, targets: Sequence[Target], own: str) -> dict[Target, str]:
    """Return the state each target's row begins in, each inbox once; what the allowlist closes for good has none."""
    states: dict[Target, str] = {}
    inboxes: set[Uri] = set()
    for target in targets:
        sibling = allowlist.find(target.origin)
        if sibling is None or target.origin == own or target.inbox in inboxes or target.inbox.origin != target.origin:
            continue
        refusal = sibling.refusal(Direction.OUT)
        if refusal is None or (refusal in PASSING and sibling.policy is not LocalPolicy.BLOCK):
            inboxes.add(target.inbox)
            states[target] = "waiting" if refusal is None else "held"
    return states


def _origins(targets: Iterable[Target]) -> list[str]:
    """In one order for everybody, so that two transactions never wait for each other's lanes."""
    return sorted({target.origin for target in targets})


async def _note_copies(tx: Transaction, object: str, targets: Iterable[Target], at: datetime) -> None:
    rows = [{"object": object, "origin": origin, "at": to_ms(at)} for origin in _origins(targets)]
    await tx.many("copies.add", rows)
