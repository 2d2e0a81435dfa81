"""The pages of staff, without scripts: who reaches them, who is invited and accepts, and who is ended."""

from __future__ import annotations

import re
from typing import Any

import pytest
from quart import Quart

from instance.routes import guard
from instance.services.staff import Invite
from tests.factors import enrol
from tests.instance.pages.desk_acts import text_of
from tests.instance.pages.factors import appointed, half
from tests.instance.pages.rows import PASSWORD
from tests.tools.docs_parts import page_routes
from tests.town import rows

STAFF_PAGES = [(rule, method) for rule, methods, access in page_routes() for method in methods if access == "staff"]


def test_there_are_staff_routes():
    """The sweep below looks at something."""
    assert len(STAFF_PAGES) >= 4


@pytest.mark.parametrize(("rule", "method"), STAFF_PAGES)
async def test_no_staff_route_opens_without_a_second_factor_or_a_role(house, rule, method):
    """J3.1: a role without a factor, a doctor, and somebody who has only shown the password, at each route: 403."""
    path = re.sub(r"<[^>]+>", "x", rule)
    bare, doctor = await house.doctor("staff"), await house.doctor("marie")
    found = {}
    for name, visitor in (("bare", bare), ("doctor", doctor)):
        await visitor.get("/me/security")
        answer = await (visitor.get(path) if method == "GET" else visitor.post(path))
        found[name] = (answer.status_code, re.search(r"<code>(\w+)</code>", await text_of(answer))[1])

    assert {"bare": (403, "factor_missing"), "doctor": (403, "not_staff")} == found


async def test_the_page_that_says_so_leads_to_the_enrolment(house):
    """Whoever owes a factor finds the way to it, and nothing else."""
    bare = await house.doctor("staff")
    answer = await bare.get("/me")
    page = await text_of(answer)

    assert 403 == answer.status_code
    assert 'href="/me/security"' in page
    assert 'class="bar"' not in page
    assert 200 == (await bare.get("/me/security")).status_code


async def test_a_role_opens_its_own_routes_alone(house):
    """A moderator with a factor does not administer; an administrator does."""
    moderator, _ = await appointed(house, "max", "moderator")
    administrator, _ = await appointed(house, "ada", "administrator")
    refused = await moderator.get("/staff")

    assert (403, True) == (refused.status_code, "role_missing" in await text_of(refused))
    assert 200 == (await administrator.get("/staff")).status_code
    assert 'href="/staff"' in await administrator.text("/me")
    assert 'href="/staff"' not in await moderator.text("/me")


async def test_an_administrator_invites_withdraws_and_ends(house):
    """The link is shown once, an invitation can be taken back, and who is ended is out at once."""
    ada, _ = await appointed(house)
    max_, _ = await appointed(house, "max", "moderator")
    await ada.get("/staff")
    made = await text_of(await ada.post("/staff/invite", email="rita@chamber.example", role="reviewer", country="FR"))
    link = re.search(r'value="http://fr.localhost:8001(/invitation/[^"]+)"', made)[1]
    waiting = await ada.text("/staff")
    invitation = re.search(r'name="invitation" value="([^"]+)"', waiting)[1]
    open_before = (await house.visitor().get(link)).status_code
    await ada.post("/staff/invitations/withdraw", invitation=invitation)
    member = next(one.id for one in await house.node.staff.list() if one.login == "max")
    no_reason = await ada.post("/staff/end", member=member, reason=" ")
    ended = await ada.post("/staff/end", member=member, reason="left")

    assert link not in waiting
    assert (200, 404) == (open_before, (await house.visitor().get(link)).status_code)
    assert (422, 303) == (no_reason.status_code, ended.status_code)
    assert (303, "/sign-in?next=/me") == (
        (await max_.get("/me")).status_code, (await max_.get("/me")).headers["Location"]
    )  # fmt: skip


async def test_who_administers_sees_where_each_works(house):
    """The places of work stand beside the roles, of invitations that wait as well; who has none has no such line."""
    ada, _ = await appointed(house)
    before = await ada.text("/staff")
    for login, sites in (("rita", "chu-lyon hopital-nord"), ("rose", "charite-mitte")):
        await ada.post(
            "/staff/invite", email=f"{login}@chamber.example", role="reviewer", country="FR", sites=sites
        )  # fmt: skip
    waiting = await ada.text("/staff")
    rita = await house.node.staff.invite(
        Invite(email="rene@chamber.example", roles=("reviewer",), countries=("FR",), sites=("site-of-rene",)), by="test"
    )
    await house.node.staff.accept(rita.link.rpartition("/")[2], "rene", PASSWORD)
    members = (await ada.text("/staff")).partition('id="waiting"')[0]

    assert "Places of work:" not in before
    assert "Places of work: <bdi>chu-lyon</bdi>, <bdi>hopital-nord</bdi>" in waiting
    assert "Reviewer · France<br>Places of work: <bdi>charite-mitte</bdi>" in waiting
    assert ["Places of work: <bdi>site-of-rene</bdi>"] == re.findall("Places of work:[^\n]*?</bdi>", members)


