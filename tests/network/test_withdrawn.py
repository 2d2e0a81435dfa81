"""A member that the list says has left: cut off with words, asked for our copies, hidden, and back by the next list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from federation import membership_drafts as drafts
from federation.allowlist import Direction
from federation.allowlist_changes import effect
from federation.errors import IssuerWithdrawn
from federation.membership import read
from instance.services.errors import Rejected
from instance.services.federation_list_entries import own_entry
from tests.instance.students import administrators
from tests.network.expelling import DE, REASON, actor, expels, fate, follows_of, pauses, settled_between
from tests.network.listed import Federation
from tests.network.scene import Visitor
from tests.town import rows


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Federation]:
    """France (which publishes, with two administrators) and Germany."""
    opened = await Federation.open(tmp_path, "fr", "de")
    await administrators(opened["fr"].node)
    yield opened
    await opened.network.close()


async def withdraws(town: Federation) -> bytes:
    """Two of three sign that Germany has left; France publishes it. Return the list."""
    body = town.signed(town.with_status("de", "withdrawn"))
    town.last = read(body)
    await town["fr"].node.federation_list.publish(body, "test")
    await town.network.settle()
    await town.hour()
    return body


async def enters(town: Federation, status: str) -> None:
    """Two of three sign that Germany is there again, as a candidate or a member."""
    entry = await own_entry(town["de"].node)
    await town.publish(drafts.with_member(town.draft(), {**entry, "status": status}))
    await town.hour()


async def said(town: Federation, state: str = "done") -> list[str]:
    """What France has said to Germany at last, by type."""
    found = await rows(
        town["fr"].node, f"select a.type from deliveries d join activities a on a.uri = d.activity "
        f"where d.origin = '{DE}' and d.state = '{state}' and a.type in ('Undo', 'Reject', 'Delete') order by a.type"
    )  # fmt: skip
    return [row["type"] for row in found]


# ── going ──


async def test_a_member_that_has_left_hears_the_end_of_each_follow(town: Federation) -> None:
    """J5.6: follows end on both sides by a message each; our copies there are gone, theirs stay here, labelled.

    Its entry stays as well, and permits nothing.
    """
    marie, anna = await settled_between(town.network)
    await withdraws(town)
    fr, de = town["fr"], town["de"]
    await fr.node.siblings.expelling.tick()
    page = await (await Visitor.of(marie)).text("/feed?tab=all")
    ours = await (await Visitor.of(marie)).text("/federation")

    assert ["Delete", "Delete", "Reject", "Undo"] == await said(town)
    assert [] == await follows_of(fr)
    assert 1 == ours.count("<strong>Instance de")
    assert [] == [each for each in await follows_of(de) if each[2] != "rejected"]
    assert ["From Germany"] == await de.titles()
    assert [] == await fr.node.store.all("farewells.outstanding", origin=DE, count=10)
    assert "From Germany" in page
    assert "no longer in our federation" in page
    assert [marie.uri] == [
        row["doctor"] for row in await rows(fr.node, "select doctor from notifications where kind = 'follows_cut'")
    ]

    await marie.posts("After")
    answer = await anna.sends(fr, b"{}")
    await town.network.settle()
    allowlist, now = fr.node.allowlist(), town.network.clock()
    assert (403, "issuer_withdrawn") == (answer.status, orjson.loads(answer.body)["error"])
    assert "After" not in await de.titles()
    for urgency in (2, 3):
        with pytest.raises(IssuerWithdrawn):
            allowlist.require_sending(DE, now, urgency)
    for direction in Direction:
        assert not allowlist.permits(DE, direction)


async def test_a_member_that_is_suspended_keeps_everything(town: Federation) -> None:
    """The twin: nothing is cut, nothing is asked back, nothing is said."""
    await settled_between(town.network)
    before = await follows_of(town["fr"])
    await town.publish(town.with_status("de", "suspended"))
    await town.hour()
    town.network.clock.move(days=10)
    await town["fr"].node.siblings.expelling.tick()

    assert before == await follows_of(town["fr"])
    assert ["From France", "From Germany"] == sorted(await town["de"].titles())
    assert "" == await fate(town["fr"].node)
    assert [] == await said(town)


async def test_what_came_from_there_is_hidden_after_thirty_days(town: Federation) -> None:
    """On day 29 it can be read; on day 31 it is nowhere, unless two administrators keep it."""
    marie, _ = await settled_between(town.network)
    await withdraws(town)
    fr = town["fr"].node
    for days in (10, 10, 9):
        town.network.clock.move(days=days)
        await town.publish(town.draft())
        await town.hour()
        await fr.siblings.expelling.tick()
    before = await (await Visitor.of(marie)).text("/feed?tab=all")
    town.network.clock.move(days=2)
    await fr.siblings.expelling.tick()
    after = await (await Visitor.of(marie)).text("/feed?tab=all")
    last = (await fr.siblings.changes(DE))[-1]

    assert "From Germany" in before
    assert "From Germany" not in after
    assert "From France" in after
    assert ("hide", "hidden") == (last.act, await fate(fr))


async def test_two_administrators_keep_what_came_of_a_member_that_has_left(town: Federation) -> None:
    """Rule 7: content is hidden after thirty days unless the administrator keeps it; one alone keeps nothing."""
    await settled_between(town.network)
    await withdraws(town)
    fr = town["fr"].node
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await fr.siblings.proposals.settle_copies(DE, "keep", ada, REASON, seen="labelled")
    (waiting,) = await fr.siblings.proposals.waiting()
    with pytest.raises(Rejected, match="same_person"):
        await fr.siblings.proposals.confirm(waiting.id, ada)
    await fr.siblings.proposals.confirm(waiting.id, ben)
    town.network.clock.move(days=40)
    await fr.siblings.expelling.tick()

    assert "kept" == await fate(fr)


async def test_a_member_that_is_away_is_asked_until_it_answers(town: Federation) -> None:
    """A fortnight, through a list that runs out meanwhile; then our copies are confirmed as gone."""
    await settled_between(town.network)
    town.network.down.add("de")
    second = await withdraws(town)
    fr, de = town["fr"].node, town["de"].node
    await de.federation_list.publish(second, "test")  # nobody tells Germany: it is handed in there
    town.network.clock.move(days=14, seconds=301)
    await town.network.settle()
    over = await town.queued("fr")
    town.network.down.clear()
    third = town.signed(town.draft())
    for node in (fr, de):
        await node.federation_list.publish(third, "test")
    town.network.clock.move(hours=1)
    await town.read_by_all()
    await fr.siblings.expelling.tick()

    assert "held" in over
    assert ["Delete", "Delete"] == await said(town)
    assert ["From Germany"] == await town["de"].titles()
    assert [] == await town.queued("fr")


async def test_a_process_that_ends_after_the_list_was_adopted_says_it_all_the_same(
    town: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 after the commit: lines are there, follows are cut, and whoever starts next writes and sends."""
    await settled_between(town.network)
    fr = town["fr"]

    async def killed() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(fr.node.siblings.expelling, "write_words", killed)
    with pytest.raises(KeyboardInterrupt):
        await town.publish(town.with_status("de", "withdrawn"))
    lined = await rows(fr.node, "select * from sibling_last_words where activity = ''")
    await fr.reopen()
    for _ in range(2):
        await fr.node.siblings.expelling.tick()
    await town.network.settle()

    assert 4 == len(lined)
    assert ["Delete", "Delete", "Reject", "Undo"] == await said(town)


