"""A doctor goes on in another country: who believes it, what goes over, and every way in which it is not believed."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from federation.uri import Uri
from instance.services.errors import Forbidden, Rejected
from tests.doorway import a_create, says
from tests.instance.dossiers.applying import RENE, RITA, Applicant, application
from tests.network.relocating import arrived, believed, follower, goes, marie, named, names_alias, state, town
from tests.network.scene import Visitor, befriend, profile_path, refusals, without_trace
from tests.town import Network, Person, rows
from verification.grounds import Ground
from verification.moves import State

__all__ = ["arrived", "marie", "town"]


# ── what happens ──


async def test_a_doctor_goes_on_abroad(town: Network, marie: Person, arrived: Person) -> None:
    """Followers in Austria and at home ask the new one, who takes them; the old one is silent everywhere."""
    anton = await follower(town, "at", "anton", marie)
    fleur = await follower(town, "fr", "fleur", marie)
    await marie.posts("Written in France")
    await town.settle()
    await goes(marie, arrived)
    await town.settle()

    assert ("accepted", "accepted") == (
        await state(town["at"], anton, arrived), await state(town["fr"], fleur, arrived),
    )  # fmt: skip
    for place in town.places.values():
        assert ("revoked", arrived.uri) == await believed(place, marie)
        assert ["Written in France"] == await place.titles()
    town.clock.move(minutes=1)
    await without_trace(town["at"], lambda: says(marie, town["at"], a_create(marie)), 403, "revoked", reads=4)
    with pytest.raises(Forbidden):
        await marie.posts("Too late")
    await arrived.posts("Written in Germany")
    await town.settle()
    assert {"Written in France", "Written in Germany"} == set(await town["at"].titles())


async def test_the_page_says_where_and_the_post_says_when(town: Network, marie: Person, arrived: Person) -> None:
    """In Austria and in France the old page leads to the new one; the follower is told, once."""
    anton = await follower(town, "at", "anton", marie)
    fleur = await follower(town, "fr", "fleur", marie)
    await goes(marie, arrived)
    await town.settle()
    for reader in (anton, fleur):
        visitor = await Visitor.of(reader)
        page, told = await visitor.text(profile_path(marie, reader.place)), await visitor.text("/notices")

        assert "Dr Marie has moved to" in page.replace("<bdi>", "").replace("</bdi>", "")
        assert 'href="/doctors/marie%40de.example"' in page
        assert 1 == told.count("goes on at another instance")


async def test_the_whole_way_by_pages_alone(town: Network, marie: Person) -> None:
    """Three countries, browsers without scripts: the old address there, the new one here, followers in two countries."""
    there, anton = await town["de"].doctor("marie"), await town["at"].doctor("anton")
    fleur = await town["fr"].doctor("fleur")
    at_anton, at_fleur = await Visitor.of(anton), await Visitor.of(fleur)
    await at_anton.get("/colleagues?q=marie%40fr.example")
    for visitor, reader in ((at_anton, anton), (at_fleur, fleur)):
        assert 303 == (await visitor.post(profile_path(marie, reader.place) + "/follow")).status
    await town.settle()
    new, old = await Visitor.of(there), await Visitor.of(marie)
    assert 422 == (await old.post("/me/move/to", new="marie@de.example")).status
    assert 303 == (await new.post("/me/move/from", old="marie@fr.example")).status
    assert 200 == (await old.post("/me/move/to", new="marie@de.example")).status
    assert 422 == (await old.post("/me/move/leave", new="marie@de.example", handle="mario")).status
    assert 200 == (await old.post("/me/move/leave", new="marie@de.example", handle="marie")).status
    await town.settle()
    await there.posts("For colleagues", audience="colleagues")
    await town.settle()

    assert "/sign-in" in (await old.get("/feed")).headers["location"]
    for visitor, reader in ((at_anton, anton), (at_fleur, fleur)):
        assert "has moved to" in await visitor.text(profile_path(marie, reader.place))
        assert "For colleagues" in await visitor.text("/feed?tab=colleagues")
    assert 2 == (await new.text("/colleagues/followers")).count('class="card person"')


async def test_old_posts_say_that_their_author_was_verified_then(
    town: Network, marie: Person, arrived: Person
) -> None:  # fmt: skip
    """A colleague who reads them later sees no lost mark, but the truth of the day; the twin lost it for a fault."""
    anton = await follower(town, "at", "anton", marie)
    berta = await town["fr"].doctor("berta")
    for author, title in ((marie, "By who has moved"), (berta, "By who was revoked")):
        await author.posts(title)
    await town.settle()
    await goes(marie, arrived)
    await berta.place.node.people.suspend("berta", "test", "test")
    await town.settle()
    visitor = await Visitor.of(anton)
    feed = await visitor.text("/feed?tab=all")
    moved = await visitor.text(f"/posts/{await anton.slug_of(await _uri(town, 'By who has moved'))}")

    assert (1, 1) == (feed.count("verified when this was written"), feed.count("no longer verified"))
    assert "verified when this was written" in moved


async def _uri(town: Network, title: str) -> str:
    found = await rows(town["at"].node, f"select uri from posts where title = '{title}'")
    return str(found[0]["uri"])


async def test_the_approval_rules_of_the_new_one_hold(town: Network, marie: Person, arrived: Person) -> None:
    """Where a follow waits for a yes it waits: having followed before opens nothing."""
    anton = await follower(town, "at", "anton", marie)
    with sqlite3.connect(town["de"].node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("update doctors set approves_followers = 1 where uri = ?", (arrived.uri,))
    connection.close()
    await goes(marie, arrived)
    await town.settle()
    await arrived.posts("For colleagues", audience="colleagues")
    await town.settle()

    assert "pending" == await state(town["at"], anton, arrived) == await state(town["de"], anton, arrived)
    assert [] == await town["at"].titles()
    assert "accepted" == await state(town["at"], anton, marie)


async def test_a_block_holds_under_the_new_address(town: Network, marie: Person, arrived: Person) -> None:
    """Whoever was blocked is blocked still; who has blocked asks for nothing, and is told nothing."""
    anton = await town["at"].doctor("anton")
    await marie.posts("Known in Austria")
    await town.settle()
    await anton.place.node.follows.block(anton.uri, marie.uri)
    await goes(marie, arrived)
    await town.settle()

    blocked = {row["blocked"] for row in await rows(anton.place.node, "select blocked from blocks")}
    assert {str(marie.uri), str(arrived.uri)} == blocked
    assert "" == await state(town["at"], anton, arrived)
    assert [] == await rows(anton.place.node, "select kind from notifications where kind = 'moved'")


async def test_mutes_and_lists_hold_at_the_new_home(town: Network, marie: Person, arrived: Person) -> None:
    """Who was muted is muted there too, and stands on the same lists; of nobody else either is true."""
    anton = await follower(town, "at", "anton", marie)
    node = anton.place.node
    made = await node.lists.make(anton.uri, "Heart")
    await node.lists.put(anton.uri, made, marie.uri)
    await node.contact.mute(anton.uri, marie.uri)

    await goes(marie, arrived)
    await town.settle()

    both = {str(marie.uri), str(arrived.uri)}
    assert both == {row["muted"] for row in await rows(node, "select muted from mutes")}
    assert both == {row["doctor"] for row in await rows(node, "select doctor from list_members")}


async def test_whom_the_old_one_followed_is_followed_no_more(town: Network, marie: Person, arrived: Person) -> None:
    """Nobody reads under an address that is left: the new one asks for themselves."""
    anton = await town["at"].doctor("anton")
    await befriend(town, marie, anton)
    await goes(marie, arrived)
    await town.settle()

    assert ("", "") == (await state(town["at"], marie, anton), await state(town["fr"], marie, anton))
    assert ("", "") == (await state(town["at"], arrived, anton), await state(town["de"], arrived, anton))


async def test_a_sibling_that_was_away_hears_of_it_later(town: Network, marie: Person, arrived: Person) -> None:
    """Three days later the Move is believed as on the first; nothing was lost."""
    anton = await follower(town, "at", "anton", marie)
    town.down.add("at")
    await goes(marie, arrived)
    await town.settle()
    assert ("ok", "") == await believed(town["at"], marie)
    town.down.clear()
    town.clock.move(days=3)
    await town.settle()
    town.clock.move(hours=2)
    await town.settle()

    assert ("revoked", arrived.uri) == await believed(town["at"], marie)
    assert "accepted" == await state(town["at"], anton, arrived)


async def test_a_new_home_that_is_away_is_asked_again(town: Network, marie: Person, arrived: Person) -> None:
    """Austria cannot read the new actor yet: the Move waits, and is believed when Germany answers."""
    anton = await follower(town, "at", "anton", marie)
    await goes(marie, arrived)
    town.down.add("de")
    await town.settle()
    waiting = await believed(town["at"], marie)
    town.down.clear()
    town.clock.move(hours=1)
    await town.settle()

    assert "" == waiting[1]
    assert ("revoked", arrived.uri) == await believed(town["at"], marie)
    assert "accepted" == await state(town["at"], anton, arrived)


async def test_with_a_dossier_everything_is_one_transaction(town: Network) -> None:
    """State, bit, audit entry, sessions and the queued messages: together, or not at all."""
    fr = town["fr"]
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    old = await eliane.doctor(fr)
    new = await named(town["de"], "eliane", "Dr Éliane Vauquelin")
    await new.place.node.relocations.claim(new.uri, old.address)
    begun = await fr.node.people.sign_in("eliane", "a-long-enough-passphrase", "127.0.0.1", "")
    await goes(old, new)

    assert "moved" == (await eliane.file()).dossier.state
    assert await fr.node.people.session(begun.token) is None
    assert [(1, 0)] == [tuple(row) for row in await rows(fr.node, "select revoked, suspended from status_places")]
    entries = [row["entry"] for row in await rows(fr.node, "select entry from audit order by n")]
    assert '"act":"dossier.moved"' in entries[-1]
    assert '"reason":"moved"' in entries[-1]
    queued = await rows(fr.node, "select a.type from deliveries d join activities a on a.uri = d.activity")
    assert 2 == [row["type"] for row in queued].count("Move")
    document = await fr.node.people.doctor_document(old.handle)
    assert new.uri == document.moved_to
    assert document.updated is not None
    assert 0 <= (document.updated - fr.node.clock()).total_seconds() < 1


async def test_nobody_goes_while_a_revocation_is_proposed(town: Network) -> None:
    """Neither the look nor the last step; the second reviewer finds the dossier, and the revocation is done."""
    fr = town["fr"]
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    old, new = await eliane.doctor(fr), await named(town["de"], "eliane", "Dr Éliane Vauquelin")
    await new.place.node.relocations.claim(new.uri, old.address)
    await eliane.does("revoke", Ground.STRUCK_OFF, by=RITA)
    with pytest.raises(Rejected) as looked:
        await fr.node.relocations.look(old.uri, new.address)

    assert ("leaving_held", 409) == (looked.value.code, looked.value.status)
    await _stays(old, new, "leaving_held")
    assert State.REVOKED is (await eliane.does("revoke", Ground.STRUCK_OFF, by=RENE)).state


async def test_who_comes_back_is_verified_anew_and_has_not_moved_any_more(town: Network) -> None:
    """A new dossier at the old home: its doctor speaks again, here and in Austria, under the old address."""
    fr, at = town["fr"], town["at"]
    eliane = await Applicant.submits(fr.node)
    await eliane.is_approved()
    old, new = await eliane.doctor(fr), await named(town["de"], "eliane", "Dr Éliane Vauquelin")
    await follower(town, "at", "anton", old)
    await new.place.node.relocations.claim(new.uri, old.address)
    await goes(old, new)
    await town.settle()
    gone = await believed(at, old)
    town.clock.move(days=40)
    again = Applicant(fr.node, eliane.account, await fr.node.dossiers.open(eliane.account, application()))
    await again.shows()
    await again.does("submit")
    await again.is_approved()
    await town.settle()
    await old.posts("Back again")
    await town.settle()

    assert ("revoked", new.uri) == gone
    assert ("ok", "") == await believed(fr, old) == await believed(at, old)
    assert ["Back again"] == await at.titles()
    assert (await fr.node.people.doctor_document(old.handle)).moved_to is None


async def test_a_new_credential_of_who_has_come_is_taken_by_who_does_not_know_the_old_home(network: Any) -> None:
    """Austria lists Germany alone: what Germany sends of the new one names nobody at the instance that was left."""
    town = await network("fr", "de")
    at = await town.add(town["fr"].config.data.parent, "at")
    await at.admits(town["de"])
    await town["de"].admits(at)
    marie, there = await town["fr"].doctor("marie"), await town["de"].doctor("marie")
    await there.posts("Known in Austria")
    await town.settle()
    await there.place.node.relocations.claim(there.uri, marie.address)
    town.clock.move(days=62)
    for place in town.places.values():
        await place.node.workers.housekeep()
    await town.settle()

    assert [] == [code for code in await refusals(at) if code == "unlisted_host"]
    assert (marie.uri,) == (await there.place.node.people.doctor_document("marie")).also_known_as


# ── what the old home asks before ──


async def test_nobody_goes_where_the_old_address_is_not_named(town: Network, marie: Person) -> None:
    """The new one has to say it first."""
    there = await town["de"].doctor("marie")

    await _stays(marie, there, "move_unclaimed")


async def test_nobody_goes_to_an_actor_of_another_name(town: Network, marie: Person) -> None:
    """A stranger who names somebody else's address gets nothing: not there, not here."""
    berta = await town["de"].doctor("berta")
    with pytest.raises(Rejected) as claimed:
        await berta.place.node.relocations.claim(berta.uri, marie.address)
    names_alias(berta, marie.uri)

    assert "move_other_name" == claimed.value.code
    await _stays(marie, berta, "move_other_name")


