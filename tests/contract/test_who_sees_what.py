"""The one rule of visibility as a table of every case, asked at each list and page, on both engines (N7, N8, N10)."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date

import pytest
import pytest_asyncio

from federation.vocabulary import BULLETINS, PostKind
from instance.services.errors import Missing
from instance.storage import open_store
from instance.storage.store import Store, Transaction
from instance.views import case as case_view
from instance.views import feed, news, thread
from tests.contract.conftest import ENGINES
from tests.contract.databases import fresh_postgres

#: One worker writes the cases for all tests here.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("who_sees")]

HERE, ABROAD = "https://fr.example", "https://de.example"
READER = f"{HERE}/doctors/reader"
AUDIENCES = ("federation", "colleagues", "named", "national")
#: What there is between the reader and an author. Being named in a post opens posts for the named, and no others.
TIES = ("none", "pending", "rejected", "accepted", "named")
BLOCKS = ("none", "by the reader", "by the author")
STANDINGS = ("ok", "suspended", "revoked", "gone")
#: The reader was verified in the first three; each post stands under one, two or none of them.
OWN_SPECIALTIES = ("cardiology", "geriatrics", "paediatrics")
FILED = (("cardiology",), ("cardiology", "paediatrics"), ("geriatrics", "oncology"), ("oncology",), OWN_SPECIALTIES)
KINDS, LANGUAGES = tuple(kind.value for kind in PostKind), ("en", "de")
#: Seven, so that every kind meets every audience and every specialty.
IN_TURN = (*KINDS, PostKind.NEWS.value)
#: Who answered each post, and whether the reader may see that answer.
ANSWERS = {"nobody special": True, "blocked": False, "blocking": False, "withdrawn": False}


@dataclass(frozen=True)
class Author:
    """Somebody who writes."""

    uri: str
    tie: str
    block: str
    local: bool
    standing: str


@dataclass(frozen=True)
class Case:
    """One post, in one of the cases there are."""

    slug: str
    author: Author
    audience: str
    withdrawn: bool
    filed: tuple[str, ...]
    kind: str
    language: str
    at: int

    @property
    def uri(self) -> str:
        """The post's id."""
        return f"{HERE if self.author.local else ABROAD}/posts/{self.slug}"

    @property
    def interests(self) -> str:
        """What its author declared."""
        return ("none", "some")[self.at % 2] if self.kind in BULLETINS else ""

    @property
    def event_from(self) -> str:
        """The day of its congress: some are over, some are to come."""
        return f"202{5 + self.at % 3}-0{1 + self.at % 9}-01" if self.kind == "congress-report" else ""

    @property
    def seen(self) -> bool:
        """Whether the reader may see it: written down here apart from the product, and in other words."""
        author = self.author
        if self.withdrawn or author.block != "none":
            return False
        if author.tie == "self":
            return True
        return {
            "federation": True,
            "national": author.local,
            "colleagues": author.tie == "accepted",
            "named": author.tie == "named",
        }[self.audience]


def authors() -> list[Author]:
    """One for each case of tie, block, place and standing, and the reader."""
    found = [Author(READER, "self", "none", True, "ok")]
    for number, (tie, block, local, standing) in enumerate(itertools.product(TIES, BLOCKS, (True, False), STANDINGS)):
        uri = f"{HERE if local else ABROAD}/doctors/a{number}"
        found.append(Author(uri, tie, block, local, standing))
    return found


