"""F11: a foreign program reads SQLite's file and does not stop; the WAL grows, somebody hears of it, and it passes."""

from __future__ import annotations

import re
import sqlite3

import pytest

from instance.storage.sqlite_care import MOST_WAL, wal_size

pytestmark = pytest.mark.faults
MIB = 1_048_576


async def test_a_reader_that_does_not_stop_is_told_of_and_hinders_nobody(network, logged):
    """F11: beyond 256 MiB it is logged, counted and in `check`; writing goes on; afterwards the WAL is small again."""
    town = await network("fr")
    node = town["fr"].node
    path = node.config.database.removeprefix("sqlite:///")
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("begin")
    reader.execute("select count(*) from settings").fetchone()

    await node.workers.housekeep()
    quiet = [event["event"] for event in logged()].count("wal_grows")
    await _write(node, MOST_WAL // MIB + 2)
    await node.workers.housekeep()
    found = await node.store.check()
    grown, counted = wal_size(path), _gauge(node)
    reader.execute("rollback")
    reader.close()
    await _write(node, 3, first=9_000)
    await node.workers.housekeep()

    assert 0 == quiet
    assert 1 == [event["event"] for event in logged()].count("wal_grows")
    assert grown == counted > MOST_WAL
    assert 1 == len([one for one in found if "somebody has been reading for very long" in one])
    assert 100 * MIB > wal_size(path) == _gauge(node)


def _gauge(node) -> float:
    found = re.search(r"\nesanum_wal_bytes (\S+)", node.metrics.render().decode())
    return float(found[1])


async def test_a_database_without_a_wal_has_none(tmp_path):
    """The twin: another engine, or a file that is not there."""
    assert 0 == wal_size("postgresql://localhost/esanum")
    assert 0 == wal_size(f"sqlite:///{tmp_path}/none.db")


async def _write(node, mebibytes: int, *, first: int = 0) -> None:
    """Write so much, a mebibyte a commit, over the same row."""
    for number in range(first, first + mebibytes):
        text = f"{number:04}" * (MIB // 4)
        await node.store.write(lambda tx, text=text: tx.run("settings.set", name="made-up", value=text))
