"""Work that takes a process and some time: so many at a time, so many waiting, and each kind has places of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, TypeVar

from instance.services.errors import Rejected

T = TypeVar("T")


class Turns:
    """The places of one kind of work, for the whole process: they do not grow with the number of instances in it."""

    def __init__(self, name: str, *, at_a_time: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(at_a_time, thread_name_prefix=name)
        self._most, self._counting = at_a_time + waiting, Lock()
        #: How many are at work or wait.
        self.in_hand = 0

    async def take(self, work: Callable[..., T], *values: Any) -> T:
        """Do it in its turn; raise Rejected(files_busy) where too many wait."""
        with self._counting:
            if self.in_hand >= self._most:
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
