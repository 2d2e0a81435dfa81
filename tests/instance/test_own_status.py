"""Our own status lists: places, bits in the transaction that means them, and the signed list."""

from __future__ import annotations

import json
import sqlite3
from datetime import timedelta
from typing import Any

import orjson
import pytest

from federation.errors import NotFound
from federation.uri import Uri
from instance.services.own_status import FULL
from instance.times import to_ms
from instance.wiring import Node
from tests.town import MovedClock, Network, Person, Place, rows
from verification.statuslist import MIN_LENGTH, Purpose, StatusList, decode

ORDER = {"by": "test", "reason": "test"}
PLACES = "select list, place, doctor, revoked, suspended from status_places order by list, place"


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany, which list each other."""
    return await network("fr", "de")


def change(place: Place, statement: str, *values: object) -> None:
    """Let another process of this instance change rows."""
    with sqlite3.connect(place.config.database.removeprefix("sqlite:///")) as file:
        file.execute(statement, values)


async def entries(doctor: Person) -> list[tuple[str, str, str]]:
    """What the doctor's credential names: purpose, list, index."""
    row = (await rows(doctor.place.node, f"select credential from doctors where uri = '{doctor.uri}'"))[0]
    return [
        (entry["statusPurpose"], entry["statusListCredential"], entry["statusListIndex"])
        for entry in json.loads(row["credential"])["credentialStatus"]
    ]


async def served(node: Node, purpose: Purpose, number: int = 1) -> tuple[dict[str, Any], StatusList]:
    """A list as siblings read it."""
    document = orjson.loads((await node.own_status.document(purpose, str(number)))[0])
    bits = decode(document["credentialSubject"]["encodedList"])
    return document, StatusList(node.actor, node.actor, purpose, bits, node.clock())


async def set_in(node: Node, purpose: Purpose) -> set[int]:
    """The indexes of the bits that are set in the first list."""
    found = (await served(node, purpose))[1]
    return {at for at in range(found.length) if found.is_set(at)}


# ── places ──


async def test_a_credential_names_the_same_place_in_both_lists(fr):
    """6.2: one index per doctor, revocation and suspension, at our own addresses."""
    marie = await fr.doctor("marie")
    found = await entries(marie)
    row = (await rows(fr.node, PLACES))[0]

    assert [
        ("revocation", "https://fr.example/vc/status/revocation/1", str(row["place"])),
        ("suspension", "https://fr.example/vc/status/suspension/1", str(row["place"])),
    ] == found
    assert 0 <= row["place"] < MIN_LENGTH


async def test_places_are_drawn_at_random_and_once(fr):
    """Neither the order of admission nor a neighbour can be read from them; nobody shares one."""

    async def draw(tx: Any) -> list[tuple[int, int]]:
        drawn = [await fr.node.own_status._allot(tx, Uri.parse(f"{fr.node.origin}/doctors/d{n}")) for n in range(64)]
        return [(int(row["list"]), int(row["place"])) for row in drawn]

    places = await fr.node.store.write(draw)
    indexes = [place for _, place in places]

    assert 64 == len(set(places))
    assert {1} == {number for number, _ in places}
    assert indexes != sorted(indexes)
    assert max(indexes) - min(indexes) > MIN_LENGTH // 4


async def test_a_place_is_drawn_again_where_it_is_taken(fr, monkeypatch):
    """Chance may hit a place that somebody has, or had: another is drawn."""
    drawn = iter([7, 7, 8])
    monkeypatch.setattr("instance.services.own_status.secrets.randbelow", lambda most: next(drawn))
    marie, paul = await fr.doctor("marie"), await fr.doctor("paul")

    assert {"7"} == {index for *_, index in await entries(marie)}
    assert {"8"} == {index for *_, index in await entries(paul)}


async def test_a_place_is_kept_over_renewals_and_new_keys(town, fr):
    """The bit must be found where siblings have known it since the first credential."""
    marie = await fr.doctor("marie")
    first = await entries(marie)
    town.clock.move(days=66)
    renewed = await fr.node.people.renew_due()
    second = await entries(marie)
    town.clock.move(minutes=1)
    await fr.node.people.rotate_keys("marie", **ORDER)
    third = await entries(marie)
    await fr.node.people.suspend("marie", **ORDER)
    await fr.node.people.reinstate("marie", **ORDER)

    assert 1 == renewed
    assert first == second == third == await entries(marie)
    assert 1 == len(await rows(fr.node, PLACES))


