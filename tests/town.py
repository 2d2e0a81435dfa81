"""Whole towns of instances in one process: real stores, real keys, real checks; hosts are routed in memory.

    network = await Network.open(folder, "fr", "de", "es")      # each lists all others
    marie = await network["fr"].doctor("marie")
    slug = await marie.posts("Syncope after exercise")
    await network.settle()
    assert "Syncope after exercise" in await network["de"].titles()

The clock is a value the test moves. A host can be taken down, made to lose answers, or listened to.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from quart import Quart

from federation.errors import Refused
from federation.keys import PrivateKey
from federation.ports import Answer
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.wire import NotReached, Response, Wire
from instance import ids
from instance.asgi import FederationApp
from instance.config import Config, read
from instance.services.people import NewDoctor
from instance.services.publishing import CommentDraft, PostDraft
from instance.vault import make_secrets
from instance.wiring import Node, open_node
from tests.bulletins import a_bulletin
from tests.ready import light_hash, pages_of, pooled_rsa, put_instance

PASSWORD = "a-long-enough-passphrase"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
COUNTRIES = {"fr": "FR", "de": "DE", "it": "IT", "es": "ES", "at": "AT", "ch": "CH", "gb": "GB"}


class MovedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def move(self, **by: float) -> None:
        """Move by a timedelta's keywords."""
        self.now += timedelta(**by)


@dataclass(slots=True)
class Contact:
    """One request that left an instance."""

    method: str
    url: str
    status: int


def begin_ids(now: datetime) -> None:
    """Forget the last id where it is later than now: a town of another test, which this process never was, was there.

    In a process of the product ids only rise; where they lie in the future, nothing that goes by their time is as it is.
    """
    if ids.made_at(ids.new_ulid(now)) > now:
        ids._last = 0


class MemoryWire(Wire):
    """The product's own wire with its allowlist checks; only the sockets are replaced by a call."""

    def __init__(self, network: Network, node: Node) -> None:
        anchor = node.config.federation_list
        super().__init__(
            node.allowlist, node.origin, clock=node.clock, list_host=anchor.url.origin if anchor else ""
        )  # fmt: skip
        self._network = network

    async def _post(self, url: Uri, body: bytes, headers: Any) -> Answer:
        answer = await self._network.request("POST", url, dict(headers), body)
        return await self._read_memory(answer)

    async def _read_memory(self, answer: Response) -> Answer:
        import orjson

        code = ""
        if answer.status >= 300 and answer.body[:1] == b"{":
            code = str(orjson.loads(answer.body).get("error", ""))
        after = answer.headers.get("retry-after", "")
        return Answer(answer.status, code, int(after) if after.isdigit() else None)

    async def _get(self, url: Uri, headers: Any, limit: int, accept: str, deadline: float) -> Response:
        answer = await self._network.request("GET", url, {**headers, "Accept": accept}, b"")
        if len(answer.body) > limit:
            raise NotReached("too_large")
        return answer


