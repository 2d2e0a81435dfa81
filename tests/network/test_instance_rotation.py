"""The instance's own keys made anew: announced by the old ones, pinned by people, and nobody is lost on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from federation import render
from federation.keys import PrivateKey
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import Flag
from instance.services.errors import Rejected
from instance.services.rotation import Rotation, rotate_instance
from tests.doorway import an_act, instance_key
from tests.network.scene import refusals
from tests.town import Network, Person, Place, refused, rows, send_signed

ORDER = {"by": "admin", "reason": "agreed on the telephone"}
OLD, NEW = {"main-key", "ed25519-key"}, {"main-key-2", "ed25519-key-2"}


@pytest.fixture
def de(town: Network) -> Place:
    """Whose keys are made anew."""
    return town["de"]


async def announced(town: Network, de: Place) -> Rotation:
    """New keys are made and every sibling is told; some seconds later nobody is shown the old document any more."""
    made = await rotate_instance(de.node, **ORDER)
    await town.settle()
    town.clock.move(seconds=10)
    return made


async def fingerprints(place: Place, names: set[str]) -> frozenset[str]:
    """The fingerprints of an instance's keys by their names."""
    found = await place.node.keys.published(place.node.actor)
    return frozenset(key.fingerprint for key in found if key.id.partition("#")[2] in names)


def entry(fr: Place) -> Any:
    """What France has of Germany."""
    found = fr.node.allowlist().find("https://de.example")
    assert found is not None
    return found


async def repin(fr: Place, de: Place, *, fingerprint: str | None = None) -> Any:
    """France's administrator compares by telephone, and pins."""
    shown = await fr.node.siblings.pins.compare(de.node.origin)
    said = await de.node.siblings.own_fingerprint() if fingerprint is None else fingerprint
    return await fr.node.siblings.pins.repin(shown.found, said, **ORDER)


async def report(de: Place, fr: Place, key: PrivateKey, profile: Profile = Profile.CAVAGE) -> tuple[int, str]:
    """The German instance says something harmless, signed with this key."""
    act = an_act(Person(de, "actor", de.node.actor), Flag, objects=(Uri.parse("https://fr.example/posts/1"),))
    return refused(await send_signed(fr, render.activity(act), key, profile=profile))


# ── the announcement ──


async def test_the_old_keys_announce_the_new_ones(town, de, fr):
    """An Update with both, signed by a pinned key, before anything is signed by a new one; accepted everywhere."""
    before = await instance_key(de)
    await announced(town, de)

    assert before == await instance_key(de)
    found = await rows(fr.node, "select key_id, state from inbound where type = 'Update'")
    assert [(f"{de.node.actor}#ed25519-key", "applied")] == [tuple(row) for row in found]
    assert {"done"} == {row["state"] for row in await rows(de.node, "select state from deliveries")}
    assert ["instance_keys_rotated"] == [row["act"] for row in await rows(de.node, "select act from staff_acts")]


async def test_an_announcement_pins_nothing(town, de, fr):
    """It is shown to the administrator; entry and record stay as they were (A127)."""
    before, changes = entry(fr), len(await fr.node.siblings.changes())
    await announced(town, de)

    assert before == entry(fr)
    assert changes == len(await fr.node.siblings.changes())
    new, gone = await fr.node.siblings.pins.announced(entry(fr))
    assert (await fingerprints(de, NEW), frozenset()) == (frozenset(new), frozenset(gone))


async def test_what_nobody_announced_shows_nothing(de, fr):
    """The twin: a sibling that shows what is pinned has nothing to be looked at."""
    await fr.node.directory.read_anew(de.node.actor, entry(fr))

    assert ((), ()) == await fr.node.siblings.pins.announced(entry(fr))


# ── the overlap ──


async def test_a_sibling_that_has_pinned_loses_nothing(town, de, fr):
    """J4.9: old keys sign for a day, then the new ones, then the old are refused; every message arrives."""
    jonas, old = await de.doctor("jonas"), await instance_key(de)
    await announced(town, de)
    await repin(fr, de)
    await jonas.posts("During")
    during = await report(de, fr, old)
    town.clock.move(days=1)
    new = await instance_key(de)
    await jonas.posts("After")
    await town.settle()
    after = [await report(de, fr, await instance_key(de, profile), profile) for profile in Profile]
    town.clock.move(days=1, hours=1)
    await de.node.workers.housekeep()
    dropped = [await report(de, fr, old) for _ in range(3)]
    alive = await report(de, fr, new)

    assert (f"{de.node.actor}#main-key", f"{de.node.actor}#main-key-2") == (old.id, new.id)
    assert {"During", "After"} == set(await fr.titles())
    assert [(202, ""), (202, ""), (202, ""), (202, "")] == [during, *after, alive]
    assert {(401, "key_not_owned"), (401, "unknown_key")} >= set(dropped)


