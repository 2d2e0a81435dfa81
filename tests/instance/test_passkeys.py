"""Passkeys: how one is made and shown, and beside it what is not taken."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instance.services import passkeys
from instance.services.accounts import Stage
from instance.services.passkeys import NotShown, Party
from instance.services.second_factor import MAX_PASSKEYS
from tests.factors import PRESENT, device_of, enrolment
from tests.instance.factor_house import code_of, enter, fr, shown, with_passkey
from tests.town import rows

__all__ = ["fr"]


async def test_a_passkey_opens(fr):
    """Made by one device, shown by it: the session is whole, and the list says when it was used."""
    device = await with_passkey(fr)
    half = await enter(fr)
    whole = await shown(fr, half, credential=device.show(await fr.node.factors.ask(half)))
    listed = (await fr.node.factors.of(whole.account_id)).passkeys

    assert Stage.SECOND_STEP == half.stage
    assert [("Phone", fr.network.clock())] == [(one.label, one.last_used_at) for one in listed]
    assert ['["internal"]'] == [row["transports"] for row in await rows(fr.node, "select transports from passkeys")]


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "https://fr.example.evil.example"}, {"origin": "http://fr.example"}, {"rp_id": "example"},
        {"rp_id": "de.example"}, {"flags": PRESENT}, {"flags": 0x04}, {"flags": 0},
    ],
)  # fmt: skip
async def test_a_passkey_of_another_page_or_without_its_person_is_none(fr, change):
    """Wrong origin, wrong relying party, nobody there or nobody known to the device: neither made nor shown."""
    bad = device_of(fr.node, **change)
    session = await enter(fr)
    made = bad.make(await fr.node.factors.ask_for_new(session))
    refused = await code_of(fr.node.factors.add_passkey(session, made, ""))
    good = await with_passkey(fr)
    half = await enter(fr)
    thief = device_of(fr.node, **change, key=good.key, id=good.id, count=7)

    assert "passkey_not_made" == refused
    assert "factor_wrong" == await code_of(shown(fr, half, credential=thief.show(await fr.node.factors.ask(half))))
    assert await shown(fr, half, credential=good.show(await fr.node.factors.ask(half)))


async def test_a_challenge_is_answered_once(fr):
    """A112: the same answer again, in the same or another half session, opens nothing."""
    device = await with_passkey(fr, counts=False)
    half, other = await enter(fr), await enter(fr)
    answer = device.show(await fr.node.factors.ask(half))
    await fr.node.factors.ask(other)
    await shown(fr, half, credential=answer)
    late = await enter(fr)

    assert "factor_wrong" == await code_of(shown(fr, other, credential=answer))
    assert "challenge_stale" == await code_of(shown(fr, late, credential=answer))


async def test_a_wrong_answer_uses_the_challenge_up(fr):
    """Nobody tries twice at one challenge."""
    device = await with_passkey(fr)
    half = await enter(fr)
    options = await fr.node.factors.ask(half)
    await code_of(shown(fr, half, credential="{}"))

    assert "challenge_stale" == await code_of(shown(fr, half, credential=device.show(options)))


async def test_a_challenge_has_five_minutes(fr):
    """Until then it is answered; after that it is stale, when making a passkey as well, and that is no failure."""
    device = await with_passkey(fr)
    half = await enter(fr)
    options = await fr.node.factors.ask(half)
    fr.network.clock.move(minutes=5)
    codes = [await code_of(shown(fr, half, credential=device.show(options)))]
    whole = await shown(fr, half, credential=device.show(await fr.node.factors.ask(half)))
    asked = await fr.node.factors.ask_for_new(whole)
    fr.network.clock.move(minutes=5)
    codes.append(await code_of(fr.node.factors.add_passkey(whole, device_of(fr.node).make(asked), "")))

    assert ["challenge_stale"] * 2 == codes
    assert [] == await rows(fr.node, "select * from sign_in_failures")
    assert 0 == await fr.node.factors.sweep()


async def test_a_challenge_for_making_is_none_for_showing(fr):
    """Each purpose has its own."""
    device = await with_passkey(fr)
    half = await enter(fr)
    await fr.node.factors.ask(half)
    options = await fr.node.factors.ask_for_new(half)

    assert "factor_wrong" == await code_of(shown(fr, half, credential=device.show(options)))


async def test_another_accounts_passkey_is_wrong(fr):
    """A good signature for this very challenge, by somebody else's device."""
    await with_passkey(fr)
    other = await with_passkey(fr, "ada")
    half = await enter(fr)

    assert "factor_wrong" == await code_of(shown(fr, half, credential=other.show(await fr.node.factors.ask(half))))
    ada = await enter(fr, "ada")
    assert await shown(fr, ada, credential=other.show(await fr.node.factors.ask(ada)))


