"""What pages tell, and to whom: a second vote is blind, a dossier closes, a doctor leaves by a page of its own."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.services.dossiers.values import Findings
from tests.factors import enrol
from tests.instance.dossiers.applying import ADMIN, APPROVE, REJECT, REMY, RENE, RITA, RPPS, Applicant, application
from tests.instance.files import pdf
from tests.instance.pages.desk_house import Desk, known, open_desk, seen
from tests.instance.pages.house import Visitor
from tests.instance.pages.newcomer import Door, open_door
from tests.town import PASSWORD
from verification.countries import Proof
from verification.evidence import Control
from verification.grounds import Ground
from verification.moves import State

KNOWN = Findings(
    same_name=True, known=True, active=True, known_name=True, control=Control.IDENTITY_DOCUMENT_LIVE
)  # fmt: skip
SURE = {"sure": "1"}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French desk at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """The French instance, nobody in it."""
    folder = tmp_path / "door"
    folder.mkdir()
    opened = await open_door(folder)
    yield opened
    await opened.network.close()


async def text_of(answer: Any) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def signed_in(desk: Desk, login: str = "eliane") -> Visitor:
    """A doctor or applicant, signed in a moment ago."""
    somebody = desk.house.visitor()
    assert 303 == (await somebody.post("/sign-in", login=login, password=PASSWORD)).status_code
    await somebody.get("/application")
    return somebody


async def state_of(made: Applicant) -> State:
    """Where it stands."""
    return (await made.file()).dossier.state


# ── what the second reviewer sees ──


@pytest.mark.parametrize("choice", [APPROVE, REJECT], ids=["approve", "reject"])
async def test_the_page_is_the_same_whatever_the_first_vote_was(desk: Desk, choice: Any) -> None:
    """No class, day or worth on it tells what the first reviewer found."""
    made = await Applicant.begins(desk.node)
    await made.shows(Proof.DEGREE)
    await made.shows(Proof.REGISTER_NUMBER, number_kind="rpps", number=RPPS)
    await made.does("submit")
    await made.does("take", by=RITA)
    rene = await desk.staff("rene.reviewer", "reviewer")
    before = ranks(await rene.text(f"/desk/{made.id}"))
    for piece in (await made.file()).pieces:
        await desk.node.dossiers.find(made.id, RITA, piece.id, KNOWN)
    await made.does("vote", *choice, by=RITA)
    page = await rene.text(f"/desk/{made.id}")

    assert before == ranks(page) == ["E4", "E2"]
    assert "Tick what you find in each document and keep it" in page
    assert "Findings kept" not in page  # who kept none before a vote has not approved


def ranks(page: str) -> list[str]:
    """The classes beside the pieces."""
    return re.findall(r'<h3 id="piece-[^>]*>[^<]*<span class="soft">(E\d)</span>', page)


async def test_findings_cannot_be_changed_once_the_own_vote_is_cast(desk: Desk) -> None:
    """They are still to be read; a form that was open before is refused."""
    made, _ = await desk.applicant()
    rita = await desk.staff("rita.reviewer", "reviewer")
    early = await rita.text(f"/desk/{made.id}")
    await rita.post(f"/desk/{made.id}/take", seen=seen(early))
    page = await rita.text(f"/desk/{made.id}")
    [piece] = re.findall(r'name="piece" value="([^"]+)"', page)
    await rita.post(f"/desk/{made.id}/findings", piece=piece, same_name="1", from_authority="1")
    await votes(rita, made.id, *APPROVE)
    after = await rita.text(f"/desk/{made.id}")
    late = await rita.post(f"/desk/{made.id}/findings", piece=piece)

    assert 'action="/desk/' + made.id + '/findings"' not in early
    assert ("<fieldset" in page, "disabled" in page) == (True, False)
    assert "disabled" in after
    assert 1 == after.count("Findings kept")
    assert (403, True) == (late.status_code, "(same_person)" in await text_of(late))


async def votes(visitor: Visitor, dossier: str, choice: Any, ground: Any) -> Any:
    """Vote on the version of this moment."""
    page = await visitor.text(f"/desk/{dossier}")
    return await visitor.post(
        f"/desk/{dossier}/vote", seen=seen(page), known=known(page), choice=choice.value, ground=ground.value
    )


@pytest.mark.parametrize("fields", [{"training_ends": "9999-12-31"}, {"year_ends": "0000"}, {"year_ends": "9999"}])
async def test_a_day_that_cannot_be_is_said_at_both_forms(desk: Desk, door: Door, fields: dict[str, str]) -> None:
    """Nothing is kept of it, and every page goes on."""
    eliane = await door.joins(role="resident")
    await eliane.get("/application/add/card")
    claimed = await eliane.post("/application/add/card", proof="resident_card", medicine="yes", **fields)
    made = await Applicant.begins(desk.node, role="resident")
    await made.shows(Proof.RESIDENT_CARD)
    await made.does("submit")
    rita = await desk.staff("rita.reviewer", "reviewer")
    await rita.post(f"/desk/{made.id}/take", seen=seen(await rita.text(f"/desk/{made.id}")))
    [piece] = re.findall(r'name="piece" value="([^"]+)"', await rita.text(f"/desk/{made.id}"))
    found = await rita.post(f"/desk/{made.id}/findings", piece=piece, same_name="1", residency="1", **fields)

    assert [422, 422] == [claimed.status_code, found.status_code]
    assert re.search(r"\((day_impossible|bad_claim)\)", await text_of(claimed))
    assert "(day_impossible)" in await text_of(found)
    assert 200 == (await rita.get(f"/desk/{made.id}")).status_code
    assert 303 == (await votes(rita, made.id, *REJECT)).status_code


# ── who opens a dossier ──


async def test_a_dossier_closes_when_the_desk_is_done_with_it(desk: Desk) -> None:
    """404 for a draft, and for an approved one to whoever did not vote; each opening stands in the log."""
    draft = await Applicant.begins(desk.node, "luc", name="Dr Luc Marin")
    made, file = await desk.applicant()
    rita = await desk.staff("rita.reviewer", "reviewer")
    lea = await desk.staff("lea.lead", "lead")
    opened = [(await rita.get(f"/desk/{each.id}")).status_code for each in (draft, made)]
    acts = [line.act for line in await desk.node.dossiers.history(made.id)]
    shown = await rita.text(f"/desk/{made.id}")
    await made.is_approved()
    paths = (f"/desk/{made.id}", f"/desk/{made.id}/files/{file}/1.jpg", f"/desk/{draft.id}")

    assert [404, 200] == opened
    assert ["dossier.opened"] == acts[-1:]
    assert 1 == shown.count("Dossier opened")
    assert [404, 404, 404] == [(await rita.get(path)).status_code for path in paths]
    assert [200, 404, 404] == [(await lea.get(path)).status_code for path in paths]
    assert 404 == (await rita.post(f"/desk/{draft.id}/death", seen="1")).status_code


async def test_earlier_applications_stand_beside_the_new_one(desk: Desk) -> None:
    """With what came of them and why; whoever decided the last one does not find the new one."""
    made, _ = await desk.applicant()
    rita = await desk.staff("rita.reviewer", "reviewer")
    await rita.post(f"/desk/{made.id}/take", seen=seen(await rita.text(f"/desk/{made.id}")))
    await votes(rita, made.id, *REJECT)
    await made.is_voted(RENE, REJECT)
    await made.does("withdraw")
    desk.move(seconds=1)
    again = Applicant(desk.node, made.account, await desk.node.dossiers.open(made.account, application()))
    await again.shows()
    await again.does("submit")
    remy = await desk.staff("remy.reviewer", "reviewer")
    page = await remy.text(f"/desk/{again.id}")

    assert "Earlier applications of this account" in page
    assert re.search(rf"{made.id}.*?Rejected <span class=.soft.>[^<]+</span>.*?Withdrawn", page, re.DOTALL)
    assert 404 == (await rita.get(f"/desk/{again.id}")).status_code


async def test_a_reported_death_is_nothing_an_administrator_is_shown(desk: Desk) -> None:
    """No empty handle, and no proposal they cannot agree with; a revocation they see."""
    made, _ = await desk.applicant()
    await made.does("report_death", by=RITA)
    administrator = await desk.staff("ada.admin", "administrator")
    submitted = await administrator.text("/desk/suspend")
    await made.is_approved()
    await made.does("report_death", by=RITA)
    found = await administrator.text("/desk/suspend?handle=eliane.vauquelin")
    await made.does("revoke", Ground.MISCONDUCT, by=RITA)

    assert "handle=" not in submitted
    assert "staff-1" not in found
    assert "handle=eliane.vauquelin" in await administrator.text("/desk/suspend")


# ── what the applicant learns ──


async def test_no_number_on_the_applicants_pages_tells_of_a_vote(desk: Desk) -> None:
    """What the forms carry changes with what is shown, and by nothing else."""
    made, _ = await desk.applicant()
    eliane = await signed_in(desk)
    carried = []
    for step in (None, ("take", ()), ("vote", REJECT), ("ask", (Ground.INCOMPLETE,))):
        if step is not None:
            await made.does(step[0], *step[1], by=REMY if step[0] == "ask" else RITA)
        page = await eliane.text("/application/withdraw") + await eliane.text("/application")
        carried.append(set(re.findall(r'name="seen" value="(\d+)"', page)))

    assert [1, 1, 1, 1] == [len(each) for each in carried]
    assert carried[1] == carried[2]
    assert carried[0] != carried[1] != carried[3]


async def test_a_form_made_before_something_was_shown_is_refused_and_one_after_a_vote_is_not(desk: Desk) -> None:
    """The hidden number still keeps two tabs apart."""
    made, _ = await desk.applicant()
    eliane = await signed_in(desk)
    old = seen(await eliane.text("/application/withdraw"))
    await made.does("take", by=RITA)
    late = await eliane.post("/application/withdraw", seen=old)
    fresh = seen(await eliane.text("/application/withdraw"))
    await made.does("vote", *REJECT, by=RITA)
    forged = await eliane.post("/application/withdraw", seen=str((await made.file()).version))

    assert [409, 409] == [late.status_code, forged.status_code]
    assert 303 == (await eliane.post("/application/withdraw", seen=fresh)).status_code
    assert State.WITHDRAWN is await state_of(made)


async def test_a_question_opens_room_for_files_and_wants_an_answer(door: Door) -> None:
    """Six were shown: six more can be, and handing nothing in is no answer."""
    eliane = await door.joins(role="generalist")
    piece = await eliane.shows()
    for number in range(5):
        assert 303 == (await eliane.sends(f"/application/pieces/{piece}/files", pdf(text=str(number)))).status_code
    full = await eliane.sends(f"/application/pieces/{piece}/files", pdf(text="seventh"))
    await eliane.hands_in()
    made = await door.applicant()
    await made.does("take", by=RITA)
    await made.does("ask", Ground.UNREADABLE, by=RITA)
    page = await eliane.text("/application")
    await eliane.get("/application")
    nothing = await eliane.post("/application/submit", seen=seen(await eliane.text("/application/withdraw")))
    await eliane.shows()
    answered = await eliane.hands_in()

    assert (422, True) == (full.status_code, "(file_too_many)" in await text_of(full))
    assert 'action="/application/submit"' not in page
    assert (422, True) == (nothing.status_code, "(nothing_new)" in await text_of(nothing))
    assert (303, State.SUBMITTED) == (answered.status_code, await state_of(made))


async def test_thirty_applications_in_half_a_minute_are_not_begun(door: Door) -> None:
    """The fourth within thirty days is refused with a sentence."""
    born = {"birth_day": "3", "birth_month": "2", "birth_year": "1980"}
    new = {
        "name": "Dr Éliane Vauquelin",
        "country": "FR",
        "role": "generalist",
        "specialty": "general-practice",
        **born,
    }
    eliane = await door.joins()
    begun = []
    for _ in range(3):
        with sqlite3.connect(door.place.config.database.removeprefix("sqlite:///")) as file:
            file.execute("update dossiers set state = 'closed'")  # after a withdrawal nobody signs in any more
        door.network.clock.move(seconds=1)
        await eliane.get("/application/new")
        begun.append(await eliane.post("/application/new", **new))

    assert [303, 303, 429] == [each.status_code for each in begun]
    assert "(too_many_applications)" in await text_of(begun[-1])


# ── leaving ──


async def test_one_post_to_withdraw_ends_no_verified_doctor(desk: Desk) -> None:
    """The page leads on to the one for leaving; the form is refused."""
    made, _ = await desk.applicant()
    await made.is_approved()
    eliane = await signed_in(desk)
    led = await eliane.get("/application/withdraw")
    page = await eliane.text("/application/leave")
    refused = await eliane.post("/application/withdraw", seen=seen(page))

    assert (303, "/application/leave") == (led.status_code, led.headers["Location"])
    assert (409, True) == (refused.status_code, "(leave_instead)" in await text_of(refused))
    assert State.APPROVED is await state_of(made)


async def test_a_doctor_leaves_on_purpose_and_with_a_fresh_factor(desk: Desk) -> None:
    """Not by a form without the tick, not by a session of an hour ago, not by a form from another state."""
    made, _ = await desk.applicant()
    await made.is_approved()
    eliane = await signed_in(desk)
    await enrol(eliane, desk.house.now)
    assert "/application/leave" in await eliane.text("/application")
    asked = await eliane.text("/application/leave")
    here, number = re.findall(r'<a href="([^"]+)" aria-current="page"', asked), seen(asked)
    unsure = await eliane.post("/application/leave", seen=number)
    old = await eliane.post("/application/leave", seen="1", **SURE)
    desk.move(minutes=10)
    await eliane.get("/application/leave")
    stale = await eliane.post("/application/leave", seen=number, **SURE)
    still = await state_of(made)

    assert ["/me"] == here
    assert [422, 409, 403] == [unsure.status_code, old.status_code, stale.status_code]
    assert "(leave_unsure)" in await text_of(unsure)
    assert State.APPROVED is still


async def test_leaving_ends_sessions_and_is_for_ever(desk: Desk) -> None:
    """Within five minutes of signing in the password was shown; afterwards the account is signed out."""
    made, _ = await desk.applicant()
    await made.is_approved()
    eliane = await signed_in(desk)
    left = await eliane.post("/application/leave", seen=seen(await eliane.text("/application/leave")), **SURE)
    after = await eliane.get("/application")
    page = await eliane.text(after.headers["Location"])

    assert "You have left. You are signed out everywhere" in page
    assert (303, "/application") == (left.status_code, left.headers["Location"])
    assert State.WITHDRAWN is await state_of(made)
    assert (303, True) == (after.status_code, after.headers["Location"].startswith("/sign-in"))


async def test_what_is_refused_shows_no_dossier_unrecorded(desk: Desk) -> None:
    """The page that says why not shows everything a dossier has: its opening is in the log, each time."""
    made, _ = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    await rita.get("/me")
    acts = ("take", "vote", "ask", "revoke", "lift", "death", "confirm")
    answers = [await rita.post(f"/desk/{made.id}/{act}", seen="99", choice="approve", ground="x") for act in acts]
    shown = ["Vauquelin" in await text_of(each) for each in answers]

    assert [True] * len(acts) == shown
    assert len(acts) == [each.act for each in await desk.node.dossiers.history(made.id)].count("dossier.opened")


async def test_nobody_leaves_while_suspended_or_to_be_revoked(desk: Desk) -> None:
    """With a sentence; the revocation can still be recorded. Whoever was never verified has nothing to leave."""
    made, _ = await desk.applicant()
    applying = await signed_in(desk)
    never = await applying.get("/application/leave")
    await made.is_approved()
    eliane = await signed_in(desk)
    number = seen(await eliane.text("/application/leave"))
    await made.does("revoke", Ground.MISCONDUCT, by=RITA)
    proposed = await eliane.post("/application/leave", seen=number, **SURE)
    await made.does("suspend", Ground.MISCONDUCT, by=ADMIN)
    suspended = await signed_in(desk)
    link = "/application/leave" in await suspended.text("/application")
    led = await suspended.get("/application/leave")
    refused = await suspended.post("/application/leave", seen="1", **SURE)

    assert (303, "/application") == (never.status_code, never.headers["Location"])
    assert (409, True) == (proposed.status_code, "(leaving_held)" in await text_of(proposed))
    assert (False, 303, 409) == (link, led.status_code, refused.status_code)
    assert State.SUSPENDED is await state_of(made)
