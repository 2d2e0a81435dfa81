"""The other engine: PostgreSQL through asyncpg, for a country that has outgrown one machine.

Sessions are read-only unless a unit of work begins: a query that changes rows is refused outside one on both engines.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from instance.storage.errors import MigrationFailed, NotSupported, SchemaChanged, StorageUnavailable
from instance.storage.migrate import APPLIED, TABLE, Migration, missing, read_migrations
from instance.storage.queries import Engine, Queries
from instance.storage.store import Look, Row, Work

try:
    import asyncpg  # type: ignore[import-untyped]

    from instance.storage.postgres_rows import AGAIN, FAILURES, Rows, meaning
except ImportError:
    raise NotSupported("PostgreSQL needs the extra: pip install 'esanum-federation[postgres]'") from None

T = TypeVar("T")

POOL = 10
ACQUIRE_SECONDS = 5.0
TRIES = 5
# Any number does, as long as nothing else in the database takes it.
_MIGRATION_LOCK = 0x6573616E_756D

_SESSION = {
    "application_name": "esanum",
    "default_transaction_read_only": "on",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
    "lock_timeout": "5s",
    "search_path": "public",
    "synchronous_commit": "on",
    "timezone": "UTC",
}
_WRITE = "begin isolation level read committed read write"
_READ = "begin isolation level repeatable read read only"


class PostgresStore:
    """`Store` over a PostgreSQL database."""

    engine: Engine = "postgres"

    def __init__(self, pool: Any, schema_dir: Path, queries_dir: Path) -> None:
        self._pool = pool
        self._schema = schema_dir
        self._queries = Queries(queries_dir, "postgres")
        self._closed = False
        self.commits = 0

    async def write(self, work: Work[T], *, brief: bool = False) -> T:
        """Run the unit of work in a transaction of its own; again after a deadlock, at most five times."""
        for attempt in range(1, TRIES + 1):
            try:
                async with self._session() as connection:
                    result: T = await self._within(connection, _WRITE, work)
                self.commits += 1
                return result
            except AGAIN as error:
                if attempt == TRIES:
                    raise meaning(error, "commit") from None
                await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311
        raise AssertionError("unreachable")

    async def read(self, look: Look[T]) -> T:
        """Run several reads against one snapshot."""
        async with self._session() as connection:
            found: T = await self._within(connection, _READ, look)
            return found

    async def one(self, query: str, /, **values: Any) -> Row | None:
        """Return the first row, or None."""
        async with self._session() as connection:
            return await Rows(connection, self._queries, writes=False).one(query, **values)

    async def known(self, query: str, /, **values: Any) -> Row | None:
        """Return the first row, or None; read anew, since other processes write too."""
        return await self.one(query, **values)

    async def few(self, query: str, /, **values: Any) -> list[Row]:
        """Return the rows of a page."""
        return await self.all(query, **values)

    async def all(self, query: str, /, **values: Any) -> list[Row]:
        """Return all rows of one query."""
        async with self._session() as connection:
            return await Rows(connection, self._queries, writes=False).all(query, **values)

    async def migrate(self) -> int:
        """Apply the numbered migrations that are missing, one process after the other; return how many."""
        migrations = read_migrations(self._schema, "postgres")
        async with self._session() as connection:
            try:
                await connection.execute("set lock_timeout = 0")
                await connection.execute("select pg_advisory_lock($1)", _MIGRATION_LOCK)
                return await _migrate(connection, migrations)
            except FAILURES as error:
                raise meaning(error, "migrate") from None
            finally:
                await _settle_session(connection)

    async def check(self) -> list[str]:
        """Return what is wrong with the database, in sentences."""
        async with self._session() as connection:
            return [
                *[f"{name} is off: what was acknowledged can be lost" for name in await _switched_off(connection)],
                *[f"index {name} is not valid; reindex it" for name in await _invalid_indexes(connection)],
                *await _pending(connection, read_migrations(self._schema, "postgres")),
            ]

    async def backup(self, target: str) -> None:
        """Refuse: PostgreSQL has tools of its own."""
        raise NotSupported("a PostgreSQL database is copied with pg_dump or its own base back-up")

    async def close(self) -> None:
        """Let what was begun finish, and disconnect."""
        self._closed = True
        await self._pool.close()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Any]:
        """Lend a connection; a failure to get or keep one is StorageUnavailable."""
        if self._closed:
            raise StorageUnavailable("storage_closed")
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except FAILURES as error:
            raise _unreachable(error) from None
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    async def _within(self, connection: Any, begin: str, unit: Any) -> Any:
        """Run a unit between begin and commit; roll back where it raises."""
        rows = Rows(connection, self._queries, writes=begin is _WRITE)
        try:
            await _plainly(connection, begin)
            result = await unit(rows)
            rows.finish()
            await _plainly(connection, "commit")
            return result
        except BaseException:
            rows.end()
            with suppress(*FAILURES):
                await connection.execute("rollback")
            raise


async def _plainly(connection: Any, statement: str) -> None:
    try:
        status = await connection.execute(statement)
    except AGAIN:
        raise
    except FAILURES as error:
        raise meaning(error, statement) from None
    if status == "ROLLBACK":
        raise StorageUnavailable("storage_failed", "the transaction was lost")


async def _settle_session(connection: Any) -> None:
    """Make a session again what it was before a migration; one of which that cannot be said ends, and its lock too."""
    try:
        await connection.execute("select pg_advisory_unlock_all(); reset lock_timeout")
    except BaseException as error:
        connection.terminate()
        if not isinstance(error, FAILURES):
            raise


async def _migrate(connection: Any, migrations: list[Migration]) -> int:
    await _applying(connection, "schema_migrations", TABLE)
    todo = missing(migrations, await connection.fetch(APPLIED))
    for migration in todo:
        await _applying(connection, migration.file, migration.script, migration)
    return len(todo)


async def _applying(connection: Any, file: str, script: str, migration: Migration | None = None) -> None:
    """Run a script, and note its row, in one transaction."""
    await connection.execute(_WRITE)
    try:
        await connection.execute(script)
        if migration is not None:
            await connection.execute("insert into schema_migrations values ($1, $2, $3, $4)", *migration.row())
        await connection.execute("commit")
    except BaseException as error:
        with suppress(*FAILURES):
            await connection.execute("rollback")
        if isinstance(error, asyncpg.PostgresError):
            raise MigrationFailed(f"{file}: {error.args[0] if error.args else error.sqlstate}") from None
        raise


async def _switched_off(connection: Any) -> list[str]:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    return [name for name in names if await connection.fetchval("select current_setting($1)", name) == "off"]


async def _invalid_indexes(connection: Any) -> list[str]:
    found = await connection.fetch("select indexrelid::regclass::text as name from pg_index where not indisvalid")
    return [row["name"] for row in found]


async def _pending(connection: Any, migrations: list[Migration]) -> list[str]:
    try:
        todo = missing(migrations, await connection.fetch(APPLIED))
    except asyncpg.UndefinedTableError:
        todo = migrations
    except SchemaChanged as error:
        return [str(error)]
    return [f"migration {migration.file} has not been applied" for migration in todo]


def _number(text: str) -> int | float:
    """PostgreSQL's sums of bigint are `numeric`; SQLite's are integers, so here they are too."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else float(value)


