"""The address that an inviter types: whoever was invited proves it, and until then it is nobody's."""

from __future__ import annotations

import re
import sqlite3

import pytest

from instance.services.staff import Invite
from instance.storage import SCHEMA
from tests.factors import enrol
from tests.instance.dossiers.applying import ADMIN, Applicant
from tests.instance.pages.newcomer import open_door
from tests.town import PASSWORD, rows
from verification.grounds import Ground

RITA = "rita@chamber.example"
ADDRESSES = "select login, email from accounts order by login"


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def accepts(door, login="rita", email=RITA):
    """Somebody who was invited and has accepted."""
    invited = await door.node.staff.invite(Invite(email=email, roles=("reviewer",), countries=("FR",)), by="test")
    path, somebody = "/invitation/" + invited.link.rpartition("/")[2], door.newcomer()
    await somebody.get(path)
    answer = await somebody.post(path, login=login, password=PASSWORD, again=PASSWORD)
    assert (303, "/invitation/confirm") == (answer.status_code, answer.headers["Location"])
    await somebody.get("/invitation/confirm")
    return somebody


async def there_is_work(door):
    """A doctor is suspended: a second person from the desk is asked for."""
    await door.joins(role="generalist")
    dossier = (await rows(door.node, "select id, account from dossiers"))[0]
    applicant = Applicant(door.node, dossier["account"], dossier["id"])
    await applicant.shows()
    await applicant.does("submit")
    await applicant.is_approved()
    await applicant.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    door.network.clock.move(minutes=5)


async def address_of(door, login="rita") -> str:
    """Where mails about an account go."""
    return {row["login"]: row["email"] for row in await rows(door.node, ADDRESSES)}[login]


async def test_whoever_reads_the_mail_proves_the_address(door):
    """The code of the one mail that was sent; then the address is the account's, and mails about it go there."""
    rita = await accepts(door)
    before, sent = await address_of(door), await door.mails()
    answer = await rita.post("/invitation/confirm", code=await door.code())
    again = await rita.get("/invitation/confirm")

    assert ("", [RITA]) == (before, [mail["To"] for mail in sent])
    assert (303, "/me/security") == (answer.status_code, answer.headers["Location"])
    assert RITA == await address_of(door)
    assert 303 == again.status_code
    assert [] == await rows(door.node, "select * from addresses_to_prove")
    assert [] == await rows(door.node, "select * from mailed_codes")


async def test_nothing_but_the_code_goes_to_an_address_nobody_proved(door):
    """Neither work of the desk nor a word of the own sign-in."""
    rita = await accepts(door)
    await enrol(rita, door.house.now)
    await there_is_work(door)
    theirs = [mail for mail in await door.mails() if mail["To"] == RITA]

    assert 1 == len(theirs)
    assert re.search(r"^\d{6}$", theirs[0].get_content(), re.MULTILINE)


async def test_work_of_the_desk_goes_to_a_proved_address(door):
    """The twin: once it is proved, she hears of what waits."""
    rita = await accepts(door)
    await rita.post("/invitation/confirm", code=await door.code())
    await there_is_work(door)

    assert [RITA] * 2 == [mail["To"] for mail in await door.mails() if mail["To"] == RITA]


async def test_a_wrong_code_proves_nothing_and_five_end_it(door):
    """Said at the field; after the fifth the right one is refused, and another has to be sent."""
    rita = await accepts(door)
    code = await door.code()
    wrong = f"{(int(code) + 1) % 10**6:06}"
    pages = [await (await rita.post("/invitation/confirm", code=wrong)).get_data(as_text=True) for _ in range(5)]
    late = await (await rita.post("/invitation/confirm", code=code)).get_data(as_text=True)
    left = await address_of(door)
    await rita.post("/invitation/confirm/again")
    anew = await rita.post("/invitation/confirm", code=await door.code())

    assert all("(code_wrong)" in page and "code-wrong" in page for page in pages)
    assert "(code_used_up)" in late
    assert "" == left
    assert (303, RITA) == (anew.status_code, await address_of(door))


