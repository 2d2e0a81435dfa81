"""The search on both engines: what is found, what leaves the index with what it stands for, and what keeps a row out."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from instance.log import get
from instance.services.search_index import BATCH, MANY, SearchIndex
from instance.storage import QUERIES, SCHEMA, open_store, sqlite_care
from instance.storage.errors import NotSupported
from instance.storage.migrate import read_migrations
from instance.storage.queries import Queries
from instance.storage.store import Store, Transaction
from instance.views import search
from tests.contract.databases import fresh_postgres
from tests.contract.test_who_sees_what import HERE, READER, add_doctor
from tests.property.worlds import by_hand

ANA = f"{HERE}/doctors/ana"
ABROAD = "https://de.example/doctors/berta"


@pytest.fixture
async def store(address: str) -> AsyncIterator[Store]:
    """Each engine in turn, with the product's schema, a reader and two authors."""
    opened = await open_store(address)
    try:
        await opened.migrate()
        await opened.write(_people)
        yield opened
    finally:
        await opened.close()


async def _people(tx: Transaction) -> None:
    for uri in (READER, ANA, ABROAD):
        await add_doctor(tx, uri)


def index(store: Store) -> SearchIndex:
    """The filling of the index of a store."""
    return SearchIndex(SimpleNamespace(store=store, log=get()))  # type: ignore[arg-type]


async def keep(store: Store, slug: str, title: str, text: str = "", at: int = 1_000, **more: Any) -> str:
    """Keep a post of Ana's; return its id."""
    uri = f"{HERE}/posts/{slug}"
    values = {
        "uri": uri, "slug": slug, "origin": HERE, "author": ANA, "kind": "case", "title": title, "source": "",
        "content": f"<p>{text}</p>", "language": "de", "specialties": '["cardiology"]', "audience": "federation",
        "role_then": "specialist", "context": "", "facts": "{}", "interests": "", "event_from": "", "now": at,
        **more,
    }  # fmt: skip

    async def work(tx: Transaction) -> None:
        await tx.run("posts.add", **values)
        await tx.run("posts.add_specialty", specialty="cardiology", post=uri, sort_at=at, bulletin="")

    await store.write(work)
    return uri


async def answer(store: Store, slug: str, post: str, text: str, author: str = ANA) -> str:
    """Keep an answer; return its id."""
    uri = f"{HERE}/comments/{slug}"
    await do(
        store, "comments.add", uri=uri, slug=slug, origin=HERE, post=post, parent=post, author=author,
        content=f"<p>{text}</p>", source="", language="de", role_then="specialist", now=2_000,
    )  # fmt: skip
    return uri


async def do(store: Store, query: str, **values: Any) -> int:
    """Run one statement in a unit of its own."""
    return await store.write(lambda tx: tx.run(query, **values))


async def found(store: Store, text: str, thing: str = "posts", **more: str) -> list[str]:
    """The slugs of what the reader finds."""
    await index(store).fill_all()
    shown = await search.search(store, READER, search.Asked(text=text, **more), 0, thing, 50)
    assert shown is not None
    return [each.slug for each in (*shown.posts, *shown.comments)]


async def kept(store: Store) -> dict[str, str]:
    """What the index holds, by what it stands for."""
    rows = await store.all("search.kept")
    return {row["object"]: row["words"] for row in rows}


ASKED = {
    "Insuffizienz": ["A"], "Herzinsuffizienz": ["A"], "insuffizienzen": ["A"], "HERZ": ["A"],
    "hypertonie": ["B"], "Hypertonien": ["B"], "arterielle hypertension": ["C"], "hypertension artérielle": ["C"],
    "artérielles": ["C"], "Straße": ["D"], "strasse": ["D"], "Hämatom": ["D"], "Haematom": ["D"], "hamatom": ["D"],
    "hématomes": ["D"], "Krebs": ["E"], "carcinoma": ["E"], "Karzinome": ["E"], "kardiologie": ["E", "D", "C", "B", "A"],
    "cardiología": ["E", "D", "C", "B", "A"], "Insuffizienz Hypertonie": [], "Lunge Straße": [], "nirgends": [],
}  # fmt: skip


