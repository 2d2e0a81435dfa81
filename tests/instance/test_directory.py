"""Doctors of siblings: recognised by their credential, remembered, and forgotten in time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from federation import render
from federation.errors import KeyNotOwned, Malformed, NotASibling, StandingRefused, TooManyRequests, UnknownKey
from federation.keys import make_ed25519, make_rsa
from federation.signatures import Profile
from federation.uri import Uri
from federation.vocabulary import Update
from federation.wire import Response
from instance.services.fetching import Budget
from tests.doorway import a_create, a_post, an_act, bent, count, kept, new_id, says, send_as_instance
from tests.town import MovedClock, Network, Person, Place, refused, rows, send_signed


@pytest.fixture
async def town(tmp_path: Any) -> AsyncIterator[Network]:
    """France and Germany, which list each other."""
    network = await Network.open(tmp_path, "fr", "de")
    yield network
    await network.close()


@pytest.fixture
async def anna(town: Network) -> Person:
    """A verified doctor in Germany."""
    return await town["de"].doctor("anna")


@pytest.fixture
def fr(town: Network) -> Place:
    """Who recognises."""
    return town["fr"]


def reads_of(town: Network, part: str) -> int:
    """How often something was read from another instance."""
    return len([contact for contact in town.contacts if contact.method == "GET" and part in contact.url])


class Liar:
    """Stands before an instance and changes one of its documents."""

    def __init__(self, place: Place, target: str, change: Any) -> None:
        self._place, self._target, self._change = place, target, change
        self._honest = place.request
        place.request = self  # type: ignore[method-assign,assignment]

    async def __call__(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Response:
        """Answer honestly but for the one document."""
        answer = await self._honest(method, target, headers, body)
        if target != self._target or answer.status != 200:
            return answer
        changed = self._change(json.loads(answer.body))
        if isinstance(changed, Response):
            return changed
        return Response(answer.status, answer.headers, json.dumps(changed).encode())


async def standing(fr: Place, doctor: Uri) -> list[str]:
    """What is stored about a doctor's standing."""
    return [row["standing"] for row in await rows(fr.node, f"select standing from doctors where uri = '{doctor}'")]


# ── first contact ──


async def test_the_first_message_brings_the_doctor(town, anna, fr):
    """One read of the actor: keys, standing, name, specialties and words for the search."""
    await says(anna, fr, a_create(anna))
    await says(anna, fr, a_create(anna))

    assert 1 == reads_of(town, "/doctors/anna")
    assert ["ok"] == await standing(fr, anna.uri)
    words = await rows(fr.node, f"select word from doctor_words where doctor = '{anna.uri}' order by word")
    assert ["anna"] == [row["word"] for row in words]
    assert 1 == await count(fr, "doctor_specialties")


LIES: dict[str, tuple[Any, tuple[int, str]]] = {
    "no credential": (lambda d: {k: v for k, v in d.items() if k != "doctorCredential"}, (403, "no_credential")),
    "another name": (lambda d: d | {"name": "Dr Somebody Else"}, (202, "")),
    "an added key": (
        lambda d: d | {"assertionMethod": [*d["assertionMethod"], _stray(d["id"])]},
        (403, "actor_key_mismatch"),
    ),
    "a service": (lambda d: d | {"type": "Service"}, (403, "no_credential")),
    "a group": (lambda d: d | {"type": "Group"}, (403, "no_credential")),
    "an inbox elsewhere": (lambda d: d | {"inbox": "https://de.example.evil.example/inbox"}, (403, "no_credential")),
    "another id": (lambda d: d | {"id": d["id"] + "x"}, (401, "unknown_key")),
    "no keys": (lambda d: d | {"publicKey": []}, (401, "key_not_owned")),
    "another owner": (
        lambda d: d | {"publicKey": [k | {"owner": d["id"] + "x"} for k in _list(d["publicKey"])]},
        (401, "key_not_owned"),
    ),
    "another media type": (
        lambda d: Response(200, {"content-type": "text/plain"}, json.dumps(d).encode()),
        (401, "unknown_key"),
    ),
    "a redirect": (lambda d: Response(302, {"location": "https://de.example/x"}, b""), (401, "unknown_key")),
    "an altered credential": (
        lambda d: d | {"doctorCredential": d["doctorCredential"] | {"validUntil": "2027-06-01T00:00:00Z"}},
        (403, "bad_proof"),
    ),
}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _stray(doctor: str) -> dict[str, str]:
    uri = Uri.parse(doctor)
    key = make_ed25519(Uri.parse(doctor + "#stray"), uri).public()
    return {"id": str(key.id), "type": "Multikey", "controller": doctor, "publicKeyMultibase": key.multikey}