async def test_whom_somebody_adds_after_it_has_left_is_closed_and_told(town: Federation) -> None:
    """Removed at the shell and added anew while the list says withdrawn: the farewell stands again within a minute."""
    await settled_between(town.network)
    await withdraws(town)
    fr = town["fr"]
    await fr.node.siblings.remove(DE, by="test", reason="test")
    removed = await fate(fr.node)
    await fr.admits(town["de"])
    added = await fate(fr.node), refused(fr.node, Direction.IN)
    await fr.node.federation_list.tick()

    assert ("labelled", ("", "issuer_withdrawn")) == (removed, added)
    assert ("labelled", "issuer_withdrawn") == (await fate(fr.node), refused(fr.node, Direction.IN))


# ── coming back ──


async def test_a_member_that_is_active_again_within_thirty_days_is_open(town: Federation) -> None:
    """No administrator types anything: what came from there is theirs again, nothing more is asked back, posts flow."""
    marie, anna = await settled_between(town.network)
    town.network.down.add("de")
    await withdraws(town)
    town.network.clock.move(days=12)
    town.network.down.clear()
    await enters(town, "active")
    await town.hour()
    fr = town["fr"]
    await anna.posts("New from Germany")
    await marie.posts("New from France")
    await town.network.settle()
    page = await (await Visitor.of(marie)).text("/feed?tab=all")
    town.network.clock.move(days=20)
    await town.publish(town.draft())
    await town.hour()
    await fr.node.siblings.expelling.tick()

    assert [] == await said(town)
    assert "" == await fate(fr.node)
    assert [] == await rows(fr.node, "select * from sibling_last_words")
    assert [] == await follows_of(fr)
    assert "no longer in our federation" not in page
    assert {"From Germany", "New from Germany"} <= set(await fr.titles())
    assert {"From France", "New from France"} <= set(await town["de"].titles())


