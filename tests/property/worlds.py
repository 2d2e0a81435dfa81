"""Small worlds made at random, and who may see what in them, said in plain words and apart from the product.

A world stands in a database beside the worlds before it: its people, instances and posts are its own, and whoever looks
at a page looks for its labels alone (`T-12` a post, `A-31` an answer, `@w7a` a doctor). It is written by the statements
the product writes with; what has no statement of its own yet is written by hand (`by_hand`).
"""

from __future__ import annotations

import inspect
import itertools
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from instance.storage.store import Transaction
from instance.times import to_ms
from tests.town import NOON

HERE: Final = "https://fr.example"
SIBLING: Final = "https://de.example"
AUDIENCES: Final = ("federation", "colleagues", "named", "national")
#: What became of an instance that was expelled: until when what it wrote is shown.
FATES: Final = ("", "labelled", "kept", "hidden", "purging", "returned")
STANDINGS: Final = ("ok", "suspended", "revoked", "gone")
SPECIALTIES: Final = ("cardiology", "neurology")
NOW: Final = to_ms(NOON)
_numbers = itertools.count(1)
_labels = itertools.count(1_000)


@dataclass(eq=False)
class Doctor:
    """Somebody of a world."""

    handle: str
    origin: str
    standing: str

    @property
    def local(self) -> bool:
        """Whether this is one of our own."""
        return self.origin == HERE

    @property
    def uri(self) -> str:
        """The doctor's id."""
        return f"{self.origin}/doctors/{self.handle}"

    @property
    def address(self) -> str:
        """The doctor's address in our pages."""
        return self.handle if self.local else f"{self.handle}@{self.origin.removeprefix('https://')}"


@dataclass(eq=False)
class Post:
    """A post as its author meant it."""

    number: int
    author: Doctor
    audience: str
    named: frozenset[Doctor]
    specialty: str
    withdrawn: bool
    #: Whether the ledger says that the sibling was sent it.
    copied: bool

    @property
    def label(self) -> str:
        """How a page shows it."""
        return f"T-{self.number}"

    @property
    def slug(self) -> str:
        """Its address in pages."""
        return f"01JD{self.number:022d}"

    @property
    def uri(self) -> str:
        """Its id."""
        return f"{self.author.origin}/posts/{self.slug}"

    @property
    def activity(self) -> str:
        """The id of what said so to the sibling."""
        return f"{self.author.origin}/activities/{self.slug}"


@dataclass(eq=False)
class Answer:
    """An answer under a post."""

    number: int
    post: Post
    author: Doctor
    withdrawn: bool

    @property
    def label(self) -> str:
        """How a page shows it."""
        return f"A-{self.number}"

    @property
    def slug(self) -> str:
        """Its address in pages."""
        return f"01JE{self.number:022d}"

    @property
    def uri(self) -> str:
        """Its id."""
        return f"{self.author.origin}/comments/{self.slug}"


@dataclass(eq=False)
class Notice:
    """Something that somebody is told."""

    reader: Doctor
    actor: Doctor
    post: Post | None


