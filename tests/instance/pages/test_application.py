"""The own application without scripts: from a draft to a decision, what is refused, and what stays closed meanwhile."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pikepdf
import pytest

from instance.scanning import Scanner
from instance.services import departed
from instance.views.application import expected
from tests.instance.dossiers.applying import RENE, RITA, Applicant
from tests.instance.files import archive, image, pdf
from tests.instance.pages.house import OWN_PAGE
from tests.instance.pages.newcomer import EMAIL, PDF, open_door
from tests.tools.docs_parts import page_routes
from tests.town import PASSWORD, rows
from verification.grounds import Ground

ROUTES = [(rule, method, access) for rule, methods, access in page_routes() for method in methods]


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def page_of(answer) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def made_of(door, number: int = 0) -> Applicant:
    """The dossier of somebody who has joined, for what reviewers do with it."""
    found = (await rows(door.node, "select id, account from dossiers order by created_at, id"))[number]
    return Applicant(door.node, found["account"], found["id"])


async def back(somebody) -> None:
    """Sign in again with the address."""
    answer = await somebody.post("/sign-in", login=EMAIL, password=PASSWORD)
    assert 303 == answer.status_code


async def state_of(door) -> str:
    """Where the only application stands."""
    return str((await rows(door.node, "select state from dossiers"))[0]["state"])


# ── the way through ──


async def test_from_a_draft_to_verified(door):
    """Added, handed in, looked at by two: each page says where it stands and what comes next."""
    eliane = await door.joins(role="generalist")
    draft = await eliane.text("/application")
    await eliane.shows()
    answer = await eliane.hands_in()
    received = await eliane.text("/application")
    made = await made_of(door)
    await made.does("take", by=RITA)
    looked = await eliane.text("/application")
    await made.is_voted(RITA)
    voted = await eliane.text("/application")
    await made.is_voted(RENE)

    assert "Not handed in yet" in draft
    assert 303 == answer.status_code
    assert "Expect an answer by 25 November 2026" in received
    assert "Your application was received." in received
    assert "Being looked at" in looked
    assert looked == voted  # nobody learns of a first vote
    assert 200 == (await eliane.get("/feed")).status_code
    assert "You are verified" in await eliane.text("/application")


async def test_asked_for_more_it_goes_on_where_it_was(door):
    """The reason in words, the day to answer by; a piece is added and given, and the first is still there."""
    eliane = await door.joins()
    first = await eliane.shows()
    await eliane.hands_in()
    made = await made_of(door)
    await made.does("take", by=RITA)
    await made.does("ask", Ground.UNREADABLE, by=RITA)
    asked = await eliane.text("/application")
    second = await eliane.shows("attestation", "registration")
    answer = await eliane.hands_in()
    after = await eliane.text("/application")

    assert "Photograph it again, whole and in good light." in asked
    assert "by 23 December 2026" in asked
    assert 303 == answer.status_code
    assert "submitted" == await state_of(door)
    assert first in after
    assert second in after


async def test_refused_it_can_be_appealed_once(door):
    """The reason in words; an appeal in time; refused again there is none, and another application can begin."""
    eliane = await door.joins()
    await eliane.shows()
    await eliane.hands_in()
    made = await made_of(door)
    await made.is_rejected()
    refused = await eliane.text("/application")
    seen = await eliane.seen()
    answer = await eliane.post("/application/appeal", seen=seen)
    appealed = await eliane.text("/application")
    again = await eliane.post("/application/appeal", seen=seen)

    assert "A part or a page is missing." in refused
    assert 303 == answer.status_code
    assert "Your appeal is received" in appealed
    assert 'action="/application/appeal"' not in appealed
    assert (303, "appealed") == (again.status_code, await state_of(door))


async def test_withdrawn_on_a_page_that_asks_once_more(door):
    """Only the second page's button withdraws; from then on nobody signs in with that account, and the page says why."""
    eliane = await door.joins()
    page = await eliane.text("/application/withdraw")
    before = await state_of(door)
    seen = re.findall(r'name="seen" value="(\d+)"', page)[0]
    answer = await eliane.post("/application/withdraw", seen=seen)
    led = await eliane.get("/application")  # every session has ended
    said = await eliane.text(led.headers["Location"])
    refused = await eliane.post("/sign-in", login=EMAIL, password=PASSWORD)
    told = await refused.get_data(as_text=True)

    assert ("draft", 303, 303) == (before, answer.status_code, led.status_code)
    assert "Your application is withdrawn. You are signed out everywhere" in said
    assert 403 == refused.status_code
    assert "(account_over)" in told
    assert ["withdrawn"] == [row["state"] for row in await rows(door.node, "select state from dossiers")]


