"""F42: two instances, whose doctors and whose network do anything at all in any order; in the end both tell the same.

A walk through the states of a small model, and between the steps documents in which something was changed at random.
FAULT_MINUTES says how long the slow walk takes (ten by default).
"""

from __future__ import annotations

import copy
import gc
import json
import os
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from federation import render
from federation.vocabulary import Delete, Follow, Like, Undo
from instance.services.errors import Missing, Rejected
from instance.services.publishing import CommentDraft
from tests.bench.process import _rss
from tests.doorway import a_comment, a_create, an_act
from tests.network.test_visibility import draft
from tests.town import Network, Person, Place, rows

pytestmark = pytest.mark.faults
MINUTES = float(os.environ.get("FAULT_MINUTES", "10"))
#: What is told everywhere alike once all has come: the table, what of it, and which rows.
SHARED = {
    "posts": "select uri, title, content, author, audience from posts where audience = 'federation'"
    " and author not like '%/forger' order by uri",
    "comments": "select c.uri, c.content, c.parent from comments c join posts p on p.uri = c.post"
    " where p.audience = 'federation' and c.author not like '%/forger' and p.author not like '%/forger' order by c.uri",
    "follows": "select f.follower, f.followee, f.state from follows f join doctors a on a.uri = f.follower"
    " join doctors b on b.uri = f.followee where a.origin <> b.origin and f.state = 'accepted'"
    " and f.follower not like '%/forger' order by 1, 2",
}


class Walk:
    """Takes one step after the other."""

    def __init__(self, town: Network, people: list[Person], forgers: list[Person], seed: int) -> None:
        self.town, self.people, self.forgers, self.chance = town, people, forgers, random.Random(seed)
        self.steps: list[str] = []
        self.number = 0
        self._moves: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (6, self.publish), (6, self.comment), (4, self.edit), (3, self.withdraw), (3, self.follow), (2, self.unfollow),
            (3, self.like), (2, self.unlike), (2, self.recommend), (1, self.report), (6, self.deliver), (3, self.weather),
            (2, self.restart), (4, self.later), (1, self.pause), (8, self.mutated), (3, self.again),
        ]  # fmt: skip

    async def step(self) -> None:
        """Do one thing; what a doctor may not do is refused with a name."""
        weights, moves = zip(*self._moves, strict=True)
        (move,) = self.chance.choices(moves, weights)
        self.number += 1
        self.steps.append(move.__name__)
        self.town.clock.move(seconds=self.chance.uniform(30, 240))
        try:
            await move()
        except (Rejected, Missing):
            self.steps[-1] += " (refused)"

    @property
    def somebody(self) -> Person:
        """Any doctor."""
        return self.chance.choice(self.people)

    @property
    def place(self) -> Place:
        """Any instance."""
        return self.chance.choice(list(self.town.places.values()))

    async def _one(self, person: Person, sql: str) -> str:
        """The slug of any row of a query at the doctor's instance; Missing where there is none."""
        found = await rows(person.place.node, sql.format(uri=person.uri))
        if not found:
            raise Missing
        return str(self.chance.choice(found)["slug"])

    # ── what people do ──

    async def publish(self) -> None:
        audience = self.chance.choice(["federation", "federation", "colleagues", "national"])
        await self.somebody.posts(f"T-{self.number}", audience=audience)

    async def comment(self) -> None:
        person = self.somebody
        slug = await self._one(person, "select slug from posts")
        await person.place.node.publishing.comment(
            person.uri, slug, CommentDraft(text=f"C-{self.number}", language="en", parent_slug=None)
        )

    async def edit(self) -> None:
        person = self.somebody
        slug = await self._one(person, "select slug from posts where author = '{uri}' and audience = 'federation'")
        await person.place.node.publishing.edit(person.uri, slug, draft(f"T-{self.number} edited", "federation"))

    async def withdraw(self) -> None:
        person = self.somebody
        publishing = person.place.node.publishing
        if self.chance.random() < 0.5:
            await publishing.withdraw(
                person.uri, await self._one(person, "select slug from posts where author = '{uri}'")
            )
        else:
            slug = await self._one(person, "select slug from comments where author = '{uri}'")
            await publishing.withdraw_comment(person.uri, slug)

    async def follow(self) -> None:
        one, other = self.chance.sample(self.people, 2)
        if not (one.place.name in self.town.down or other.place.name in self.town.down):
            await one.follows(other)

    async def unfollow(self) -> None:
        one, other = self.chance.sample(self.people, 2)
        await one.place.node.follows.undo(one.uri, other.uri)

    async def like(self) -> None:
        person = self.somebody
        await person.place.node.publishing.like(person.uri, await self._one(person, "select slug from posts"))

    async def unlike(self) -> None:
        person = self.somebody
        await person.place.node.publishing.unlike(person.uri, await self._one(person, "select slug from posts"))

    async def recommend(self) -> None:
        person = self.somebody
        await person.place.node.publishing.recommend(person.uri, await self._one(person, "select slug from posts"))

    async def report(self) -> None:
        person = self.somebody
        await person.place.node.publishing.report(
            person.uri, await self._one(person, "select slug from posts"), "other"
        )

    # ── what the network and the administrators do ──

    async def deliver(self) -> None:
        for place in self.town.places.values():
            await place.node.workers.run_until_quiet()

    async def weather(self) -> None:
        self.town.down = set(self.chance.sample(["fr", "de"], self.chance.choice([0, 0, 1])))
        lost = self.chance.choice([0.0, 0.0, 0.5])
        self.town.loses = lambda method, url, body: method == "POST" and self.chance.random() < lost

    async def restart(self) -> None:
        await self.place.reopen()

    async def later(self) -> None:
        self.town.clock.move(minutes=self.chance.uniform(5, 90))
        await self.deliver()

    async def pause(self) -> None:
        place = self.place
        (other,) = (one for one in self.town.places.values() if one is not place)
        policy = self.chance.choice(["pause", "inherit"])
        await place.node.siblings.set_policy(other.node.origin, policy, by="test", reason="test")

    # ── what is none of the product's making ──

    async def mutated(self) -> None:
        """A doctor's own signature, unknown to their instance, on a document in which anything was changed."""
        person, to = self.chance.choice(self.forgers), self.place
        document = json.loads(render.activity(await self._activity(person)))
        for _ in range(self.chance.randint(1, 3)):
            mutate(document, self.chance)
        if person.place is not to:
            answer = await person.sends(to, json.dumps(document).encode())
            assert answer.status < 500, (document, answer)

    async def again(self) -> None:
        """Something that was sent already is sent once more."""
        person, to = self.somebody, self.place
        found = await rows(
            person.place.node,
            f"select a.body from activities a join deliveries d on d.activity = a.uri where a.actor = '{person.uri}'"
            f" and d.origin = '{to.node.origin}' and d.state = 'done'",
        )
        if found and person.place is not to and to.name not in self.town.down:
            answer = await person.sends(to, bytes(self.chance.choice(found)["body"]))
            assert answer.status < 500

    async def _activity(self, person: Person) -> Any:
        posts = [row["uri"] for row in await rows(person.place.node, "select uri from posts")] or [person.uri]
        about = self.chance.choice(posts)
        match self.chance.randrange(6):
            case 0:
                return a_create(person)
            case 1:
                return a_create(person, a_comment(person, about))
            case 2:
                return an_act(person, Like, object=about)
            case 3:
                return an_act(person, Follow, object=self.somebody.uri)
            case 4:
                return an_act(person, Undo, object=about)
            case _:
                return an_act(person, Delete, object=person.place.node.origin + "/posts/never-there")


