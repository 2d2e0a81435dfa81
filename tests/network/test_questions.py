"""Questions to colleagues: whom they ask, at home and at siblings alike, and how long they wait (S7, S17)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation import render
from federation.vocabulary import Mention, PostKind
from instance.services.errors import Rejected
from instance.services.publishing import CommentDraft, PostDraft
from instance.views import feed, notices
from tests.doorway import a_create, a_post, reads
from tests.network.scene import Visitor, befriend, home_uri
from tests.network.test_restoring import put_back
from tests.network.test_taking_back import back_up
from tests.town import Network, Person, Place, refused, rows


@pytest.fixture
async def town(tmp_path: Any) -> AsyncIterator[Network]:
    """France and Germany, which list each other."""
    network = await Network.open(tmp_path, "fr", "de")
    yield network
    await network.close()


async def told(person: Person) -> list[tuple[str, str]]:
    """The kind of each notice that leads to a post, and its title, newest first."""
    page = await notices.notices(person.place.node.store, person.uri)
    return [(item.kind, item.title) for item in page.notices if item.post]


async def open_questions(person: Person) -> list[feed.Card]:
    """The tab of open questions as this doctor sees it."""
    return (await feed.home(person.place.node.store, person.uri, tab="questions")).cards


def change(place: Place, statement: str) -> None:
    """Let another part of the product change a row."""
    with sqlite3.connect(place.config.database.removeprefix("sqlite:///")) as file:
        file.execute(statement)


async def test_a_specialty_is_asked_at_every_instance(town: Network) -> None:
    """S7: its doctors here and abroad find the question among their notices; those of other specialties do not."""
    marie, paul = await town["fr"].doctor("marie"), await town["fr"].doctor("paul")
    anna, skin = await town["de"].doctor("anna"), await town["de"].doctor("derma", specialty="dermatology")
    slug = await marie.posts("Which drug?", kind="question")
    await town.settle()
    asked = [await told(person) for person in (marie, paul, anna, skin)]
    unread = [await notices.unread(each.place.node.store, each.uri) for each in (paul, anna, skin)]
    await marie.place.node.publishing.withdraw(marie.uri, slug)
    await town.settle()

    assert [[], [("asked", "Which drug?")], [("asked", "Which drug?")], []] == asked
    assert [1, 1, 0] == unread
    assert [[], []] == [await told(paul), await told(anna)]


@pytest.mark.parametrize("way", ["button", "look"])
async def test_a_question_to_many_is_read_like_others(town: Network, way: str) -> None:
    """By its own button, which leaves the others as they are, and by looking at it."""
    marie, paul = await town["fr"].doctor("marie"), await town["fr"].doctor("paul")
    slug = await marie.posts("One", kind="question")
    await marie.posts("Other", kind="question")
    visitor, store = await Visitor.of(paul), town["fr"].node.store
    await visitor.text("/notices")
    one = next(item for item in (await notices.notices(store, paul.uri)).notices if item.title == "One")
    if way == "button":
        await visitor.post("/notices/read", kind="asked", post=slug, first=one.first, last=one.last)
    else:
        await visitor.text(f"/posts/{slug}")
    left = {item.title: item.unread for item in (await notices.notices(store, paul.uri)).notices}

    assert {"One": 0, "Other": 1} == left
    assert 1 == await notices.unread(store, paul.uri)


async def test_a_country_is_asked_by_its_name_on_the_wire(town: Network) -> None:
    """Germany's doctors are told, whatever their specialty; France's are not; both see whom it asks."""
    marie, paul = await town["fr"].doctor("marie"), await town["fr"].doctor("paul")
    anna, skin = await town["de"].doctor("anna"), await town["de"].doctor("derma", specialty="dermatology")
    slug = await marie.posts("How do you do this?", kind="question", asked_country="DE")
    await town.settle()
    served = await reads(town["de"], town["fr"], f"/posts/{slug}")
    cards = [(await open_questions(person))[0] for person in (paul, anna)]
    page = await (await Visitor.of(anna)).text(f"/posts/{await anna.slug_of(home_uri(town['fr'], slug))}")

    assert [[], [("asked", "How do you do this?")], [("asked", "How do you do this?")]] == [
        await told(person) for person in (paul, anna, skin)
    ]
    assert "DE" == json.loads(served.body)["askedCountry"]
    assert ["DE", "DE"] == [card.asked_country for card in cards]
    assert "Asked of: <strong>Germany</strong>" in page


async def test_colleagues_are_asked_openly_by_name(town: Network) -> None:
    """A question for all that names two: each has one notice, wherever they are; everybody reads it and who is asked."""
    marie, paul = await town["fr"].doctor("marie"), await town["fr"].doctor("paul")
    anna, skin = await town["de"].doctor("anna"), await town["de"].doctor("derma", specialty="dermatology")
    slug = await marie.posts("What would you do?", kind="question", named=("paul", skin.address))
    await town.settle()
    served = json.loads((await reads(town["de"], town["fr"], f"/posts/{slug}")).body)
    page = await (await Visitor.of(anna)).text(f"/posts/{await anna.slug_of(home_uri(town['fr'], slug))}")

    assert [[("asked", "What would you do?")]] * 3 == [await told(person) for person in (paul, anna, skin)]
    assert {paul.uri, skin.uri} == {tag["href"] for tag in served["tag"]}
    assert "Dr Derma" in page
    assert "All verified doctors" in page


async def test_a_new_version_asks_others_and_nobody_twice(town: Network) -> None:
    """Whoever is asked later is told then; whoever was told stays told once; a withdrawn name takes nothing back."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna", specialty="dermatology")
    slug = await marie.posts("First", kind="question")
    await town.settle()
    before = await told(anna)
    town.clock.move(seconds=5)
    await _edit(marie, slug, "Second", named=(anna.address,))
    await town.settle()
    asked = await told(anna)
    town.clock.move(seconds=5)
    await _edit(marie, slug, "Third", named=(anna.address,))
    await town.settle()

    assert ([], [("asked", "Second")], [("asked", "Third")]) == (before, asked, await told(anna))


