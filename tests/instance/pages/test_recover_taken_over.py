"""An account that was in somebody else's hands: what lets its owner in again, and nobody else."""

from __future__ import annotations

import re

import pytest

from instance.services.accounts import Stage
from tests.factors import code as shown_code
from tests.instance.dossiers.applying import ADMIN, RENE, RITA, Applicant
from tests.instance.pages.newcomer import open_door
from tests.instance.pages.recovering import (
    NEW,
    OWN,
    account,
    asks,
    mailed,
    page_of,
    sets,
    signs_in,
    taken_over,
    token_of,
)
from tests.town import PASSWORD, rows
from verification.grounds import Ground


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


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
    assert Stage.FACTORS is (await door.node.people.entered(token_of(somebody))).stage
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