async def test_a_code_passes_and_mails_are_counted(door):
    """After a quarter of an hour it is past; the fourth mail to an address in that time is refused."""
    rita = await accepts(door)
    code = await door.code()
    tries = [(await rita.post("/invitation/confirm/again")).status_code for _ in range(3)]
    door.network.clock.move(minutes=15)
    past = await (await rita.post("/invitation/confirm", code=code)).get_data(as_text=True)

    assert [303, 303, 429] == tries
    assert "(code_past)" in past
    assert "" == await address_of(door)


async def test_somebody_elses_address_cannot_be_proved(door):
    """The pages are the same; the mail says that there is an account, holds no code, and none fits."""
    await door.joins(email=RITA)
    max_ = await accepts(door, "max")
    page = await max_.text("/invitation/confirm")
    mail = (await door.mails())[-1].get_content()
    answer = await max_.post("/invitation/confirm", code="000000")

    assert RITA in page
    assert "an account with it already" in mail
    assert not re.search(r"\d{6}", mail)
    assert 422 == answer.status_code
    assert "" == await address_of(door, "max")


async def test_of_two_who_are_asked_under_one_address_one_proves_it(door):
    """Both have a code; whoever comes second is told that it does not fit."""
    first = await accepts(door, "rita")
    one = await door.code()
    second = await accepts(door, "rosa")
    other = await door.code()
    await first.post("/invitation/confirm", code=one)
    late = await second.post("/invitation/confirm", code=other)

    assert (422, RITA, "") == (late.status_code, await address_of(door, "rita"), await address_of(door, "rosa"))


async def test_a_code_proves_nothing_in_another_browser(door):
    """The code belongs to the browser that asked, and to the account: a stranger's session takes none."""
    await accepts(door)
    code = await door.code()
    other = await accepts(door, "max", "max@chamber.example")
    crossed = await other.post("/invitation/confirm", code=code)
    stranger = await door.newcomer().post("/invitation/confirm", code=code)

    assert (422, 303) == (crossed.status_code, stranger.status_code)
    assert ["", ""] == [row["email"] for row in await rows(door.node, ADDRESSES)]


async def test_a_doctor_who_is_invited_keeps_the_address_she_has(door):
    """It was proved when she joined; what the inviter typed is not kept."""
    somebody = await door.joins()
    invited = await door.node.staff.invite(Invite(email=RITA, roles=("moderator",)), by="test")
    path = "/invitation/" + invited.link.rpartition("/")[2]
    await somebody.get(path)
    await somebody.post(path)

    assert ["eliane.vauquelin@mail.example"] == [row["email"] for row in await rows(door.node, ADDRESSES)]
    assert [] == await rows(door.node, "select * from addresses_to_prove")


async def test_later_is_possible_and_the_own_page_reminds(door):
    """Without a code she goes on to the second factor; the pages say what waits, and send another code."""
    rita = await accepts(door)
    owed = await rita.text("/me/security")
    await enrol(rita, door.house.now)
    own = await rita.text("/me")
    door.network.clock.move(minutes=16)
    await rita.get("/me")
    await rita.post("/invitation/confirm/again")
    answer = await rita.post("/invitation/confirm", code=await door.code())

    assert all(f"<bdi>{RITA}</bdi>" in page and "/invitation/confirm" in page for page in (owed, own))
    assert (303, "/me") == (answer.status_code, answer.headers["Location"])
    assert RITA not in await rita.text("/me")


def test_addresses_of_invitations_accepted_before_have_to_be_proved():
    """Of the version before: what an inviter typed waits to be proved; what somebody joined with stays theirs."""
    with sqlite3.connect(":memory:") as old:
        old.execute("create table accounts (id text primary key, login text, email text, created_at bigint)")
        old.execute("create table doctors (uri text, valid_until bigint, local bigint)")
        old.execute(f"insert into accounts values ('1', 'rita', '{RITA}', 5), ('2', 'a@b.example', 'a@b.example', 6)")
        old.execute("insert into accounts values ('3', 'marie', '', 7)")
        old.executescript((SCHEMA / "0016_accounts.sql").read_text("utf-8"))
        accounts = old.execute("select id, email from accounts order by id").fetchall()
        waiting = old.execute("select account, email, at from addresses_to_prove").fetchall()

    assert [("1", ""), ("2", "a@b.example"), ("3", "")] == accounts
    assert [("1", RITA, 5)] == waiting