async def test_a_sibling_that_has_not_pinned_refuses_the_new_keys(town, de, fr):
    """A127: 403 and the lane waits; once pinned what waited arrives. Italy, which has pinned, is not concerned."""
    berta = await de.doctor("berta")
    await berta.posts("Before")
    await announced(town, de)
    await repin(town["it"], de)
    town.clock.move(days=1)
    await de.node.people.suspend("berta", **ORDER)
    await town.settle()
    refused_at = {place.name: "pin_mismatch" in await refusals(place) for place in (fr, town["it"])}
    states = await rows(de.node, "select origin, state from deliveries where priority = 0 order by id desc limit 2")
    waiting = {row["origin"]: row["state"] for row in states}
    await repin(fr, de)
    town.clock.move(hours=2)
    await town.settle()

    assert {"fr": True, "it": False} == refused_at
    assert {"https://fr.example": "waiting", "https://it.example": "done"} == waiting
    standing = await rows(fr.node, f"select standing from doctors where uri = '{berta.uri}'")
    assert [("suspended",)] == [tuple(row) for row in standing]


@pytest.mark.parametrize(("days", "wait"), [(0, timedelta(minutes=10)), (1, timedelta(days=1)), (7, timedelta(days=7))])
async def test_the_administrator_says_how_long_siblings_have(town, de, days, wait):
    """Ten minutes at least; the old keys go a day after the new ones begin, less those ten minutes."""
    began, old = town.clock(), await instance_key(de)
    made = await rotate_instance(de.node, **ORDER, wait=timedelta(days=days))
    town.clock.now = made.signs_at - timedelta(seconds=1)
    still = await instance_key(de)
    town.clock.now = made.signs_at
    new = await instance_key(de)
    town.clock.now = made.drops_at
    shown = {key.id.partition("#")[2] for key in await de.node.keys.published(de.node.actor)}

    assert (wait, timedelta(hours=23, minutes=50)) == (made.signs_at - began, made.drops_at - made.signs_at)
    assert old == still != new
    assert NEW == shown


@pytest.mark.parametrize("after", [timedelta(0), timedelta(hours=1), timedelta(days=5)])
async def test_a_rotation_in_haste_overtakes_one_at_leisure(town, de, after):
    """An old key was stolen while siblings had a week to compare: every key but the newest goes a day after this one.

    What the first rotation made never signs: neither before the newest nor instead of it.
    """
    await rotate_instance(de.node, **ORDER, wait=timedelta(days=7))
    town.clock.move(seconds=after.total_seconds())
    made = await rotate_instance(de.node, **ORDER, wait=timedelta(days=0))
    signed = set()
    for _ in range(9 * 24):
        signed.add((await instance_key(de)).id.partition("#")[2])
        if town.clock() >= made.drops_at:
            assert {"main-key-3", "ed25519-key-3"} == {
                key.id.partition("#")[2] for key in await de.node.keys.published(de.node.actor)
            }
        town.clock.move(hours=1)

    assert {"main-key", "main-key-3"} == signed


async def test_a_key_that_was_overtaken_signs_no_more(town, de):
    """Rotated again an hour before the first new key would sign: the newest does from then on, whichever began later."""
    await rotate_instance(de.node, **ORDER, wait=timedelta(days=1))
    town.clock.move(hours=23)
    await rotate_instance(de.node, **ORDER, wait=timedelta(days=0))
    town.clock.move(minutes=10)
    first = await instance_key(de)
    town.clock.move(hours=2)

    assert f"{de.node.actor}#main-key-3" == first.id == (await instance_key(de)).id


async def test_without_a_reason_nothing_is_made(de):
    """An order without a reason is no order."""
    with pytest.raises(Rejected, match="reason_missing"):
        await rotate_instance(de.node, by="admin", reason=" ")

    assert OLD == {key.id.partition("#")[2] for key in await de.node.keys.published(de.node.actor)}