async def test_who_withdrew_joins_anew_once_the_account_is_erased(door):
    """With the same address; what was begun then is another application of another account."""
    eliane = await door.joins()
    seen = re.findall(r'name="seen" value="(\d+)"', await eliane.text("/application/withdraw"))[0]
    await eliane.post("/application/withdraw", seen=seen)
    await door.node.dossiers.tick()
    while await door.node.mails.send_due():
        pass
    emptied = await departed.empty(door.node)
    again = await door.joins()

    assert 1 == emptied
    assert "/application/withdraw" in await again.text("/application")
    assert [("withdrawn", 1), ("draft", 1)] == [
        tuple(row)
        for row in await rows(
            door.node, "select state, count(distinct account) from dossiers group by 1 order by 1 desc"
        )
    ]


async def test_after_the_end_it_is_renewed_by_oneself(door):
    """Expired: reading is closed, the page says since when, evidence is added and handed in."""
    eliane = await door.joins(role="generalist")
    await eliane.shows()
    await eliane.hands_in()
    made = await made_of(door)
    await made.is_approved()
    door.network.clock.move(days=800)
    await door.node.dossiers.tick()
    await door.node.dossiers.tick()
    somebody = door.newcomer()
    await back(somebody)
    closed = await somebody.get("/feed")
    page = await somebody.text("/application")
    await somebody.shows()
    answer = await somebody.hands_in()

    assert 403 == closed.status_code
    assert "Your verification has ended" in page
    assert (303, "submitted") == (answer.status_code, await state_of(door))


@pytest.mark.parametrize(
    ("since", "day"),
    [("2026-11-23", "2026-11-25"), ("2026-11-26", "2026-11-30"), ("2026-11-28", "2026-12-01")],
)
def test_two_working_days_leave_out_the_weekend(since, day):
    """From Monday to Wednesday, from Thursday to Monday, from Saturday to Tuesday."""
    at = datetime.fromisoformat(since).replace(tzinfo=UTC)

    assert day == expected(at).date().isoformat()


# ── what is shown ──


async def test_a_wrong_check_digit_is_asked_about_once(door):
    """The hint comes once, for this number; sent again as it is, it is added. Another wrong number is asked about anew."""
    eliane = await door.joins()
    path, fields = "/application/add/registration", {"proof": "register_number", "number_kind": "rpps"}
    first = await page_of(await eliane.post(path, **fields, number="10001234566"))
    other = await page_of(await eliane.post(path, **fields, number="10001234567", warned="10001234566"))
    answer = await eliane.post(path, **fields, number="10001234566", warned="10001234566")

    assert "(number_odd)" in first
    assert 'name="warned" value="10001234566"' in first
    assert "(number_odd)" in other
    assert 303 == answer.status_code
    assert 1 == len(await rows(door.node, "select * from evidence_pieces"))


