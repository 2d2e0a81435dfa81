"""A forgotten password with the help of a person: a code that an administrator has sent, and only the owner reads."""

from __future__ import annotations

import re
import sqlite3

import pytest

from instance.services.errors import Rejected
from tests.factors import code as shown_code
from tests.factors import enrol
from tests.instance.pages.newcomer import open_door
from tests.instance.pages.recovering import NEW, OWN, asked, asks, mailed, page_of, sets, signs_in
from tests.town import PASSWORD, rows


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def _by_team(somebody, code, password=NEW, again=None):
    return await somebody.post("/recover/team", code=code, password=password, again=again or password)


async def _sent(door) -> str:
    await door.node.recovery.send(OWN, by="cli: ada", reason="on the telephone")
    while await door.node.mails.send_due():
        pass
    return re.findall(r"^[A-Z2-7-]{24}$", (await door.mails())[-1].get_content(), re.MULTILINE)[0]


async def test_an_administrator_has_a_code_sent_that_only_the_owner_reads(door):
    """When nothing else is left of the day: it goes to the proved address, works once in any browser, and is recorded."""
    await door.joins()
    [await asked(door, 3, f"198.51.100.{number}") for number in range(21)]
    code, last = await _sent(door), (await door.mails())[-1]
    somebody = door.newcomer()
    page = await somebody.text("/recover/team")
    answer = await _by_team(somebody, code.lower().replace("-", " "))
    late = await _by_team(door.newcomer(), code, "a-third-long-passphrase")
    acts = await rows(door.node, "select act, by_whom, reason from staff_acts order by id")

    assert 'action="/recover/team"' in page
    assert OWN == last["To"]
    assert f"{door.node.origin}/recover/team" in last.get_content()
    assert (303, "/me?saved=password") == (answer.status_code, answer.headers["Location"])
    assert "(code_gone)" in await page_of(late)
    assert (422, 303) == (await signs_in(door, PASSWORD), await signs_in(door, NEW))
    assert ("recovery_sent", "cli: ada", "on the telephone") in [tuple(each) for each in acts]


async def test_such_a_code_is_no_other_and_none_is_guessed(door):
    """Made up, past, a mailed one of eight digits, one for which two passwords were typed: each says so, nobody is in."""
    await door.joins()
    made_up = await page_of(await _by_team(door.newcomer(), "ABCD-EFGH-IJKL-MNOP-QRST"))
    empty = await page_of(await _by_team(door.newcomer(), ""))
    await asks(door)
    short = await page_of(await _by_team(door.newcomer(), await mailed(door)))
    code = await _sent(door)
    two = await page_of(await _by_team(door.newcomer(), code, again="something-else-long"))
    weak = await page_of(await _by_team(door.newcomer(), code, "short"))
    door.network.clock.move(minutes=15)
    past = await page_of(await _by_team(door.newcomer(), code))

    assert ["(code_gone)" in page for page in (made_up, empty, short)] == [True] * 3
    assert ["(passwords_differ)" in two, "(password_too_short)" in weak, "(code_past)" in past] == [True] * 3
    assert 303 == await signs_in(door, PASSWORD)


@pytest.mark.parametrize(
    ("login", "reason", "code"),
    [("nobody", "asked", "unknown_account"), (OWN, " ", "reason_missing"), ("rene", "asked", "address_not_proved")],
)
async def test_a_code_goes_to_proved_addresses_alone(door, login, reason, code):
    """And for a reason; nothing is sent otherwise."""
    await door.joins()
    await door.place.doctor("rene")
    sent = len(await door.mails())
    with pytest.raises(Rejected, match=code):
        await door.node.recovery.send(login, by="cli: ada", reason=reason)

    assert sent == len(await door.mails())


async def test_what_could_be_read_in_two_ways_is_said_at_the_field(door):
    """No address, no mail, no row."""
    page = await page_of(await door.newcomer().post("/recover", email="a@b@c.example"))

    assert "(bad_email)" in page
    assert 'value="a@b@c.example"' in page
    assert [] == await rows(door.node, "select * from mailed_codes")


async def test_an_address_that_is_not_proved_recovers_nothing(door):
    """What an inviter typed brings no code, and a closed account none either."""
    from tests.instance.pages.test_address import RITA as TYPED
    from tests.instance.pages.test_address import accepts

    await accepts(door)
    await door.joins()
    closed = (await rows(door.node, f"select id from accounts where email = '{OWN}'"))[0]["id"]
    sent = len(await door.mails())
    await asks(door, TYPED)
    with sqlite3.connect(door.place.config.database.removeprefix("sqlite:///")) as file:
        file.execute("update accounts set disabled_at = 1 where id = ?", [closed])
    await asks(door)

    assert sent == len(await door.mails())


async def test_without_a_token_it_begins_again(door):
    """The page of the code leads to the beginning; so does a form without one, which sets nothing."""
    await door.joins()
    somebody = door.newcomer()

    assert "/recover" == (await somebody.get("/recover/confirm")).headers["Location"]
    assert "(code_gone)" in await page_of(await sets(somebody, "12345678"))
    assert 303 == await signs_in(door, PASSWORD)


async def test_whoever_has_a_second_factor_shows_it_afterwards(door):
    """The code of the mail replaces the password, and nothing else."""
    owner = await door.joins()
    await owner.get("/me/security")
    await owner.post("/me/confirm", factor_password=PASSWORD)
    secret = await enrol(owner, door.house.now)
    somebody = await asks(door)
    answer = await sets(somebody, await mailed(door))
    kept_out = await somebody.get("/me")
    await somebody.get("/sign-in/second")
    door.network.clock.move(minutes=1)
    whole = await somebody.post("/sign-in/second", factor_code=shown_code(secret, door.network.clock()), next="/me")

    assert answer.headers["Location"].startswith("/sign-in/second")
    assert 303 == kept_out.status_code
    assert (303, "/me") == (whole.status_code, whole.headers["Location"])


async def test_staff_without_a_factor_get_none_by_a_mail(door):
    """As by the password alone: the enrolment stays closed to them."""
    from tests.instance.pages.test_address import RITA as TYPED
    from tests.instance.pages.test_address import accepts

    rita = await accepts(door)
    await rita.post("/invitation/confirm", code=await door.code())
    somebody = await asks(door, TYPED)
    answer = await sets(somebody, await mailed(door))
    page = await somebody.text("/me/security")

    assert "/me/security" == answer.headers["Location"]
    assert 'name="enrolment"' in page
    assert 'action="/me/security/app"' not in page
