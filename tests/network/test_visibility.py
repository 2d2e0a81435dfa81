"""Who sees what, at every door of every instance: one oracle written here, and the product has to agree (N7 to N12)."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

import pytest

from federation.uri import Uri
from instance.services.publishing import CommentDraft, PostDraft
from tests.bulletins import a_bulletin
from tests.doorway import reads
from tests.network.scene import Visitor, befriend, home_uri, profile_path
from tests.town import Network, Person, Place, rows

AUDIENCES = ("federation", "colleagues", "named", "national")


def draft(title: str, audience: str, named: tuple[str, ...] = (), kind: str = "case") -> PostDraft:
    """A post as the form hands it over."""
    return PostDraft(
        bulletin=a_bulletin(kind), kind=kind, title=title, text="Made up.", specialties=("cardiology",), audience=audience, language="en",
        named=named,
    )  # fmt: skip


# ── the oracle ──


@dataclass
class Posted:
    """One post as its author meant it."""

    title: str
    author: Person
    audience: str
    named: frozenset[Uri]
    slug: str


@dataclass
class World:
    """What was done, in the words of the people: who follows whom, who has blocked whom, who is suspended."""

    people: list[Person]
    follows: set[tuple[Uri, Uri]] = field(default_factory=set)
    blocks: set[tuple[Uri, Uri]] = field(default_factory=set)
    suspended: set[Uri] = field(default_factory=set)
    posts: list[Posted] = field(default_factory=list)

    def sees(self, reader: Person, post: Posted) -> bool:
        """Whether this doctor may read the post at home."""
        author = post.author
        if reader.uri in self.suspended:
            return False
        if reader.uri == author.uri:
            return True
        if (reader.uri, author.uri) in self.blocks:
            return False
        if reader.place is author.place and (author.uri, reader.uri) in self.blocks:
            return False  # abroad a block is not known: it stays at home
        match post.audience:
            case "federation":
                return True
            case "national":
                return reader.place is author.place
            case "colleagues":
                return (reader.uri, author.uri) in self.follows
            case _:
                return reader.uri in post.named

    def may_name(self, author: Person, other: Person) -> bool:
        """Whether the author's instance knows of no block between the two: of one abroad it never does."""
        there = author.place is other.place and (other.uri, author.uri) in self.blocks
        return not there and (author.uri, other.uri) not in self.blocks

    def may_ask(self, sibling: Place, post: Posted) -> bool:
        """Whether this instance may read the post at its home."""
        there = [person.uri for person in self.people if person.place is sibling]
        match post.audience:
            case "federation":
                return True
            case "colleagues":
                return any((person, post.author.uri) in self.follows for person in there)
            case "named":
                return bool(post.named.intersection(there))
            case _:
                return False


async def make_world(town: Network, chance: random.Random) -> World:
    """People who follow and block each other at random, then write; one of them is suspended in the end."""
    handles = {"fr": ("marie", "paul"), "de": ("anna", "berta"), "it": ("luca", "carla")}
    people = [await town[place].doctor(handle) for place, both in handles.items() for handle in both]
    world = World(people)
    pairs = [(one, other) for one in people for other in people if one is not other]
    for one, other in chance.sample(pairs, 10):
        await one.follows(other)
        world.follows.add((one.uri, other.uri))
    await town.settle()
    for one, other in chance.sample(pairs, 4):
        await one.place.node.follows.block(
            one.uri, other.address if other.place is not one.place else other.handle
        )  # fmt: skip
        world.blocks.add((one.uri, other.uri))
        world.follows -= {(one.uri, other.uri), (other.uri, one.uri)}
        await town.settle()
    for number in range(14):
        author = chance.choice(people)
        audience = AUDIENCES[number % 4]
        others = [person for person in people if person is not author and world.may_name(author, person)]
        named = chance.sample(others, chance.randint(1, 3)) if audience == "named" else []
        town.clock.move(seconds=7)
        slug = await author.place.node.publishing.publish(
            author.uri, draft(f"T-{number}", audience, tuple(person.address for person in named))
        )
        world.posts.append(Posted(f"T-{number}", author, audience, frozenset(p.uri for p in named), slug))
    await town.settle()
    lost = chance.choice(people)
    await lost.place.node.people.suspend(lost.handle, by="test", reason="test")
    world.suspended.add(lost.uri)
    await town.settle()
    return world


