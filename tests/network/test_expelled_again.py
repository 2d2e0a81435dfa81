"""Whoever was expelled and would come back: no list opens it, two administrators do, and then it begins anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from federation import membership_drafts as drafts
from federation.allowlist import Direction
from federation.errors import NotASibling
from federation.pairing import State
from instance.commands import siblings_requests
from instance.services import pairing_rows
from instance.services.errors import Rejected
from instance.services.federation_list_entries import own_entry
from tests.instance.students import administrators
from tests.network.expelling import DE, REASON, actor, expels, fate, follows_of, settled_between
from tests.network.listed import Federation
from tests.network.pairing_scene import CLI, FR, asked, confirms, fingerprint, here, lists
from tests.network.scene import Visitor
from tests.town import Network, Place, rows


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """France with two administrators and Germany, members of a list that both read."""
    opened = await Federation.open(tmp_path, "fr", "de")
    await administrators(opened["fr"].node)
    yield opened
    await opened.network.close()


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Network]:
    """France with two administrators and Germany, which list each other."""
    network = await Network.open(tmp_path, "fr", "de")
    await administrators(network["fr"].node)
    yield network
    await network.close()


# ── beside a federation list ──


async def test_no_list_admits_whom_two_have_expelled(federation: Federation) -> None:
    """Not the list it stands on, nor the next one, nor one that enters it anew; not after thirty days or a restart."""
    fr = federation["fr"]
    _, anna = await settled_between(federation.network)
    await expels(fr.node)
    await federation.network.settle()
    since = len(federation.network.contacts)
    await federation.hour()
    await federation.publish(federation.draft())
    await federation.hour()
    entry = await own_entry(federation["de"].node)
    await federation.publish(drafts.with_member(federation.draft(), {**entry, "status": "active"}))
    await federation.hour()
    for _ in range(4):
        federation.network.clock.move(days=10)
        await federation.publish(federation.draft())
        await fr.node.siblings.expelling.tick()
        await federation.hour()
    await fr.reopen()
    await federation.hour()
    answer = await anna.sends(fr, b"{}")

    assert "active" == next(each.status for each in fr.node.allowlist.federation_list.members if each.origin == DE)
    assert [] == await rows(fr.node, f"select origin from siblings where origin = '{DE}'")
    assert ["pause", "expel", "hide"] == [each.act for each in await fr.node.siblings.changes(DE)][-3:]
    assert [] == [each.url for each in federation.network.contacts[since:] if each.url == f"{DE}/actor"]
    assert "hidden" == await fate(fr.node)
    assert 403 == answer.status
    for direction in Direction:
        with pytest.raises(NotASibling):
            fr.node.allowlist().require(DE, direction)


async def test_a_process_that_was_about_to_admit_it_sees_the_expulsion(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It read the actor before; what two have decided since then counts when it writes."""
    from instance.services import candidates

    fr = federation["fr"].node
    await settled_between(federation.network)
    await fr.siblings.remove(DE, by="test", reason="test")
    look_up = candidates.look_up

    async def meanwhile(node: Any, origin: str) -> Any:
        found = await look_up(node, origin)
        monkeypatch.setattr(candidates, "look_up", look_up)
        await fr.federation_list._entries.admit_due()
        await expels(fr)
        return found

    monkeypatch.setattr(candidates, "look_up", meanwhile)
    await fr.federation_list._entries.admit_due()

    assert "expel" == (await fr.siblings.changes(DE))[-1].act
    assert fr.allowlist().find(DE) is None


async def test_the_list_admits_whom_nobody_has_expelled(federation: Federation) -> None:
    """The twin: an entry that was only removed comes back by the list's next reading."""
    fr = federation["fr"].node
    await settled_between(federation.network)
    await fr.siblings.remove(DE, by="test", reason="test")
    assert fr.allowlist().find(DE) is None
    await federation.hour()

    assert fr.allowlist().permits(DE, Direction.IN)
    assert ("list",) == tuple(
        row["source"] for row in await rows(fr, f"select source from siblings where origin = '{DE}'")
    )


