"""A student from the card to the feed and out again: exactly the rights the country's policy names, and no day longer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from instance.frame import cookie_name
from instance.i18n import catalogue
from instance.services.dossiers.values import Findings
from instance.services.errors import Forbidden, Rejected
from instance.services.standings import require
from tests.instance.dossiers.applying import RENE, RITA, Applicant
from tests.instance.pages.desk_acts import text_of
from tests.instance.pages.desk_house import Desk, open_desk, seen
from tests.instance.pages.house import OWN_PAGE, Visitor
from tests.instance.pages.newcomer import Door
from tests.instance.students import CARD, READ, administrators, lets, student
from tests.town import PASSWORD, rows
from verification.countries import Proof
from verification.grounds import Ground
from verification.moves import Choice
from verification.overlay import StudentRight
from verification.standing import Action

BORN = {"birth_day": "3", "birth_month": "2", "birth_year": "2003"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French instance at noon, two of whose administrators are at hand."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def enters(desk: Desk, login: str = "sophie") -> Visitor:
    """Sign in at the pages."""
    somebody = desk.house.visitor()
    answer = await somebody.post("/sign-in", login=login, password=PASSWORD)
    assert 303 == answer.status_code
    return somebody


async def refused(act: Any) -> str:
    """The code with which something is refused; empty where it is done."""
    try:
        await act
    except (Rejected, Forbidden) as error:
        return str(error.code)
    return ""


# ── J2.1 ──


async def test_a_card_without_the_subject_is_asked_about(desk: Desk) -> None:
    """At the pages: the reviewer sees what is missing, cannot approve, asks; the applicant reads why."""
    door = Door(desk.network, desk.place, desk.house)
    rachel = await door.joins(role="resident", email="rachel@mail.example")
    await rachel.shows("student_card", "card", year_ends="2027", training_ends="2027-06-30")
    await rachel.hands_in()
    dossier = (await door.applicant()).id
    rita = await desk.staff("rita", "reviewer")
    await rita.post(f"/desk/{dossier}/take", seen=seen(await rita.text(f"/desk/{dossier}")))
    page = await rita.text(f"/desk/{dossier}")
    piece = re.search(r'name="piece" value="([^"]+)"', page)
    assert piece is not None
    await rita.post(
        f"/desk/{dossier}/findings", piece=piece[1], same_name="1", residency="1", medicine="", year_ends="2027",
        training_ends="2027-06-30",
    )  # fmt: skip
    page = await rita.text(f"/desk/{dossier}")
    approve = await rita.post(f"/desk/{dossier}/vote", seen=seen(page), choice="approve", ground="evidence_holds")
    asked = await rita.post(f"/desk/{dossier}/ask", seen=seen(page), ground="subject_missing")
    told = await rachel.text("/application")

    assert catalogue("en").text("desk.ground.subject_missing") in page
    assert (422, True) == (approve.status_code, "role_not_proved" in await text_of(approve))
    assert 303 == asked.status_code
    assert catalogue("en").text("ground.subject_missing") in told


async def test_a_student_is_refused_where_the_policy_is_off(desk: Desk) -> None:
    """At the pages: not offered, and refused by name where it is sent all the same; no account is made."""
    somebody = desk.house.visitor()
    page = await somebody.text("/join")
    form = {
        "email": "sophie@mail.example", "password": PASSWORD, "again": PASSWORD, "name": "Sophie Martin",
        "country": "FR", "role": "student", "specialty": "cardiology", **BORN,
    }  # fmt: skip
    answer = await somebody.post("/join", **form)
    kept = await rows(desk.node, "select id from dossiers")

    assert 'value="student"' not in page
    assert (422, True) == (answer.status_code, "students_not_admitted" in await text_of(answer))
    assert "Students are not admitted in this country." in await text_of(answer)
    assert [] == kept


async def test_only_the_country_that_lets_them_in_does(desk: Desk) -> None:
    """Germany's students are let in, France's are not: the form is the same, the answer is not."""
    await administrators(desk.node)
    await lets(desk.node, READ, country="DE")
    somebody = desk.house.visitor()
    page = await somebody.text("/join")
    form = {
        "password": PASSWORD,
        "again": PASSWORD,
        "name": "Sophie Martin",
        "role": "student",
        "specialty": "cardiology",
        **BORN,
    }
    french = await somebody.post("/join", **form, email="a@mail.example", country="FR")
    german = await somebody.post("/join", **form, email="b@mail.example", country="DE")

    assert 'value="student"' in page
    assert (422, True) == (french.status_code, "students_not_admitted" in await text_of(french))
    assert 303 == german.status_code


async def test_turned_off_while_it_is_reviewed_nobody_is_approved(desk: Desk) -> None:
    """The second vote counts under the policy of that moment."""
    await administrators(desk.node)
    await lets(desk.node, READ)
    made = await Applicant.begins(desk.node, "sophie", role="student")
    await made.shows(Proof.STUDENT_CARD, medicine=True, year_ends=2027)
    await made.does("submit")
    await made.does("take", by=RITA)
    await made.is_found(RITA, CARD)
    await made.does("vote", Choice.APPROVE, Ground.EVIDENCE_HOLDS, by=RITA)
    await lets(desk.node)
    await made.is_found(RENE, CARD)
    code = await refused(made.does("vote", Choice.APPROVE, Ground.EVIDENCE_HOLDS, by=RENE))
    worth = await desk.node.dossiers.worth(made.id, RENE)

    assert "role_not_proved" == code
    assert (Ground.STUDENTS_NOT_ADMITTED,) == worth.worth.shortcomings
    assert "second_review" == (await made.file()).dossier.state


# ── J2.7 ──


async def test_a_student_reads_until_the_policy_is_turned_off(desk: Desk) -> None:
    """Verified until sixty days after the academic year, marked as a student; off again, the next request is refused."""
    await administrators(desk.node)
    await lets(desk.node, READ)
    made = await student(desk.node)
    sophie = await enters(desk)
    before = [(await sophie.get(path)).status_code for path in ("/feed", "/colleagues", "/write")]
    row = await desk.node.store.one("people.doctor", uri=(await made.file()).doctor)
    mark = await sophie.text(f"/doctors/{row['handle']}")
    await lets(desk.node)
    after = [await sophie.get(path) for path in ("/feed", "/colleagues", f"/doctors/{row['handle']}", "/me")]

    assert datetime(2027, 8, 1, tzinfo=UTC) + timedelta(days=60) == (await made.file()).dossier.reverify_on
    assert ("student", True) == (row["role"], catalogue("fr").text("role.student") in mark)
    assert [200, 200, 403] == before
    assert [403, 403, 403, 200] == [answer.status_code for answer in after]
    assert "role_not_allowed" in await text_of(after[0])


async def test_in_front_of_the_pages_it_ends_with_the_request_too(desk: Desk) -> None:
    """The feed as a page and as a document, asked for again and again: closed at once, and open again at once."""
    await administrators(desk.node)
    await lets(desk.node, READ)
    await student(desk.node)
    token = (await desk.node.people.sign_in("sophie", PASSWORD, "127.0.0.1")).token
    headers = {"Host": "fr.localhost:8001", "Cookie": f"{cookie_name(desk.node, 'session')}={token}", **OWN_PAGE}

    async def asked() -> list[int]:
        return [(await desk.place.request("GET", path, headers)).status for path in ("/feed", "/api/feed") * 2]

    before = await asked()
    await lets(desk.node)
    after = await asked()
    await lets(desk.node, READ)

    assert ([200] * 4, [403] * 4, [200] * 4) == (before, after, await asked())


@pytest.mark.parametrize("right", [None, *list(StudentRight)[1:]])
async def test_exactly_the_rights_that_are_named(desk: Desk, right: StudentRight | None) -> None:
    """Reading with each other right alone: that door opens, the others stay closed; a review never does."""
    await administrators(desk.node)
    await lets(desk.node, READ, *([right] if right else []))
    made, marie = await student(desk.node), await desk.place.doctor("marie")
    sophie = await made.doctor(desk.place)
    slug = await marie.posts("Made up", audience="national")
    post = (await desk.node.store.one("posts.by_slug", slug=slug))["uri"]
    row = await desk.node.store.one("people.standing", uri=sophie.uri)

    async def asked(action: Action) -> None:
        require(action, row, desk.node.policies.standing, desk.node.clock())

    codes = {
        "comment": await refused(sophie.comments(post, "Made up")),
        "post": await refused(sophie.posts("Made up too", audience="national")),
        "vote": await refused(asked(Action.VOTE)),
        "read": await refused(asked(Action.READ)),
        "review": await refused(asked(Action.REVIEW)),
    }
    open_ = {"read", *([right.value] if right else [])}

    assert {name: "" if name in open_ else "role_not_allowed" for name in codes} == codes


async def test_a_right_is_taken_away_alone_and_the_rest_stays(desk: Desk) -> None:
    """Commenting ends with the request, reading goes on; what was written before is still taken back."""
    await administrators(desk.node)
    await lets(desk.node, READ, StudentRight.COMMENT)
    made, marie = await student(desk.node), await desk.place.doctor("marie")
    sophie = await made.doctor(desk.place)
    slug = await marie.posts("Made up", audience="national")
    post = (await desk.node.store.one("posts.by_slug", slug=slug))["uri"]
    first = await refused(sophie.comments(post, "Before"))
    await lets(desk.node, READ)
    second = await refused(sophie.comments(post, "After"))
    visitor = await enters(desk)

    assert ("", "role_not_allowed") == (first, second)
    assert 200 == (await visitor.get("/feed")).status_code


# ── a resident on a letter alone ──


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        (Findings(same_name=True, residency=True, training_ends=datetime(2027, 6, 30, tzinfo=UTC).date()), "year_end_missing"),
        (Findings(same_name=True, residency=True, year_ends=2027), "training_end_missing"),
    ],
)  # fmt: skip
async def test_a_day_that_nobody_has_said_is_named_at_the_desk(desk: Desk, findings: Findings, code: str) -> None:
    """On an employer's letter alone: the reviewer reads which day is missing, enters it, and the vote goes through."""
    made = await Applicant.begins(desk.node, "rachel", role="resident")
    await made.shows(Proof.EMPLOYER_LETTER, residency=True)
    await made.does("submit")
    rita, rene = await desk.staff("rita", "reviewer"), await desk.staff("rene", "reviewer")
    await rita.post(f"/desk/{made.id}/take", seen=seen(await rita.text(f"/desk/{made.id}")))
    whole = Findings(
        same_name=True, residency=True, year_ends=2027, training_ends=datetime(2027, 6, 30, tzinfo=UTC).date()
    )
    await made.is_found(await desk.actor("rita"), findings)
    without = await votes(rita, made.id)
    for login in ("rita", "rene"):
        await made.is_found(await desk.actor(login), whole)
    first = await votes(rita, made.id)
    second = await votes(rene, made.id)

    assert (422, True) == (without.status_code, f"({code})" in await text_of(without))
    assert 303 == first.status_code
    assert (303, "approved") == (second.status_code, (await made.file()).dossier.state)


async def votes(visitor: Visitor, dossier: str) -> Any:
    """Approve on the version of this moment."""
    page = await visitor.text(f"/desk/{dossier}")
    return await visitor.post(f"/desk/{dossier}/vote", seen=seen(page), choice="approve", ground="evidence_holds")