@dataclass
class Network:
    """Instances that reach each other in memory."""

    clock: MovedClock
    places: dict[str, Place] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    #: Called with (method, url, body); True makes the answer get lost after the receiver has done its work.
    loses: Callable[[str, str, bytes], bool] = lambda method, url, body: False
    #: Called in the same way; True makes a message vanish on its way, though its sender is told that it was accepted.
    swallows: Callable[[str, str, bytes], bool] = lambda method, url, body: False
    contacts: list[Contact] = field(default_factory=list)

    @classmethod
    async def open(cls, folder: Path, *names: str, introduced: bool = True, clock: MovedClock | None = None) -> Network:
        """Open instances; unless told otherwise each admits all others."""
        network = cls(clock or MovedClock())
        begin_ids(network.clock())
        for name in names:
            await network.add(folder, name)
        if introduced:
            for one, other in itertools.permutations(network.places.values(), 2):
                await one.admits(other)
        return network

    async def add(self, folder: Path, name: str, **settings: Any) -> Place:
        """Open one more instance, which lists nobody."""
        config = describe(folder / name, name, **settings)
        await put_instance(config, self.clock)
        place = await Place.open(self, name, config)
        self.places[place.node.origin] = place
        return place

    def __getitem__(self, name: str) -> Place:
        return next(place for place in self.places.values() if place.name == name)

    async def request(self, method: str, url: Uri, headers: dict[str, str], body: bytes) -> Response:
        """Carry one request to the instance it is addressed to."""
        place = self.places.get(url.origin)
        if place is None or place.name in self.down:
            self.contacts.append(Contact(method, url, 0))
            raise NotReached("refused")
        if self.swallows(method, url, body):
            return Response(202, {}, b"")
        answer = await place.request(method, url.target, {"Host": url.authority, **headers}, body)
        self.contacts.append(Contact(method, url, answer.status))
        if self.loses(method, url, body):
            raise NotReached("reset")
        return answer

    async def settle(self, rounds: int = 50) -> None:
        """Work until nobody has anything left that is due."""
        for _ in range(rounds):
            for place in self.places.values():
                await place.node.workers.run_until_quiet()
            if not any([await place.node.workers.busy() for place in self.places.values()]):
                return
        raise AssertionError("the network does not come to rest")

    async def catch_up(self, minutes: float = 2) -> None:
        """Let gaps grow old enough, have every instance read the logs it is due to read, and settle what follows."""
        for move in (0.0, minutes):
            self.clock.move(minutes=move)
            for place in self.places.values():
                await place.node.catching_up.poll_due()
                await place.node.synchronising.poll_due()
        await self.settle()

    async def close(self) -> None:
        """Close every instance."""
        for place in self.places.values():
            await place.node.close()


class Pages:
    """The product's pages, put together when the first of them is asked for: most towns are never looked at."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @cached_property
    def app(self) -> Quart:
        """The application for people."""
        return pages_of(self._node)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        await self.app(scope, receive, send)


@dataclass
class Place:
    """One instance of the network."""

    name: str
    network: Network
    config: Config
    node: Node
    app: FederationApp

    @classmethod
    async def open(cls, network: Network, name: str, config: Config) -> Place:
        """Open a prepared instance."""
        node = await open_node(
            config, clock=network.clock, make_wire=lambda node: MemoryWire(network, node), make_rsa=pooled_rsa,
            hash_password=light_hash,
        )  # fmt: skip
        return cls(name, network, config, node, FederationApp(node, Pages(node)))

    async def reopen(self) -> None:
        """Close and open again on the same rows, as after a restart."""
        await self.node.close()
        again = await Place.open(self.network, self.name, self.config)
        self.node, self.app = again.node, again.app

    async def admits(self, other: Place, *, countries: Iterable[str] = ()) -> None:
        """Put the other on the allowlist, fingerprint compared."""
        found = await self.node.siblings.look_up(other.node.origin)
        await self.node.siblings.add(
            found,
            fingerprint=await other.node.siblings.own_fingerprint(),
            may_issue_for=tuple(countries) or (other.config.country,),
            by="test",
            reason="test",
            alone=True,
        )

    async def doctor(self, handle: str, *, specialty: str = "cardiology", role: str = "specialist") -> Person:
        """A verified doctor of this instance."""
        uri, _ = await self.node.people.add_doctor(
            NewDoctor(
                handle=handle,
                name=f"Dr {handle.replace('.', ' ').title()}",
                role=role,
                country=self.config.country,
                specialties=(specialty,),
                assurance="substantial",
                languages=("en",),
                password=PASSWORD,
                roles=(),
            ),
            by="test",
        )
        return Person(self, handle, uri)

    async def request(
        self, method: str, target: str, headers: dict[str, str] | list[tuple[str, str]], body: bytes = b""
    ) -> Response:
        """Call the application as a server would."""
        return await call(self.app, method, target, headers, body)

    async def titles(self) -> list[str]:
        """Titles of every post kept here."""
        return [row["title"] for row in await rows(self.node, "select title from posts order by sort_at")]

    async def answers(self) -> list[str]:
        """Contents of every answer kept here."""
        return [row["content"] for row in await rows(self.node, "select content from comments order by published_at")]


@dataclass
class Person:
    """A doctor who does things through the services that pages use."""

    place: Place
    handle: str
    uri: Uri

    @property
    def address(self) -> str:
        """As a colleague abroad types it."""
        return f"{self.handle}@{self.place.node.authority}"

    async def posts(self, title: str, *, text: str = "Made up.", audience: str = "federation", **changes: Any) -> str:
        """Publish a post; return its slug at home."""
        values = {
            "kind": "case", "title": title, "text": text, "specialties": ("cardiology",), "audience": audience,
            "language": "en", "named": (), "bulletin": a_bulletin(changes.get("kind", "case")), **changes,
        }  # fmt: skip
        return await self.place.node.publishing.publish(self.uri, PostDraft(**values))

    async def comments(self, post_uri: str, text: str, *, parent_slug: str | None = None) -> str:
        """Answer in the thread of a post that is here; return the slug."""
        slug = await self.slug_of(post_uri)
        return await self.place.node.publishing.comment(
            self.uri, slug, CommentDraft(text=text, language="en", parent_slug=parent_slug)
        )

    async def slug_of(self, post_uri: str) -> str:
        """The slug of a post at this doctor's instance."""
        found = await rows(self.place.node, f"select slug from posts where uri = '{post_uri}'")
        return found[0]["slug"]

    async def follows(self, other: Person) -> None:
        """Ask to follow."""
        await self.place.node.follows.ask(self.uri, other.address if other.place is not self.place else other.handle)

    async def sends(
        self, to: Place, body: bytes, *, profile: Profile = Profile.CAVAGE, target: str = "/inbox"
    ) -> Response:
        """Post bytes to another instance, signed with this doctor's own key."""
        key = await self.place.node.keys.signing_key(self.uri, profile)
        return await send_signed(to, body, key, profile=profile, target=target)