def cases() -> list[Case]:
    """Every author's post for each audience, there and withdrawn; three posts share each moment."""
    made = itertools.product(authors(), AUDIENCES, (False, True))
    return [
        Case(
            f"01JDB{number:021d}", author, audience, withdrawn, FILED[number % len(FILED)],
            IN_TURN[number % len(IN_TURN)], LANGUAGES[number // 3 % 2], number // 3,
        )
        for number, (author, audience, withdrawn) in enumerate(made)
    ]  # fmt: skip


async def add_doctor(tx: Transaction, uri: str, standing: str = "ok") -> None:
    """Keep a doctor, of ours or of a sibling."""
    origin, _, handle = uri.partition("/doctors/")
    values = {
        "uri": uri, "origin": origin, "handle": handle, "name": f"Dr {handle}", "folded": handle, "role": "specialist",
        "country": "FR" if origin == HERE else "DE", "specialties": "[]", "assurance": "high", "valid_from": 0,
        "valid_until": 1, "inbox": f"{uri}/inbox", "shared_inbox": "", "outbox": f"{uri}/outbox",
        "followers": f"{uri}/followers", "following": f"{uri}/following", "languages": "[]", "credential": "null",
        "now": 0,
    }  # fmt: skip
    if origin == HERE:
        await tx.run("people.add", **values, approves_followers=0)
        await tx.run("people.set_standing", uri=uri, standing=standing, before="ok", now=1)
        return
    await tx.run("directory.put", **values, address=handle, standing=standing, summary="", document="")
    if standing == "gone":
        await tx.run("apply.doctor_gone", uri=uri, now=1)


async def add_author(tx: Transaction, author: Author) -> None:
    """Keep an author, and what there is between them and the reader."""
    if author.tie == "self":
        return
    await add_doctor(tx, author.uri, author.standing)
    if author.tie in ("pending", "rejected", "accepted"):
        ask = {"follower": READER, "followee": author.uri, "id": f"{author.uri}#follow", "state": author.tie}
        await tx.run("follows.ask", **ask, now=0, answered_at=0)
    if author.block == "by the reader":
        await tx.run("follows.block", doctor=READER, blocked=author.uri, now=0)
    if author.block == "by the author":
        await tx.run("follows.block", doctor=author.uri, blocked=READER, now=0)


async def add_case(tx: Transaction, case: Case) -> None:
    """Keep a post with its answers, and its tombstone where it is withdrawn."""
    author, blank = case.author, {"content": "<p>Text.</p>", "context": "", "role_then": "specialist"}
    values = {
        "uri": case.uri, "slug": case.slug, "origin": HERE if author.local else ABROAD, "author": author.uri,
        "kind": case.kind, "title": case.slug, "language": case.language, "specialties": json.dumps(case.filed),
        "audience": case.audience, "now": case.at, "facts": "{}", "interests": case.interests, "event_from": case.event_from,
    }  # fmt: skip
    if author.local:
        await tx.run("posts.add", **values, **blank, source="")
    else:
        more = {"published_at": case.at, "updated_at": None, "sort_at": case.at}
        await tx.run("apply.add_post", **values, **blank, **more)
    for slug in case.filed:
        await tx.run(
            "posts.add_specialty",
            specialty=slug,
            post=case.uri,
            sort_at=case.at,
            bulletin=case.kind if case.kind in BULLETINS else "",
        )
    if author.tie == "named":
        await tx.run("posts.add_mention", object=case.uri, doctor=READER)
    if case.withdrawn:
        await add_tombstone(tx, case.uri)
    for number, who in enumerate(ANSWERS):
        await add_answer(tx, case, number, who)
    await tx.run("comments.recount", post=case.uri)


async def add_answer(tx: Transaction, case: Case, number: int, who: str) -> None:
    """Keep an answer to the post."""
    slug = f"{case.slug}{number}"
    uri = f"{HERE}/comments/{slug}"
    await tx.run(
        "comments.add", uri=uri, slug=slug, origin=HERE, post=case.uri, parent=case.uri, author=answerer(who),
        content="<p>Text.</p>", source="", language="en", role_then="specialist", now=case.at,
    )  # fmt: skip
    if who == "withdrawn":
        await add_tombstone(tx, uri)
    for thing in (case.uri, uri):
        await tx.run("posts.like", actor=answerer(who), object=thing, id=f"{thing}#{number}", now=0)


async def add_tombstone(tx: Transaction, uri: str) -> None:
    """Withdraw something whose row is, against all rules, still there."""
    await tx.run("posts.add_tombstone", uri=uri, origin="", actor="", former_type="", now=0)


def answerer(who: str) -> str:
    """The doctor who gives that answer."""
    return f"{HERE}/doctors/answers-{who.replace(' ', '-')}"


async def fill(tx: Transaction) -> None:
    """Write every case."""
    await add_doctor(tx, READER)
    for slug in OWN_SPECIALTIES:
        await tx.run("people.add_specialty", doctor=READER, specialty=slug)
    for who in ANSWERS:
        await add_doctor(tx, answerer(who))
    await tx.run("follows.block", doctor=READER, blocked=answerer("blocked"), now=0)
    await tx.run("follows.block", doctor=answerer("blocking"), blocked=READER, now=0)
    for author in authors():
        await add_author(tx, author)
    for case in cases():
        await add_case(tx, case)
        await tx.run("cases.save", doctor=READER, post=case.uri, now=case.at)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    """Every case, on each engine in turn: written once, since nothing here does anything but read."""
    if request.param == "sqlite":
        address = f"sqlite://{tmp_path_factory.mktemp('cases')}/contract.db"
    else:
        address = await fresh_postgres(request.getfixturevalue("postgres_server"))
    opened = await open_store(address)
    try:
        await opened.migrate()
        await opened.write(fill)
        yield opened
    finally:
        await opened.close()


def newest_first(found: list[Case]) -> list[str]:
    """Their slugs in a feed's order."""
    return [case.slug for case in sorted(found, key=lambda case: (case.at, case.slug), reverse=True)]


async def walked(store: Store, tab: str, filters: feed.Filters, count: int) -> list[str]:
    """All slugs of a feed, page by page."""
    found: list[str] = []
    before = ""
    while True:
        page = await feed.home(store, READER, tab=tab, filters=filters, before=before, count=count)
        assert len(page.cards) == count or (not page.next and len(page.cards) < count)
        found += [card.slug for card in page.cards]
        before = page.next
        if not before:
            return found


async def test_every_list_shows_what_the_rule_lets_through(store: Store) -> None:
    """Each feed and each profile holds exactly what is theirs of what may be seen, newest first, each post once."""
    seen = [case for case in cases() if case.seen]
    specialty = [case for case in seen if set(case.filed) & set(OWN_SPECIALTIES)]
    colleagues = [case for case in seen if case.author.tie == "accepted"]

    for tab, expected in (("all", seen), ("specialty", specialty), ("colleagues", colleagues)):
        assert newest_first(expected) == await walked(store, tab, feed.Filters(), 1_000)
        assert newest_first(expected) == await walked(store, tab, feed.Filters(), 7)
    for author in authors():
        page = await feed.of_author(store, READER, author.uri, count=1_000)
        assert newest_first([case for case in seen if case.author == author]) == [card.slug for card in page.cards]


async def test_lists_show_the_same_from_below(store: Store) -> None:
    """Page by page upwards, as it is asked what is new: what the rule lets through, and nothing else (N9)."""
    for tab in feed.TABS:
        found, after = [], "3.0-0"
        while after:
            page = await feed.home(store, READER, tab=tab, after=after, count=7)
            found += [card.slug for card in page.cards]
            after = page.newer

        assert set(await walked(store, tab, feed.Filters(), 1_000)) == set(found)


async def test_filters_narrow_and_never_open(store: Store) -> None:
    """Whatever is chosen, a feed shows those of its posts that fit, and no other."""
    choices = itertools.product(feed.TABS, ("", *KINDS), ("", *LANGUAGES), ("", "FR", "DE", "IT"))
    whole = {tab: set(await walked(store, tab, feed.Filters(), 1_000)) for tab in feed.TABS}
    for tab, kind, language, country in choices:
        fitting = [
            case for case in cases()
            if case.slug in whole[tab] and kind in ("", case.kind) and language in ("", case.language)
            and country in ("", "FR" if case.author.local else "DE")
        ]  # fmt: skip
        filters = feed.Filters(kind=kind, language=language, country=country)

        assert newest_first(fitting) == await walked(store, tab, filters, 50)


async def in_newsroom(store: Store, filed: tuple[str, ...], **asked: str) -> list[str]:
    """All slugs of a newsroom, page by page."""
    found: list[str] = []
    before = ""
    while True:
        page = await news.page(store, READER, filed, news.Asked(**asked, before=before), date(2026, 6, 1))
        assert len(page.entries) == news.PAGE_SIZE or not page.next
        found += [entry.slug for entry in page.entries if isinstance(entry, feed.Card)]
        before = page.next
        if not before:
            return found


@pytest.mark.parametrize("filed", [OWN_SPECIALTIES, ("cardiology",), ("oncology",), ("dermatology",)])
async def test_every_newsroom_shows_the_bulletins_the_rule_lets_through(store: Store, filed: tuple[str, ...]) -> None:
    """News and reports of these specialties, newest first, each once; narrowed, those that fit, and no other."""
    theirs = [case for case in cases() if case.seen and case.kind in BULLETINS and set(case.filed) & set(filed)]
    for kind, interests in itertools.product(("", *sorted(BULLETINS)), ("", "none", "some")):
        fitting = [case for case in theirs if kind in ("", case.kind) and interests in ("", case.interests)]

        assert newest_first(fitting) == await in_newsroom(store, filed, kind=kind, interests=interests)
    congresses = sorted((case.event_from, case.slug) for case in theirs if case.event_from)
    to_come = [slug for day, slug in congresses if day >= "2026-06-01"]
    over = [slug for day, slug in reversed(congresses) if day < "2026-06-01"]

    assert to_come == await in_newsroom(store, filed, kind="congress-report", when="upcoming")
    assert over == await in_newsroom(store, filed, kind="congress-report", when="past")


async def test_every_page_opens_what_the_lists_show(store: Store) -> None:
    """A post, its answers, the forms about it: there for whoever is shown it in a list, else as if it had never been."""
    counted = {card.slug: card.answers for card in (await feed.home(store, READER, tab="all", count=1_000)).cards}
    for case in cases():
        answers = {f"{case.slug}{number}": case.seen and may for number, may in enumerate(ANSWERS.values())}
        expected = [slug for slug, may in answers.items() if may]

        assert (expected if case.seen else None) == await opened(store, case.slug)
        assert expected == [row["slug"] for row in await store.all("views.comments", slug=case.slug, reader=READER)]
        assert case.seen == (await store.one("posts.visible", slug=case.slug, reader=READER) is not None)
        assert (len(expected) if case.seen else None) == counted.get(case.slug)
        for slug, may in answers.items():
            for query in ("views.comment", "comments.visible"):
                assert may == (await store.one(query, slug=slug, reader=READER) is not None)


async def test_thanks_of_the_blocked_are_not_counted(store: Store) -> None:
    """Of four who thanked for a post and for its answer, the two that are blocked, one way or the other, are none."""
    for case in cases()[:40]:
        if case.seen:
            shown = await thread.thread(store, READER, case.slug)

            assert [2, 1] == [shown.post.thanks, shown.answers[0].comment.thanks]


async def test_a_card_is_read_for_nobody_else(store: Store) -> None:
    """Between a list and its cards a post may be withdrawn or narrowed: a card is asked for under the rule again."""
    uris = json.dumps([case.uri for case in cases()])
    found = await store.all("feeds.cards", reader=READER, uris=uris)

    assert {case.uri for case in cases() if case.seen} == {row["uri"] for row in found}


async def test_a_saved_post_is_shown_under_the_rule_and_else_says_nothing(store: Store) -> None:
    """Everything was saved: what is seen has its title and answers, of the rest there is not a word, page by page."""
    seen = {case.uri: sum(ANSWERS.values()) for case in cases() if case.seen}
    found: list[case_view.Saved] = []
    before = ""
    while not found or before:
        page = await case_view.saved(store, READER, before, 50)
        found, before = [*found, *page.posts], page.next

    assert sorted(case.uri for case in cases()) == sorted(each.uri for each in found)
    assert seen == {each.uri: each.answers for each in found if each.title is not None}
    nothing = [each for each in found if each.uri not in seen]
    assert {None} == {value for each in nothing for value in (each.slug, each.name, each.kind, each.published_at)}


async def test_nobody_is_told_of_what_they_may_not_see(store: Store) -> None:
    """A notice of a case that the reader follows is written where they may see it, and nowhere else."""
    seen = {case.slug for case in cases() if case.seen}
    for case in cases():
        told = {
            "id": f"told-{case.slug}", "reader": READER, "doctor": READER, "post": case.uri, "kind": "resolved", "actor": HERE,
            "object": case.uri, "now": 1,
        }  # fmt: skip
        await store.write(lambda tx, told=told: tx.run("cases.tell", **told))  # type: ignore[misc]
    rows = await store.all("export.notices", owner=READER, after="", most=10_000)

    assert seen == {row["post"] for row in rows if row["kind"] == "resolved"}


async def opened(store: Store, slug: str) -> list[str] | None:
    """The answers on a post's page; None where there is no page."""
    try:
        return [answer.comment.slug for answer in (await thread.thread(store, READER, slug)).answers]
    except Missing:
        return None
