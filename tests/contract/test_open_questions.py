"""Open questions in their order, who is asked, what is left out, and what is new: on both engines."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from instance.services.asking import Asking, ask
from instance.storage import open_store
from instance.storage.store import Store, Transaction
from instance.times import to_ms
from instance.views import feed, notices
from tests.contract.test_who_sees_what import HERE, READER, add_doctor

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = 60_000
ANNA, PAUL = f"{HERE}/doctors/anna", f"{HERE}/doctors/paul"

#: Germany leaves the federation.
FAREWELL = {
    "origin": "https://de.example", "actor": "a", "name": "n", "country": "DE", "inbox": "i", "now": 0,
    "speaks_rfc9421": 0, "proposed_by": "p", "confirmed_by": "c", "words_until": 0, "erasures_until": 0,
    "cause": "expelled",
}  # fmt: skip


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    """A cardiologist who reads, and two colleagues who write."""
    opened = await open_store(address)
    try:
        await opened.migrate()

        async def people(tx: Transaction) -> None:
            for uri in (READER, ANNA, PAUL):
                await add_doctor(tx, uri)
            await tx.run("people.add_specialty", doctor=READER, specialty="cardiology")
            await tx.run("people.add_specialty", doctor=READER, specialty="geriatrics")

        await opened.write(people)
        yield opened
    finally:
        await opened.close()


def uri_of(slug: str) -> str:
    """The id of a post or answer."""
    return f"{HERE}/posts/{slug}"


async def written(
    store: Store, slug: str, minute: int, filed: Sequence[str] = ("cardiology",), author: str = ANNA, **changes: Any
) -> None:
    """A post of that minute, and where it is a question whom it asks."""
    country = changes.pop("country", "")
    values = {
        "uri": uri_of(slug), "slug": slug, "origin": HERE, "author": author, "kind": "question", "title": slug,
        "content": "<p>Text.</p>", "source": "", "language": "en", "specialties": json.dumps(list(filed)),
        "audience": "federation", "role_then": "specialist", "context": "", "facts": "{}", "interests": "", "event_from": "", "now": to_ms(NOON) + minute * MINUTE,
        **changes,
    }  # fmt: skip
    published = NOON + timedelta(minutes=minute)

    async def work(tx: Transaction) -> None:
        await tx.run("posts.add", **values)
        for each in filed:
            await tx.run("posts.add_specialty", specialty=each, post=values["uri"], sort_at=values["now"], bulletin="")
        asked = Asking(uri=values["uri"], kind=values["kind"], audience=values["audience"], specialties=filed,
                       country=country, published=published)  # fmt: skip
        await ask(tx, asked, published)

    await store.write(work)


async def answered(store: Store, slug: str, by: str, minute: int, number: int = 0) -> str:
    """An answer in that thread; its id."""
    uri = f"{HERE}/comments/{slug}{number}"

    async def work(tx: Transaction) -> None:
        await tx.run(
            "comments.add", uri=uri, slug=f"{slug}{number}", origin=HERE, post=uri_of(slug), parent=uri_of(slug),
            author=by, content="<p>Text.</p>", source="", language="en", role_then="specialist",
            now=to_ms(NOON) + minute * MINUTE,
        )  # fmt: skip
        await tx.run("comments.recount", post=uri_of(slug))

    await store.write(work)
    return uri


async def run(store: Store, query: str, **values: Any) -> None:
    """Change rows."""

    async def work(tx: Transaction) -> None:
        await tx.run(query, **values)

    await store.write(work)


async def listed(store: Store, tab: str = feed.QUESTIONS, **asked: Any) -> list[str]:
    """The slugs of a page."""
    return [card.slug for card in (await feed.home(store, READER, tab=tab, **asked)).cards]


async def told(store: Store) -> tuple[list[str], int]:
    """The questions among the reader's notices, newest first, and how many count as new."""
    page = await notices.notices(store, READER)
    return [item.post for item in page.notices if item.kind == "asked"], await notices.unread(store, READER)


