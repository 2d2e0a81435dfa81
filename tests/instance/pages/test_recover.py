"""A forgotten password: what lets its owner in, and nobody else."""

from __future__ import annotations

import pytest

from instance.services import recovery
from tests.instance.pages.newcomer import FORM, open_door
from tests.instance.pages.recovering import NEW, OWN, asked, asks, mailed, page_of, sets, signs_in
from tests.town import PASSWORD


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def test_the_code_and_a_new_password_let_in(door):
    """The old one opens nothing, every session has ended, the owner is told by mail, and this browser is signed in."""
    before = await door.joins()
    somebody = await asks(door)
    answer = await sets(somebody, await mailed(door))
    last = (await door.mails())[-1]

    assert (303, "/me?saved=password") == (answer.status_code, answer.headers["Location"])
    assert 200 == (await somebody.get("/me")).status_code
    assert 303 == (await before.get("/me")).status_code
    assert (422, 303) == (await signs_in(door, PASSWORD), await signs_in(door, NEW))
    assert OWN == last["To"]
    assert "password of your account was changed" in last.get_content()


async def test_an_address_that_nobody_has_is_answered_alike(door):
    """The same pages, letter by letter, the same answers to a code; and no mail at all."""
    await door.joins()
    sent = len(await door.mails())
    known, unknown = await asks(door), await asks(door, "nobody@mail.example")
    texts = [await one.text("/recover/confirm") for one in (known, unknown)]
    tries = [await page_of(await sets(one, "00000000")) for one in (known, unknown)]

    assert texts[0].replace(OWN, "") == texts[1].replace("nobody@mail.example", "")
    assert all("(code_wrong)" in page for page in tries)
    assert [OWN] == [mail["To"] for mail in (await door.mails())[sent:]]


async def test_a_code_is_used_once(door):
    """Neither again in this browser nor in another."""
    await door.joins()
    somebody, other = await asks(door), await asks(door)
    code = await mailed(door)
    crossed = await sets(somebody, code)
    await sets(other, code)
    await other.get("/me")
    late = await sets(other, code, "a-third-long-passphrase")

    assert 422 == crossed.status_code
    assert "(code_gone)" in await page_of(late)
    assert 303 == await signs_in(door, NEW)


async def test_a_code_fits_five_times_wrong_and_a_quarter_of_an_hour(door):
    """After the fifth wrong one, and after fifteen minutes, the right one sets nothing."""
    await door.joins()
    first = await asks(door)
    code = await mailed(door)
    wrong = f"{(int(code) + 1) % 10**8:08}"
    guesses = [await page_of(await sets(first, wrong)) for _ in range(5)]
    used_up = await page_of(await sets(first, code))
    second = await asks(door)
    code = await mailed(door)
    door.network.clock.move(minutes=15)
    past = await page_of(await sets(second, code))

    assert all("(code_wrong)" in page for page in guesses)
    assert ("(code_used_up)" in used_up, "(code_past)" in past) == (True, True)
    assert 303 == await signs_in(door, PASSWORD)


@pytest.mark.parametrize(
    ("password", "again", "code"),
    [("short", "short", "password_too_short"), (NEW, "different", "passwords_differ"), (OWN, OWN, "password_common")],
)
async def test_a_password_that_is_none_uses_no_code_up(door, password, again, code):
    """Said at its field, nothing typed comes back, and the code still fits."""
    await door.joins()
    somebody = await asks(door)
    mail = await mailed(door)
    page = await page_of(await sets(somebody, mail, password, again))

    assert f"({code})" in page
    assert f'value="{password}"' not in page.replace(f'name="username" value="{OWN}"', "")
    assert 303 == (await sets(somebody, mail)).status_code


async def test_mails_are_counted_as_for_sign_ups(door):
    """The fourth for an address in a quarter of an hour is refused, whether anybody has it or not; so is a flood."""
    await door.joins()
    door.network.clock.move(minutes=16)
    known = [(await door.newcomer().post("/recover", email=OWN)).status_code for _ in range(4)]
    unknown = [(await door.newcomer().post("/recover", email="nobody@mail.example")).status_code for _ in range(4)]
    many = [(await door.newcomer().post("/recover", email=f"n{n}@mail.example")).status_code for n in range(15)]

    assert [303, 303, 303, 429] == known == unknown
    assert 429 == many[-1]


async def test_a_whole_day_of_asking_brings_twelve_mails(door):
    """Whoever asks slowly, all day, is refused; the owner's address gets no more."""
    await door.joins()
    codes = []
    for _ in range(6):
        door.network.clock.move(minutes=16)
        codes += [(await door.newcomer().post("/recover", email=OWN)).status_code for _ in range(3)]

    assert [303] * 12 + [429] * 6 == codes


async def test_who_asks_for_somebody_elses_address_denies_it_to_nobody(door):
    """All day, from one network and then from five; the owner asks from another one and is let in."""
    await door.joins()
    for number in range(6):
        door.network.clock.move(minutes=16)
        await asked(door, 4, f"198.51.100.{min(number, 4)}")
    somebody = await asks(door)

    assert 303 == (await sets(somebody, await mailed(door))).status_code
    assert [True] * 3 + [False] == await asked(door, 4, "2001:db8:1:2::/64")


async def test_mails_of_sign_ups_are_counted_apart(door):
    """Whoever types the address into the form of sign-ups uses up nothing of the way back."""
    await door.joins()
    for _ in range(4):
        await door.newcomer().post("/join", **FORM)

    assert 303 == (await door.newcomer().post("/recover", email=OWN)).status_code


async def test_one_address_gets_so_many_mails_a_day_and_no_more(door):
    """However many networks ask."""
    await door.joins()
    found = [each for number in range(21) for each in await asked(door, 3, f"198.51.100.{number}")]
    other = await asked(door, 1, "198.51.100.1", "nobody@mail.example")

    assert [True] * recovery.PER_ADDRESS + [False] * 3 == found
    assert [True] == other
