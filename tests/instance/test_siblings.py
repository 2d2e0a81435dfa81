"""The administrator's hand on the allowlist, and the allowlist in force in this process."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from federation.allowlist import Direction, LocalPolicy
from instance.services.errors import Rejected
from instance.services.siblings import CODES
from tests.town import Network, rows

ORDER = {"by": "admin", "reason": "agreed on the telephone"}


async def code_of(attempt: Any) -> str:
    """The code an order is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    assert refused.value.code in CODES
    return refused.value.code


async def queue_of(node: Any) -> list[tuple[str, str]]:
    """State and last code of every delivery."""
    return [tuple(row) for row in await rows(node, "select state, last_code from deliveries order by id")]


async def posts_around(network: Any, policy: str) -> Network:
    """France and Germany, where a doctor in France posts before and after this policy is set for Germany."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    await marie.posts("Before")
    await town["fr"].node.siblings.set_policy("https://de.example", policy, **ORDER)
    await marie.posts("After")
    await town.settle()
    return town


@pytest.fixture
async def town(network) -> Any:
    """Two instances that list nobody."""
    return await network("fr", "de", introduced=False)


async def test_looking_up_stores_nothing(town):
    """The candidate is read and shown; it is no sibling by that."""
    found = await town["fr"].node.siblings.look_up("https://de.example")

    assert ("https://de.example/actor", "DE") == (found.actor, found.country)
    assert found.speaks_rfc9421
    assert 2 == len(found.keys)
    assert [] == await town["fr"].node.siblings.list()
    assert 0 == len(town["fr"].node.allowlist())


async def test_the_fingerprint_to_compare_is_the_one_its_administrator_sees(town):
    """Both administrators see the same text."""
    found = await town["fr"].node.siblings.look_up("https://de.example")

    assert await town["de"].node.siblings.own_fingerprint() == found.fingerprint


async def test_the_fingerprint_covers_the_keys_that_vouch_for_doctors(town):
    """An issuer key put in by somebody else on the way changes the fingerprint."""
    from instance.services.candidates import fingerprint_of

    found = await town["fr"].node.siblings.look_up("https://de.example")
    other = await town["fr"].node.siblings.own_fingerprint()
    forged = [(key.id, "z6MkvL8E56NXioYBGZXdNmUPEU5e2yETKuocE5xNx8uUkwQa") for key in found.issuer_keys]

    assert found.fingerprint != fingerprint_of(found.actor, found.keys, forged)
    assert found.fingerprint != fingerprint_of(found.actor, found.keys[:1], [(k.id, k.key) for k in found.issuer_keys])
    assert found.fingerprint != other


async def test_a_confirmed_candidate_is_a_sibling_at_once(town):
    """The entry pins its keys, says for whom it may vouch, and is in force before the call returns."""
    fr = town["fr"].node
    found = await fr.siblings.look_up("https://de.example")
    entry = await fr.siblings.add(found, found.fingerprint, ("DE",), **ORDER)

    assert frozenset(found.keys) == entry.instance_keys
    assert [found.issuer_keys[0].key] == [key.key for key in entry.issuer_keys]
    assert frozenset({"DE"}) == entry.may_issue_for
    assert entry == fr.allowlist().require("https://de.example", Direction.IN)


async def test_another_fingerprint_admits_nobody(town):
    """One wrong digit, or the fingerprint of one key alone, is not what was shown."""
    fr = town["fr"].node
    found = await fr.siblings.look_up("https://de.example")

    assert "fingerprint_differs" == await code_of(fr.siblings.add(found, found.keys[0], ("DE",), **ORDER))
    assert "fingerprint_differs" == await code_of(fr.siblings.add(found, "", ("DE",), **ORDER))
    assert 0 == len(fr.allowlist())
    assert [] == list(await fr.siblings.changes())


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("https://fr.example", "own_origin"),
        ("http://de.example", "bad_origin"),
        ("https://de.example/actor", "bad_origin"),
        ("https://10.0.0.1", "bad_origin"),
        ("https://user@de.example", "bad_origin"),
        ("https://DE.example", "bad_origin"),
        ("https://de.example.", "bad_origin"),
        ("", "bad_origin"),
        ("http://de.localhost:8001", "loopback_not_allowed"),
        ("https://it.example", "not_reached"),
    ],
)
async def test_an_address_that_cannot_be_a_sibling_is_refused(town, origin, code):
    """Our own, inexact, insecure and unreachable origins; a loopback only where we live on one ourselves."""
    fr = town["fr"].node

    assert code == await code_of(fr.siblings.look_up(origin))
    assert [] == [contact for contact in town.contacts if contact.url.startswith("http://")]


async def test_only_a_candidate_is_looked_up(network):
    """Who is a sibling already is not looked up anew."""
    fr = (await network("fr", "de"))["fr"].node

    assert "already_a_sibling" == await code_of(fr.siblings.look_up("https://de.example"))


@pytest.mark.parametrize("changes", ["keys_of_another", "inbox_elsewhere", "no_issuer_key", "person", "another_id"])
async def test_an_actor_that_is_no_instance_is_refused(town, monkeypatch, changes):
    """Keys of somebody else, an inbox elsewhere, no key to vouch with, or no instance at all."""
    fr, de = town["fr"].node, town["de"].node
    document = orjson.loads((await town["de"].request("GET", "/actor", {"Host": "de.example"})).body)
    if changes == "keys_of_another":
        document["publicKey"]["owner"] = fr.actor
    elif changes == "inbox_elsewhere":
        document["inbox"] = "https://it.example/inbox"
    elif changes == "no_issuer_key":
        del document["issuerKey"]
    elif changes == "person":
        document["type"] = "Person"
    else:
        document["id"] = "https://de.example/another"
    whole = fr.wire.get_instance_actor

    async def forged(url: Any, headers: Any) -> Any:
        return replace(await whole(url, headers), body=orjson.dumps(document))

    monkeypatch.setattr(fr.wire, "get_instance_actor", forged)

    assert "not_an_instance" == await code_of(fr.siblings.look_up(de.origin))


@pytest.mark.parametrize(
    ("order", "countries", "code"),
    [
        ({"by": "admin", "reason": "  "}, ("DE",), "reason_missing"),
        ({"by": "", "reason": "x"}, ("DE",), "reason_missing"),
        (ORDER, (), "bad_country"),
        (ORDER, ("de",), "bad_country"),
    ],
)
async def test_an_order_says_who_why_and_for_which_countries(town, order, countries, code):
    """Nothing is stored without them."""
    fr = town["fr"].node
    found = await fr.siblings.look_up("https://de.example")

    assert code == await code_of(fr.siblings.add(found, found.fingerprint, countries, **order))
    assert 0 == len(fr.allowlist())


async def test_every_change_is_on_the_record(network):
    """Who, when, why, before and after, and what it touched; the record outlives the entry."""
    town = await network("fr", "de")
    siblings = town["fr"].node.siblings
    await siblings.set_policy("https://de.example", "pause", **ORDER)
    await siblings.remove("https://de.example", by="other", reason="left")

    changes = await siblings.changes("https://de.example")

    assert [("add", "test"), ("pause", "admin"), ("remove", "other")] == [(c.act, c.by) for c in changes]
    assert ("inherit", "pause") == (changes[1].before["policy"], changes[1].after["policy"])
    assert (None, None) == (changes[0].before, changes[2].after)
    assert {"doctors", "follows", "posts", "comments", "copies", "waiting"} == set(changes[2].touched)


async def test_a_preview_counts_and_changes_nothing(network):
    """What would be touched is said before."""
    town = await network("fr", "de")
    anna, marie = await town["de"].doctor("anna"), await town["fr"].doctor("marie")
    await anna.posts("From Germany")
    await marie.follows(anna)
    await town.settle()
    await marie.posts("Waiting")

    touched = await town["fr"].node.siblings.preview("https://de.example", "remove")

    assert (1, 1, 1, 0, 1) == (touched.doctors, touched.follows, touched.posts, touched.comments, touched.waiting)
    assert LocalPolicy.INHERIT == (await town["fr"].node.siblings.show("https://de.example")).policy


async def test_pause_holds_and_resume_sends(network):
    """While paused nothing goes or comes, and nothing is lost."""
    town = await posts_around(network, "pause")
    fr = town["fr"].node
    held, seen = await queue_of(fr), await town["de"].titles()

    await fr.siblings.set_policy("https://de.example", "inherit", **ORDER)
    await town.settle()

    assert ["held", "held"] == [state for state, _ in held]
    assert [] == seen
    assert ["Before", "After"] == await town["de"].titles()


@pytest.mark.parametrize(("policy", "heard"), [("inherit", ["Before", "After"]), ("pause", [])])
async def test_what_is_held_after_a_resume_is_let_go(network, policy, heard):
    """A process that has not heard of the resume yet holds a row once more: the next look lets it go; a pause does not."""
    town = await posts_around(network, "pause")
    fr = town["fr"].node
    await fr.siblings.set_policy("https://de.example", "inherit", **ORDER)
    for row in await fr.queue.next("https://de.example", town.clock(), 10):
        fr.queue.hold(row, "sibling_paused", town.clock())
    await fr.queue.flush()
    if policy == "pause":
        await fr.siblings.set_policy("https://de.example", policy, **ORDER)
    await town.settle()
    held = await queue_of(fr)
    await fr.federation_list.tick()
    await town.settle()

    assert ["held", "held"] == [state for state, _ in held]
    assert heard == await town["de"].titles()


async def test_block_drops_the_queue(network):
    """What waited is dropped, and later posts leave no row."""
    town = await posts_around(network, "block")

    assert [("dropped", "sibling_blocked")] == await queue_of(town["fr"].node)
    assert [] == await town["de"].titles()


async def test_resume_does_not_release_what_a_suspended_doctor_may_not_send(network):
    """The doctor's withdrawal stays held until the reinstatement."""
    town = await network("fr", "de")
    fr, marie = town["fr"].node, await town["fr"].doctor("marie")
    slug = await marie.posts("Known")
    await town.settle()
    await fr.siblings.set_policy("https://de.example", "pause", **ORDER)
    await fr.publishing.withdraw(marie.uri, slug)
    await fr.people.suspend("marie", by="admin", reason="x")

    await fr.siblings.set_policy("https://de.example", "inherit", **ORDER)
    held = await rows(
        fr, "select a.type from deliveries d join activities a on a.uri = d.activity where d.state = 'held'"
    )

    assert ["Delete"] == [row["type"] for row in held]