@pytest.mark.parametrize(("taken", "number"), [(FULL - 1, 1), (FULL, 2)])
async def test_a_second_list_is_opened_when_the_first_is_four_fifths_full(fr, taken, number):
    """While it is less, the first goes on; then the new list is there to be read, and empty."""
    change(
        fr,
        "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < ?) "
        "insert into status_places (list, place, doctor, allotted_at) select 1, i, 'made-up-' || i, 0 from n",
        taken,
    )
    marie = await fr.doctor("marie")

    assert FULL == int(MIN_LENGTH * 0.8)
    assert {f"https://fr.example/vc/status/{purpose}/{number}" for purpose in Purpose} == {
        address for _, address, _ in await entries(marie)
    }
    assert (await served(fr.node, Purpose.REVOCATION, number))[1].length == MIN_LENGTH
    with pytest.raises(NotFound):
        await fr.node.own_status.document("revocation", str(number + 1))


# ── bits ──


async def test_a_suspension_sets_one_bit_and_a_reinstatement_clears_it(fr):
    """Hers, in the list of suspensions alone."""
    marie, paul = await fr.doctor("marie"), await fr.doctor("paul")
    hers = {int(index) for *_, index in await entries(marie)}
    before = await set_in(fr.node, Purpose.SUSPENSION)
    await fr.node.people.suspend("marie", **ORDER)
    during = await set_in(fr.node, Purpose.SUSPENSION), await set_in(fr.node, Purpose.REVOCATION)
    await fr.node.people.reinstate("marie", **ORDER)

    assert (set(), (hers, set()), set()) == (before, during, await set_in(fr.node, Purpose.SUSPENSION))
    assert hers.isdisjoint(int(index) for *_, index in await entries(paul))


async def test_a_bit_and_the_standing_are_one_unit(fr):
    """What fails after the bit was set leaves neither: no bit, no standing, no version, no message."""
    marie = await fr.doctor("marie")
    sql = "select (select standing from doctors), (select value from versions where name = 'status'), suspended"
    sql += ", (select count(*) from deliveries) from status_places"
    before = [tuple(row) for row in await rows(fr.node, sql)]

    async def fails(tx: Any) -> None:
        await tx.run("people.set_standing", uri=marie.uri, standing="suspended", before="ok", now=1)
        assert await fr.node.own_status.suspend(tx, marie.uri)
        raise RuntimeError("made up")

    with pytest.raises(RuntimeError):
        await fr.node.store.write(fails)

    assert before == [tuple(row) for row in await rows(fr.node, sql)]
    assert set() == await set_in(fr.node, Purpose.SUSPENSION)
    await fr.node.people.suspend("marie", **ORDER)
    assert before != [tuple(row) for row in await rows(fr.node, sql)]


async def test_a_suspension_is_announced_by_the_lists_address_alone(fr):
    """Siblings learn that the list has changed, and not from us whose bit it is; a reinstatement names both."""
    marie = await fr.doctor("marie")
    await fr.node.people.suspend("marie", **ORDER)
    told = await announced(fr)
    await fr.node.people.reinstate("marie", **ORDER)

    assert ["https://fr.example/vc/status/suspension/1"] == told
    assert ["https://fr.example/vc/status/suspension/1", marie.uri] == (await announced(fr))[1:]


async def announced(place: Place) -> list[str]:
    """The objects of what the instance itself has to say, in order."""
    sql = f"select object from activities where actor = '{place.node.actor}' order by uri"
    return [row["object"] for row in await rows(place.node, sql)]


async def test_who_has_no_place_is_suspended_by_name(fr):
    """A credential from before there were lists: it is not shown any more, and siblings are asked to read her anew."""
    marie = await fr.doctor("marie")
    row = (await rows(fr.node, "select credential from doctors"))[0]
    bare = {name: value for name, value in json.loads(row["credential"]).items() if name != "credentialStatus"}
    change(fr, "update doctors set credential = ?", json.dumps(bare))
    change(fr, "delete from status_places")
    shown = (await fr.node.people.doctor_document("marie")).credential
    await fr.node.people.suspend("marie", **ORDER)

    assert bare == shown
    assert (await fr.node.people.doctor_document("marie")).credential is None
    assert [marie.uri] == await announced(fr)


