"""What a sibling reads here of a world made at random, against what the one rule lets through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import orjson

from federation.wire import Response
from tests.doorway import reads
from tests.property.eyes import LABEL, NEVER, Thing, plainly
from tests.property.worlds import HERE, SIBLING, World
from tests.town import Network

SiblingCheck = Callable[[World, Network], Awaitable[None]]


async def _asked(town: Network, target: str) -> Response:
    return await reads(town["de"], town["fr"], target)


async def _served(town: Network, folder: str, thing: Thing, ending: str, may: bool, gone: bool) -> Response:
    """There for whoever may; gone for whoever held it; else as if it had never been."""
    answer = await _asked(town, f"/{folder}/{thing.slug}{ending}")
    never = await _asked(town, f"/{folder}/{NEVER}{ending}")
    if may or gone:
        assert (200 if may else 410) == answer.status, (folder, thing.label)
    else:
        assert plainly(never, NEVER) == plainly(answer, thing.slug), (folder, thing.label)
    return answer


async def sibling_posts(world: World, town: Network) -> None:
    """A post at its home."""
    for post in world.posts:
        gone = post.withdrawn and post.copied and post.author.local
        await _served(town, "posts", post, "", world.sibling_reads(post), gone)


async def sibling_context(world: World, town: Network) -> None:
    """The thread of a post: the answers of instances that speak with the sibling, and of nobody else."""
    for post in world.posts:
        may, gone = world.sibling_reads(post), post.withdrawn and post.copied and post.author.local
        answer = await _served(town, "posts", post, "/context", may, gone)
        if may:
            there = {
                each.uri for each in world.answers
                if each.post is post and not each.withdrawn and each.author.origin in (HERE, SIBLING)
            }  # fmt: skip
            assert there == set(orjson.loads(answer.body).get("orderedItems", ()))


async def sibling_comments(world: World, town: Network) -> None:
    """Our doctors' answers, to whoever may read the discussion."""
    for answer in world.answers:
        if answer.post.author.origin == SIBLING:
            continue  # asked back by the home of the thread: tests/network/test_whole_threads.py
        may = answer.author.local and not answer.withdrawn and world.sibling_reads(answer.post)
        await _served(town, "comments", answer, "", may, False)


async def sibling_activities(world: World, town: Network) -> None:
    """What was said to the sibling, as long as it may be read."""
    for post in world.posts:
        answer = await _asked(town, f"/activities/{post.slug}")
        expected = post.copied and world.sibling_reads(post)
        assert expected == (answer.status == 200), (post.label, answer.status)


async def sibling_collections(world: World, town: Network) -> None:
    """Outbox, followers and following: the part that is the sibling's."""
    theirs = [doctor for doctor in world.doctors if doctor.origin == SIBLING and doctor.standing != "gone"]
    for doctor in world.readers:
        found = {}
        for name in ("outbox", "followers", "following"):
            answer = await _asked(town, f"/doctors/{doctor.handle}/{name}")
            assert 200 == answer.status
            found[name] = set(orjson.loads(answer.body).get("orderedItems", ()))
        said = {post.activity for post in world.posts if post.author is doctor and post.copied}
        assert {post.activity for post in world.posts if post.activity in said and world.sibling_reads(post)} == (
            found["outbox"] & said
        )
        assert {each.uri for each in theirs if world.follows_accepted(each, doctor)} == found["followers"]
        assert {each.uri for each in theirs if world.follows_accepted(doctor, each)} == found["following"]


async def sibling_doctors(world: World, town: Network) -> None:
    """A doctor's document holds nothing of any discussion; another instance's doctor is not ours to show."""
    for doctor in world.doctors:
        answer = await _asked(town, f"/doctors/{doctor.handle}")
        assert not LABEL.search(answer.body)
        if not doctor.local:
            never = "z" * len(doctor.handle)
            assert plainly(await _asked(town, f"/doctors/{never}"), never) == plainly(answer, doctor.handle)


#: Each case of `FederationApp._object`, in its words.
SIBLINGS: Final[dict[str, SiblingCheck]] = {
    # Before the others: to read a post is to hold a copy of it.
    '"doctors", [handle, name] if name in _COLLECTIONS': sibling_collections,
    '"activities", [slug]': sibling_activities,
    '"doctors", [handle]': sibling_doctors,
    '"posts", [slug, "context"]': sibling_context,
    '"posts", [slug]': sibling_posts,
    '"comments", [slug]': sibling_comments,
}
