"""Do the instances of a town agree? Compares them row by row and names every difference.

    differences(town)     [] where everybody holds what they may hold, as its home has it, and nothing else

Each thing has one home, whose rows are the truth about it. Another instance has to hold it where the home's copy ledger
says that it was sent there and the home would show it there still; it must not hold what its home has not, or not for it.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

from federation.allowlist import Direction
from federation.vocabulary import PostKind
from tests.town import Network, Place, rows

POST: tuple[str, ...] = ("title", "content", "language", "kind", "audience", "published_at", "updated_at")
COMMENT: tuple[str, ...] = ("content", "language", "post", "parent", "published_at", "updated_at")


async def differences(town: Network) -> list[str]:
    """Name everything on which two instances that list each other do not agree."""
    found: list[str] = []
    for home, other in itertools.permutations(town.places.values(), 2):
        if not home.node.allowlist().permits(other.node.origin, Direction.OUT):
            continue
        for look in (_posts, _comments, _follows, _likes, _standings, _erasures):
            found += [f"{home.name}▸{other.name} {line}" async for line in look(home, other)]
    return found


async def _posts(home: Place, other: Place) -> AsyncIterator[str]:
    """What the home wrote and sent, and what the other holds of it."""
    origin = home.node.origin
    true = await _by_uri(home, f"select * from posts where origin = '{origin}' and audience <> 'national'")
    held = await _by_uri(other, f"select * from posts where origin = '{origin}'")
    sent = await _sent(home, other)
    for uri, post in true.items():
        due = uri in sent and await _may_read(home, other, uri)
        if post["audience"] == "federation" and uri not in sent:
            yield f"post {uri} was not sent"
        if due and uri not in held:
            yield f"post {uri} is missing"
        # Who reads a circle's post is asked again at each reading there: one that nobody may read any more may stay.
        if not due and uri in held and not (uri in sent and post["audience"] == "colleagues"):
            yield f"post {uri} is held outside its audience"
        if due and uri in held:
            for line in _unlike(POST, post, held[uri]):
                yield f"post {uri} {line}"
    for uri in held.keys() - true.keys():
        yield f"post {uri} is held and is none of its home's"


async def _comments(home: Place, other: Place) -> AsyncIterator[str]:
    """The threads of the home's posts, where the other holds the post."""
    origin = home.node.origin
    shared = await _by_uri(other, f"select uri from posts where origin = '{origin}'")
    threads = f"select c.* from comments c where c.post like '{origin}/%'"
    true, held = await _by_uri(home, threads), await _by_uri(other, threads)
    for uri, comment in true.items():
        # As for posts: what nobody there may read is not sent there, and what of it is there may stay.
        if comment["post"] not in shared or not await _may_read(home, other, comment["post"]):
            continue
        if uri not in held:
            yield f"comment {uri} is missing"
        else:
            for line in _unlike(COMMENT, comment, held[uri]):
                yield f"comment {uri} {line}"
    # Without its post an answer is shown to nobody; our own doctors' words stay theirs all the same.
    for uri in {uri for uri, comment in held.items() if comment["post"] in shared} - true.keys():
        yield f"comment {uri} is held and is not in its thread at home"


async def _follows(home: Place, other: Place) -> AsyncIterator[str]:
    """Relations between doctors of the two."""
    true, held = await _relations(home, home, other), await _relations(other, home, other)
    for pair in sorted(true.keys() | held.keys()):
        one, two = true.get(pair, "none"), held.get(pair, "none")
        if {one, two} <= {"none", "rejected"}:
            continue
        if one != two:
            yield f"follow {pair[0]} of {pair[1]}: {one} and {two}"


async def _relations(at: Place, followers_of: Place, followees_of: Place) -> dict[tuple[str, str], str]:
    found = await rows(
        at.node,
        f"select follower, followee, state from follows where follower like '{followers_of.node.origin}/%'"
        f" and followee like '{followees_of.node.origin}/%'",
    )
    return {(row["follower"], row["followee"]): row["state"] for row in found}


async def _likes(home: Place, other: Place) -> AsyncIterator[str]:
    """Thanks of the home's doctors for what the other's doctors wrote."""
    asked = f"select actor, object from likes where actor like '{home.node.origin}/%' and object like '{other.node.origin}/%'"
    true = {tuple(row) for row in await rows(home.node, asked)}
    held = {tuple(row) for row in await rows(other.node, asked)}
    refused = {
        (row["actor"], row["object"])
        for row in await rows(
            home.node,
            "select l.actor, l.object from likes l join deliveries d on d.activity = l.id where d.state = 'dead'",
        )
    }
    for like in sorted((true ^ held) - refused):  # what was refused is a dead letter, for the administrator to see
        yield f"like of {like[1]} by {like[0]}: {like in true} and {like in held}"


async def _standings(home: Place, other: Place) -> AsyncIterator[str]:
    """Whether a doctor whom both know is in good standing, suspended or gone, at both alike."""
    asked = f"select uri, standing, gone_at from doctors where origin = '{home.node.origin}'"
    true, held = await _by_uri(home, asked), await _by_uri(other, asked)
    for uri in true.keys() & held.keys():
        here, there = (_standing(side[uri]) for side in (true, held))
        if here != there:
            yield f"doctor {uri}: {here} and {there}"
    for uri in held.keys() - true.keys():
        yield f"doctor {uri} is none of its home's"


async def _erasures(home: Place, other: Place) -> AsyncIterator[str]:
    """What was withdrawn at home and had been sent is withdrawn there, and no words of it are left."""
    origin, sent = home.node.origin, await _sent(home, other)
    gone = await _by_uri(home, f"select uri from tombstones where origin = '{origin}' and former_type <> ''")
    there = await _by_uri(other, "select uri from tombstones")
    for uri in gone.keys() & sent:
        if uri not in there:
            yield f"{uri} has no tombstone"
    for table, column in (("posts", "uri"), ("comments", "uri"), ("revisions", "object")):
        for row in await rows(other.node, f"select {column} as uri from {table}"):
            if row["uri"] in gone:
                yield f"{uri_of(row)} was withdrawn and is in {table}"
    for row in await rows(other.node, "select object as uri from received where body <> x''"):
        if row["uri"] in gone:
            yield f"{uri_of(row)} was withdrawn and has words in received"


# ── parts ──


def uri_of(row: Any) -> str:
    """The address a row is about."""
    return str(row["uri"])


async def _by_uri(place: Place, sql: str) -> dict[str, Any]:
    return {row["uri"]: row for row in await rows(place.node, sql)}


async def _sent(home: Place, other: Place) -> set[str]:
    found = await rows(home.node, f"select object as uri from copies where origin = '{other.node.origin}'")
    return {row["uri"] for row in found}


async def _may_read(home: Place, other: Place, uri: str) -> bool:
    """Whether the home would show the post to the other when asked now."""
    row = await home.node.store.one("serving.post", uri=uri, origin=other.node.origin)
    sibling = home.node.allowlist().find(other.node.origin)
    return row is not None and sibling is not None and PostKind(row["kind"]) in sibling.kinds_out


def _unlike(columns: tuple[str, ...], true: Any, held: Any) -> list[str]:
    return [f"differs in {column}" for column in columns if _told(column, true) != _told(column, held)]


def _told(column: str, row: Any) -> Any:
    """What is told of it: times go over the wire to the second."""
    value = row[column]
    return value // 1_000 if column.endswith("_at") and value is not None else value


def _standing(row: Any) -> str:
    return "gone" if row["gone_at"] is not None else "ok" if row["standing"] == "ok" else "not ok"
