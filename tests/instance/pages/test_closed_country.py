"""A country whose policy cannot be read is closed: nothing is added or decided, and everybody sees where they stand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.i18n import catalogue
from instance.storage.store import Transaction
from instance.views.application import FORMS
from tests.instance.dossiers.applying import RITA, Applicant
from tests.instance.pages.desk_house import Desk, open_desk, seen
from tests.instance.pages.house import Visitor
from tests.town import PASSWORD
from verification.moves import AnnexKind, State


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French desk at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def closes(desk: Desk) -> None:
    """What is stored of France's overlay cannot be read any more."""

    async def work(tx: Transaction) -> None:
        await tx.run("policies.put", country="FR", overlay="no overlay", version=7, now=1)
        await tx.run("policies.raise_version")

    await desk.node.store.write(work)


async def signed_in(desk: Desk, login: str = "eliane") -> Visitor:
    """The applicant."""
    somebody = desk.house.visitor()
    await somebody.post("/sign-in", login=login, password=PASSWORD)
    await somebody.get("/application")
    return somebody


async def text_of(answer: Any) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


@pytest.mark.parametrize("state", [State.DRAFT, State.IN_REVIEW])
async def test_applicants_see_where_they_stand_and_can_withdraw(desk: Desk, state: State) -> None:
    """Why nothing can be added is said; what would add something is not offered."""
    made = await Applicant.begins(desk.node)
    await made.shows()
    if state is State.IN_REVIEW:
        await made.does("submit")
        await made.does("take", by=RITA)
    await closes(desk)
    eliane = await signed_in(desk)
    page = await eliane.text("/application")
    offered = [path for path in ("/application/add/", "/application/submit") if path in page]
    edit = await eliane.get("/application/edit")
    number = seen(await eliane.text("/application/withdraw"))
    taken = await eliane.post("/application/withdraw", seen=number)

    assert "(country_closed)" in page
    assert ("vous pouvez retirer" in page, "se termine bientôt, adressez" in page) == (True, False)
    assert [] == offered
    assert edit.status_code == (200 if state is State.DRAFT else 409)
    assert 303 == taken.status_code
    assert State.WITHDRAWN is (await made.file()).dossier.state
    assert 303 == (await (await signed_in(desk)).get("/application")).status_code  # nobody is in any more


async def test_in_an_open_country_nothing_says_so(desk: Desk) -> None:
    """The twin: the forms are there."""
    await Applicant.begins(desk.node)
    page = await (await signed_in(desk)).text("/application")

    assert ("(country_closed)" in page, "/application/add/" in page) == (False, True)


async def test_a_form_sent_to_a_closed_country_is_answered_with_the_page(desk: Desk) -> None:
    """Handing in, and adding: nothing is kept, the reason is said."""
    made = await Applicant.begins(desk.node)
    await made.shows()
    eliane = await signed_in(desk)
    await closes(desk)
    answer = await eliane.post("/application/submit", seen="1")

    assert 422 == answer.status_code
    assert "(country_closed)" in await text_of(answer)
    assert State.DRAFT is (await made.file()).dossier.state


async def test_the_form_of_an_addition_is_the_page_that_says_why(desk: Desk) -> None:
    """Asked for or sent by its address: 409 as its neighbours, with the sentence once, and nothing is added."""
    made = await Applicant.begins(desk.node)
    eliane = await signed_in(desk)
    opened = [await eliane.get(f"/application/add/{form}") for form in FORMS]
    await closes(desk)
    pages = [await eliane.get(f"/application/add/{form}") for form in FORMS]
    sent = await eliane.post("/application/add/diploma", proof="licence")
    unknown = await eliane.get("/application/add/poem")

    assert 200 == opened[0].status_code
    assert {409} == {each.status_code for each in (*pages, sent)}
    assert 404 == unknown.status_code
    for each in (*pages, sent):
        page = await text_of(each)
        assert 1 == page.count("(country_closed)")
        assert 'href="/application/add/' not in page
        assert 'href="/application/withdraw"' in page
    assert () == (await made.file()).pieces


async def test_the_form_of_an_addition_to_a_renewal_is_the_page_of_the_renewal(desk: Desk) -> None:
    """The same beside a verification that goes on."""
    made, _ = await desk.applicant()
    await made.is_approved()
    eliane = await signed_in(desk)
    opened = await eliane.get("/application/add/diploma?for=renewal")
    await closes(desk)
    page = await eliane.get("/application/add/diploma?for=renewal")
    text = await text_of(page)

    assert (200, 409) == (opened.status_code, page.status_code)
    assert "(country_closed)" in text
    assert catalogue("fr").text("annex.kind.renewal") in text


async def test_a_verified_doctor_sees_the_page_of_a_renewal(desk: Desk) -> None:
    """And why it has to wait."""
    made, _ = await desk.applicant()
    await made.is_approved()
    await closes(desk)
    eliane = await signed_in(desk)
    pages = [await eliane.get(f"/application/annexes/{kind.value}") for kind in AnnexKind]
    own = await eliane.text("/application")

    assert [409] * len(pages) == [each.status_code for each in pages]
    for each in pages:
        assert "(country_closed)" in await text_of(each)
        assert "vous pouvez retirer" not in await text_of(each)
    assert "(country_closed)" in own
    assert "si votre vérification se termine bientôt" in own
    assert "vous pouvez retirer" not in own
    assert "/application/annexes/renewal" not in own


async def test_the_desk_shows_the_dossier_and_offers_no_vote(desk: Desk) -> None:
    """What was shown and has happened is there; what proves a role is not known, so nobody is asked to vote."""
    made, _ = await desk.applicant()
    rita = await desk.staff("rita", "reviewer")
    await rita.post(f"/desk/{made.id}/take", seen=seen(await rita.text(f"/desk/{made.id}")))
    before = await rita.text(f"/desk/{made.id}")
    await closes(desk)
    answer = await rita.get(f"/desk/{made.id}")
    page = await text_of(answer)

    assert 200 == answer.status_code
    assert "Vauquelin" in page
    assert "No vote can be cast" in page
    assert (True, False) == tuple(f'action="/desk/{made.id}/vote"' in each for each in (before, page))
    assert "No vote can be cast" not in before
