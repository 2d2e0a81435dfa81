"""Pairing over the wire: two fresh instances become siblings by their administrators, or do not."""

from __future__ import annotations

from typing import Any

import pytest

from federation.pairing import State
from instance.services.errors import Rejected
from tests.network.pairing_scene import (
    CLI,
    DE,
    FR,
    administrator,
    asked,
    confirms,
    fingerprint,
    here,
    lists,
)
from tests.town import Network, Place, refused, rows


@pytest.fixture
async def pair(network: Any) -> tuple[Network, Place, Place]:
    """France and Germany, which list nobody."""
    town = await network("fr", "de", introduced=False)
    return town, town["fr"], town["de"]


async def record_of(place: Place) -> list[tuple[str, str]]:
    """Acts and who did them, in their order."""
    return [tuple(row) for row in await rows(place.node, "select act, by_whom from sibling_changes order by id")]


async def log_of(place: Place) -> list[str]:
    """What the audit log says of pairings and siblings."""
    import json

    entries = [json.loads(row["entry"]) for row in await rows(place.node, "select entry from audit order by n")]
    return [entry["act"] for entry in entries if entry["act"].startswith(("pairing.", "sibling."))]


async def test_two_fresh_instances_become_siblings(pair: Any) -> None:
    """Invited, requested with the same fingerprint, confirmed here and there; then each lists the other, and speaks."""
    town, fr, de = pair
    invited = await fr.node.pairings.invite(DE, CLI)
    await town.settle()
    request = await here(de, fr)
    before = lists(fr), lists(de), request.read_at
    await de.node.pairings.read(request.id, CLI)
    one = await confirms(fr, de)
    await town.settle()
    between = lists(fr), lists(de), (await here(de, fr)).state
    other = await confirms(de, fr, countries=("FR",))
    after_de = lists(de)
    await town.settle()
    marie, anna = await fr.doctor("marie"), await de.doctor("anna")
    await marie.follows(anna)
    await marie.posts("Syncope after exercise")
    await town.settle()

    assert (State.INVITED, State.REQUESTED) == (invited.state, request.state)
    assert await fingerprint(fr) == request.fingerprint
    assert ("Instance fr", "FR") == (request.found.name, request.found.country)
    assert ([], [], None) == before
    assert State.CONFIRMED_HERE == one.state
    assert ([], [], State.CONFIRMED_THERE) == between
    assert (State.ACTIVE, [FR]) == (other.state, after_de)
    assert ([DE], [FR]) == (lists(fr), lists(de))
    assert State.ACTIVE == (await here(fr, de)).state
    assert frozenset({"FR"}) == de.node.allowlist().siblings[FR].may_issue_for
    assert ["Syncope after exercise"] == await de.titles()
    assert ("", "") == ((await here(fr, de)).owed, (await here(de, fr)).owed)


async def test_every_act_is_on_the_record(pair: Any) -> None:
    """A line of the allowlist's record and an entry of the audit log each, on both sides."""
    town, fr, de = pair
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    await confirms(de, fr, countries=("FR",))
    await town.settle()

    assert [
        ("pairing_read", CLI), ("pairing_confirmed_there", f"{FR}/actor"), ("pairing_confirm", CLI), ("add", CLI),
    ] == await record_of(de)  # fmt: skip
    assert [
        ("pairing_invite", CLI), ("pairing_confirm", CLI), ("pairing_confirmed_there", f"{DE}/actor"), ("add", CLI),
    ] == await record_of(fr)  # fmt: skip
    assert ["pairing.read", "pairing.confirmed_there", "pairing.confirmed", "sibling.admitted"] == await log_of(de)
    assert ["pairing.invited", "pairing.confirmed", "pairing.confirmed_there", "sibling.admitted"] == await log_of(fr)


async def test_a_request_is_read_by_nobodys_doing(pair: Any) -> None:
    """A22: what arrives contacts nobody; its home is read once an administrator opens it."""
    town, fr, de = pair
    await fr.node.pairings.invite(DE, CLI)
    town.contacts.clear()
    await town.settle()
    arrived = [(contact.method, contact.url) for contact in town.contacts]
    with pytest.raises(Rejected, match="pairing_not_read"):
        await confirms(de, fr)
    town.contacts.clear()
    await de.node.pairings.read((await here(de, fr)).id, CLI)

    assert [("POST", f"{DE}/siblings/fr.example/pairing")] == arrived
    assert [("GET", f"{FR}/actor")] == [(contact.method, contact.url) for contact in town.contacts]


@pytest.mark.parametrize("who", ["fr", "de"])
async def test_either_says_no(pair: Any, who: str) -> None:
    """The one that asked takes it back, the other declines; both learn it, and nobody is admitted."""
    town, fr, de = pair
    await asked(town, fr, de)
    await confirms(fr, de)
    await town.settle()
    one, other = (fr, de) if who == "fr" else (de, fr)
    ended = await one.node.pairings.decline((await here(one, other)).id, "not_agreed", CLI)
    await town.settle()
    heard = await here(other, one)

    assert ended.state == heard.state
    assert (State.WITHDRAWN if who == "fr" else State.DECLINED) == ended.state
    assert ("not_agreed", "over_there") == (ended.reason, heard.reason)
    assert ([], []) == (lists(fr), lists(de))
    with pytest.raises(Rejected, match="pairing_over"):
        await confirms(other, one)


