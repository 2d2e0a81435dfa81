"""The keys pinned of a sibling: changed by an administrator's hand alone, whatever is shown, said or forged."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs

from federation import render
from federation.allowlist import LocalPolicy
from federation.errors import PinMismatch
from federation.keys import PrivateKey, make_ed25519, make_rsa
from federation.uri import Uri
from federation.vocabulary import Update
from instance.services.errors import Rejected
from instance.services.pins import Pins
from instance.storage.errors import StorageError
from tests.doorway import a_create, an_act, bent, instance_key, new_id, says
from tests.network.scene import Liar, refusals
from tests.network.test_instance_rotation import NEW, OLD, ORDER, announced, entry, fingerprints, repin, report
from tests.town import Network, Person, Place, refused, rows, send_signed


@pytest.fixture
def de(town: Network) -> Place:
    """Whose keys are pinned."""
    return town["de"]


async def test_pinning_takes_what_was_compared(town, de, fr):
    """Old and new during the overlap; who, when, why, before and after stand in the record; nothing else changes."""
    await announced(town, de)
    before = entry(fr)
    shown = await fr.node.siblings.pins.compare(de.node.origin)
    after = await repin(fr, de)

    assert (await fingerprints(de, NEW), ()) == (frozenset(shown.new), shown.gone)
    assert await fingerprints(de, OLD | NEW) == after.instance_keys == entry(fr).instance_keys
    same = ("policy", "may_issue_for", "kinds_in", "kinds_out", "name", "country", "inbox", "actor", "since")
    assert [getattr(before, name) for name in same] == [getattr(after, name) for name in same]
    change = (await fr.node.siblings.changes())[-1]
    assert ("repin", "admin", ORDER["reason"]) == (change.act, change.by, change.reason)
    assert change.before["instance_keys"] != change.after["instance_keys"]
    assert ((), ()) == await fr.node.siblings.pins.announced(entry(fr))


async def test_another_fingerprint_pins_nothing(town, de, fr):
    """One key's fingerprint, the one of before, or none at all is not what was shown."""
    old = await de.node.siblings.own_fingerprint()
    await announced(town, de)
    before = entry(fr)
    for wrong in (old, "sha256:" + "0" * 64, ""):
        with pytest.raises(Rejected, match="fingerprint_differs"):
            await repin(fr, de, fingerprint=wrong)

    assert before == entry(fr)
    assert "repin" not in {change.act for change in await fr.node.siblings.changes()}


async def test_what_is_no_longer_shown_leaves_without_a_telephone_call(town, de, fr):
    """After the overlap the old pins go; fewer pins need no comparison, and the issuer key's pin stays as it was."""
    await announced(town, de)
    await repin(fr, de)
    issuers = entry(fr).issuer_keys
    town.clock.move(days=3)
    await fr.node.directory.read_anew(de.node.actor, entry(fr))
    told = await fr.node.siblings.pins.announced(entry(fr))
    await repin(fr, de, fingerprint="")

    assert ((), 2) == (told[0], len(told[1]))
    assert await fingerprints(de, NEW) == entry(fr).instance_keys
    assert issuers == entry(fr).issuer_keys


async def contact_of(fr: Place) -> str:
    """Whom France's administrator would ask about Germany."""
    found = await rows(fr.node, "select contact from siblings where origin = 'https://de.example'")
    return str(found[0]["contact"])


async def test_whom_to_ask_is_not_said_by_whoever_has_the_address(town, de, fr):
    """A127, A129: the contact comes with a comparison and never without, or the next one would be made with a thief."""
    await announced(town, de)
    await repin(fr, de)
    before = await contact_of(fr)
    Liar(de, "/actor", lambda d: d | {"contact": "+49 30 0000 thief"})
    town.clock.move(days=3)
    shown = await fr.node.siblings.pins.compare(de.node.origin)
    await repin(fr, de, fingerprint="")
    left = await contact_of(fr)
    await repin(fr, de)

    assert ("+49 30 0000 thief", before) == (shown.found.contact, shown.contact)
    assert before == left
    assert "+49 30 0000 thief" == await contact_of(fr)