async def test_words_are_found_as_doctors_write_them(store: Store) -> None:
    """Parts of compounds, accents, ß and umlauts, plurals, one stem in several languages; the newest first."""
    await keep(store, "A", "Dekompensierte Herzinsuffizienz", at=1)
    await keep(store, "B", "Hypertonie in der Schwangerschaft", at=2)
    await keep(store, "C", "Hypertension artérielle", "Découverte récente.", at=3)
    await keep(store, "D", "Sturz auf der Straße", "Großes Hämatom.", at=4)
    await keep(store, "E", "Lungenkrebs", "Ein kleinzelliges Karzinom.", at=5)

    assert ASKED == {text: await found(store, text) for text in ASKED}


@pytest.mark.parametrize(
    "text",
    ['"', "'", "a AND", "NEAR(x y)", "-x", "x*", "^x", "words: x", "x:* & !y | (z", "\\", "%", "_", "' or 1=1 --", "\x01",
     "\ud800", "kind_case", "thing_post", "a" * 10_240, "wort " * 2_000, "𝔘𝔫𝔦", "‮x", "{}", "😀"],
)  # fmt: skip
async def test_nothing_that_is_typed_is_an_error(store: Store, text: str) -> None:
    """Signs of a syntax, halves of characters, ten kilobytes: words are looked for, and there are none of them."""
    await keep(store, "A", "Fieber")
    for thing in search.THINGS:
        assert [] == await found(store, text, thing)


async def test_filters_narrow(store: Store) -> None:
    """Kind, specialty, country, language and whether it is solved: those that fit, and their twins not."""
    await keep(store, "A", "Fieber", kind="question", language="fr", at=1)
    uri = await keep(store, "B", "Fieber", at=2)
    await answer(store, "C", uri, "Fieber nach Reise")
    expected = {
        ("kind", "question"): ["A"], ("kind", "case"): ["B"], ("language", "fr"): ["A"], ("language", "de"): ["B"],
        ("specialty", "cardiology"): ["B", "A"], ("specialty", "oncology"): [], ("country", "FR"): ["B", "A"],
        ("country", "DE"): [], ("solved", "no"): ["B", "A"], ("solved", "yes"): [],
    }  # fmt: skip

    assert expected == {pair: await found(store, "fieber", **{pair[0]: pair[1]}) for pair in expected}
    assert ["A"] == await found(store, "", kind="question")
    for pair, slugs in {("kind", "case"): ["C"], ("kind", "question"): [], ("specialty", "oncology"): []}.items():
        assert slugs == await found(store, "reise", "comments", **{pair[0]: pair[1]})


LEAVES: dict[str, Callable[[Store, str, str], Any]] = {
    "withdrawn here": lambda store, post, answer: do(store, "posts.remove", uri=post),
    "withdrawn abroad": lambda store, post, answer: do(store, "apply.drop_post", uri=post),
    "answer withdrawn here": lambda store, post, answer: do(store, "comments.remove", uri=answer),
    "answer withdrawn abroad": lambda store, post, answer: do(store, "apply.drop_comment", uri=answer),
}


@pytest.mark.parametrize("way", list(LEAVES))
async def test_what_goes_leaves_the_index_with_it(store: Store, way: str) -> None:
    """In the transaction that removes it, whichever that is: no word of it is kept, and nothing waits to be put in."""
    post = await keep(store, "A", "Fieber")
    comment = await answer(store, "B", post, "Masern")
    gone = {comment} if way.startswith("answer") else {post, comment}

    await index(store).fill_all()
    before = set(await kept(store))
    await LEAVES[way](store, post, comment)

    assert {post, comment} == before
    assert {post, comment} - gone == set(await kept(store))
    assert [] == await store.all("search.due", count=10)


async def test_answers_go_and_come_with_their_discussion(store: Store) -> None:
    """An answer that stays its author's is in the index while its discussion is here, whichever of the two came first."""
    post = f"{HERE}/posts/A"
    comment = await answer(store, "B", post, "Masern")
    await index(store).fill_all()
    early = set(await kept(store))
    await keep(store, "A", "Fieber")
    whole = await found(store, "masern", "comments")
    await do(store, "posts.remove", uri=post)
    gone = set(await kept(store))
    await index(store).fill_all()

    assert (set(), ["B"], set()) == (early, whole, gone)
    assert {} == await kept(store)
    assert await store.one("comments.by_uri", uri=comment) is not None


async def test_what_goes_before_it_was_put_in_is_never_put_in(store: Store) -> None:
    """A withdrawal overtakes the filling."""
    post = await keep(store, "A", "Fieber")
    await do(store, "posts.remove", uri=post)
    await index(store).fill_all()

    assert {} == await kept(store)
    assert [] == await store.all("search.due", count=10)


