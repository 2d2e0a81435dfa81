"""The bar: what somebody uses, and nothing that is closed to them; where one begins after signing in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.services.staff import Invite
from tests.instance.pages.desk_house import Desk, open_desk
from tests.instance.pages.house import Visitor
from tests.instance.pages.rows import PASSWORD
from tests.town import PASSWORD as DOCTORS_PASSWORD
from tests.town import rows

BARS = {
    ("reviewer",): ["/desk", "/desk/overdue", "/desk/campaigns", "/me"],
    ("lead",): ["/desk", "/desk/overdue", "/desk/campaigns", "/me"],
    ("administrator",): ["/administration", "/staff", "/policy", "/desk/suspend", "/me"],
    ("dpo",): ["/desk/audit", "/me"],
    ("administrator", "moderator"): ["/administration", "/staff", "/policy", "/desk/suspend", "/me"],
    ("lead", "governor"): ["/desk", "/desk/overdue", "/desk/campaigns", "/administration/list", "/me"],
    ("governor",): ["/administration/list", "/me"],
    ("moderator",): ["/me"],
}
#: The way to the factors that staff still owe.
WAY = '<a class="button quiet" href="/me/security">'
DOCTORS = ["/feed", "/search", "/write", "/notices", "/me"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A French instance."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


def bar(page: str) -> list[str]:
    """Where the bar of a page leads."""
    found = re.search(r'<nav class="bar".*?</nav>', page, re.DOTALL)
    return re.findall(r'href="([^"]+)"', found[0]) if found else []


def head(page: str) -> str:
    """What stands above every page."""
    return page.partition('<header class="top">')[2].partition("</header>")[0]


def current(page: str) -> list[str]:
    """The entry that is marked."""
    found = re.search(r'<nav class="bar".*?</nav>', page, re.DOTALL)
    return re.findall(r'href="([^"]+)" aria-current="page"', found[0]) if found else []


async def signs_in(desk: Desk, login: str, password: str = DOCTORS_PASSWORD) -> tuple[Visitor, Any]:
    """Somebody on another device, with a password alone; and the answer."""
    somebody = desk.house.visitor()
    return somebody, await somebody.post("/sign-in", login=login, password=password)


@pytest.mark.parametrize("roles", list(BARS), ids="-".join)
async def test_who_works_here_has_what_they_use(desk: Desk, roles: tuple[str, ...]) -> None:
    """Each entry is open and marks itself; home leads to the first, and so does the way on from a closed page."""
    somebody, places = await desk.staff("ada", *roles), BARS[roles]
    pages = [await somebody.text(path) for path in places]
    closed, brand = await somebody.text("/feed"), f'class="brand" href="{places[0]}"'

    assert [places] * len(places) == [bar(page) for page in pages]
    assert [[path] for path in places] == [current(page) for page in pages]
    assert brand in closed
    assert f'class="button" href="{places[0]}"' in closed


async def test_after_the_second_step_one_begins_at_the_first_place(desk: Desk) -> None:
    """Of the bar, whoever it is."""
    await desk.staff("ada", "administrator")
    desk.move(minutes=2)
    somebody, asked = await signs_in(desk, "ada", PASSWORD)
    led = await somebody.get(asked.headers["Location"])
    answer = await somebody.post("/sign-in/second", factor_code=desk.code("ada"), next="/feed")

    assert (200, 303, "/administration") == (led.status_code, answer.status_code, answer.headers["Location"])


async def test_a_doctor_keeps_the_doctors_bar(desk: Desk) -> None:
    """The twin: whoever may read has what doctors use."""
    await desk.place.doctor("marie")
    marie, answer = await signs_in(desk, "marie")

    assert "/feed" == answer.headers["Location"]
    assert DOCTORS == bar(await marie.text("/feed"))


async def test_whose_verification_has_run_out_begins_at_the_application(desk: Desk) -> None:
    """Not at a closed page; a closed page asked for by its address leads there, too."""
    made, _ = await desk.applicant()
    await made.is_approved()
    until = (await made.file()).dossier.reverify_on
    assert until is not None
    desk.move(days=(until - desk.house.now).days + 1)
    for _ in range(2):
        await desk.node.dossiers.tick()
    eliane, answer = await signs_in(desk, "eliane")
    closed = await eliane.text("/feed")

    assert (303, "/application") == (answer.status_code, answer.headers["Location"])
    assert ["/application", "/me"] == bar(await eliane.text("/application"))
    assert 'class="button" href="/application"' in closed


async def test_staff_who_owe_a_second_factor_see_where_to_go(desk: Desk) -> None:
    """On every page the way to the factors and out, and no sign-in, which they have done; out, they are nobody."""
    new = Invite(email="rita@chamber.example", roles=("reviewer",), countries=("FR",))
    path = "/invitation/" + (await desk.node.staff.invite(new, by="test")).link.rpartition("/")[2]
    rita = desk.house.visitor()
    await rita.get(path)
    await rita.post(path, login="rita", password=PASSWORD, again=PASSWORD)
    shown = {page: await rita.text(page) for page in ("/help", "/me/security", "/desk", "/federation")}
    out = await rita.post("/sign-out")
    after = await rita.text("/help")

    assert [] == [page for page, text in shown.items() if 'href="/sign-in"' in head(text)]
    assert [] == [page for page, text in shown.items() if 'action="/sign-out"' not in text]
    assert ["/help", "/desk", "/federation"] == [page for page, text in shown.items() if WAY in head(text)]
    assert 303 == out.status_code
    assert ('href="/sign-in"' in head(after), WAY in after, 'action="/sign-out"' in after) == (True, False, False)
    assert [] == await rows(desk.node, "select token from sessions")


async def test_whoever_owes_nothing_is_led_to_no_factor(desk: Desk) -> None:
    """The twin: a stranger sees the sign-in, staff with a factor their bar."""
    rita, stranger = await desk.staff("rita", "reviewer"), desk.house.visitor()
    pages = [await rita.text("/help"), await stranger.text("/help")]

    assert [False, False] == [WAY in page for page in pages]
    assert [False, True] == ['href="/sign-in"' in head(page) for page in pages]
