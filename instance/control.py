"""How `esanum` commands reach a running server: one JSON line each way over a local socket of mode 0600.

Without a running server the same command opens the database itself. So every command works in both cases, and there is
one writer at any time.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import socket
import struct
from pathlib import Path
from typing import Any, Final

import orjson

from instance import commands, log
from instance.services.errors import Rejected
from instance.storage.store import StorageError
from instance.vault import BadSecret, CannotOpen
from instance.wiring import Node
from verification.errors import NotAllowed

#: The longest line each way, in bytes: a list of all deliveries that are dead fits.
_LONGEST: Final = 8_388_608

#: Refusals that no page can meet.
_ONLY_HERE: Final = {
    "not_found": "There is no doctor with this handle here. Nothing was changed.",
    "reason_missing": "Nothing was changed: say why, in words that can be kept with the act.",
    "nothing_named": "Name a delivery, or a sibling.",
}


class CommandFailed(Exception):
    """The command was refused; `code` says why."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text or code)
        self.code = code


class NoServer(Exception):
    """No server listens: the command opens the database itself."""


class ControlServer:
    """Answers commands of the user who owns this process (and root)."""

    def __init__(self, node: Node, path: Path) -> None:
        self._node, self._path = node, path
        self._server: asyncio.Server | None = None
        self._made: tuple[int, int] | None = None

    async def start(self) -> None:
        """Listen; a socket left behind by a killed server is replaced, one that answers (PostgreSQL) is left alone."""
        if await _answers(self._path):
            self._node.log.info("control_elsewhere", path=str(self._path))
            return
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, path=str(self._path), limit=_LONGEST)
        finally:
            os.umask(before)
        self._made = _identity(self._path)

    async def stop(self) -> None:
        """Stop listening and take the socket away, if it is still ours."""
        if self._server is None:
            return
        self._server.close()
        if self._made == _identity(self._path):
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
            name, values = _read(line)
            return {"result": await run(self._node, name, values)}
        except CommandFailed as failure:
            return {"failed": failure.code, "text": str(failure)}
        except Exception as fault:
            self._node.log.error("command_failed", exc_info=fault)
            return {"failed": "internal", "text": f"{type(fault).__name__} in {log.where(fault)}"}


def _read(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        asked = orjson.loads(line)
        name, values = asked["command"], asked["values"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise CommandFailed("malformed", "not a command") from None
    if not isinstance(name, str) or not isinstance(values, dict):
        raise CommandFailed("malformed", "not a command")
    return name, values


async def run(node: Node, name: str, values: dict[str, Any]) -> Any:
    """Run one command on an open node; raise CommandFailed with its code."""
    command = commands.ALL.get(name)
    if command is None:
        raise CommandFailed("unknown_command", name)
    try:
        inspect.signature(command).bind(node, **values)
    except TypeError:
        raise CommandFailed("malformed", f"{name} takes other values; is the server of another version?") from None
    try:
        return await command(node, **values)
    except Rejected as refusal:
        raise CommandFailed(refusal.code, _sentence(refusal.code) + _place(refusal)) from refusal
    except StorageError as error:
        raise CommandFailed("storage", str(error)) from error
    except (BadSecret, CannotOpen) as error:
        raise CommandFailed("bad_secret", str(error)) from error
    except OSError as error:
        raise CommandFailed("system", f"{error.filename or 'the system'}: {error.strerror}") from error


def _place(refusal: Rejected) -> str:
    """Where in an operator's own file the fault lies: a line, a column of the map, what the system says."""
    cause = refusal.__cause__
    if isinstance(cause, OSError):
        return f" {cause.filename}: {cause.strerror}."
    return f" {str(cause).capitalize()}." if isinstance(cause, NotAllowed) else ""


def _sentence(code: str) -> str:
    """The sentence that pages show for this code; imported late, since most commands are carried out."""
    from instance.i18n import catalogue

    english = catalogue("en")
    return _ONLY_HERE.get(code) or (english.text(f"error.{code}") if english.has(f"error.{code}") else "")


async def ask(path: Path, name: str, values: dict[str, Any]) -> Any:
    """Send one command to a running server. Raises NoServer where none listens, CommandFailed otherwise."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=_LONGEST)
    except (FileNotFoundError, ConnectionRefusedError):
        raise NoServer(path) from None
    except OSError as error:
        raise CommandFailed("no_access", f"{path}: {error.strerror or error}") from None
    writer.write(orjson.dumps({"command": name, "values": values}) + b"\n")
    await writer.drain()
    try:
        line = await reader.readline()
    except ConnectionError:
        line = b""
    writer.close()
    if not line:
        raise CommandFailed("no_answer", "the server did not answer")
    answer = orjson.loads(line)
    if "failed" in answer:
        raise CommandFailed(answer["failed"], answer["text"])
    return answer["result"]


async def _answers(path: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return False
    writer.close()
    return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _may_speak(peer: socket.socket | Any) -> bool:
    """Whether the other end runs as us or as root (SO_PEERCRED); the socket's mode says the same."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (os.geteuid(), 0)