async def seen_by(world: World, reader: Person) -> dict[str, set[str]]:
    """The titles this reader is shown, by door."""
    begun = None
    if reader.uri not in world.suspended:
        begun = await Visitor.of(reader)
    visitor = begun or Visitor(reader.place, "no-session")
    everything = "/feed?tab=all"
    doors = {
        "feed": await visitor.titles(everything),
        "specialty": await visitor.titles("/feed?tab=specialty"),
        "json": {item["title"] for item in await visitor.feed_json()} if begun else set(),
        "profiles": set(),
        "pages": set(),
    }
    for person in world.people:
        doors["profiles"] |= await visitor.titles(profile_path(person, reader.place))
    for row in await rows(reader.place.node, "select slug, title from posts"):
        if (await visitor.get(f"/posts/{row['slug']}")).status == 200:
            doors["pages"].add(row["title"])
    return doors


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_door_agrees_with_the_oracle(town, seed):
    """N7 to N10, A97 to A103: feeds, JSON, profile, page, notices, signed GET, context, outbox, over random people."""
    world = await make_world(town, random.Random(seed))
    for reader in world.people:
        expected = {post.title for post in world.posts if world.sees(reader, post)}
        doors = await seen_by(world, reader)

        assert dict.fromkeys(doors, expected) == doors, reader.address
        if reader.uri not in world.suspended:
            visitor = await Visitor.of(reader)
            followed = {p.title for p in world.posts if (reader.uri, p.author.uri) in world.follows} & expected
            assert followed == await visitor.titles("/feed?tab=colleagues")
            assert await visitor.titles("/notices") <= expected
            assert set() == await visitor.titles("/colleagues?q=dr")
    for post in world.posts:
        for sibling in town.places.values():
            if sibling is not post.author.place:
                await check_sibling(world, sibling, post)


async def check_sibling(world: World, sibling: Place, post: Posted) -> None:
    """What a sibling may read at the post's home: the post, its context, and its Create in the outbox, or none."""
    home = post.author.place
    expected = world.may_ask(sibling, post)
    answers = [(await reads(sibling, home, f"/posts/{post.slug}{end}")).status for end in ("", "/context")]
    outbox = json.loads((await reads(sibling, home, f"/doctors/{post.author.handle}/outbox")).body)
    creates = await rows(
        home.node, f"select uri from activities where type = 'Create' and object = '{home_uri(home, post.slug)}'"
    )

    assert [200 if expected else 404] * 2 == answers, (post, sibling.name)
    for row in creates:
        target = row["uri"].removeprefix(home.node.origin)
        assert expected is (row["uri"] in outbox.get("orderedItems", ()))
        assert expected is ((await reads(sibling, home, target)).status == 200)


# ── the twins of "not there" ──


async def test_hidden_and_missing_are_byte_equal_to_a_sibling(town):
    """A97: a post, a thread, an answer, an activity that are not for Italy answer like what never was."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await befriend(town, anna, marie)
    slug = await marie.posts("For followers", audience="colleagues")
    comment = await marie.place.node.publishing.comment(
        marie.uri, slug, CommentDraft(text="Inside.", language="en", parent_slug=None)
    )
    await town.settle()
    created = [row["uri"] for row in await rows(town["fr"].node, "select uri from activities where type = 'Create'")]
    hidden = [f"/posts/{slug}", f"/posts/{slug}/context", f"/comments/{comment}"]
    hidden += [uri.removeprefix("https://fr.example") for uri in created]
    never = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    missing = [f"/posts/{never}", f"/posts/{never}/context", f"/comments/{never}", f"/activities/{never}"]
    answers = [await reads(town["it"], town["fr"], target) for target in (*hidden, *missing)]

    assert {404} == {answer.status for answer in answers}
    assert 1 == len({(answer.body, tuple(sorted(answer.headers.items()))) for answer in answers})
    assert {200} == {(await reads(town["de"], town["fr"], target)).status for target in hidden}


async def test_hidden_and_missing_are_byte_equal_to_a_doctor(town):
    """A97: the page of a case for others, of its history, its forms: as for what never was, but for the token."""
    marie, paul = await town["fr"].doctor("marie"), await town["fr"].doctor("paul")
    slug = await marie.posts("For followers", audience="colleagues")
    visitor = await Visitor.of(paul)
    for ending in ("", "/history", "/report", "/edit", "/withdraw"):
        hidden = await visitor.get(f"/posts/{slug}{ending}")
        missing = await visitor.get(f"/posts/01ARZ3NDEKTSV4RRFFQ69G5FAV{ending}")

        assert (404, 404) == (hidden.status, missing.status)
        assert hidden.body.replace(slug.encode(), b"") == missing.body.replace(b"01ARZ3NDEKTSV4RRFFQ69G5FAV", b"")
    for act in ("thanks", "recommend", "answers", "report", "withdraw", "edit"):
        answers = [
            (await visitor.post(f"/posts/{name}/{act}", text="x", reason="other")).status
            for name in (slug, "01ARZ3NDEKTSV4RRFFQ69G5FAV")
        ]
        assert answers[0] == answers[1]
        assert answers[0] in (404, 422)


async def test_the_receiver_is_the_guard(town):
    """A102: a `colleagues` case that came to France for Marie is not Paul's to read, and `named` is for the named."""
    marie, paul = await town["fr"].doctor("marie"), await town["fr"].doctor("paul")
    anna = await town["de"].doctor("anna")
    await befriend(town, marie, anna)
    await anna.posts("T-1", audience="colleagues")
    await anna.posts("T-2", audience="named", named=(marie.address,))
    await anna.posts("T-3", audience="national")
    await town.settle()

    assert {"T-1", "T-2"} == set(await town["fr"].titles())
    assert {"T-1", "T-2"} == await (await Visitor.of(marie)).titles("/feed?tab=all")
    assert set() == await (await Visitor.of(paul)).titles("/feed?tab=all")


