"""Files that people send: made anew before they are kept, and shown as pictures only.

Every file is opened in a process of its own (instance.media_work), two sent ones and two shown ones at a time, each
for so long and not longer: a thread could not be ended, and a fault in a library would be a fault of the server.
Nothing is written to the disk on the way; nor is it before (instance.uploads).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

import orjson

from instance.services.errors import Rejected
from verification.documents import BadFile, FileFault, FileKind, FileRules

T = TypeVar("T")

AT_A_TIME: Final = 2
WAITING: Final = 16
#: Seconds for one file, or for one page of it.
SECONDS: Final = 30.0
#: What `render_page` returns.
PAGE_TYPE: Final = "image/jpeg"

_ROOT: Final = Path(__file__).resolve().parents[1]
# -P: a folder that somebody starts the server in is not looked for modules.
_COMMAND: Final = (sys.executable, "-P", "-B", "-m", "instance.media_work")


class NotWorking(RuntimeError):
    """The process that opens files cannot be started; no file is at fault."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A file made anew, of the same kind, and how many pages it has."""

    content: bytes
    pages: int


class Places:
    """So many at a time, and so many who wait; what it takes does not grow with the instances in a process."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix=name)
        self._counting, self.in_hand = Lock(), 0

    async def do(self, work: Callable[..., T], *values: Any) -> T:
        """Do it in turn; raise Rejected(files_busy) where too many wait."""
        with self._counting:
            if self.in_hand >= AT_A_TIME + WAITING:
                raise Rejected("files_busy", status=503)
            self.in_hand += 1
        job = self._pool.submit(work, *values)
        # Counted until the process is done, even where the caller, or the whole event loop, has gone before.
        job.add_done_callback(self._done)
        waiting = asyncio.wrap_future(job)
        waiting.add_done_callback(_seen)
        return await asyncio.shield(waiting)

    def _done(self, _: Future[Any]) -> None:
        with self._counting:
            self.in_hand -= 1


def _seen(job: asyncio.Future[Any]) -> None:
    if not job.cancelled():
        job.exception()


#: What people send, and what reviewers look at: neither waits behind the other.
SENT: Final = Places("media")
SHOWN: Final = Places("pages")


async def clean(content: bytes, kind: FileKind, rules: FileRules, *, seconds: float = SECONDS) -> Cleaned:
    """Return the file without metadata, scripts, attachments or anything behind its end, images upright.

    Raises BadFile (file_disguised, _pages, _pixels, _encrypted, _broken), and Rejected(files_busy) where too many wait.
    """
    order = {"job": "clean", "kind": kind.value, "pages": rules.pages, "pixels": rules.pixels}
    answer, made = await _opened(SENT, order, content, seconds)
    return Cleaned(made, answer["pages"])


async def render_page(content: bytes, kind: FileKind, page: int, watermark: str, *, seconds: float = SECONDS) -> bytes:
    """Return one page (from 1) of a cleaned file as a JPEG with the watermark (ASCII, at most 80 letters) all over it.

    Raises BadFile(file_broken), and Rejected(files_busy) where too many wait.
    """
    order = {"job": "render", "kind": kind.value, "page": page, "watermark": watermark}
    return (await _opened(SHOWN, order, content, seconds))[1]


async def _opened(
    places: Places, order: dict[str, Any], content: bytes, seconds: float
) -> tuple[dict[str, Any], bytes]:  # fmt: skip
    answer, made = await places.do(_in_a_process, order, content, seconds)
    if "fault" in answer:
        raise BadFile(FileFault(answer["fault"]))
    return answer, made


async def in_turn(work: Callable[..., T], *values: Any) -> T:
    """Do what takes a process and some time for one sent file; raise Rejected(files_busy) where many wait."""
    return await SENT.do(work, *values)


def _in_a_process(order: dict[str, Any], content: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
    """Hand the file to a new process; whatever becomes of it, there is an answer in time."""
    try:
        done = subprocess.run(  # noqa: S603  # our own module, by its name
            _COMMAND, input=orjson.dumps(order) + b"\n" + content, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=seconds, check=False, cwd="/", env={"PYTHONPATH": str(_ROOT), "LANG": "C.UTF-8"},
        )  # fmt: skip
        if done.returncode > 0:
            raise NotWorking("a file could not be looked at: is the installation whole?")
        line, _, made = done.stdout.partition(b"\n")
        return orjson.loads(line), made
    except (subprocess.TimeoutExpired, orjson.JSONDecodeError):
        # It was ended: by us, by its limits, or by the file.
        return {"fault": FileFault.BROKEN.value}, b""
