"""Instances side by side on loopback: made, started, introduced to each other, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from instance.config import Config, read
from instance.serve import application, run_granian, run_hypercorn, run_uvicorn, running
from instance.services.passwords import HashPassword, hash_password
from instance.vault import make_secrets
from instance.wiring import Node, prepare

#: In this order; the first three are the demo's countries unless more are asked for.
COUNTRIES: Final = ("FR", "DE", "IT", "ES", "AT", "CH", "GB")
#: Everybody's, on loopback only, in a folder that is deleted at the end.
PASSWORD: Final = "demo-passphrase-2026"  # noqa: S105
_SERVERS: Final = {"hypercorn": run_hypercorn, "uvicorn": run_uvicorn, "granian": run_granian}

Say = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody to sign in as."""

    handle: str
    password: str
    what: str
    #: The key of the app that shows this person's codes; staff alone have one.
    secret: str = ""


@dataclass(slots=True)
class Country:
    """One running instance and who lives in it."""

    code: str
    title: str
    node: Node
    people: list[Any]
    logins: list[Login] = field(default_factory=list)
    #: Who works at the review desk, where there is one.
    staff: list[Login] = field(default_factory=list)
    #: Whose application is somewhere on its way, or was decided at the desk.
    applicants: list[Login] = field(default_factory=list)


#: What is done with the first instance before it begins to serve.
Before = Callable[[Config], Awaitable[None]]


@contextlib.asynccontextmanager
async def open_town(
    folder: Path, *, countries: int, port: int, server: str, say: Say, before: Before | None = None
) -> AsyncIterator[list[Country]]:
    """Make and start the first `countries` instances, introduce each to all others, and stop them at the end."""
    known = tomllib.loads((resources.files("instance.demo") / "people.toml").read_text("utf-8"))
    codes = COUNTRIES[:countries]
    configs = [
        configure(folder, code, known[code], at) for code, at in zip(codes, free_ports(port, countries), strict=True)
    ]
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        say(f"making {countries} instances: {', '.join(codes)}")
        await asyncio.gather(*(prepare(config) for config in configs))
        if before is not None:
            await before(configs[0])
        nodes = [await stack.enter_async_context(running(config)) for config in configs]
        for node in nodes:
            node.hash_password = hash_once()
        serving = [
            asyncio.ensure_future(_SERVERS[server](application(n, server), n.config.listen, stop)) for n in nodes
        ]
        stack.push_async_callback(_end, stop, serving)
        await asyncio.gather(*(until_listening(config.listen) for config in configs))
        town = [
            Country(code, known[code]["name"], node, known[code]["doctors"])
            for code, node in zip(codes, nodes, strict=True)
        ]
        await introduce_all(town)
        say(f"each of the {countries} lists the others, key fingerprints compared")
        yield town


def hash_once() -> HashPassword:
    """Hash passwords, that of all made-up people once: it takes a quarter of a second each time."""
    known: dict[str, str] = {}

    async def hashed(password: str) -> str:
        if password != PASSWORD:
            return await hash_password(password)
        if password not in known:
            known[password] = await hash_password(password)
        return known[password]

    return hashed


def configure(folder: Path, code: str, known: dict[str, Any], port: int) -> Config:
    """Make the folder, the secrets and the configuration of one country."""
    home = folder / code.lower()
    home.mkdir(mode=0o700)
    values = {
        "origin": f"http://{code.lower()}.localhost:{port}", "country": code, "name": known["name"],
        "language": known["language"], "listen": f"127.0.0.1:{port}", "contact": f"admin@{code.lower()}.example",
    }  # fmt: skip
    config = read(values, home)
    make_secrets(config.secrets)
    return config


def free_ports(first: int, number: int) -> list[int]:
    """Return ports on which nobody listens, from `first` upwards."""
    found: list[int] = []
    candidate = first
    while len(found) < number and candidate < 65_536:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", candidate))
                found.append(candidate)
        candidate += 1
    return found


async def until_listening(listen: str) -> None:
    """Return when the server accepts connections; TimeoutError after ten seconds."""
    host, _, port = listen.rpartition(":")
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            return


async def introduce_all(town: list[Country]) -> None:
    """Let every instance admit every other, as its administrator would: look, compare the fingerprint, confirm."""
    for country in town:
        for other in town:
            if other is not country:
                await admit(country.node, other.node)


async def admit(node: Node, other: Node) -> None:
    """Admit `other` at `node`, with the fingerprint taken from the other's own key rows."""
    found = await node.siblings.look_up(other.origin)
    await node.siblings.add(
        found, fingerprint=await other.siblings.own_fingerprint(), may_issue_for=(other.config.country,),
        by="demo", reason="shown to a newcomer",
    )  # fmt: skip


async def _end(stop: asyncio.Event, serving: Sequence[asyncio.Future[None]]) -> None:
    stop.set()
    await asyncio.gather(*serving, return_exceptions=True)
