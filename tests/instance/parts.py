"""What the queue, the outbox and the workers need of an instance: a real store, a clock to move, an allowlist."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from federation.allowlist import Allowlist, Sibling
from federation.audience import Target
from federation.keys import PrivateKey, make_ed25519
from federation.ports import Answer
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import VERIFIED_DOCTORS, Create, Delete, Post, PostKind, Undo, Update
from instance import log
from instance.ids import new_ulid
from instance.metrics import Metrics
from instance.outbox import Outbox
from instance.queue import Queue
from instance.services.sibling_sets import SiblingSets
from instance.storage import open_store
from instance.storage.store import Store, Transaction
from instance.times import to_ms
from instance.wiring import Wake
from tests.federation.servers import NOON, sibling

FR = "https://fr.example"
DE, IT = "https://de.example", "https://it.example"
HOME = Uri.parse(FR + "/actor")
ANNA, BRUNO = Uri.parse(FR + "/doctors/anna"), Uri.parse(FR + "/doctors/bruno")


@dataclass
class MovedClock:
    """A clock that stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def move(self, **by: float) -> None:
        """Move by a timedelta's keywords."""
        self.now += timedelta(**by)


@dataclass
class Keys:
    """An Ed25519 key for whoever signs."""

    made: dict[Uri, PrivateKey] = field(default_factory=dict)

    async def signing_key(self, actor: Uri, profile: Profile) -> PrivateKey:
        """The actor's key."""
        if actor not in self.made:
            self.made[actor] = make_ed25519(Uri.parse(actor + "#ed25519-key"), actor)
        return self.made[actor]


@dataclass
class Wire:
    """Takes messages instead of the network, and answers as the test says."""

    posts: list[tuple[Uri, bytes]] = field(default_factory=list)
    #: Called with the inbox and the body; may wait.
    answer: Any = None

    async def post(self, url: Uri, body: bytes, headers: dict[str, str]) -> Answer:
        """Take one message."""
        self.posts.append((url, body))
        return Answer(202) if self.answer is None else await self.answer(url, body)

    async def close(self) -> None:
        """Nothing is open."""


class Parts:
    """As much of an instance as sends."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock, self.metrics, self.log = store, MovedClock(), Metrics(), log.get()
        self.origin, self.actor = FR, HOME
        self.keys, self.wire, self.wake = Keys(), Wire(), Wake()
        self.listed: dict[str, Sibling] = {DE: sibling(DE), IT: sibling(IT)}
        self.sets = SiblingSets(self)  # type: ignore[arg-type]
        self.queue = Queue(self)  # type: ignore[arg-type]
        self.outbox = Outbox(self)  # type: ignore[arg-type]

    def allowlist(self) -> Allowlist:
        """The entries as they are now."""
        return Allowlist(1, dict(self.listed))

    def post(self, author: Uri = ANNA) -> Post:
        """A made-up case."""
        return Post(
            id=Uri.parse(f"{FR}/posts/{new_ulid(self.clock())}"), author=author, kind=PostKind.CASE, title="A case",
            content="<p>Made up</p>", language="fr", specialties=("cardiology",), to=(VERIFIED_DOCTORS,),
            published=self.clock(),
        )  # fmt: skip

    async def creates(
        self, author: Uri = ANNA, *, targets: list[Target] | None = None, priority: int = 3, post: Post | None = None
    ) -> Create:
        """Publish a case for these targets (the shared inboxes of both siblings)."""
        post = post or self.post(author)
        activity = Create(id=self.an_id(), actor=author, object=post)
        await self.publishes(activity, post.id, targets or [shared(DE), shared(IT)], priority)
        return activity

    async def updates(self, post: Post) -> Update:
        """Publish a new version."""
        activity = Update(id=self.an_id(), actor=post.author, object=post)
        await self.publishes(activity, post.id, [shared(DE), shared(IT)])
        return activity

    async def deletes(self, author: Uri, object: Uri, targets: list[Target] | None = None) -> Delete:
        """Publish a withdrawal."""
        activity = Delete(id=self.an_id(), actor=author, object=object)
        await self.publishes(activity, object, targets or [], 1)
        return activity

    async def undoes(self, author: Uri, object: Uri) -> Undo:
        """Take an activity back."""
        activity = Undo(id=self.an_id(), actor=author, object=object)
        await self.publishes(activity, object, [shared(DE)], 1)
        return activity

    async def publishes(self, activity: Any, object: Uri, targets: list[Target], priority: int = 3) -> int:
        """Publish anything; its body is its id."""

        async def work(tx: Transaction) -> int:
            return await self.outbox.publish(
                tx, activity, body=activity.id.encode(), targets=targets, audience="federation", object=object,
                priority=priority,
            )  # fmt: skip

        return await self.store.write(work)

    def an_id(self) -> Uri:
        """A new activity's address."""
        return Uri.parse(f"{FR}/activities/{new_ulid(self.clock())}")

    async def states(self, activity: Any) -> dict[str, str]:
        """The state of an activity's rows, by sibling."""
        rows = await self.store.all("deliveries.list", origin="", state="", limit=10_000)
        found = {row["origin"]: row["state"] for row in rows if row["activity"] == activity.id}
        for state in ("done", "dropped"):
            rows = await self.store.all("deliveries.list", origin="", state=state, limit=10_000)
            found |= {row["origin"]: state for row in rows if row["activity"] == activity.id}
        return found

    async def lists(self, *origins: str) -> None:
        """Give siblings a row, as administrators do."""

        async def work(tx: Transaction) -> None:
            for origin in origins:
                await tx.run(
                    "siblings.add", origin=origin, actor=origin + "/actor", name="S", country="DE",
                    inbox=origin + "/inbox", outbox="", instance_keys="[]", issuer_keys="[]", may_issue_for="[]",
                    kinds_in="[]", kinds_out="[]", speaks_rfc9421=1, contact="", software="", since=to_ms(NOON),
                )  # fmt: skip

        await self.store.write(work)


@contextlib.asynccontextmanager
async def parts(folder: Path) -> AsyncIterator[Parts]:
    """An instance's sending half over a new SQLite file."""
    store = await open_store(folder / "fr.sqlite")
    try:
        await store.migrate()
        found = Parts(store)
        await found.lists(DE, IT)
        yield found
    finally:
        await store.close()


def shared(origin: str) -> Target:
    """A sibling's shared inbox."""
    return Target(origin, Uri.parse(origin + "/inbox"), True)


def personal(origin: str, handle: str = "bert") -> Target:
    """A doctor's own inbox."""
    return Target(origin, Uri.parse(f"{origin}/doctors/{handle}/inbox"), False)
