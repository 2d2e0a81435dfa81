"""Threads across borders: the home's truth, forwarding with proof, mentions, history, blocks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation.uri import Uri
from federation.wire import Response
from instance.services.publishing import CommentDraft, PostDraft
from tests.doorway import a_comment, a_create, reads, says
from tests.network.scene import Liar, Visitor, befriend, home_uri, without_trace
from tests.town import Network, Person, rows


@pytest.fixture
async def town(tmp_path: Any) -> AsyncIterator[Network]:
    """Four countries, which list each other."""
    network = await Network.open(tmp_path, "fr", "de", "it", "es")
    yield network
    await network.close()


@pytest.fixture
async def people(town: Network) -> dict[str, Person]:
    """One doctor in each; those in France and Italy follow Anna in Germany, the one in Spain does not."""
    named = {"fr": "marie", "de": "anna", "it": "luca", "es": "elena"}
    found = {handle: await town[place].doctor(handle) for place, handle in named.items()}
    await befriend(town, found["marie"], found["anna"])
    await befriend(town, found["luca"], found["anna"])
    return found


async def test_a_comment_goes_home_and_from_there_to_the_followers_instances_alone(town, people):
    """J6, S8: Marie answers Anna's `colleagues` case; Italy gets it through Germany, with proof; Spain nothing."""
    slug = await people["anna"].posts("Circle", audience="colleagues")
    await town.settle()
    before = len(town.contacts)
    await people["marie"].comments(home_uri(town["de"], slug), "Inside the circle.")
    await town.settle()
    posts = [contact.url for contact in town.contacts[before:] if contact.method == "POST"]

    assert "Inside the circle." in "".join(await town["de"].answers())
    assert "Inside the circle." in "".join(await town["it"].answers())
    assert [] == await town["es"].answers()
    assert ["https://de.example/inbox", "https://it.example/inbox"] == posts
    page = await (await Visitor.of(people["luca"])).text(
        f"/posts/{await people['luca'].slug_of(home_uri(town['de'], slug))}"
    )
    assert "Inside the circle." in page
    context = json.loads((await reads(town["it"], town["de"], f"/posts/{slug}/context")).body)
    assert 1 == context["totalItems"]


async def test_what_was_forwarded_is_changed_and_withdrawn_the_same_way(town, people):
    """J6: edit and withdrawal of a comment reach every instance that holds it, through the home."""
    slug = await people["anna"].posts("Circle", audience="colleagues")
    await town.settle()
    comment = await people["marie"].comments(home_uri(town["de"], slug), "First.")
    await town.settle()
    town.clock.move(seconds=5)
    await town["fr"].node.publishing.edit_comment(
        people["marie"].uri, comment, CommentDraft(text="Second.", language="en", parent_slug=None)
    )
    await town.settle()

    assert ["<p>Second.</p>"] == [text.strip() for text in await town["it"].answers()]
    assert [("<p>First.</p>",)] == [
        (row["content"].strip(),) for row in await rows(town["it"].node, "select content from revisions")
    ]
    await town["fr"].node.publishing.withdraw_comment(people["marie"].uri, comment)
    await town.settle()
    assert [] == [*await town["fr"].answers(), *await town["de"].answers(), *await town["it"].answers()]
    assert [] == await rows(town["it"].node, "select * from revisions")


@pytest.mark.parametrize("status", [404, 410])
async def test_an_answer_whose_author_lost_the_key_is_a_dead_letter_and_the_lane_goes_on(town, people, status):
    """J6: Italy cannot read Marie's key any more; Germany's other messages for Italy arrive, and so do its next."""
    await forwarded_alone(town, people)
    liar = Liar(town["fr"], "/doctors/marie", lambda document: Response(status, {}, b""))
    await town["de"].node.workers.run_until_quiet()
    liar.honest()
    await people["anna"].posts("Afterwards")
    await town.settle()

    assert [("dead", "actor_mismatch")] == await passed_on(town)
    assert [0] == await lane_failures(town)
    assert {"Circle", "Afterwards"} == set(await town["it"].titles())
    assert [] == await town["it"].answers()


