"""Who reads whom: asked, answered, ended, blocked; within one country and across borders."""

from __future__ import annotations

from typing import Any

import pytest

from instance.services.errors import Rejected
from instance.services.follows import CODES
from instance.services.people import NewDoctor
from tests.town import PASSWORD, Person, rows


async def code_of(attempt: Any) -> str:
    """The code an act is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    assert refused.value.code in CODES
    return refused.value.code


async def state_at(place: Any) -> list[tuple[str, str, str]]:
    """Every follow at an instance: who, whom, state."""
    found = await rows(place.node, "select follower, followee, state from follows order by follower")
    return [(row["follower"].rpartition("/")[2], row["followee"].rpartition("/")[2], row["state"]) for row in found]


async def notices_of(person: Person) -> list[tuple[str, str]]:
    """Kind and author of a doctor's notices."""
    found = await rows(person.place.node, f"select kind, actor from notifications where doctor = '{person.uri}'")
    return [(row["kind"], row["actor"].rpartition("/")[2]) for row in found]


async def careful(place: Any, handle: str) -> Person:
    """A doctor who answers each request."""
    uri, _ = await place.node.people.add_doctor(
        NewDoctor(
            handle=handle, name=f"Dr {handle.title()}", role="specialist", country=place.config.country,
            specialties=("cardiology",), password=PASSWORD, approves_followers=True,
        ),
        by="test",
    )  # fmt: skip
    return Person(place, handle, uri)


@pytest.fixture
async def town(network) -> Any:
    """Two siblings."""
    return await network("fr", "de")


async def test_a_colleague_at_home_is_followed_at_once(town):
    """No message is needed; the colleague is told."""
    marie, louis = await town["fr"].doctor("marie"), await town["fr"].doctor("louis")
    state = await town["fr"].node.follows.ask(marie.uri, "louis")

    assert "accepted" == state
    assert [("followed", "marie")] == await notices_of(louis)
    assert [] == await rows(town["fr"].node, "select id from deliveries")


async def test_a_colleague_abroad_is_followed_after_their_yes(town):
    """Pending until the Accept has come; then accepted on both sides, and both are told."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    state = await town["fr"].node.follows.ask(marie.uri, anna.address)
    before = await state_at(town["fr"])
    await town.settle()

    assert "pending" == state
    assert [("marie", "anna", "pending")] == before
    assert [("marie", "anna", "accepted")] == await state_at(town["fr"]) == await state_at(town["de"])
    assert [("followed", "marie")] == await notices_of(anna)
    assert [("follow_accepted", "anna")] == await notices_of(marie)


@pytest.mark.parametrize("yes", [True, False])
async def test_a_careful_colleague_answers_each_request(town, yes):
    """Nothing follows from silence; a yes or a no settles it on both sides."""
    marie, anna = await town["fr"].doctor("marie"), await careful(town["de"], "anna")
    await marie.follows(anna)
    await town.settle()
    waiting, asked = await state_at(town["de"]), await notices_of(anna)

    await town["de"].node.follows.answer(anna.uri, marie.uri, yes)
    await town.settle()
    end = "accepted" if yes else "rejected"

    assert [("marie", "anna", "pending")] == waiting
    assert [("follow_asked", "marie")] == asked
    assert [("marie", "anna", end)] == await state_at(town["fr"])
    assert [("marie", "anna", end)] == await state_at(town["de"])
    assert [] == await notices_of(anna)


async def test_asking_twice_is_asking_once(town):
    """The second request leaves no second message and no second notice."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await marie.follows(anna)
    await marie.follows(anna)

    assert 1 == len(await rows(town["fr"].node, "select id from deliveries"))


async def test_after_a_no_one_may_ask_again(town):
    """A new request has a new id, and may get another answer."""
    marie, anna = await town["fr"].doctor("marie"), await careful(town["de"], "anna")
    await marie.follows(anna)
    await town.settle()
    await town["de"].node.follows.answer(anna.uri, marie.uri, False)
    await town.settle()
    await marie.follows(anna)
    await town.settle()
    await town["de"].node.follows.answer(anna.uri, marie.uri, True)
    await town.settle()

    assert [("marie", "anna", "accepted")] == await state_at(town["fr"])


async def test_a_follow_that_ends_is_gone_on_both_sides(town):
    """Undo reaches the other instance."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await marie.follows(anna)
    await town.settle()
    await town["fr"].node.follows.undo(marie.uri, anna.uri)
    await town.settle()

    assert [] == await state_at(town["fr"]) == await state_at(town["de"])


async def test_a_follower_can_be_sent_away(town):
    """A no to somebody who follows already ends it on both sides."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await marie.follows(anna)
    await town.settle()
    await town["de"].node.follows.answer(anna.uri, marie.uri, False)
    await town.settle()

    assert [("marie", "anna", "rejected")] == await state_at(town["fr"])