@pytest.mark.parametrize("lie", LIES)
async def test_a_document_that_lies_is_not_believed(town, anna, fr, lie):
    """A25, A46 to A48, A55: refused with the reason, nobody stored; a name that differs is held."""
    change, expected = LIES[lie]
    Liar(town["de"], "/doctors/anna", change)

    answer = await says(anna, fr, a_create(anna))

    assert expected == refused(answer)
    assert 0 == await count(fr, "posts")
    # A verified doctor whose document lists no such key is a doctor all the same.
    assert (401, "key_not_owned") == expected or 0 == await count(fr, "doctors")


async def test_an_instance_key_that_is_not_pinned_is_refused(town, anna, fr):
    """A127, A129: whoever takes the address over cannot sign for it."""
    de = town["de"]
    stranger = make_rsa(Uri.parse(f"{de.node.actor}#main-key"), de.node.actor, 2048)
    Liar(
        de, "/actor", lambda d: d | {"publicKey": [_list(d["publicKey"])[0] | {"publicKeyPem": stranger.public().pem}]}
    )

    answer = await send_signed(fr, render.activity(an_act(anna, Update, object=anna.uri)), stranger)

    assert (403, "pin_mismatch") == refused(answer)


# ── standing in time ──


async def test_a_credential_that_runs_out_is_read_once_more_and_then_expired(town, anna, fr):
    """8.2: 403 after one refetch of the actor; renewed, the doctor is heard again."""
    await says(anna, fr, a_create(anna))
    town.clock.move(days=91)
    before = reads_of(town, "/doctors/anna")

    answers = [refused(await says(anna, fr, a_create(anna))) for _ in range(3)]
    reads = reads_of(town, "/doctors/anna") - before

    assert [(403, "expired")] * 3 == answers
    assert reads <= 2  # the key (older than an hour), and the actor


async def test_a_suspended_doctor_is_refused_as_soon_as_home_says_so(town, anna, fr):
    """A106: the home's Update takes the standing away; reinstated, the doctor is heard again."""
    await says(anna, fr, a_create(anna))
    await town["de"].node.people.suspend("anna", by="test", reason="test")
    await town.settle()
    suspended = await says(anna, fr, a_create(anna))
    town.clock.move(minutes=2)
    await town["de"].node.people.reinstate("anna", by="test", reason="test")
    await town.settle()

    again = await says(anna, fr, a_create(anna))

    assert (403, "suspended") == refused(suspended)
    assert 202 == again.status


async def test_a_held_message_is_released_when_the_name_is_right_again(town, anna, fr):
    """name_mismatch: 202 and held; applied once the home has mended it."""
    liar = Liar(town["de"], "/doctors/anna", lambda d: d | {"name": "Dr Somebody Else"})
    held = await says(anna, fr, a_create(anna))
    before = await kept(fr)
    liar._change = lambda d: d
    town.clock.move(minutes=2)
    await says(anna, fr, a_create(anna, a_post(anna, title="Second")))
    await town.settle()

    assert 202 == held.status
    assert [("Create", "held")] == before
    assert {"Made-up case", "Second"} == set(await fr.titles())


async def test_a_narrower_allowlist_entry_is_judged_anew(town, anna, fr):
    """A verdict made under another allowlist does not count."""
    await says(anna, fr, a_create(anna))

    async def narrow(tx: Any) -> None:
        await tx.run("siblings.set_policy", origin="https://de.example", policy="inherit", before="inherit")
        await tx.run("siblings.raise_version")

    await fr.node.store.write(narrow)
    before = fr.node.directory._verdicts.copy()
    await says(anna, fr, a_create(anna))

    assert before[anna.uri] is not fr.node.directory._verdicts[anna.uri]


async def test_a_new_version_with_other_keys_needs_a_newer_credential(town, anna, fr):
    """A50: an Update that swaps keys under the old credential is refused, and so is another handle."""
    await says(anna, fr, a_create(anna))
    doctor = await town["de"].node.people.doctor_document("anna")
    stray = make_rsa(Uri.parse(f"{anna.uri}#stolen"), anna.uri, 2048).public()
    update = an_act(anna, Update, object=doctor)
    swapped = bent(update, lambda d: d["object"].update(publicKey=[_pem(stray)]))
    renamed = bent(update, lambda d: d["object"].update(preferredUsername="other"))

    answers = [refused(await anna.sends(fr, body)) for body in (swapped, renamed)]

    assert [(403, "actor_key_mismatch"), (403, "actor_mismatch")] == answers
    assert ["ok"] == await standing(fr, anna.uri)


def _pem(key: Any) -> dict[str, str]:
    return {"id": str(key.id), "owner": str(key.owner), "publicKeyPem": key.pem}


async def test_a_rotated_key_is_accepted_and_told_of_in_advance(town, anna, fr):
    """A30: the Update carries new keys and a new credential; ten minutes later they sign."""
    await says(anna, fr, a_create(anna))
    town.clock.move(seconds=5)
    await town["de"].node.people.rotate_keys("anna", by="test", reason="test")
    await town.settle()
    town.clock.move(minutes=11)

    answers = [await says(anna, fr, a_create(anna), profile=profile) for profile in Profile]

    assert [202, 202] == [answer.status for answer in answers]