async def test_nobody_goes_to_an_actor_that_is_not_verified(town: Network, marie: Person, arrived: Person) -> None:
    """Suspended at the new home: no move."""
    await arrived.place.node.people.suspend("marie", "test", "test")

    await _stays(marie, arrived, "move_not_verified")


async def test_nobody_goes_on_without_typing_the_own_handle(town: Network, marie: Person, arrived: Person) -> None:
    """A slip moves nobody."""
    with pytest.raises(Rejected) as error:
        await marie.place.node.relocations.leave(marie.uri, arrived.address, "mario")

    assert "other_handle" == error.value.code
    assert ("ok", "") == await believed(town["fr"], marie)


async def test_nobody_goes_to_a_paused_sibling_or_to_themselves(town: Network, marie: Person, arrived: Person) -> None:
    """The allowlist decides where to, and another address here is no other instance."""
    await marie.place.node.siblings.set_policy("https://de.example", "pause", by="test", reason="test")

    await _stays(marie, arrived, "home_closed")
    await _stays(marie, Person(town["fr"], "leo", Uri.parse("https://fr.example/doctors/leo")), "same_home")


async def test_a_suspended_doctor_goes_nowhere(town: Network, marie: Person, arrived: Person) -> None:
    """Who may not read does not take the followers along either."""
    await marie.place.node.people.suspend("marie", "test", "test")
    with pytest.raises(Forbidden):
        await goes(marie, arrived)

    assert ("suspended", "") == await believed(town["fr"], marie)


async def test_nobody_goes_twice(town: Network, marie: Person, arrived: Person) -> None:
    """Who has gone is silent: no second destination."""
    await goes(marie, arrived)
    with pytest.raises(Forbidden):
        await goes(marie, arrived)


async def _stays(old: Person, new: Person, code: str) -> None:
    with pytest.raises(Rejected) as error:
        await goes(old, new)
    assert code == error.value.code
    assert ("ok", "") == await believed(old.place, old)
    assert [] == await rows(old.place.node, "select uri from activities where type = 'Move'")