async def test_what_waits_comes_first_and_ones_own_specialty_before_the_others(store: Store) -> None:
    """My specialty, the others, then what was answered; in each the newest on top, and each once."""
    await written(store, "A1", 1)
    await written(store, "A2", 2, ("oncology", "geriatrics"))
    await written(store, "A3", 3, ("cardiology", "geriatrics", "oncology"))
    await written(store, "B1", 4, ("oncology",))
    await written(store, "B2", 5, ("oncology",), kind="case")
    await written(store, "C1", 6)
    await written(store, "C2", 7, ("oncology",))
    for slug in ("C1", "C2"):
        await answered(store, slug, PAUL, 20)

    assert ["A3", "A2", "A1", "B2", "B1", "C2", "C1"] == await listed(store)


async def test_what_asks_nobody_or_is_over_is_not_open(store: Store, address: str) -> None:
    """News waits for no answer, a case that was answered is no question, and what is solved is not open."""
    await written(store, "N1", 1, kind="news", audience="national")
    await written(store, "K1", 2, kind="case")
    await answered(store, "K1", PAUL, 9)
    await written(store, "S1", 3)
    await written(store, "O1", 4)
    await change(address, f"update posts set solved_at = 1 where uri = '{uri_of('S1')}'")

    assert ["O1"] == await listed(store)


async def test_an_answer_of_the_author_is_none(store: Store) -> None:
    """Whoever adds to their own question still waits; the first answer of somebody else ends that."""
    await written(store, "Q1", 0)
    await answered(store, "Q1", ANNA, 5)
    (before,) = (await feed.home(store, READER, tab="questions")).cards
    await answered(store, "Q1", PAUL, 35, 1)
    first = await answered(store, "Q1", READER, 40, 2)
    (after,) = (await feed.home(store, READER, tab="questions")).cards
    await run(store, "comments.remove", uri=f"{HERE}/comments/Q11")
    await run(store, "comments.recount", post=uri_of("Q1"))
    (later,) = (await feed.home(store, READER, tab="questions")).cards
    await run(store, "comments.remove", uri=first)
    await run(store, "comments.recount", post=uri_of("Q1"))
    (again,) = (await feed.home(store, READER, tab="questions")).cards

    assert (True, None) == (before.waits, before.answered_after)
    assert (False, 35 * MINUTE) == (after.waits, after.answered_after)
    assert 40 * MINUTE == later.answered_after
    assert (True, 1) == (again.waits, again.answers)


async def test_pages_of_open_questions_join_both_ways(store: Store) -> None:
    """Down and up again through all three parts: the same pages, each post once."""
    for number in range(4):
        await written(store, f"A{number}", number)
        await written(store, f"B{number}", 10 + number, ("oncology",))
        await written(store, f"C{number}", 20 + number)
        await answered(store, f"C{number}", PAUL, 60)
    whole = await listed(store)
    down, up, cursor = [], [], ""
    while True:
        page = await feed.home(store, READER, tab="questions", before=cursor, count=2)
        down.append([card.slug for card in page.cards])
        if not page.next:
            break
        cursor = page.next
    while page.newer:
        page = await feed.home(store, READER, tab="questions", after=page.newer, count=2)
        up.append([card.slug for card in page.cards])

    assert 12 == len(whole)
    assert whole == [slug for each in down for slug in each]
    assert down[:-1] == up[::-1]


