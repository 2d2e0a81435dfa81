"""What a verified doctor hands in at the pages: a renewal, a specialty, a name; taking it back; retiring."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from instance.services.dossiers.values import Findings
from tests.instance.dossiers.applying import ADMIN, HOLDS, RENE, RITA, RPPS, Applicant
from tests.instance.pages.newcomer import EMAIL, Door, Newcomer, open_door
from tests.town import PASSWORD, rows
from verification.grounds import Ground
from verification.moves import Choice

YES, NO = (Choice.APPROVE, Ground.EVIDENCE_HOLDS), (Choice.REJECT, Ground.EXPIRED_DOCUMENT)
TITLE = Findings(same_name=True, from_authority=True, specialist=True)


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def page_of(answer: Any) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def verified(door: Door, **changes: Any) -> tuple[Newcomer, Applicant]:
    """Somebody who has joined and been approved, signed in."""
    resident = changes.get("role") == "resident"
    somebody = await door.joins(**{"role": "generalist", **changes})
    if resident:
        await somebody.shows("resident_card", "card", medicine="yes", training_ends="2027-06-30", year_ends="2027")
    else:
        await somebody.shows("specialist_certificate" if changes.get("role") == "specialist" else "licence")
    await somebody.hands_in()
    found = (await rows(door.node, "select id, account from dossiers order by created_at desc, id desc"))[0]
    made = Applicant(door.node, found["account"], found["id"])
    await made.does("take", by=RITA)
    card = Findings(
        same_name=True, medicine=True, residency=True, year_ends=2027, training_ends=date(2027, 6, 30)
    )  # fmt: skip
    for by in (RITA, RENE):
        await made.is_found(by, card if resident else TITLE)
        await made.does("vote", *YES, by=by)
    await somebody.get("/application")
    return somebody, made


async def back(somebody: Newcomer) -> None:
    """Sign in again, after weeks."""
    await somebody.post("/sign-in", login=EMAIL, password=PASSWORD)
    await somebody.get("/application")


async def hands_in(somebody: Newcomer, kind: str, **fields: str) -> Any:
    """Send the form of an annex, from the version it shows."""
    page = await somebody.text(f"/application/annexes/{kind}")
    seen = re.findall(r'name="seen" value="(\d+)"', page)
    return await somebody.post(f"/application/annexes/{kind}", **{"seen": seen[-1] if seen else "0"} | fields)


async def judged(made: Applicant, vote: tuple[Choice, Ground] = YES, found: Findings = HOLDS) -> None:
    """Two reviewers decide on the annex that is open."""
    annex = (await made.file()).dossier.annexes[-1].id
    await made.does("take_annex", annex, by=RITA)
    for by in (RITA, RENE):
        await made.is_found(by, found)
        if (await made.file()).dossier.annexes[-1].open:
            await made.does("vote_annex", annex, *vote, by=by)


async def subject(made: Applicant) -> dict[str, Any]:
    """What the credential says now."""
    handle = (await made.file()).doctor.rpartition("/")[2]
    return (await made.node.people.doctor_document(handle)).credential["credentialSubject"]


# ── renewal ──


async def test_a_renewal_is_handed_in_looked_at_and_accepted(door):
    """From the page with its steps to the new day; reading goes on all the while."""
    somebody, made = await verified(door)
    door.network.clock.move(days=310)
    await door.node.dossiers.tick()
    await back(somebody)
    due = await somebody.text("/application")
    before = (await made.file()).dossier.reverify_on
    await somebody.shows("attestation", "registration", **{"for": "renewal"})
    step = await somebody.text("/application/annexes/renewal")
    answer = await hands_in(somebody, "renewal")
    received = await somebody.text("/application")
    await judged(made, found=Findings(same_name=True, from_authority=True, issued_on=date(2027, 9, 1)))
    after = await somebody.text("/application")

    assert "Your verification ends soon" in due
    assert "Document with one page" in step
    assert (303, "/application") == (answer.status_code, answer.headers["Location"])
    assert "It is handed in." in received
    assert "Expect an answer by" in received
    assert 200 == (await somebody.get("/feed")).status_code
    assert (await made.file()).dossier.reverify_on > before
    assert "You are verified" in after
    assert "Accepted" in after


async def test_a_refused_renewal_tells_why_and_can_be_handed_in_again(door):
    """The coded reason in words once it is decided; nothing of a first vote."""
    somebody, made = await verified(door)
    await somebody.shows(**{"for": "renewal"})
    await hands_in(somebody, "renewal")
    annex = (await made.file()).dossier.annexes[-1].id
    await made.does("take_annex", annex, by=RITA)
    await somebody.get("/application")  # says once that it is handed in
    looked = await somebody.text("/application")
    await made.does("vote_annex", annex, *NO, by=RITA)
    voted = await somebody.text("/application")
    await made.does("vote_annex", annex, *NO, by=RENE)
    refused = await somebody.text("/application")

    assert looked == voted
    assert "no longer valid" not in voted
    assert "The document is no longer valid. Send a present one." in refused
    assert 200 == (await somebody.get("/application/annexes/renewal")).status_code


async def test_the_reasons_are_read_in_every_language(door):
    """In German and in French, like the rest of the page."""
    somebody, made = await verified(door)
    await somebody.shows(**{"for": "renewal"})
    await hands_in(somebody, "renewal")
    await judged(made, NO)
    found = {}
    for language in ("de", "fr"):
        await somebody.post("/language", language=language, back="/application")
        found[language] = await somebody.text("/application")

    assert "nicht mehr gültig" in found["de"]
    assert "Abgelehnt" in found["de"]
    assert "plus valable" in found["fr"]
    assert "Refusé" in found["fr"]


async def test_what_is_handed_in_is_taken_back(door):
    """While nobody has decided; the doctor stays verified, and another one can be handed in."""
    somebody, made = await verified(door)
    await somebody.shows(**{"for": "renewal"})
    await hands_in(somebody, "renewal")
    page = await somebody.text("/application")
    annex = re.findall(r'name="annex" value="([^"]+)"', page)[0]
    answer = await somebody.post("/application/annexes/take-back", annex=annex)
    after = await somebody.text("/application")
    again = await somebody.post("/application/annexes/take-back", annex=annex)

    assert 303 == answer.status_code
    assert "It is taken back." in after
    assert "Ended without a decision" in after
    assert 409 == again.status_code
    assert "approved" == (await made.file()).dossier.state


async def test_anothers_annex_is_not_there(door):
    """Neither to be taken back nor to be seen."""
    somebody, _ = await verified(door)
    await somebody.shows(**{"for": "renewal"})
    await hands_in(somebody, "renewal")
    annex = re.findall(r'name="annex" value="([^"]+)"', await somebody.text("/application"))[0]
    paul = await door.joins(email="paul@mail.example", name="Dr Paul Bertin")
    answer = await paul.post("/application/annexes/take-back", annex=annex)

    assert 404 == answer.status_code
    assert annex not in await paul.text("/application")
    assert ["submitted"] == [row["state"] for row in await rows(door.node, "select state from annexes")]


# ── a specialty ──


async def test_a_resident_becomes_a_specialist_of_what_the_certificate_names(door):
    """Role, specialty and mark are new; until the answer nothing is."""
    somebody, made = await verified(door, role="resident", specialty="internal-medicine")
    await somebody.shows("specialist_certificate", **{"for": "specialist"})
    answer = await hands_in(somebody, "specialist", specialty="cardiology")
    waiting = await subject(made)
    page = await somebody.text("/application")
    await judged(made, found=TITLE)
    after = await subject(made)
    shown = await somebody.text("/me")

    assert 303 == answer.status_code
    assert ("resident", ["internal-medicine"]) == (waiting["practitionerRole"], waiting["specialty"])
    assert "Cardiology" in page
    assert ("specialist", ["internal-medicine", "cardiology"]) == (after["practitionerRole"], after["specialty"])
    assert "Specialist, " in shown
    assert ["cardiology", "internal-medicine"] == sorted(
        row["specialty"] for row in await rows(door.node, "select specialty from doctor_specialties")
    )


async def test_a_specialist_adds_a_further_one_and_nothing_else_moves(door):
    """The new one stands with the others; the day of the next look does not move."""
    somebody, made = await verified(door, role="specialist", specialty=["cardiology", "internal-medicine"])
    before = (await made.file()).dossier.reverify_on
    door.network.clock.move(days=20)
    await back(somebody)
    page = await somebody.text("/application/annexes/specialist")
    await somebody.shows("specialist_certificate", **{"for": "specialist"})
    await hands_in(somebody, "specialist", specialty="geriatrics")
    await judged(made, found=TITLE)
    file = await made.file()

    assert 'value="cardiology"' not in page
    assert ["cardiology", "internal-medicine", "geriatrics"] == (await subject(made))["specialty"]
    assert ("cardiology", "internal-medicine", "geriatrics") == file.said.specialties
    assert before == file.dossier.reverify_on


@pytest.mark.parametrize(
    ("specialty", "code"), [("", "bad_specialty"), ("astrology", "bad_specialty"), ("cardiology", "bad_specialty")]
)
async def test_a_specialty_that_cannot_be_added_is_named(door, specialty, code):
    """None, no such, one that is there: at its field; what was added is still there."""
    somebody, made = await verified(door, role="specialist")
    piece = await somebody.shows("specialist_certificate", **{"for": "specialist"})
    answer = await hands_in(somebody, "specialist", specialty=specialty)
    page = await page_of(answer)

    assert 422 == answer.status_code
    assert f"({code})" in page
    assert piece in page
    assert () == (await made.file()).dossier.annexes


async def test_a_fourth_specialty_has_no_room(door):
    """Three are shown; the sentence says whom to write to."""
    three = ["cardiology", "internal-medicine", "geriatrics"]
    somebody, made = await verified(door, role="specialist", specialty=three)
    await somebody.shows("specialist_certificate", **{"for": "specialist"})
    answer = await hands_in(somebody, "specialist", specialty="neurology")

    assert (422, True) == (answer.status_code, "(too_many_specialties)" in await page_of(answer))
    assert () == (await made.file()).dossier.annexes


async def test_without_a_certificate_nobody_becomes_a_specialist(door):
    """Nothing added, or a licence that names no specialty: the page offers none, and a form made by hand adds none."""
    somebody, made = await verified(door, role="resident")
    bare = await hands_in(somebody, "specialist", specialty="cardiology")
    form = await somebody.text("/application/add/diploma?for=specialist")
    licence = await somebody.post("/application/add/diploma", proof="licence", **{"for": "specialist"})

    assert (422, True) == (bare.status_code, "(certificate_missing)" in await page_of(bare))
    assert ('value="licence"' in form, 'value="specialist_certificate"' in form) == (False, True)
    assert (422, True) == (licence.status_code, "(proof_missing)" in await page_of(licence))
    assert "resident" == (await made.file()).dossier.role


# ── a name ──


async def test_a_name_changes_when_two_agree_and_not_before(door):
    """The deed and a document under the new name; the desk sees both, the register is asked for the new one."""
    somebody, made = await verified(door)
    await somebody.shows("name_change_deed", **{"for": "name"})
    await somebody.shows(
        "attestation", "registration", number_kind="rpps", number=RPPS, issued_on="2026-11-01", **{"for": "name"}
    )
    answer = await hands_in(somebody, "name", name="Dr Éliane Marchal")
    waiting, page = await subject(made), await somebody.text("/application")
    await judged(made, found=Findings(same_name=True, from_authority=True, issued_on=date(2026, 11, 1)))
    after = await subject(made)

    assert 303 == answer.status_code
    assert ("Dr Éliane Vauquelin", "Dr Éliane Marchal") == (waiting["name"], after["name"])
    assert "Dr Éliane Marchal" in page
    assert "Dr Éliane Marchal" == (await made.file()).said.name
    assert "Dr Éliane Marchal" in await somebody.text("/me")


async def test_a_deed_alone_changes_no_name(door):
    """It says nothing of a doctor: a document of the authority goes with it."""
    somebody, made = await verified(door)
    piece = await somebody.shows("name_change_deed", **{"for": "name"})
    answer = await hands_in(somebody, "name", name="Dr Éliane Marchal")
    page = await page_of(answer)

    assert (422, True) == (answer.status_code, "(name_proof_missing)" in page)
    assert 'value="Dr Éliane Marchal"' in page
    assert piece in page
    assert () == (await made.file()).dossier.annexes


@pytest.mark.parametrize("name", ["", "✓ ✓", "x" * 300])
async def test_a_name_that_cannot_be_is_no_new_name(door, name):
    """Empty, dressed up, too long: said at its field."""
    somebody, made = await verified(door)
    await somebody.shows("attestation", "registration", **{"for": "name"})
    answer = await hands_in(somebody, "name", name=name)

    assert (422, True) == (answer.status_code, "(bad_name)" in await page_of(answer))
    assert () == (await made.file()).dossier.annexes


# ── what goes with what, and what is refused ──


async def test_what_was_added_for_one_goes_with_no_other(door):
    """A certificate added for a specialty stays there when a renewal is handed in."""
    somebody, made = await verified(door)
    title = await somebody.shows("specialist_certificate", **{"for": "specialist"})
    paper = await somebody.shows("licence", **{"for": "renewal"})
    renewal, specialist = [await somebody.text(f"/application/annexes/{kind}") for kind in ("renewal", "specialist")]
    await hands_in(somebody, "renewal")
    file = await made.file()

    assert ([paper in renewal, title in renewal], [paper in specialist, title in specialist]) == (
        [True, False], [False, True],
    )  # fmt: skip
    assert [paper] == [each.id for each in file.dossier.annexes[0].evidence]
    assert [title] == [each.id for each in file.waiting()]


async def test_one_of_a_kind_is_open_at_a_time(door):
    """The second is refused in words, sent twice or begun anew; another kind is not."""
    somebody, made = await verified(door)
    await somebody.shows(**{"for": "renewal"})
    seen = re.findall(r'name="seen" value="(\d+)"', await somebody.text("/application/annexes/renewal"))[-1]
    answers = [await somebody.post("/application/annexes/renewal", seen=seen) for _ in range(2)]
    closed = await somebody.get("/application/annexes/renewal")

    assert [303, 409] == [answer.status_code for answer in answers]
    assert "(annex_open)" in await page_of(answers[1])
    assert (409, True) == (closed.status_code, "(annex_open)" in await page_of(closed))
    assert 200 == (await somebody.get("/application/annexes/name")).status_code
    assert 1 == len((await made.file()).dossier.annexes)


async def test_without_its_document_no_annex_is_handed_in(door):
    """The page says at which entry."""
    somebody, made = await verified(door)
    await somebody.post("/application/add/diploma", proof="licence", **{"for": "renewal"})
    answer = await hands_in(somebody, "renewal")
    empty = await hands_in(somebody, "name", name="Dr Éliane Marchal")

    assert (422, True) == (answer.status_code, "(document_missing)" in await page_of(answer))
    assert (422, True) == (empty.status_code, "(name_proof_missing)" in await page_of(empty))
    assert () == (await made.file()).dossier.annexes


async def test_who_is_suspended_hands_nothing_in_and_what_waits_rests(door):
    """Each page says so; what was handed in before is still there, and looked at later."""
    somebody, made = await verified(door)
    await somebody.shows(**{"for": "renewal"})
    await hands_in(somebody, "renewal")
    await made.does("suspend", Ground.MISCONDUCT, by=ADMIN)
    await somebody.post("/sign-in", login=EMAIL, password=PASSWORD)
    page = await somebody.text("/application")
    paths = [f"/application/annexes/{kind}" for kind in ("renewal", "specialist", "name")] + ["/application/retire"]
    pages = [await page_of(await somebody.get(path)) for path in paths]
    answer = await somebody.post("/application/annexes/name", seen=str((await made.file()).version), name="Dr X Y")

    assert "Resting" in page
    assert 'action="/application/annexes/take-back"' not in page
    assert all("(annex_suspended)" in each for each in pages)
    assert all('<form method="post" action="/application/' not in each for each in pages)
    assert 422 == answer.status_code or 409 == answer.status_code
    assert 1 == len((await made.file()).dossier.annexes)


async def test_who_is_not_verified_hands_in_no_annex(door):
    """An applicant is told when it will be possible; whoever has no application finds nothing there."""
    eliane = await door.joins()
    await door.place.doctor("marie")
    marie = door.newcomer()
    await marie.post("/sign-in", login="marie", password=PASSWORD)
    await marie.get("/me")
    pages = [await eliane.get(f"/application/{path}") for path in ("annexes/renewal", "retire")]

    assert [409, 409] == [page.status_code for page in pages]
    assert all(["(annex_not_verified)" in await page_of(page) for page in pages])
    assert [404, 404] == [(await marie.get(f"/application/{path}")).status_code for path in ("annexes/name", "retire")]
    assert 404 == (await eliane.get("/application/annexes/nothing")).status_code


# ── retiring ──


async def retires(somebody: Newcomer, **fields: str) -> Any:
    """Send the form of the page that asks once more, with the password as the fresh look."""
    seen = re.findall(r'name="seen" value="(\d+)"', await somebody.text("/application/retire"))
    return await somebody.post(
        "/application/retire", **{"seen": seen[-1] if seen else "0", "factor_password": PASSWORD} | fields
    )


async def test_who_retires_reads_and_comments_and_posts_no_more(door):
    """After the page, the tick and a fresh look; the role is new here and in the credential."""
    somebody, made = await verified(door)
    page = await somebody.text("/application/retire")
    answer = await retires(somebody, understood="1")
    after = await somebody.text("/application")
    write = await somebody.post("/write", title="x", text="y")

    assert "You no longer publish, recommend or vote." in page
    assert 303 == answer.status_code
    assert "You are recorded as retired." in after
    assert "You can read and comment." in after
    assert "retired" == (await subject(made))["practitionerRole"]
    assert (200, 403) == ((await somebody.get("/feed")).status_code, write.status_code)


async def test_nobody_retires_by_accident(door):
    """Without the tick, without a fresh look, on an old page: nothing changes."""
    somebody, made = await verified(door)
    door.network.clock.move(minutes=30)
    unticked = await retires(somebody)
    door.network.clock.move(minutes=30)
    stale = await retires(somebody, understood="1", factor_password="")
    old = await retires(somebody, understood="1", seen="0")

    assert (422, True) == (unticked.status_code, "(retire_unconfirmed)" in await page_of(unticked))
    assert 403 == stale.status_code
    assert 'name="factor_password"' in await page_of(stale)
    assert (409, True) == (old.status_code, "(application_changed)" in await page_of(old))
    assert "generalist" == (await made.file()).dossier.role


async def test_the_retired_and_residents_do_not_retire(door):
    """Each is told why; a retired doctor adds no specialty either, and may still change the name."""
    somebody, made = await verified(door)
    await retires(somebody, understood="1")
    again = await retires(somebody, understood="1")
    title = await somebody.get("/application/annexes/specialist")
    leo, _ = await verified(door, role="resident", email="leo@mail.example", name="Léo Martin")
    early = await retires(leo, understood="1")

    assert (409, True) == (again.status_code, "(retired_already)" in await page_of(again))
    assert (409, True) == (title.status_code, "(retired_already)" in await page_of(title))
    assert (409, True) == (early.status_code, "(retire_not_yet)" in await page_of(early))
    assert 200 == (await somebody.get("/application/annexes/name")).status_code
    assert "retired" == (await made.file()).dossier.role


# ── after the end ──


async def test_after_the_end_everything_leads_to_the_renewal(door):
    """Signed in: home, brand and closed pages lead to the application; there it is renewed, and nothing else opens."""
    _, made = await verified(door)
    door.network.clock.move(days=400)
    for _ in range(2):
        await door.node.dossiers.tick()
    somebody = door.newcomer()
    await somebody.post("/sign-in", login=EMAIL, password=PASSWORD)
    home, feed, me = await somebody.get("/"), await somebody.get("/feed"), await somebody.text("/me")
    closed, page = await page_of(feed), await somebody.text("/application")
    annex = await somebody.get("/application/annexes/name")

    assert (303, "/application") == (home.status_code, home.headers["Location"])
    assert 403 == feed.status_code
    assert 'href="/application"' in closed
    assert 'href="/colleagues"' not in closed
    assert "Your verification has ended" in closed
    assert 'href="/application"' in me
    assert 'href="/application/add/diploma"' in page
    assert (409, True) == (annex.status_code, "(annex_expired)" in await page_of(annex))
    assert "expired" == (await made.file()).dossier.state


async def test_what_was_added_for_a_renewal_is_there_after_the_end(door):
    """Added the day before, not handed in: the application takes it, and so does its document."""
    somebody, made = await verified(door)
    door.network.clock.move(days=355)
    await door.node.dossiers.tick()
    await back(somebody)
    piece = await somebody.shows(**{"for": "renewal"})
    door.network.clock.move(days=20)
    for _ in range(2):
        await door.node.dossiers.tick()
    await back(somebody)
    page = await somebody.text("/application")
    answer = await somebody.hands_in()

    assert piece in page
    assert (303, "submitted") == (answer.status_code, (await made.file()).dossier.state)
    assert piece in [each.id for each in (await made.file()).dossier.evidence]