async def test_an_answer_whose_authors_home_is_away_waits_alone_and_arrives(town, people):
    """J6: Italy cannot ask for Marie's key just now; the one answer rests, the lane does not, and nothing is lost."""
    await forwarded_alone(town, people)
    town.down.add("fr")
    await town["de"].node.workers.run_until_quiet()
    await people["anna"].posts("Meanwhile")
    await town["de"].node.workers.run_until_quiet()
    early = await passed_on(town), await town["it"].titles(), await lane_failures(town)
    town.down.clear()
    town.clock.move(minutes=6)
    await town.settle()

    assert [("resting", "author_away")] == early[0]
    assert (["Circle", "Meanwhile"], [0]) == early[1:]
    assert [("done", "")] == await passed_on(town)
    assert "Inside the circle." in "".join(await town["it"].answers())


async def forwarded_alone(town: Network, people: dict[str, Person]) -> None:
    """Marie has answered Anna's case; Germany has the answer, Italy (which never met Marie) is still to get it."""
    slug = await people["anna"].posts("Circle", audience="colleagues")
    await town.settle()
    await people["marie"].comments(home_uri(town["de"], slug), "Inside the circle.")
    await town["fr"].node.workers.run_until_quiet()


async def passed_on(town: Network) -> list[tuple[str, str]]:
    """State and last code of what Germany forwards to Italy."""
    sql = "select state, last_code from deliveries where origin = 'https://it.example' and actor like '%/actor'"
    return [tuple(row) for row in await rows(town["de"].node, sql)]


async def lane_failures(town: Network) -> list[int]:
    """How often Germany's lane to Italy has failed in a row."""
    found = await rows(town["de"].node, "select failures from lanes where origin = 'https://it.example'")
    return [row["failures"] for row in found]


async def test_a_federation_thread_reaches_all_directly(town, people):
    """DESIGN, the wire: the commenter's home tells every sibling itself; the post's home forwards nothing."""
    slug = await people["anna"].posts("For all")
    await town.settle()
    before = len(town.contacts)
    await people["marie"].comments(home_uri(town["de"], slug), "To all.")
    await town.settle()
    posts = sorted(contact.url for contact in town.contacts[before:] if contact.method == "POST")

    assert [f"https://{name}.example/inbox" for name in ("de", "es", "it")] == posts
    assert all(["To all." in "".join(await town[name].answers()) for name in ("de", "it", "es")])


async def test_a_named_thread_stays_among_the_named(town, people):
    """J6, N11: a consultation between Anna and Marie; nothing of it leaves for Italy or Spain."""
    slug = await people["anna"].posts("Consult", audience="named", named=(people["marie"].address,))
    await town.settle()
    before = len(town.contacts)
    await people["marie"].comments(home_uri(town["de"], slug), "Between us.")
    await town["fr"].node.publishing.like(
        people["marie"].uri, await people["marie"].slug_of(home_uri(town["de"], slug))
    )
    await town.settle()

    assert {"https://de.example"} == {Uri.parse(contact.url).origin for contact in town.contacts[before:]}
    assert [] == [*await town["it"].titles(), *await town["es"].answers()]


async def test_the_one_answered_is_told_and_nobody_twice(town, people):
    """Notices: the author of the post for an answer, the one answered for a reply; never oneself, never outsiders."""
    slug = await people["anna"].posts("Who hears?")
    await town.settle()
    uri = home_uri(town["de"], slug)
    first = await people["marie"].comments(uri, "An answer.")
    await town.settle()
    there = (await rows(town["it"].node, f"select slug from comments where uri like '%/{first}'"))[0]["slug"]
    await people["luca"].comments(uri, "A reply.", parent_slug=there)
    await town.settle()

    async def told(name: str) -> list[tuple[str, str]]:
        sql = "select kind, actor from notifications where kind in ('answer', 'reply', 'mention') order by id"
        return [(row["kind"], row["actor"].rpartition("/")[2]) for row in await rows(town[name].node, sql)]

    assert [("answer", "marie"), ("answer", "luca")] == await told("de")
    assert [("reply", "luca")] == await told("fr")
    assert [] == [*await told("it"), *await told("es")]


