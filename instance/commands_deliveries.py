"""What `esanum deliveries` does on an open node: plain JSON values in and out, as in instance.commands."""

from __future__ import annotations

from typing import Any

from instance.services import delivery_orders
from instance.services.errors import Rejected
from instance.times import from_ms
from instance.views import deliveries as view
from instance.wiring import Node


async def listed(node: Node, origin: str = "", state: str = "") -> Any:
    """Show every sibling's queue, and list what is dead or waiting (or in the state named)."""
    found = await node.queue.overview(origin=origin or None, state=state or None)
    return {"lanes": [_lane(each) for each in await view.lanes(node, origin)], "rows": found["rows"]}


async def shown(node: Node, id: str) -> Any:
    """Show one delivery; never its body."""
    return await node.queue.show(id)


async def retry(node: Node, by: str, id: str = "", origin: str = "") -> Any:
    """Send dead letters again: one, or all of a sibling; it is recorded who gave the order."""
    if not id and not origin:
        raise Rejected("nothing_named")
    orders = delivery_orders
    return {"retried": await (orders.letter_again(node, id, by) if id else orders.again(node, origin, by))}


async def try_now(node: Node, origin: str, by: str) -> Any:
    """Have what waits for a sibling tried at once, not at its next try."""
    await delivery_orders.try_now(node, origin, by)
    return {"origin": origin}


def _lane(lane: view.Lane) -> dict[str, Any]:
    times = {
        "oldest": lane.oldest, "last_done": lane.last_done, "next_try": lane.next_try,
        "failing_since": lane.failing_since,
    }  # fmt: skip
    return {
        "origin": lane.origin, "policy": lane.policy, "closed": lane.closed, "in_flight": lane.in_flight,
        "failures": lane.failures, "last_code": lane.last_code, "alarm": lane.alarm,
        **{state: lane.number(state) for state in view.STATES},
        **{name: "" if at is None else from_ms(at).isoformat() for name, at in times.items()},
        "by_priority": {state: list(numbers) for state, numbers in lane.queued.items()},
        "counting_ended": list(lane.more),
    }  # fmt: skip
