"""The one rule over worlds made at random, on both engines: every list, page, count and search agrees with the oracle.

The table of statements is `SHOWN`: whoever adds a list of posts or answers adds a line, a function from store, world
and reader to the labels it shows, and what the oracle says of them. The same worlds are looked at through every address
there is in `tests/property/test_every_door.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings

from instance.log import get
from instance.services.errors import Missing
from instance.services.search_index import SearchIndex
from instance.storage import open_store
from instance.storage.store import Store
from instance.views import doctors, feed, notices, search, thread
from tests.contract.conftest import ENGINES
from tests.contract.databases import fresh_postgres
from tests.property.worlds import NOW, SPECIALTIES, Doctor, World, worlds, write

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("one_rule")]
Labels = set[str]
Shown = Callable[[Store, World, Doctor], Awaitable[Labels]]
Expected = Callable[[World, Doctor], Labels]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    """Each engine in turn; a world is written beside those before it."""
    if request.param == "sqlite":
        address = f"sqlite://{tmp_path_factory.mktemp('worlds')}/contract.db"
    else:
        address = await fresh_postgres(request.getfixturevalue("postgres_server"))
    opened = await open_store(address)
    try:
        await opened.migrate()
        yield opened
    finally:
        await opened.close()


def of(world: World, found: Labels) -> Labels:
    """Of what was found, what belongs to this world."""
    return found & {each.label for each in (*world.posts, *world.answers)}


def label(card: feed.Card) -> str:
    """The label of a post on a list."""
    return card.title.partition(" ")[0]


def listed(tab: str) -> Shown:
    """A feed, walked as far as this world reaches: it is the newest."""

    async def shown(store: Store, world: World, reader: Doctor) -> Labels:
        return {label(card) for card in (await feed.home(store, reader.uri, tab=tab, count=60)).cards}

    return shown


def found(thing: str) -> Shown:
    """What a search for the word of the world finds."""

    async def shown(store: Store, world: World, reader: Doctor) -> Labels:
        page = await search.search(store, reader.uri, search.Asked(text=world.word), NOW, thing, 100)
        assert page is not None
        assert page.number == len(page.posts) + len(page.comments)
        return {label(card) for card in page.posts} | {
            each.content.removeprefix("<p>").partition(" ")[0] for each in page.comments
        }

    return shown


async def profiles(store: Store, world: World, reader: Doctor) -> Labels:
    """What stands on the pages of all doctors."""
    pages = [await feed.of_author(store, reader.uri, doctor.uri) for doctor in world.doctors]
    return {label(card) for page in pages for card in page.cards}


async def opened(store: Store, world: World, reader: Doctor) -> Labels:
    """What opens under the address of each post, with its answers."""
    seen: Labels = set()
    for post in world.posts:
        try:
            shown = await thread.thread(store, reader.uri, post.slug)
        except Missing:
            continue
        seen |= {post.label, *(each.comment.content[3:].partition(" ")[0] for each in shown.answers)}
    return seen


async def single(store: Store, world: World, reader: Doctor) -> Labels:
    """The answers that open for the forms about them."""
    asked = [
        (answer.label, await store.one(query, slug=answer.slug, reader=reader.uri))
        for answer in world.answers
        for query in ("views.comment", "comments.visible")
    ]
    assert all((one[1] is None) == (other[1] is None) for one, other in zip(asked[::2], asked[1::2], strict=True))
    return {name for name, row in asked if row is not None}


def posts(world: World, reader: Doctor) -> Labels:
    """Every post the reader may see."""
    return {post.label for post in world.posts if world.sees(reader, post)}


def unmuted(world: World, reader: Doctor) -> Labels:
    """Those of them that stand in lists: of nobody the reader has muted."""
    return {post.label for post in world.posts if world.sees(reader, post) and (reader, post.author) not in world.mutes}


def answers(world: World, reader: Doctor) -> Labels:
    """Every answer the reader may see."""
    return {answer.label for answer in world.answers if world.sees_answer(reader, answer)}


def unmuted_answers(world: World, reader: Doctor) -> Labels:
    """Those of them that are found."""
    return {
        answer.label
        for answer in world.answers
        if world.sees_answer(reader, answer)
        and not {(reader, answer.author), (reader, answer.post.author)} & world.mutes
    }


def only(expected: Expected, keep: Callable[[World, Doctor], Labels]) -> Expected:
    """Those of a list that another holds as well."""
    return lambda world, reader: expected(world, reader) & keep(world, reader)


def of_specialty(world: World, reader: Doctor) -> Labels:
    """Posts of the readers' specialty."""
    return {post.label for post in world.posts if post.specialty == SPECIALTIES[0]}


def of_followed(world: World, reader: Doctor) -> Labels:
    """Posts of those the reader follows."""
    return {post.label for post in world.posts if world.follows_accepted(reader, post.author)}


def of_muted(world: World, reader: Doctor) -> Labels:
    """Posts that a feed may leave out."""
    return {post.label for post in world.posts if (reader, post.author) in world.mutes}


#: What is shown, what the oracle says, and what may be left out beside (feeds leave out the muted where they know of them).
SHOWN: dict[str, tuple[Shown, Expected, Expected]] = {
    "all": (listed("all"), posts, of_muted),
    "specialty": (listed("specialty"), only(posts, of_specialty), of_muted),
    "colleagues": (listed("colleagues"), only(posts, of_followed), of_muted),
    "profiles": (profiles, posts, lambda *_: set()),
    "pages": (opened, lambda *asked: posts(*asked) | answers(*asked), lambda *_: set()),
    "answers": (single, answers, lambda *_: set()),
    "search for posts": (found("posts"), unmuted, lambda *_: set()),
    "search for answers": (found("comments"), unmuted_answers, lambda *_: set()),
}  # fmt: skip


@settings(
    max_examples=50, deadline=None, database=None, derandomize=True,
    # A world that fails is small as it is; to look for a smaller one would take minutes.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(world=worlds())
async def test_every_statement_agrees_with_the_oracle(store: Store, world: World) -> None:
    """N7 to N12: what is listed, opened, counted, told and found is what may be seen, for everybody in the world."""
    await store.write(lambda tx: write(tx, world))
    await SearchIndex(SimpleNamespace(store=store, log=get())).fill_all()  # type: ignore[arg-type]
    for reader in world.readers:
        for name, (shown, expected, spared) in SHOWN.items():
            seen, may = of(world, await shown(store, world, reader)), expected(world, reader)

            assert may - spared(world, reader) <= seen <= may, (name, reader.handle)
        await _counted(store, world, reader)


async def _counted(store: Store, world: World, reader: Doctor) -> None:
    """Numbers: of answers on a list, of notices, of people found."""
    counts = {label(card): card.answers for card in (await feed.home(store, reader.uri, tab="all", count=60)).cards}
    for post in world.posts:
        if post.label in counts:
            seen = [each for each in world.answers if each.post is post and world.sees_answer(reader, each)]
            assert len(seen) == counts[post.label]
    told = [notice for notice in world.notices if world.is_told(reader, notice)]
    assert len(told) == await notices.unread(store, reader.uri)
    wanted = doctors.Wanted(words=(world.name.lower(),))
    people = await doctors.find(store, reader.uri, wanted, NOW)
    assert {other.address for other in world.doctors if world.finds(reader, other)} == {
        colleague.address for colleague in people.doctors
    }