async def test_a_count_that_does_not_rise_is_a_copy(fr):
    """Two devices with one key: the one that is behind is refused; devices that never count are not concerned."""
    device = await with_passkey(fr)
    copy = device_of(fr.node, key=device.key, id=device.id)
    for _ in range(2):
        half = await enter(fr)
        await shown(fr, half, credential=device.show(await fr.node.factors.ask(half)))
    half = await enter(fr)
    behind = await code_of(shown(fr, half, credential=copy.show(await fr.node.factors.ask(half))))
    quiet = await with_passkey(fr, "ada", counts=False)
    for _ in range(2):
        ada = await enter(fr, "ada")
        assert await shown(fr, ada, credential=quiet.show(await fr.node.factors.ask(ada)))

    assert "factor_wrong" == behind


async def test_a_passkey_is_added_to_one_account_alone(fr):
    """Somebody else's passkey cannot be claimed, nor the own one twice."""
    device = await with_passkey(fr)
    ada = await enter(fr, "ada")
    ada = await fr.node.people.entered(
        await fr.node.factors.open_enrolment(ada, await enrolment(fr.node, ada.account_id))
    )
    taken = await code_of(fr.node.factors.add_passkey(ada, device.make(await fr.node.factors.ask_for_new(ada)), ""))

    assert "passkey_not_made" == taken
    assert 1 == len(await rows(fr.node, "select id from passkeys"))


async def test_ten_passkeys_are_enough(fr):
    """The eleventh is refused; no answer is kept."""
    session = await enter(fr)
    for _ in range(MAX_PASSKEYS):
        made = device_of(fr.node).make(await fr.node.factors.ask_for_new(session))
        session = await fr.node.people.session((await fr.node.factors.add_passkey(session, made, "")).token)
    made = device_of(fr.node).make(await fr.node.factors.ask_for_new(session))

    assert "too_many_passkeys" == await code_of(fr.node.factors.add_passkey(session, made, ""))
    assert MAX_PASSKEYS == len(await rows(fr.node, "select id from passkeys"))


PARTY = Party("https://fr.example", "Instance fr")
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "attestationObject", "signature", "authenticatorData", "transports"]), inner, max_size=6), max_leaves=12)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON.map(json.dumps) | st.text(max_size=60) | st.just("[" * 9_000) | st.just("x" * 30_000))
def test_whatever_a_browser_sends_is_a_passkey_or_none(answer):
    """No answer brings about anything but NotShown, in making, in naming and in showing."""
    row = {"public_key": b"\xa0", "sign_count": 0}
    for look in (
        lambda: passkeys.made(PARTY, answer, b"c" * 32),
        lambda: passkeys.shown(PARTY, answer, b"c" * 32, row),
    ):
        with pytest.raises(NotShown):
            look()
    try:
        assert isinstance(passkeys.id_of(answer), bytes)
    except NotShown:
        pass


def test_passkeys_are_for_the_host_of_the_origin():
    """Without scheme and port, and for nothing that is no origin."""
    assert "fr.localhost" == Party("http://fr.localhost:8001", "").id
    with pytest.raises(ValueError):
        _ = Party("fr.example", "").id
