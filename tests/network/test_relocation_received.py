"""A Move that arrives: what a receiver asks of both homes, and everything for which it is not believed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from federation.allowlist import Direction
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import Move
from tests.doorway import a_create, an_act, bent, kept, says, send_as_instance
from tests.network.relocating import arrived, believed, follower, goes, marie, names_alias, town
from tests.network.scene import Liar, refusals, without_trace
from tests.town import Network, Person, Place, rows, send_signed

__all__ = ["arrived", "marie", "town"]


@pytest.fixture
async def gone(town: Network, marie: Person, arrived: Person) -> Person:
    """Marie has gone, followed by Anton in Austria, who has not heard of it."""
    await follower(town, "at", "anton", marie)
    town.down.add("at")
    await goes(marie, arrived)
    await town.settle()
    with sqlite3.connect(marie.place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("update deliveries set state = 'dropped' where state = 'waiting' and activity in"
                           " (select uri from activities where type = 'Move')")  # fmt: skip
    connection.close()
    town.down.clear()
    town.clock.move(minutes=1)
    return arrived


def a_move(old: Person, new: Person | Uri, **changes: Any) -> Move:
    """A Move said by the old home."""
    target = new if isinstance(new, Uri) else new.uri
    values = {"actor": old.place.node.actor, "object": old.uri, "target": target, **changes}
    return an_act(old, Move, **values)


async def told(town: Network, old: Person, new: Person, home: Place | None = None, **changes: Any) -> str:
    """Tell Austria; return what became of it: `applied`, or the code it was refused with."""
    at = town["at"]
    answer = await send_as_instance(home or old.place, at, a_move(old, new, **changes))
    await town.settle()
    if answer.status != 202:
        return (await refusals(at))[-1]
    found = await rows(at.node, "select state, held_for from inbound where type = 'Move' order by id desc limit 1")
    if found[0]["state"] == "applied":
        return "applied"
    return (await refusals(at))[-1]


async def test_the_twin_everything_holds(town: Network, marie: Person, gone: Person) -> None:
    """Told by hand, it is believed: what follows differs from this in one thing each."""
    assert "applied" == await told(town, marie, gone)
    assert gone.uri == (await believed(town["at"], marie))[1]


async def test_old_still_valid_is_as_good(town: Network, marie: Person, gone: Person) -> None:
    """A home that revokes afterwards is believed too; the old one is silent here from then on."""
    _still_valid(marie)
    town.clock.move(minutes=20)

    assert "applied" == await told(town, marie, gone)
    assert ("revoked", gone.uri) == await believed(town["at"], marie)


async def test_there_is_one_mark_for_one_person(town: Network, marie: Person, gone: Person) -> None:
    """A home that never revokes is read again and again: the old one stays silent, also after a new version."""
    at = town["at"]
    _still_valid(marie)
    town.clock.move(minutes=20)
    assert "applied" == await told(town, marie, gone)
    for step in ({"minutes": 1}, {"hours": 2}, {"days": 2}):
        town.clock.move(**step)
        assert 403 == (await says(marie, at, a_create(marie))).status
        assert "revoked" == (await refusals(at))[-1]
        await _is_read_again(at, marie)

        assert ("revoked", gone.uri) == await believed(at, marie)


async def test_what_was_read_before_the_move_gives_no_mark_back(town: Network, marie: Person, gone: Person) -> None:
    """A version that was valid when it was read, and is kept after the Move: too late."""
    at = town["at"]
    _still_valid(marie)
    town.clock.move(minutes=20)
    _, before = await at.node.directory.examine(marie.uri)
    assert "applied" == await told(town, marie, gone)
    await at.node.store.write(lambda tx: at.node.directory.keep(tx, before))

    assert "ok" == before.doctor.standing
    assert ("revoked", gone.uri) == await believed(at, marie)


async def _is_read_again(place: Place, doctor: Person) -> None:
    """The actor is read at home, and what was read is kept."""
    directory = place.node.directory
    await directory.read_anew(doctor.uri, place.node.allowlist().require(doctor.uri.origin, Direction.FETCH))


async def test_who_is_shown_without_a_destination_for_once_is_not_moved_again(
    town: Network, marie: Person, gone: Person
) -> None:
    """The home forgets `movedTo` for one read, then names another: the first destination stands, nobody is asked."""
    at, other = town["at"], await town["at"].doctor("marie")
    names_alias(other, marie.uri)
    _still_valid(marie)
    town.clock.move(minutes=20)
    assert "applied" == await told(town, marie, gone)
    liar = Liar(town["fr"], "/doctors/marie", lambda d: {key: each for key, each in d.items() if key != "movedTo"})
    town.clock.move(minutes=2)
    await _is_read_again(at, marie)
    once = await believed(at, marie)
    liar.honest()
    liar = Liar(town["fr"], "/doctors/marie", lambda document: {**document, "movedTo": other.uri})
    found = await told(town, marie, other)
    liar.honest()

    assert ("revoked", gone.uri) == once
    assert "moved_elsewhere" == found
    assert ("revoked", gone.uri) == await believed(at, marie)


def _still_valid(old: Person) -> None:
    with sqlite3.connect(old.place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("update status_places set revoked = 0")
        connection.execute("update versions set value = value + 1 where name = 'status'")
        connection.execute("update doctors set standing = 'ok', updated_at = updated_at + 1 where uri = ?", (old.uri,))
    connection.close()


DOCUMENTS: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    "no alsoKnownAs": ("de", lambda d: d.pop("alsoKnownAs"), "move_unclaimed"),
    "alsoKnownAs somebody else": ("de", lambda d: d.update(alsoKnownAs=["https://fr.example/doctors/leo"]), "move_unclaimed"),
    "no movedTo": ("fr", lambda d: d.pop("movedTo"), "move_unclaimed"),
    "movedTo somebody else": ("fr", lambda d: d.update(movedTo="https://de.example/doctors/leo"), "move_unclaimed"),
    "no credential there": ("de", lambda d: d.pop("doctorCredential"), "move_not_verified"),
    "no credential here": ("fr", lambda d: d.pop("doctorCredential"), "move_not_verified"),
    "does not say when": ("fr", lambda d: d.pop("updated"), "move_too_late"),
    "says it in the future": ("fr", lambda d: d.update(updated="2036-01-01T00:00:00Z"), "move_too_late"),
    "a chain": ("de", lambda d: d.update(movedTo="https://at.example/doctors/marie"), "moved_elsewhere"),
    "not a doctor any more": ("de", lambda d: d.update(type="Group"), "malformed"),
}  # fmt: skip


@pytest.mark.parametrize("what", DOCUMENTS)
async def test_both_ends_must_hold(town: Network, marie: Person, gone: Person, what: str) -> None:
    """One thing is missing at one of the two homes: nothing goes over."""
    name, change, code = DOCUMENTS[what]

    def bend(document: dict[str, Any]) -> dict[str, Any]:
        change(document)
        return document

    liar = Liar(town[name], "/doctors/marie", bend)
    found = await told(town, marie, gone)
    liar.honest()

    assert code == found
    await _nothing_went_over(town, marie)


async def _nothing_went_over(town: Network, old: Person) -> None:
    at = town["at"].node
    assert "" == (await believed(town["at"], old))[1]
    assert [(str(old.uri), "accepted")] == [
        tuple(row) for row in await rows(at, "select followee, state from follows where follower like '%at.example%'")
    ]
    assert [] == await rows(at, "select kind from notifications where kind = 'moved'")


async def test_a_doctor_revoked_for_another_reason_has_not_moved(town: Network, marie: Person) -> None:
    """The bit is set and no movedTo stands there: the new one may name the old as often as it likes."""
    await follower(town, "at", "anton", marie)
    there = await town["de"].doctor("marie")
    await there.place.node.relocations.claim(there.uri, marie.address)
    with sqlite3.connect(marie.place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("update doctors set standing = 'revoked', updated_at = updated_at + 1")
        connection.execute("update status_places set revoked = 1")
        connection.execute("update versions set value = value + 1 where name = 'status'")
    connection.close()
    town.clock.move(minutes=20)

    assert "move_unclaimed" == await told(town, marie, there)
    await _nothing_went_over(town, marie)


@pytest.mark.parametrize(("days", "code"), [(29, "applied"), (31, "move_too_late")])
async def test_a_move_is_believed_for_thirty_days(
    town: Network, marie: Person, gone: Person, days: int, code: str
) -> None:
    """The day counts on which the old actor fell silent."""
    town.clock.move(days=days)

    assert code == await told(town, marie, gone)


async def test_another_name_is_another_doctor(town: Network, marie: Person) -> None:
    """Both homes say so, and the names differ: not believed."""
    await follower(town, "at", "anton", marie)
    berta = await town["de"].doctor("berta")
    names_alias(berta, marie.uri)
    liar = Liar(town["fr"], "/doctors/marie", lambda document: {**document, "movedTo": berta.uri})
    found = await told(town, marie, berta)
    liar.honest()

    assert "move_other_name" == found
    await _nothing_went_over(town, marie)


async def test_a_destination_that_is_suspended_is_none(town: Network, marie: Person, gone: Person) -> None:
    """The new credential must hold at its issuer."""
    await gone.place.node.people.suspend("marie", "test", "test")
    town.clock.move(minutes=20)

    assert "move_not_verified" == await told(town, marie, gone)
    await _nothing_went_over(town, marie)


async def test_a_destination_that_is_paused_here_is_none(town: Network, marie: Person, gone: Person) -> None:
    """Nobody is followed where nothing may be sent."""
    await town["at"].node.siblings.set_policy("https://de.example", "pause", by="test", reason="test")

    assert "sibling_paused" == await told(town, marie, gone)
    await _nothing_went_over(town, marie)


async def test_a_destination_at_a_stranger_is_refused_at_the_door(town: Network, marie: Person, gone: Person) -> None:
    """No document is read there, no message kept."""
    at, move = town["at"], a_move(marie, Uri.parse("https://it.example/doctors/marie"))

    await without_trace(at, lambda: send_as_instance(marie.place, at, move), 403, "unlisted_host")


async def test_nobody_is_moved_by_somebody_else(town: Network, marie: Person, gone: Person) -> None:
    """Neither a colleague, nor the new home, nor the new actor: the old home says it, or the old actor."""
    at, leo = town["at"], await town["fr"].doctor("leo")
    await leo.posts("Known in Austria")
    await town.settle()
    by_leo = a_move(marie, gone, actor=leo.uri)
    by_new_home = an_act(gone, Move, actor=gone.place.node.actor, object=marie.uri, target=gone.uri)
    by_new = an_act(gone, Move, object=marie.uri, target=gone.uri)

    await without_trace(at, lambda: send_as_instance(gone.place, at, by_new_home), 403, "foreign_origin", reads=2)
    await without_trace(at, lambda: says(gone, at, by_new), 403, "foreign_origin", reads=4)
    assert 202 == (await says(leo, at, by_leo)).status
    await town.settle()
    assert "not_the_owner" == (await refusals(at))[-1]
    await _nothing_went_over(town, marie)


async def test_the_old_actor_may_say_it_while_verified(town: Network, marie: Person, gone: Person) -> None:
    """The twin: as other software says it, actor and object being one."""
    at = town["at"]
    _still_valid(marie)
    town.clock.move(minutes=20)

    assert 202 == (await says(marie, at, a_move(marie, gone, actor=marie.uri))).status
    await town.settle()
    assert gone.uri == (await believed(at, marie))[1]


async def test_once_revoked_the_home_alone_says_it(town: Network, marie: Person, gone: Person) -> None:
    """Whoever is no doctor any more says nothing, not even this."""
    at = town["at"]
    town.clock.move(minutes=20)
    await at.node.directory.lists.poll_due()

    await without_trace(at, lambda: says(marie, at, a_move(marie, gone, actor=marie.uri)), 403, "revoked", reads=4)


async def test_a_move_to_oneself_is_malformed(town: Network, marie: Person, gone: Person) -> None:
    """Nor to another address of the same instance."""
    at = town["at"]
    for target in (marie.uri, "https://fr.example/doctors/leo"):
        body = bent(a_move(marie, gone), lambda d, target=target: d.update(target=str(target)))
        key = await marie.place.node.keys.signing_key(marie.place.node.actor, Profile.CAVAGE)
        await without_trace(at, lambda body=body, key=key: send_signed(at, body, key), 400, "malformed")


async def test_the_same_move_again_changes_nothing(town: Network, marie: Person, gone: Person) -> None:
    """A replay is known; said anew under another id it finds nothing left to do, and reads nothing."""
    at = town["at"]
    assert "applied" == await told(town, marie, gone)
    before = [tuple(row) for row in await rows(at.node, "select * from follows")]
    read = len([contact for contact in town.contacts if contact.method == "GET"])
    assert "applied" == await told(town, marie, gone)

    assert before == [tuple(row) for row in await rows(at.node, "select * from follows")]
    assert read == len([contact for contact in town.contacts if contact.method == "GET"])
    assert 1 == len(await rows(at.node, "select id from notifications where kind = 'moved'"))


async def test_there_is_no_second_destination(town: Network, marie: Person, gone: Person) -> None:
    """Whoever has moved has moved: another destination is refused, whatever the homes say."""
    other = await town["at"].doctor("marie")
    names_alias(other, marie.uri)
    assert "applied" == await told(town, marie, gone)
    liar = Liar(town["fr"], "/doctors/marie", lambda document: {**document, "movedTo": other.uri})
    found = await told(town, marie, other)
    liar.honest()

    assert "moved_elsewhere" == found
    assert gone.uri == (await believed(town["at"], marie))[1]


async def test_nobody_is_read_for_a_doctor_nobody_here_knows(town: Network, marie: Person, arrived: Person) -> None:
    """A Move about a stranger costs nothing and changes nothing."""
    read = len([contact for contact in town.contacts if contact.method == "GET" and "/doctors/" in contact.url])

    assert "applied" == await told(town, marie, arrived)
    assert read == len([c for c in town.contacts if c.method == "GET" and "/doctors/" in c.url])
    assert ("", "") == await believed(town["at"], marie)
    assert ("Move", "applied") in await kept(town["at"])