async def test_a_candidate_is_not_back(town: Federation) -> None:
    """The twin: until as many sign that it is active, the thirty days run on and all is closed."""
    await settled_between(town.network)
    await withdraws(town)
    await enters(town, "candidate")
    fr = town["fr"].node
    town.network.clock.move(days=31)
    await fr.siblings.expelling.tick()

    assert "hidden" == await fate(fr)
    assert not fr.allowlist().permits(DE, Direction.IN)


async def test_what_was_closed_here_stays_closed_when_the_list_opens(town: Federation) -> None:
    """N20: the local policy outlives the member's absence; the list alone opens no pause."""
    await settled_between(town.network)
    fr = town["fr"].node
    await pauses(fr, await actor(fr, "ada"))
    await withdraws(town)
    await enters(town, "active")

    assert "" == await fate(fr)
    assert "sibling_paused" == refused(fr, Direction.IN)


async def test_whom_two_have_expelled_the_list_does_not_bring_back(town: Federation) -> None:
    """The twin: withdrawn and active again, the expulsion stands."""
    await settled_between(town.network)
    fr = town["fr"].node
    await expels(fr)
    await withdraws(town)
    await enters(town, "active")
    await town.hour()

    assert "labelled" == await fate(fr)
    assert fr.allowlist().find(DE) is None


async def test_nobody_is_back_while_what_came_from_there_is_destroyed(town: Federation) -> None:
    """It stays closed for that moment, and opens by itself after it."""
    await settled_between(town.network)
    await withdraws(town)
    fr = town["fr"].node
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await fr.siblings.proposals.settle_copies(DE, "purge", ada, REASON, seen="labelled")
    (waiting,) = await fr.siblings.proposals.waiting()
    await fr.siblings.proposals.confirm(waiting.id, ben)
    await enters(town, "active")
    during = refused(fr, Direction.IN)
    await fr.siblings.expelling.tick()
    await town.hour()

    assert "issuer_withdrawn" == during
    assert "" == refused(fr, Direction.IN)
    assert ["From France"] == await town["fr"].titles()


def refused(node: Any, direction: Direction) -> str:
    """The code with which Germany is refused; empty where it is open."""
    return effect(node.allowlist(), DE).refused[direction]