async def test_muted_and_blocked_askers_are_no_notice(town: Network) -> None:
    """At home and abroad: neither by specialty nor by name, and in no list; the twin, who did neither, is told."""
    marie, paul = await town["fr"].doctor("marie"), await town["fr"].doctor("paul")
    anna, berta = await town["de"].doctor("anna"), await town["de"].doctor("berta")
    await marie.posts("Before", audience="federation")
    await town.settle()
    change(town["de"], f"insert into mutes (doctor, muted, at) values ('{anna.uri}', '{marie.uri}', 0)")
    await paul.place.node.follows.block(paul.uri, "marie")
    await marie.posts("By specialty", kind="question")
    await marie.posts("By name", kind="question", named=(anna.address, berta.address), specialties=("urology",))
    await town.settle()

    assert [[], [], [("asked", "By name"), ("asked", "By specialty")]] == [
        await told(person) for person in (paul, anna, berta)
    ]
    assert [[], [], ["By specialty", "By name"]] == [
        [card.title for card in await open_questions(person) if card.kind == "question"]
        for person in (paul, anna, berta)
    ]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("asked_outside", {"audience": "national", "asked_country": "DE"}),
        ("asked_outside", {"audience": "national", "named": ("anna@de.example",)}),
        ("asked_outside", {"audience": "colleagues", "named": ("anna@de.example",)}),
        ("named_unknown", {"named": ("nobody@de.example",)}),
        ("bad_asked_country", {"asked_country": "Germany"}),
    ],
)
async def test_nobody_is_asked_what_they_cannot_read(town: Network, code: str, changes: dict[str, Any]) -> None:
    """A question asks those alone who can read it; nothing is kept of one that does not."""
    marie, _ = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    with pytest.raises(Rejected) as error:
        await marie.posts("Outside", kind="question", **changes)

    assert code == error.value.code
    assert [] == await town["fr"].titles()


async def test_a_follower_is_asked_within_the_circle(town: Network) -> None:
    """The twin: among those who follow, by name and by specialty; who does not follow learns nothing."""
    marie, paul, anna = (
        await town["fr"].doctor("marie"),
        await town["fr"].doctor("paul"),
        await town["de"].doctor("anna"),
    )
    await befriend(town, anna, marie)
    await marie.posts("Within", kind="question", audience="colleagues", named=(anna.address,))
    await marie.posts("At home", kind="question", audience="national", asked_country="FR", named=("paul",))
    await town.settle()

    assert [("asked", "Within")] == await told(anna)
    assert [("asked", "At home")] == await told(paul)


async def test_only_questions_ask(town: Network) -> None:
    """Names and a country on a case ask nobody, written here or sent by a sibling."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await marie.posts("A case", named=(anna.address,), asked_country="DE", specialties=("urology",))
    await town.settle()
    create = a_create(anna, a_post(anna, asked_country="FR", mentions=(Mention(href=marie.uri),)))
    answer = await anna.sends(town["fr"], render.activity(create))
    await town.settle()

    assert 202 == answer.status
    assert [[], []] == [await told(anna), await told(marie)]
    assert {""} == {row["asked_country"] for place in ("fr", "de") for row in await rows(
        town[place].node, "select asked_country from posts")}  # fmt: skip


@pytest.mark.parametrize("country", ["de", "DEU", "D", 7, ["DE", "FR"], {"id": "DE"}])
async def test_a_country_that_is_none_is_refused(town: Network, country: Any) -> None:
    """Two capital letters or nothing: whatever else stands there, the door keeps nothing of it."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    document = json.loads(render.activity(a_create(anna, a_post(anna, kind=PostKind.QUESTION))))
    document["object"]["askedCountry"] = country
    answer = await anna.sends(town["fr"], json.dumps(document).encode())

    assert (400, "malformed") == refused(answer)
    assert [] == await town["fr"].titles()
    assert [] == await told(marie)


