"""The control socket: the owner's commands reach a running server, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from instance import control
from instance.control import CommandFailed, ControlServer, NoServer, ask
from tests.town import Network, Place

CONNECT_AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
peer = socket.socket(socket.AF_UNIX); peer.settimeout(5)
try:
    peer.connect(sys.argv[1])
except OSError as error:
    sys.exit(print(type(error).__name__))
try:
    peer.sendall(b'{"command":"check","values":{}}\\n'); print(peer.recv(4096) or "no answer")
except (BrokenPipeError, ConnectionResetError):
    print("no answer")
"""


@pytest.fixture
async def fr(tmp_path: Path) -> AsyncIterator[Place]:
    """One instance."""
    network = await Network.open(tmp_path, "fr")
    yield network["fr"]
    await network.close()


@pytest.fixture
async def served(fr: Place) -> AsyncIterator[ControlServer]:
    """Its control socket, open."""
    server = ControlServer(fr.node, fr.config.socket)
    await server.start()
    yield server
    await server.stop()


async def say(path: Path, line: bytes) -> dict[str, str]:
    """Send bytes as they are; return the answer."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(line + b"\n")
    answer = json.loads(await reader.readline())
    writer.close()
    return dict(answer)


@pytest.mark.usefixtures("served")
async def test_a_command_is_answered(fr: Place) -> None:
    """What the running server says is what the command returns."""
    answer = await ask(fr.config.socket, "check", {})

    assert (fr.node.origin, 0) == (answer["origin"], answer["siblings"])


@pytest.mark.usefixtures("served")
async def test_the_socket_is_its_owners_alone(fr: Place) -> None:
    """Mode 0600 from the first moment; no umask opens it."""
    found = fr.config.socket.lstat()

    assert (0o600, os.geteuid()) == (found.st_mode & 0o777, found.st_uid)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.parametrize(("mode", "said"), [(0o600, "PermissionError"), (0o666, "no answer")])
async def test_another_user_is_not_answered(fr: Place, mode: int, said: str) -> None:
    """The mode keeps others out; and were it opened by mistake, the kernel's word on who connects still does."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "control.sock"
        server = ControlServer(fr.node, path)
        await server.start()
        path.chmod(mode)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CONNECT_AS_NOBODY, str(path), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await child.communicate()
        await server.stop()

    assert said == output.decode().strip()


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "malformed"), (b"{", "malformed"), (b"[]", "malformed"), (b"7", "malformed"), (b"null", "malformed"),
        (b'{"command":"check"}', "malformed"), (b'{"command":["check"],"values":{}}', "malformed"),
        (b'{"command":"check","values":[]}', "malformed"), (b'{"command":"check","values":{"x":1}}', "malformed"),
        (b'{"command":"drop","values":{}}', "unknown_command"), (b"\xff\xfe", "malformed"),
        (b'{"command":"doctors.suspend","values":{"handle":"x","by":"y","reason":"z"}}', "not_found"),
    ],
)  # fmt: skip
async def test_a_strange_line_has_no_effect(fr: Place, line: bytes, code: str) -> None:
    """Whatever is sent, the answer is a code, and the server goes on."""
    answer = await say(fr.config.socket, line)

    assert code == answer["failed"]
    assert fr.node.origin == (await ask(fr.config.socket, "check", {}))["origin"]


@pytest.mark.usefixtures("served")
async def test_somebody_who_says_nothing_blocks_nobody(fr: Place) -> None:
    """A connection that stays silent leaves the next one its turn."""
    _, silent = await asyncio.open_unix_connection(str(fr.config.socket))

    answer = await ask(fr.config.socket, "check", {})
    silent.close()

    assert fr.node.origin == answer["origin"]


async def test_without_a_server_the_command_is_told_so(fr: Place) -> None:
    """No socket, or one that a killed server left behind: both mean that no server runs."""
    with pytest.raises(NoServer):
        await ask(fr.config.socket, "check", {})
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(fr.config.socket))

    with pytest.raises(NoServer):
        await ask(fr.config.socket, "check", {})


async def test_a_socket_left_behind_is_replaced(fr: Place) -> None:
    """After a kill the next server listens at the same place."""
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(fr.config.socket))
    server = ControlServer(fr.node, fr.config.socket)
    await server.start()

    answer = await ask(fr.config.socket, "check", {})
    await server.stop()

    assert fr.node.origin == answer["origin"]
    assert not fr.config.socket.exists()


async def test_a_stop_leaves_a_socket_that_is_anothers(fr: Place) -> None:
    """Somebody removed ours and another server listens in its place: the socket is not ours to take away."""
    server = ControlServer(fr.node, fr.config.socket)
    await server.start()
    fr.config.socket.unlink()
    with socket.socket(socket.AF_UNIX) as another:
        another.bind(str(fr.config.socket))
        await server.stop()

        assert fr.config.socket.exists()


@pytest.mark.usefixtures("served")
async def test_a_second_server_leaves_the_first_its_socket(fr: Place) -> None:
    """With PostgreSQL several processes serve; the first answers, and the end of another does not take it away."""
    second = ControlServer(fr.node, fr.config.socket)
    await second.start()
    await second.stop()

    answer = await ask(fr.config.socket, "check", {})

    assert fr.node.origin == answer["origin"]


async def test_a_path_that_may_not_be_opened_is_a_failure(fr: Place) -> None:
    """What is in the way is named; the command does not open the database beside a server it cannot reach."""
    fr.config.socket.mkdir()

    with pytest.raises((CommandFailed, NoServer)) as caught:
        await ask(fr.config.socket / "x" / "y", "check", {})
    fr.config.socket.rmdir()

    assert isinstance(caught.value, NoServer)


async def test_every_command_says_what_it_does() -> None:
    """The table of commands is complete: each has a docstring, and a name with its group."""
    assert all(command.__doc__ for command in control.commands.ALL.values())
    assert {
        *("siblings", "doctors", "credentials", "staff", "policy", "deliveries", "keys", "evidence", "registers"),
        *("audit", "backup", "check", "federation_list", "messages"),
    } == {name.partition(".")[0] for name in control.commands.ALL}