async def _prepare_session(connection: Any) -> None:
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text")


async def _keep_session(connection: Any) -> None:
    """Nothing of a session outlives its unit, so the round trip of a reset is spared."""


async def _sorts_bytewise(pool: Any) -> bool:
    return bool(await pool.fetchval("select 'B' < 'a' and 'a-b' < 'aa' and 'z' < 'ä'"))


def _unreachable(error: BaseException) -> StorageUnavailable:
    found = meaning(error, "connecting")
    return found if isinstance(found, StorageUnavailable) else StorageUnavailable("storage_failed", str(found))


async def open_postgres(url: str, schema_dir: Path, queries_dir: Path) -> PostgresStore:
    """Connect; refuse a database that is not UTF-8 or does not sort by code point, as SQLite does."""
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=POOL,
            statement_cache_size=1024,
            max_cached_statement_lifetime=0,
            server_settings=_SESSION,
            init=_prepare_session,
            reset=_keep_session,
        )
    except FAILURES as error:
        raise _unreachable(error) from None
    try:
        if await pool.fetchval("show server_encoding") != "UTF8" or not await _sorts_bytewise(pool):
            raise NotSupported(
                "the database must hold UTF-8 and sort by code point: "
                "create database … template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'"
            )
        return PostgresStore(pool, schema_dir, queries_dir)
    except BaseException:
        await pool.close()
        raise
