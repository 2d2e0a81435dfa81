"""How `esanum` commands reach a running server: one JSON line each way over a local socket of mode 0600.

Without a running server the same command opens the database itself. So every command works in both cases, and there is
one writer at any time.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path
from typing import Any, Final

import orjson

from instance import commands
from instance.services.errors import Rejected
from instance.wiring import Node

_LONGEST: Final = 1_048_576


class CommandFailed(Exception):
    """The command was refused; `code` says why."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text or code)
        self.code = code


class ControlServer:
    """Answers commands of the user who owns this process (and root)."""

    def __init__(self, node: Node, path: Path) -> None:
        self._node, self._path = node, path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket left behind by a killed server is replaced (the database lock proves that it is dead)."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, path=str(self._path), limit=_LONGEST)
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not _may_speak(writer.get_extra_info("socket")):
                return
            line = await asyncio.wait_for(reader.readline(), 10)
            writer.write(orjson.dumps(await self._answer(line)) + b"\n")
            await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            return
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = orjson.loads(line)
            return {"result": await run(self._node, asked["command"], asked["values"])}
        except CommandFailed as failure:
            return {"failed": failure.code, "text": str(failure)}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return {"failed": "malformed", "text": "not a command"}
        except Exception as fault:
            self._node.log.error("command_failed", exc_info=fault)
            return {"failed": "internal", "text": type(fault).__name__}


async def run(node: Node, name: str, values: dict[str, Any]) -> Any:
    """Run one command on an open node; raise CommandFailed with its code."""
    command = commands.ALL.get(name)
    if command is None:
        raise CommandFailed("unknown_command", name)
    try:
        return await command(node, **values)
    except Rejected as refusal:
        raise CommandFailed(refusal.code, refusal.field or "") from refusal


async def ask(path: Path, name: str, values: dict[str, Any]) -> Any:
    """Send one command to a running server. Raises ConnectionError where none listens, CommandFailed otherwise."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=_LONGEST)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise ConnectionError("no server is running") from error
    writer.write(orjson.dumps({"command": name, "values": values}) + b"\n")
    await writer.drain()
    line = await reader.readline()
    writer.close()
    if not line:
        raise CommandFailed("no_answer", "the server did not answer")
    answer = orjson.loads(line)
    if "failed" in answer:
        raise CommandFailed(answer["failed"], answer["text"])
    return answer["result"]


def _may_speak(peer: socket.socket | Any) -> bool:
    """Whether the other end runs as us or as root (SO_PEERCRED); the socket's mode says the same."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (os.geteuid(), 0)
