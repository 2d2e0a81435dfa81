"""Who is a doctor now: suspension, expiry, renewal, names, credentials and keys of others, across instances."""

from __future__ import annotations

import json
from typing import Any

import pytest

from federation import render
from federation.keys import make_ed25519
from federation.uri import Uri
from instance.services.errors import Forbidden
from tests.doorway import a_create, a_post, an_act, kept, says
from tests.network.scene import Liar, Visitor, home_uri, without_trace
from tests.town import Network, refused, rows


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany, which list each other."""
    return await network("fr", "de")


async def test_a_suspended_doctor_is_silent_at_home_and_abroad(town, anna, fr):
    """A106: sessions end, nothing waiting leaves, nothing new can be written; after the push France refuses her key."""
    visitor = await Visitor.of(anna)
    await anna.posts("Never sent")
    await town["de"].node.people.suspend("anna", by="test", reason="test")
    await town.settle()

    assert 303 == (await visitor.get("/feed")).status
    assert ["Made-up case"] == await fr.titles()
    with pytest.raises(Forbidden):
        await anna.posts("Refused")
    await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 403, "suspended", reads=3)


async def test_a_reinstated_doctor_speaks_again(town, anna, fr):
    """The twin: a new credential, told to all, and her next case is read."""
    await town["de"].node.people.suspend("anna", by="test", reason="test")
    await town.settle()
    town.clock.move(minutes=2)
    await town["de"].node.people.reinstate("anna", by="test", reason="test")
    await town.settle()
    await anna.posts("Back again")
    await town.settle()

    assert "Back again" in await fr.titles()


async def test_a_hundred_and_one_days_without_renewal(town, anna, fr):
    """C2: past its end the credential opens nothing: home keeps back, abroad refuses; renewed, both open again."""
    await anna.posts("Waits")
    town.clock.move(days=101)
    await town.settle()

    assert ["Made-up case"] == await fr.titles()
    await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 403, "expired", reads=3)
    with pytest.raises(Forbidden):
        await anna.posts("Refused")


async def test_renewal_at_two_thirds_keeps_people_valid(town, anna, fr):
    """For 300 days, a look every day: never a gap, at home or abroad."""
    for day in range(0, 300, 10):
        town.clock.move(days=10)
        await town["de"].node.workers.housekeep()
        await fr.node.workers.housekeep()
        await town.settle()

        answer = await says(anna, fr, a_create(anna, a_post(anna, title=f"Day {day}")))

        assert 202 == answer.status, (day, refused(answer))
    ends = await rows(fr.node, f"select valid_until from doctors where uri = '{anna.uri}'")
    assert ends[0]["valid_until"] > town.clock().timestamp() * 1000


async def test_a_name_that_is_not_the_credentials_is_held_then_released(town, anna, fr):
    """name_mismatch: 202, held and unseen; mended at home and read anew, what waited appears; nothing is lost."""
    liar = Liar(town["de"], "/doctors/anna", lambda d: d | {"name": "Dr Somebody Else"})
    town.clock.move(minutes=2)
    await town["de"].node.people.suspend("anna", by="test", reason="test")
    await town["de"].node.people.reinstate("anna", by="test", reason="test")
    await town.settle()
    answer = await says(anna, fr, a_create(anna, a_post(anna, title="Held")))
    await town.settle()

    assert 202 == answer.status
    assert "Held" not in await fr.titles()
    assert ("Create", "held") in await kept(fr)
    liar.honest()
    town.clock.move(minutes=6)
    await town["de"].node.people.set_profile(anna.uri, "Mended.", ("en",), approves_followers=False)
    await town.settle()
    assert "Held" in await fr.titles()


async def test_the_credential_of_somebody_else_is_no_credential(town, anna, fr):
    """8.2: Berta's actor with Anna's credential in it, and with one by an issuer nobody pinned."""
    document = json.loads(render.doctor(await town["de"].node.people.doctor_document("anna")))
    berta = await town["de"].doctor("berta")
    liar = Liar(town["de"], "/doctors/berta", lambda d: d | {"doctorCredential": document["doctorCredential"]})

    await without_trace(
        fr, lambda: says(berta, fr, a_create(berta)), 403, "subject_mismatch", "actor_mismatch", "bad_proof", reads=3
    )
    liar.honest()
    carla = await town["de"].doctor("carla")
    foreign = Liar(
        town["de"], "/doctors/carla",
        lambda d: d | {"doctorCredential": d["doctorCredential"] | {"issuer": "https://evil.example/actor"}},
    )  # fmt: skip
    await without_trace(
        fr, lambda: says(carla, fr, a_create(carla)), 403, "issuer_not_home", "unknown_issuer", "bad_proof",
        "issuer_unknown", reads=3,
    )  # fmt: skip
    foreign.honest()


async def test_a_sibling_vouches_only_for_its_own_country(town, fr):
    """A126: a German instance that issues for an Italian doctor is refused where it may vouch for Germany alone."""
    from tests.town import rows as look

    await fr.node.siblings.remove("https://de.example", by="test", reason="test")
    await fr.admits(town["de"], countries=("AT",))
    anna = await town["de"].doctor("anna")

    await without_trace(fr, lambda: says(anna, fr, a_create(anna)), 403, "country_not_allowed", reads=3)
    assert [] == await look(fr.node, "select * from doctors where local = 0")


async def test_swapped_keys_are_not_the_credentials(town, fr):
    """actor_key_mismatch: the actor lists an Ed25519 key that the credential does not bind."""
    berta = await town["de"].doctor("berta")
    key = make_ed25519(Uri.parse(berta.uri + "#ed25519-key"), berta.uri)

    def swapped(document: dict[str, Any]) -> dict[str, Any]:
        mine = {
            "id": key.id, "type": "Multikey", "controller": berta.uri, "publicKeyMultibase": key.public().multikey,
        }  # fmt: skip
        return document | {"assertionMethod": [mine]}

    liar = Liar(town["de"], "/doctors/berta", swapped)
    await without_trace(fr, lambda: says(berta, fr, a_create(berta)), 403, "actor_key_mismatch", reads=3)
    liar.honest()


async def test_an_unverified_actor_of_a_listed_sibling_is_nobody(town, fr):
    """C2: without a credential: no post, no follow, no like, no reading; and nobody is sent to her."""
    marie = await fr.doctor("marie")
    berta = await town["de"].doctor("berta")
    liar = Liar(town["de"], "/doctors/berta", lambda d: {k: v for k, v in d.items() if k != "doctorCredential"})
    slug = await marie.posts("Ours")
    await town.settle()
    from federation.vocabulary import Follow, Like

    acts = [
        a_create(berta), an_act(berta, Follow, object=marie.uri), an_act(berta, Like, object=home_uri(fr, slug)),
    ]  # fmt: skip
    for act in acts:
        await without_trace(fr, lambda act=act: says(berta, fr, act), 403, "no_credential", reads=3)
    from instance.services.errors import Missing

    with pytest.raises(Missing):
        await fr.node.follows.ask(marie.uri, "berta@de.example")
    liar.honest()
    town.clock.move(minutes=6)

    assert 202 == (await says(berta, fr, a_create(berta))).status


async def test_a_doctor_who_lost_standing_is_not_sent_to(town, anna, fr):
    """C2: once France knows, no follow and no named case goes to her."""
    marie = await fr.doctor("marie")
    await town["de"].node.people.suspend("anna", by="test", reason="test")
    await town.settle()
    from instance.services.errors import Missing, Rejected

    with pytest.raises(Missing):
        await marie.follows(anna)
    with pytest.raises(Rejected, match="named_unknown"):
        await marie.posts("For her", audience="named", named=(anna.address,))
