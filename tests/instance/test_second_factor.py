"""Second factors: each way to show one, and beside it what is not taken."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from instance.services import passkeys
from instance.services.accounts import Stage
from instance.services.errors import Missing, Rejected
from instance.services.factor_showing import FactorNeeded, Shown, is_fresh
from instance.services.passkeys import NotShown, Party
from instance.services.people import NewDoctor
from instance.services.second_factor import MAX_PASSKEYS
from tests.factors import PRESENT, add_app, code, device_of, enrolment, let_enrol
from tests.town import PASSWORD, rows


@pytest.fixture
async def fr(network) -> Any:
    """One instance with Marie, a doctor, and Ada, who administers it."""
    place = (await network("fr"))["fr"]
    await place.doctor("marie")
    await place.node.people.add_doctor(
        NewDoctor(
            handle="ada", name="Dr Ada Min", role="specialist", country="FR", specialties=("cardiology",),
            password=PASSWORD, roles=("administrator",),
        ),
        by="test",
    )  # fmt: skip
    return place


async def enter(fr: Any, login: str = "marie") -> Any:
    """Show the password; return the session it gives."""
    begun = await fr.node.people.sign_in(login, PASSWORD, "127.0.0.1", "Firefox, Linux")
    return await fr.node.people.entered(begun.token)


async def with_app(fr: Any, login: str = "marie") -> tuple[str, tuple[str, ...]]:
    """Give somebody an app; return its secret and the recovery codes. Half a minute later it shows another code."""
    begun = await fr.node.people.sign_in(login, PASSWORD, "127.0.0.1", "")
    _, secret, codes = await add_app(fr.node, begun.token)
    fr.network.clock.move(seconds=60)
    return secret, codes


async def with_passkey(fr: Any, login: str = "marie", **changes: Any) -> Any:
    """Give somebody a passkey; return the device."""
    device, begun = device_of(fr.node, **changes), await fr.node.people.sign_in(login, PASSWORD, "127.0.0.1", "")
    session = await fr.node.people.entered(await let_enrol(fr.node, begun.token))
    await fr.node.factors.add_passkey(session, device.make(await fr.node.factors.ask_for_new(session)), "Phone")
    return device


async def code_of(attempt: Any) -> str:
    """The code an attempt is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    return refused.value.code


async def shown(fr: Any, session: Any, **what: str) -> Any:
    """Show a factor; return the session that goes on."""
    return await fr.node.people.session((await fr.node.factors.show(session, Shown(**what))).token)


# ── the two steps ──


async def test_the_password_alone_opens_nothing_but_the_second_step(fr):
    """Whoever has a factor and shows the password alone has no session anywhere in the product."""
    await with_app(fr)
    begun = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")

    assert Stage.SECOND_STEP == begun.stage
    assert await fr.node.people.session(begun.token) is None
    assert Stage.SECOND_STEP == (await fr.node.people.entered(begun.token)).stage


async def test_without_a_factor_the_password_is_enough_for_a_doctor(fr):
    """The twin: nothing changes for whoever has none."""
    begun = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")

    assert Stage.WHOLE == begun.stage
    assert (await fr.node.people.session(begun.token)).factor_at is None


async def test_staff_without_a_factor_can_do_nothing_but_enrol_one(fr):
    """A role and no factor: no session, until one is enrolled; then the same session is whole."""
    begun = await fr.node.people.sign_in("ada", PASSWORD, "127.0.0.1", "")
    before = await fr.node.people.session(begun.token)
    token, _, codes = await add_app(fr.node, begun.token)

    assert (Stage.ENROL, None) == (begun.stage, before)
    assert ("administrator",) == (await fr.node.people.session(token)).roles
    assert 10 == len(set(codes))
    assert await fr.node.people.entered(begun.token) is None


