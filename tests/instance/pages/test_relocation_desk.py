"""Applying with a credential from elsewhere, on the pages: the applicant says where, the reviewer has it asked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.instance.dossiers.applying import RITA, Applicant
from tests.instance.pages.desk_house import Desk
from tests.instance.pages.house import House, Visitor
from tests.ready import pages_of
from tests.town import PASSWORD, Network, rows
from verification.grounds import Ground


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """France with a desk, and Germany, where Anna is verified."""
    network = await Network.open(tmp_path, "fr", "de")
    await network["de"].doctor("anna")
    place = network["fr"]
    yield Desk(network, place, House(place.node, pages_of(place.node), network.clock.now))
    await network.close()


async def says(desk: Desk, address: str, **changes: str) -> tuple[Applicant, Visitor]:
    """Somebody who applies, and says on the page where they are verified already."""
    made, _ = await desk.applicant(name=changes.pop("name", "Dr Anna"))
    somebody = desk.house.visitor()
    await somebody.post("/sign-in", login="eliane", password=PASSWORD)
    await somebody.get("/application")
    answer = await somebody.post("/application/elsewhere", elsewhere=address)
    assert 303 == answer.status_code, await answer.get_data(as_text=True)
    return made, somebody


async def test_the_reviewer_has_the_sibling_asked(desk: Desk) -> None:
    """From the dossier by a link: verified there at this moment, under the same name; and it is no evidence."""
    made, somebody = await says(desk, "@anna@de.example")
    rita = await desk.staff("rita", "reviewer")
    page = await rita.text(f"/desk/{made.id}")
    asked = len(desk.network.contacts)
    answer = await rita.text(f"/desk/{made.id}/sibling")

    assert 'value="anna@de.example"' in await somebody.text("/application")
    assert f'href="/desk/{made.id}/sibling"' in page
    assert "Verified there at this moment" in answer
    assert "Same name as in this application" in answer
    assert "It is no evidence" in answer
    assert asked < len(desk.network.contacts)
    assert "submitted" == (await made.file()).dossier.state


async def test_what_does_not_hold_is_said(desk: Desk) -> None:
    """Suspended there, another name, away, unknown: the page says which."""
    made, somebody = await says(desk, "anna@de.example", name="Dr Berta")
    rita, sibling = await desk.staff("rita", "reviewer"), f"/desk/{made.id}/sibling"
    other = await rita.text(sibling)
    await desk.network["de"].node.people.suspend("anna", "test", "test")
    desk.move(minutes=20)
    suspended = await rita.text(sibling)
    desk.network.down.add("de")
    away = await rita.text(sibling)
    desk.network.down.clear()
    await somebody.get("/application")
    await somebody.post("/application/elsewhere", elsewhere="nobody@de.example")
    unknown = await rita.text(sibling)

    assert "Another name than in this application" in other
    assert "Not verified there at this moment" in suspended
    assert "<code>suspended</code>" in suspended
    assert ("(home_away)", "(doctor_unknown)") == (_code(away), _code(unknown))


def _code(page: str) -> str:
    found = re.search(r"<code>(\([a-z_]+\))</code>", page)
    return found[1] if found else page


async def test_nobody_else_has_anybody_asked(desk: Desk) -> None:
    """Neither the applicant nor an administrator; nor does a reviewer, where nothing was said."""
    made, somebody = await says(desk, "anna@de.example")
    contacts = len(desk.network.contacts)
    ada, rita = await desk.staff("ada", "administrator"), await desk.staff("rita", "reviewer")
    refused = [(await each.get(f"/desk/{made.id}/sibling")).status_code for each in (somebody, ada)]
    await somebody.get("/application")
    await somebody.post("/application/elsewhere", elsewhere="")
    nothing = await rita.get(f"/desk/{made.id}/sibling")

    assert {403} == set(refused)
    assert 404 == nothing.status_code
    assert contacts == len(desk.network.contacts)
    assert "/sibling" not in await rita.text(f"/desk/{made.id}")


@pytest.mark.parametrize("address", ["anna", "a@b@c", "@de.example", "leo@fr.example"])
async def test_what_is_no_address_elsewhere_is_said_at_the_field(desk: Desk, address: str) -> None:
    """Nothing is kept."""
    await desk.applicant()
    somebody = desk.house.visitor()
    await somebody.post("/sign-in", login="eliane", password=PASSWORD)
    await somebody.get("/application")
    answer = await somebody.post("/application/elsewhere", elsewhere=address)

    assert 422 == answer.status_code
    assert 'id="elsewhere-wrong"' in await answer.get_data(as_text=True)
    assert [] == await rows(desk.node, "select address from dossier_elsewhere")


async def test_the_page_says_that_nobody_goes_while_a_revocation_is_proposed(desk: Desk) -> None:
    """At the look and at the last step, with a sentence; nothing is asked of the other home."""
    made, _ = await desk.applicant()
    await made.is_approved()
    eliane = desk.house.visitor()
    await eliane.post("/sign-in", login="eliane", password=PASSWORD)
    await eliane.get("/me/move")
    await made.does("revoke", Ground.STRUCK_OFF, by=RITA)
    asked = len(desk.network.contacts)
    answers = [
        await eliane.post("/me/move/to", new="anna@de.example"),
        await eliane.post("/me/move/leave", new="anna@de.example", handle="eliane-vauquelin"),
    ]

    assert [409, 409] == [each.status_code for each in answers]
    for each in answers:
        assert "<code>(leaving_held)</code>" in await each.get_data(as_text=True)
    assert asked == len(desk.network.contacts)
    assert "approved" == (await made.file()).dossier.state


async def test_what_a_sibling_says_is_shown_once_the_opening_is_recorded(desk: Desk) -> None:
    """That page shows whom it asks about."""
    made, _ = await says(desk, "anna@de.example")
    rita = await desk.staff("rita", "reviewer")
    await rita.text(f"/desk/{made.id}/sibling")

    assert "dossier.opened" == (await desk.node.dossiers.history(made.id))[-1].act