@pytest.mark.parametrize("token", ["x", "a" * 500, "%00", "..%2f"])
async def test_an_invented_invitation_is_not_there(house, token):
    """404 in the same words, whatever is tried; a form to it makes no account."""
    before = len(await rows(house.node, "select id from accounts"))
    somebody = house.visitor()
    got = await somebody.get(f"/invitation/{token}")
    sent = await somebody.post(f"/invitation/{token}", login="rita", password=PASSWORD, again=PASSWORD)

    assert {404, 400} >= {got.status_code, sent.status_code}
    assert before == len(await rows(house.node, "select id from accounts"))


async def test_an_invitation_keeps_what_was_typed(house):
    """A short password is named at its field; the name stays; the second try is taken, the third time it is gone."""
    invited = await house.node.staff.invite(Invite(email="r@chamber.example", roles=("moderator",)), by="test")
    path, somebody = "/invitation/" + invited.link.rpartition("/")[2], house.visitor()
    await somebody.get(path)
    short = await somebody.post(path, login="rita", password="short", again="short")
    differ = await somebody.post(path, login="rita", password=PASSWORD, again="another")
    taken = await somebody.post(path, login="rita", password=PASSWORD, again=PASSWORD)
    gone = await house.visitor().post(path, login="rita2", password=PASSWORD, again=PASSWORD)

    assert (422, 422, 303, 404) == tuple(one.status_code for one in (short, differ, taken, gone))
    for answer, named in ((short, "password-wrong"), (differ, "again-wrong")):
        page = await text_of(answer)
        assert 'value="rita"' in page
        assert named in page


async def test_a_signed_in_doctor_accepts_with_her_account(house):
    """One button; she is signed out everywhere else, and adds a factor in the session she has, under a new token."""
    invited = await house.node.staff.invite(Invite(email="m@chamber.example", roles=("moderator",)), by="test")
    path, marie = "/invitation/" + invited.link.rpartition("/")[2], await house.doctor("marie")
    page = await marie.text(path)
    elsewhere = await house.doctor("marie")
    answer = await marie.post(path)
    again = await house.doctor("marie")
    offered = await marie.text("/me/security")

    assert 'name="password"' not in page
    assert (303, "/invitation/confirm") == (answer.status_code, answer.headers["Location"])
    assert ('action="/me/security/app"' in offered, 'name="enrolment"' in offered) == (True, False)
    assert 303 == (await elsewhere.get("/feed")).status_code
    assert [403, 403] == [(await one.get("/feed")).status_code for one in (marie, again)]
    assert 'action="/me/security/app"' not in await again.text("/me/security")
    await enrol(marie, house.now)
    assert 200 == (await marie.get("/feed")).status_code


async def test_a_route_marked_for_staff_names_itself(house):
    """The mark is one of those the application accepts."""
    app = Quart("marked", static_folder=None)

    @app.get("/desk")
    @guard.staff_required()
    async def desk(_actor: Any) -> str:
        return ""

    assert desk.access in guard.MARKS


async def test_whoever_has_begun_to_sign_in_ends_that_before_accepting(house):
    """A half session at an invitation leads on; one that is whole accepts for itself and makes no other account."""
    await enrol(await house.doctor("marie"), house.now)
    invited = await house.node.staff.invite(Invite(email="m@chamber.example", roles=("moderator",)), by="test")
    path, somebody = "/invitation/" + invited.link.rpartition("/")[2], await half(house)
    got = await somebody.get(path)
    sent = await somebody.post(path, login="ghost", password=PASSWORD, again=PASSWORD)
    late = await house.doctor("late")
    await late.get(path)
    other = await late.post(path, login="ghost", password=PASSWORD, again=PASSWORD)

    assert (303, f"/sign-in/second?next={path}") == (got.status_code, got.headers["Location"])
    assert (303, 409) == (sent.status_code, other.status_code)
    assert [] == await rows(house.node, "select id from accounts where login = 'ghost'")
    assert await house.node.staff.invitation(path.rpartition("/")[2])
