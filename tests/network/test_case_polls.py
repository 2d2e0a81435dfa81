"""A poll on a diagnosis across borders: one vote for each doctor who may see the case, counted at its home alone."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from federation import render
from federation.uri import Uri
from federation.vocabulary import Create, Delete, Follow, Poll, PollOption, Update, Vote
from instance.services.errors import Forbidden, Missing, Rejected
from instance.services.publishing import PollDraft, PostDraft, ResolutionDraft
from tests.doorway import a_post, an_act, new_id, reads, says
from tests.instance.students import administrators, lets, student
from tests.network.scene import Visitor, befriend, home_uri, without_trace
from tests.network.test_catching_up import converge
from tests.network.test_restoring import put_back
from tests.network.test_taking_back import back_up
from tests.town import Network, Person, refused, rows
from verification.overlay import StudentRight

POLL = PollDraft(options="Myokarditis\nSarkoidose\nIschämie", days="7")


@pytest.fixture
async def asked(town: Network, people: dict[str, Person]) -> str:
    """Anna's case with a poll, everywhere; the address of the case."""
    slug = await people["anna"].posts("T-1", poll=POLL)
    await town.settle()
    return home_uri(town["de"], slug)


async def vote(who: Person, uri: str, choice: int) -> None:
    """Vote as the page does."""
    await who.place.node.publishing.vote(who.uri, await who.slug_of(uri), str(choice))


async def kept(town: Network, place: str = "de") -> list[tuple[str, int]]:
    """Who voted what, as the rows of an instance have it."""
    found = await rows(town[place].node, "select voter, choice from poll_votes")
    return sorted((row["voter"].rpartition("/")[2], row["choice"]) for row in found)


async def told(town: Network, place: str) -> dict[str, Any]:
    """What an instance was told of the numbers."""
    (row,) = await rows(town[place].node, "select totals, by_specialty, closed_at from polls")
    return {"totals": json.loads(row["totals"]), "by": json.loads(row["by_specialty"]), "closed": row["closed_at"]}


async def numbers_travel(town: Network) -> None:
    """Let the home tell what was counted."""
    town.clock.move(minutes=11)
    await town["de"].node.workers.housekeep()
    await town.settle()


def a_vote(by: Person, post: str, choice: str, **changes: Any) -> Create:
    """A vote as a sibling's software sends it."""
    values: dict[str, Any] = {
        "id": new_id(by.place.node.origin, "votes"), "author": by.uri, "choice": choice,
        "in_reply_to": Uri.parse(f"{post}/poll"), "to": (Uri.parse("https://de.example/doctors/anna"),),
        "published": by.place.node.clock(), **changes,
    }  # fmt: skip
    word = Vote(**values)
    created: Create = an_act(by, Create, object=word, to=word.to)
    return created


async def test_votes_are_counted_at_home_and_told_by_specialty(town, people, asked):
    """Three instances: each votes once, Germany counts, and all are told the same numbers and nobody's name."""
    more = [await town["it"].doctor(f"it{n}") for n in range(2)]
    for who, choice in ((people["marie"], 0), (people["luca"], 1), *((each, 1) for each in more)):
        await vote(who, asked, choice)
    await town.settle()
    await numbers_travel(town)

    assert [("it0", 1), ("it1", 1), ("luca", 1), ("marie", 0)] == await kept(town)
    for place in ("fr", "it"):
        assert {"totals": [1, 3, 0], "by": {"cardiology": [1, 3, 0]}, "closed": None} == await told(town, place)
    assert [("marie", 0)] == await kept(town, "fr")
    document = (await reads(town["fr"], town["de"], Uri.parse(asked).target)).body.decode()
    assert "doctors/marie" not in document
    assert "doctors/luca" not in document
    sent = [
        json.loads(row["body"]) for row in await rows(town["de"].node, "select body from activities where body<>''")
    ]
    assert "doctors/luca" not in json.dumps(sent)


