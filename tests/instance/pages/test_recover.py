"""A forgotten password, and an account that was in somebody else's hands: what lets its owner in, and nobody else."""

from __future__ import annotations

import re
import sqlite3

import pytest

from instance.services import recovery
from instance.services.accounts import Stage
from instance.services.errors import Rejected
from tests.factors import code as shown_code
from tests.factors import device_of, enrol
from tests.instance.dossiers.applying import ADMIN, RENE, RITA, Applicant
from tests.instance.pages.newcomer import EMAIL, FORM, open_door
from tests.town import PASSWORD, rows
from verification.grounds import Ground

OWN, NEW = EMAIL.lower(), "another-long-passphrase"


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def mailed(door) -> str:
    """The code of eight digits in the last mail that holds one."""
    texts = [mail.get_content() for mail in await door.mails()]
    return next(found[0] for text in reversed(texts) if (found := re.findall(r"^\d{8}$", text, re.MULTILINE)))


async def asks(door, email=OWN):
    """Somebody who says that the password is forgotten."""
    somebody = door.newcomer()
    answer = await somebody.post("/recover", email=email)
    assert (303, "/recover/confirm") == (answer.status_code, answer.headers["Location"])
    return somebody


async def sets(somebody, code, password=NEW, again=None):
    """Send the code and the new password."""
    return await somebody.post("/recover/confirm", code=code, password=password, again=again or password)


async def signs_in(door, password, login=OWN) -> int:
    """The status of a sign-in."""
    return int((await door.newcomer().post("/sign-in", login=login, password=password)).status_code)


async def page_of(answer) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def account(door):
    """The account that has joined."""
    return (await rows(door.node, "select id, email, unsafe from accounts order by created_at limit 1"))[0]


# ── forgotten ──


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


async def _asked(door, number, client, email=OWN) -> list[bool]:
    """Whether each of so many questions for an address was taken that came from one network."""
    taken = []
    for _ in range(number):
        try:
            await door.node.recovery.begin(email, client, "en")
        except Rejected as error:
            taken.append(error.code != "too_many_attempts")
        else:
            taken.append(True)
    return taken


async def test_who_asks_for_somebody_elses_address_denies_it_to_nobody(door):
    """All day, from one network and then from five; the owner asks from another one and is let in."""
    await door.joins()
    for number in range(6):
        door.network.clock.move(minutes=16)
        await _asked(door, 4, f"198.51.100.{min(number, 4)}")
    somebody = await asks(door)

    assert 303 == (await sets(somebody, await mailed(door))).status_code
    assert [True] * 3 + [False] == await _asked(door, 4, "2001:db8:1:2::/64")


async def test_mails_of_sign_ups_are_counted_apart(door):
    """Whoever types the address into the form of sign-ups uses up nothing of the way back."""
    await door.joins()
    for _ in range(4):
        await door.newcomer().post("/join", **FORM)

    assert 303 == (await door.newcomer().post("/recover", email=OWN)).status_code


async def test_one_address_gets_so_many_mails_a_day_and_no_more(door):
    """However many networks ask."""
    await door.joins()
    found = [each for number in range(21) for each in await _asked(door, 3, f"198.51.100.{number}")]
    other = await _asked(door, 1, "198.51.100.1", "nobody@mail.example")

    assert [True] * recovery.PER_ADDRESS + [False] * 3 == found
    assert [True] == other


# ── with the help of a person ──


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
    [await _asked(door, 3, f"198.51.100.{number}") for number in range(21)]
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


# ── taken over ──


async def taken_over(door, *, factor: bool = True):
    """A doctor with an app and a passkey, suspended because somebody else was in her account; her secret, her file."""
    owner = await door.joins(role="generalist")
    secret = ""
    if factor:
        await owner.get("/me/security")
        secret = await enrol(owner, door.house.now)
        session = await door.node.people.entered(_token(owner))
        device = device_of(door.node)
        options = await door.node.factors.ask_for_new(session)
        await door.node.factors.add_passkey(session, device.make(options), "A stranger’s key")
    dossier = (await rows(door.node, "select id, account from dossiers"))[0]
    applicant = Applicant(door.node, dossier["account"], dossier["id"])
    await applicant.shows()
    await applicant.does("submit")
    await applicant.is_approved()
    door.network.clock.move(minutes=20)
    await door.node.people.sign_in(OWN, PASSWORD, "", "")
    await applicant.does("suspend", Ground.ACCOUNT_COMPROMISED, by=ADMIN)
    return applicant, secret


def _token(visitor) -> str:
    cookies = {cookie.name: cookie.value for cookie in visitor.client.cookie_jar}
    return next(value for name, value in cookies.items() if "session" in name)


async def test_a_password_that_somebody_else_knew_opens_nothing(door):
    """Sessions end with the suspension; the password is void at once, also after the lifting, and the page says why."""
    applicant, _ = await taken_over(door, factor=False)
    sessions = await rows(door.node, "select token from sessions")
    page = await page_of(await door.newcomer().post("/sign-in", login=OWN, password=PASSWORD))
    await applicant.does("lift", Ground.CLEARED, by=RITA)
    await applicant.does("lift", Ground.CLEARED, by=RENE)
    lifted = await page_of(await door.newcomer().post("/sign-in", login=OWN, password=PASSWORD))

    assert [] == sessions
    assert all("(password_void)" in text and 'href="/recover"' in text for text in (page, lifted))
    assert "(wrong_credentials)" in await page_of(await door.newcomer().post("/sign-in", login=OWN, password=NEW))


