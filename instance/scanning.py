"""A program of the operator's that looks for malware, asked before a file is opened or kept (`scan_command`).

The file goes to its standard input and lies nowhere on the disk; what it prints is thrown away. It answers by its exit
status, as clamscan and clamdscan do: 0 clean, 1 infected. Everything else (another status, a signal, no such program,
no end in time) is no answer, and without an answer nothing is kept.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any, Final

from instance.metrics import Metrics
from instance.services.errors import Rejected
from instance.turns import Turns
from verification.documents import BadFile, FileFault

CODES: Final = ("scan_failed",)
#: Seconds that it is given for one file.
SECONDS: Final = 30.0
#: Scans at a time, and how many wait. A scanner that hangs holds up uploads, and none of the pages that reviewers open.
AT_A_TIME, WAITING = 2, 16
SCANS: Final = Turns("scan", at_a_time=AT_A_TIME, waiting=WAITING)
_CLEAN, _INFECTED = 0, 1
_NO_ANSWER: Final = -1


class Scanner:
    """Asks the program, a few files at a time; without one every file passes."""

    def __init__(self, command: tuple[str, ...], log: Any, metrics: Metrics, *, seconds: float = SECONDS) -> None:
        self._command, self._log, self._metrics, self._seconds = command, log, metrics, seconds

    async def look(self, content: bytes) -> None:
        """Return where nothing was found; raise BadFile(file_infected), Rejected(scan_failed, files_busy)."""
        if not self._command:
            return
        status = await SCANS.take(_ask, self._command, content, self._seconds)
        if status == _INFECTED:
            self._metrics.scans.labels("infected").inc()
            self._log.warning("file_infected")
            raise BadFile(FileFault.INFECTED)
        if status != _CLEAN:
            self._metrics.scans.labels("failed").inc()
            self._log.error("scan_failed", status=status)
            raise Rejected("scan_failed", status=503)
        self._metrics.scans.labels("clean").inc()

    async def works(self) -> bool:
        """Whether it calls a text without harm clean."""
        return not self._command or await SCANS.take(_ask, self._command, _HARMLESS, self._seconds) == _CLEAN


_HARMLESS: Final = b"Is anybody there?\n"


def _ask(command: tuple[str, ...], content: bytes, seconds: float) -> int:
    """Return the exit status of the program, or less than 0 where it came to none; nothing of it is left running."""
    try:
        process = subprocess.Popen(  # noqa: S603  # the operator's own words, and no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8"}, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError):
        return _NO_ANSWER
    try:
        process.communicate(content, timeout=seconds)
        return process.returncode
    except (OSError, subprocess.TimeoutExpired):
        return _NO_ANSWER
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it, and whatever it has started and left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        assert process.stdin is not None
        process.stdin.close()
    process.wait()