@dataclass
class World:
    """What was done in it, in the words of the people."""

    number: int
    doctors: list[Doctor]
    fates: dict[str, str]
    #: Who follows whom, and how that stands.
    follows: dict[tuple[Doctor, Doctor], str] = field(default_factory=dict)
    blocks: set[tuple[Doctor, Doctor]] = field(default_factory=set)
    mutes: set[tuple[Doctor, Doctor]] = field(default_factory=set)
    posts: list[Post] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    @property
    def word(self) -> str:
        """A word that stands in every post and answer of this world, and in no other."""
        return f"w{self.number}befund"

    @property
    def name(self) -> str:
        """A name that everybody here has, and nobody in another world."""
        return "Qu" + "".join("abcdefghij"[int(digit)] for digit in str(self.number)) + "x"

    @property
    def readers(self) -> list[Doctor]:
        """Those who look: our own."""
        return [doctor for doctor in self.doctors if doctor.local]

    # ── the oracle (N7 to N12) ──

    def blocked(self, one: Doctor, other: Doctor) -> bool:
        """Whether either has closed the door on the other."""
        return (one, other) in self.blocks or (other, one) in self.blocks

    def hidden(self, doctor: Doctor) -> bool:
        """Whether everything from this doctor's instance is hidden, since it was expelled."""
        return self.fates.get(doctor.origin, "") in ("hidden", "purging")

    def follows_accepted(self, one: Doctor, other: Doctor) -> bool:
        """Whether one belongs to the other's colleagues."""
        return self.follows.get((one, other)) == "accepted"

    def sees(self, reader: Doctor, post: Post) -> bool:
        """Whether a doctor of ours may read a post."""
        if post.withdrawn or self.hidden(post.author):
            return False
        if reader is post.author:
            return True
        if self.blocked(reader, post.author):
            return False
        return {
            "federation": True,
            "national": post.author.local,
            "colleagues": self.follows_accepted(reader, post.author),
            "named": reader in post.named,
        }[post.audience]

    def sees_answer(self, reader: Doctor, answer: Answer) -> bool:
        """Whether a doctor of ours may read an answer."""
        if answer.withdrawn or self.hidden(answer.author) or self.blocked(reader, answer.author):
            return False
        return self.sees(reader, answer.post)

    def is_told(self, reader: Doctor, notice: Notice) -> bool:
        """Whether a notice may still be shown to the one it is for."""
        if notice.reader is not reader or self.blocked(reader, notice.actor) or self.hidden(notice.actor):
            return False
        return notice.post is None or self.sees(reader, notice.post)

    def finds(self, reader: Doctor, other: Doctor) -> bool:
        """Whether a doctor comes up where colleagues are looked for."""
        stands = other.standing == "ok" and not self.hidden(other)
        return stands and other is not reader and (other, reader) not in self.blocks

    def sibling_reads(self, post: Post) -> bool:
        """Whether the sibling may read a post of ours at its home: has it a doctor inside the audience?

        One that names somebody of an instance with which the sibling does not speak is not for it (N3).
        """
        if post.withdrawn or not post.author.local or any(doctor.origin in self.fates for doctor in post.named):
            return False
        there = [doctor for doctor in self.doctors if doctor.origin == SIBLING and doctor.standing != "gone"]
        return {
            "federation": True,
            "national": False,
            "colleagues": any(self.follows_accepted(doctor, post.author) for doctor in there),
            "named": any(doctor in post.named for doctor in there),
        }[post.audience]


@st.composite
def worlds(draw: Any) -> World:
    """A world: three of ours (one of whom may be suspended), two at the sibling, two at an instance that may be expelled."""
    number = next(_numbers)
    other = f"https://w{number}.example"
    places = [HERE, HERE, HERE, SIBLING, SIBLING, other, other]
    standings = [*(draw(st.sampled_from(("ok", "ok", "ok", "suspended"))) for _ in range(3))]
    standings += [draw(st.sampled_from(("ok", "ok", *STANDINGS[1:]))) for _ in range(4)]
    doctors = [
        Doctor(f"w{number}{chr(ord('a') + at)}", origin, standing)
        for at, (origin, standing) in enumerate(zip(places, standings, strict=True))
    ]
    world = World(number, doctors, {other: draw(st.sampled_from(FATES))})
    anybody, ours = st.sampled_from(doctors), st.sampled_from(doctors[:3])
    pairs = st.tuples(anybody, anybody).filter(lambda pair: pair[0] is not pair[1])
    for pair in draw(st.lists(pairs, max_size=8, unique=True)):
        world.follows[pair] = draw(st.sampled_from(("accepted", "accepted", "pending", "rejected")))
    own = st.tuples(ours, anybody).filter(lambda pair: pair[0] is not pair[1])
    world.blocks = set(draw(st.lists(own, max_size=2, unique=True)))
    for _ in range(draw(st.integers(3, 9))):
        audience = draw(st.sampled_from(AUDIENCES))
        named = frozenset(draw(st.lists(anybody, min_size=1, max_size=3))) if audience == "named" else frozenset()
        world.posts.append(
            Post(next(_labels), draw(anybody), audience, named, draw(st.sampled_from(SPECIALTIES)),
                 draw(st.sampled_from((False, False, False, True))),
                 draw(st.booleans()) and not any(doctor.origin == other for doctor in named))
        )  # fmt: skip
    posts = st.sampled_from(world.posts)
    for _ in range(draw(st.integers(0, 7))):
        world.answers.append(Answer(next(_labels), draw(posts), draw(anybody), draw(st.integers(0, 4)) == 0))
    for _ in range(draw(st.integers(0, 5))):
        reader, actor = draw(own)
        world.notices.append(Notice(reader, actor, draw(st.one_of(st.none(), posts))))
    told = {(notice.reader, notice.actor) for notice in world.notices}
    world.mutes = {pair for pair in draw(st.lists(own, max_size=2, unique=True)) if pair not in told}
    return world