async def test_narrowing_withdraws_at_those_dropped_and_nowhere_else(town, people):
    """N18: from everybody to followers: Spain loses its copy with the thread, France and Italy keep theirs."""
    slug = await people["anna"].posts("Wide")
    await town.settle()
    await people["elena"].comments(home_uri(town["de"], slug), "From Spain.")
    await town.settle()
    town.clock.move(seconds=5)
    draft = PostDraft(
        kind="case", title="Narrow", text="Made up.", specialties=("cardiology",), audience="colleagues",
        language="en", named=(),
    )  # fmt: skip
    await town["de"].node.publishing.edit(people["anna"].uri, slug, draft)
    await town.settle()

    assert [["Narrow"], ["Narrow"], []] == [await town[name].titles() for name in ("fr", "it", "es")]
    visitor = await Visitor.of(people["elena"])
    assert {"<p>From Spain.</p>"} >= {text.strip() for text in await town["es"].answers()}
    assert "Wide" not in await visitor.text("/feed?tab=all")


async def test_edit_history_is_the_same_here_and_there(town, people):
    """J1.16: three versions: the last is shown, the first two are the history, in order, at home and abroad."""
    slug = await people["anna"].posts("One")
    for title in ("Two", "Three"):
        await town.settle()
        town.clock.move(seconds=5)
        await town["de"].node.publishing.edit(
            people["anna"].uri,
            slug,
            PostDraft(
                kind="case",
                title=title,
                text="Made up.",
                specialties=("cardiology",),
                audience="federation",
                language="en",
                named=(),
            ),
        )
    await town.settle()

    for name in ("de", "fr", "es"):
        assert ["Three"] == await town[name].titles()
        found = await rows(town[name].node, "select title from revisions order by id")
        assert ["One", "Two"] == [row["title"] for row in found]


async def test_a_block_by_a_doctor_stays_at_home_and_closes_the_thread(town, people):
    """Block: ends the follow on both sides, is never sent, hides both from each other, and refuses the answer."""
    marie, anna = people["marie"], people["anna"]
    slug = await anna.posts("After the block")
    await town.settle()
    before = len(town.contacts)
    await town["de"].node.follows.block(anna.uri, marie.address)
    await town.settle()
    sent = await rows(town["de"].node, "select type from activities order by published_at")

    assert "Block" not in {row["type"] for row in sent}
    assert [] == list(await rows(town["fr"].node, "select * from follows where state = 'accepted'"))  # fmt: skip
    assert before < len(town.contacts)  # the Reject of her follow
    answer = a_create(marie, a_comment(marie, home_uri(town["de"], slug)))
    await without_trace(town["de"], lambda: says(marie, town["de"], answer), 403, "not_visible")
    # Elsewhere the block is not known.
    assert 202 == (await says(marie, town["it"], answer)).status


async def test_a_case_withdrawn_takes_its_thread_along(town, people):
    """J1.17: post, answers, history, thanks, notices: nothing left anywhere but tombstones."""
    anna, marie = people["anna"], people["marie"]
    slug = await anna.posts("To be withdrawn")
    await town.settle()
    await marie.comments(home_uri(town["de"], slug), "With it.")
    await town.settle()
    await town["de"].node.publishing.withdraw(anna.uri, slug)
    await town.settle()

    for name in ("de", "fr", "it", "es"):
        assert [] == await town[name].titles()
        assert [] == await rows(town[name].node, "select * from comments where local = 0")
        assert [] == await rows(town[name].node, "select * from notifications where kind in ('answer', 'reply')")
    assert "With it." not in await (await Visitor.of(people["luca"])).text("/feed?tab=all")


async def test_reactions_carry_the_audience_of_their_case(town, people):
    """N11: a like goes to the author's home alone; a recommendation of a `colleagues` case goes nowhere."""
    slug = await people["anna"].posts("Circle", audience="colleagues")
    await town.settle()
    here = await people["marie"].slug_of(home_uri(town["de"], slug))
    before = len(town.contacts)
    await town["fr"].node.publishing.like(people["marie"].uri, here)
    await town["fr"].node.publishing.recommend(people["marie"].uri, here)
    await town.settle()

    assert ["https://de.example"] == [
        Uri.parse(contact.url).origin for contact in town.contacts[before:] if contact.method == "POST"
    ]


async def test_a_report_does_not_show_who_reported(town, people):
    """Flag: sent by the instance actor; the reporter's name is nowhere at the other side."""
    await town["de"].node.people.list_own()
    slug = await people["anna"].posts("Reported")
    await town.settle()
    here = await people["marie"].slug_of(home_uri(town["de"], slug))
    await town["fr"].node.publishing.report(people["marie"].uri, here, "identity")
    await town.settle()
    found = await rows(town["de"].node, "select by_whom, reason from reports")

    assert [("https://fr.example/actor", "identity")] == [tuple(row) for row in found]
