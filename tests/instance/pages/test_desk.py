"""The review desk: what each role reaches, what a reviewer sees and decides, and what is refused at each step."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.instance.dossiers.applying import RITA
from tests.instance.pages.desk_acts import APPROVED, REJECTED, finds, text_of, votes
from tests.instance.pages.desk_house import ROLES, Desk, known, open_desk, seen
from tests.instance.pages.house import OWN_PAGE, Visitor
from tests.tools.docs_parts import page_routes
from verification.moves import AnnexKind

DESK_PAGES = [
    (rule, method) for rule, methods, _ in page_routes() if rule.startswith("/desk") for method in methods
]  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French desk at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def send(visitor: Visitor, method: str, path: str) -> int:
    """Ask for a page of the desk as a browser would; return the status."""
    if method == "POST":
        return int((await visitor.post(path, seen="0")).status_code)
    return int((await visitor.client.get(path, headers=OWN_PAGE)).status_code)


# ── who reaches what ──


async def test_each_role_reaches_its_own_pages_and_no_other(desk: Desk) -> None:
    """Every route of the desk with every role: reviewers and leads the evidence, administrators the suspension."""
    made, file = await desk.applicant()
    wrong = []
    for role in ROLES:
        somebody = await desk.staff(role, role)
        await somebody.get("/me")
        for rule, method in DESK_PAGES:
            path = rule.replace("<dossier>", made.id).replace("<file>", file).replace("<number>", "1")
            status = await send(somebody, method, re.sub(r"<[^>]+>", "x", path))
            own = {
                "/desk/suspend": {"administrator"}, "/desk/audit": {"dpo"}, "/desk/audit/export": {"dpo"},
                "/desk/campaigns/new": {"lead"},
            }  # fmt: skip
            allowed = own.get(rule, {"reviewer", "lead"})
            if (status != 403) != (role in allowed):
                wrong.append((role, method, rule, status))

    assert len(DESK_PAGES) > 12
    assert [] == wrong


async def test_nobody_else_reaches_the_desk(desk: Desk) -> None:
    """A doctor gets 403, a stranger the sign-in, and no view of the evidence is recorded."""
    made, file = await desk.applicant()
    stranger = desk.house.visitor()
    path = f"/desk/{made.id}/files/{file}/1.jpg"
    asked = [(await stranger.client.get(each, headers=OWN_PAGE)).status_code for each in ("/desk", path)]

    assert [303, 303] == asked
    assert "evidence.viewed" not in {line.act for line in await desk.node.dossiers.history(made.id)}


async def test_another_countrys_reviewer_finds_nothing(desk: Desk) -> None:
    """The own country's queue only; a dossier of another is not there, by whatever address."""
    made, file = await desk.applicant()
    greta = await desk.staff("greta", "reviewer", country="DE")
    queue = await greta.text("/desk")
    asked = (
        ("GET", f"/desk/{made.id}"), ("GET", f"/desk/{made.id}/files/{file}/1.jpg"),
        ("POST", f"/desk/{made.id}/take"), ("POST", f"/desk/{made.id}/vote"),
    )  # fmt: skip
    found = [await send(greta, *each) for each in asked]

    assert made.id not in queue
    assert [404] * 4 == found


# ── what is seen ──


async def test_the_dossier_shows_everything_side_by_side(desk: Desk) -> None:
    """Claim, pages of the document, duplicates, votes, history; nothing of the network."""
    made, file = await desk.applicant(pages=2)
    rita = await desk.staff("rita", "reviewer")
    queue, page = await rita.text("/desk"), await rita.text(f"/desk/{made.id}")

    assert f'href="/desk/{made.id}"' in queue
    assert "To take" in queue
    for part in ("claim", "evidence", "duplicates", "acts", "history"):
        assert f'id="{part}"' in page
    assert [f"/desk/{made.id}/files/{file}/{number}.jpg" for number in (1, 2)] == re.findall(
        r'<img src="([^"]+)"', page
    )
    assert "eliane@mail.example" not in page


