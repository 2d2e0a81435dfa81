"""Figures by day, for the small charts of a week: of each day the highest that was counted.

Counted every ten minutes from the figures that administrators and Prometheus see; whichever process counts, the highest
stands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from instance.figures import Values
from instance.services.sibling_days import DAY, KEPT
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: By the name under which a day is kept: the figures that are added up.
COUNTED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "deliveries": (("deliveries", "waiting"), ("deliveries", "resting"), ("deliveries", "held")),
    "refusals": (("refusals_day", "in"), ("refusals_day", "out")),
    "dossiers": (("dossiers_waiting", ""),),
    "database": (("database_bytes", ""),),
}
EVERY: Final = timedelta(minutes=10)


def counted(values: Values) -> dict[str, int]:
    """Return what is kept of these figures; one that is missing is left out."""
    sums = {name: sum(values.get(key, math.nan) for key in keys) for name, keys in COUNTED.items()}
    return {name: int(found) for name, found in sums.items() if math.isfinite(found)}


async def keep(node: Node, values: Values) -> None:
    """Keep the highest of today."""
    today = to_ms(node.clock()) // DAY

    async def work(tx: Transaction) -> None:
        lines = [{"day": today, "figure": name, "value": value} for name, value in counted(values).items()]
        await tx.many("health.keep", lines)
        await tx.run("health.tidy", before=today - KEPT.days)

    await node.store.write(work)
