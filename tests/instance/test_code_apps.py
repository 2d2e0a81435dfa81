"""Codes of an app: which are taken and when, and beside it which are not."""

from __future__ import annotations

import asyncio
import base64

import pytest

from instance.services.accounts import Stage
from tests.factors import add_app, code
from tests.instance.factor_house import code_of, enter, fr, shown, with_app
from tests.town import PASSWORD, rows

__all__ = ["fr"]


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
