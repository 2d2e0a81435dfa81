"""The evidence vault keeps its promises over both databases; bytes and keys lie in the data folder either way."""

from __future__ import annotations

import asyncio
from pathlib import Path

from instance.storage.store import Transaction
from tests.instance.vaults import DOSSIER, OTHER, keeper
from verification.documents import BadFile


async def test_evidence_is_kept_and_destroyed(address: str, tmp_path: Path) -> None:
    """Put, seen, noticed again, scheduled, swept: the same on both engines."""
    data = tmp_path / "data"
    data.mkdir()
    async with keeper(data, address if address.startswith("postgresql") else "") as held:
        file, same = await held.put(), await held.put(dossier=OTHER)
        assert await held.see(file)

        async def schedule(tx: Transaction) -> None:
            await held.vault.schedule(tx, OTHER, None)

        await held.store.write(schedule)
        hits = await held.vault.same(file)
        held.clock.move(days=31)
        swept = await held.vault.sweep()
        await held.again()
        gone = await held.row(file)

        assert ([OTHER], 1) == (hits, swept)
        assert {same.id} == held.sealed() == held.keys()
        assert gone is not None
        assert gone["destroyed_at"] is not None
        assert [same] == [_undated(one, same) for one in await held.vault.files(OTHER)]


def _undated(one, same):  # type: ignore[no-untyped-def]
    """Its date was taken away after it was kept; everything else is as it was."""
    from dataclasses import replace

    assert one.destroy_at is None
    return replace(one, destroy_at=same.destroy_at)


async def test_six_files_at_once_are_six(address: str, tmp_path: Path) -> None:
    """Whoever comes seventh is refused, also when all come in the same moment."""
    data = tmp_path / "data"
    data.mkdir()
    async with keeper(data, address if address.startswith("postgresql") else "") as held:
        done = await asyncio.gather(*(held.put(f"{number}") for number in range(7)), return_exceptions=True)

        assert 1 == sum(isinstance(one, BadFile) for one in done)
        assert 6 == len(await held.vault.files(DOSSIER)) == len(held.sealed())