@pytest.mark.parametrize("tab", ["specialty", "colleagues", "all"])
async def test_pages_of_a_feed_join_both_ways(store: Store, tab: str) -> None:
    """The page above is the one that was left; near the top it is the first, whole."""
    await run(store, "follows.ask", follower=READER, followee=ANNA, id="f", state="accepted", now=0, answered_at=0)
    for number in range(7):
        await written(store, f"A{number}", number // 2)
    first = await feed.home(store, READER, tab=tab, count=2)
    second = await feed.home(store, READER, tab=tab, count=2, before=first.next)
    third = await feed.home(store, READER, tab=tab, count=2, before=second.next)
    back = await feed.home(store, READER, tab=tab, count=2, after=third.newer)
    top = await feed.home(store, READER, tab=tab, count=2, after=back.newer)
    past = await feed.home(store, READER, tab=tab, count=3, after=back.newer)

    assert ("", second.cards) == (first.newer, back.cards)
    assert second.next == back.next
    assert (first.cards, first.next) == (top.cards, top.next)
    assert ["A6", "A5", "A4"] == [card.slug for card in past.cards]


async def test_whom_one_has_muted_stands_in_no_list(store: Store, address: str) -> None:
    """In no feed, no count of what is new and no notice; on their own page as before, and for others too."""
    await run(store, "follows.ask", follower=READER, followee=ANNA, id="f", state="accepted", now=0, answered_at=0)
    await written(store, "A1", 1)
    before = [await listed(store, tab) for tab in feed.TABS], await told(store)

    await change(address, f"insert into mutes (doctor, muted, at) values ('{READER}', '{ANNA}', 0)")
    after = [await listed(store, tab) for tab in feed.TABS], await told(store)
    new = [await feed.how_many_new(store, READER, tab, "1-0", feed.Filters(), to_ms(NOON)) for tab in feed.TABS]
    page = await feed.of_author(store, READER, ANNA)

    assert ([["A1"]] * 4, (["A1"], 1)) == before
    assert ([[]] * 4, ([], 0)) == after
    assert [0] * 4 == new
    assert ["A1"] == [card.slug for card in page.cards]
    assert ["A1"] == [card.slug for card in (await feed.home(store, PAUL, tab="all")).cards]


async def test_new_posts_are_counted_to_a_limit(store: Store) -> None:
    """Above the place one has seen; capped; of the last day at most; a made-up place counts nothing."""
    for number in range(25):
        await written(store, f"A{number:02}", number, ("oncology",) if number % 2 else ("cardiology",))
    page, now = await feed.home(store, READER, tab="all"), to_ms(NOON) + 25 * MINUTE
    seen = f"{to_ms(NOON) + 22 * MINUTE}-A22"

    async def new(tab: str, since: str, at: int = now, **filters: str) -> int:
        return await feed.how_many_new(store, READER, tab, since, feed.Filters(**filters), at)

    assert [0, 0] == [await new(tab, page.top) for tab in ("all", "specialty")]
    assert [2, 1, 2] == [await new(tab, seen) for tab in ("all", "specialty", "questions")]
    assert feed.MOST_NEW + 1 == await new("all", "1-A")
    assert [0, 0] == [await new("all", "1-A", now + 86_400_000), await new("all", "nothing")]
    assert [1, 0] == [await new("all", seen, specialty="oncology"), await new("all", seen, specialty="urology")]


async def test_filters_are_combined(store: Store, address: str) -> None:
    """Specialty and solved narrow together with the others."""
    await written(store, "A1", 1)
    await written(store, "A2", 2, ("oncology", "cardiology"))
    await written(store, "A3", 3, ("oncology",), language="de")
    await change(address, f"update posts set solved_at = 1 where uri = '{uri_of('A2')}'")

    async def of(**filters: str) -> list[str]:
        return await listed(store, "all", filters=feed.Filters(**filters))

    assert [["A3", "A2"], ["A2"], ["A3", "A1"], ["A3"], []] == [
        await of(specialty="oncology"), await of(solved="yes"), await of(solved="no"),
        await of(specialty="oncology", solved="no"), await of(specialty="oncology", solved="yes", language="de"),
    ]  # fmt: skip


async def test_a_hidden_answer_is_told_to_nobody(store: Store) -> None:
    """Answered only by somebody with whom there is a block: neither the time of it nor the place of an answered one."""
    await written(store, "Q1", 0)
    await answered(store, "Q1", PAUL, 5)
    await run(store, "follows.block", doctor=PAUL, blocked=READER, now=0)
    (card,) = (await feed.home(store, READER, tab="all")).cards

    assert (0, None) == (card.answers, card.first_answer_at)
    assert [] == await listed(store)


async def test_the_first_answer_goes_and_comes_with_an_instance(store: Store, address: str) -> None:
    """Answers of an instance that is hidden are no first answers; when it is back they are again."""
    abroad = "https://de.example/doctors/berta"

    async def meet(tx: Transaction) -> None:
        await add_doctor(tx, abroad)

    await store.write(meet)
    await written(store, "Q1", 0)
    await answered(store, "Q1", PAUL, 50)
    await change(
        address,
        "insert into comments (uri, slug, origin, local, post, parent, author, content, language, role_then,"
        f" published_at, received_at) values ('https://de.example/c', 'DC', 'https://de.example', 0, '{uri_of('Q1')}',"
        f" '{uri_of('Q1')}', '{abroad}', '', 'de', 'specialist', {to_ms(NOON) + 5 * MINUTE}, 0)",
    )
    await run(store, "farewells.add", **FAREWELL)
    found = []
    for fate, seen in (("kept", "labelled"), ("hidden", "kept"), ("kept", "hidden")):
        await run(store, "farewells.set_fate", origin="https://de.example", fate=fate, seen=seen, now=0)
        await run(store, "farewells.count_answers", origin="https://de.example")
        found += [card.answered_after for card in (await feed.home(store, READER, tab="questions")).cards]

    assert [5 * MINUTE, 50 * MINUTE, 5 * MINUTE] == found


async def test_counting_again_leaves_out_who_is_hidden(store: Store, address: str) -> None:
    """Where another answer comes or goes, those of a hidden instance are still neither counted nor the first."""
    abroad = "https://de.example/doctors/berta"
    await store.write(lambda tx: add_doctor(tx, abroad))
    await written(store, "Q1", 0)
    await change(
        address,
        "insert into comments (uri, slug, origin, local, post, parent, author, content, language, role_then,"
        f" published_at, received_at) values ('https://de.example/c', 'DC', 'https://de.example', 0, '{uri_of('Q1')}',"
        f" '{uri_of('Q1')}', '{abroad}', '', 'de', 'specialist', {to_ms(NOON)}, 0)",
    )
    await run(store, "farewells.add", **FAREWELL)
    await run(store, "farewells.set_fate", origin="https://de.example", fate="hidden", seen="labelled", now=0)
    await run(store, "comments.recount", post=uri_of("Q1"))
    (card,) = (await feed.home(store, READER, tab="questions")).cards

    assert (0, None, True) == (card.answers, card.first_answer_at, card.waits)


async def test_an_answer_may_be_here_before_its_question(store: Store) -> None:
    """What a sibling's post finds here already counts, but for its author's own words."""
    asker = "https://de.example/doctors/berta"

    async def meet(tx: Transaction) -> None:
        await add_doctor(tx, asker)
        for number, (by, minute) in enumerate(((asker, 1), (PAUL, 9), (ANNA, 7))):
            await tx.run(
                "comments.add", uri=f"{HERE}/comments/E{number}", slug=f"E{number}", origin=HERE, post=uri_of("Q1"),
                parent=uri_of("Q1"), author=by, content="<p>Text.</p>", source="", language="en",
                role_then="specialist", now=to_ms(NOON) + minute * MINUTE,
            )  # fmt: skip
        at = to_ms(NOON)
        await tx.run(
            "apply.add_post", uri=uri_of("Q1"), slug="Q1", origin="https://de.example", author=asker, kind="question",
            title="Q1", content="<p>Text.</p>", language="en", specialties='["cardiology"]', audience="federation",
            role_then="specialist", context="", facts="{}", interests="", event_from="", published_at=at, updated_at=None, now=at, sort_at=at,
        )  # fmt: skip

    await store.write(meet)
    (before,) = (await feed.home(store, READER, tab="questions")).cards
    for by, minute in ((asker, 2), (PAUL, 3), (ANNA, 12)):
        await run(store, "apply.answered", post=uri_of("Q1"), author=by, at=to_ms(NOON) + minute * MINUTE)
    (after,) = (await feed.home(store, READER, tab="questions")).cards

    assert [7 * MINUTE, 3 * MINUTE] == [before.answered_after, after.answered_after]


# ── who is asked ──


async def test_a_question_is_a_notice_to_whom_it_asks(store: Store) -> None:
    """Of a specialty or a country; not to others, nor to whoever asks; once, however many ways it asks the reader."""
    await written(store, "A1", 1, ("cardiology", "geriatrics"))
    await written(store, "A2", 2, ("oncology",))
    await written(store, "A3", 3, ("oncology",), country="FR")
    await written(store, "A4", 4, ("cardiology",), country="DE")
    await written(store, "A5", 5, author=READER)
    await written(store, "A6", 6, kind="case")
    await written(store, "A7", 7, audience="named")

    assert (["A3", "A1"], 2) == await told(store)


async def test_what_is_closed_is_no_notice(store: Store) -> None:
    """A circle one is not in, a block either way, a withdrawal: the notice goes with the post."""
    await written(store, "A1", 1, audience="colleagues")
    await written(store, "A2", 2)
    await written(store, "A3", 3, author=PAUL)
    await run(store, "follows.block", doctor=PAUL, blocked=READER, now=0)
    before = await told(store)
    await run(store, "posts.remove", uri=uri_of("A2"))

    assert ((["A2"], 1), ([], 0)) == (before, await told(store))
    assert [True, False, True] == [
        await store.one("askings.of_post", post=uri_of(slug)) is not None for slug in ("A1", "A2", "A3")
    ]


async def test_notices_of_questions_are_read_like_others(store: Store) -> None:
    """Marked as read they stay and are new no more; one that was answered is new to nobody."""
    await written(store, "A1", 1)
    await written(store, "A2", 2)
    await answered(store, "A1", PAUL, 3)
    answered_one = await told(store)
    await run(store, "askings.mark_read", doctor=READER, now=to_ms(NOON) + 5 * MINUTE)
    read = await told(store)
    await written(store, "A3", 6)

    assert (["A2", "A1"], 1) == answered_one
    assert (["A2", "A1"], 0) == read
    assert (["A3", "A2", "A1"], 1) == await told(store)


async def test_a_new_version_asks_in_the_place_of_the_old(store: Store) -> None:
    """Asking another specialty takes the notice from the first; the same one is not told twice; late ones are none."""
    await written(store, "A1", 1)
    asked = Asking(uri=uri_of("A1"), kind="question", audience="federation", specialties=("oncology",), country="",
                   published=NOON)  # fmt: skip

    async def again(specialties: Sequence[str], at: datetime, kind: str = "question") -> list[str]:
        async def work(tx: Transaction) -> None:
            version = Asking(uri=asked.uri, kind=kind, audience="federation", specialties=specialties, country="",
                             published=NOON)  # fmt: skip
            await ask(tx, version, at)

        await store.write(work)
        return (await told(store))[0]

    gone = await again(("oncology",), NOON)
    back = await again(("cardiology", "geriatrics"), NOON)
    case = await again(("cardiology",), NOON, "case")
    late = await again(("cardiology",), NOON + timedelta(days=8))

    assert ([], ["A1"], [], []) == (gone, back, case, late)


async def test_a_question_to_forty_thousand_doctors_is_one_row(store: Store) -> None:
    """What it costs does not grow with those it asks; measured, since each has it among their notices."""
    doctors = [f"{HERE}/doctors/d{number:05}" for number in range(40_000 if store.engine == "sqlite" else 400)]
    names = ("uri", "origin", "handle", "name", "folded", "role", "country", "specialties", "assurance", "valid_from",
             "valid_until", "inbox", "shared_inbox", "outbox", "followers", "following", "languages", "credential",
             "now", "approves_followers")  # fmt: skip
    fixed: dict[str, Any] = dict.fromkeys(names, "") | {
        "origin": HERE, "country": "FR", "valid_from": 0, "valid_until": 1, "now": 0, "approves_followers": 0,
        "specialties": "[]", "languages": "[]", "credential": "null",
    }  # fmt: skip

    async def fill(tx: Transaction) -> None:
        await tx.many("people.add", [{**fixed, "uri": uri, "handle": uri.rpartition("/")[2]} for uri in doctors])

    await store.write(fill)
    begun = time.perf_counter()
    await written(store, "A1", 1, ("oncology",), country="FR")
    spent = time.perf_counter() - begun
    seen = [await notices.unread(store, doctor) for doctor in doctors[:: len(doctors) // 20]]

    assert {1} == set(seen)
    assert spent < 1


async def change(address: str, statement: str) -> None:
    """Change a row as somebody else may: another part of this product writes it."""
    if not address.startswith("sqlite://"):
        connection = await asyncpg.connect(address)
        await connection.execute(statement)
        await connection.close()
        return
    with closing(sqlite3.connect(address.removeprefix("sqlite://"))) as file, file:
        file.execute(statement)
