"""Signing up without scripts: what is taken and what is not, the code, and nothing that tells who is here already."""

from __future__ import annotations

import re

import pytest

from instance.services.errors import Rejected
from instance.services.joining import SignUp, read_address
from tests.instance.pages.newcomer import EMAIL, FORM, open_door
from tests.town import PASSWORD, rows


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def page_of(answer) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def test_whoever_reads_the_mail_is_signed_in_as_an_applicant(door):
    """An account without a doctor and without roles, a draft as it was said; signing in again works with the address."""
    await door.joins()
    again = door.newcomer()
    answer = await again.post("/sign-in", login=EMAIL, password=PASSWORD)
    account = (await rows(door.node, "select login, doctor, roles, email from accounts"))[0]
    dossier = (await rows(door.node, "select name, country, role, state, email from dossiers"))[0]

    assert (EMAIL.lower(), None, "[]", EMAIL.lower()) == tuple(account)
    assert ("Dr Éliane Vauquelin", "FR", "specialist", "draft", EMAIL.lower()) == tuple(dossier)
    assert 303 == answer.status_code
    assert [] == await rows(door.node, "select * from sign_ups")


async def test_nothing_is_made_before_the_code(door):
    """No account, no dossier; what is kept of password and code opens neither."""
    somebody = door.newcomer()
    await somebody.post("/join", **FORM)
    code = await door.code()
    kept = (await rows(door.node, "select * from sign_ups"))[0]

    assert [] == await rows(door.node, "select * from accounts")
    assert [] == await rows(door.node, "select * from dossiers")
    assert kept["password"].startswith("$argon2id$")
    assert code.encode() not in bytes(kept["code"])
    assert 303 == (await somebody.get("/application")).status_code


async def test_fields_nobody_asked_for_count_for_nothing(door):
    """`verified`, roles, a standing, a doctor: the account is an applicant's all the same."""
    extra = {
        "verified": "true", "roles": '["administrator","reviewer"]', "doctor": "https://fr.example/actors/x",
        "state": "approved", "standing": "ok", "assurance": "high", "handle": "admin",
    }  # fmt: skip
    somebody = await door.joins(**extra)
    account = (await rows(door.node, "select doctor, roles from accounts"))[0]
    feed = await somebody.get("/feed")

    assert (None, "[]") == tuple(account)
    assert ["draft"] == [row["state"] for row in await rows(door.node, "select state from dossiers")]
    assert 403 == feed.status_code


@pytest.mark.parametrize("domain", ["fr.example", "aphp.fr", "ordre.medecin.fr", "esanum.example"])
async def test_the_domain_of_an_address_gives_no_right(door, domain):
    """A hospital's, a chamber's or our own address opens what every other does: nothing."""
    somebody = await door.joins(email=f"somebody@{domain}")

    assert 403 == (await somebody.get("/feed")).status_code
    assert [None] == [row["doctor"] for row in await rows(door.node, "select doctor from accounts")]


@pytest.mark.parametrize(
    "address",
    [
        "", "a", "a@b", "@b.example", "a@", "a@b@c.example", '"a b"@c.example', "a(x)@b.example", "<a@b.example>",
        "a@b.example,c@d.example", "a@b.example c@d.example", "a@[192.0.2.1]", "a@192.0.2.1", "a@b.example.",
        "a@-b.example", "a..b@c.example", ".a@c.example", "a.@c.example", "a%b@c.example", "b!a@c.example",
        "é@b.example", "a@é.example", "a\n@b.example", "a@b.example\nBcc: c@d.example", "A <a@b.example>",
        f"{'a' * 65}@b.example", f"a@{'b' * 250}.example",
    ],
)  # fmt: skip
def test_an_address_that_can_be_read_in_two_ways_is_none(address):
    """One name, one @, one host; no quotes, comments, routes, lists, numbers."""
    with pytest.raises(Rejected) as found:
        read_address(address)

    assert ("bad_email", "email") == (found.value.code, found.value.field)