async def test_a_block_cuts_both_ways_and_stays_at_home(town):
    """Both follows end abroad as well; no Block is sent; the blocked cannot ask again here."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await marie.follows(anna)
    await anna.follows(marie)
    await town.settle()
    await town["fr"].node.follows.block(marie.uri, anna.uri)
    await town.settle()
    sent = {row["type"] for row in await rows(town["fr"].node, "select type from activities")}

    assert "accepted" not in {state for *_, state in await state_at(town["fr"])}
    assert "accepted" not in {state for *_, state in await state_at(town["de"])}
    assert "Block" not in sent
    assert "cannot_follow" == await code_of(town["fr"].node.follows.ask(marie.uri, anna.uri))


async def test_who_is_blocked_at_home_cannot_follow(town):
    """The blocked learns nothing of it: the answer is the one for a doctor whom nobody can follow."""
    marie, louis = await town["fr"].doctor("marie"), await town["fr"].doctor("louis")
    await town["fr"].doctor("paul")
    follows = town["fr"].node.follows
    await town["fr"].node.people.suspend("paul", by="test", reason="test")
    await follows.block(marie.uri, louis.uri)
    refused = [await code_of(follows.ask(louis.uri, whom)) for whom in (marie.uri, "paul")]
    await follows.unblock(marie.uri, louis.uri)

    assert ["not_found"] * 2 == refused
    assert "accepted" == await follows.ask(louis.uri, marie.uri)


async def test_nobody_follows_or_blocks_themselves(town):
    """Neither makes sense, and neither leaves a row."""
    marie = await town["fr"].doctor("marie")
    follows = town["fr"].node.follows

    assert "own_follow" == await code_of(follows.ask(marie.uri, "marie"))
    assert "own_block" == await code_of(follows.block(marie.uri, marie.uri))
    assert [] == await state_at(town["fr"])


@pytest.mark.parametrize(
    "target", ["nobody", "nobody@de.example", "anna@it.example", "https://it.example/doctors/x", "https://", "", "@@"]
)
async def test_who_cannot_be_found_cannot_be_followed(town, target):
    """Unknown here, unknown there, at a stranger's, or no address at all: the same answer, no row."""
    marie = await town["fr"].doctor("marie")

    assert "not_found" == await code_of(town["fr"].node.follows.ask(marie.uri, target))
    assert [] == await state_at(town["fr"])
    assert not [contact for contact in town.contacts if "it.example" in contact.url]


async def test_only_who_was_asked_can_answer(town):
    """A yes to nobody's request makes no follower."""
    marie, louis = await town["fr"].doctor("marie"), await town["fr"].doctor("louis")

    assert "no_request" == await code_of(town["fr"].node.follows.answer(marie.uri, louis.uri, True))
    assert [] == await state_at(town["fr"])


async def test_a_paused_sibling_cannot_be_asked(town):
    """The doctor is told now instead of waiting for an answer that cannot come."""
    marie, anna = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    await anna.posts("Known")
    await town.settle()
    await town["fr"].node.siblings.set_policy("https://de.example", "pause", by="admin", reason="x")

    assert "sibling_closed" == await code_of(town["fr"].node.follows.ask(marie.uri, anna.uri))
    assert [] == await state_at(town["fr"])


async def test_a_suspended_doctor_follows_nobody(town):
    """Standing is asked before anything else."""
    marie = await town["fr"].doctor("marie")
    await town["fr"].doctor("louis")
    await town["fr"].node.people.suspend("marie", by="admin", reason="x")

    assert "suspended" == await code_of(town["fr"].node.follows.ask(marie.uri, "louis"))


async def test_what_stands_with_a_lapsed_colleague_can_be_ended(town):
    """A suspension takes nobody the right to stop following, to say no, or to block."""
    marie, louis = await careful(town["fr"], "marie"), await town["fr"].doctor("louis")
    paul = await town["fr"].doctor("paul")
    follows = town["fr"].node.follows
    await follows.ask(marie.uri, "louis")
    await follows.ask(louis.uri, "marie")
    await follows.ask(paul.uri, "marie")
    await town["fr"].node.people.suspend("louis", by="test", reason="test")
    await follows.undo(marie.uri, louis.uri)
    await follows.answer(marie.uri, louis.uri, yes=False)
    await follows.block(marie.uri, louis.uri)
    await follows.unblock(marie.uri, louis.uri)

    assert [("louis", "marie", "rejected"), ("paul", "marie", "pending")] == await state_at(town["fr"])


async def test_a_lapsed_colleague_is_neither_asked_nor_accepted(town):
    """The twin: nothing new begins with somebody who is not in good standing."""
    marie, louis = await careful(town["fr"], "marie"), await town["fr"].doctor("louis")
    follows = town["fr"].node.follows
    await follows.ask(louis.uri, "marie")
    await town["fr"].node.people.suspend("louis", by="test", reason="test")

    assert "not_found" == await code_of(follows.ask(marie.uri, "louis"))
    assert "not_found" == await code_of(follows.answer(marie.uri, louis.uri, yes=True))
    assert [("louis", "marie", "pending")] == await state_at(town["fr"])


async def test_saying_yes_twice_is_one_yes(town):
    """A second press finds what the first has done; a no or nothing is still no yes."""
    marie, louis = await town["fr"].doctor("marie"), await town["fr"].doctor("louis")
    anna, follows = await town["de"].doctor("anna"), town["fr"].node.follows
    await anna.follows(marie)
    await town.settle()
    for _ in range(2):
        await follows.answer(marie.uri, anna.uri, True)
    sent = await rows(town["fr"].node, "select uri from activities where type = 'Accept'")
    for _ in range(2):
        await follows.answer(marie.uri, anna.uri, False)

    assert 1 == len(sent)
    assert 1 == len(await rows(town["fr"].node, "select uri from activities where type = 'Reject'"))
    assert "no_request" == await code_of(follows.answer(marie.uri, anna.uri, True))
    assert "no_request" == await code_of(follows.answer(marie.uri, louis.uri, False))
