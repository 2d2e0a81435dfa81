"""Circles that change while messages are lost or late: what was said inside is kept, what was missed comes (A54, F14)."""

from __future__ import annotations

from typing import Any

import pytest

from federation import catch_up
from federation.catch_up import LogNumber
from federation.signatures import Profile, sign
from federation.uri import Uri
from instance.services.publishing import CommentDraft, PostDraft
from tests.network.converging import differences
from tests.network.scene import all_follow, befriend, home_uri, refusals
from tests.network.test_catching_up import converge
from tests.network.test_followers_agree import spoil
from tests.town import Network, Person, rows

MENDED = PostDraft(
    kind="case", title="Mended", text="Made up.", specialties=("cardiology",), audience="colleagues", language="en",
    named=(),
)  # fmt: skip


@pytest.fixture
async def people(town: Network) -> dict[str, Person]:
    """Anna in Germany and Luca in Italy follow Marie in France."""
    return await all_follow(town, "marie")


async def leaves(town: Network, follower: Person, followee: Person) -> None:
    """Somebody follows no more."""
    await follower.place.node.follows.undo(follower.uri, followee.uri)
    await town.settle()


async def circle_post(town: Network, people: dict[str, Person], title: str = "For colleagues") -> str:
    """Marie writes for those who follow her; its address."""
    slug = await people["marie"].posts(title, audience="colleagues")
    await town.settle()
    return home_uri(town["fr"], slug)


def posts_to(place: str) -> Any:
    """Everything that is posted to an instance vanishes."""
    return lambda method, url, body: method == "POST" and f"//{place}.example" in url


# ── said inside, heard later ──


async def test_an_answer_lost_before_its_author_left_is_kept(town: Network, people: dict[str, Person]) -> None:
    """Anna answers and thanks, both are lost; she leaves, which is heard: what she said inside is read in the log."""
    post = await circle_post(town, people)
    town.swallows = posts_to("fr")
    await people["anna"].comments(post, "Said inside")
    await town["de"].node.publishing.like(people["anna"].uri, await people["anna"].slug_of(post))
    await town.settle()
    town.swallows = lambda *_: False
    await leaves(town, people["anna"], people["marie"])

    assert [] == await town["fr"].answers()
    assert [] == await converge(town)
    assert ["<p>Said inside</p>"] == await town["fr"].answers() == await town["it"].answers()
    assert 1 == len(await rows(town["fr"].node, "select 1 from likes"))
    assert [] == await refusals(town["fr"])


async def test_an_answer_overtaken_by_its_authors_leaving_is_kept(town: Network, people: dict[str, Person]) -> None:
    """France was away: what is taken back is sent first, and the answer, said before it, comes after it."""
    post = await circle_post(town, people)
    town.down.add("fr")
    await people["anna"].comments(post, "Said inside")
    await town.settle()
    await people["anna"].place.node.follows.undo(people["anna"].uri, people["marie"].uri)
    town.clock.move(hours=2)
    town.down.clear()
    await town.settle()
    await town.catch_up(minutes=62)

    assert ["<p>Said inside</p>"] == await town["fr"].answers() == await town["it"].answers()
    assert [] == await refusals(town["fr"])
    assert [] == await differences(town)


async def test_what_is_said_after_leaving_is_refused(town: Network, people: dict[str, Person]) -> None:
    """The twin: Germany lets Anna answer though she has left; it was said after that, and stays out, by log as well."""
    post = await circle_post(town, people)
    await leaves(town, people["anna"], people["marie"])
    anna, marie = people["anna"].uri, people["marie"].uri
    spoil(
        town["de"],
        "insert into follows (follower, followee, id, state, asked_at)"
        f" values ('{anna}', '{marie}', 'https://de.example/activities/0', 'accepted', 0)",
    )
    await people["anna"].comments(post, "Said outside")
    await town.settle()
    town.swallows = posts_to("fr")
    await people["anna"].comments(post, "Said outside, and lost")
    await town.settle()
    town.swallows = lambda *_: False
    await town.catch_up(minutes=62)

    assert [] == await town["fr"].answers() == await town["it"].answers()
    assert {"not_visible"} == set(await refusals(town["fr"]))