@pytest.mark.parametrize("address", ["a@b.example", "Anna.Weber+x@Mail.B.example", "o'neil_1-2@b-c.example"])
def test_plain_addresses_are_read_in_small_letters(address):
    """What people have."""
    assert address.lower() == read_address(address)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"email": "a@b@c.example"}, "bad_email"), ({"name": ""}, "bad_name"), ({"country": "DE"}, "country_not_allowed"),
        ({"country": "XX"}, "country_not_allowed"), ({"role": "administrator"}, "bad_role"), ({"role": ""}, "bad_role"),
        ({"role": "student"}, "students_not_admitted"), ({"specialty": "nothing"}, "bad_specialties"),
        ({"password": "short", "again": "short"}, "password_too_short"), ({"again": "other"}, "passwords_differ"),
        ({"password": EMAIL, "again": EMAIL}, "password_common"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_said_at_the_form_and_nothing_typed_is_lost(door, changes, code):
    """A sentence with its code, the form as typed without the passwords; no mail, no row."""
    answer = await door.newcomer().post("/join", **FORM | changes)
    page = await page_of(answer)

    assert 422 == answer.status_code
    assert f"({code})" in page
    assert PASSWORD not in page
    assert "cardiology" in page
    assert [] == await rows(door.node, "select * from sign_ups")
    assert [] == await door.mails()


async def test_an_address_that_is_taken_is_answered_like_a_new_one(door):
    """The same pages, letter by letter; only the mail says so, and no code fits."""
    await door.joins()
    taken, fresh = door.newcomer(), door.newcomer()
    first, second = await taken.post("/join", **FORM), await fresh.post("/join", **FORM | {"email": "new@mail.example"})
    texts = [await one.text("/join/confirm") for one in (taken, fresh)]
    mails = {mail["To"]: mail.get_content() for mail in (await door.mails())[-2:]}
    tries = [await one.post("/join/confirm", code="000000") for one in (taken, fresh)]

    assert (first.status_code, first.headers["Location"]) == (second.status_code, second.headers["Location"])
    assert texts[0].replace(EMAIL.lower(), "") == texts[1].replace("new@mail.example", "")
    assert "an account with it already" in mails[EMAIL.lower()]
    assert not re.search(r"\d{6}", mails[EMAIL.lower()])
    assert re.search(r"^\d{6}$", mails["new@mail.example"], re.MULTILINE)
    assert [422, 422] == [one.status_code for one in tries]
    assert 1 == len(await rows(door.node, "select * from accounts"))


async def test_a_code_fits_five_times_wrong_and_fifteen_minutes(door):
    """After that a new one is needed; the old one never fits again."""
    somebody = door.newcomer()
    await somebody.post("/join", **FORM)
    code = await door.code()
    wrong = f"{(int(code) + 1) % 10**6:06}"
    pages = [await page_of(await somebody.post("/join/confirm", code=wrong)) for _ in range(5)]
    used_up = await page_of(await somebody.post("/join/confirm", code=code))
    await somebody.post("/join/again")
    newer = await door.code()
    old = await page_of(await somebody.post("/join/confirm", code=code)) if code != newer else "(code_wrong)"
    door.network.clock.move(minutes=15)
    past = await page_of(await somebody.post("/join/confirm", code=newer))

    assert all("(code_wrong)" in page for page in pages)
    assert "(code_used_up)" in used_up
    assert "(code_wrong)" in old
    assert "(code_past)" in past
    assert [] == await rows(door.node, "select * from accounts")


async def test_a_code_fits_in_the_browser_that_asked_alone(door):
    """Without its cookie a right code is worth nothing."""
    await door.newcomer().post("/join", **FORM)
    answer = await door.newcomer().post("/join/confirm", code=await door.code())

    assert 404 == answer.status_code
    assert [] == await rows(door.node, "select * from accounts")


async def test_mails_to_one_address_are_few(door):
    """Three in a quarter of an hour, by whatever form; then 429 with the time to wait, known address or not."""
    somebody = door.newcomer()
    first = await somebody.post("/join", **FORM)
    again = [await somebody.post("/join/again") for _ in range(2)]
    refused = await somebody.post("/join/again")
    other = await door.newcomer().post("/join", **FORM)

    assert [303, 303, 303] == [answer.status_code for answer in (first, *again)]
    assert [(429, "900")] * 2 == [(one.status_code, one.headers["Retry-After"]) for one in (refused, other)]
    assert 3 == len(await door.mails())


async def test_a_day_has_so_many_mails_for_one_address(door):
    """Six for one client, so that a stranger leaves the owner some, and twelve from everywhere; the next day anew."""
    new = SignUp(
        email=EMAIL, password=PASSWORD, name="Éliane Vauquelin", country="FR", role="specialist",
        specialties=("cardiology",),
    )  # fmt: skip

    async def asks(client: str) -> bool:
        try:
            return bool(await door.node.joining.begin(new, client, "en"))
        except Rejected:
            return False

    said = []
    for client in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        for _ in range(7):
            said.append(await asks(client))
            door.network.clock.move(minutes=6)
    owner = await asks("192.0.2.9")
    recovers = await door.node.recovery.begin(EMAIL, "192.0.2.9", "en")
    door.network.clock.move(days=1)

    assert [*[True] * 6, False, *[True] * 6, False, *[False] * 7] == said
    assert not owner
    assert recovers
    assert await asks("192.0.2.1")


async def test_more_codes_are_not_more_tries(door):
    """Fifteen wrong ones in all, whatever was sent in between; then the sign-up is gone, right code or not."""
    somebody = door.newcomer()
    await somebody.post("/join", **FORM)
    pages = []
    for number in range(3):
        if number:
            await somebody.post("/join/again")
        code = await door.code()
        wrong = f"{(int(code) + 1) % 10**6:06}"
        pages += [await page_of(await somebody.post("/join/confirm", code=wrong)) for _ in range(5)]
    right = await somebody.post("/join/confirm", code=code)
    door.network.clock.move(minutes=16)
    again = await somebody.post("/join/again")

    assert 14 == sum("(code_wrong)" in page for page in pages)
    assert "(sign_up_gone)" in pages[-1]
    assert (404, 404) == (right.status_code, again.status_code)
    assert [] == await rows(door.node, "select * from accounts")


async def test_whoever_is_signed_in_makes_no_second_account(door):
    """Neither form does anything; one who has signed out again joins as anybody does."""
    somebody = await door.joins()
    first = await somebody.post("/join", **{**FORM, "email": "other@mail.example"})
    other = door.newcomer()
    await other.post("/join", **{**FORM, "email": "other@mail.example"})
    code = await door.code()
    second = await somebody.post("/join/confirm", code=code)

    assert [(303, "/application")] * 2 == [(one.status_code, one.headers["Location"]) for one in (first, second)]
    assert 1 == len(await rows(door.node, "select * from accounts"))
    assert 303 == (await other.post("/join/confirm", code=code)).status_code
    assert 2 == len(await rows(door.node, "select * from accounts"))


async def test_a_form_sent_twice_and_a_code_typed_twice_make_one_account(door):
    """The second sign-up replaces the first in this browser; the second code finds nothing left to do."""
    somebody = door.newcomer()
    for _ in range(2):
        await somebody.post("/join", **FORM)
    code = await door.code()
    answer = await somebody.post("/join/confirm", code=code)
    await somebody.get("/application")
    second = await somebody.post("/join/confirm", code=code)

    assert [(303, "/application")] * 2 == [(one.status_code, one.headers["Location"]) for one in (answer, second)]
    assert 1 == len(await rows(door.node, "select * from accounts"))
    assert 1 == len(await rows(door.node, "select * from dossiers"))


async def test_a_form_from_elsewhere_joins_nobody(door):
    """The browser says that another site sent it."""
    client = door.newcomer().client
    answer = await client.post("/join", headers={"Sec-Fetch-Site": "cross-site", "Accept": "text/html"}, form=FORM)

    assert 403 == answer.status_code
    assert [] == await rows(door.node, "select * from sign_ups")


async def test_what_was_not_finished_is_forgotten(door):
    """After an hour, address and all; not before."""
    await door.newcomer().post("/join", **FORM)
    door.network.clock.move(minutes=59)
    early = await door.node.joining.sweep()
    door.network.clock.move(minutes=2)

    assert (0, 1) == (early, await door.node.joining.sweep())
    assert [] == await rows(door.node, "select * from sign_ups")
