"""A client that takes nothing of its answer is given up; one that takes it slowly is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from instance.hot.limits import UNREAD

#: Looks in UNREAD seconds.
_LOOKS: Final = 5


class Unread:
    """Watches what waits for a client: calls `give_up`, once, after UNREAD seconds in which none of it was taken."""

    def __init__(self, left: Callable[[], int], give_up: Callable[[], Any], *, coming: int = 0) -> None:
        self._left, self._give_up = left, give_up
        self._before, self._in_vain = left() + coming, 0
        self._handle = self._again()

    def __enter__(self) -> None:
        """Watch from here on."""

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """It is taken."""
        self._handle.cancel()

    def _again(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(UNREAD / _LOOKS, self._look)

    def _look(self) -> None:
        left = self._left()
        self._in_vain = 0 if left < self._before else self._in_vain + 1
        self._before = left
        if self._in_vain < _LOOKS:
            self._handle = self._again()
        else:
            self._give_up()