async def test_the_second_step_has_ten_minutes(fr):
    """A half session that is left alone is gone, also for the right code."""
    secret, _ = await with_app(fr)
    begun = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    session = await fr.node.people.entered(begun.token)
    fr.network.clock.move(minutes=10)

    assert await fr.node.people.entered(begun.token) is None
    assert await fr.node.people.sweep() >= 1
    assert "not_signed_in" == await code_of(shown(fr, session, code=code(secret, fr.network.clock())))


async def test_a_second_step_gives_a_new_token_and_the_old_one_is_dead(fr):
    """Whoever saw the first cookie has nothing (session fixation); the life of the session begins here."""
    secret, _ = await with_app(fr)
    begun = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    half = await fr.node.people.entered(begun.token)
    renewed = await fr.node.factors.show(half, Shown(code=code(secret, fr.network.clock())))
    whole = await fr.node.people.session(renewed.token)

    assert await fr.node.people.entered(begun.token) is None
    assert begun.csrf != whole.csrf
    assert 30 == (whole.expires_at - fr.network.clock()).days
    assert fr.network.clock() == whole.factor_at


# ── codes of an app ──


@pytest.mark.parametrize("step", [-1, 0, 1])
async def test_a_code_of_the_step_before_and_after_is_taken(fr, step):
    """Clocks of phones are half a minute off."""
    secret, _ = await with_app(fr)

    assert await shown(fr, await enter(fr), code=code(secret, fr.network.clock(), step))


@pytest.mark.parametrize("step", [-2, 2])
async def test_a_code_further_away_is_not(fr, step):
    """The twin: a minute off is too much."""
    secret, _ = await with_app(fr)

    assert "factor_wrong" == await code_of(shown(fr, await enter(fr), code=code(secret, fr.network.clock(), step)))


async def test_a_code_is_taken_once_and_none_before_it_after_it(fr):
    """A112: a code that was seen over a shoulder is worth nothing, nor is the one before it."""
    secret, _ = await with_app(fr)
    now = fr.network.clock()
    await shown(fr, await enter(fr), code=code(secret, now))
    again = [await code_of(shown(fr, await enter(fr), code=code(secret, now, step))) for step in (0, -1)]

    assert ["factor_wrong"] * 2 == again
    assert await shown(fr, await enter(fr), code=code(secret, now, 1))


async def test_the_code_that_added_the_app_is_not_taken_again(fr):
    """The first code counts as shown."""
    begun = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    _, secret, _ = await add_app(fr.node, begun.token)

    assert "factor_wrong" == await code_of(shown(fr, await enter(fr), code=code(secret, fr.network.clock())))


async def test_of_two_who_show_one_code_at_once_one_is_let_in(fr):
    """The step is taken in the transaction that makes the session whole."""
    secret, _ = await with_app(fr)
    halves = [await enter(fr) for _ in range(4)]
    digits = code(secret, fr.network.clock())
    found = await asyncio.gather(*(shown(fr, half, code=digits) for half in halves), return_exceptions=True)

    assert 1 == len([one for one in found if not isinstance(one, Exception)])


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "１２３４５６", "0" * 10_000, "x\x00y"])
async def test_what_is_no_code_is_wrong(fr, typed):
    """Whatever is typed, the answer is the same."""
    await with_app(fr)

    assert "factor_wrong" == await code_of(shown(fr, await enter(fr), code=typed.replace("\x00", "")))


async def test_another_accounts_code_is_wrong(fr):
    """A code proves whose secret it is from."""
    await with_app(fr)
    other, _ = await with_app(fr, "ada")

    assert "factor_wrong" == await code_of(shown(fr, await enter(fr), code=code(other, fr.network.clock())))


async def test_five_wrong_ones_and_the_account_waits(fr):
    """Each new sign-in counts on: the sixth is refused even if right, a quarter of an hour later it opens again."""
    secret, _ = await with_app(fr)
    codes = [await code_of(shown(fr, await enter(fr), code="000000")) for _ in range(5)]
    sixth = await code_of(shown(fr, await enter(fr), code=code(secret, fr.network.clock())))
    fr.network.clock.move(minutes=15, seconds=1)

    assert ["factor_wrong"] * 5 == codes
    assert "too_many_attempts" == sixth
    assert await shown(fr, await enter(fr), code=code(secret, fr.network.clock()))