async def test_an_administrator_admits_an_expelled_member_again(federation: Federation) -> None:
    """What people closed people open: then the entry counts within the list, and the list's worker leaves it alone."""
    fr, de = federation["fr"], federation["de"]
    _, anna = await settled_between(federation.network)
    await expels(fr.node)
    await federation.network.settle()
    await federation.hour()
    await fr.admits(de)
    await federation.hour()
    await anna.posts("New from Germany")
    await federation.network.settle()

    assert "" == await fate(fr.node)
    assert ["local"] == [
        row["source"] for row in await rows(fr.node, f"select source from siblings where origin = '{DE}'")
    ]
    assert "New from Germany" in await fr.titles()


# ── beside pairing ──


async def pairs(town: Network) -> tuple[Place, Place]:
    """Germany has dropped France too, and is asked by France; Germany's administrator has confirmed."""
    fr, de = town["fr"], town["de"]
    await de.node.siblings.remove(FR, by="test", reason="test")
    await asked(town, fr, de)
    await confirms(de, fr, countries=("FR",))
    await town.settle()
    return fr, de


async def test_an_expelled_instance_that_pairs_again_begins_anew(town: Network) -> None:
    """No follow comes back, no last word is said any more, its old posts count as a sibling's, and new ones arrive."""
    marie, anna = await settled_between(town)
    town.down.add("de")
    await expels(town["fr"].node)
    await town.settle()
    said = await rows(town["fr"].node, f"select id from deliveries where origin = '{DE}' and priority < 2")
    town.down.clear()
    fr, de = await pairs(town)
    ada, ben = await actor(fr.node, "ada"), await actor(fr.node, "ben")
    await confirms(fr, de, by=ada)
    between = lists(fr), await fate(fr.node)
    await confirms(fr, de, by=ben)
    await town.settle()
    page = await (await Visitor.of(marie)).text("/feed?tab=all")
    await anna.posts("New from Germany")
    await marie.posts("New from France")
    await town.settle()
    open_ = "state in ('waiting', 'resting', 'held', 'dead')"

    assert 4 == len(said)
    assert ([], "labelled") == between
    assert State.ACTIVE == (await here(fr, de)).state
    assert ([DE], [FR]) == (lists(fr), lists(de))
    assert "" == await fate(fr.node)
    assert [] == await rows(fr.node, "select * from sibling_last_words")
    assert [] == await rows(fr.node, f"select id from deliveries where origin = '{DE}' and {open_}")
    assert [] == await follows_of(fr)
    assert "From Germany" in page
    assert "no longer in our federation" not in page
    assert "From France" in await de.titles()
    assert "New from Germany" in await fr.titles()
    assert "New from France" in await de.titles()


async def test_an_expelled_instance_that_only_asks_stays_expelled(town: Network) -> None:
    """The twin: asked, read, confirmed over there and declined here, nothing of the farewell has ended."""
    await settled_between(town)
    await expels(town["fr"].node)
    await town.settle()
    fr, de = await pairs(town)
    words = await rows(fr.node, "select * from sibling_last_words")
    await fr.node.pairings.decline((await here(fr, de)).id, "not_agreed", CLI)
    await town.settle()

    assert 4 == len(words)
    assert words == await rows(fr.node, "select * from sibling_last_words")
    assert ([], []) == (lists(fr), lists(de))
    assert "labelled" == await fate(fr.node)
    assert ["From Germany"] == await de.titles()


async def test_nobody_pairs_while_what_came_from_there_is_destroyed(town: Network) -> None:
    """Neither by a hand here nor by a word from there; a moment later both work."""
    await settled_between(town)
    fr = town["fr"].node
    await expels(fr)
    await town.settle()
    ada, ben = await actor(fr, "ada"), await actor(fr, "ben")
    await fr.siblings.proposals.settle_copies(DE, "purge", ada, REASON, seen="labelled")
    (waiting,) = await fr.siblings.proposals.waiting()
    await fr.siblings.proposals.confirm(waiting.id, ben)
    here_, there = await pairs(town)
    with pytest.raises(Rejected, match="being_purged"):
        await confirms(here_, there)
    refused = lists(here_), (await here(here_, there)).state
    await fr.siblings.expelling.tick()
    await confirms(here_, there)
    await town.settle()

    assert ([], State.CONFIRMED_THERE) == refused
    assert ([DE], [FR]) == (lists(here_), lists(there))


