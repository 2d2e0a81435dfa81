"""Instances in network namespaces of their own: real names, real certificates, real packets, dropped at will.

    with Cables(tmp_path, "fr", "de", "it") as cables:      # a cable of its own from the first to each other
        fr, de, it = await cables.countries(authors=4)
        cables.within(fr, fr.until_ready)
        cables.drop("de")                                    # nothing arrives any more, in either direction

Needs root, ip(8), unshare(1) and nsenter(1); `why_not` says what is missing. The addresses are made up and leave nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import trustme

from tests.faults.countries import Country, make_countries
from tests.tls.conftest import certificate_for, server_context
from tests.tls.proxy import TlsProxy

T = TypeVar("T")
_NEW_NET = 0x40000000
#: Where nobody listens: packets that are sent there are dropped by whoever gets them.
_NOBODY = "02:00:00:00:00:01"
#: Start a program with another file of hosts, in a network namespace.
_INSIDE = 'mount --bind "$0" /etc/hosts && net="$1" && shift && exec nsenter --net="$net" "$@"'


def why_not(*, netem: bool = False) -> str:
    """Return why this machine may not be used in this way; empty where it may."""
    probe = f"esanum-probe-{os.getpid()}"
    try:
        _ip("netns", "add", probe)
    except (OSError, subprocess.CalledProcessError) as fault:
        return f"network namespaces may not be made here ({_said(fault)})"
    try:
        _ip("-n", probe, "link", "add", "probe", "type", "veth", "peer", "name", "other")
        subprocess.run(["unshare", "--mount", "true"], check=True, capture_output=True)
        if netem:
            _run("tc", "-n", probe, "qdisc", "add", "dev", "probe", "root", "netem", "loss", "1%")
    except (OSError, subprocess.CalledProcessError) as fault:
        what = "tc netem is not in this kernel" if netem else "namespaces cannot be joined here"
        return f"{what} ({_said(fault)})"
    finally:
        _ip("netns", "del", probe)
    return ""


class Cables:
    """A namespace for each, and a cable from the first to each of the others; TLS stands before every instance."""

    def __init__(self, folder: Path, *names: str) -> None:
        self._folder, self._names, self._authority = folder, names, trustme.CA()
        self._spaces = {name: f"esanum-{os.getpid()}-{name}" for name in names}
        self._fronts: list[_Front] = []

    def __enter__(self) -> Cables:
        """Lay the cables."""
        for space in self._spaces.values():
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
        first = self._spaces[self._names[0]]
        for number, name in enumerate(self._names[1:], 1):
            other = self._spaces[name]
            _ip("-n", first, "link", "add", name, "type", "veth", "peer", "name", "home", "netns", other)
            for space, device, last in ((first, name, 1), (other, "home", 2)):
                _ip("-n", space, "addr", "add", f"11.0.{number}.{last}/24", "dev", device)
                _ip("-n", space, "link", "set", device, "up")
        return self

    def __exit__(self, *_: object) -> None:
        """Take everything away."""
        for front in self._fronts:
            front.end()
        for space in self._spaces.values():
            with suppress(subprocess.CalledProcessError):
                _ip("netns", "del", space)

    async def countries(self, **options: int) -> list[Country]:
        """Make the instances, on https and with names; they are not started."""
        (self._folder / "ca.pem").write_bytes(self._authority.cert_pem.bytes())
        made = await make_countries(self._folder, *self._names, https=self._folder / "ca.pem", **options)
        for number, country in enumerate(made):
            hosts = self._folder / f"hosts-{country.name}"
            hosts.write_text(self._hosts(number))
            space = self._spaces[country.name]
            country.prefix = ("unshare", "--mount", "sh", "-c", _INSIDE, str(hosts), f"/run/netns/{space}")
            certificate = server_context(certificate_for(self._authority, f"{country.name}.example"))
            front = _Front(space, TlsProxy(certificate, 443, country.port, host="0.0.0.0"))
            front.begin()
            self._fronts.append(front)
        return made

    def _hosts(self, number: int) -> str:
        """Who is where, seen from one of them."""
        others = [f"11.0.{at}.2 {name}.example" for at, name in enumerate(self._names[1:], 1)]
        return "\n".join(["127.0.0.1 localhost", *others, f"11.0.{number or 1}.1 {self._names[0]}.example", ""])

    def within(self, country: Country, call: Callable[[], T]) -> T:
        """Do it in the instance's namespace; threads that it starts live there too."""
        with ThreadPoolExecutor(1, initializer=lambda: _enter(self._spaces[country.name])) as pool:
            return pool.submit(call).result()

    def pull_out(self, name: str) -> None:
        """Pull the cable to a sibling out."""
        _ip("-n", self._spaces[self._names[0]], "link", "set", name, "down")

    def drop(self, name: str, *, there: bool = True, back: bool = True) -> None:
        """Drop every packet there, every packet back, or both; nobody is told."""
        number, first = self._names.index(name), self._spaces[self._names[0]]
        if there:
            _lose(first, f"11.0.{number}.2", name)
        if back:
            _lose(self._spaces[name], f"11.0.{number}.1", "home")

    def mend(self, name: str) -> None:
        """Everything passes again."""
        number, first = self._names.index(name), self._spaces[self._names[0]]
        _ip("-n", first, "link", "set", name, "up")
        for space, address, device in (
            (first, f"11.0.{number}.2", name),
            (self._spaces[name], f"11.0.{number}.1", "home"),
        ):
            with suppress(subprocess.CalledProcessError):
                _ip("-n", space, "neigh", "del", address, "dev", device)

    def netem(self, name: str, *words: str) -> None:
        """Have the kernel treat packets to and from a sibling badly (tc-netem(8))."""
        for space, device in ((self._spaces[self._names[0]], name), (self._spaces[name], "home")):
            _run("tc", "-n", space, "qdisc", "add", "dev", device, "root", "netem", *words)


class _Front(threading.Thread):
    """The TLS before one instance, in its namespace."""

    def __init__(self, space: str, proxy: TlsProxy) -> None:
        super().__init__(daemon=True, name=f"front {space}")
        self._space, self._proxy = space, proxy
        self._loop, self._ready = asyncio.new_event_loop(), threading.Event()

    def begin(self) -> None:
        """Return when it listens."""
        self.start()
        assert self._ready.wait(10)

    def end(self) -> None:
        """Hang up, and end."""
        asyncio.run_coroutine_threadsafe(self._proxy.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join(10)

    def run(self) -> None:
        """Serve until the end."""
        _enter(self._space)
        self._loop.run_until_complete(self._proxy.start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(_hang_up())
        self._loop.close()


async def _hang_up() -> None:
    """End whatever is carried still, and let the loop close what was aborted."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.05)


def _lose(space: str, address: str, device: str) -> None:
    _ip("-n", space, "neigh", "replace", address, "lladdr", _NOBODY, "nud", "permanent", "dev", device)


def _enter(space: str) -> None:
    """Move the calling thread."""
    with open(f"/run/netns/{space}") as file:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(file.fileno(), _NEW_NET):
            raise OSError(ctypes.get_errno(), "setns")


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _said(fault: OSError | subprocess.CalledProcessError) -> str:
    if isinstance(fault, subprocess.CalledProcessError):
        words: Sequence[str] = str(fault.stderr).strip().splitlines()
        return words[0] if words else str(fault)
    return str(fault)