async def test_a_burst_of_guesses_is_counted_before_it_is_answered(fr):
    """Guesses at the same moment do not slip through."""
    await with_app(fr)
    half = await enter(fr)
    codes = await asyncio.gather(*(code_of(shown(fr, half, code=f"{n:06}")) for n in range(12)))

    assert (5, 7) == (codes.count("factor_wrong"), codes.count("too_many_attempts"))


async def test_the_secret_lies_sealed_and_for_its_row_alone(fr):
    """Whoever reads the rows cannot show codes; a secret put into another row opens nothing."""
    secret, _ = await with_app(fr)
    kept = await rows(fr.node, "select id, secret from totp")
    plain = base64.b32decode(secret.replace(" ", ""))

    assert 1 == len(kept)
    assert plain not in kept[0]["secret"]
    assert plain == fr.node.vault.open(kept[0]["secret"], f"totp {kept[0]['id']}".encode())
    with pytest.raises(Exception, match="changed, or another row's"):
        fr.node.vault.open(kept[0]["secret"], b"totp another")


async def test_an_app_that_was_not_confirmed_opens_nothing(fr):
    """A secret that was shown and never tried is no factor, and passes after half an hour."""
    session = await enter(fr)
    await fr.node.factors.begin_app(session)
    waiting = await fr.node.factors.app_to_confirm(session)
    wrong = await code_of(fr.node.factors.confirm_app(session, "000000"))
    other = await enter(fr)
    fr.network.clock.move(minutes=30)

    assert ("factor_wrong", Stage.WHOLE) == (wrong, other.stage)
    assert waiting.secret
    assert await fr.node.factors.app_to_confirm(session) is None
    assert not (await fr.node.factors.of(session.account_id)).any


async def test_a_replaced_app_is_worth_nothing(fr):
    """The new one is in force, the old one is not; recovery codes stay those that were printed."""
    first, codes = await with_app(fr)
    whole = await shown(fr, await enter(fr), code=code(first, fr.network.clock()))
    await fr.node.factors.begin_app(whole)
    waiting = await fr.node.factors.app_to_confirm(whole)
    renewed = await fr.node.factors.confirm_app(whole, code(waiting.secret, fr.network.clock()))
    fr.network.clock.move(seconds=60)

    assert () == renewed.codes
    assert "factor_wrong" == await code_of(shown(fr, await enter(fr), code=code(first, fr.network.clock())))
    assert await shown(fr, await enter(fr), code=code(waiting.secret, fr.network.clock()))
    assert await shown(fr, await enter(fr), code=codes[0])


# ── recovery codes ──


async def test_a_recovery_code_opens_once(fr):
    """As it was printed or as people type it; the second time it is wrong."""
    _, codes = await with_app(fr)
    typed = codes[0].upper().replace("-", "  ")

    assert await shown(fr, await enter(fr), code=typed)
    assert "factor_wrong" == await code_of(shown(fr, await enter(fr), code=codes[0]))
    assert await shown(fr, await enter(fr), code=codes[1])
    assert 8 == (await fr.node.factors.of((await enter(fr)).account_id)).codes_left


async def test_only_hashes_of_recovery_codes_are_kept(fr):
    """Whoever reads the rows cannot use one."""
    _, codes = await with_app(fr)
    kept = await rows(fr.node, "select code from recovery_codes")

    assert 10 == len(kept)
    assert {32} == {len(row["code"]) for row in kept}
    assert not [one for one in codes for row in kept if one.replace("-", "").encode() in row["code"]]


async def test_another_accounts_recovery_code_is_wrong(fr):
    """A code is one account's."""
    _, codes = await with_app(fr)
    await with_app(fr, "ada")

    assert "factor_wrong" == await code_of(shown(fr, await enter(fr, "ada"), code=codes[0]))
    assert await shown(fr, await enter(fr), code=codes[0])


