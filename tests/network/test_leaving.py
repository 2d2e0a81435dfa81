"""A doctor who has left: their last Delete is believed however late it comes, and nothing else of theirs is."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson
import pytest

from federation import render
from federation.delivery import Priority
from federation.keys import PrivateKey
from federation.signatures import Profile, sign
from federation.uri import Uri
from federation.vocabulary import Delete, Flag, Follow, Update
from federation.wire import Response
from instance.services import sending
from instance.times import to_ms
from tests.doorway import a_create, a_post, an_act, kept, reads, says, send_as_instance
from tests.network.scene import Liar, reads_of
from tests.town import Network, Person, Place, refused, rows, send_signed


async def leaves(doctor: Person) -> None:
    """The home lets a doctor go: the row is closed, and the Delete in their own name is queued with it."""
    node = doctor.place.node
    with sqlite3.connect(node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute(
            "update doctors set gone_at = ?, standing = 'gone' where uri = ?", (to_ms(node.clock()), doctor.uri)
        )
    connection.close()

    async def work(tx: Any) -> None:
        await sending.to_all_siblings(
            node, tx, Delete, actor=doctor.uri, object=doctor.uri, priority=Priority.REVOCATION
        )

    await node.store.write(work)


def forget_keys(place: Place) -> None:
    """As if this instance had never read anybody's keys."""
    with sqlite3.connect(place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("delete from keys where private is null")
    connection.close()


async def state_of(place: Place, doctor: Person) -> list[str]:
    """The standing in which a doctor is kept at a sibling."""
    return [
        row["standing"] for row in await rows(place.node, f"select standing from doctors where uri = '{doctor.uri}'")
    ]


async def keys_of_tombstone(town: Network, reader: Place, doctor: Person) -> tuple[int, str, set[str]]:
    """Status, type, and the names of the keys in what a doctor's address answers a sibling with."""
    town.clock.move(minutes=2)
    answer = await reads(reader, doctor.place, f"/doctors/{doctor.handle}")
    document = orjson.loads(answer.body)
    shown = [document.get("publicKey", []), document.get("assertionMethod", [])]
    listed = [key for part in shown for key in (part if isinstance(part, list) else [part])]
    return answer.status, document["type"], {key["id"].partition("#")[2] for key in listed}


@pytest.fixture
async def town(tmp_path: Any) -> Any:
    """France and Germany."""
    network = await Network.open(tmp_path, "fr", "de")
    yield network
    await network.close()


@pytest.fixture
async def written(town: Network) -> Person:
    """Anna in Germany, whose case has reached France."""
    anna = await town["de"].doctor("anna")
    await anna.posts("Hers")
    await town.settle()
    assert ["Hers"] == await town["fr"].titles()
    return anna


@pytest.mark.parametrize("days", [20, 120])
@pytest.mark.parametrize("profile", [True, False], ids=["rfc9421", "cavage"])
async def test_a_late_delete_is_believed_by_a_sibling_that_holds_no_key(town, written, fr, profile, days):
    """France holds her words and no key of hers; the key stands on the Tombstone, and the words go.

    Also when her credential has run out meanwhile: an erasure does not wait for one.
    """
    with sqlite3.connect(town["de"].node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("update siblings set speaks_rfc9421 = ?", (int(profile),))
        connection.execute("update versions set value = value + 1 where name = 'allowlist'")
    connection.close()
    town.down.add("fr")
    await leaves(written)
    forget_keys(fr)
    await fr.reopen()
    town.clock.move(days=days)
    town.down.clear()
    before = reads_of(town, "/doctors/anna")
    await town.settle()

    assert (["gone"], []) == (await state_of(fr, written), await fr.titles())
    assert 1 == reads_of(town, "/doctors/anna") - before
    assert ["done"] == [
        row["state"] for row in await rows(written.place.node, "select state from deliveries where priority = 0")
    ]


async def test_the_home_may_take_a_doctor_away_in_its_own_name(town, written, fr):
    """No key of the doctor's is needed: the instance actor's Delete of an address of its own is housekeeping."""
    forget_keys(fr)
    await fr.reopen()
    act = an_act(Person(town["de"], "actor", town["de"].node.actor), Delete, object=written.uri)

    answer = await send_as_instance(town["de"], fr, act)
    await town.settle()

    assert 202 == answer.status
    assert (["gone"], []) == (await state_of(fr, written), await fr.titles())


@pytest.mark.parametrize("told", [True, False], ids=["after the Delete", "before the Delete"])
async def test_a_key_on_a_tombstone_says_nothing_new(town, written, fr, told):
    """It takes back; a case signed with it is refused, also by a sibling whom the Delete has not reached."""
    key = await key_of(written)
    await leaves(written)
    if told:
        await town.settle()
    forget_keys(fr)
    await fr.reopen()

    created = await send_signed(fr, render.activity(a_create(written)), key)
    followed = await send_signed(
        fr, render.activity(an_act(written, Follow, object=Uri.parse("https://fr.example/doctors/marie"))), key
    )
    asked = await fr.request("GET", "/doctors/marie", signed_get(fr, "/doctors/marie", key))
    withdrawn = await send_signed(fr, render.activity(an_act(written, Delete, object=written.uri)), key)
    await fr.node.workers.run_until_quiet()

    assert [(403, "no_credential")] * 3 == [refused(created), refused(followed), refused(asked)]
    assert 202 == withdrawn.status
    assert [] == await fr.titles()


@pytest.mark.parametrize("act", ["report", "new version", "read the instance anew", "read anew"])
async def test_who_has_left_takes_back_and_does_nothing_else(town, written, fr, act):
    """Housekeeping is the instance's: with the key of somebody who has left nothing is reported, changed or read."""
    key, home = await key_of(written), town["de"].node
    document = await home.people.doctor_document("anna")
    acts = {
        "report": lambda: an_act(written, Flag, objects=(Uri.parse("https://fr.example/posts/1"),)),
        "new version": lambda: an_act(written, Update, object=document),
        "read the instance anew": lambda: an_act(written, Update, object=home.actor),
        "read anew": lambda: an_act(written, Update, object=written.uri),
    }
    await leaves(written)
    forget_keys(fr)
    await fr.reopen()

    answer = await send_signed(fr, render.activity(acts[act]()), key)

    assert (403, "no_credential") == refused(answer)
    assert [("Create", "applied")] == await kept(fr)


@pytest.mark.parametrize("read", [False, True], ids=["key held", "key read on the Tombstone"])
async def test_who_is_gone_does_not_come_back(town, written, fr, read):
    """With a newer credential that France has not seen and a key that still counts: no new version, no case, no word."""
    key, document = await key_of(written), await newer_version(town, written)
    await leaves(written)
    await town.settle()
    if read:
        town.clock.move(hours=2)
    changed = await send_signed(fr, render.activity(an_act(written, Update, object=document)), key)
    created = await send_signed(fr, render.activity(a_create(written)), key)

    assert [(403, "no_credential")] * 2 == [refused(changed), refused(created)]
    assert (["gone"], []) == (await state_of(fr, written), await fr.titles())
    assert [] == await rows(fr.node, f"select word from doctor_words where doctor = '{written.uri}'")


async def test_a_home_that_shows_the_doctor_again_changes_nothing(town, written, fr):
    """Restored from an old back-up, say: whoever is gone here stays so, and may only take back."""
    key, home = await key_of(written), town["de"]
    before = await reads(fr, home, "/doctors/anna")
    await leaves(written)
    await town.settle()
    true = home.request

    async def restored(method: str, target: str, headers: Any, body: bytes = b"") -> Response:
        return before if target == "/doctors/anna" else await true(method, target, headers, body)

    home.request = restored
    town.clock.move(hours=2)
    created = await send_signed(fr, render.activity(a_create(written)), key)
    withdrawn = await send_signed(fr, render.activity(an_act(written, Delete, object=written.uri)), key)
    await fr.node.workers.run_until_quiet()

    assert [(403, "no_credential"), (202, "")] == [refused(created), refused(withdrawn)]
    assert (["gone"], []) == (await state_of(fr, written), await fr.titles())


async def test_who_was_shown_as_gone_by_mistake_speaks_again(town, written, fr):
    """The twin: no Delete has come. Once the home shows the doctor again and was read again, nothing is lost."""
    key, home = await key_of(written), town["de"]
    await leaves(written)
    with sqlite3.connect(home.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("update deliveries set state = 'dropped'")
    forget_keys(fr)
    await fr.reopen()
    during = await send_signed(fr, render.activity(a_create(written)), key)
    with sqlite3.connect(home.node.config.database.removeprefix("sqlite:///")) as other:
        other.execute("update doctors set gone_at = null, standing = 'ok' where uri = ?", (written.uri,))
    for one in (connection, other):
        one.close()
    town.clock.move(hours=2)
    after = await send_signed(fr, render.activity(a_create(written)), key)

    assert [(403, "no_credential"), (202, "")] == [refused(during), refused(after)]


async def test_a_delete_that_was_accepted_asks_for_no_standing_again(town, written, fr):
    """It waited at France while Germany destroyed the key, and France was started anew: the words go all the same."""
    key = await key_of(written)
    await leaves(written)
    forget_keys(fr)
    await fr.reopen()
    town.clock.move(days=120)
    taken = await send_signed(fr, render.activity(an_act(written, Delete, object=written.uri)), key)
    bare(written)
    town.clock.move(minutes=2)
    await fr.reopen()
    await fr.node.workers.run_until_quiet()

    assert 202 == taken.status
    assert (["gone"], []) == (await state_of(fr, written), await fr.titles())


async def test_what_is_held_can_be_taken_back_at_once(town, written, fr):
    """A Delete waits for nobody to look at a name: what was shown goes, and what is held is never shown."""
    shown = Uri.parse((await rows(fr.node, "select uri from posts"))[0]["uri"])
    liar = Liar(town["de"], "/doctors/anna", lambda d: d | {"name": "Dr Somebody Else"})
    town.clock.move(minutes=2)
    await town["de"].node.people.suspend("anna", by="test", reason="test")
    await town["de"].node.people.reinstate("anna", by="test", reason="test")
    await town.settle()
    late = a_post(written)
    answers = [
        await says(written, fr, act)
        for act in (
            a_create(written, late), an_act(written, Delete, object=shown), an_act(written, Delete, object=late.id)
        )
    ]  # fmt: skip
    at_once, states = await fr.titles(), (await kept(fr))[-3:]
    liar.honest()
    town.clock.move(minutes=6)
    await town["de"].node.people.set_profile(written.uri, "Mended.", ("en",), approves_followers=False)
    await town.settle()

    assert [202] * 3 == [answer.status for answer in answers]
    assert ([], [("Create", "held"), ("Delete", "applied"), ("Delete", "applied")]) == (at_once, states)
    assert [] == await fr.titles()


async def newer_version(town: Network, doctor: Person) -> Any:
    """The doctor after a renewal of which no sibling hears, though they have spoken a moment before."""
    town.clock.move(days=75)
    await doctor.posts("Hers too")
    await town.settle()
    assert 1 == await doctor.place.node.people.renew_due()
    with sqlite3.connect(doctor.place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("update deliveries set state = 'dropped' where state = 'waiting'")
    connection.close()
    return await doctor.place.node.people.doctor_document(doctor.handle)


def bare(doctor: Person) -> None:
    """The home destroys the keys of one who has left."""
    with sqlite3.connect(doctor.place.node.config.database.removeprefix("sqlite:///")) as connection:
        connection.execute("delete from keys where owner = ?", (doctor.uri,))
    connection.close()


FORGED = {
    "no keys": lambda stone, stray: {key: value for key, value in stone.items() if key not in _KEYS},
    "another id": lambda stone, stray: {**stone, "id": stone["id"] + "x"},
    "another owner": lambda stone, stray: {**stone, "publicKey": {**stray, "owner": stray["owner"] + "x"}},
    "no tombstone": lambda stone, stray: {**stone, "type": "Note", "content": "x", "publicKey": stray},
}  # fmt: skip
_KEYS = ("publicKey", "assertionMethod")


@pytest.mark.parametrize("forged", FORGED)
async def test_a_tombstone_that_does_not_show_the_key_proves_nothing(town, written, fr, forged):
    """Without the key, with another's, under another id, or no Tombstone: 401, and the words stay."""
    de, key = town["de"], await key_of(written)
    true = de.request

    async def lying(method: str, target: str, headers: Any, body: bytes = b"") -> Response:
        answer = await true(method, target, headers, body)
        if method != "GET" or target != "/doctors/anna":
            return answer
        document = orjson.loads(answer.body)
        changed = FORGED[forged](document, document["publicKey"])
        return Response(answer.status, answer.headers, orjson.dumps(changed))

    de.request = lying
    town.down.add("fr")
    await leaves(written)
    forget_keys(fr)
    await fr.reopen()
    town.down.clear()

    answer = await send_signed(fr, render.activity(an_act(written, Delete, object=written.uri)), key)

    assert 401 == answer.status
    assert (["ok"], ["Hers"]) == (await state_of(fr, written), await fr.titles())


async def test_nobodys_tombstone_teaches_nothing(town, written, fr):
    """Somebody France never heard of has nothing here to take back: refused, after one read."""
    berta = await town["de"].doctor("berta")
    key = await key_of(berta)
    await leaves(berta)
    before = reads_of(town, "/doctors/berta")
    body = render.activity(an_act(berta, Delete, object=berta.uri))

    answers = {refused(await send_signed(fr, body, key)) for _ in range(20)}

    assert {(401, "unknown_key")} == answers
    assert 1 == reads_of(town, "/doctors/berta") - before


async def test_the_keys_stay_until_the_delete_is_confirmed(town, written, fr):
    """Shown and kept while a sibling has not confirmed; then destroyed, and the Tombstone is bare."""
    town.down.add("fr")
    await leaves(written)
    await town.settle()
    await town["de"].node.workers.housekeep()
    during = await keys_of_tombstone(town, fr, written)
    town.down.clear()
    town.clock.move(hours=1)
    await town.settle()
    await town["de"].node.workers.housekeep()
    after = await keys_of_tombstone(town, fr, written)

    assert (410, "Tombstone", {"main-key", "ed25519-key"}) == during
    assert (410, "Tombstone", set()) == after
    assert [] == await rows(town["de"].node, f"select id from keys where owner = '{written.uri}'")


async def test_a_doctor_who_stays_keeps_the_keys(town, written):
    """The chore that destroys keys touches nobody else's."""
    await town["de"].node.workers.housekeep()

    assert await key_of(written)


def signed_get(at: Place, target: str, key: PrivateKey) -> dict[str, str]:
    """The headers with which the holder of a key reads."""
    headers = sign("GET", Uri.parse(at.node.origin + target), None, key, Profile.CAVAGE, at.node.clock())
    return {**headers, "Accept": "application/activity+json"}


async def key_of(doctor: Person) -> PrivateKey:
    """The key a doctor signs with."""
    return await doctor.place.node.keys.signing_key(Uri.parse(doctor.uri), Profile.CAVAGE)
