"""A client that takes nothing of its answer is given up; one that takes it slowly is not."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sys
import termios
from types import TracebackType
from typing import Final

from instance.hot.limits import UNREAD

#: Looks in UNREAD seconds.
_LOOKS: Final = 5


class Unread:
    """Watches what waits for a client: aborts, once, after UNREAD seconds in which none of it was taken.

    It ends by itself once nothing is left.
    """

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport, self._in_vain = transport, 0
        self._before = self._left()
        self._handle = self._again()

    def __enter__(self) -> None:
        """Watch from here on."""

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """Watch no more."""
        self._handle.cancel()

    def _again(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(UNREAD / _LOOKS, self._look)

    def _look(self) -> None:
        left = self._left()
        self._in_vain = 0 if left < self._before else self._in_vain + 1
        self._before = left
        if self._in_vain >= _LOOKS:
            self._transport.abort()
        elif left:
            self._handle = self._again()

    def _left(self) -> int:
        """How many bytes the client has not taken, as long as some of them wait with us."""
        ours = self._transport.get_write_buffer_size()
        return ours and ours + _in_kernel(self._transport)


def _in_kernel(transport: asyncio.WriteTransport) -> int:
    """Bytes that the kernel keeps for the client; it asks us for more only once much of that has been taken."""
    with contextlib.suppress(OSError):  # not every system tells
        told = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(told, sys.byteorder)
    return 0