@pytest.mark.parametrize("epoch", ["the same", "another"])
async def test_a_number_that_came_before_proves_no_earlier_moment(
    town: Network, people: dict[str, Person], epoch: str
) -> None:
    """Germany says it again under a number that it gave long ago, or counts it otherwise: it stays out."""
    post = await circle_post(town, people)
    de, anna = town["de"], people["anna"]
    await leaves(town, anna, people["marie"])
    await town.catch_up(minutes=62)
    body = await _words(town, people, post)
    place = LogNumber(de.node.logs.epoch if epoch == "the same" else "01OTHEREPOCH", 1)
    key = await de.node.keys.signing_key(anna.uri, Profile.RFC9421)
    url = Uri.parse("https://fr.example/inbox")
    more = {catch_up.HEADER: catch_up.number_header(place)}
    headers = sign("POST", url, body, key, Profile.RFC9421, town.clock(), more=more)
    answer = await town["fr"].request("POST", "/inbox", headers, body)

    assert 403 == answer.status
    assert [] == await town["fr"].answers()


async def _words(town: Network, people: dict[str, Person], post: str) -> bytes:
    """An answer of Anna's as her instance would write it."""
    spoil(
        town["de"],
        "insert into follows (follower, followee, id, state, asked_at)"
        f" values ('{people['anna'].uri}', '{people['marie'].uri}', 'https://de.example/activities/0', 'accepted', 0)",
    )
    town.down.add("fr")
    await people["anna"].comments(post, "Said outside")
    await town.settle()
    town.down.clear()
    found = await rows(town["de"].node, "select body from activities where type = 'Create'")
    await town["de"].node.store.write(lambda tx: tx.run("posts.drop_waiting", object="", now=0))
    return bytes(found[0]["body"])


async def test_leaving_opens_nothing_where_one_was_blocked(town: Network, people: dict[str, Person]) -> None:
    """Marie has blocked Anna since: what Anna said before stays out, whenever it comes."""
    post = await circle_post(town, people)
    town.swallows = posts_to("fr")
    await people["anna"].comments(post, "Said inside")
    await town.settle()
    town.swallows = lambda *_: False
    await leaves(town, people["anna"], people["marie"])
    await town["fr"].node.follows.block(people["marie"].uri, people["anna"].uri)
    await town.settle()
    await town.catch_up(minutes=62)

    assert [] == await town["fr"].answers()


# ── missed outside, had again inside ──


async def test_who_comes_back_gets_what_was_answered_meanwhile(town: Network, people: dict[str, Person]) -> None:
    """Luca leaves; Marie and Anna answer; he comes back, and his instance, which holds the post, has their answers."""
    post = await circle_post(town, people)
    await leaves(town, people["luca"], people["marie"])
    await people["marie"].comments(post, "By its author")
    town.clock.move(minutes=1)
    await people["anna"].comments(post, "By a colleague")
    await town.settle()
    outside = await town["it"].answers()
    await befriend(town, people["luca"], people["marie"])
    told = await town["it"].answers()
    numbers = await rows(town["fr"].node, "select last_number from lanes where origin like '%it.%'")
    await leaves(town, people["luca"], people["marie"])
    await befriend(town, people["luca"], people["marie"])

    assert [] == outside
    assert ["<p>By its author</p>", "<p>By a colleague</p>"] == told
    assert [] == await differences(town)
    # Coming and going again costs the answer to the question, and nothing else.
    after = await rows(town["fr"].node, "select last_number from lanes where origin like '%it.%'")
    assert numbers[0]["last_number"] + 1 == after[0]["last_number"]


