"""Expelling a sibling: by two, out of a pause; what is said at last, what stays here and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from federation.allowlist import Direction
from federation.errors import NotASibling
from instance.services.errors import Rejected
from tests.instance.students import administrators
from tests.network.expelling import DE, REASON, actor, expels, follows_of, own_post, pauses, proposes, settled_between
from tests.network.scene import Visitor
from tests.town import Network, rows


@pytest.fixture
async def town(town: Network) -> Network:
    """With two administrators in France."""
    await administrators(town["fr"].node)
    return town


async def code_of(attempt: Any) -> str:
    """The code it is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    return refused.value.code


async def posted(town: Network, since: int) -> list[str]:
    """What France sent Germany since then, by type."""
    fr = town["fr"].node
    sent = [each for each in town.contacts[since:] if each.method == "POST" and each.url.startswith(DE)]
    done = await rows(
        fr, f"select a.type from deliveries d join activities a on a.uri = d.activity where d.origin = '{DE}' "
        "and d.state = 'done' order by d.settled_at, d.id"
    )  # fmt: skip
    return [row["type"] for row in done][-len(sent) :] if sent else []


# ── who may, and when ──


async def test_nobody_is_expelled_out_of_the_open(town: Network) -> None:
    """Expelling is a second step: whoever is connected is paused or blocked first."""
    fr = town["fr"].node
    ada = await actor(fr, "ada")

    assert "not_narrowed" == await code_of(fr.siblings.proposals.preview_expulsion(DE))
    assert "not_narrowed" == await code_of(fr.siblings.proposals.expel(DE, ada, REASON, seen="x"))
    assert [] == await fr.siblings.proposals.waiting()


async def test_one_person_expels_nobody(town: Network) -> None:
    """Neither unconfirmed nor confirmed by whoever proposed it."""
    await settled_between(town)
    fr = town["fr"].node
    ada = await actor(fr, "ada")
    await pauses(fr, ada)
    id = await proposes(fr, ada)

    assert "same_person" == await code_of(fr.siblings.proposals.confirm(id, ada))
    assert fr.allowlist().find(DE) is not None
    assert 2 == len(await follows_of(town["fr"]))
    assert [] == await rows(fr, "select * from sibling_last_words")


async def test_a_proposal_is_about_the_entry_as_it_was(town: Network) -> None:
    """Whatever was changed meanwhile, the second person has not been asked about it."""
    fr = town["fr"].node
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await pauses(fr, ada)
    id = await proposes(fr, ada)
    await fr.siblings.set_policy(DE, "block", by="shell", reason="x")

    assert "sibling_changed" == await code_of(fr.siblings.proposals.confirm(id, ben))
    assert fr.allowlist().find(DE) is not None


async def test_a_proposal_that_was_turned_down_or_is_old_expels_nobody(town: Network) -> None:
    """Seven days, and not one more."""
    fr = town["fr"].node
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await pauses(fr, ada)
    await fr.siblings.proposals.withdraw(await proposes(fr, ada), ben)
    id = await proposes(fr, ada)
    town.clock.move(days=7, seconds=1)

    assert "no_such_move" == await code_of(fr.siblings.proposals.confirm(id, ben))
    assert [] == await fr.siblings.proposals.waiting()
    assert fr.allowlist().find(DE) is not None


# ── what it does ──


async def test_follows_are_cut_on_both_sides_and_our_copies_are_asked_back(town: Network) -> None:
    """Here at once; there by Undo, Reject and Deletes, which Germany carries out."""
    await settled_between(town)
    fr, de = town["fr"], town["de"]
    assert ["From France", "From Germany"] == sorted(await de.titles())
    since = len(town.contacts)
    await expels(fr.node)
    cut_here = await follows_of(fr)
    await town.settle()

    assert [] == cut_here
    assert [] == [each for each in await follows_of(de) if each[2] != "rejected"]
    assert ["From Germany"] == await de.titles()
    assert ["<p>An answer from Germany</p>"] == await de.answers()
    assert ["Delete", "Delete", "Reject", "Undo"] == sorted(await posted(town, since))
    await fr.node.siblings.expelling.tick()
    assert [] == await fr.node.store.all("farewells.outstanding", origin=DE, count=10)


async def test_nothing_goes_in_or_out_but_what_takes_back(town: Network) -> None:
    """Their messages, their reads and ours end with the commit; new words of ours have no row for them."""
    marie, anna = await settled_between(town)
    fr = town["fr"]
    await expels(fr.node)
    await town.settle()
    since = len(town.contacts)
    await marie.posts("After")
    answer = await anna.sends(fr, b"{}")
    await town.settle()

    assert 403 == answer.status
    assert [DE not in each.url for each in town.contacts[since:] if each.method == "POST"]
    assert [] == await posted(town, since)
    assert "After" not in await town["de"].titles()
    assert "After" in await town["it"].titles()
    for direction in Direction:
        assert not fr.node.allowlist().permits(DE, direction)
    with pytest.raises(NotASibling):
        fr.node.allowlist().require_sending(DE, town.clock(), 3)


async def test_our_doctors_hear_of_it_without_names(town: Network) -> None:
    """One notice for each whose follows were cut."""
    marie, _ = await settled_between(town)
    await town["fr"].doctor("paul")
    await expels(town["fr"].node)
    told = await rows(town["fr"].node, "select doctor from notifications where kind = 'follows_cut'")
    page = await (await Visitor.of(marie)).text("/notices")

    assert [marie.uri] == [row["doctor"] for row in told]
    assert "no longer in our federation" in page
    assert [] == await rows(town["fr"].node, "select * from notifications where kind = 'follow_asked'")