async def send_signed(
    to: Place, body: bytes, key: PrivateKey, *, profile: Profile = Profile.CAVAGE, target: str = "/inbox"
) -> Response:
    """Post signed bytes to an instance."""
    url = Uri.parse(to.node.origin + target)
    headers = sign("POST", url, body, key, profile, to.node.clock())
    return await to.request("POST", target, headers, body)


def configure(folder: Path, name: str, **settings: Any) -> Config:
    """Make the folder, the configuration and (unless they are there) the secrets of an instance."""
    config = describe(folder, name, **settings)
    if not config.secrets.exists():
        make_secrets(config.secrets)
    return config


def describe(folder: Path, name: str, **settings: Any) -> Config:
    """Make the folder and the configuration of an instance."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {
        "origin": f"https://{name}.example", "country": COUNTRIES[name], "name": f"Instance {name}", "rsa_bits": 2048,
        **settings,
    }  # fmt: skip
    return read(values, folder)


async def call(
    app: Any, method: str, target: str, headers: dict[str, str] | list[tuple[str, str]], body: bytes = b""
) -> Response:
    """Call an ASGI application once; headers as pairs may repeat a name."""
    path, _, query = target.partition("?")
    pairs = list(headers.items()) if isinstance(headers, dict) else headers
    names = {name.lower() for name, _ in pairs}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    if method == "POST" and "content-length" not in names:
        raw.append((b"content-length", str(len(body)).encode()))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "https",
        "path": path, "raw_path": path.encode("latin-1"), "query_string": query.encode("latin-1"), "root_path": "", "headers": raw,
        "client": ("127.0.0.1", 50_000), "server": ("127.0.0.1", 443), "extensions": {},
    }  # fmt: skip
    sent: list[dict[str, Any]] = []
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            await asyncio.Event().wait()  # the client stays until it has its answer
        asked = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await app(scope, receive, send)
    start = next(event for event in sent if event["type"] == "http.response.start")
    content = b"".join(event.get("body", b"") for event in sent if event["type"] == "http.response.body")
    return Response(start["status"], {n.decode().lower(): v.decode() for n, v in start.get("headers", [])}, content)


async def rows(node: Node, sql: str) -> list[Any]:
    """Read rows of a SQLite instance with the test's own SQL, through a connection of its own."""
    import sqlite3

    path = node.config.database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(sql).fetchall()


def refused(answer: Response) -> tuple[int, str]:
    """Status and code of an answer."""
    import orjson

    return answer.status, str(orjson.loads(answer.body or b"{}").get("error", ""))


__all__ = [
    "MovedClock",
    "Network",
    "Person",
    "Place",
    "Refused",
    "call",
    "pooled_rsa",
    "refused",
    "rows",
    "send_signed",
]
