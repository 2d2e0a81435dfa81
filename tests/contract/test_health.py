"""What administrators see at one look is read from the rows of either engine alike."""

from __future__ import annotations

import math
from typing import Any

from instance.storage.store import Store
from tests.contract.test_logs import DE, IT, NOW, send

EMPTY = {"waiting": 0, "held": 0, "failed": 0}


async def test_what_is_not_over_is_counted_by_sibling_state_and_priority(product: Store) -> None:
    """With the time of the oldest of each; what is done is not counted."""

    async def work(tx: Any) -> None:
        for number in range(3):
            await send(tx, number, DE, IT)

    await product.write(work)
    found = await product.all("health.deliveries")

    assert {(DE, "waiting"), (IT, "waiting")} == {(each["origin"], each["state"]) for each in found}
    assert {NOW} == {each["oldest"] for each in found}
    assert [3, 3] == [each["number"] for each in found]


async def test_an_empty_instance_counts_nothing(product: Store) -> None:
    """Nought of each, no oldest, and a size."""
    inbound = {each["state"]: each["number"] for each in await product.all("health.inbound")}
    (mails,), (files,) = await product.all("health.mails"), await product.all("health.evidence")
    (database,) = await product.all("health.database")

    assert [] == await product.all("health.deliveries")
    assert EMPTY == inbound
    assert (0, None, 0, 0) == (mails["number"], mails["oldest"], files["number"], files["bytes"])
    assert math.isfinite(database["bytes"])
    assert database["bytes"] > 10_000


async def test_of_a_day_the_highest_is_kept(product: Store) -> None:
    """Whatever the order in which processes count; days before the ninety go."""

    async def work(tx: Any) -> None:
        for day, value in ((100, 5), (100, 2), (101, 1), (101, 7), (3, 9)):
            await tx.run("health.keep", day=day, figure="dossiers", value=value)
        await tx.run("health.tidy", before=10)

    await product.write(work)
    found = await product.all("health.highest", after=0)

    assert {(100, 5), (101, 7)} == {(each["day"], each["value"]) for each in found}