async def test_removal_drops_the_queue_and_forgets_the_keys(network):
    """Of a former sibling no key is left to check anything with."""
    town = await network("fr", "de")
    fr, marie = town["fr"].node, await town["fr"].doctor("marie")
    anna = await town["de"].doctor("anna")
    await anna.posts("From Germany")
    await town.settle()
    await marie.posts("Waiting")
    before = await rows(fr, "select id from keys where origin = 'https://de.example'")

    await fr.siblings.remove("https://de.example", **ORDER)
    answer = await anna.sends(town["fr"], b"{}")

    assert before
    assert [] == await rows(fr, "select id from keys where origin = 'https://de.example'")
    assert ("dropped", "not_a_sibling") in await queue_of(fr)
    assert 403 == answer.status
    assert "unknown_sibling" == await code_of(fr.siblings.show("https://de.example"))


async def test_a_removed_sibling_can_come_back(network):
    """It is looked up and compared anew."""
    town = await network("fr", "de")
    await town["fr"].node.siblings.remove("https://de.example", **ORDER)
    await town["fr"].admits(town["de"])
    marie = await town["fr"].doctor("marie")
    await marie.posts("Again")
    await town.settle()

    assert ["Again"] == await town["de"].titles()


async def test_orders_that_change_nothing_are_refused(network):
    """An unknown sibling, an unknown policy, the policy in force."""
    siblings = (await network("fr", "de"))["fr"].node.siblings

    assert "unknown_sibling" == await code_of(siblings.set_policy("https://it.example", "pause", **ORDER))
    assert "unknown_sibling" == await code_of(siblings.remove("https://it.example", **ORDER))
    assert "unknown_sibling" == await code_of(siblings.preview("https://it.example", "remove"))
    assert "bad_policy" == await code_of(siblings.set_policy("https://de.example", "open", **ORDER))
    assert "bad_policy" == await code_of(siblings.preview("https://de.example", "open"))
    assert "no_change" == await code_of(siblings.set_policy("https://de.example", "inherit", **ORDER))


