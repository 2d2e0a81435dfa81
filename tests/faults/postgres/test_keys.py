"""Rotation on PostgreSQL, where many processes share the rows: keys of the instance, pins, and the key-encryption key."""

from __future__ import annotations

import asyncio

import pytest

from federation.signatures import Profile
from federation.uri import Uri
from instance.kek import KekRotation
from instance.own_keys import OwnKeys
from instance.services.dossiers import Dossiers
from instance.services.rotation import rotate_instance
from instance.services.second_factor import SecondFactors
from instance.vault import kek_id, open_issuer_key, open_vault, read_kek
from instance.wiring import Node
from tests.faults.postgres.conftest import rows
from tests.town import Place, pooled_rsa

pytestmark = [pytest.mark.faults, pytest.mark.postgres, pytest.mark.xdist_group("postgres")]

ORDER = {"by": "test", "reason": "test"}
HEADS = "select distinct encode(substr(private, 2, 4), 'hex') from keys where private is not null"


def another_process(place: Place) -> Node:
    """One that has read the secrets as they are now."""
    node, vault = place.node, open_vault(place.config)
    issuer = open_issuer_key(place.config)
    keys = OwnKeys(node.store, vault, place.config, node.clock, issuer, pooled_rsa)
    other = Node(place.config, node.store, vault, keys, node.clock)
    other.factors, other.dossiers = SecondFactors(other), Dossiers(other)
    return other


async def adds(node: Node, number: int) -> Uri:
    """Seal pairs for somebody new."""
    owner = Uri.parse(f"{node.origin}/doctors/late-{number}")
    pairs = await node.keys.make(owner)
    await node.store.write(lambda tx: node.keys.add(tx, pairs, not_before=node.clock()))
    return owner


async def test_pairs_made_during_a_rotation_of_the_kek_are_not_lost(network):
    """Other processes add pairs while everything is sealed anew: all end under the new key, and all can be opened."""
    town = await network("fr")
    fr = town["fr"]
    for handle in ("marie", "paul"):
        await fr.doctor(handle)
    others = [another_process(fr) for _ in range(4)]
    before = kek_id(read_kek(fr.config.secrets / "kek"))
    adding = [asyncio.ensure_future(adds(others[n % 4], n)) for n in range(16)]
    done = await KekRotation(fr.node).run()
    owners = await asyncio.gather(*adding)
    after = kek_id(read_kek(fr.config.secrets / "kek"))
    one = another_process(fr)
    signed = [(await one.keys.signing_key(owner, profile)).sign(b"made up") for owner in owners for profile in Profile]

    assert before != after
    assert done.pairs >= 6
    assert [(after,)] == await rows(fr.node, HEADS)
    assert all(signed)
    assert ["kek"] == [path.name for path in fr.config.secrets.glob("kek*")]


async def test_an_instances_new_keys_are_announced_and_pinned(network):
    """The same as on SQLite: told, compared, pinned, and what the new keys sign is believed."""
    town = await network("fr", "de")
    fr, de = town["fr"], town["de"]
    await rotate_instance(de.node, **ORDER)
    await town.settle()
    town.clock.move(seconds=10)
    sibling = fr.node.allowlist().find(de.node.origin)
    new, gone = await fr.node.siblings.pins.announced(sibling)
    shown = await fr.node.siblings.pins.compare(de.node.origin)
    pinned = await fr.node.siblings.pins.repin(shown.found, await de.node.siblings.own_fingerprint(), **ORDER)
    town.clock.move(days=1)
    anna = await de.doctor("anna")
    await anna.posts("After")
    await de.node.people.suspend("anna", **ORDER)
    await town.settle()

    assert (2, 0) == (len(new), len(gone))
    assert frozenset(new) < pinned.instance_keys
    assert [("applied",)] * 2 == await rows(fr.node, "select state from inbound order by id")
    assert [("add",), ("repin",)] == await rows(fr.node, "select act from sibling_changes order by id")


async def test_the_keys_of_a_doctor_who_left_are_destroyed(network):
    """Nothing of theirs is on its way any more; whoever stays keeps the keys."""
    town = await network("fr")
    fr = town["fr"]
    marie, paul = await fr.doctor("marie"), await fr.doctor("paul")
    await rows(fr.node, f"update doctors set gone_at = 1, standing = 'gone' where uri = '{marie.uri}' returning uri")
    await fr.node.workers.housekeep()

    owners = await rows(fr.node, "select distinct owner from keys where private is not null order by owner")
    assert [(fr.node.actor,), (paul.uri,)] == owners
