"""The ledger: a process of its own that notes what was acknowledged; what it was told is on disk, whoever is killed.

with Ledger(folder / "ledger") as ledger:
    ledger.note(act="post", title="…")
ledger.notes(act="post")
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any


class Ledger:
    """The process, and what it has noted."""

    def __init__(self, file: Path) -> None:
        self._file, self._turn = file, threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Ledger:
        """Start it."""
        command = [sys.executable, "-m", "tests.faults.ledger", str(self._file)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process is not None
        self._process.communicate()
        assert 0 == self._process.returncode

    def note(self, **fact: Any) -> None:
        """Return when it is on disk."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(fact).encode() + b"\n")
            self._process.stdin.flush()
            assert b"\n" == self._process.stdout.readline()

    def notes(self, **which: Any) -> list[dict[str, Any]]:
        """Everything noted so far that is so."""
        found = [json.loads(line) for line in self._file.read_text("utf-8").splitlines()]
        return [one for one in found if all(one.get(name) == value for name, value in which.items())]


def main(path: str) -> None:
    """Note every line of the input, and answer with an empty one."""
    with open(path, "ab", buffering=0) as file:
        for line in sys.stdin.buffer:
            file.write(line)
            os.fsync(file.fileno())
            sys.stdout.buffer.write(b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