async def test_nobody_answers(pair: Any) -> None:
    """After seven days both sides give up, and it can be begun anew."""
    town, fr, de = pair
    await asked(town, fr, de)
    town.clock.move(days=7, seconds=1)
    with pytest.raises(Rejected, match="pairing_over"):
        await confirms(de, fr)
    for place in (fr, de):
        await place.node.pairings.sweep()
    over = (await here(fr, de)).state, (await here(de, fr)).state, (await here(fr, de)).reason
    await asked(town, fr, de)

    assert (State.EXPIRED, State.EXPIRED, "unanswered") == over
    assert State.REQUESTED == (await here(de, fr)).state


async def test_the_setting_says_how_long(network: Any, tmp_path: Any) -> None:
    """`pairing_days` of each side counts there."""
    town = await network("fr", introduced=False)
    de = await town.add(tmp_path, "de", pairing_days=2)
    await asked(town, town["fr"], de)
    town.clock.move(days=2, seconds=1)
    await de.node.pairings.sweep()
    await town["fr"].node.pairings.sweep()

    assert State.EXPIRED == (await here(de, town["fr"])).state
    assert State.INVITED == (await here(town["fr"], de)).state


async def test_both_invite_each_other(pair: Any) -> None:
    """The two invitations are one pairing, whoever's arrives first."""
    town, fr, de = pair
    await fr.node.pairings.invite(DE, CLI)
    await de.node.pairings.invite(FR, CLI)
    await town.settle()
    names = (await here(fr, de)).name, (await here(de, fr)).name
    await confirms(fr, de)
    await confirms(de, fr, countries=("FR",))
    await town.settle()

    assert names[0] == names[1]
    assert ([DE], [FR]) == (lists(fr), lists(de))


# ── the fingerprint ──


async def test_the_fingerprint_is_typed_as_people_type(pair: Any) -> None:
    """Spaces, hyphens, capitals and the missing prefix are forgiven; one other digit is not."""
    town, fr, de = pair
    await asked(town, fr, de)
    digits = (await fingerprint(fr)).removeprefix("sha256:")
    spaced = " ".join(digits[at : at + 4].upper() for at in range(0, 64, 4))
    other = ("0" if digits[0] != "0" else "1") + digits[1:]
    request = await here(de, fr)
    for wrong in (other, digits[:-1], "", await fingerprint(de)):
        with pytest.raises(Rejected, match="fingerprint_differs"):
            await de.node.pairings.confirm(request.id, wrong, ("FR",), CLI)
    counted = await here(de, fr)
    after = await de.node.pairings.confirm(request.id, spaced, ("FR",), CLI)

    assert (State.REQUESTED, 4) == (counted.state, counted.wrong)
    assert State.CONFIRMED_HERE == after.state


async def test_the_fifth_wrong_one_ends_it(pair: Any) -> None:
    """Whoever guesses, or is talked into something, ends it for both; the right one comes too late."""
    town, fr, de = pair
    await asked(town, fr, de)
    request, codes = await here(de, fr), []
    for number in range(5):
        with pytest.raises(Rejected) as refusal:
            await de.node.pairings.confirm(request.id, f"{number:064}", ("FR",), CLI)
        codes.append(refusal.value.code)
    await town.settle()
    with pytest.raises(Rejected, match="pairing_over"):
        await confirms(de, fr)

    assert ["fingerprint_differs"] * 4 + ["pairing_ended"] == codes
    assert ("declined", "wrong_fingerprint") == ((await here(de, fr)).state, (await here(de, fr)).reason)
    assert State.DECLINED == (await here(fr, de)).state


# ── two people ──


async def test_one_of_two_is_not_enough(pair: Any) -> None:
    """The first proposes, the same one again changes nothing, the second confirms; each has typed the fingerprint."""
    town, fr, de = pair
    ada, ben = await administrator(de, "ada"), await administrator(de, "ben")
    await asked(town, fr, de)
    proposed = await confirms(de, fr, ada, ("FR",))
    await confirms(fr, de)
    await town.settle()
    with pytest.raises(Rejected) as again:
        await confirms(de, fr, ada, ("FR",))
    between = lists(de), lists(fr)
    done = await confirms(de, fr, ben, ("FR",))
    await town.settle()

    assert (State.REQUESTED, ada.id) == (proposed.state, proposed.proposed_by)
    assert ("same_person", 403) == (again.value.code, again.value.status)
    assert ([], []) == between
    assert (State.ACTIVE, ben.id) == (done.state, done.confirmed_by)
    assert ([DE], [FR]) == (lists(fr), lists(de))
    assert ("add", ben.id) == (await record_of(de))[-1]


