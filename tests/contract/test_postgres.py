"""What only PostgreSQL has to prove: its sessions, its retries, what it refuses."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from instance.storage import open_store
from instance.storage.postgres import _MIGRATION_LOCK
from instance.storage.store import Conflict, NotSupported, StorageUnavailable, Store, Transaction
from tests.contract.databases import SQL, fresh_postgres

pytestmark = pytest.mark.postgres

_WAITING = "select pid from pg_locks where locktype = 'advisory' and not granted"


@pytest.fixture
async def url(postgres_server: Any) -> str:
    """An empty database."""
    return await fresh_postgres(postgres_server)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """A migrated store."""
    store = await open_store(url, schema_dir=SQL / "schema", queries_dir=SQL / "queries")
    try:
        await store.migrate()
        yield store
    finally:
        await store.close()


async def add(tx: Transaction, note: str, number: int) -> None:
    """Add one note."""
    await tx.run("notes.add", id=note, number=number, body=note, raw=None)


async def test_commits_reach_the_disk_even_where_the_database_says_otherwise(url: str, postgres_server: Any) -> None:
    """A database set to synchronous_commit=off does not weaken what a 2xx means."""
    admin = await asyncpg.connect(url)
    name = await admin.fetchval("select current_database()")
    await admin.execute(f"alter database {name} set synchronous_commit = off")
    await admin.close()
    store = await open_store(url, schema_dir=SQL / "schema", queries_dir=SQL / "queries")
    try:
        await store.migrate()

        assert [] == await store.check()
        assert "on" == await store._pool.fetchval("show synchronous_commit")  # type: ignore[attr-defined]
    finally:
        await store.close()


async def test_a_deadlock_is_run_again(store: Store) -> None:
    """Two units that lock each other's row both succeed; the one that lost is run a second time."""
    runs: list[str] = []
    both = asyncio.Barrier(2)

    async def seed(tx: Transaction) -> None:
        await add(tx, "a", 1)
        await add(tx, "b", 2)

    async def crosswise(tx: Transaction, first: str, second: str) -> None:
        runs.append(first)
        await tx.run("notes.set_body", id=first, body=f"1{first}")
        if len(runs) <= 2:
            await both.wait()
        await tx.run("notes.set_body", id=second, body=f"2{second}")

    await store.write(seed)
    await asyncio.gather(
        store.write(lambda tx: crosswise(tx, "a", "b")), store.write(lambda tx: crosswise(tx, "b", "a"))
    )

    assert 3 == len(runs)


async def test_a_killed_session_is_unavailable_and_the_next_unit_succeeds(store: Store, url: str) -> None:
    """A backend that dies takes its own unit with it and nothing else (F40)."""
    admin = await asyncpg.connect(url)

    async def dies(tx: Transaction) -> None:
        await add(tx, "a", 1)
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'esanum' and datname = current_database() and state <> 'idle'"
        )
        await add(tx, "b", 2)

    async def lives(tx: Transaction) -> None:
        await add(tx, "c", 3)

    with pytest.raises(StorageUnavailable) as lost:
        await store.write(dies)
    await store.write(lives)
    await admin.close()

    assert "storage_failed" == lost.value.code
    assert [{"id": "c", "number": 3}] == await store.all("notes.in_order", most=9)


async def test_messages_keep_the_values_of_the_server_to_themselves(store: Store) -> None:
    """PostgreSQL's detail quotes the row; neither our message nor its cause does."""

    async def twice(tx: Transaction) -> None:
        await add(tx, "secret", 1)
        await add(tx, "secret", 2)

    with pytest.raises(Conflict) as conflict:
        await store.write(twice)

    assert conflict.value.__cause__ is None
    assert conflict.value.__suppress_context__
    assert "secret" not in str(conflict.value)


@pytest.mark.parametrize("ends", ["the caller", "the server"])
async def test_a_migration_that_was_stopped_leaves_no_session_without_a_lock_timeout(
    store: Store, url: str, ends: str
) -> None:
    """Whoever waits for another process's migration may be stopped; sessions lent later wait as long as all others."""
    other = await asyncpg.connect(url)
    await other.execute("select pg_advisory_lock($1)", _MIGRATION_LOCK)
    waits = asyncio.create_task(store.migrate())
    async with asyncio.timeout(10):
        while not await other.fetch(_WAITING):
            await asyncio.sleep(0.01)
    if ends == "the caller":
        waits.cancel()
    else:
        await other.execute(f"select pg_cancel_backend(pid) from ({_WAITING}) as waiting")
    [outcome] = await asyncio.gather(waits, return_exceptions=True)
    timeout = await store._pool.fetchval("show lock_timeout")  # type: ignore[attr-defined]
    left = await other.fetch(_WAITING)
    await other.execute("select pg_advisory_unlock($1)", _MIGRATION_LOCK)
    await other.close()

    assert isinstance(outcome, asyncio.CancelledError if ends == "the caller" else StorageUnavailable)
    assert ("5s", []) == (timeout, left)
    assert 0 == await store.migrate()


async def test_back_ups_are_left_to_its_own_tools(store: Store) -> None:
    """`backup` says which tool to use."""
    with pytest.raises(NotSupported, match="pg_dump"):
        await store.backup("anywhere")


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    """No server: a code, not a driver's exception."""
    with pytest.raises(StorageUnavailable) as refused:
        await open_store("postgresql://nobody@127.0.0.1:1/nothing")

    assert "storage_failed" == refused.value.code


async def test_a_database_of_another_encoding_is_refused(postgres_server: Any) -> None:
    """What a doctor in Athens writes has to fit."""
    url = await fresh_postgres(postgres_server, options="encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'")

    with pytest.raises(NotSupported, match="UTF-8"):
        await open_store(url)


async def test_a_database_that_sorts_by_a_language_is_refused(postgres_server: Any) -> None:
    """Pages are cut by key, so both engines sort alike or the instance does not start."""
    known = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.split()
    language = next((name for name in known if re.fullmatch(r"[a-z]{2}_[A-Z]{2}\.utf-?8", name, re.IGNORECASE)), None)
    if language is None:
        pytest.skip("this machine has no locale of a language, so no database here can sort by one")
    options = f"encoding 'UTF8' lc_collate '{language}' lc_ctype '{language}'"
    url = await fresh_postgres(postgres_server, options=options)

    with pytest.raises(NotSupported, match="code point"):
        await open_store(url)
