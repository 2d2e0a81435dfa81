"""A town in which France and Italy do not list each other, and Germany is with both; whatever Germany says to Italy is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from federation.uri import Uri
from federation.wire import Response
from tests.doorway import reads
from tests.network.scene import befriend, home_uri
from tests.town import Network, Person, Place, rows

FR, DE, IT = "https://fr.example", "https://de.example", "https://it.example"
SET = "/siblings/set"
#: Every table of an instance in which something of another could lie.
TABLES = "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"


@dataclass
class Told:
    """Everything that goes from Germany to Italy: messages with their heads, and answers; but not the set itself."""

    texts: list[str] = field(default_factory=list)

    def of(self, word: str) -> list[str]:
        """What names it."""
        return [text for text in self.texts if word in text]


def listen(town: Network) -> Told:
    """Keep what Germany says to Italy from now on."""
    told, carry = Told(), town.request

    async def request(method: str, url: Uri, headers: dict[str, str], body: bytes) -> Response:
        answer = await carry(method, url, headers, body)
        heads = json.dumps(headers)
        if url.authority == "it.example" and "de.example/" in heads:
            told.texts.append(f"{method} {url} {heads} {body.decode()}")
        if url.authority == "de.example" and "it.example/" in heads and url.target != SET:
            told.texts.append(f"{url} {json.dumps(answer.headers)} {answer.body.decode()}")
        return answer

    town.request = request  # type: ignore[method-assign]
    return told


async def two_apart(network: Any) -> Network:
    """France and Germany, Germany and Italy."""
    town: Network = await network("fr", "de", "it", introduced=False)
    for one, other in (("fr", "de"), ("de", "it")):
        await town[one].admits(town[other])
        await town[other].admits(town[one])
    return town


@dataclass
class People:
    """One doctor of each."""

    marie: Person
    anna: Person
    luca: Person


async def people_of(town: Network) -> People:
    """They have met whom they may meet; both others follow Anna, who follows both."""
    people = People(
        await town["fr"].doctor("marie"), await town["de"].doctor("anna"), await town["it"].doctor("luca")
    )  # fmt: skip
    for other in (people.marie, people.luca):
        await befriend(town, other, people.anna)
        await befriend(town, people.anna, other)
    return people


async def everything_at(place: Place) -> list[str]:
    """Every address at which an instance might show something, also such as would be another's under its name."""
    node, found = place.node, {SET, "/federation/list", "/audit/held", "/audit/heads/1", "/actor", "/outbox"}
    for table, folder in (("posts", "posts"), ("comments", "comments"), ("activities", "activities")):
        for row in await rows(node, f"select uri from {table}"):
            slug = row["uri"].rpartition("/")[2]
            found |= {f"/{folder}/{slug}", f"/{folder}/{slug}/context", f"/media/{slug}"}
    for table in ("posts", "comments"):
        found |= {f"/{table}/{row['slug']}" for row in await rows(node, f"select slug from {table}")}
        found |= {f"/{table}/{row['slug']}/context" for row in await rows(node, f"select slug from {table}")}
    for row in await rows(node, "select handle, address from doctors"):
        for name in (row["handle"], row["address"]):
            found |= {f"/doctors/{name}{part}" for part in ("", "/outbox", "/followers", "/following")}
            found.add(f"/.well-known/webfinger?resource=acct:{name}%40de.example")
            found.add(f"/.well-known/webfinger?resource=acct:{name.replace('@', '%40')}")
    for row in await rows(node, "select distinct origin, epoch from received"):
        found |= {f"/siblings/{name}.example/received/{row['epoch']}/0" for name in ("fr", "it")}
    for name in ("fr", "it"):
        found |= {f"/siblings/{name}.example/{part}" for part in ("log/0", "refusals", "set")}
    return sorted(found)


async def tries_everything(reader: Place, at: Place, *, skip: str = SET) -> dict[str, str]:
    """Ask for every address by the instance's signature; return what was shown, by address."""
    shown = {}
    for target in await everything_at(at):
        answer = await reads(reader, at, target)
        assert answer.status in (200, 400, 404, 410), (target, answer.status)
        if target != skip:
            shown[target] = f"{json.dumps(answer.headers)} {answer.body.decode()}"
    return shown


async def traces(place: Place, word: str) -> list[str]:
    """Where a word lies in the rows of an instance, but for the sets that siblings told it."""
    found = []
    for table in await rows(place.node, TABLES):
        if table["name"] == "sibling_sets":
            continue
        for row in await rows(place.node, f'select * from "{table["name"]}"'):
            if any(word in _text(value) for value in tuple(row)):
                found.append(f"{table['name']}: {tuple(row)}")
    return found


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


async def thread_with_everybody(town: Network, people: People, audience: str) -> tuple[Uri, dict[str, str]]:
    """Anna's post, answered by Marie and Luca, and each of them by Anna; return it and the slugs of the answers."""
    slug = await people.anna.posts(f"Anna's {audience}", audience=audience)
    await town.settle()
    uri = home_uri(town["de"], slug)
    made = {}
    for who in (people.marie, people.luca):
        made[who.handle] = await who.comments(uri, f"{who.handle} answers {audience}")
        await town.settle()
        parent = await rows(town["de"].node, f"select slug from comments where uri like '%{made[who.handle]}'")
        made[f"to {who.handle}"] = await people.anna.comments(
            uri, f"Anna to {who.handle}: {audience}", parent_slug=parent[0]["slug"]
        )
        await town.settle()
    return uri, made


async def state_of(place: Place, origin: str = FR) -> str:
    """Why a sibling's set does not count; empty where it does."""
    return str(place.node.sets.shown(origin).code)


async def context_of(town: Network, post: Uri, reader: str = "it") -> list[str]:
    """What Germany lists of a thread for a reader."""
    answer = await reads(town[reader], town["de"], post.target + "/context")
    assert 200 == answer.status
    found = json.loads(answer.body)
    assert len(found["orderedItems"]) == found["totalItems"]
    return list(found["orderedItems"])


async def answers_at(place: Place) -> set[str]:
    """The answers an instance has, without markup."""
    return {text.removeprefix("<p>").removesuffix("</p>") for text in await place.answers()}
