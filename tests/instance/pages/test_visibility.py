"""One rule decides who sees what, in every list, page, count and search."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from instance.services.errors import Missing
from instance.storage import QUERIES, SCHEMA, open_store
from instance.storage.migrate import read_migrations
from instance.storage.queries import Queries
from instance.views import doctors, feed, notices, thread
from tests.instance.pages.rows import DE, NOW, Rows

LISTS = ("feed", "page", "profile", "thread")


@pytest.fixture
async def world(tmp_path: Path):
    """An author with one post per audience, a follower, a stranger, somebody named, and two blocks."""
    path = tmp_path / "esanum.db"
    store = await open_store(path)
    await store.migrate()
    await store.close()
    with Rows(path) as rows:
        people = {name: rows.doctor(name, f"Dr {name}", "cardiology") for name in ("ana", "fan", "sam", "nina", "bo")}
        people["abroad"] = rows.doctor("abroad", "Dr abroad", "cardiology", origin=DE)
        rows.follow(people["fan"], people["ana"])
        rows.follow(people["bo"], people["ana"])
        rows.follow(people["sam"], people["ana"], "pending")
        rows.block(people["bo"], people["ana"])
        posts = {
            audience: rows.post(
                people["ana"], audience, audience=audience, named=(people["nina"],) * (audience == "named")
            )
            for audience in ("federation", "colleagues", "named", "national")
        }
        posts["gone"] = rows.post(people["ana"], "gone")
        rows.insert("tombstones", uri=rows.uri_of(posts["gone"]), origin="", actor="", former_type="Article", at=1)
        posts["theirs"] = rows.post(people["abroad"], "not theirs to keep at home", audience="national")
        for post in list(posts.values()):
            rows.comment(people["fan"], post, "<p>answer</p>")
            rows.notice(people["sam"], "answer", people["fan"], post=post)
        rows.block(people["nina"], people["fan"])
    store = await open_store(path)
    yield store, people, posts
    await store.close()


async def seen(store, people, posts, who: str) -> set[str]:
    """What this reader sees, which must be the same everywhere."""
    reader = people[who]
    by_slug = {slug: name for name, slug in posts.items()}
    listed = {by_slug[card.slug] for card in (await feed.home(store, reader, tab="all")).cards}
    special = {by_slug[card.slug] for card in (await feed.home(store, reader)).cards}
    profiles = {
        by_slug[card.slug]
        for author in ("ana", "abroad")
        for card in (await feed.of_author(store, reader, people[author])).cards
    }
    opened = set()
    for name, slug in posts.items():
        try:
            await thread.thread(store, reader, slug)
        except Missing:
            continue
        opened.add(name)
    assert listed == special == profiles == opened
    return listed


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("ana", {"federation", "colleagues", "named", "national"}),
        ("fan", {"federation", "colleagues", "national"}),
        ("sam", {"federation", "national"}),
        ("nina", {"federation", "named", "national"}),
        ("bo", set()),
    ],
)
async def test_a_reader_sees_the_same_everywhere(world, who, expected):
    """The feeds, the profile and the page agree: inside the audience yes, outside, blocked or withdrawn no."""
    assert expected == await seen(*world, who)


async def test_a_doctor_abroad_sees_no_national_post_of_ours_through_a_copy(world):
    """A national post that is not ours is shown to nobody, even if a row of it exists."""
    store, people, posts = world

    with pytest.raises(Missing):
        await thread.post(store, people["fan"], posts["theirs"])


async def test_colleagues_are_those_who_were_accepted(world):
    """The feed of colleagues holds accepted follows only; a pending one shows nothing."""
    store, people, _ = world

    assert {"federation", "colleagues", "national"} == {
        card.title for card in (await feed.home(store, people["fan"], tab="colleagues")).cards
    }
    assert [] == (await feed.home(store, people["sam"], tab="colleagues")).cards


async def test_answers_of_the_blocked_are_neither_shown_nor_counted(world):
    """Counts tell no more than lists do."""
    store, people, posts = world
    shown = await thread.thread(store, people["nina"], posts["federation"])
    cards = (await feed.home(store, people["nina"], tab="all")).cards

    assert [] == shown.answers
    assert {0} == {card.answers for card in cards}
    assert {1} == {card.answers for card in (await feed.home(store, people["sam"], tab="all")).cards}


async def test_notices_of_what_one_may_not_see_are_left_out(world):
    """A notice and its number follow the same rule as the post it leads to."""
    store, people, posts = world
    shown = await notices.notices(store, people["sam"])

    assert {posts["federation"], posts["national"]} == {notice.post for notice in shown.notices}
    assert 2 == await notices.unread(store, people["sam"])


async def test_who_blocked_me_does_not_come_up_in_the_search(world):
    """Nobody finds a doctor who blocked them; everybody else does."""
    store, people, _ = world
    wanted = doctors.Wanted(words=("bo",))

    async def found(who: str) -> list[str]:
        now = int(NOW.timestamp() * 1000)
        return [row.address for row in (await doctors.find(store, people[who], wanted, now)).doctors]

    assert [] == await found("ana")
    assert ["bo"] == await found("fan")


async def test_pages_of_a_feed_join_without_gap_or_double(world, tmp_path):
    """Walking by cursor shows each post once, also where several have the same moment."""
    store, people, _ = world
    whole = [card.slug for card in (await feed.home(store, people["ana"], tab="all")).cards]
    walked, before = [], ""
    for _ in range(10):
        page = await feed.home(store, people["ana"], tab="all", before=before, count=1)
        walked += [card.slug for card in page.cards]
        before = page.next
        if not before:
            break

    assert whole == walked


@pytest.mark.parametrize("tab", feed.TABS)
async def test_every_feed_pages_alike(world, tab):
    """Each tab gives the same posts one by one and all at once."""
    store, people, _ = world
    whole = [card.slug for card in (await feed.home(store, people["fan"], tab=tab)).cards]
    walked, before = [], ""
    while True:
        page = await feed.home(store, people["fan"], tab=tab, before=before, count=1)
        walked += [card.slug for card in page.cards]
        before = page.next
        if not before:
            break

    assert whole == walked


WALKED = (
    *(
        "feeds.all",
        "feeds.specialty",
        "feeds.colleagues",
        "feeds.of_author",
        "feeds.all_newer",
        "feeds.specialty_newer",
    ),
    *("feeds.colleagues_newer", "feeds_questions.page", "feeds_questions.page_newer", "feeds_questions.since"),
)


@pytest.mark.parametrize("name", WALKED)
def test_feeds_walk_an_index(name, tmp_path):
    """No feed reads a whole table, so its cost stays the same at a million posts."""
    import sqlite3

    db = sqlite3.connect(":memory:")
    for migration in read_migrations(SCHEMA, "sqlite"):
        db.executescript(migration.script)
    query = Queries(QUERIES, "sqlite")[name]
    plan = [row[3] for row in db.execute("explain query plan " + query.text, [1] * len(query.names))]

    # What a statement has picked itself is a page at most.
    own = ("picked", "mine", "first", "second", "third", "merged", "m", "others", "answered")
    picked = {f"SCAN {name}" for name in own}
    assert [] == [step for step in plan if step.startswith("SCAN") and step not in picked]
    assert any("posts_by" in step or "post_specialties" in step or "posts_open" in step for step in plan)
    # What waits is small, and is never looked for among what was answered.
    assert "questions" not in name or not any("posts_by" in step for step in plan)


def test_posts_and_comments_are_read_through_the_rule_alone():
    """No statement of a page names posts or comments without the one rule."""
    queries = [query for query in Queries(QUERIES, "sqlite") if query.name.startswith(("feeds", "views."))]
    reading = [query for query in queries if " posts p" in query.text and query.name != "views.siblings"]

    assert reading
    assert [] == [query.name for query in reading if "vt.uri = p.uri" not in query.text]


def test_a_thread_that_answers_itself_in_a_circle_ends():
    """Two answers that claim to answer each other are shown once each."""
    made = itertools.count()

    def comment(uri: str, parent: str) -> thread.CommentRow:
        number = next(made)
        blank = {"content": "", "source": "", "language": "en", "role_then": "", "updated_at": None, "local": 0}
        who = {"author": "", "address": "", "name": "", "country": "", "author_specialties": "[]", "standing": "ok"}
        state = {"valid_until": None, "gone_at": None, "own": 0, "thanks": 0, "thanked": 0, "edited": 0}
        return thread.CommentRow(uri=uri, slug=str(number), parent=parent, published_at=number, **blank, **who, **state)

    shown = thread.in_order([comment("a", "b"), comment("b", "a"), comment("c", "post"), comment("d", "c")])

    assert [("c", 0), ("d", 1), ("a", 0), ("b", 0)] == [(item.comment.uri, item.depth) for item in shown]
