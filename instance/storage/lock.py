"""One process per SQLite file: two writers of one WAL have damaged databases before."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from instance.storage.errors import AlreadyRunning


class ProcessLock:
    """An operating system lock on FILE.lock: held until released, and gone with the process however it ends."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(f"{database.name}.lock")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(self._file, 20).decode("ascii", "replace").strip()
            os.close(self._file)
            raise AlreadyRunning(f"{database.name} is served by process {owner or 'unknown'} already") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the file; harmless when done twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
