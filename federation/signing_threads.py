"""RSA signatures off the loop: they cost the better part of a millisecond and let go of the interpreter meanwhile.

What waits is signed in batches, so that a busy courier pays one change of threads for several signatures.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeAlias

THREADS: Final = 2
#: So many are signed before the first of them is handed back.
BATCH: Final = 8

Headers: TypeAlias = dict[str, str]
_Job: TypeAlias = tuple[Callable[[], Headers], asyncio.Future[Headers]]


class SigningThreads:
    """A small pool for jobs that sign."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="signing")
        self._waiting: deque[_Job] = deque()
        self._at_work = 0

    async def run(self, sign: Callable[[], Headers]) -> Headers:
        """Return what the job returns, or raise what it raises."""
        future: asyncio.Future[Headers] = asyncio.get_running_loop().create_future()
        self._waiting.append((sign, future))
        self._hire()
        return await future

    def close(self) -> None:
        """Let the threads go; what waits is never signed."""
        self._waiting.clear()
        self._pool.shutdown(wait=False)

    def _hire(self) -> None:
        """Called on the loop alone, as is `_left`: so no job is left behind between two threads."""
        if self._waiting and self._at_work < THREADS:
            self._at_work += 1
            loop = asyncio.get_running_loop()
            loop.run_in_executor(self._pool, self._work, loop).add_done_callback(self._left)

    def _left(self, _: asyncio.Future[None]) -> None:
        self._at_work -= 1
        self._hire()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: sign until nothing waits."""
        while batch := self._next():
            signed = [(future, _attempt(job)) for job, future in batch]
            loop.call_soon_threadsafe(_hand_back, signed)

    def _next(self) -> list[_Job]:
        batch: list[_Job] = []
        try:
            while len(batch) < BATCH:
                batch.append(self._waiting.popleft())
        except IndexError:
            pass
        return batch


def _attempt(job: Callable[[], Headers]) -> Headers | Exception:
    try:
        return job()
    except Exception as fault:
        return fault


def _hand_back(signed: list[tuple[asyncio.Future[Headers], Headers | Exception]]) -> None:
    for future, result in signed:
        if future.done():  # whoever asked has gone
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