async def test_another_reason_leaves_the_password(door):
    """The twin: suspended for what an authority wrote, she signs in and reads why."""
    await door.joins(role="generalist")
    dossier = (await rows(door.node, "select id, account from dossiers"))[0]
    applicant = Applicant(door.node, dossier["account"], dossier["id"])
    await applicant.shows()
    await applicant.does("submit")
    await applicant.is_approved()
    await applicant.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)

    assert ("", 303) == ((await account(door))["unsafe"], await signs_in(door, PASSWORD))


async def test_without_a_factor_the_code_alone_opens_it_again(door):
    """There is nothing to ask: the account is safe with the new password."""
    await taken_over(door, factor=False)
    somebody = await asks(door)
    answer = await sets(somebody, await mailed(door))

    assert (303, 200) == (answer.status_code, (await somebody.get("/me")).status_code)
    assert "" == (await account(door))["unsafe"]


async def recovers(door, secret):
    """The owner, with a new password and her factor, before the question."""
    somebody = await asks(door)
    await sets(somebody, await mailed(door))
    await somebody.get("/sign-in/second")
    door.network.clock.move(minutes=1)
    await somebody.post("/sign-in/second", factor_code=shown_code(secret, door.network.clock()), next="/me")
    return somebody


async def test_the_question_whose_the_factors_are_comes_before_everything_else(door):
    """Every address leads there; a form to another changes nothing; a program learns the code."""
    _, secret = await taken_over(door)
    somebody = await recovers(door, secret)
    ways = [
        (await somebody.get(path)).headers.get("Location")
        for path in ("/me", "/application", "/me/security", "/sign-in")
    ]
    page = await somebody.text("/sign-in/factors")
    refused = await somebody.post("/me/preferences", language="fr", appearance="")

    assert ["/sign-in/factors"] * 4 == ways
    assert "A stranger’s key" in page
    assert 303 == refused.status_code
    assert Stage.FACTORS is (await door.node.people.entered(_token(somebody))).stage
    assert "factors" == (await account(door))["unsafe"]


async def test_what_she_does_not_know_is_taken_away(door):
    """The strange key goes, her app stays, recovery codes are new, and the account is hers."""
    _, secret = await taken_over(door)
    before = {bytes(row["code"]) for row in await rows(door.node, "select code from recovery_codes")}
    somebody = await recovers(door, secret)
    page = await somebody.text("/sign-in/factors")
    strange = re.search(r'name="not_mine" value="([0-9a-f]+)"', page)[1]
    answer = await somebody.post("/sign-in/factors", not_mine=strange)
    after = {bytes(row["code"]) for row in await rows(door.node, "select code from recovery_codes")}

    assert 200 == answer.status_code
    assert "Recovery codes" in await page_of(answer)
    assert ([], 1) == (
        await rows(door.node, "select id from passkeys"), len(await rows(door.node, "select id from totp"))
    )  # fmt: skip
    assert set() == before & after
    assert 10 == len(after)
    assert ("", 200) == ((await account(door))["unsafe"], (await somebody.get("/me")).status_code)


async def test_if_all_are_hers_nothing_is_taken(door):
    """The twin: nothing is marked, both stay."""
    _, secret = await taken_over(door)
    somebody = await recovers(door, secret)
    await somebody.get("/sign-in/factors")
    await somebody.post("/sign-in/factors")

    assert (1, 1) == tuple([len(await rows(door.node, f"select id from {table}")) for table in ("passkeys", "totp")])
    assert 200 == (await somebody.get("/me")).status_code


async def test_a_stolen_password_and_the_strangers_factor_open_nothing(door):
    """Whoever took it over knows the old password, and has a key: without the mailbox there is no way in."""
    await taken_over(door)
    stranger = door.newcomer()
    await stranger.post("/sign-in", login=OWN, password=PASSWORD)
    guess = await sets(await asks(door), "00000000")

    assert 303 == (await stranger.get("/me")).status_code
    assert 422 == guess.status_code
    assert "password" == (await account(door))["unsafe"]


async def test_a_code_from_before_the_suspension_is_void(door):
    """A recovery that the stranger has begun does not outlive it."""
    owner = await door.joins(role="generalist")
    stranger = await asks(door)
    code = await mailed(door)
    dossier = (await rows(door.node, "select id, account from dossiers"))[0]
    applicant = Applicant(door.node, dossier["account"], dossier["id"])
    await applicant.shows()
    await applicant.does("submit")
    await applicant.is_approved()
    await applicant.does("suspend", Ground.ACCOUNT_COMPROMISED, by=ADMIN)
    answer = await sets(stranger, code)

    assert 303 == (await owner.get("/me")).status_code
    assert "(code_gone)" in await page_of(answer) or "/recover" == answer.headers.get("Location")
    assert "password" == (await account(door))["unsafe"]