async def test_a_vote_goes_to_the_home_and_to_nobody_else(town, people, asked):
    """What Marie chose is posted to Germany; Italy hears nothing before the numbers."""
    before = len(town.contacts)
    await vote(people["marie"], asked, 0)
    await town.settle()

    assert ["https://de.example/inbox"] == [each.url for each in town.contacts[before:] if each.method == "POST"]
    assert [] == await kept(town, "it")


async def test_a_vote_may_be_changed_and_counts_once(town, people, asked):
    """The last one counts, also where the messages come in another order or again and again."""
    first = a_vote(people["marie"], asked, "Ischämie")
    town.clock.move(seconds=5)
    second = a_vote(people["marie"], asked, "Sarkoidose")
    await known_at_home(town, people)
    for message in (second, first, second, first):
        await says(people["marie"], town["de"], message)
    again = a_vote(people["marie"], asked, "Ischämie", published=first.object.published)
    await says(people["marie"], town["de"], again)
    await town.settle()

    assert [("marie", 1)] == await kept(town)


async def known_at_home(town: Network, people: dict[str, Person]) -> None:
    """Let Germany meet Marie, so that what she says is judged at the door."""
    await says(people["marie"], town["de"], an_act(people["marie"], Follow, object=people["anna"].uri))
    await town.settle()


async def test_ten_at_once_are_one(town, people, asked):
    """A form sent ten times at the same moment leaves one vote, here and at home."""
    await asyncio.gather(*(vote(people["marie"], asked, n % 2) for n in range(10)))
    await town.settle()

    here, there = await kept(town, "fr"), await kept(town)
    assert 1 == len(here)
    assert here == there


async def test_results_are_shown_after_voting_or_the_end_and_to_the_author(town, people, asked):
    """Luca sees numbers only once he has voted; Marie, who has not, when it ended; Anna always."""
    anna, marie, luca = [await Visitor.of(people[name]) for name in ("anna", "marie", "luca")]
    paths = {name: f"/posts/{await people[name].slug_of(asked)}" for name in people}
    before = await luca.text(paths["luca"])
    await luca.post(paths["luca"] + "/vote", choice="1")
    await town.settle()
    await numbers_travel(town)

    assert 'class="share"' not in before
    assert 'class="share"' in await luca.text(paths["luca"])
    assert 'class="share"' not in await marie.text(paths["marie"])
    assert 'class="share"' in await anna.text(paths["anna"])
    await anna.post(paths["anna"] + "/poll/close")
    await town.settle()
    page = await marie.text(paths["marie"])
    assert 'class="share"' in page
    assert 'name="choice"' not in page
    assert ["vote_result"] == [row["kind"] for row in await rows(town["it"].node, "select kind from notifications")]


async def test_it_ends_by_itself_and_takes_no_vote_afterwards(town, people, asked):
    """After seven days the home ends it and says so; a vote that comes then is refused, at the page and at the door."""
    await vote(people["luca"], asked, 0)
    await town.settle()
    town.clock.move(days=7, minutes=1)
    with pytest.raises(Rejected, match="poll_closed"):
        await vote(people["marie"], asked, 0)
    answer = await says(people["marie"], town["de"], a_vote(people["marie"], asked, "Sarkoidose"))
    await town.settle()
    await town["de"].node.workers.housekeep()
    await town.settle()

    assert [("luca", 0)] == await kept(town)
    assert (await told(town, "fr"))["closed"]
    assert answer.status in (202, 409)


async def test_a_late_vote_is_refused_at_the_door(town, people, asked):
    """The code of a poll that has ended, and nothing kept."""
    await known_at_home(town, people)
    await town["de"].node.publishing.close_poll(people["anna"].uri, asked.rpartition("/")[2])
    await town.settle()

    await without_trace(
        town["de"],
        lambda: says(people["marie"], town["de"], a_vote(people["marie"], asked, "Sarkoidose")),
        409,
        "poll_closed",
    )
    assert [] == await kept(town)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"choice": "Influenza"}, 422, "no_such_option"),
        ({"in_reply_to": Uri.parse("https://de.example/posts/nothing/poll")}, 403, "not_visible"),
        ({"to": (Uri.parse("https://it.example/doctors/luca"),)}, 400, "malformed"),
    ],
    ids=["no option", "no poll", "for somebody else"],
)
async def test_a_vote_for_something_else_is_refused(town, people, asked, changes, status, code):
    """The name of an option that is not there, a poll that is not there, another recipient."""
    await known_at_home(town, people)
    choice = changes.pop("choice", "Sarkoidose")
    message = a_vote(people["marie"], asked, choice, **changes)

    await without_trace(town["de"], lambda: says(people["marie"], town["de"], message), status, code)
    assert [] == await kept(town)


