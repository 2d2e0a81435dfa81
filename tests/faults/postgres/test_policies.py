"""Two processes on one database: what an administrator takes away in one ends in the other with the next request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from instance.services.errors import Rejected
from tests.instance.pages.house import OWN_PAGE
from tests.instance.students import READ, administrators, lets, student
from tests.town import PASSWORD, Place
from verification.dossier import Country
from verification.overlay import Period, PolicyReason

pytestmark = [pytest.mark.faults, pytest.mark.postgres, pytest.mark.xdist_group("postgres")]


@pytest.fixture
async def fr(network: Any) -> Place:
    """France, alone, with two administrators."""
    place: Place = (await network("fr"))["fr"]
    await administrators(place.node)
    return place


async def test_a_student_reads_in_no_process_once_the_role_is_off(fr: Place) -> None:
    """Warm in both, the feed as a page and as a document: closed at once, and open again at once."""
    await lets(fr.node, READ)
    await student(fr.node)
    token = (await fr.node.people.sign_in("sophie", PASSWORD, "127.0.0.1")).token
    headers = {"Host": "fr.example", "Cookie": f"__Host-session={token}", **OWN_PAGE}
    other = await Place.open(fr.network, "fr", fr.config)

    async def asked() -> list[int]:
        places, paths = (fr, other), ("/feed", "/api/feed")
        return [(await each.request("GET", path, headers)).status for each in places for path in paths]

    try:
        before = await asked()
        await lets(fr.node)
        after = await asked()
        await lets(other.node, READ)
        again = await asked()
    finally:
        await other.node.close()

    assert ([200] * 4, [403] * 4, [200] * 4) == (before, after, again)


async def test_two_narrowings_at_once_are_both_kept_or_one_is_told(fr: Place) -> None:
    """Of two made from one version one wins, and nothing of what it took away is given back by the other."""
    ada = await fr.node.staff.of(next(each.id for each in await fr.node.staff.list() if each.login == "ada"))
    done = await asyncio.gather(
        *(
            fr.node.policies.change("FR", Period(name=name, months=3), PolicyReason.RULES_CHANGED, ada, seen=0)
            for name in ("resident", "retired")
        ),
        return_exceptions=True,
    )
    await fr.node.policies.look()
    validity = fr.node.policies.effective()[Country("FR")].validity

    assert ["policy_changed"] == [each.code for each in done if isinstance(each, Rejected)]
    assert 1 == [validity.resident, validity.retired].count(3)