async def test_a_word_from_there_waits_until_it_is_destroyed(town: Network) -> None:
    """Confirmed here first: the other's confirmation is asked for again later, and is not lost."""
    await settled_between(town)
    fr, de = town["fr"], town["de"]
    await expels(fr.node)
    await town.settle()
    ada, ben = await actor(fr.node, "ada"), await actor(fr.node, "ben")
    await fr.node.siblings.proposals.settle_copies(DE, "purge", ada, REASON, seen="labelled")
    (waiting,) = await fr.node.siblings.proposals.waiting()
    await fr.node.siblings.proposals.confirm(waiting.id, ben)
    await de.node.siblings.remove(FR, by="test", reason="test")
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    await confirms(de, fr, countries=("FR",))
    await de.node.pairings.send_due()
    before = lists(fr), (await here(de, fr)).last_code
    await fr.node.siblings.expelling.tick()
    town.clock.move(minutes=10)
    await town.settle()

    assert [] == before[0]
    assert "pairing_not_yet" == before[1]
    assert ([DE], [FR]) == (lists(fr), lists(de))
    assert State.ACTIVE == (await here(fr, de)).state


# ── the admission is taken back ──


async def test_an_admission_the_other_never_had_leaves_the_expulsion_as_it_was(town: Network) -> None:
    """It was taken back there as it was confirmed here: what came from there is labelled, and our copies are asked back."""
    marie, _ = await settled_between(town)
    town.down.add("de")
    await expels(town["fr"].node)
    await town.settle()
    town.clock.move(days=10)
    town.down.clear()
    fr, de = town["fr"], town["de"]
    before = await rows(fr.node, "select expelled_at, erasures_until, fate from sibling_farewells")
    await de.node.siblings.remove(FR, by="test", reason="test")
    await asked(town, de, fr)
    await confirms(de, fr, countries=("FR",))
    await fr.node.pairings.send_due()
    await de.node.pairings.send_due()
    await de.node.pairings.decline((await here(de, fr)).id, "not_agreed", CLI)
    for login in ("ada", "ben"):
        await confirms(fr, de, by=await actor(fr.node, login))
    between = lists(fr), await fate(fr.node)
    await town.settle()
    await fr.node.siblings.expelling.tick()
    await town.settle()
    page = await (await Visitor.of(marie)).text("/feed?tab=all")

    assert ([DE], "") == between
    assert ([], "labelled") == (lists(fr), await fate(fr.node))
    assert before == await rows(fr.node, "select expelled_at, erasures_until, fate from sibling_farewells")
    assert "no longer in our federation" in page
    assert {"delete"} == {row["kind"] for row in await rows(fr.node, "select kind from sibling_last_words")}


async def test_whoever_is_removed_after_coming_back_is_labelled_again(town: Network) -> None:
    """One hand takes the entry away: what came from there is labelled, hidden thirty days later, and nothing is said."""
    marie, anna = await settled_between(town)
    fr, de = town["fr"], town["de"]
    await expels(fr.node)
    await town.settle()
    await fr.admits(de)
    town.clock.move(days=40)
    await anna.posts("Since then")
    await town.settle()
    await fr.node.siblings.expelling.tick()
    back = await (await Visitor.of(marie)).text("/feed?tab=all")
    await fr.node.siblings.remove(DE, by="test", reason="test")
    since = len(town.contacts)
    await fr.node.siblings.expelling.tick()
    await town.settle()
    removed = await (await Visitor.of(marie)).text("/feed?tab=all")
    town.clock.move(days=31)
    await fr.node.siblings.expelling.tick()

    assert "Since then" in back
    assert "no longer in our federation" not in back
    assert "Since then" in removed
    assert "no longer in our federation" in removed
    assert [] == [each for each in town.contacts[since:] if each.url.startswith(DE)]
    assert "hidden" == await fate(fr.node)


async def test_whoever_was_never_expelled_and_is_removed_is_as_before(town: Network) -> None:
    """The twin: removing alone takes the entry away and leaves everything else, label and all."""
    marie, _ = await settled_between(town)
    fr = town["fr"]
    await fr.node.siblings.remove(DE, by="test", reason="test")
    town.clock.move(days=31)
    await fr.node.siblings.expelling.tick()
    page = await (await Visitor.of(marie)).text("/feed?tab=all")

    assert "From Germany" in page
    assert "no longer in our federation" not in page
    assert "" == await fate(fr.node)


