"""What was withdrawn is in no row any more, at home or abroad (A108): every table is searched for it."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from instance.services.publishing import CommentDraft, PostDraft
from tests.town import Person, rows

MARKER = "zugvogel"


def found_in(node: Any) -> list[str]:
    """The columns of an instance in which the marker stands."""
    found = []
    with sqlite3.connect(node.config.database.removeprefix("sqlite:///")) as connection:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for column in [row[1] for row in connection.execute(f"pragma table_info({table})")]:
                sql = f"select count(*) from {table} where instr(cast({column} as text), ?)"
                if connection.execute(sql, (MARKER,)).fetchone()[0]:
                    found.append(f"{table}.{column}")
    return found


@pytest.fixture
async def town(network) -> Any:
    """Three siblings; Marie in France is followed by Anna in Germany and Giulia in Italy."""
    found = await network("fr", "de", "it")
    marie = await found["fr"].doctor("marie")
    for place, handle in (("de", "anna"), ("it", "giulia")):
        await (await found[place].doctor(handle)).follows(marie)
    await found.settle()
    return found


def person(town: Any, place: str, handle: str) -> Person:
    """A doctor of the town."""
    return Person(town[place], handle, f"{town[place].node.origin}/doctors/{handle}")


async def thread(town: Any, audience: str) -> tuple[Person, str, Person, str]:
    """A post of Marie's that was edited, with an answer of Anna's; both reached everybody."""
    marie, anna = person(town, "fr", "marie"), person(town, "de", "anna")
    slug = await marie.posts(f"{MARKER} one", text=MARKER, audience=audience)
    await town.settle()
    uri = f"{town['fr'].node.origin}/posts/{slug}"
    made = await anna.comments(uri, f"{MARKER} two")
    await town.settle()
    town.clock.move(minutes=1)
    draft = PostDraft(
        kind="case", title=f"{MARKER} three", text=MARKER, specialties=("cardiology",), audience=audience,
        language="en",
    )  # fmt: skip
    await town["fr"].node.publishing.edit(marie.uri, slug, draft)
    await town["de"].node.publishing.edit_comment(anna.uri, made, CommentDraft(text=f"{MARKER} four", language="en"))
    await town.settle()
    return marie, slug, anna, made


@pytest.mark.parametrize("audience", ["federation", "colleagues"])
async def test_withdrawn_words_are_in_no_row(town, audience):
    """Post and answer, each with an earlier version, sent on by the thread's home."""
    marie, slug, anna, made = await thread(town, audience)
    assert all("comments.content" in found_in(town[place].node) for place in ("fr", "de", "it"))
    await town["de"].node.publishing.withdraw_comment(anna.uri, made)
    await town.settle()
    await town["fr"].node.publishing.withdraw(marie.uri, slug)
    await town.settle()

    assert {"fr": [], "de": [], "it": []} == {place: found_in(town[place].node) for place in ("fr", "de", "it")}


@pytest.mark.parametrize("audience", ["federation", "colleagues"])
async def test_a_withdrawn_thread_leaves_only_its_authors_words(town, audience):
    """What a colleague abroad answered stays theirs, and is nowhere else."""
    marie, slug, _, _ = await thread(town, audience)
    await town["fr"].node.publishing.withdraw(marie.uri, slug)
    await town.settle()

    assert ([], []) == (found_in(town["fr"].node), found_in(town["it"].node))
    assert {"comments", "revisions", "activities"} >= {place.partition(".")[0] for place in found_in(town["de"].node)}


async def test_a_dead_letter_about_something_withdrawn_is_not_sent_again(town):
    """Its words are gone, so there is nothing to send."""
    marie = person(town, "fr", "marie")
    slug = await marie.posts(MARKER)
    node = town["fr"].node
    with sqlite3.connect(node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("update deliveries set state = 'dead' where state = 'waiting'")
    await node.publishing.withdraw(marie.uri, slug)

    assert 0 == await node.queue.retry(origin=town["de"].node.origin)
    assert {"dropped"} == {
        row["state"]
        for row in await rows(
            node, "select d.state from deliveries d join activities a on a.uri = d.activity where a.type = 'Create'"
        )
    }