async def test_a_new_set_replaces_the_old(fr):
    """Ten new ones open, none of the old does."""
    secret, old = await with_app(fr)
    whole = await shown(fr, await enter(fr), code=code(secret, fr.network.clock()))
    new = (await fr.node.factors.new_codes(whole)).codes

    assert 10 == len(new)
    assert not set(new) & set(old)
    assert "factor_wrong" == await code_of(shown(fr, await enter(fr), code=old[0]))
    assert await shown(fr, await enter(fr), code=new[0])


async def test_there_are_no_codes_without_a_factor(fr):
    """They stand in for a factor, they are none."""
    assert "no_factor" == await code_of(fr.node.factors.new_codes(await enter(fr)))
    assert [] == await rows(fr.node, "select code from recovery_codes")


# ── passkeys ──


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


def test_what_few_need_is_imported_by_those_who_need_it():
    """A start without passkeys and apps reads none of their libraries: they are a tenth of the idle memory."""
    look = "import sys, instance.wiring, instance.app, instance.services.second_factor, instance.services.staff; "
    found = subprocess.run(
        [sys.executable, "-c", look + "print(sorted({'webauthn', 'pyotp', 'segno', 'cbor2'} & set(sys.modules)))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "[]\n" == found.stdout


# ── changes ──


async def test_a_change_of_factors_ends_every_other_session(fr):
    """A stolen session does not outlive the day its owner adds a factor; the own one goes on under a new token."""
    stolen = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    begun = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    token, _, _ = await add_app(fr.node, begun.token)

    assert await fr.node.people.entered(stolen.token) is None
    assert await fr.node.people.entered(begun.token) is None
    assert await fr.node.people.session(token) is not None


async def test_staff_keep_their_last_factor(fr):
    """The last one stays; with another beside it either may go."""
    secret, _ = await with_app(fr, "ada")
    whole = await shown(fr, await enter(fr, "ada"), code=code(secret, fr.network.clock()))
    refused = await code_of(fr.node.factors.remove_app(whole))
    made = device_of(fr.node).make(await fr.node.factors.ask_for_new(whole))
    whole = await fr.node.people.session((await fr.node.factors.add_passkey(whole, made, "")).token)
    whole = await fr.node.people.session((await fr.node.factors.remove_app(whole)).token)
    passkey = (await fr.node.factors.of(whole.account_id)).passkeys[0].id

    assert "last_factor" == refused
    assert "last_factor" == await code_of(fr.node.factors.remove_passkey(whole, passkey))
    assert (await fr.node.factors.of(whole.account_id)).any


async def test_of_two_factors_taken_away_at_once_one_stays(fr):
    """Two windows: whoever comes second finds the last factor."""
    secret, _ = await with_app(fr, "ada")
    whole = await shown(fr, await enter(fr, "ada"), code=code(secret, fr.network.clock()))
    made = device_of(fr.node).make(await fr.node.factors.ask_for_new(whole))
    one = await fr.node.people.session((await fr.node.factors.add_passkey(whole, made, "")).token)
    passkey = (await fr.node.factors.of(one.account_id)).passkeys[0].id
    found = await asyncio.gather(
        fr.node.factors.remove_app(one), fr.node.factors.remove_passkey(one, passkey), return_exceptions=True
    )

    assert 1 == len([each for each in found if isinstance(each, Rejected)])
    assert (await fr.node.factors.of(one.account_id)).any


async def test_a_doctor_may_go_back_to_the_password(fr):
    """The twin: no role, no compulsion; recovery codes go with the last factor."""
    secret, _ = await with_app(fr)
    whole = await shown(fr, await enter(fr), code=code(secret, fr.network.clock()))
    after = await fr.node.people.session((await fr.node.factors.remove_app(whole)).token)

    assert after.factor_at is None
    assert [] == await rows(fr.node, "select code from recovery_codes")
    assert Stage.WHOLE == (await enter(fr)).stage


@pytest.mark.parametrize("id", ["", "zz", "ab" * 32])
async def test_nobody_takes_away_what_is_not_theirs(fr, id):
    """Another's passkey, an invented one and no id at all: not there."""
    await with_passkey(fr, "ada")
    other = (await rows(fr.node, "select hex(id) as id from passkeys"))[0]["id"]
    session = await enter(fr)

    for each in (id, other):
        with pytest.raises(Missing):
            await fr.node.factors.remove_passkey(session, each)
    assert 1 == len(await rows(fr.node, "select id from passkeys"))


async def test_factors_are_changed_by_whoever_has_just_shown_one(fr):
    """Five minutes after the password (or the factor) nothing is changed any more; showing it again opens it."""
    session = await enter(fr)
    fr.network.clock.move(minutes=5)
    assert is_fresh(session, fr.network.clock())
    await fr.node.factors.begin_app(session)
    waiting = await fr.node.factors.app_to_confirm(session)
    fr.network.clock.move(seconds=1)
    digits = code(waiting.secret, fr.network.clock())

    with pytest.raises(FactorNeeded):
        await fr.node.factors.confirm_app(session, digits)
    assert "password_wrong" == await code_of(shown(fr, session, password="not the password"))
    fresh = await shown(fr, session, password=PASSWORD)
    assert session.csrf == fresh.csrf
    fr.network.clock.move(seconds=30)
    assert await fr.node.factors.confirm_app(fresh, code(waiting.secret, fr.network.clock()))


async def test_where_there_is_a_factor_the_password_is_none(fr):
    """Whoever has stolen session and password cannot make the session fresh."""
    secret, _ = await with_app(fr)
    whole = await shown(fr, await enter(fr), code=code(secret, fr.network.clock()))
    fr.network.clock.move(minutes=6)

    assert not is_fresh(whole, fr.network.clock())
    assert "factor_wrong" == await code_of(shown(fr, whole, password=PASSWORD))
    fresh = await shown(fr, whole, code=code(secret, fr.network.clock()))
    assert is_fresh(fresh, fr.network.clock())
    assert whole.expires_at == fresh.expires_at


async def test_taking_away_shows_nothing(fr):
    """A factor shown five minutes ago does not stay fresh by being used for one change after another."""
    secret, _ = await with_app(fr)
    whole = await shown(fr, await enter(fr), code=code(secret, fr.network.clock()))
    fr.network.clock.move(minutes=4)
    after = await fr.node.people.session((await fr.node.factors.new_codes(whole)).token)
    fr.network.clock.move(minutes=2)

    assert not is_fresh(after, fr.network.clock())


async def test_an_administrator_lets_somebody_in_who_has_lost_everything(fr):
    """Every factor and code goes, every session ends, why is on the record; another account keeps its own."""
    secret, _ = await with_app(fr)
    await with_app(fr, "ada")
    whole = await shown(fr, await enter(fr), code=code(secret, fr.network.clock()))
    refused = [await code_of(fr.node.factors.reset(*given)) for given in (("marie", "x", " "), ("nobody", "x", "lost"))]
    kept = await fr.node.factors.of(whole.account_id)
    await fr.node.factors.reset(" Marie ", by="test", reason="telephone lost, known by voice")

    assert ["reason_missing", "unknown_account"] == refused
    assert kept.any
    assert not (await fr.node.factors.of(whole.account_id)).any
    assert 10 == len(await rows(fr.node, "select code from recovery_codes"))
    assert Stage.WHOLE == (await enter(fr)).stage
    assert Stage.SECOND_STEP == (await enter(fr, "ada")).stage
    with pytest.raises(Rejected):
        await fr.node.factors.new_codes(whole)


async def test_every_change_is_on_the_record_without_names(fr):
    """What was changed and when, by account; no label, no secret."""
    await with_passkey(fr)
    device = (await rows(fr.node, "select act, by_whom, subject, reason from staff_acts order by id"))[-1]

    assert ("passkey_added", "") == (device["act"], device["reason"])
    assert device["by_whom"] == device["subject"]
