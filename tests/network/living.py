"""Ordinary life in a town, by chance and yet the same each time: doctors write, answer, mend, withdraw, follow, thank."""

from __future__ import annotations

from random import Random
from typing import Any

from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.publishing import CommentDraft, PostDraft
from tests.town import Network, Person, rows


class Life:
    """Some doctors in each instance, and what they do."""

    def __init__(self, town: Network, seed: int) -> None:
        self.town, self.chance = town, Random(seed)
        self.people: dict[str, list[Person]] = {}
        self.done: dict[str, int] = {}

    async def begin(self, each: int = 2) -> None:
        """So many doctors in each place, who follow each other across borders."""
        for place in self.town.places.values():
            self.people[place.name] = [await place.doctor(f"{place.name}{number}") for number in range(each)]
        everybody = [person for people in self.people.values() for person in people]
        for person in everybody:
            for other in everybody:
                if other.place is not person.place and self.chance.random() < 0.6:
                    await person.follows(other)
        await self.town.settle()

    async def goes_on(self, acts: int, *, without: tuple[str, ...] = ()) -> None:
        """Let so many things happen, a minute apart, at every place but those named."""
        kinds = (
            self.posts, self.posts, self.answers, self.answers, self.mends, self.withdraws, self.withdraws_answer,
            self.follows, self.unfollows, self.thanks,
        )  # fmt: skip
        for _ in range(acts):
            self.town.clock.move(minutes=1)
            names = [name for name in self.people if name not in without]
            person = self.anew(self.chance.choice(self.people[self.chance.choice(names)]))
            kind = self.chance.choice(kinds)
            try:
                await kind(person)
            except (Rejected, Missing, Forbidden):
                continue  # what may not be done is not done
            self.done[kind.__name__] = self.done.get(kind.__name__, 0) + 1
            await self.town.settle()

    def anew(self, person: Person) -> Person:
        """The same doctor at the instance as it is open now."""
        return Person(self.town[person.place.name], person.handle, person.uri)

    async def posts(self, person: Person) -> None:
        """Something new, for everybody, for followers or for one."""
        audience = self.chance.choice(("federation", "federation", "colleagues", "named"))
        others = [one for people in self.people.values() for one in people if one.uri != person.uri]
        named = (self.chance.choice(others).address,) if audience == "named" else ()
        await person.posts(f"Number {self.chance.randrange(10**6)}", audience=audience, named=named)

    async def answers(self, person: Person) -> None:
        """An answer to something that can be seen."""
        post = await self._one(person, "select uri from posts order by rowid")
        await person.comments(post["uri"], f"Answer {self.chance.randrange(10**6)}")

    async def mends(self, person: Person) -> None:
        """Another text for something of one's own."""
        post = await self._one(person, f"select * from posts where author = '{person.uri}' order by rowid")
        named = await rows(person.place.node, f"select d.address from mentions m join doctors d on d.uri = m.doctor where m.object = '{post['uri']}'")  # fmt: skip
        draft = PostDraft(
            kind=post["kind"], title=post["title"], text=f"Mended {self.chance.randrange(10**6)}",
            specialties=("cardiology",), audience=post["audience"], language="en",
            named=tuple(row["address"] for row in named) if post["audience"] == "named" else (),
        )  # fmt: skip
        await person.place.node.publishing.edit(person.uri, post["slug"], draft)

    async def mends_answer(self, person: Person) -> None:
        """Another text for an own answer."""
        answer = await self._one(person, f"select slug from comments where author = '{person.uri}' order by rowid")
        draft = CommentDraft(text=f"Mended {self.chance.randrange(10**6)}", language="en", parent_slug=None)
        await person.place.node.publishing.edit_comment(person.uri, answer["slug"], draft)

    async def withdraws(self, person: Person) -> None:
        """Something of one's own is taken back."""
        post = await self._one(person, f"select slug from posts where author = '{person.uri}' order by rowid")
        await person.place.node.publishing.withdraw(person.uri, post["slug"])

    async def withdraws_answer(self, person: Person) -> None:
        """An answer is taken back."""
        answer = await self._one(person, f"select slug from comments where author = '{person.uri}' order by rowid")
        await person.place.node.publishing.withdraw_comment(person.uri, answer["slug"])

    async def follows(self, person: Person) -> None:
        """Somebody abroad is followed."""
        others = [one for people in self.people.values() for one in people if one.place is not person.place]
        await person.follows(self.anew(self.chance.choice(others)))

    async def unfollows(self, person: Person) -> None:
        """Somebody is followed no more."""
        row = await self._one(person, f"select followee from follows where follower = '{person.uri}' order by rowid")
        await person.place.node.follows.undo(person.uri, row["followee"])

    async def thanks(self, person: Person) -> None:
        """A colleague is thanked for a post."""
        post = await self._one(person, f"select slug from posts where author <> '{person.uri}' order by rowid")
        await person.place.node.publishing.like(person.uri, post["slug"])

    async def _one(self, person: Person, sql: str) -> Any:
        found = await rows(person.place.node, sql)
        if not found:
            raise Missing
        return self.chance.choice(found)