@pytest.mark.parametrize(
    ("form", "fields", "code"),
    [
        ("registration", {"proof": "register_number", "number_kind": "rpps", "number": "12"}, "number_shape"),
        ("registration", {"proof": "register_number", "number_kind": "rpps", "number": ""}, "number_missing"),
        ("registration", {"proof": "register_number", "number_kind": "gmc", "number": "1234567"}, "number_shape"),
        ("registration", {"proof": "electronic_identity", "automatic": "1"}, "proof_missing"),
        ("registration", {"proof": "attestation", "issued_on": "yesterday"}, "bad_day"),
        ("diploma", {"proof": ""}, "proof_missing"),
        ("diploma", {"proof": "student_card"}, "proof_missing"),
        ("diploma", {"proof": "nothing"}, "proof_missing"),
    ],
)  # fmt: skip
async def test_what_cannot_be_shown_is_said_at_the_form(door, form, fields, code):
    """A sentence at the form, with what was typed; nothing is added."""
    eliane = await door.joins()
    answer = await eliane.post(f"/application/add/{form}", **fields)

    assert 422 == answer.status_code
    assert f"({code})" in await page_of(answer)
    assert [] == await rows(door.node, "select * from evidence_pieces")


async def test_a_card_is_for_residents_alone(door):
    """A specialist is offered none, and the form's address is not there."""
    eliane = await door.joins()
    resident = await door.joins(email="resident@mail.example", role="resident")

    assert "/application/add/card" not in await eliane.text("/application")
    assert 404 == (await eliane.get("/application/add/card")).status_code
    assert 404 == (await eliane.post("/application/add/card", proof="resident_card")).status_code
    assert "/application/add/card" in await resident.text("/application")
    assert 303 == (await resident.post("/application/add/card", proof="resident_card", medicine="yes")).status_code


def encrypted() -> bytes:
    """A PDF that asks for a password."""
    return pdf(encryption=pikepdf.Encryption(owner="x", user="y"))


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"", PDF, "file_empty"), (b"x" * (10 * 1024 * 1024 + 1), PDF, "file_too_large"),
        (encrypted(), PDF, "file_encrypted"), (archive(), PDF, "file_disguised"), (pdf()[:200], PDF, "file_broken"),
        (b"<html><script>", "image/png", "file_disguised"), (image()[:60], "image/png", "file_broken"),
    ],
)  # fmt: skip
async def test_a_file_that_cannot_be_kept_costs_nothing_else(door, content, kind, code):
    """A sentence at its field; the piece is still there and takes another one, nothing of the file is kept."""
    eliane = await door.joins()
    await eliane.post("/application/add/diploma", proof="licence")
    piece = await eliane.piece()
    answer = await eliane.sends(f"/application/pieces/{piece}/files", content, kind)
    page = await page_of(answer)
    kept = await rows(door.node, "select * from evidence_files")
    better = await eliane.sends(f"/application/pieces/{piece}/files", pdf())

    assert 422 == answer.status_code
    assert f'href="#file-{piece}"' in page
    assert code in page
    assert [] == kept
    assert 303 == better.status_code
    assert 1 == len(await rows(door.node, "select * from evidence_files"))


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [(("/bin/false",), 422, "Check your device"), (("/nowhere",), 503, "cannot be checked for malware")],
    ids=["infected", "no answer"],
)
async def test_a_file_that_the_scanner_does_not_let_in_costs_nothing_else(door, command, status, words):
    """What was found is said with what to do; a scanner away is our fault, and the piece waits for another try."""
    eliane = await door.joins()
    await eliane.post("/application/add/diploma", proof="licence")
    piece = await eliane.piece()
    evidence, unscanned = door.node.evidence, door.node.evidence._scanner
    evidence._scanner = Scanner(command, door.node.log, door.node.metrics)
    answer = await eliane.sends(f"/application/pieces/{piece}/files", pdf())
    page = await page_of(answer)
    kept = await rows(door.node, "select * from evidence_files")
    evidence._scanner = unscanned
    later = await eliane.sends(f"/application/pieces/{piece}/files", pdf())

    assert status == answer.status_code
    assert f'href="#file-{piece}"' in page
    assert words in page
    assert [] == kept
    assert 303 == later.status_code