async def test_a_unit_that_raises_leaves_the_index_as_it_was(store: Store) -> None:
    """A withdrawal that is undone takes no word away."""
    post = await keep(store, "A", "Fieber")
    await index(store).fill_all()

    async def work(tx: Transaction) -> None:
        await tx.run("posts.remove", uri=post)
        raise ValueError

    with pytest.raises(ValueError):
        await store.write(work)

    assert ["A"] == await found(store, "fieber")


async def test_an_edit_takes_the_old_words_out_and_puts_the_new_ones_in(store: Store) -> None:
    """At once the one, a moment later the other."""
    post = await keep(store, "A", "Fieber")
    await index(store).fill_all()
    changed = {
        "kind": "case", "title": "Masern", "content": "", "source": "", "language": "de", "specialties": "[]",
        "audience": "federation", "audience_before": "federation", "seen": 0, "facts": "{}", "interests": "",
        "event_from": "",
    }  # fmt: skip
    await do(store, "posts.change", uri=post, now=5_000, **changed)
    between = await kept(store)

    assert {} == between
    assert ([], ["A"]) == (await found(store, "fieber"), await found(store, "masern"))


async def test_what_is_changed_while_it_is_read_is_put_in_as_it_is_now(store: Store) -> None:
    """An edit between the reading and the putting in: the old words are not kept, and it stays due."""
    post = await keep(store, "A", "Fieber")

    class Between:
        engine = store.engine
        few, one = store.few, store.one

        async def read(self, look: Any) -> Any:
            seen = await store.read(look)
            await do(
                store, "posts.change", uri=post, now=5_000, kind="case", title="Masern", content="", source="",
                language="de", specialties="[]", audience="federation", audience_before="federation", seen=0,
                facts="{}", interests="", event_from="",
            )  # fmt: skip
            return seen

        async def write(self, work: Any) -> Any:
            return await store.write(work)

    await index(Between()).fill_some()  # type: ignore[arg-type]

    assert {} == await kept(store)
    assert ([], ["A"]) == (await found(store, "fieber"), await found(store, "masern"))


async def test_filling_goes_on_where_it_was_stopped(store: Store) -> None:
    """A batch after the other, the newest first; begun anew it does what is left."""
    for number in range(BATCH + 20):
        await keep(store, f"P{number:03}", "Fieber", at=number)

    assert BATCH == await index(store).fill_some()
    assert BATCH == len(await kept(store))
    assert f"{HERE}/posts/P019" not in await kept(store)
    assert not await search.is_being_filled(store, MANY)
    assert await search.is_being_filled(store, 20)
    assert [20, 0] == [await index(store).fill_some(), await index(store).fill_some()]
    assert BATCH + 20 == len(await kept(store))


