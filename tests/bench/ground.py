"""An instance with two played siblings that it knows, made by the product's own code before anything is measured."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from federation.keys import PrivateKey
from federation.signatures import Profile
from instance.config import Config
from tests.tools.ports import free_ports
from tests.town import PASSWORD, MovedClock, Network, Person, Place, rows

READER = "reader"
TEXT = "A made-up course of a made-up illness, told at the length at which colleagues tell such things. " * 8


@dataclass(slots=True)
class Author:
    """A doctor of a played sibling: keys, and a Create as it was rendered once."""

    uri: str
    keys: dict[Profile, PrivateKey]
    template: bytes
    post: str
    activity: str


@dataclass(slots=True)
class Ground:
    """Where everything is measured."""

    folder: Path
    config: Config
    port: int
    metrics: int
    token: str
    doctors: list[str]
    instance_key: PrivateKey
    authors: dict[str, list[Author]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        """The configuration for `esanum -c`."""
        return self.folder / "esanum.toml"

    def copy(self, target: Path) -> Ground:
        """The same instance in another folder, so that a measurement can fill it as it likes."""
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("*.sock", "*.lock"))
        return Ground(
            target, self.config, self.port, self.metrics, self.token, self.doctors, self.instance_key, self.authors
        )

    @contextmanager
    def rows(self) -> Iterator[sqlite3.Connection]:
        """The rows, while no server runs."""
        connection = sqlite3.connect(self.folder / "esanum.db")
        connection.execute("pragma foreign_keys = on")
        try:
            yield connection
            connection.commit()
        finally:
            connection.close()


async def make_ground(folder: Path, *, doctors: int = 24, authors: int = 6, rsa_bits: int = 2048) -> Ground:
    """Make the instance, its doctors, two siblings and their authors; every author has posted once."""
    port, metrics, *others = free_ports(4)
    network = Network(MovedClock(datetime.now(UTC)))
    home = await network.add(
        folder, "fr", origin=f"http://fr.localhost:{port}", listen=f"127.0.0.1:{port}",
        metrics=f"127.0.0.1:{metrics}", rsa_bits=rsa_bits,
    )  # fmt: skip
    siblings = [
        await network.add(folder, name, origin=f"http://{name}.localhost:{other}", listen=f"127.0.0.1:{other}")
        for name, other in zip(("de", "it"), others, strict=True)
    ]
    people = [await home.doctor(f"{READER}{number or ''}") for number in range(doctors)]
    signed_in = await home.node.people.sign_in(READER, PASSWORD, "127.0.0.1")
    ground = Ground(
        folder / "fr", home.config, port, metrics, signed_in.token, [str(person.uri) for person in people],
        await siblings[0].node.keys.signing_key(siblings[0].node.actor, Profile.CAVAGE),
    )  # fmt: skip
    for sibling in siblings:
        await home.admits(sibling)
        await sibling.admits(home)
        ground.authors[sibling.name] = [await _author(network, sibling, number) for number in range(authors)]
        # A read signed by the sibling's instance actor, so that its key is known when nobody can be asked for it.
        await sibling.node.follows.ask(ground.authors[sibling.name][0].uri, people[0].address)
    await network.settle()
    await network.close()
    _write_config(ground)
    return ground


async def _author(network: Network, sibling: Place, number: int) -> Author:
    person: Person = await sibling.doctor(f"author{number}")
    slug = await person.posts("A made-up case", text=TEXT)
    await network.settle()
    found = await rows(
        sibling.node, f"select uri, body from activities where type = 'Create' and actor = '{person.uri}'"
    )
    keys = {profile: await sibling.node.keys.signing_key(person.uri, profile) for profile in Profile}
    activity = found[0]["uri"].rpartition("/")[2]
    return Author(str(person.uri), keys, bytes(found[0]["body"]), slug, activity)


def _write_config(ground: Ground) -> None:
    config = ground.config
    lines = {
        "origin": config.origin, "country": config.country, "name": config.name, "listen": config.listen,
        "metrics": config.metrics,
    }  # fmt: skip
    ground.file.write_text("\n".join(f'{name} = "{value}"' for name, value in lines.items()) + "\n", "utf-8")


def add_posts(connection: sqlite3.Connection, authors: Sequence[str], number: int, specialties: Sequence[str]) -> None:
    """Write so many posts straight into the rows, a minute apart, each with two specialties in turn."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    content = f"<p>{TEXT}</p>"
    connection.executemany(
        "insert into posts (uri, slug, origin, local, author, kind, title, content, language, specialties, audience,"
        " role_then, published_at, received_at, sort_at) values (?, ?, ?, 0, ?, 'case', ?, ?, 'en', ?, 'federation',"
        " 'specialist', ?, ?, ?)",
        (_post(at, authors, specialties, content, now) for at in range(number)),
    )
    connection.executemany(
        "insert into post_specialties (specialty, post, sort_at) values (?, ?, ?)",
        (
            (specialties[(at + step) % len(specialties)], _uri(at, authors), now - at * 60_000)
            for at in range(number)
            for step in (0, 1)
        ),
    )
    connection.execute("analyze")


def _post(at: int, authors: Sequence[str], specialties: Sequence[str], content: str, now: int) -> tuple[Any, ...]:
    author = authors[at % len(authors)]
    both = f'["{specialties[at % len(specialties)]}","{specialties[(at + 1) % len(specialties)]}"]'
    when = now - at * 60_000
    uri = _uri(at, authors)
    return uri, f"01BENCH{at:019}", author.partition("/doctors")[0], author, f"Case {at}", content, both, *[when] * 3


def _uri(at: int, authors: Sequence[str]) -> str:
    return f"{authors[at % len(authors)].partition('/doctors')[0]}/posts/01BENCH{at:019}"