async def test_who_has_no_place_is_given_one_at_once(town, fr):
    """After an upgrade: a young credential is renewed all the same, also one that ends with the verification."""
    marie, paul, anne = [await fr.doctor(handle) for handle in ("marie", "paul", "anne")]
    change(fr, "delete from status_places where doctor in (?, ?)", marie.uri, paul.uri)
    ends = to_ms(town.clock() + timedelta(days=30))
    change(fr, "update doctors set valid_until = ? where uri = ?", ends, paul.uri)
    change(fr, "update reverifications set due_at = ? where doctor = ?", ends, paul.uri)
    kept = await entries(anne)
    town.clock.move(minutes=1)
    renewed = await fr.node.people.renew_due()

    assert 2 == renewed
    assert {marie.uri, paul.uri, anne.uri} == {row["doctor"] for row in await rows(fr.node, PLACES)}
    assert kept == await entries(anne)
    assert 0 == await fr.node.people.renew_due()


# ── the signed list ──


async def test_a_list_has_its_form(fr):
    """6.2: 131,072 entries, a week, a quarter of an hour, this instance's signature; small."""
    await fr.doctor("marie")
    document, found = await served(fr.node, Purpose.SUSPENSION)
    subject = document["credentialSubject"]

    assert 131_072 == found.length
    assert ("suspension", 900_000) == (subject["statusPurpose"], subject["ttl"])
    assert "https://fr.example/vc/status/suspension/1#list" == subject["id"]
    assert (fr.node.actor, fr.node.keys.issuer_id) == (document["issuer"], document["proof"]["verificationMethod"])
    assert ("2026-11-23T12:00:00Z", "2026-11-30T12:00:00Z") == (document["validFrom"], document["validUntil"])
    assert len((await fr.node.own_status.document("suspension", "1"))[0]) < 2_000


async def test_a_list_is_signed_anew_on_change_and_after_six_hours(town, fr):
    """In between the same bytes are served, however often they are read."""
    await fr.doctor("marie")
    read = fr.node.own_status.document
    first = await read("suspension", "1")
    town.clock.move(hours=5, minutes=59)
    same = await read("suspension", "1")
    town.clock.move(minutes=1)
    anew = await read("suspension", "1")
    town.clock.move(minutes=1)
    await fr.node.people.suspend("marie", **ORDER)
    changed = await read("suspension", "1")

    assert first == same
    assert first[0] != anew[0]
    assert first[1] != anew[1]  # whoever asks with the old validator is answered with the new list
    assert "2026-11-23T18:00:00Z" == orjson.loads(anew[0])["validFrom"]
    assert "2026-11-23T18:01:00Z" == orjson.loads(changed[0])["validFrom"]


async def test_a_clock_that_is_set_back_signs_anew(fr):
    """A list from the future would be refused by every sibling."""
    await fr.doctor("marie")
    await fr.node.own_status.document("suspension", "1")
    clock = fr.network.clock
    assert isinstance(clock, MovedClock)
    clock.move(hours=-2)

    assert "2026-11-23T10:00:00Z" == (await served(fr.node, Purpose.SUSPENSION))[0]["validFrom"]


@pytest.mark.parametrize(
    ("purpose", "number"),
    [
        ("message", "1"), ("Suspension", "1"), ("", "1"), ("suspension", "2"), ("suspension", "0"), ("suspension", "01"),
        ("suspension", ""), ("suspension", "-1"), ("suspension", "¹"), ("suspension", "1" * 400), ("suspension", "١"),
    ],
)  # fmt: skip
async def test_what_is_no_list_is_not_there(fr, purpose, number):
    """One spelling for each list, and none beyond the newest."""
    await fr.doctor("marie")
    await fr.node.own_status.document("suspension", "1")
    with pytest.raises(NotFound):
        await fr.node.own_status.document(purpose, number)