async def test_pages_join_without_gap_or_double(store: Store) -> None:
    """Posts of one millisecond among them: page by page gives what there is at once."""
    for number in range(30):
        await keep(store, f"P{number:03}", "Fieber", at=number // 3)
    whole = await found(store, "fieber")
    walked, after = [], ""
    while True:
        page = await search.search(store, READER, search.Asked(text="fieber", after=after), 0, "posts", 7)
        assert page is not None
        walked += [card.slug for card in page.posts]
        if not (after := page.next):
            break

    assert 30 == len(set(whole))
    assert whole == walked
    assert [slug[:3] for slug in sorted(whole, key=lambda slug: -(int(slug[1:]) // 3))] == [slug[:3] for slug in whole]


async def test_a_window_of_what_may_not_be_seen_is_not_the_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the newest matches, none of which is for the reader, the older ones are still found."""
    monkeypatch.setattr(search, "WINDOW", 5)
    await keep(store, "OLD", "Fieber", at=1)
    for number in range(7):
        await keep(store, f"P{number}", "Fieber", at=10 + number, audience="named")
    await index(store).fill_all()
    seen, after, pages = [], "", 0
    while pages < 5:
        page = await search.search(store, READER, search.Asked(text="fieber", after=after), 0, "posts", 3)
        assert page is not None
        seen, after, pages = seen + [card.slug for card in page.posts], page.next, pages + 1
        if not after:
            break

    assert (["OLD"], 2) == (seen, pages)


async def test_the_muted_and_the_blocked_are_found_by_nobody_who_did_so(store: Store) -> None:
    """Their posts and answers, and answers under posts that are closed; without it they are found."""
    post = await keep(store, "A", "Fieber")
    await answer(store, "B", post, "Masern", author=ABROAD)
    both = [await found(store, "fieber"), await found(store, "masern", "comments")]
    await do(store, "follows.block", doctor=READER, blocked=ABROAD, now=0)
    blocked = [await found(store, "fieber"), await found(store, "masern", "comments")]
    await do(store, "follows.block", doctor=ANA, blocked=READER, now=0)

    assert ([["A"], ["B"]], [["A"], []]) == (both, blocked)
    assert [[], []] == [await found(store, "fieber"), await found(store, "masern", "comments")]


# ── what it costs ──


def plan(name: str) -> list[str]:
    """How SQLite goes about a statement of the search."""
    db = sqlite3.connect(":memory:")
    for migration in read_migrations(SCHEMA, "sqlite"):
        db.executescript(migration.script)
    query = Queries(QUERIES, "sqlite")[f"search.{name}"]
    return [row[3] for row in db.execute("explain query plan " + query.text, [1] * len(query.names))]


@pytest.mark.parametrize("name", ["posts", "comments", "window"])
def test_a_search_reads_no_table_whole(name: str) -> None:
    """The index gives a window, newest first and without sorting; all else is looked up by key."""
    steps = plan(name)
    whole = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE INDEX" not in step]

    assert [] == [step for step in whole if step not in ("SCAN m", "SCAN matched")]
    assert [] == [step for step in steps if "TEMP B-TREE" in step and "window" in name]
    assert 1 == len([step for step in steps if "VIRTUAL TABLE INDEX" in step])


@pytest.mark.parametrize("name", ["due", "behind"])
def test_filling_walks_what_is_due(name: str) -> None:
    """Nobody looks through what is in the index already."""
    assert all(
        "search_due" in step or step.startswith(("CO-ROUTINE", "SCAN waiting", "USE TEMP")) for step in plan(name)
    )


def test_posts_and_answers_are_found_through_the_rule_alone() -> None:
    """On both engines each statement that finds something names the rule."""
    for engine in ("sqlite", "postgres"):
        queries = Queries(QUERIES, engine)
        for name, marks in (("posts", ["vt.uri = p.uri"]), ("comments", ["vt.uri = p.uri", "vt.uri = c.uri"])):
            assert all(mark in queries[f"search.{name}"].text for mark in marks)


@pytest.mark.postgres
async def test_postgres_uses_its_index(postgres_server: Any) -> None:
    """A rare word among many posts is looked up, and a word in all of them walks back from the newest."""
    store = await open_store(await fresh_postgres(postgres_server))
    try:
        await store.migrate()
        await store.write(_many_texts)
        plans = {word: await store.write(_explained(word)) for word in ("rare", "common")}
    finally:
        await store.close()

    assert "search_texts_by_token" in plans["rare"]
    assert "Seq Scan on search_texts" not in plans["rare"] + plans["common"]
    assert "Index Scan Backward using search_texts_pkey" in plans["common"]


async def _many_texts(tx: Transaction) -> None:
    await by_hand(
        tx, "insert into search_texts (id, object, words) select n, 'p' || n, "
        "case when n % 30000 = 0 then 'rare common' else 'common filler' || n end from generate_series(1, 90000) n",
    )  # fmt: skip
    await by_hand(tx, "analyze search_texts")


def _explained(word: str) -> Callable[[Transaction], Any]:
    async def work(tx: Transaction) -> str:
        text = Queries(QUERIES, "postgres")["search.window"].text
        for number, value in enumerate((f"'''{word}'''", str(2**62), "1000"), start=1):
            text = text.replace(f"${number}", value)
        rows = await tx._connection.fetch("explain " + text)  # type: ignore[attr-defined]
        return "\n".join(row[0] for row in rows)

    return work


async def test_a_sqlite_without_fts5_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, in words; the twin is every other test here."""
    monkeypatch.setattr(sqlite_care, "can_search", lambda _: False)

    with pytest.raises(NotSupported, match="FTS5"):
        await open_store(tmp_path / "without.db")


async def test_tidying_changes_nothing_that_is_found(store: Store) -> None:
    """Merging is between the index and the disk."""
    gone = await keep(store, "A", "Fieber", at=1)
    await keep(store, "B", "Fieber", at=2)
    await index(store).fill_all()
    await do(store, "posts.remove", uri=gone)
    await index(store).tidy()

    assert ["B"] == await found(store, "fieber")