async def test_without_its_document_nothing_is_handed_in(door):
    """The page says at which piece; a number alone is no document and may go in."""
    eliane = await door.joins()
    await eliane.post("/application/add/diploma", proof="licence")
    answer = await eliane.hands_in()
    piece = await eliane.piece()
    await eliane.post("/application/pieces/drop", piece=piece)
    await eliane.post(
        "/application/add/registration", proof="register_number", number_kind="rpps", number="10001234565"
    )
    taken = await eliane.hands_in()

    assert 422 == answer.status_code
    assert "(document_missing)" in await page_of(answer)
    assert 303 == taken.status_code


async def test_nothing_to_show_is_nothing_to_hand_in(door):
    """There is no button, and a form made by hand is refused."""
    eliane = await door.joins()
    page = await eliane.text("/application")
    carried = re.findall(r'name="seen" value="(\d+)"', await eliane.text("/application/withdraw"))[0]
    answer = await eliane.post("/application/submit", seen=carried)

    assert 'action="/application/submit"' not in page
    assert 422 == answer.status_code
    assert "(no_evidence)" in await page_of(answer)
    assert "draft" == await state_of(door)


async def test_what_is_taken_out_is_destroyed(door):
    """The piece is gone and its file with it; of what was handed in nothing can be taken out."""
    eliane = await door.joins()
    piece = await eliane.shows()
    answer = await eliane.post("/application/pieces/drop", piece=piece)
    gone = await rows(door.node, "select destroyed_for from evidence_files")
    other = await eliane.shows()
    await eliane.hands_in()
    late = await eliane.post("/application/pieces/drop", piece=other)

    assert 303 == answer.status_code
    assert ["piece_dropped"] == [row["destroyed_for"] for row in gone]
    assert late.status_code in (404, 409)
    assert 1 == len(await rows(door.node, "select * from evidence_pieces"))


# ── twice, in two tabs, by others ──


async def test_handed_in_twice_is_handed_in_once(door):
    """The second form changes nothing and leads to the page that says so."""
    eliane = await door.joins()
    await eliane.shows()
    seen = await eliane.seen()
    answers = [await eliane.post("/application/submit", seen=seen) for _ in range(2)]

    assert [303, 303] == [answer.status_code for answer in answers]
    assert 1 == len(await rows(door.node, "select * from dossier_notices where notice = 'received'"))


async def test_two_tabs_one_hands_in_one_withdraws(door):
    """The later of two is told that it stands elsewhere by now; what was decided first holds."""
    eliane = await door.joins()
    await eliane.shows()
    seen = await eliane.seen()
    first = await eliane.post("/application/submit", seen=seen)
    second = await eliane.post("/application/withdraw", seen=seen)

    assert (303, 409) == (first.status_code, second.status_code)
    assert "(application_changed)" in await page_of(second)
    assert "submitted" == await state_of(door)


@pytest.mark.parametrize("seen", ["", "x", "-1", "999999"])
async def test_a_form_that_names_no_version_of_ours_changes_nothing(door, seen):
    """Closed until opened: a missing version is an old one."""
    eliane = await door.joins()
    await eliane.shows()
    answer = await eliane.post("/application/submit", seen=seen)

    assert 409 == answer.status_code
    assert "draft" == await state_of(door)


async def test_another_ones_piece_is_not_there(door):
    """Neither a file can be added to it nor can it be taken out, and nothing of it is on any page of mine."""
    eliane, paul = await door.joins(), await door.joins(email="paul@mail.example", name="Dr Paul Bertin")
    await eliane.post("/application/add/diploma", proof="licence")
    theirs = await eliane.piece()
    await paul.get("/application")
    answers = [
        await paul.sends(f"/application/pieces/{theirs}/files", pdf()),
        await paul.post("/application/pieces/drop", piece=theirs),
        await paul.sends("/application/pieces/e-nothing/files", pdf()),
        await paul.post("/application/pieces/drop", piece="e-nothing"),
    ]

    assert [404] * 4 == [answer.status_code for answer in answers]
    assert theirs not in await paul.text("/application")
    assert [] == await rows(door.node, "select * from evidence_files")
    assert 1 == len(await rows(door.node, "select * from evidence_pieces"))


