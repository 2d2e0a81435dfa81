"""Countries on disk and in processes of their own: made by the product's code, started, killed, looked into."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.tools.ports import free_ports
from tests.town import PASSWORD, MovedClock, Network, Place

PATIENCE = 30.0


@dataclass
class Author:
    """A doctor with an open session, as the browser holds it."""

    handle: str
    uri: str
    token: str
    csrf: str


@dataclass
class Country:
    """One instance: its folder, its ports, its process while it runs."""

    name: str
    folder: Path
    origin: str
    port: int
    metrics: int
    authors: list[Author] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    #: What its command line begins with.
    prefix: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        """The configuration for `esanum -c`."""
        return self.folder / "esanum.toml"

    @property
    def database(self) -> Path:
        """The rows."""
        return self.folder / "esanum.db"

    def start(
        self, *, script: str = "instance.cli", command: str = "serve", files: int = 0, **environment: str
    ) -> None:
        """Begin to start, with no more than so many open files if that is said; `until_ready` waits."""
        self.starts += 1
        limited = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', str(files)] if files else []
        with (self.folder / f"log-{command}-{self.starts}").open("wb") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *limited, sys.executable, "-m", script, "-c", str(self.file), command],
                stderr=log, stdout=log, env={**os.environ, **environment},
            )  # fmt: skip

    def until_ready(self, patience: float = PATIENCE) -> float:
        """Return when health says so, and how long that took."""
        began = time.monotonic()
        assert self.process is not None
        said = ""
        while time.monotonic() - began < patience:
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended: {self.log()}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/health", timeout=5):
                    return time.monotonic() - began
            except urllib.error.HTTPError as error:
                with error:
                    said = error.read().decode()
            except OSError as fault:
                said = str(fault)
            time.sleep(0.01)
        raise AssertionError(f"{self.name} is not ready: {said}: {self.log()}")

    def health(self) -> dict[str, Any]:
        """What health says, whether it is well or not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/health", timeout=10) as answer:
                return dict(json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            with error:
                return dict(json.loads(error.read()))

    def until_signing(self) -> None:
        """Return when it signs: its siblings have said that they know of no longer log."""
        until(lambda: self.health()["signing"] == "current")

    def kill(self) -> None:
        """End it without goodbye (SIGKILL)."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> tuple[int, float]:
        """End it as an administrator does; return its status and the seconds it took."""
        if self.process is None:
            return 0, 0.0
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            status = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            status = -9
        return status, time.monotonic() - began

    def log(self) -> str:
        """The end of what it said last."""
        files = sorted(self.folder.glob("log-*"), key=lambda path: path.stat().st_mtime)
        return files[-1].read_text("utf-8", "replace")[-3_000:] if files else ""

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Look into the rows beside the running process."""
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def number(self, sql: str, *values: Any) -> int:
        """The one number a query counts."""
        return int(self.rows(sql, *values)[0][0])

    def write(self, sql: str, *values: Any) -> None:
        """Change rows while no process runs."""
        with sqlite3.connect(self.database) as connection:
            connection.execute(sql, values)
        connection.close()


async def make_countries(
    folder: Path, *names: str, authors: int = 1, everywhere: bool = False, days: int = 0, server: str = "hypercorn",
    https: Path | None = None,
) -> list[Country]:  # fmt: skip
    """Make instances on free ports, each listing all others; the first has so many doctors who are signed in.

    The others have one, or as many `everywhere`. All of it is so many days old. With the certificate of
    an authority they are called `https://NAME.example`, and somebody else speaks TLS for them.
    """
    network = Network(MovedClock(datetime.now(UTC) - timedelta(days=days)))
    ports = free_ports(2 * len(names))
    found = []
    for name, port, metrics in zip(names, ports[::2], ports[1::2], strict=True):
        origin = f"https://{name}.example" if https else f"http://{name}.localhost:{port}"
        place = await network.add(
            folder, name, origin=origin, listen=f"127.0.0.1:{port}", metrics=f"127.0.0.1:{metrics}", server=server,
            ca_file=str(https or ""),
        )  # fmt: skip
        country = Country(name, folder / name, origin, port, metrics)
        _write_config(country, place)
        country.authors = [await _author(place, number) for number in range(1 if found and not everywhere else authors)]
        found.append(country)
    for one, other in itertools.permutations(network.places.values(), 2):
        await one.admits(other)
    await network.close()
    return found


async def _author(place: Place, number: int) -> Author:
    person = await place.doctor(f"author{number}")
    signed_in = await place.node.people.sign_in(person.handle, PASSWORD, "127.0.0.1")
    session = await place.node.people.session(signed_in.token)
    assert session is not None
    return Author(person.handle, str(person.uri), signed_in.token, session.csrf)


def _write_config(country: Country, place: Place) -> None:
    config = place.config
    lines = {
        "origin": config.origin, "country": config.country, "name": config.name, "listen": config.listen,
        "metrics": config.metrics, "server": config.server, "ca_file": config.ca_file,
    }  # fmt: skip
    text = "".join(f'{name} = "{value}"\n' for name, value in lines.items())
    country.file.write_text(text + "rsa_bits = 2048\n", "utf-8")


def until(what: Any, *, seconds: float = PATIENCE, every: float = 0.1) -> None:
    """Return when `what()` is true; fail after so many seconds, whatever else goes on."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "it did not come about in time"
        time.sleep(every)


def titles(country: Country) -> list[str]:
    """Titles of all posts here, in order of their names."""
    return [row[0] for row in country.rows("select title from posts order by title")]


def stop_all(countries: Sequence[Country]) -> None:
    """End every process."""
    for country in countries:
        country.stop()