async def test_an_update_of_the_instance_with_a_stray_key_raises_the_alarm(town, anna, fr):
    """A127: keys of an instance change only where their fingerprint is pinned first."""
    de = town["de"]
    stray = make_rsa(Uri.parse(f"{de.node.actor}#new"), de.node.actor, 2048).public()
    author = Person(de, "actor", de.node.actor)
    found = await de.app._serving.instance()
    honest = an_act(author, Update, object=found)
    body = bent(honest, lambda d: d["object"].update(id=str(de.node.actor), publicKey=[_pem(stray)]))
    key = await de.node.keys.signing_key(de.node.actor, Profile.CAVAGE)

    told = await send_as_instance(de, fr, an_act(author, Update, object=found, id=new_id(de.node.origin, "activities")))
    lied = await send_signed(fr, body, key)

    assert (403, "pin_mismatch") == refused(lied)
    assert 202 == told.status


# ── keys and limits ──


async def test_a_missing_key_is_asked_for_once_in_five_minutes(town, anna, fr):
    """A29: twenty messages under a key that does not exist cost one read."""
    ghost = Uri.parse(f"{anna.uri}#ghost")
    sibling = fr.node.allowlist().find("https://de.example")

    for refusal in (KeyNotOwned, *[UnknownKey] * 19):
        with pytest.raises(refusal):
            await fr.node.directory.find(ghost, sibling)

    assert 1 == reads_of(town, "/doctors/anna")


async def test_bad_signatures_cost_few_reads(town, anna, fr):
    """A30: a flood of bad signatures reads the key again at most once a minute."""
    await says(anna, fr, a_create(anna))
    wrong = make_rsa(Uri.parse(f"{anna.uri}#main-key"), anna.uri, 2048)

    answers = [refused(await send_signed(fr, render.activity(a_create(anna)), wrong)) for _ in range(10)]

    assert [(401, "bad_signature")] * 10 == answers
    assert reads_of(town, "/doctors/anna") <= 2


async def test_a_known_key_counts_for_a_day_while_its_home_is_away(town, anna, fr):
    """Positive for an hour, then read again; away: up to 24 hours, and no longer."""
    key_id = (await town["de"].node.keys.signing_key(anna.uri, Profile.CAVAGE)).id
    sibling = fr.node.allowlist().find("https://de.example")
    await fr.node.directory.find(key_id, sibling)
    town.down.add("de")

    town.clock.move(hours=23)
    still = await fr.node.directory.find(key_id, sibling)
    town.clock.move(hours=2)

    assert key_id == still.id
    with pytest.raises(UnknownKey):
        await fr.node.directory.find(key_id, sibling)


async def test_keys_and_standings_outlive_a_restart(town, anna, fr):
    """Rows are enough: nothing is read again."""
    await says(anna, fr, a_create(anna))
    before = reads_of(town, "/doctors/anna")
    await fr.reopen()

    answer = await says(anna, fr, a_create(anna))

    assert 202 == answer.status
    assert before == reads_of(town, "/doctors/anna")


def test_sixty_a_minute_and_no_more():
    """A29, A125: the sixty-first first contact or key read of a minute is too many; a minute later there is room."""
    clock, budget = MovedClock(), Budget()
    for _ in range(60):
        budget.spend("https://de.example", clock())

    with pytest.raises(TooManyRequests):
        budget.spend("https://de.example", clock())
    budget.spend("https://fr.example", clock())
    clock.move(minutes=1)
    budget.spend("https://de.example", clock())


# ── finding ──


async def test_a_colleague_is_found_by_address(town, anna, fr):
    """A signed WebFinger request and one read of the actor."""
    found = await fr.node.directory.find_handle("@anna@de.example")

    assert (anna.uri, "anna@de.example", "specialist", "DE") == (found.uri, found.address, found.role, found.country)


@pytest.mark.parametrize(
    ("address", "refusal"),
    [("anna@it.example", NotASibling), ("anna", Malformed), ("nobody@de.example", UnknownKey), ("a@b@c", Malformed)],
)
async def test_whoever_cannot_be_there_is_not_found(town, anna, fr, address, refusal):
    """A56 to A58: strangers are never asked, nonsense neither."""
    with pytest.raises(refusal):
        await fr.node.directory.find_handle(address)


async def test_an_unverified_doctor_is_nobody(town, anna, fr):
    """A doctor without standing can neither send nor be sent to."""
    await town["de"].node.people.suspend("anna", by="test", reason="test")

    with pytest.raises(StandingRefused):
        await fr.node.directory.find_handle("anna@de.example")