async def test_nobody_votes_in_anothers_name(town, people, asked):
    """Luca's key under Marie's vote is refused; so is a vote that is changed by an Update."""
    await known_at_home(town, people)
    message = a_vote(people["marie"], asked, "Sarkoidose")
    changed = an_act(people["marie"], Update, object=message.object, to=message.to)

    await without_trace(
        town["de"],
        lambda: people["luca"].sends(town["de"], render.activity(message)),
        403,
        "actor_mismatch",
        reads=None,
    )
    await without_trace(town["de"], lambda: says(people["marie"], town["de"], changed), 403, "kind_not_federated")


async def retired(town: Network) -> Person:
    """Somebody who reads and answers."""
    return await town["fr"].doctor("paul", role="retired")


async def a_student(town: Network) -> Person:
    """A student whose country lets students do everything but vote."""
    await administrators(town["fr"].node)
    await lets(town["fr"].node, *(right for right in StudentRight if right != "vote"))
    return await (await student(town["fr"].node)).doctor(town["fr"])


@pytest.mark.parametrize("whose", [retired, a_student])
async def test_who_may_not_vote_is_refused_at_the_page_and_at_the_door(town, people, asked, whose):
    """J2.6: a retired doctor and a student are refused the vote here and at the poll's home."""
    other = await whose(town)
    with pytest.raises(Forbidden, match="role_not_allowed"):
        await vote(other, asked, 0)
    answer = await says(other, town["de"], a_vote(other, asked, "Sarkoidose"))
    await town.settle()

    assert (403, "role_not_allowed") == refused(answer)
    assert [] == await kept(town)


async def test_who_is_suspended_or_blocked_does_not_vote(town, people, asked):
    """Neither by the page nor by a message."""
    await town["fr"].node.people.suspend("marie", "test", "test")
    await town.settle()
    with pytest.raises(Forbidden):
        await vote(people["marie"], asked, 0)
    await says(people["marie"], town["de"], a_vote(people["marie"], asked, "Sarkoidose"))
    elena = await town["it"].doctor("elena")
    await town["de"].node.directory.find_handle(elena.address)
    await town["de"].node.follows.block(people["anna"].uri, elena.address)
    await town.settle()
    await says(elena, town["de"], a_vote(elena, asked, "Sarkoidose"))
    await town.settle()

    assert [] == await kept(town)


async def test_outside_the_circle_there_is_no_poll(town, people):
    """A poll for Anna's colleagues: Marie, who follows her, votes; to Luca it is as if it were not there."""
    await befriend(town, people["marie"], people["anna"])
    slug = await people["anna"].posts("T-2", audience="colleagues", poll=POLL)
    await town.settle()
    uri = home_uri(town["de"], slug)
    await vote(people["marie"], uri, 2)
    await says(people["luca"], town["de"], a_vote(people["luca"], uri, "Sarkoidose"))
    await town.settle()
    stranger = await Visitor.of(await town["de"].doctor("otto"))

    assert [("marie", 2)] == await kept(town)
    missing = await stranger.post("/posts/01NOTHING/vote", choice="1")
    assert (404, missing.status) == ((await stranger.post(f"/posts/{slug}/vote", choice="1")).status, 404)