async def test_a_form_without_its_token_changes_nothing(door):
    """A109: neither a piece nor a file nor a move."""
    eliane = await door.joins()
    await eliane.shows()
    seen, eliane.token = await eliane.seen(), "x"
    answers = [
        await eliane.post("/application/add/diploma", proof="licence"),
        await eliane.post("/application/submit", seen=seen),
        await eliane.post("/application/withdraw", seen=seen),
    ]

    assert [403] * 3 == [answer.status_code for answer in answers]
    assert "draft" == await state_of(door)
    assert 1 == len(await rows(door.node, "select * from evidence_pieces"))


async def test_who_is_verified_begins_no_other_application(door):
    """A doctor's page says that there is none, and the form's address refuses."""
    await door.place.doctor("marie")
    marie = door.newcomer()
    await marie.post("/sign-in", login="marie", password=PASSWORD)
    page = await marie.text("/application")
    answer = await marie.post(
        "/application/new", name="Dr Marie", country="FR", role="generalist", specialty="cardiology"
    )

    assert 'action="/application/new"' not in page
    assert 409 == answer.status_code
    assert [] == await rows(door.node, "select * from dossiers")


# ── everything else is closed ──


async def test_an_applicant_gets_nothing_of_the_network(door):
    """Each route that is for doctors or staff: the same answer, status and way forward, and no name of anybody."""
    marie = await door.place.doctor("marie")
    await marie.posts("Syncope after exercise")
    eliane = await door.joins()
    closed = [(rule, method) for rule, method, access in ROUTES if access in ("doctor", "staff")]
    found = {}
    for rule, method in closed:
        path = re.sub(r"<[^>]+>", "x", rule)
        answer = await (eliane.get(path) if method == "GET" else eliane.post(path))
        found[rule, method] = (answer.status_code, await page_of(answer))

    assert len(closed) > 30
    assert {} == {key: status for key, (status, _) in found.items() if status != 403}
    assert {} == {key: 0 for key, (_, page) in found.items() if "Syncope" in page or "Marie" in page}
    assert {} == {key: 0 for key, (_, page) in found.items() if 'href="/application"' not in page}
    assert all("Not handed in yet" in page for _, page in found.values())


async def test_real_and_invented_addresses_are_answered_byte_by_byte_alike(door):
    """A post, a doctor, a page of people: whether they are there cannot be told."""
    marie = await door.place.doctor("marie")
    slug = await marie.posts("Syncope after exercise")
    eliane = await door.joins()
    pairs = [(f"/posts/{slug}", "/posts/nope"), ("/doctors/marie", "/doctors/nobody"), ("/feed", "/colleagues?q=x")]
    pages = [(await eliane.text(one), await eliane.text(other)) for one, other in pairs]

    assert all(one == other for one, other in pages)
    assert 1 == len({one for one, _ in pages})


async def test_programs_are_told_in_one_word(door):
    """JSON: the code, and nothing else."""
    eliane = await door.joins()
    answer = await eliane.client.get("/feed", headers={"Accept": "application/json"})

    assert (403, {"error": "no_credential"}) == (answer.status_code, await answer.get_json())


async def test_nobody_sees_the_application_of_another(door):
    """Signed out one is led to the sign-in; every address is of the own application."""
    await door.joins()
    paths = [re.sub(r"<[^>]+>", "x", rule) for rule, method, _ in ROUTES if rule.startswith("/application")]
    stranger = door.newcomer()
    answers = {path: (await stranger.client.get(path, headers=OWN_PAGE)).status_code for path in paths}

    assert {303, 405} >= set(answers.values())
    assert 303 == answers["/application"]