async def test_a_page_is_a_picture_that_nothing_keeps(desk: Desk) -> None:
    """JPEG, no-store, under nobody's name; the view is recorded; pages there are not, and foreign ids, are 404."""
    made, file = await desk.applicant()
    other, theirs = await desk.applicant("luc", name="Dr Luc Marin")
    rita = await desk.staff("rita", "reviewer")
    shown = await rita.client.get(f"/desk/{made.id}/files/{file}/1.jpg", headers=OWN_PAGE)
    views = [line.act for line in await desk.node.dossiers.history(made.id)].count("evidence.viewed")
    missing = [
        await send(rita, "GET", f"/desk/{made.id}/files/{name}.jpg")
        for name in (f"{file}/2", f"{file}/0", f"{file}/x", f"{file}/01", f"{theirs}/1", "nope/1")
    ]

    assert (200, "image/jpeg") == (shown.status_code, shown.headers["Content-Type"])
    assert b"\xff\xd8\xff" == (await shown.get_data())[:3]
    assert "private, no-store" == shown.headers["Cache-Control"]
    assert 'inline; filename="page-1.jpg"' == shown.headers["Content-Disposition"]
    assert 1 == views
    assert [404] * 6 == missing
    assert "evidence.viewed" not in {line.act for line in await desk.node.dossiers.history(other.id)}


async def test_who_asks_for_the_head_alone_has_seen_nothing(desk: Desk) -> None:
    """No picture is made and no view recorded; what is not there is not there for a head either."""
    made, file = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    paths = [f"/desk/{made.id}/files/{file}/{number}.jpg" for number in ("1", "2", "01")]
    heads = [await rita.client.head(path, headers=OWN_PAGE) for path in paths]
    looked = [line.act for line in await desk.node.dossiers.history(made.id)].count("evidence.viewed")

    assert [200, 404, 404] == [head.status_code for head in heads]
    assert b"" == await heads[0].get_data()
    assert 0 == looked
    assert 200 == await send(rita, "GET", paths[0])


async def test_once_decided_no_page_is_shown(desk: Desk) -> None:
    """The review is over: the address that worked answers 404, also to who decided."""
    made, file = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    before = await send(rita, "GET", f"/desk/{made.id}/files/{file}/1.jpg")
    await made.is_approved()
    after = await send(rita, "GET", f"/desk/{made.id}/files/{file}/1.jpg")

    assert (200, 404) == (before, after)
    assert "<img" not in await rita.text(f"/desk/{made.id}")


async def test_leads_see_figures_and_reviewers_do_not(desk: Desk) -> None:
    """As numbers, as bars, and in words."""
    await desk.applicant()
    desk.move(days=8)
    lea, rita = await desk.staff("lea", "lead"), await desk.staff("rita", "reviewer")
    page, other = await lea.text("/desk"), await rita.text("/desk")

    assert '<svg class="chart"' in page
    assert "Over a week: 1" in page
    assert "Overdue" in other
    assert '<svg class="chart"' not in other


async def test_the_queue_is_narrowed_with_counts(desk: Desk) -> None:
    """By role; a value that is none leaves everything."""
    made, _ = await desk.applicant()
    other, _ = await desk.applicant("luc", name="Dr Luc Marin", role="resident")
    rita = await desk.staff("rita", "reviewer")
    everything = await rita.text("/desk?role=nonsense&kind=<b>")
    residents = await rita.text("/desk?role=resident")

    assert made.id in everything
    assert "(1)" in everything
    assert other.id in residents
    assert made.id not in residents


# ── what is decided ──


async def test_two_reviewers_approve_and_the_second_is_blind(desk: Desk) -> None:
    """The second sees the first verdict once the own is cast; then the doctor is verified."""
    made, _ = await desk.applicant()
    rita, rene = await desk.staff("rita", "reviewer"), await desk.staff("rene", "reviewer")
    taken = await rita.post(f"/desk/{made.id}/take", seen=seen(await rita.text(f"/desk/{made.id}")))
    await finds(rita, made.id)
    first = await votes(rita, made.id, **APPROVED)
    blind = await rene.text(f"/desk/{made.id}")
    await finds(rene, made.id)
    second = await votes(rene, made.id, **APPROVED)
    after = await rene.text(f"/desk/{made.id}")

    assert [303] * 3 == [answer.status_code for answer in (taken, first, second)]
    assert "Approve – The evidence holds" not in blind
    assert 2 == after.count("Approve – The evidence holds")
    assert "approved" == (await made.file()).dossier.state