async def test_whoever_is_away_is_asked_for_thirty_days_and_no_longer(town: Network) -> None:
    """The erasure is tried until then, and stays listed as not acknowledged."""
    await settled_between(town)
    fr = town["fr"].node
    town.down.add("de")
    await expels(fr)
    for _ in range(29):
        await town.settle()
        town.clock.move(days=1)
        await fr.siblings.expelling.tick()
    waiting = await fr.store.all("farewells.outstanding", origin=DE, count=10)
    types = await rows(
        fr, f"select a.type from deliveries d join activities a on a.uri = d.activity where d.origin = '{DE}' "
        "and d.state in ('waiting', 'resting', 'held')"
    )  # fmt: skip
    town.clock.move(days=1, seconds=1)
    await fr.siblings.expelling.tick()
    town.down.clear()
    since = len(town.contacts)
    await town.settle()

    assert 2 == len(waiting)
    assert {"Delete"} == {row["type"] for row in types}
    assert [] == [each for each in town.contacts[since:] if each.method == "POST" and each.url.startswith(DE)]
    assert {} == dict(fr.allowlist().farewells)
    assert 2 == len(await fr.store.all("farewells.outstanding", origin=DE, count=10))
    assert "From France" in await town["de"].titles()


async def test_whoever_comes_back_in_time_gives_the_copies_back(town: Network) -> None:
    """The twin: on the twentieth day it answers."""
    await settled_between(town)
    fr = town["fr"].node
    town.down.add("de")
    await expels(fr)
    await town.settle()
    town.clock.move(days=20)
    town.down.clear()
    await town.settle()
    await fr.siblings.expelling.tick()

    assert ["From Germany"] == await town["de"].titles()
    assert [] == await fr.store.all("farewells.outstanding", origin=DE, count=10)
    assert {} == dict(fr.allowlist().farewells)


async def test_a_process_that_ends_anywhere_ends_at_the_same(town: Network) -> None:
    """After the commit nothing is left but rows: whoever starts next writes and sends what is missing, once."""
    await settled_between(town)
    fr = town["fr"]
    ada, ben = await actor(fr.node, "ada"), await actor(fr.node, "ben")
    await pauses(fr.node, ada)
    id = await proposes(fr.node, ada)

    async def killed() -> int:
        raise KeyboardInterrupt

    fr.node.siblings.expelling.write_words = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        await fr.node.siblings.proposals.confirm(id, ben)
    lined = await rows(fr.node, "select * from sibling_last_words where activity = ''")
    await fr.reopen()
    await fr.node.siblings.expelling.tick()
    await fr.node.siblings.expelling.tick()
    await town.settle()
    sent = await rows(fr.node, f"select id from deliveries where origin = '{DE}' and priority < 2 and state = 'done'")

    assert 4 == len(lined)
    assert 4 == len(sent)
    assert ["From Germany"] == await town["de"].titles()


async def test_a_batch_is_written_whole_or_not_at_all(town: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two of its messages it is written anew, and nothing is said twice."""
    from instance.services import expelling

    await settled_between(town)
    fr = town["fr"].node
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await pauses(fr, ada)
    id, queue, calls = await proposes(fr, ada), expelling._queue, 0

    async def dies_at_the_second(*values: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("killed")
        await queue(*values)

    monkeypatch.setattr(expelling, "_queue", dies_at_the_second)
    with pytest.raises(RuntimeError):
        await fr.siblings.proposals.confirm(id, ben)
    written = await rows(fr, f"select id from deliveries where origin = '{DE}' and priority < 2")
    await fr.siblings.expelling.tick()
    await town.settle()
    said = await rows(fr, f"select id from deliveries where origin = '{DE}' and priority < 2 and state = 'done'")

    assert [] == written
    assert 4 == len(said)


async def test_what_is_withdrawn_meanwhile_is_asked_back_all_the_same(town: Network) -> None:
    """The author's own Delete goes to siblings; the farewell's goes to whoever was expelled."""
    marie, _ = await settled_between(town)
    fr = town["fr"].node
    town.down.add("de")
    await expels(fr)
    await fr.publishing.withdraw(marie.uri, await marie.slug_of(await own_post(town)))
    town.down.clear()
    town.clock.move(hours=2)
    await town.settle()

    assert ["From Germany"] == await town["de"].titles()


async def test_what_was_confirmed_stays_so_when_deliveries_are_tidied(town: Network) -> None:
    """Ninety days later the page still says that every copy is confirmed as destroyed."""
    from instance.views import siblings as view

    await settled_between(town)
    fr = town["fr"].node
    await expels(fr)
    await town.settle()
    await fr.siblings.expelling.tick()
    town.clock.move(days=100)
    await fr.queue.tidy()
    (found,) = await view.former(fr)

    assert (2, 2) == (found.copies, found.acknowledged)
    assert [] == await view.outstanding(fr, DE)


async def test_another_process_follows_within_a_second(town: Network) -> None:
    """P8: the number is asked per message; a process in which none comes looks by itself."""
    import asyncio

    from instance.services.allowlist_cache import AllowlistCache

    fr = town["fr"].node
    other = AllowlistCache(fr)
    await other.start()
    try:
        assert other().permits(DE, Direction.IN)
        assert DE not in other().farewells
        await expels(fr)
        async with asyncio.timeout(1):
            while other().find(DE) is not None:
                await asyncio.sleep(0.01)
        assert (False, {DE}) == (other().permits(DE, Direction.SERVE), set(other().farewells))
    finally:
        await other.stop()