async def test_the_second_may_only_take_countries_away(pair: Any) -> None:
    """What the first has not proposed one person would open alone; fewer is fine."""
    town, fr, de = pair
    ada, ben = await administrator(de, "ada"), await administrator(de, "ben")
    await asked(town, fr, de)
    await confirms(de, fr, ada, ("FR", "BE"))
    with pytest.raises(Rejected) as refusal:
        await confirms(de, fr, ben, ("FR", "IT"))
    between = await here(de, fr)
    done = await confirms(de, fr, ben, ("FR",))

    assert ("bad_country", "countries") == (refusal.value.code, refusal.value.field)
    assert (State.REQUESTED, {"FR", "BE"}) == (between.state, set(between.countries))
    assert (State.CONFIRMED_HERE, ("FR",)) == (done.state, done.countries)


async def test_whom_the_first_has_appointed_is_no_second(pair: Any) -> None:
    """Two accounts of one hand are not two people."""
    town, fr, de = pair
    ada = await administrator(de, "ada")
    eve = await administrator(de, "eve", inviter="ada")
    await asked(town, fr, de)
    await confirms(de, fr, ada, ("FR",))
    with pytest.raises(Rejected) as refusal:
        await confirms(de, fr, eve, ("FR",))

    assert ("same_inviter", 403) == (refusal.value.code, refusal.value.status)
    assert State.REQUESTED == (await here(de, fr)).state


async def test_a_proposal_is_forgotten(pair: Any) -> None:
    """A proposer who works here no longer, or a proposal of last week, makes nobody the second."""
    town, fr, de = pair
    ada, ben, cyd = [await administrator(de, login) for login in ("ada", "ben", "cyd")]
    await asked(town, fr, de)
    await confirms(de, fr, ada, ("FR",))
    await de.node.staff.end(ada.id, by="test", reason="left")
    mine = await confirms(de, fr, ben, ("FR",))
    done = await confirms(de, fr, cyd, ("FR",))

    assert (State.REQUESTED, ben.id) == (mine.state, mine.proposed_by)
    assert State.CONFIRMED_HERE == done.state


async def test_where_there_is_one_the_other_side_is_the_second(pair: Any) -> None:
    """One administrator on each side: two people have confirmed."""
    town, fr, de = pair
    ada, paul = await administrator(de, "ada"), await administrator(fr, "paul")
    await fr.node.pairings.invite(DE, paul)
    await town.settle()
    await de.node.pairings.read((await here(de, fr)).id, ada)
    await confirms(fr, de, paul)
    await confirms(de, fr, ada, ("FR",))
    await town.settle()

    assert ([DE], [FR]) == (lists(fr), lists(de))


# ── what is asked of an address ──


@pytest.mark.parametrize(
    ("origin", "code"),
    [("https://fr.example", "own_origin"), ("http://de.example", "bad_origin"), ("https://it.example", "not_reached"),
     ("http://de.localhost:8001", "loopback_not_allowed")],
)  # fmt: skip
async def test_whom_nobody_can_invite(pair: Any, origin: str, code: str) -> None:
    """Nothing is kept of it."""
    _, fr, _ = pair
    with pytest.raises(Rejected, match=code):
        await fr.node.pairings.invite(origin, CLI)

    assert [] == await fr.node.pairings.open()


async def test_nobody_is_asked_twice(pair: Any) -> None:
    """While one waits there is no second, and a sibling is not invited; one that was removed is."""
    town, fr, de = pair
    await asked(town, fr, de)
    with pytest.raises(Rejected, match="pairing_waits"):
        await fr.node.pairings.invite(DE, CLI)
    await confirms(fr, de)
    await confirms(de, fr, countries=("FR",))
    await town.settle()
    with pytest.raises(Rejected, match="already_a_sibling"):
        await fr.node.pairings.invite(DE, CLI)
    for place, other in ((fr, DE), (de, FR)):
        await place.node.siblings.remove(other, by="test", reason="left")
    await asked(town, fr, de)

    assert State.REQUESTED == (await here(de, fr)).state


async def test_whom_the_other_lists_still_is_told(pair: Any) -> None:
    """One side removed the other and asks again: it is told, and nothing changes there."""
    town, fr, de = pair
    await de.admits(fr)
    await fr.node.pairings.invite(DE, CLI)
    await town.settle()
    ended = await here(fr, de)

    assert (State.EXPIRED, "sibling_already") == (ended.state, ended.last_code)
    assert [] == await de.node.pairings.open()
    assert [FR] == lists(de)


async def test_a_page_at_the_address_is_not_there(pair: Any) -> None:
    """It takes messages and shows nothing."""
    _, fr, _ = pair
    answer = await fr.request(
        "GET", "/siblings/de.example/pairing", {"Host": "fr.example", "Accept": "application/json"}
    )

    assert (404, "not_found") == refused(answer)