async def test_the_author_asks_and_does_not_vote(town, people, asked):
    """Whoever sees the numbers from the start has no vote; nobody else ends the poll or adds another."""
    publishing, slug = town["de"].node.publishing, asked.rpartition("/")[2]
    berta = await town["de"].doctor("berta")
    with pytest.raises(Rejected, match="own_poll"):
        await publishing.vote(people["anna"].uri, slug, "1")
    with pytest.raises(Forbidden, match="not_the_owner"):
        await publishing.close_poll(berta.uri, slug)
    with pytest.raises(Forbidden, match="not_the_owner"):
        await publishing.attach_poll(berta.uri, slug, POLL)
    with pytest.raises(Rejected, match="poll_there"):
        await publishing.attach_poll(people["anna"].uri, slug, POLL)

    assert 1 == len(await rows(town["de"].node, "select * from polls"))


async def test_a_poll_that_is_added_later_arrives(town, people):
    """The version of the text stays; Marie votes all the same, and nothing says that the case was edited."""
    slug = await people["anna"].posts("T-3")
    await town.settle()
    town.clock.move(minutes=1)
    await town["de"].node.publishing.attach_poll(people["anna"].uri, slug, POLL)
    await town.settle()
    uri = home_uri(town["de"], slug)
    await vote(people["marie"], uri, 0)
    await town.settle()

    assert [("marie", 0)] == await kept(town)
    assert [] == await rows(town["fr"].node, "select * from revisions")
    assert [(None,)] == [tuple(row) for row in await rows(town["fr"].node, "select updated_at from posts")]


async def test_withdrawn_with_everything(town, people, asked):
    """No poll, no vote and no word of one is left anywhere, not even in what was sent."""
    await vote(people["marie"], asked, 0)
    await town.settle()
    await town["de"].node.publishing.withdraw(people["anna"].uri, asked.rpartition("/")[2])
    await town.settle()

    for place in ("de", "fr", "it"):
        for table in ("polls", "poll_votes", "resolutions", "posts"):
            assert [] == await rows(town[place].node, f"select * from {table}"), (place, table)
        bodies = await rows(town[place].node, "select body from activities where type in ('Create', 'Update')")
        assert not [row for row in bodies if b"Myokarditis" in bytes(row["body"])]


async def test_narrowed_takes_the_votes_of_those_who_are_outside_now(town, people, asked):
    """Anna narrows the case to her colleagues: Luca, who is none, has no vote any more, and Italy no poll."""
    await befriend(town, people["marie"], people["anna"])
    await vote(people["marie"], asked, 0)
    await vote(people["luca"], asked, 1)
    await town.settle()
    town.clock.move(minutes=1)
    draft = PostDraft(
        kind="case", title="T-1", text="Made up.", specialties=("cardiology",), audience="colleagues", language="en"
    )
    await town["de"].node.publishing.edit(people["anna"].uri, asked.rpartition("/")[2], draft)
    await town.settle()

    assert [("marie", 0)] == await kept(town)
    assert [] == await kept(town, "it")
    assert [] == await rows(town["it"].node, "select * from polls")


async def test_a_sibling_cannot_change_what_was_asked(town, people):
    """A later version with other options, or an older one, changes nothing; a poll that has ended stays ended."""
    elise = await town["fr"].doctor("elise")
    now = town.clock()
    post = a_post(elise)

    def asks(seconds: float, *names: str, votes: int = 0, **more: Any) -> Poll:
        options = tuple(PollOption(name=name, votes=votes) for name in names)
        return Poll(id=Uri.parse(f"{post.id}/poll"), options=options, updated=now + timedelta(seconds=seconds), **more)

    first = replace(post, poll=asks(0, "A", "B"))
    await says(elise, town["de"], an_act(elise, Create, object=first, to=first.to))
    for poll in (
        asks(9, "A", "B", votes=4, closed=now), asks(5, "A", "B", votes=1), asks(20, "A", "C", votes=9),
        asks(30, "A", "B", votes=5),
    ):  # fmt: skip
        changed = replace(post, poll=poll)
        await says(elise, town["de"], an_act(elise, Update, object=changed, to=changed.to))
    await town.settle()

    assert [5, 5] == (await told(town, "de"))["totals"]
    assert (await told(town, "de"))["closed"]
    assert ['["A","B"]'] == [row["options"] for row in await rows(town["de"].node, "select options from polls")]