async def test_pinning_the_same_again_changes_nothing_but_how_long(town, de, fr):
    """Compared anew the issuer key holds two years more from its old beginning; not compared there is nothing to do."""
    before = entry(fr).issuer_keys[0]
    town.clock.move(days=100)
    with pytest.raises(Rejected, match="no_change"):
        await repin(fr, de, fingerprint="")
    await repin(fr, de)

    after = entry(fr).issuer_keys[0]
    assert (before.key, before.valid_from) == (after.key, after.valid_from)
    assert 100 == (after.valid_until - before.valid_until).days


async def test_of_two_administrators_at_once_one_pins(town, de, fr):
    """The other is told that there is nothing left to change; the record has one line."""
    await announced(town, de)
    outcomes = await asyncio.gather(repin(fr, de), repin(fr, de), return_exceptions=True)

    assert ["no_change"] == [outcome.code for outcome in outcomes if isinstance(outcome, Rejected)]
    assert 1 == [change.act for change in await fr.node.siblings.changes()].count("repin")


async def test_another_actor_on_the_same_server_is_not_pinned_in_its_place(town, de, fr):
    """Whatever WebFinger there says by now: the entry is about the actor that was admitted."""
    await announced(town, de)
    shown = await fr.node.siblings.pins.compare(de.node.origin)
    other = replace(shown.found, actor=Uri.parse("https://de.example/another"))
    with pytest.raises(Rejected, match="not_an_instance"):
        await fr.node.siblings.pins.repin(other, other.fingerprint, **ORDER)
    with sqlite3.connect(fr.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute(
            "update siblings set actor = 'https://de.example/another' where origin = 'https://de.example'"
        )
    connection.close()

    with pytest.raises(Rejected, match="not_an_instance"):
        await fr.node.siblings.pins.compare(de.node.origin)


@pytest.mark.parametrize("order", [{"by": "admin", "reason": ""}, {"by": " ", "reason": "x"}])
async def test_pinning_wants_a_reason(town, de, fr, order):
    """And somebody who gives it."""
    await announced(town, de)
    shown = await fr.node.siblings.pins.compare(de.node.origin)

    with pytest.raises(Rejected, match="reason_missing"):
        await fr.node.siblings.pins.repin(shown.found, shown.found.fingerprint, **order)


async def test_who_is_admitted_anew_has_nothing_to_be_compared(town, de, fr):
    """What was announced before the removal is pinned by admitting, or forgotten."""
    await announced(town, de)
    before = entry(fr)
    await fr.node.siblings.remove(de.node.origin, **ORDER)
    await fr.node.siblings.pins.take_in(await de.app._serving.instance(), before)
    await fr.admits(de)

    assert await fingerprints(de, OLD | NEW) == entry(fr).instance_keys
    assert ((), ()) == await fr.node.siblings.pins.announced(entry(fr))


async def test_a_stranger_is_not_compared(town, fr):
    """`repin` admits nobody."""
    await fr.node.siblings.remove("https://de.example", **ORDER)

    with pytest.raises(Rejected, match="unknown_sibling"):
        await fr.node.siblings.pins.compare("https://de.example")


# ── what is no announcement ──


def _replaced(document: dict[str, Any], stray: dict[str, str]) -> None:
    document["publicKey"] = stray


def _all_replaced(document: dict[str, Any], stray: dict[str, str]) -> None:
    document["publicKey"] = stray
    del document["assertionMethod"]


def _none(document: dict[str, Any], stray: dict[str, str]) -> None:
    del document["publicKey"], document["assertionMethod"]


def _others(document: dict[str, Any], stray: dict[str, str]) -> None:
    document["publicKey"] = {**stray, "owner": document["id"] + "x"}
    del document["assertionMethod"]


@pytest.mark.parametrize("change", [_replaced, _all_replaced, _none, _others])
async def test_keys_in_the_place_of_pinned_ones_raise_the_alarm(town, de, fr, change):
    """A127: in the sibling's own signed Update: 403 `pin_mismatch`; nothing but the suspension is stored."""
    body = await an_update(de, change)
    before = entry(fr)

    answer = await send_signed(fr, body, await instance_key(de))

    assert (403, "pin_mismatch") == refused(answer)
    assert replace(before, policy=LocalPolicy.PAUSE) == entry(fr)
    assert ((), ()) == await fr.node.siblings.pins.announced(entry(fr))


async def test_a_new_key_beside_a_pinned_one_is_an_announcement(town, de, fr):
    """The twin: the same stray key beside the pinned one of its kind is noted and answered 202; it signs nothing yet."""
    stray = make_rsa(Uri.parse(f"{de.node.actor}#stray"), de.node.actor, 2048)

    def beside(document: dict[str, Any], key: dict[str, str]) -> None:
        document["publicKey"] = [document["publicKey"], key]

    answer = await send_signed(fr, await an_update(de, beside, stray), await instance_key(de))
    Liar(de, "/actor", lambda d: d | {"publicKey": [d["publicKey"], _pem(stray)]})

    assert 202 == answer.status
    assert ((stray.public().fingerprint,), ()) == await fr.node.siblings.pins.announced(entry(fr))
    assert (403, "pin_mismatch") == await report(de, fr, stray)


async def test_the_issuer_key_is_no_message_key(town, de, fr):
    """An actor that lists it among its other keys announces nothing by that."""

    def listed(document: dict[str, Any], _: dict[str, str]) -> None:
        document["assertionMethod"] = [*_list(document["assertionMethod"]), *_list(document["issuerKey"])]

    answer = await send_signed(fr, await an_update(de, listed), await instance_key(de))

    assert 202 == answer.status
    assert ((), ()) == await fr.node.siblings.pins.announced(entry(fr))


async def test_another_issuer_key_is_compared_like_any_other(town, de, fr, anna):
    """What the old one signed is believed by nobody from then on; what the new one signs anew is."""
    old = de.node.keys.issuer_multikey
    de.node.keys.issuer = Ed25519PrivateKey.generate()
    town.clock.move(hours=2)
    shown = await fr.node.siblings.pins.compare(de.node.origin)
    with pytest.raises(Rejected, match="fingerprint_differs"):
        await repin(fr, de, fingerprint="")
    await repin(fr, de)
    before = await says(anna, fr, a_create(anna))
    await de.node.people.suspend("anna", **ORDER)
    await de.node.people.reinstate("anna", **ORDER)
    await town.settle()
    after = await says(anna, fr, a_create(anna))

    assert ((de.node.keys.issuer_multikey,), (old,)) == (shown.new, shown.gone)
    assert [(403, "bad_proof"), (202, "")] == [refused(before), refused(after)]
    assert [de.node.keys.issuer_multikey] == [key.key for key in entry(fr).issuer_keys]


async def test_a_doctor_does_not_speak_for_the_instance(town, de, fr, anna):
    """A50: an Update of the instance by one of its doctors is refused, whatever stands in it."""
    found = await de.app._serving.instance()
    update = an_act(anna, Update, object=found)

    answer = await says(anna, fr, update)

    assert (403, "not_the_owner") == refused(answer)


async def test_a_doctor_has_nobody_else_read_anew(town, fr, anna, berta):
    """The twin by address alone: neither the instance, whose keys would be forgotten, nor a colleague."""
    town.clock.move(seconds=10)
    await fr.node.workers.run_until_quiet()
    contacts = len(town.contacts)
    for other in (town["de"].node.actor, berta.uri):
        await says(anna, fr, an_act(anna, Update, object=other))
    await fr.node.workers.run_until_quiet()

    assert ["not_the_owner"] * 2 == await refusals(fr)
    assert contacts == len(town.contacts)


async def test_a_house_taken_over_shows_new_keys_in_vain(town, de, fr):
    """A129: who has the address and none of the keys is refused and suspended, and cannot have the pins renewed."""
    thief = make_rsa(Uri.parse(f"{de.node.actor}#main-key"), de.node.actor, 2048)
    ed25519 = make_ed25519(Uri.parse(f"{de.node.actor}#ed25519-key"), de.node.actor)
    Liar(de, "/actor", lambda d: {**d, "publicKey": _pem(thief), "assertionMethod": [_multikey(ed25519)]})
    town.clock.move(hours=2)

    with pytest.raises(PinMismatch):
        await fr.node.directory.find(thief.id, entry(fr))
    assert (403, "sibling_paused") == await report(de, fr, thief)
    assert ((), ()) == await fr.node.siblings.pins.announced(entry(fr))
    with pytest.raises(Rejected, match="fingerprint_differs"):
        await repin(fr, de, fingerprint="")


async def an_update(de: Place, change: Callable[..., None], stray: PrivateKey | None = None) -> bytes:
    """The instance's Update of itself, with another RSA key somewhere in it."""
    key = stray or make_rsa(Uri.parse(f"{de.node.actor}#stray"), de.node.actor, 2048)
    author = Person(de, "actor", de.node.actor)
    found = await de.app._serving.instance()
    update = an_act(author, Update, object=found, id=new_id(de.node.origin, "activities"))
    return bent(update, lambda d: change(d["object"], _pem(key)))


def _pem(key: PrivateKey) -> dict[str, str]:
    public = key.public()
    return {"id": str(public.id), "owner": str(public.owner), "publicKeyPem": public.pem}


def _multikey(key: PrivateKey) -> dict[str, str]:
    public = key.public()
    return {
        "id": str(public.id), "type": "Multikey", "controller": str(public.owner),
        "publicKeyMultibase": public.multikey,
    }  # fmt: skip


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


# ── what a sibling says of itself besides its keys ──


def silent(document: dict[str, Any]) -> dict[str, Any]:
    """The instance actor without its announcement of RFC 9421, and of another version."""
    return {k: v for k, v in document.items() if k != "implements"} | {"software": "esanum-federation 9"}


async def profiles_used(fr: Place) -> list[str]:
    """With which profile messages were taken, oldest first."""
    return [row["profile"] for row in await rows(fr.node, "select profile from inbound order by id")]


async def test_the_signature_profile_follows_what_the_sibling_announces(town, de, fr, marie):
    """Read anew, France announces RFC 9421 no more: what is sent there next is signed with cavage."""
    jonas = await de.doctor("jonas")
    await jonas.posts("One")
    await town.settle()
    liar = Liar(fr, "/actor", silent)
    await de.node.directory.read_anew(fr.node.actor, de.node.allowlist().find(fr.node.origin))
    await jonas.posts("Two")
    await town.settle()
    liar.honest()
    town.clock.move(hours=2)
    await de.node.directory.read_anew(fr.node.actor, de.node.allowlist().find(fr.node.origin))
    await jonas.posts("Three")
    await town.settle()

    assert ["rfc9421", "cavage-12", "rfc9421"] == (await profiles_used(fr))[-3:]


async def test_what_a_sibling_says_of_itself_touches_no_trust(town, de, fr):
    """Only profile and software change, by the sibling, on the record; pins, policy, countries and name never do."""
    before, changes = entry(fr), len(await fr.node.siblings.changes())
    Liar(de, "/actor", lambda d: silent(d) | {"name": "Another", "country": "IT", "contact": "evil@example"})
    await fr.node.directory.read_anew(de.node.actor, before)

    after = entry(fr)
    assert (True, False) == (before.speaks_rfc9421, after.speaks_rfc9421)
    same = [name for name in type(after).__slots__ if name != "speaks_rfc9421"]
    assert [getattr(before, name) for name in same] == [getattr(after, name) for name in same]
    found = (await fr.node.siblings.changes())[changes:]
    assert [("renew", de.node.actor)] == [(change.act, change.by) for change in found]
    assert ["sibling.admitted"] * 2 == [  # nobody's order: no entry
        json.loads(row["entry"])["act"] for row in await rows(fr.node, "select entry from audit")
    ]
    differs = {name for name, value in found[0].after.items() if found[0].before[name] != value}
    assert {"speaks_rfc9421", "software"} == differs


async def test_its_own_update_renews_it_too(town, de, fr):
    """The Update of the instance, as a new version of its software sends it."""
    author, found = Person(de, "actor", de.node.actor), await de.app._serving.instance()
    body = bent(an_act(author, Update, object=found), lambda d: d["object"].pop("implements"))

    answer = await send_signed(fr, body, await instance_key(de))

    assert (202, False) == (answer.status, entry(fr).speaks_rfc9421)


async def test_an_update_that_names_it_makes_us_read_it(town, de, fr):
    """By its address alone: read at home, then taken over."""
    Liar(de, "/actor", silent)
    author = Person(de, "actor", de.node.actor)
    answer = await send_signed(
        fr, render.activity(an_act(author, Update, object=de.node.actor)), await instance_key(de)
    )
    await town.settle()

    assert (202, False) == (answer.status, entry(fr).speaks_rfc9421)


async def test_a_document_with_strange_keys_renews_nothing(town, de, fr):
    """The twin: who cannot show the pinned keys does not choose how we sign."""
    stray = make_rsa(Uri.parse(f"{de.node.actor}#stray"), de.node.actor, 2048)
    Liar(de, "/actor", lambda d: silent(d) | {"publicKey": _pem(stray)})
    before = entry(fr)
    await fr.node.directory.read_anew(de.node.actor, before)

    assert replace(before, policy=LocalPolicy.PAUSE) == entry(fr)


async def test_a_sibling_that_cannot_decide_is_heard_once_an_hour(town, de, fr):
    """Each change costs every verdict on its doctors, so the second within the hour waits."""
    versions = []
    for announces in (False, True, False):
        liar = Liar(de, "/actor", silent) if not announces else None
        await fr.node.directory.read_anew(de.node.actor, entry(fr))
        versions.append(fr.node.allowlist().version)
        if liar is not None:
            liar.honest()
    town.clock.move(hours=1)
    await fr.node.directory.read_anew(de.node.actor, entry(fr))

    assert 1 == len(set(versions))
    assert (versions[-1] + 1, True) == (fr.node.allowlist().version, entry(fr).speaks_rfc9421)


async def test_two_processes_that_read_it_at_once_note_one_change(town, de, fr):
    """Each has read the row before the other wrote: one change on the record, one raise of the number."""
    before, changes, version = entry(fr), len(await fr.node.siblings.changes()), fr.node.allowlist().version
    said = structs.replace(await de.app._serving.instance(), speaks_rfc9421=False)
    await asyncio.gather(*(Pins(fr.node).take_in(said, before) for _ in range(2)))

    [change] = (await fr.node.siblings.changes())[changes:]
    assert ("renew", 1, 0) == (change.act, change.before["speaks_rfc9421"], change.after["speaks_rfc9421"])
    assert version + 1 == fr.node.allowlist().version


async def test_a_renewal_that_could_not_be_written_is_written_when_it_is_read_again(town, de, fr):
    """The disk is full for a moment, and not for an hour."""
    said, before = structs.replace(await de.app._serving.instance(), speaks_rfc9421=False), entry(fr)
    path = fr.config.database.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("create trigger full before update on siblings begin select raise(abort, 'full'); end")
        with pytest.raises(StorageError):
            await fr.node.siblings.pins.take_in(said, before)
        file.execute("drop trigger full")
    unchanged = entry(fr)
    await fr.node.siblings.pins.take_in(said, before)

    assert (True, False) == (unchanged.speaks_rfc9421, entry(fr).speaks_rfc9421)
