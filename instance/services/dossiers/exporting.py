"""The audit log for the data protection officer, as lines of JSON that another program can recompute.

    {"gone": "destroyed", "first": 1, "last": 40, "before": "sha256:…", "head": "sha256:…"}   a part that is not there
    {"entry": {…}, "hash": "sha256:…"}                                                        an entry as it was hashed

No names stand in it: ids, codes and times, as in the log itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import orjson

from instance.services.dossiers import chain, segments
from instance.services.dossiers.segments import Segment
from instance.storage.store import Row, Transaction
from verification.audit import Head
from verification.people import Actor

if TYPE_CHECKING:
    from instance.wiring import Node

_PAGE: Final = 2_000


async def begin(node: Node, actor: Actor) -> AsyncIterator[bytes]:
    """Record that somebody takes the log away; return its lines up to that entry."""

    async def work(tx: Transaction) -> Head:
        return await chain.append(tx, "export.made", node.clock(), actor.id)

    return _lines(node, (await node.store.write(work)).sequence)


async def _lines(node: Node, last: int) -> AsyncIterator[bytes]:
    for part in await segments.all_of(node.store):
        if part.gone:
            yield _line(_gone(part))
    number = 0
    while number < last and (rows := await node.store.all("audit.page", after=number, most=_PAGE)):
        yield b"".join(_line(_entry(row)) for row in rows if row["n"] <= last)
        number = int(rows[-1]["n"])


def _gone(part: Segment) -> dict[str, object]:
    return {
        "gone": part.gone, "first": part.first, "last": part.last, "before": str(part.before), "head": str(part.head),
    }  # fmt: skip


def _entry(row: Row) -> dict[str, object]:
    """An entry; one that is no JSON any more stands as the text it is."""
    try:
        entry = orjson.loads(row["entry"])
    except ValueError:
        entry = row["entry"]
    return {"entry": entry, "hash": f"sha256:{bytes(row['hash']).hex()}"}


def _line(value: object) -> bytes:
    return orjson.dumps(value) + b"\n"