async def test_a_vote_without_a_poll_is_missing(town, people):
    """A case nobody asked anything about has no vote, and no form for one."""
    slug = await people["anna"].posts("T-9")
    await town.settle()
    uri = home_uri(town["de"], slug)
    with pytest.raises(Missing):
        await vote(people["marie"], uri, 0)
    answer = await says(people["marie"], town["de"], a_vote(people["marie"], uri, "A"))
    await town.settle()

    assert answer.status in (202, 403), refused(answer)
    assert [] == await kept(town)


async def test_a_vote_that_was_lost_is_caught_up_with(town, people, asked):
    """The message vanished on its way; Germany reads it in the log of France, and counts it once."""
    town.swallows = lambda method, url, body: method == "POST" and b"Sarkoidose" in body
    await vote(people["marie"], asked, 1)
    await town.settle()
    lost = await kept(town)
    town.swallows = lambda method, url, body: False
    await people["marie"].posts("T-2")
    await town.settle()
    await town.catch_up()

    assert [] == lost
    assert [("marie", 1)] == await kept(town)


async def test_who_is_gone_is_not_counted_any_more(town, people, asked):
    """Luca's instance takes him away: his vote goes with him, and the numbers are told anew."""
    for name, choice in (("marie", 0), ("luca", 1)):
        await vote(people[name], asked, choice)
    await town.settle()
    await numbers_travel(town)
    before = (await told(town, "fr"))["totals"]
    await says(people["luca"], town["de"], an_act(people["luca"], Delete, object=people["luca"].uri))
    await town.settle()
    await numbers_travel(town)

    assert [1, 1, 0] == before
    assert [("marie", 0)] == await kept(town)
    assert [1, 0, 0] == (await told(town, "fr"))["totals"]


async def test_a_national_poll_stays_at_home(town, people):
    """Doctors of the same country vote; nothing of it is sent to anybody."""
    berta = await town["de"].doctor("berta")
    slug = await people["anna"].posts("T-3", audience="national", poll=POLL)
    await town["de"].node.publishing.vote(berta.uri, slug, "0")
    await numbers_travel(town)
    await town["de"].node.publishing.close_poll(people["anna"].uri, slug)
    await town.settle()

    assert [("berta", 0)] == await kept(town)
    uri = home_uri(town["de"], slug)
    assert [] == await rows(town["de"].node, f"select * from activities where object = '{uri}'")
    assert [] == [*await rows(town["fr"].node, "select * from polls"), *await town["it"].titles()]


async def test_what_was_lost_with_older_rows_is_taken_back(town, people, tmp_path):
    """Germany puts an older back-up back: the poll, its end, and the votes from abroad are there again; Marie's, too."""
    slug = await people["anna"].posts("T-1")
    await town.settle()
    uri, kept_rows = home_uri(town["de"], slug), await back_up(town["de"], tmp_path)
    town.clock.move(hours=1)
    await town["de"].node.publishing.attach_poll(people["anna"].uri, slug, POLL)
    await town.settle()
    await vote(people["marie"], uri, 1)
    await town["de"].node.publishing.resolve(
        people["anna"].uri, slug, ResolutionDraft(diagnosis="Sarkoidose", outcome="", language="de")
    )
    await town.settle()
    french = await back_up_at(town["fr"], tmp_path)
    await vote(people["marie"], uri, 2)
    await town.settle()
    await put_back(town["de"], kept_rows)
    await converge(town)
    await put_back(town["fr"], french)
    await converge(town)

    assert [("marie", 2)] == await kept(town)
    assert [("marie", 2)] == await kept(town, "fr")
    assert ["Sarkoidose"] == [
        row["diagnosis"] for row in await rows(town["de"].node, "select diagnosis from resolutions")
    ]


async def back_up_at(place: Any, folder: Any) -> Any:
    """A back-up under a name of its own."""
    (folder / place.name).mkdir(exist_ok=True)
    return await back_up(place, folder / place.name)
