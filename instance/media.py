"""Files that people send: made anew before they are kept, and shown as pictures only.

Every file is opened in a process of its own (instance.media_work), two sent ones and two shown ones at a time, each
for so long and not longer: a thread could not be ended, and a fault in a library would be a fault of the server.
Nothing is written to the disk on the way; nor is it before (instance.uploads).
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from instance.turns import Turns
from verification.documents import BadFile, FileFault, FileKind, FileRules

AT_A_TIME: Final = 2
WAITING: Final = 16
#: Seconds for one file, or for one page of it.
SECONDS: Final = 30.0
#: What `render_page` returns.
PAGE_TYPE: Final = "image/jpeg"

_ROOT: Final = Path(__file__).resolve().parents[1]
# -P: a folder that somebody starts the server in is not looked for modules.
_COMMAND: Final = (sys.executable, "-P", "-B", "-m", "instance.media_work")
#: What people send, and what reviewers look at: neither waits behind the other. Scans have places of their own
#: (instance.scanning).
SENT: Final = Turns("media", at_a_time=AT_A_TIME, waiting=WAITING)
SHOWN: Final = Turns("pages", at_a_time=AT_A_TIME, waiting=WAITING)


class NotWorking(RuntimeError):
    """The process that opens files cannot be started; no file is at fault."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A file made anew, of the same kind, and how many pages it has."""

    content: bytes
    pages: int


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


async def _opened(turns: Turns, order: dict[str, Any], content: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
    answer, made = await turns.take(_in_a_process, order, content, seconds)
    if "fault" in answer:
        raise BadFile(FileFault(answer["fault"]))
    return answer, made


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
