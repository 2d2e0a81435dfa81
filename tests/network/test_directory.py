"""The signed list of an instance's doctors, and who is found by it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from federation.uri import Uri
from federation.vocabulary import Collection
from instance.times import to_ms
from instance.views import doctors
from tests.network.scene import Liar, Visitor, refusals
from tests.network.test_people import found_at
from tests.town import Person, Place


@pytest.fixture
async def town(network):
    """France and Germany, each listing the other."""
    return await network("fr", "de")


async def test_a_doctor_nobody_has_met_is_found_by_name(town):
    """Who has never said anything is found once the sibling's list was read; twice a day nothing more is asked."""
    fr, de = town["fr"], town["de"]
    marie, _ = await fr.doctor("marie"), await de.doctor("anna")
    assert [] == await found_at(fr, marie, "anna")

    assert 1 == await fr.node.directories.poll_due()
    asked = len(town.contacts)

    assert ["anna@de.example"] == await found_at(fr, marie, "anna")
    assert 0 == await fr.node.directories.poll_due()
    assert asked == len(town.contacts)
    town.clock.move(hours=24)
    await de.doctor("bernd")
    await fr.node.directories.poll_due()
    assert ["bernd@de.example"] == await found_at(fr, marie, "bernd")


async def test_a_list_goes_on_where_it_was_broken_off(town, monkeypatch):
    """Pages of a few, few at a time, and a restart between: in the end everybody is found, and each was read once."""
    from instance.services import serving, sibling_directories

    monkeypatch.setattr(serving, "_DOCTORS", 3)
    monkeypatch.setattr(sibling_directories, "MOST", 2)
    fr, de = town["fr"], town["de"]
    marie = await fr.doctor("marie")
    for number in range(8):
        await de.doctor(f"anna{number}")
    for _ in range(7):
        await fr.node.directories.poll_due()
        await fr.reopen()
        town.clock.move(minutes=1)

    assert [f"anna{number}@de.example" for number in range(8)] == sorted(await _all(fr, marie))
    read = [contact.url for contact in town.contacts if "/doctors/anna" in contact.url and "?" not in contact.url]
    assert sorted(set(read)) == sorted(read)


async def _all(place: Place, reader: Person) -> list[str]:
    wanted = doctors.Wanted(country="DE")
    page = await doctors.find(place.node.store, reader.uri, wanted, to_ms(place.node.clock()))
    return [row.address for row in page.doctors]


@pytest.mark.parametrize("address", ["/directory", "/directory/a"])
async def test_the_list_is_for_siblings_alone(town, address):
    """Unsigned it is 401, to a browser too; nobody who is suspended stands on it."""
    fr = town["fr"]
    await fr.doctor("marie")
    for accept in ("application/activity+json", "text/html"):
        answer = await fr.request("GET", address, {"Host": fr.node.authority, "Accept": accept})
        assert 401 == answer.status
        assert b"marie" not in answer.body


async def test_the_suspended_stand_on_no_list(town):
    """Who is suspended is not listed; who is not, is."""
    fr, de = town["fr"], town["de"]
    marie, _, _ = await fr.doctor("marie"), await de.doctor("anna"), await de.doctor("bernd")
    await de.node.people.suspend("anna", "test", "test")
    await fr.node.directories.poll_due()

    assert ["bernd@de.example"] == await _all(fr, marie)


@pytest.mark.parametrize("lie", ["another's", "endless", "unbelievable", "too many"])
async def test_a_list_that_lies_makes_nobody_a_doctor(town, lie):
    """Another's doctors, pages without end, addresses of nobody: read with bounds, and nobody is believed for it."""
    fr, de = town["fr"], town["de"]
    marie, _ = await fr.doctor("marie"), await de.doctor("anna")

    def change(document: dict) -> dict:
        items: Sequence[str] = {
            "another's": ["https://it.example/doctors/gina", "https://fr.example/doctors/marie"],
            "unbelievable": ["https://de.example/doctors/noone", "https://de.example/actor"],
            "too many": [f"https://de.example/doctors/d{number}" for number in range(201)],
        }.get(lie, document["orderedItems"])
        ends = {"next": "https://de.example/directory"} if lie == "endless" else {}
        return {**document, "orderedItems": list(items), "totalItems": len(items), **ends}

    liar = Liar(de, "/directory", change)
    for _ in range(3):
        await fr.node.directories.poll_due()
        town.clock.move(minutes=1)
    liar.honest()

    assert (["anna@de.example"] if lie == "endless" else []) == await _all(fr, marie)
    assert len([contact for contact in town.contacts if "/directory" in contact.url]) <= 3
    assert [] == [contact.url for contact in town.contacts if "it.example" in contact.url]
    assert [] == await refusals(fr)


async def test_a_sibling_without_a_list_is_left_alone(town):
    """One that knows no such address answers 404, and is asked again the next day."""
    from federation.wire import Response

    fr, de = town["fr"], town["de"]
    await fr.doctor("marie")
    liar = Liar(de, "/directory", lambda _: Response(404, {}, b""))
    for _ in range(3):
        await fr.node.directories.poll_due()
        town.clock.move(minutes=20)
    liar.honest()

    assert 1 == len([contact for contact in town.contacts if "/directory" in contact.url])


async def test_reading_a_long_list_leaves_messages_their_half(town, monkeypatch):
    """Pages are asked for as well: of a list on which everybody is known, thirty a minute, and it goes on from there."""
    fr = town["fr"]
    asked: list[str] = []

    async def page(_sibling: object, after: str) -> Collection:
        asked.append(after)
        following = f"https://de.example/directory/d{len(asked) + 1000}" if len(asked) < 45 else None
        return Collection(
            id=Uri.parse("https://de.example/directory"), total=0,
            next=Uri.parse(following) if following else None,
        )  # fmt: skip

    monkeypatch.setattr(fr.node.directories, "_page", page)
    await fr.node.directories.poll_due()
    first = len(asked)
    town.clock.move(minutes=1)
    await fr.node.directories.poll_due()

    assert 30 == first
    assert [f"d{number}" for number in range(1030, 1045)] == asked[first:]


async def test_a_whole_address_leads_to_its_doctor_and_asks_nobody_twice(town):
    """Whoever is not known is looked up at that sibling, once; the twin: of nobody's address there is no page."""
    marie, _ = await town["fr"].doctor("marie"), await town["de"].doctor("anna")
    visitor = await Visitor.of(marie)
    first = await visitor.get("/colleagues?q=%40Anna%40de.example")
    asked = len(town.contacts)
    again = await visitor.get("/colleagues?q=anna%40de.example")
    after = len(town.contacts)
    nobody = await visitor.get("/colleagues?q=nobody%40de.example")

    assert (303, "/doctors/anna@de.example") == (first.status, first.headers["location"])
    assert (first.status, first.headers["location"]) == (again.status, again.headers["location"])
    assert asked == after
    assert 200 == nobody.status