async def test_nobody_approves_on_anothers_findings(desk: Desk) -> None:
    """The vote is refused at the evidence, with the reason kept; the own findings open it."""
    made, _ = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    await made.does("take", by=RITA)
    await made.is_found(RITA)
    refused = await votes(rita, made.id, **APPROVED)
    page = await text_of(refused)

    assert 422 == refused.status_code
    assert 'href="#evidence"' in page
    assert '<option value="evidence_holds" selected>' in page
    assert "in_review" == (await made.file()).dossier.state
    await finds(rita, made.id)
    assert 303 == (await votes(rita, made.id, **APPROVED)).status_code


async def test_the_same_person_does_not_vote_twice(desk: Desk) -> None:
    """403 with the sentence; nothing is decided."""
    made, _ = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    await made.does("take", by=RITA)
    first = await votes(rita, made.id, **REJECTED)
    again = await votes(rita, made.id, **REJECTED)

    assert (303, 403) == (first.status_code, again.status_code)
    assert "second_review" == (await made.file()).dossier.state


async def test_the_lead_decides_between_two(desk: Desk) -> None:
    """Only where two disagree, and only a lead."""
    made, _ = await desk.applicant()
    rita, lea = await desk.staff("rita", "reviewer"), await desk.staff("lea", "lead")
    await made.does("take", by=RITA)
    early = await votes(lea, made.id, "decide", **REJECTED)
    await made.is_voted(RITA)
    await votes(rita, made.id, **REJECTED)
    offered = await lea.text(f"/desk/{made.id}")
    by_reviewer = await votes(await desk.staff("rene", "reviewer"), made.id, "decide", **REJECTED)
    done = await votes(lea, made.id, "decide", **REJECTED)

    assert 403 == early.status_code
    assert f'action="/desk/{made.id}/decide"' in offered
    assert (403, 303) == (by_reviewer.status_code, done.status_code)
    assert "rejected" == (await made.file()).dossier.state


async def test_an_old_page_decides_nothing(desk: Desk) -> None:
    """409: what has changed is shown, the reason stays chosen; a form without a version is old, too."""
    made, _ = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    await made.does("take", by=RITA)
    page = await rita.text(f"/desk/{made.id}")
    await made.is_voted(RITA)
    form = {"known": known(page), **REJECTED}
    stale = await rita.post(f"/desk/{made.id}/vote", seen=seen(page), **form)
    bare = await rita.post(f"/desk/{made.id}/vote", **form)
    text = await text_of(stale)
    shown = text[text.index('id="changed"') : text.index("</section>", text.index('id="changed"'))]

    assert (409, 409) == (stale.status_code, bare.status_code)
    assert "Vote cast" in shown
    assert "In review" not in shown
    assert "Incomplete" in shown
    assert '<option value="incomplete" selected>' in text
    assert seen(text) != seen(page)
    assert 1 == len((await made.file()).dossier.votes)


async def test_a_decision_asks_for_a_factor_again(desk: Desk) -> None:
    """Six minutes later the form comes back with everything it held; with a code it is carried out."""
    made, _ = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    await made.does("take", by=RITA)
    desk.move(minutes=6)
    page = await rita.text(f"/desk/{made.id}")
    form = {"seen": seen(page), "known": known(page), "ground": "unreadable"}
    asked = await rita.post(f"/desk/{made.id}/ask", **form)
    text = await text_of(asked)
    before = (await made.file()).dossier.state
    done = await rita.post(f"/desk/{made.id}/ask", **form, factor_code=desk.code("rita"))

    assert (403, 303) == (asked.status_code, done.status_code)
    assert 'name="ground" value="unreadable"' in text
    assert ("in_review", "needs_info") == (before, (await made.file()).dossier.state)