async def test_whom_an_expelled_instance_lists_still_is_told_what_to_do(town: Network) -> None:
    """Invited again it says `sibling_already`: the command has the code; once we are removed there it is asked."""
    await settled_between(town)
    fr, de = town["fr"], town["de"]
    await expels(fr.node)
    await town.settle()
    await fr.node.pairings.invite(DE, CLI)
    await town.settle()
    ended = await here(fr, de)
    (line,) = await siblings_requests(fr.node)

    assert (State.EXPIRED, "sibling_already") == (ended.state, ended.last_code)
    assert "sibling_already" == line["last_code"]
    await de.node.siblings.remove(FR, by="test", reason="test")
    await fr.node.pairings.invite(DE, CLI)
    await town.settle()
    assert State.INVITED == (await here(fr, de)).state


# ── what is said at last ──


async def test_last_words_have_their_place_in_the_log(town: Network) -> None:
    """Each has a number of its own, above whatever was said before, without a gap; the lane ends with the last."""
    await settled_between(town)
    fr = town["fr"].node
    before = (await rows(fr, f"select max(number) as top from deliveries where origin = '{DE}'"))[0]["top"]
    await expels(fr)
    await town.settle()
    numbers = [
        row["number"]
        for row in await rows(
            fr, f"select number from deliveries where origin = '{DE}' and priority < 2 order by number"
        )
    ]  # fmt: skip
    last = (await rows(fr, f"select last_number from lanes where origin = '{DE}'"))[0]["last_number"]

    assert before > 0
    assert list(range(before + 1, before + 5)) == numbers
    assert before + 4 == last


async def test_the_fingerprint_is_compared_again(town: Network) -> None:
    """That it was a sibling once vouches for nothing."""
    await settled_between(town)
    await expels(town["fr"].node)
    await town.settle()
    fr, de = await pairs(town)
    with pytest.raises(Rejected, match="fingerprint_differs"):
        await fr.node.pairings.confirm((await here(fr, de)).id, await fingerprint(fr), ("DE",), CLI)

    assert [] == lists(fr)
    assert "labelled" == await fate(fr.node)


# ── what was confirmed before ──


async def confirmed_before(town: Network) -> tuple[Place, Place]:
    """France has confirmed a pairing that Germany has not, and has listed and expelled it since."""
    fr, de = town["fr"], town["de"]
    await settled_between(town)
    await fr.node.siblings.remove(DE, by="test", reason="test")
    await de.node.siblings.remove(FR, by="test", reason="test")
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    await fr.admits(de)
    await expels(fr.node)
    return fr, de


async def test_a_confirmation_before_the_expulsion_admits_nobody(town: Network) -> None:
    """The other side confirms only now: there is no pairing any more, and the farewell stands."""
    fr, de = await confirmed_before(town)
    ended = await here(fr, de)
    await confirms(de, fr, countries=("FR",))
    await town.settle()

    assert (State.WITHDRAWN, "") == (ended.state, ended.owed)
    assert ([], []) == (lists(fr), lists(de))
    assert "labelled" == await fate(fr.node)
    assert "add" not in [each.act for each in (await fr.node.siblings.changes(DE))[-2:]]


async def test_a_word_from_there_ends_no_farewell(town: Network) -> None:
    """Not even where the pairing had stayed open: somebody here has to confirm after the expulsion."""
    fr, de = await confirmed_before(town)
    ended = await here(fr, de)

    town.clock.move(minutes=1)
    before = await rows(fr.node, "select expelled_at from sibling_farewells")
    await fr.node.store.write(lambda tx: tx.run("pairings.put", **_earlier(ended, before[0]["expelled_at"])))
    await confirms(de, fr, countries=("FR",))
    await town.settle()

    assert [] == lists(fr)
    assert "labelled" == await fate(fr.node)


def _earlier(pairing: Any, expelled_at: int) -> dict[str, Any]:
    """The row of a pairing that was confirmed here a moment before the expulsion, and is open still."""
    values = pairing_rows._values(replace(pairing, state=State.CONFIRMED_HERE, reason=""))
    names = ("origin", "direction", "at", "changed_at")
    kept = {name: value for name, value in values.items() if name not in names}
    return {**kept, "confirmed_at": expelled_at - 1, "now": expelled_at}
