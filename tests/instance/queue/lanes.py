"""Lanes that send through the test's wire, and what is looked at afterwards."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

from federation.courier import Courier
from federation.lanes import Lanes
from federation.ports import Answer, Delivery
from federation.uri import Uri
from instance.queue import Queue
from tests.instance.parts import DE, HOME, Parts


def lanes(fr: Parts, queue: Queue | None = None) -> Lanes:
    """Lanes that send through the test's wire; a fault of theirs is a failure of the test."""

    async def may_send(actor: Uri) -> bool:
        return True

    async def reread(delivery: Delivery) -> Uri | None:
        return None

    def fault(where: str, error: BaseException) -> None:
        raise error

    queue = queue or fr.queue
    courier = Courier(
        fr.allowlist, fr.keys, fr.wire, queue, may_send, reread, fr.clock, instance_actor=HOME, rng=Random(1)
    )
    return Lanes(courier, queue, fr.clock, fault=fault, wake=lambda: None)


async def settle(fr: Parts, queue: Queue | None = None) -> int:
    """Empty every lane that is due; return how many lanes that were."""
    at_work = lanes(fr, queue)
    begun = await at_work.start_due()
    await at_work.quiet()
    await at_work.stop(1)
    return begun


def answering(*answers: Answer) -> Callable[[Uri, bytes], Any]:
    """Answer by turns, the last one for ever."""
    left = list(answers)

    async def answer(url: Uri, body: bytes) -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


async def lane(fr: Parts, origin: str = DE) -> dict[str, Any]:
    """How a lane stands."""
    return next(dict(row) for row in await fr.store.all("lanes.all") if row["origin"] == origin)


def sent(fr: Parts, origin: str = DE) -> list[str]:
    """The activities a sibling was sent, in order."""
    return [body.decode() for url, body in fr.wire.posts if url.origin == origin]


def contact_with(origin: str, folder: Path) -> sqlite3.Row:
    """What is written down of the contact with a sibling."""
    with closing(sqlite3.connect(folder / "fr.sqlite")) as file:
        file.row_factory = sqlite3.Row
        found: sqlite3.Row = file.execute("select * from sibling_contacts where origin = ?", [origin]).fetchone()
    return found
