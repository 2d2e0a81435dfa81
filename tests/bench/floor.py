"""What a server costs by itself: the same requests, read whole and answered at once. `… floor SERVER ADDRESS`."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Any

import uvloop

from instance.serve import SERVERS


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Take the body, say 202."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def serve(server: str, listen: str) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await SERVERS[server](answer, listen, stop)


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:]))
