"""Reading while one's standing is in question: what is sent may wait, what is asked for is refused."""

from __future__ import annotations

from typing import Any

import pytest

from federation.signatures import Profile, sign
from federation.uri import Uri
from tests.doorway import a_create, says
from tests.network.scene import Liar, refusals, without_trace
from tests.town import Network, Person, Place, refused


async def reads(who: Person, at: Place, target: str, profile: Profile) -> Any:
    """A GET signed by a doctor."""
    key = await who.place.node.keys.signing_key(who.uri, profile)
    headers = sign("GET", Uri.parse(at.node.origin + target), None, key, profile, at.node.clock())
    return await at.request("GET", target, {**headers, "Accept": "application/activity+json"})


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("target", ["/doctors/marie", "/posts/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/doctors/marie/outbox"])
async def test_a_held_doctor_reads_nothing(town: Network, fr: Place, marie: Person, profile, target) -> None:
    """name_mismatch: 403 with its code for what is there and what is not; the record has it, nothing is stored.

    The twins: what the same doctor sends at that moment is taken in and waits; mended at home, she reads.
    """
    anna = await town["de"].doctor("anna")
    liar = Liar(town["de"], "/doctors/anna", lambda d: d | {"name": "Dr Somebody Else"})
    held = await says(anna, fr, a_create(anna))
    await without_trace(fr, lambda: reads(anna, fr, target, profile), 403, "name_mismatch", reads=2)
    liar.honest()
    town.clock.move(minutes=6)
    await town["de"].node.people.set_profile(anna.uri, "Mended.", ("en",), approves_followers=False)
    await town.settle()
    answer = await reads(anna, fr, target, profile)

    assert 202 == held.status
    assert (404 if "01ARZ" in target else 200) == answer.status, refused(answer)
    assert "name_mismatch" in await refusals(fr)
