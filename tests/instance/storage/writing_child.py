"""A process that writes notes, 32 in flight, and prints the id of each after its commit, until it is killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from instance.storage import open_store
from instance.storage.store import Store, Transaction
from tests.contract.databases import SQL


async def main(path: str, prefix: str) -> None:
    """Write for ever."""
    store = await open_store(Path(path), schema_dir=SQL / "schema", queries_dir=SQL / "queries")
    await store.migrate()
    await asyncio.gather(*(lane(store, f"{prefix}-{number}") for number in range(32)))


async def lane(store: Store, prefix: str) -> None:
    """Write one note after the other; a note and its tag belong together."""
    number = 0
    while True:
        number += 1
        note = f"{prefix}-{number}"

        async def work(tx: Transaction, note: str = note, number: int = number) -> None:
            await tx.run("notes.add", id=note, number=number, body=note + "x" * 1600, raw=None)
            await tx.run("notes.tag", note=note, word="w", weight=1)

        await store.write(work)
        sys.stdout.write(note + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
