"""What a federation list says of one member is so everywhere: suspended, gone, with other keys or without any."""

from __future__ import annotations

import orjson
import pytest

from federation import membership_drafts as drafts
from federation.allowlist import Direction, Listed
from federation.errors import IssuerWithdrawn
from instance.services.federation_list_entries import own_entry
from tests.federation.chambers import pin
from tests.network.listed import Federation, town
from tests.town import rows

__all__ = ["town"]


async def test_a_suspended_member_is_closed_and_comes_back(town: Federation) -> None:
    """Everything is refused and kept back; what is here stays; active again, what waited is sent."""
    marie = await town["fr"].doctor("marie")
    luca = await town["it"].doctor("luca")
    await luca.posts("From Italy")
    await town.network.settle()
    await town.publish(town.with_status("it", "suspended"))
    await town.hour()
    await marie.posts("Meanwhile")
    await town.network.settle()
    answer = await luca.sends(town["fr"], b"{}")

    assert (403, "issuer_suspended") == (answer.status, orjson.loads(answer.body)["error"])
    assert ["From Italy", "Meanwhile"] == sorted(await town["de"].titles())
    assert ["From Italy"] == await town["it"].titles()

    await town.publish(town.with_status("it", "active"))
    await town.hour()
    await town.hour()
    assert "Meanwhile" in await town["it"].titles()


async def test_a_member_that_has_left_is_cut_off(town: Federation) -> None:
    """Follows are cut, what waited is dropped; what it wrote stays until it is hidden."""
    marie, luca = await town["fr"].doctor("marie"), await town["it"].doctor("luca")
    await luca.posts("From Italy")
    await town.network.settle()
    await marie.follows(luca)
    await town.network.settle()
    await town.publish(town.with_status("it", "withdrawn"))
    await town.hour()
    answer = await luca.sends(town["fr"], b"{}")

    assert (403, "issuer_withdrawn") == (answer.status, orjson.loads(answer.body)["error"])
    assert [] == await rows(town["fr"].node, "select * from follows")
    assert ["From Italy"] == await town["fr"].titles()
    with pytest.raises(IssuerWithdrawn):
        town["fr"].node.allowlist().require("https://it.example", Direction.FETCH)


async def test_a_key_that_is_struck_from_the_list_vouches_for_nobody(town: Federation) -> None:
    """An emergency list without Italy's key: whoever it was signed for is refused, with the reason of the credential."""
    luca = await town["it"].doctor("luca")
    await luca.posts("Before")
    await town.network.settle()
    entry = {**await own_entry(town["it"].node), "status": "active", "issuerKey": []}
    emergency = {"reason": "The key was stolen.", "reviewBy": "2026-12-01"}
    await town.publish(drafts.with_values(drafts.with_member(town.draft(), entry), emergency=emergency))
    await town.hour()
    await luca.posts("After")
    await town.network.settle()
    dead = await rows(town["it"].node, "select last_code from deliveries where state = 'dead'")

    assert ["Before"] == await town["de"].titles()
    assert {"bad_proof"} == {row["last_code"] for row in dead}


async def test_a_member_without_a_pinned_key_waits_for_people(town: Federation) -> None:
    """The list names no key of it: nothing is admitted by itself."""
    await town.add("es")
    made = town.draft()
    entry = await own_entry(town["es"].node)
    del entry["instanceKey"]
    await town.publish(drafts.with_member(made, {**entry, "status": "active"}))
    await town.hour()

    assert town["de"].node.allowlist().find("https://es.example") is None


async def test_a_member_that_shows_other_keys_is_not_admitted(town: Federation) -> None:
    """Whoever holds the address is not the member the list names; with the right key it is admitted ten minutes later."""
    await town.add("es")
    entry = await own_entry(town["es"].node)
    await town.publish(drafts.with_member(town.draft(), {**entry, "status": "active", "instanceKey": [pin("x")]}))
    await town.hour()
    assert town["de"].node.allowlist().find("https://es.example") is None

    await town.publish(drafts.with_member(town.draft(), {**entry, "status": "active"}))
    await town.hour()
    assert town["de"].node.allowlist().permits("https://es.example", Direction.IN)


async def test_a_list_names_its_reader_or_not(town: Federation) -> None:
    """N2: an instance is implicit to itself, on the list or off it."""
    await town.publish(town.with_status("fr", "withdrawn"))
    marie = await town["fr"].doctor("marie")
    await marie.posts("At home")

    assert ["At home"] == await town["fr"].titles()
    assert town["fr"].node.allowlist().find("https://fr.example") is None


async def test_a_member_whose_keys_are_left_out_closes_itself_alone(town: Federation) -> None:
    """Its entry keeps the pins it had and permits nothing; everybody else speaks on, also after the next list."""
    bare = await own_entry(town["it"].node)
    pins = bare.pop("instanceKey")
    await town.publish(drafts.with_member(town.draft(), {**bare, "status": "active"}))
    await town.hour()
    de = town["de"].node
    kept = await rows(de, "select instance_keys from siblings where origin = 'https://it.example'")
    found = de.allowlist().find("https://it.example")

    assert de.allowlist.readable
    assert set(pins) == set(orjson.loads(kept[0]["instance_keys"]))
    assert found is not None
    assert Listed.OTHER_KEYS is found.listed
    assert not de.allowlist().permits("https://it.example", Direction.IN)
    assert de.allowlist().permits("https://fr.example", Direction.IN)

    await town.publish(drafts.with_member(town.draft(), {**bare, "instanceKey": pins, "status": "active"}))
    await town.hour()
    assert de.allowlist().permits("https://it.example", Direction.IN)
