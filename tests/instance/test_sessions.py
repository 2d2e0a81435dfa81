"""Signing in: who gets in, for how long, and what keeps others out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from instance.services import passwords
from instance.services.errors import Missing, Rejected
from instance.services.factor_showing import Shown
from instance.services.people import NewDoctor
from tests.factors import add_app, code
from tests.town import PASSWORD, rows
from verification.standing import WhyNot


@pytest.fixture
async def fr(network) -> Any:
    """One instance where Marie has an account."""
    place = (await network("fr"))["fr"]
    await place.doctor("marie")
    return place


async def sign_in(fr: Any, password: str = PASSWORD, login: str = "marie", address: str = "127.0.0.1") -> Any:
    """Sign in."""
    return await fr.node.people.sign_in(login, password, address, "Firefox, Linux")


async def code_of(attempt: Any) -> str:
    """The code an attempt is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    return refused.value.code


async def test_who_knows_the_password_gets_a_session(fr):
    """The session knows the doctor, and opens reading."""
    begun = await sign_in(fr, login="  Marie ")
    session = await fr.node.people.session(begun.token)

    assert "marie" == session.login
    assert f"{fr.node.origin}/doctors/marie" == session.doctor_uri
    assert session.closed is None
    assert () == session.roles
    assert begun.csrf == session.csrf


async def test_only_a_hash_of_the_token_is_kept(fr):
    """Whoever reads the rows cannot use a session."""
    begun = await sign_in(fr)
    kept = (await rows(fr.node, "select token from sessions"))[0]["token"]

    assert 32 == len(kept)
    assert begun.token.encode() not in kept
    assert await fr.node.people.session(kept.hex()) is None


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(fr):
    """Nobody learns from the answer who has an account."""
    assert "wrong_credentials" == await code_of(sign_in(fr, "not the password"))
    assert "wrong_credentials" == await code_of(sign_in(fr, login="nobody"))


async def test_an_unknown_name_is_hashed_for_as_well(fr, monkeypatch):
    """The time of the answer does not tell either: both ways go through argon2."""
    seen: list[bool] = []
    whole = passwords._fits
    monkeypatch.setattr(passwords, "_fits", lambda *given: seen.append(True) or whole(*given))

    await code_of(sign_in(fr, "not the password"))
    await code_of(sign_in(fr, login="nobody"))

    assert [True, True] == seen


async def test_each_sign_in_makes_a_new_session(fr):
    """A token is never used twice (session fixation)."""
    one, other = await sign_in(fr), await sign_in(fr)

    assert one.token != other.token
    assert one.csrf != other.csrf


async def test_the_sixth_try_in_a_quarter_of_an_hour_is_refused(fr):
    """After five failures even the right password waits; a quarter of an hour later it opens again."""
    for _ in range(5):
        await code_of(sign_in(fr, "not the password"))

    refused = await code_of(sign_in(fr))
    fr.network.clock.move(minutes=15, seconds=1)

    assert "too_many_attempts" == refused
    assert await sign_in(fr)


async def test_a_burst_of_guesses_is_counted_before_it_is_answered(fr):
    """Guesses sent at the same moment do not slip through the count."""
    codes = await asyncio.gather(*(code_of(sign_in(fr, f"guess number {n}")) for n in range(12)))

    assert 5 == codes.count("wrong_credentials")
    assert 7 == codes.count("too_many_attempts")


async def test_one_address_cannot_try_many_names(fr):
    """Twenty failures from one address close it; another address is not concerned."""
    for number in range(20):
        await code_of(sign_in(fr, login=f"nobody{number}"))

    assert "too_many_attempts" == await code_of(sign_in(fr))
    assert await sign_in(fr, address="127.0.0.2")


async def test_success_clears_the_failures_of_the_account(fr):
    """Four mistakes and a success are not held against the next mistake."""
    for _ in range(4):
        await code_of(sign_in(fr, "not the password"))
    await sign_in(fr)

    assert "wrong_credentials" == await code_of(sign_in(fr, "not the password"))
    assert await sign_in(fr)


async def test_what_was_typed_is_not_kept_readable(fr):
    """People type passwords into the wrong field; failures hold a hash."""
    await code_of(sign_in(fr, login="my-secret-by-mistake"))

    assert not [
        row for row in await rows(fr.node, "select subject from sign_in_failures") if "secret" in row["subject"]
    ]


async def test_a_flood_of_hashes_is_turned_away(fr, monkeypatch):
    """When too many wait for argon2, the next is told to come back, and it is no failure."""
    monkeypatch.setattr(passwords, "_in_hand", passwords.AT_A_TIME + passwords.WAITING)

    assert "too_busy" == await code_of(sign_in(fr))
    assert [] == await rows(fr.node, "select id from sign_in_failures")


async def test_a_session_ends_after_a_week_without_use(fr):
    """Seven days without a request end it; with requests it lives on, to thirty days at most."""
    begun = await sign_in(fr)
    kept = await sign_in(fr)
    for _ in range(5):
        fr.network.clock.move(days=5)
        assert await fr.node.people.session(kept.token) is not None

    assert await fr.node.people.session(begun.token) is None
    fr.network.clock.move(days=5)
    assert await fr.node.people.session(kept.token) is None