VALUES = (None, True, 0, -1, 2**70, 1e308, "", "x" * 5_000, "\x00", "\ud800", [], {}, [[]], [None], {"id": {}}, "https://de.example/",
          "https://evil.example/x", "as:Public", "Person", "http://[::1", {"type": "Create"}, ["a", {"b": "c"}])  # fmt: skip


def mutate(document: Any, chance: random.Random) -> None:
    """Change one thing anywhere."""
    at = document
    while isinstance(at, dict) and at:
        key = chance.choice(list(at))
        if isinstance(at[key], dict) and chance.random() < 0.7:
            at = at[key]
            continue
        match chance.randrange(4):
            case 0:
                del at[key]
            case 1:
                at[key] = copy.deepcopy(chance.choice(VALUES))
            case 2:
                at[key] = [at[key], copy.deepcopy(chance.choice(VALUES))]
            case _:
                at[chance.choice(list(at))] = copy.deepcopy(at[key])
        return


async def settled(walk: Walk) -> None:
    """Everything is mended, and time passes until nobody has anything left to do."""
    town = walk.town
    town.down, town.loses = set(), lambda method, url, body: False
    for place in town.places.values():
        for row in await rows(place.node, "select origin from siblings"):
            with suppress(Rejected):  # it is not paused
                await place.node.siblings.set_policy(row["origin"], "inherit", by="test", reason="test")
    for _ in range(30):
        town.clock.move(minutes=70)
        await town.settle()


async def agree(walk: Walk) -> None:
    """Both instances tell the same, and nothing was left behind."""
    fr, de = walk.town.places.values()
    for table, sql in SHARED.items():
        here, there = [[tuple(row) for row in await rows(place.node, sql)] for place in (fr, de)]
        assert here == there, (table, walk.steps[-60:])
    for place in (fr, de):
        left = await rows(place.node, "select state, last_code from deliveries where state not in ('done', 'dropped')")
        # What answers something that was withdrawn on its way, or was never asked for at home, is refused there, rightly.
        assert {("dead", "not_visible"), ("dead", "no_such_relation")} >= {tuple(row) for row in left}, walk.steps[-60:]
        stuck = await rows(place.node, "select type, state from inbound where state in ('failed', 'waiting')")
        assert [] == [tuple(row) for row in stuck], walk.steps[-60:]
    assert not [contact for contact in walk.town.contacts if contact.status >= 500]


async def begin(network: Any, seed: int) -> Walk:
    """France and Germany with two doctors each, who have met."""
    town = await network("fr", "de")
    people = [await town[place].doctor(handle) for place, handle in
              (("fr", "marie"), ("fr", "paul"), ("de", "anna"), ("de", "berta"))]  # fmt: skip
    forgers = [await town[place].doctor("forger") for place in ("fr", "de")]
    for one in (*people, *forgers):
        await one.posts("T-0")
    await town.settle()
    return Walk(town, people, forgers, seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_after_any_walk_both_instances_tell_the_same(network, seed):
    """F42, P3: a hundred steps of people, networks, administrators and forgers in any order; then all agree."""
    walk = await begin(network, seed)
    for _ in range(100):
        await walk.step()
    await settled(walk)

    await agree(walk)


@pytest.mark.slow
async def test_a_long_walk_costs_no_memory(network):
    """F42, P11: minutes of it: no 5xx, they agree again and again, and memory stays as it was (within a tenth)."""
    walk = await begin(network, int(time.time()))
    end, memory = time.monotonic() + MINUTES * 60, []
    while time.monotonic() < end:
        for _ in range(150):
            await walk.step()
        await settled(walk)
        await agree(walk)
        walk.town.contacts.clear()
        del walk.steps[:]
        gc.collect()
        memory.append(_rss(os.getpid()))
    early, late = memory[len(memory) // 3], memory[-1]

    assert len(memory) >= 3
    assert late <= 1.1 * early, memory
