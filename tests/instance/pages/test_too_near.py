"""What the desk keeps from whom: the network from its staff, the near from those they are near to, a wrong card from all."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from instance.i18n import catalogue
from instance.services.staff import Invite
from tests import town
from tests.factors import enrol
from tests.instance.dossiers.applying import RENE, RITA, Applicant
from tests.instance.files import pdf
from tests.instance.pages.desk_house import Desk, open_desk, seen
from tests.instance.pages.house import Visitor
from tests.instance.pages.rows import PASSWORD
from tests.tools.docs_parts import page_routes
from verification.countries import Proof
from verification.grounds import Ground
from verification.moves import Choice

OF_DOCTORS = [(rule, method) for rule, methods, access in page_routes() for method in methods if access == "doctor"]
TITLE = "Syncope after exercise"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French desk at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def statuses(visitor: Visitor, dossier: str, file: str) -> list[int]:
    """What every way to a dossier answers this person."""
    await visitor.get("/me")
    gets = [f"/desk/{dossier}", f"/desk/{dossier}/files/{file}/1.jpg"]
    posts = [f"/desk/{dossier}/{act}" for act in ("take", "findings", "ask", "vote", "decide")]
    form = {"seen": "1", "choice": "approve", "ground": "evidence_holds"}
    return [(await visitor.get(path)).status_code for path in gets] + [
        (await visitor.post(path, **form)).status_code for path in posts
    ]


@pytest.mark.parametrize("role", ["reviewer", "lead", "administrator", "dpo"])
async def test_staff_who_are_no_doctors_get_nothing_of_the_network(desk: Desk, role: str) -> None:
    """J3.2: every page and form that is for doctors answers 403, real or invented, and shows neither case nor name."""
    marie = await desk.place.doctor("marie")
    slug = await marie.posts(TITLE)
    somebody = await desk.staff("somebody", role)
    await somebody.get("/me")
    found = {}
    for rule, method in OF_DOCTORS:
        for path in {re.sub(r"<[^>]+>", "x", rule), rule.replace("<slug>", slug).replace("<address>", "marie")}:
            path = re.sub(r"<[^>]+>", "x", path)
            answer = await (somebody.get(path) if method == "GET" else somebody.post(path))
            page = str(await answer.get_data(as_text=True))
            found[method, path] = (answer.status_code, TITLE in page or "Dr Marie" in page)

    assert len(found) > 30
    assert {} == {key: said for key, said in found.items() if said != (403, False)}


async def test_nobody_judges_the_own_application_by_any_address(desk: Desk) -> None:
    """J3.7: whoever applied and then came to work here does not find it, and every way to it answers 404."""
    made, file = await desk.applicant()
    invited = await desk.node.staff.invite(
        Invite(email="eliane@chamber.example", roles=("reviewer",), countries=("FR",)), by="test"
    )
    eliane = desk.house.visitor()
    await eliane.get("/sign-in")
    await eliane.post("/sign-in", login="eliane", password=town.PASSWORD)
    path = "/invitation/" + invited.link.rpartition("/")[2]
    await eliane.get(path)
    assert 303 == (await eliane.post(path)).status_code
    await enrol(eliane, desk.house.now)
    queue = await eliane.text("/desk")

    assert made.id not in queue
    assert [404] * 7 == await statuses(eliane, made.id, file)
    assert "submitted" == (await made.file()).dossier.state


async def reviewer(desk: Desk, *sites: str) -> Visitor:
    """Somebody who reviews, and works at these places beside."""
    new = Invite(email="rita@chamber.example", roles=("reviewer",), countries=("FR",), sites=sites)
    link, rita = (await desk.node.staff.invite(new, by="test")).link, desk.house.visitor()
    path = "/invitation/" + link.rpartition("/")[2]
    await rita.get(path)
    await rita.post(path, login="rita", password=PASSWORD, again=PASSWORD)
    await enrol(rita, desk.house.now)
    return rita


async def test_nobody_judges_whom_they_work_with(desk: Desk) -> None:
    """J3.7: who works at the same site does not find it in the queue, and every way to it answers 404."""
    made, file = await desk.applicant(sites=("chu-lyon",))
    rita = await reviewer(desk, "chu-lyon")
    queue = await rita.text("/desk")

    assert made.id not in queue
    assert [404] * 7 == await statuses(rita, made.id, file)


async def test_who_works_elsewhere_judges(desk: Desk) -> None:
    """The twin: from another site it is found and taken."""
    made, _ = await desk.applicant(sites=("chu-lyon",))
    rita = await reviewer(desk, "chu-nantes")
    page = await rita.text(f"/desk/{made.id}")
    taken = await rita.post(f"/desk/{made.id}/take", seen=seen(page))

    assert (303, "in_review") == (taken.status_code, (await made.file()).dossier.state)


async def test_whom_they_work_with_can_be_said_when_more_is_asked_for(desk: Desk) -> None:
    """Said in the form, the reviewer of that place who had begun finds it no more; one of another place does."""
    made, file = await desk.applicant()
    rita = await reviewer(desk, "chu-lyon")
    await rita.post(f"/desk/{made.id}/take", seen=seen(await rita.text(f"/desk/{made.id}")))
    await made.does("ask", Ground.UNREADABLE, by=await desk.actor("rita"))
    eliane = desk.house.visitor()
    await eliane.get("/sign-in")
    await eliane.post("/sign-in", login="eliane", password=town.PASSWORD)
    form = seen(await eliane.text("/application/edit"))
    said = {"name": "Dr Éliane Vauquelin", "country": "FR", "role": "generalist", "specialty": "cardiology"}
    answer = await eliane.post("/application/edit", seen=form, site="chu-lyon", **said)
    await made.shows()
    await made.does("answer")
    queue, other = await rita.text("/desk"), await desk.staff("rene", "reviewer")

    assert 303 == answer.status_code
    assert made.id not in queue
    assert [404] * 7 == await statuses(rita, made.id, file)
    assert made.id in await other.text("/desk")


async def shows_card(desk: Desk) -> Applicant:
    """A resident who has handed in a student card, and two reviewers who read it."""
    made = await Applicant.begins(desk.node, "eliane", role="resident")
    piece = await made.shows(Proof.STUDENT_CARD, year_ends=2027, residency=True)
    kept = await desk.node.evidence.put(made.id, "student_card", "application/pdf", pdf(1))
    await desk.node.dossiers.attach(made.id, made.actor, piece, kept.id)
    await made.does("submit")
    return made


@pytest.mark.parametrize("medicine", ["", "no"])
async def test_a_card_without_the_subject_makes_nobody_a_resident(desk: Desk, medicine: str) -> None:
    """J2.1: a vote to approve is refused at the evidence, however the rest of the card is."""
    made, rita = await shows_card(desk), await desk.staff("rita", "reviewer")
    page = await rita.text(f"/desk/{made.id}")
    await rita.post(f"/desk/{made.id}/take", seen=seen(page))
    piece = (await made.file()).pieces[0].id
    facts = {
        "same_name": "1",
        "residency": "1",
        "year_ends": "2027",
        "training_ends": "2027-06-30",
        "medicine": medicine,
    }
    kept = await rita.post(f"/desk/{made.id}/findings", piece=piece, **facts)
    form = {"choice": "approve", "ground": "evidence_holds", "seen": str((await made.file()).version)}
    refused = await rita.post(f"/desk/{made.id}/vote", **form)

    assert 303 == kept.status_code
    assert (422, True) == (refused.status_code, "role_not_proved" in await refused.get_data(as_text=True))
    assert "in_review" == (await made.file()).dossier.state


async def test_with_the_subject_it_does(desk: Desk) -> None:
    """The twin: the same card, read as naming medicine, is approved by two."""
    made = await shows_card(desk)
    piece = (await made.file()).pieces[0].id
    facts = {"same_name": "1", "residency": "1", "year_ends": "2027", "training_ends": "2027-06-30", "medicine": "yes"}
    for login in ("rita", "rene"):
        visitor = await desk.staff(login, "reviewer")
        page = await visitor.text(f"/desk/{made.id}")
        if login == "rita":
            await visitor.post(f"/desk/{made.id}/take", seen=seen(page))
        await visitor.post(f"/desk/{made.id}/findings", piece=piece, **facts)
        form = {"choice": "approve", "ground": "evidence_holds", "seen": str((await made.file()).version)}
        assert 303 == (await visitor.post(f"/desk/{made.id}/vote", **form)).status_code

    assert ("approved", "resident") == ((await made.file()).dossier.state, (await made.file()).dossier.role)


@pytest.mark.parametrize("language", ["en", "de", "fr"])
async def test_the_missing_subject_is_said_in_the_applicants_language(desk: Desk, language: str) -> None:
    """J2.1: the fixed reason, in words; nothing else is said of the decision."""
    made = await shows_card(desk)
    await made.does("take", by=RITA)
    for reviewer in (RITA, RENE):
        await made.is_voted(reviewer, (Choice.REJECT, Ground.SUBJECT_MISSING))
    eliane, words = desk.house.visitor(), catalogue(language)
    await eliane.get("/sign-in")
    await eliane.post("/sign-in", login="eliane", password=town.PASSWORD)
    await eliane.get("/me")
    await eliane.post("/me/preferences", language=language, appearance="")
    page = await eliane.text("/application")

    assert words.text("ground.subject_missing") in page
    assert words.text("application.state.rejected") in page