@pytest.mark.parametrize("ground", ["", "nonsense", "struck_off"])
async def test_a_reason_is_one_of_the_list(desk: Desk, ground: str) -> None:
    """No reason, an unknown one, and one for something else are refused at the field."""
    made, _ = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    await made.does("take", by=RITA)
    refused = await votes(rita, made.id, "ask", ground=ground)
    text = await text_of(refused)

    assert 422 == refused.status_code
    assert 'href="#ask-ground"' in text
    assert 'id="ask-ground-wrong"' in text
    assert "in_review" == (await made.file()).dossier.state


async def test_a_possible_duplicate_is_explained(desk: Desk) -> None:
    """Without a word on it the approval is refused at that field."""
    await desk.applicant()
    twin, _ = await desk.applicant("twin")
    rita = await desk.staff("rita", "reviewer")
    await twin.does("take", by=RITA)
    await finds(rita, twin.id)
    page = await rita.text(f"/desk/{twin.id}")
    refused = await votes(rita, twin.id, **APPROVED)
    done = await votes(rita, twin.id, **APPROVED, hit="not_the_same_person")

    assert "Same name and birth date" in page
    assert (422, 303) == (refused.status_code, done.status_code)
    assert 'id="vote-approve-hit-wrong"' in await text_of(refused)


async def test_a_day_that_is_none_is_refused_at_its_field(desk: Desk) -> None:
    """Nothing is kept of the findings."""
    made, _ = await desk.applicant()
    piece = await desk.node.dossiers.file(made.id)
    rita = await desk.staff("rita", "reviewer")
    await votes(rita, made.id, "take")
    foreign = await rita.post(f"/desk/{made.id}/findings", piece="e-nope", same_name="1")
    kept = await finds(rita, made.id)

    assert (404, 303) == (foreign.status_code, kept.status_code)
    assert {} == piece.pieces[0].findings
    assert 1 == len((await made.file()).pieces[0].findings)


async def test_a_closed_case_offers_no_vote(desk: Desk) -> None:
    """Once approved there is nothing to vote on: the page offers none, and the form is refused."""
    made, _ = await desk.applicant()
    await made.is_approved()
    rita = await desk.staff("rita", "lead")
    page = await rita.text(f"/desk/{made.id}")
    refused = await votes(rita, made.id, **REJECTED)

    assert f'action="/desk/{made.id}/vote"' not in page
    assert 409 == refused.status_code
    assert "approved" == (await made.file()).dossier.state


async def test_a_renewal_is_taken_and_voted_on(desk: Desk) -> None:
    """Beside the dossier, which keeps its state; two accept it, and on an old page nobody does."""
    made, _ = await desk.applicant()
    await made.is_approved()
    desk.move(days=300)
    await made.shows()
    annex = (await made.does("hand_in", AnnexKind.RENEWAL)).annexes[0].id
    rita, rene = await desk.staff("rita", "reviewer"), await desk.staff("rene", "reviewer")
    untaken = await votes(rita, made.id, f"annexes/{annex}/vote", **APPROVED)
    taken = await votes(rita, made.id, f"annexes/{annex}/take")
    stale = await rita.post(f"/desk/{made.id}/annexes/{annex}/vote", seen="0", **APPROVED)
    answers = []
    for somebody in (rita, rene):
        piece = re.findall(r'name="piece" value="([^"]+)"', await somebody.text(f"/desk/{made.id}"))[-1]
        await somebody.post(f"/desk/{made.id}/findings", piece=piece, same_name="1", from_authority="1")
        answers.append((await votes(somebody, made.id, f"annexes/{annex}/vote", **APPROVED)).status_code)
    dossier = (await made.file()).dossier

    assert untaken.status_code in (409, 422)
    assert (303, 409) == (taken.status_code, stale.status_code)
    assert [303, 303] == answers
    assert ("approved", "accepted") == (dossier.state, dossier.annexes[0].state)
