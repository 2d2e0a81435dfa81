"""Our own key pairs: sealed in rows, rotated with overlap, seen by every process in time."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from federation.keys import PrivateKey
from federation.signatures import Profile
from federation.uri import Uri
from instance.own_keys import NoKey, OwnKeys
from instance.vault import CannotOpen, open_issuer_key, open_vault
from tests.town import Network, Place, pooled_rsa


@pytest.fixture
async def fr(tmp_path: Path) -> AsyncIterator[Place]:
    """One instance."""
    network = await Network.open(tmp_path, "fr")
    yield network["fr"]
    await network.close()


def read_anew(place: Place) -> OwnKeys:
    """The keys as another process of the same instance has them."""
    node = place.node
    config = node.config
    return OwnKeys(node.store, open_vault(config), config, node.clock, open_issuer_key(config), pooled_rsa)


async def rotate(place: Place, owner: Uri) -> tuple[PrivateKey, ...]:
    """Give an actor new pairs beside the old."""
    keys = place.node.keys
    pairs = await keys.make(owner, await keys.next_version(owner))

    async def work(tx: Any) -> None:
        await keys.rotate(tx, owner, pairs)

    await place.node.store.write(work)
    keys.forget(owner)
    return pairs


async def signs_with(keys: OwnKeys, owner: Uri) -> set[str]:
    """The names of the keys that sign now."""
    return {(await keys.signing_key(owner, profile)).id.partition("#")[2] for profile in Profile}


async def shows(keys: OwnKeys, owner: Uri) -> set[str]:
    """The names of the keys that siblings can read now."""
    return {key.id.partition("#")[2] for key in await keys.published(owner)}


OLD, NEW = {"main-key", "ed25519-key"}, {"main-key-2", "ed25519-key-2"}


async def test_an_instance_signs_with_both_profiles(fr: Place) -> None:
    """`init` makes an RSA and an Ed25519 pair, and both are published."""
    assert OLD == await signs_with(fr.node.keys, fr.node.actor)
    assert OLD == await shows(fr.node.keys, fr.node.actor)


async def test_rotation_overlaps(fr: Place) -> None:
    """New keys are shown at once, sign after ten minutes; the old are shown for 24 hours."""
    marie = (await fr.doctor("marie")).uri
    keys, clock = fr.node.keys, fr.network.clock
    await rotate(fr, marie)

    assert (OLD, OLD | NEW) == (await signs_with(keys, marie), await shows(keys, marie))
    clock.move(minutes=9, seconds=59)
    assert (OLD, OLD | NEW) == (await signs_with(keys, marie), await shows(keys, marie))
    clock.move(seconds=1)
    assert (NEW, OLD | NEW) == (await signs_with(keys, marie), await shows(keys, marie))
    clock.move(hours=23, minutes=49)
    assert (NEW, OLD | NEW) == (await signs_with(keys, marie), await shows(keys, marie))
    clock.move(minutes=1)
    assert (NEW, NEW) == (await signs_with(keys, marie), await shows(keys, marie))


async def test_rotation_touches_its_owner_alone(fr: Place) -> None:
    """Everybody else signs as before."""
    marie, paul = (await fr.doctor("marie")).uri, (await fr.doctor("paul")).uri
    await rotate(fr, marie)
    fr.network.clock.move(hours=25)

    assert OLD == await signs_with(fr.node.keys, paul)
    assert OLD == await signs_with(fr.node.keys, fr.node.actor)


async def test_every_process_learns_of_new_keys_before_they_sign(fr: Place) -> None:
    """What another process rotated is read within a minute: nobody signs with a key that siblings dropped."""
    marie = (await fr.doctor("marie")).uri
    other = read_anew(fr)
    before = await other.signing_key(marie, Profile.CAVAGE)
    await rotate(fr, marie)

    assert OLD == await shows(other, marie)
    fr.network.clock.move(minutes=1)
    assert OLD | NEW == await shows(other, marie)
    assert before is await other.signing_key(marie, Profile.CAVAGE)
    fr.network.clock.move(minutes=9)
    assert NEW == await signs_with(other, marie)


async def test_rotated_keys_survive_a_restart(fr: Place) -> None:
    """The overlap is in the rows, not in memory."""
    marie = (await fr.doctor("marie")).uri
    pairs = await rotate(fr, marie)
    fr.network.clock.move(minutes=10)

    found = await read_anew(fr).signing_key(marie, Profile.CAVAGE)

    assert pairs[0].public().fingerprint == found.public().fingerprint


async def test_versions_count_on(fr: Place) -> None:
    """No rotation takes the name of an earlier key, also when that was dropped."""
    marie = (await fr.doctor("marie")).uri
    numbers = [await fr.node.keys.next_version(marie)]
    for _ in range(2):
        await rotate(fr, marie)
        fr.network.clock.now += timedelta(hours=25)
        numbers.append(await fr.node.keys.next_version(marie))

    assert [2, 3, 4] == numbers


async def test_a_stranger_has_no_key(fr: Place) -> None:
    """Nobody signs for an actor without a key here."""
    with pytest.raises(NoKey):
        await fr.node.keys.signing_key(Uri.parse("https://fr.example/doctors/nobody"), Profile.CAVAGE)


async def test_what_was_destroyed_stays_in_no_memory(fr: Place) -> None:
    """The pairs of a doctor who has left are gone from the process too, once their rows have been looked for in vain."""
    marie = (await fr.doctor("marie")).uri
    await fr.node.keys.signing_key(marie, Profile.CAVAGE)
    with sqlite3.connect(fr.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("delete from keys where owner = ?", (marie,))
    connection.close()
    fr.network.clock.move(minutes=1)

    with pytest.raises(NoKey):
        await fr.node.keys.signing_key(marie, Profile.CAVAGE)
    assert marie not in fr.node.keys._rings


async def test_private_keys_lie_sealed(fr: Place) -> None:
    """The database holds no private key in clear, and no sealed key opens in another row."""
    await fr.doctor("marie")
    await fr.node.close()
    path = Path(fr.config.database.removeprefix("sqlite:///"))

    assert b"PRIVATE KEY" not in path.read_bytes()
    with sqlite3.connect(path) as rows:
        rows.execute(
            "update keys set private = (select private from keys k where k.id like '%/actor#main-key')"
            " where owner like '%/doctors/marie'"
        )
    rows.close()
    await fr.reopen()
    with pytest.raises(CannotOpen):
        await fr.node.keys.signing_key(Uri.parse("https://fr.example/doctors/marie"), Profile.CAVAGE)