async def test_staff_sessions_are_short(network):
    """Thirty minutes without use, twelve hours at most."""
    fr = (await network("fr"))["fr"]
    await fr.node.people.add_doctor(
        NewDoctor(
            handle="admin", name="Dr Ada Min", role="specialist", country="FR", specialties=("cardiology",),
            password=PASSWORD, roles=("administrator",),
        ),
        by="test",
    )  # fmt: skip
    kept, secret, _ = await add_app(fr.node, (await sign_in(fr, login="admin")).token)
    fr.network.clock.move(seconds=30)
    half = await sign_in(fr, login="admin")
    shown = Shown(code(secret, fr.network.clock()))
    begun = (await fr.node.factors.show(await fr.node.people.entered(half.token), shown)).token
    assert await fr.node.people.session(begun) is not None
    fr.network.clock.move(seconds=-30)
    for _ in range(24):
        fr.network.clock.move(minutes=29)
        assert ("administrator",) == (await fr.node.people.session(kept)).roles

    assert await fr.node.people.session(begun) is None
    fr.network.clock.move(minutes=29)
    assert await fr.node.people.session(kept) is None


async def test_last_seen_is_written_at_most_once_a_minute(fr):
    """A page costs no write; a minute later it does once."""
    begun = await sign_in(fr)
    for _ in range(3):
        fr.network.clock.move(seconds=25)
        await fr.node.people.session(begun.token)

    row = (await rows(fr.node, "select created_at, last_seen_at from sessions"))[0]

    assert 75_000 == row["last_seen_at"] - row["created_at"]


@pytest.mark.parametrize("token", ["", "x", "é" * 40, "a" * 10_000])
async def test_an_invented_token_opens_nothing(fr, token):
    """Whatever a cookie holds, it is nobody's session."""
    assert await fr.node.people.session(token) is None


async def test_signing_out_ends_that_session_alone(fr):
    """The other device stays signed in."""
    here, there = await sign_in(fr), await sign_in(fr)
    await fr.node.people.sign_out(here.token)

    assert await fr.node.people.session(here.token) is None
    assert await fr.node.people.session(there.token) is not None


async def test_own_sessions_are_listed_and_revocable(fr):
    """The list marks the one in use; another's id is not found."""
    here, there = await sign_in(fr), await sign_in(fr)
    listed = await fr.node.people.list_sessions(here.account, here.token)
    other = next(info for info in listed if not info.current)

    with pytest.raises(Missing):
        await fr.node.people.revoke_session("somebody else", other.id)
    await fr.node.people.revoke_session(here.account, other.id)

    assert 2 == len(listed)
    assert await fr.node.people.session(there.token) is None
    assert await fr.node.people.session(here.token) is not None


async def test_a_new_password_ends_every_session(fr):
    """The old password is dead, and so is everything it opened."""
    begun = await sign_in(fr)
    await fr.node.people.change_password(begun.account, PASSWORD, "an entirely different one")

    assert await fr.node.people.session(begun.token) is None
    assert "wrong_credentials" == await code_of(sign_in(fr))
    assert await sign_in(fr, "an entirely different one")


async def test_the_old_password_is_asked_for_and_guesses_count(fr):
    """A stolen session does not change the password: five guesses and the account waits."""
    begun = await sign_in(fr)
    change = fr.node.people.change_password
    codes = [await code_of(change(begun.account, "a wrong guess", "an entirely different one")) for _ in range(6)]

    assert ["wrong_credentials"] * 5 + ["too_many_attempts"] == codes
    assert await fr.node.people.session(begun.token) is not None


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("eleven char", "password_too_short"),
        ("x" * 129, "password_too_long"),
        ("motdepassemotdepasse", "password_common"),
        ("Qwertzuiop12345", "password_common"),
        ("aaaaaaaaaaaaaaaa", "password_common"),
    ],
)
async def test_a_weak_password_is_refused(password, code):
    """Too short, too long, or among the common ones."""
    with pytest.raises(Rejected) as refused:
        passwords.check_password(password)

    assert code == refused.value.code


@pytest.mark.parametrize(
    "password", ["correct mare accumulator", "ÄÖÜ ßé漢字 πλ — ok", " leading and trailing ", "x1" * 8 + "zq"]
)
async def test_any_character_is_welcome(password):
    """No composition rules: spaces and all scripts are fine."""
    assert password == passwords.check_password(password)


def test_the_list_of_common_passwords_is_long_enough():
    """At least three thousand of them are long enough to be chosen at all."""
    common = [entry for entry in passwords._common() if len(entry) >= passwords.MIN_LENGTH]

    assert len(common) >= 3_000


async def test_a_suspended_doctor_may_sign_in_and_read_nothing(fr):
    """The session says why it opens nothing, so that the page can."""
    await fr.node.people.suspend("marie", by="admin", reason="x")
    begun = await sign_in(fr)

    assert WhyNot.SUSPENDED == (await fr.node.people.session(begun.token)).closed


async def test_an_expired_doctor_may_sign_in_and_read_nothing(fr):
    """After the credential has run out the account reaches its own page only."""
    fr.network.clock.move(days=91)
    begun = await sign_in(fr)

    assert WhyNot.EXPIRED == (await fr.node.people.session(begun.token)).closed


async def test_preferences_are_kept_and_checked(fr):
    """Known languages and appearances only."""
    begun = await sign_in(fr)
    people = fr.node.people
    await people.set_preferences(begun.account, "de", "dark")
    session = await people.session(begun.token)

    assert ("de", "dark") == (session.language, session.appearance)
    assert "bad_language" == await code_of(people.set_preferences(begun.account, "xx", "dark"))
    assert "bad_appearance" == await code_of(people.set_preferences(begun.account, "de", "neon"))


async def test_what_has_passed_is_swept_away(fr):
    """Ended sessions and old failures leave the tables."""
    await sign_in(fr)
    await code_of(sign_in(fr, "not the password"))
    fr.network.clock.move(days=31)

    await fr.node.people.sweep()

    assert [] == await rows(fr.node, "select account from sessions")
    assert [] == await rows(fr.node, "select id from sign_in_failures")