# ── written down ──


async def by_hand(tx: Transaction, sql: str) -> None:
    """Run a statement that is none of the product's."""
    done = tx._connection.execute(sql)  # type: ignore[attr-defined]
    if inspect.isawaitable(done):
        await done


async def write(tx: Transaction, world: World, *, people: bool = True) -> None:
    """Keep a world; without `people` our own doctors are there already."""
    for doctor in world.doctors:
        if not doctor.local or people:
            await _keep_doctor(tx, world, doctor)
        await tx.run("people.add_word", doctor=doctor.uri, word=world.name.lower())
    for (one, other), state in world.follows.items():
        ask = {"follower": one.uri, "followee": other.uri, "id": f"{one.uri}#{other.handle}"}
        await tx.run("follows.ask", **ask, state=state, now=NOW, answered_at=NOW)
    for one, other in world.blocks:
        await tx.run("follows.block", doctor=one.uri, blocked=other.uri, now=NOW)
    for one, other in world.mutes:
        await by_hand(tx, f"insert into mutes (doctor, muted, at) values ('{one.uri}', '{other.uri}', {NOW})")
    for post in world.posts:
        await _keep_post(tx, world, post)
    for answer in world.answers:
        await _keep_answer(tx, world, answer)
    for at, notice in enumerate(world.notices):
        about = notice.post.slug if notice.post else ""
        await by_hand(
            tx, "insert into notifications (id, doctor, kind, actor, post, object, at) values "
            f"('01JF{world.number:015d}{at:07d}', '{notice.reader.uri}', 'answer', '{notice.actor.uri}', '{about}', "
            f"'w{world.number}-{at}', {NOW})",
        )  # fmt: skip
    for post in world.posts:
        if post.withdrawn:
            await _withdraw(tx, post)
    for origin, fate in world.fates.items():
        await _expel(tx, origin, fate)


async def _keep_doctor(tx: Transaction, world: World, doctor: Doctor) -> None:
    values = {
        "uri": doctor.uri, "origin": doctor.origin, "handle": doctor.handle, "name": f"Dr {world.name}",
        "folded": world.name.lower(), "role": "specialist", "country": "FR" if doctor.local else "DE",
        "specialties": '["cardiology"]', "assurance": "high", "valid_from": 0, "valid_until": NOW + 10**9,
        "inbox": f"{doctor.uri}/inbox", "shared_inbox": "", "outbox": f"{doctor.uri}/outbox",
        "followers": f"{doctor.uri}/followers", "following": f"{doctor.uri}/following", "languages": "[]",
        "credential": "null", "now": NOW,
    }  # fmt: skip
    if doctor.local:
        await tx.run("people.add", **values, approves_followers=0)
        await tx.run("people.set_standing", uri=doctor.uri, standing=doctor.standing, before="ok", now=NOW)
        await tx.run("people.add_specialty", doctor=doctor.uri, specialty=SPECIALTIES[0])
    else:
        await tx.run(
            "directory.put", **values, address=doctor.address, standing=doctor.standing, summary="", document=""
        )
    if doctor.standing == "gone":
        await tx.run("apply.doctor_gone", uri=doctor.uri, now=NOW)


