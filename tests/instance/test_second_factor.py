"""Second factors: each way to show one, and beside it what is not taken."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from instance.services.accounts import Stage
from instance.services.errors import Missing, Rejected
from instance.services.factor_showing import FactorNeeded, Shown, is_fresh
from tests.factors import add_app, code, device_of
from tests.instance.factor_house import code_of, enter, fr, shown, with_app, with_passkey
from tests.town import PASSWORD, rows

__all__ = ["fr"]


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