async def test_kinds_are_opened_one_sibling_at_a_time(network):
    """A kind opened towards one sibling travels to that one only."""
    town = await network("fr", "de", "it")
    siblings, marie = town["fr"].node.siblings, await town["fr"].doctor("marie")
    await siblings.set_kinds("https://de.example", ["case", "news"], ["case", "news"], **ORDER)
    await town["de"].node.siblings.set_kinds("https://fr.example", ["case", "news"], ["case"], **ORDER)
    await marie.posts("A study came out", kind="news")
    await town.settle()

    assert ["A study came out"] == await town["de"].titles()
    assert [] == await town["it"].titles()
    assert "bad_kind" == await code_of(siblings.set_kinds("https://de.example", ["gossip"], [], **ORDER))


async def test_the_list_shows_contact_and_queue(network):
    """Since when, last contact, how much waits."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    await marie.posts("Sent")
    await town.settle()
    await marie.posts("Waiting")

    (line,) = await town["fr"].node.siblings.list()

    assert ("https://de.example", "DE", "inherit", 1) == (line.origin, line.country, line.policy, line.waiting)
    assert town.clock() == line.last_out


# ── the allowlist in force ──


async def test_a_change_by_another_process_bites_on_the_next_message(network):
    """The number in the rows is asked per message; nothing has to be restarted."""
    town = await network("fr", "de")
    fr = town["fr"].node

    async def elsewhere(tx: Any) -> None:
        await tx.run("siblings.remove", origin="https://de.example")
        await tx.run("siblings.raise_version")

    await fr.store.write(elsewhere)
    in_force = await fr.allowlist.refresh_if_changed()

    assert 0 == len(in_force)
    assert in_force is fr.allowlist()


async def test_the_allowlist_is_looked_at_without_being_asked(network, monkeypatch):
    """A process in which no message comes follows within a second, too."""
    town = await network("fr", "de")
    fr = town["fr"].node

    async def elsewhere(tx: Any) -> None:
        await tx.run("siblings.set_policy", origin="https://de.example", policy="block", before="inherit")
        await tx.run("siblings.raise_version")

    await fr.store.write(elsewhere)
    async with asyncio.timeout(1):
        while fr.allowlist().permits("https://de.example", Direction.OUT):
            await asyncio.sleep(0.01)

    assert not fr.allowlist().permits("https://de.example", Direction.IN)


@pytest.mark.parametrize(
    "spoil",
    [
        "update siblings set issuer_keys = '{'",
        "update siblings set instance_keys = '[]'",
        "update siblings set may_issue_for = 'DE'",
        "update siblings set inbox = 'https://evil.example/inbox'",
        "update siblings set origin = 'https://fr.example', actor = 'https://fr.example/actor', "
        "inbox = 'https://fr.example/inbox'",
        "delete from versions",
    ],
)
async def test_an_unreadable_allowlist_admits_nobody(network, spoil):
    """One spoiled row closes everything, loudly, until it is mended."""
    import sqlite3

    town = await network("fr", "de", "it")
    fr = town["fr"].node
    where = "" if spoil.startswith("delete") else " where origin = 'https://de.example'"
    path = fr.config.database.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute(spoil + where)
        connection.execute("update versions set value = value + 1")
    connection.close()

    assert 0 == len(await fr.allowlist.refresh_if_changed())
    assert not fr.allowlist.readable
    assert 0 == len(await fr.allowlist.refresh_if_changed())


async def test_an_empty_allowlist_is_readable_and_admits_nobody(town):
    """Nobody is the beginning."""
    fr = town["fr"].node

    assert fr.allowlist.readable
    assert 0 == len(fr.allowlist())