async def test_who_comes_back_gets_what_was_lost_and_closed(town: Network, people: dict[str, Person]) -> None:
    """A post and an answer are lost; Luca leaves, so the log does not say them; he comes back, and they come."""
    town.swallows = posts_to("it")
    post = await circle_post(town, people)
    await people["marie"].comments(post, "Lost as well")
    await town.settle()
    town.swallows = lambda *_: False
    await leaves(town, people["luca"], people["marie"])
    await town.catch_up(minutes=62)
    closed = await town["it"].titles()
    await befriend(town, people["luca"], people["marie"])
    await town.settle()

    assert [] == closed
    assert ["For colleagues"] == await town["it"].titles()
    assert ["<p>Lost as well</p>"] == await town["it"].answers()
    assert [] == await differences(town)


async def test_who_comes_for_the_first_time_gets_nothing_older(town: Network, people: dict[str, Person]) -> None:
    """The twin: an instance that was never sent the post is sent none of its answers; nor what was withdrawn since."""
    await leaves(town, people["luca"], people["marie"])
    post = await circle_post(town, people)
    await people["marie"].comments(post, "For those who were there")
    await town.settle()
    await befriend(town, people["luca"], people["marie"])

    assert [] == await town["it"].titles()
    assert [] == await rows(town["it"].node, "select 1 from comments")
    assert [] == await differences(town)


async def test_what_was_withdrawn_or_narrowed_meanwhile_does_not_come_back(
    town: Network, people: dict[str, Person]
) -> None:
    """Lost, closed, then withdrawn: who comes back gets no word of it."""
    town.swallows = posts_to("it")
    slug = await people["marie"].posts("Regretted", audience="colleagues")
    await town.settle()
    town.swallows = lambda *_: False
    await leaves(town, people["luca"], people["marie"])
    await town.catch_up(minutes=62)
    await town["fr"].node.publishing.withdraw(people["marie"].uri, slug)
    await town.settle()
    await befriend(town, people["luca"], people["marie"])

    assert [] == await town["it"].titles()
    assert [] == await differences(town)


async def test_who_comes_back_gets_what_was_mended_meanwhile(town: Network, people: dict[str, Person]) -> None:
    """Luca leaves; Marie mends her post, Anna her answer; he comes back, and his instance has the present versions."""
    post = await circle_post(town, people)
    slug = await people["anna"].comments(post, "As it was")
    await town.settle()
    await leaves(town, people["luca"], people["marie"])
    town.clock.move(minutes=1)
    await people["anna"].place.node.publishing.edit_comment(
        people["anna"].uri, slug, CommentDraft(text="As it is", language="en", parent_slug=None)
    )
    await people["marie"].place.node.publishing.edit(people["marie"].uri, post.rpartition("/")[2], MENDED)
    await town.settle()
    outside = await town["it"].titles(), await town["it"].answers()
    await befriend(town, people["luca"], people["marie"])

    assert (["For colleagues"], ["<p>As it was</p>"]) == outside
    assert (["Mended"], ["<p>As it is</p>"]) == (await town["it"].titles(), await town["it"].answers())
    assert [] == await differences(town)


async def test_a_post_that_comes_by_its_new_version_comes_with_its_thread(
    town: Network, people: dict[str, Person]
) -> None:
    """Luca was away when Marie wrote and Anna answered; her next version reaches him, and the answer with it."""
    await leaves(town, people["luca"], people["marie"])
    post = await circle_post(town, people)
    await people["anna"].comments(post, "Early")
    await town.settle()
    await befriend(town, people["luca"], people["marie"])
    before = await town["it"].titles()
    town.clock.move(minutes=1)
    await people["marie"].place.node.publishing.edit(people["marie"].uri, post.rpartition("/")[2], MENDED)
    await town.settle()

    assert [] == before
    assert (["Mended"], ["<p>Early</p>"]) == (await town["it"].titles(), await town["it"].answers())
    assert [] == await differences(town)