async def test_followers_show_each_sibling_its_own_part(town):
    """A103, G7: Germany sees its follower and a count of one, Italy an empty list."""
    marie, anna, berta = (
        await town["fr"].doctor("marie"), await town["de"].doctor("anna"), await town["de"].doctor("berta"),
    )  # fmt: skip
    paul = await town["fr"].doctor("paul")
    await befriend(town, anna, marie)
    await befriend(town, paul, marie)
    await befriend(town, marie, berta)

    found = {}
    for name in ("de", "it"):
        for which in ("followers", "following"):
            document = json.loads((await reads(town[name], town["fr"], f"/doctors/marie/{which}")).body)
            found[name, which] = (document["totalItems"], document.get("orderedItems", []))

    assert (1, [anna.uri]) == found["de", "followers"]
    assert (1, [berta.uri]) == found["de", "following"]
    assert (0, []) == found["it", "followers"] == found["it", "following"]


async def test_what_was_narrowed_is_out_of_reach_for_those_left_out(town):
    """N18, A99: the copy goes, and neither the outbox nor an activity's address gives the new version, or the old."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await town["it"].doctor("luca")
    slug = await marie.posts("T-1")
    await town.settle()
    town.clock.move(seconds=5)
    await town["fr"].node.publishing.edit(marie.uri, slug, draft("T-2", "named", (anna.address,)))
    await town.settle()
    targets = [
        row["uri"].removeprefix("https://fr.example")
        for row in await rows(town["fr"].node, "select uri from activities where type in ('Create', 'Update')")
    ]
    outbox = json.loads((await reads(town["it"], town["fr"], "/doctors/marie/outbox")).body)

    assert ([], ["T-2"]) == (await town["it"].titles(), await town["de"].titles())
    assert {404} == {(await reads(town["it"], town["fr"], target)).status for target in targets}
    assert set(targets).isdisjoint(uri.removeprefix("https://fr.example") for uri in outbox.get("orderedItems", []))
    assert 404 == (await reads(town["it"], town["fr"], f"/posts/{slug}")).status
    assert 200 == (await reads(town["de"], town["fr"], f"/posts/{slug}")).status


async def test_nobody_gets_through_a_third_instance_what_the_home_withholds(town):
    """N3: a copy is never served: Germany's of a French case answers Italy as if it were not there."""
    marie = await town["fr"].doctor("marie")
    await marie.posts("T-1")
    await town.settle()
    slug = (await rows(town["de"].node, "select slug from posts"))[0]["slug"]

    assert 404 == (await reads(town["it"], town["de"], f"/posts/{slug}")).status
    assert 404 == (await reads(town["fr"], town["de"], f"/posts/{slug}")).status


async def test_a_post_that_is_kept_from_a_sibling_has_no_thread_for_it(town):
    """N3, N10: Anna names Marie and Luca; France shuts Italy out: of post and thread Italy learns that neither ever was."""
    marie, luca = await town["fr"].doctor("marie"), await town["it"].doctor("luca")
    anna = await town["de"].doctor("anna")
    slug = await anna.posts("T-1", audience="named", named=(marie.address, luca.address))
    await town.settle()
    before = [(await reads(town["it"], town["de"], f"/posts/{slug}{end}")).status for end in ("", "/context")]
    await town["fr"].node.siblings.remove("https://it.example", "test", "test")
    await town.settle()
    answers = [await reads(town["it"], town["de"], f"/posts/{slug}{end}") for end in ("", "/context")]
    never = await reads(town["it"], town["de"], "/posts/01ARZ3NDEKTSV4RRFFQ69G5FAV/context")

    assert [200, 200] == before
    assert [(never.status, never.body)] * 2 == [(answer.status, answer.body) for answer in answers]
    assert 200 == (await reads(town["fr"], town["de"], f"/posts/{slug}/context")).status
