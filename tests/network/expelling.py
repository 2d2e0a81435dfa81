"""Two French administrators who pause and expel Germany, and what tests of that look at."""

from __future__ import annotations

from typing import Any

from federation.allowlist import LocalPolicy
from instance.services import sibling_entries
from instance.services.sibling_entries import EntryChange
from instance.wiring import Node
from tests.town import Network, Person, Place, rows
from verification.people import Actor

DE = "https://de.example"
REASON = "decided by the board"


async def actor(node: Node, login: str) -> Actor:
    """The member of staff with this login."""
    found = next(each for each in await node.staff.list() if each.login == login)
    return await node.staff.of(found.id)


async def wanted(node: Node, origin: str = DE, **changes: Any) -> EntryChange:
    """The entry as it is, but for these."""
    row = await sibling_entries.require(node.store, origin)
    now = sibling_entries.as_it_is(row)
    values = {name: getattr(now, name) for name in ("policy", "kinds_in", "kinds_out", "countries", "note")} | changes
    return sibling_entries.change_of(row, **values)


async def pauses(node: Node, by: Actor, policy: LocalPolicy = LocalPolicy.PAUSE) -> None:
    """Pause Germany, or whatever else narrows."""
    assert await node.siblings.proposals.change([await wanted(node, policy=policy)], by, REASON)


async def proposes(node: Node, by: Actor) -> str:
    """Propose to expel Germany; return the proposal's id."""
    _, seen = await node.siblings.proposals.preview_expulsion(DE)
    await node.siblings.proposals.expel(DE, by, REASON, seen=seen)
    (waiting,) = [each for each in await node.siblings.proposals.waiting() if each.kind == "expel"]
    return waiting.id


async def expels(node: Node) -> None:
    """Pause by ada, expel by ada and ben."""
    ada, ben = await actor(node, "ada"), await actor(node, "ben")
    await pauses(node, ada)
    await node.siblings.proposals.confirm(await proposes(node, ada), ben)


async def settled_between(network: Network) -> tuple[Person, Person]:
    """Marie in France and Anna in Germany, who follow each other and have posted and answered."""
    marie, anna = await network["fr"].doctor("marie"), await network["de"].doctor("anna")
    await marie.posts("From France")
    slug = await anna.posts("From Germany")
    await network.settle()
    await marie.follows(anna)
    await anna.follows(marie)
    await network.settle()
    uri = (await rows(anna.place.node, f"select uri from posts where slug = '{slug}'"))[0]["uri"]
    await marie.comments(uri, "An answer from France")
    own = (await rows(marie.place.node, "select uri from posts where local = 1"))[0]["uri"]
    await anna.comments(own, "An answer from Germany")
    await network.settle()
    return marie, anna


async def follows_of(place: Place) -> list[tuple[str, str, str]]:
    """Every follow kept there: the handles and the state."""
    found = await rows(place.node, "select follower, followee, state from follows order by follower, followee")
    return [(row["follower"].rpartition("/")[2], row["followee"].rpartition("/")[2], row["state"]) for row in found]


async def fate(node: Node) -> str:
    """What becomes of what came from Germany."""
    row = await node.store.one("farewells.get", origin=DE)
    return "" if row is None else str(row["fate"])


async def own_post(town: Network) -> str:
    """The address of what France's doctor has posted."""
    return str((await rows(town["fr"].node, "select uri from posts where local = 1"))[0]["uri"])