async def _keep_post(tx: Transaction, world: World, post: Post) -> None:
    at = NOW + post.number
    values = {
        "uri": post.uri, "slug": post.slug, "origin": post.author.origin, "author": post.author.uri, "kind": "case",
        "title": f"{post.label} {world.word}", "content": "<p>Made up.</p>", "language": "en", "context": "",
        "specialties": f'["{post.specialty}"]', "audience": post.audience, "role_then": "specialist", "now": at,
        "facts": "{}", "interests": "", "event_from": "",
    }  # fmt: skip
    if post.author.local:
        await tx.run("posts.add", **values, source="")
    else:
        await tx.run(
            "apply.add_post", **values, published_at=at, updated_at=None, sort_at=at
        )  # fmt: skip
    await tx.run("posts.add_specialty", specialty=post.specialty, post=post.uri, sort_at=at, bulletin="")
    for doctor in post.named:
        await tx.run("posts.add_mention", object=post.uri, doctor=doctor.uri)
    if post.copied and post.author.local:
        await tx.run("copies.add", object=post.uri, origin=SIBLING, at=at)
        await tx.run(
            "activities.add", uri=post.activity, actor=post.author.uri, type="Create", object=post.uri,
            audience=post.audience, body=b"{}", at=at,
        )  # fmt: skip


async def _keep_answer(tx: Transaction, world: World, answer: Answer) -> None:
    values = {
        "uri": answer.uri, "slug": answer.slug, "origin": answer.author.origin, "post": answer.post.uri,
        "parent": answer.post.uri, "author": answer.author.uri, "content": f"<p>{answer.label} {world.word}</p>",
        "language": "en", "role_then": "specialist", "now": NOW + answer.number,
    }  # fmt: skip
    if answer.author.local:
        await tx.run("comments.add", **values, source="")
    else:
        more = {"published_at": values["now"], "updated_at": None, "document": "", "outside": 0}
        await tx.run("apply.add_comment", **values, **more)
    if answer.withdrawn:
        await tx.run("apply.drop_comment", uri=answer.uri)
        await _leave_tombstone(tx, answer.uri, answer.author, "Note")
    await tx.run("comments.recount", post=answer.post.uri)


async def _withdraw(tx: Transaction, post: Post) -> None:
    """As the product does: the row goes, siblings' answers go with it, our own doctors' answers stay theirs."""
    await tx.run("posts.drop_foreign_comments", post=post.uri)
    await tx.run("apply.drop_post", uri=post.uri)
    await _leave_tombstone(tx, post.uri, post.author, "Article")


async def _leave_tombstone(tx: Transaction, uri: str, actor: Doctor, kind: str) -> None:
    await tx.run("posts.add_tombstone", uri=uri, origin=actor.origin, actor=actor.uri, former_type=kind, now=NOW)


async def _expel(tx: Transaction, origin: str, fate: str) -> None:
    if not fate:
        return
    await tx.run(
        "farewells.add", origin=origin, actor=f"{origin}/actor", name="W", country="DE", inbox=f"{origin}/inbox",
        speaks_rfc9421=0, proposed_by="a", confirmed_by="b", now=NOW, words_until=NOW, erasures_until=NOW,
        cause="expelled",
    )  # fmt: skip
    if fate == "returned":
        await tx.run("farewells.set_fate", origin=origin, fate="hidden", seen="labelled", now=NOW)
        await tx.run("farewells.returns", origin=origin, now=NOW)
    elif fate != "labelled":
        await tx.run("farewells.set_fate", origin=origin, fate=fate, seen="labelled", now=NOW)
    await tx.run("farewells.count_answers", origin=origin)