async def test_the_first_answer_is_the_same_everywhere(town: Network) -> None:
    """Given abroad, followed by another, withdrawn: both instances tell the same time, or that it still waits."""
    marie, paul, anna = (
        await town["fr"].doctor("marie"),
        await town["fr"].doctor("paul"),
        await town["de"].doctor("anna"),
    )
    uri = home_uri(town["fr"], await marie.posts("How long?", kind="question"))
    await town.settle()
    found = [[(await open_questions(person))[0].answered_after for person in (paul, anna)]]
    town.clock.move(minutes=10)
    await marie.comments(uri, "One thing more.")
    town.clock.move(minutes=20)
    slug = await anna.comments(uri, "This.")
    await town.settle()
    town.clock.move(minutes=5)
    await paul.comments(uri, "And that.")
    await town.settle()
    found.append([(await open_questions(person))[0].answered_after for person in (paul, anna)])
    await anna.place.node.publishing.withdraw_comment(anna.uri, slug)
    await town.settle()
    found.append([(await open_questions(person))[0].answered_after for person in (paul, anna)])

    assert [[None, None], [1_800_000] * 2, [2_100_000] * 2] == found


async def _edit(author: Person, slug: str, title: str, **changes: Any) -> None:
    values = {
        "kind": "question", "title": title, "text": "Made up.", "specialties": ("cardiology",),
        "audience": "federation", "language": "en", **changes,
    }  # fmt: skip
    await author.place.node.publishing.edit(author.uri, slug, PostDraft(**values))


async def test_what_a_question_asks_is_taken_back_with_it(town: Network, tmp_path: Any) -> None:
    """After older rows were put back: whom it asks, by country or by name, and its place among notices; also as mended."""
    marie, paul = await town["fr"].doctor("marie"), await town["fr"].doctor("paul", specialty="dermatology")
    anna = await town["de"].doctor("anna")
    mended = await marie.posts("Mended?", kind="question")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    town.clock.move(minutes=5)
    await marie.posts("Country?", kind="question", asked_country="FR")
    await marie.posts("By name?", kind="question", named=(f"@{anna.uri.rpartition('/')[2]}@de.example",))
    draft = PostDraft(
        kind="question", title="Mended?", text="Made up.", specialties=("cardiology",), audience="federation",
        language="en", asked_country="FR",
    )  # fmt: skip
    await marie.place.node.publishing.edit(marie.uri, mended, draft, seen=0)
    await town.settle()
    asks = (
        "select p.title, p.asked_country, k.whom, m.doctor from posts p left join askings k on k.post = p.uri "
        "left join mentions m on m.object = p.uri order by p.title, k.whom"
    )
    before, heard = [tuple(row) for row in await rows(town["fr"].node, asks)], await told(paul)
    await put_back(town["fr"], kept)
    lost = await rows(town["fr"].node, asks)
    await town.catch_up()
    await town.settle()

    assert ["By name?", "Country?", "Mended?"] == [title for title, *_ in before]
    assert 1 == len(lost)
    assert before == [tuple(row) for row in await rows(town["fr"].node, asks)]
    assert {("asked", "Country?"), ("asked", "Mended?")} == set(heard) == set(await told(paul))


async def test_whom_an_answer_names_as_mended_is_taken_back_with_it(town: Network, tmp_path: Any) -> None:
    """The answer was there before the rows that were lost, and named nobody; who is named since is named again."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    slug = await marie.posts("Which drug?", kind="question")
    answer = await marie.comments(home_uri(town["fr"], slug), "I think so.")
    await town.settle()
    kept = await back_up(town["fr"], tmp_path)
    town.clock.move(minutes=5)
    draft = CommentDraft(text="@anna@de.example may know.", language="en")
    await marie.place.node.publishing.edit_comment(marie.uri, answer, draft)
    await town.settle()
    named = "select object, doctor from mentions"
    before = [tuple(row) for row in await rows(town["fr"].node, named)]
    await put_back(town["fr"], kept)
    lost = await rows(town["fr"].node, named)
    await town.catch_up()
    await town.settle()

    assert [(home_uri(town["fr"], answer, "comments"), anna.uri)] == before
    assert [] == lost
    assert before == [tuple(row) for row in await rows(town["fr"].node, named)]
