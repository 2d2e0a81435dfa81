"""The administrator's first page: how this instance stands, for administrators alone, loud where nobody is listed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from instance.views.administration import TABS
from tests.instance.pages.desk_house import Desk, open_desk
from tests.tools.docs_parts import page_routes
from tests.town import PASSWORD

PATH = TABS[0][1]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A French instance."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def test_an_administrator_sees_that_nobody_is_listed(desk: Desk) -> None:
    """Loudly: an empty list means nobody."""
    page = await (await desk.staff("ada", "administrator")).text(PATH)

    assert 'role="alert">No sibling is admitted: this instance speaks with nobody.' in page


async def test_with_a_sibling_it_counts(desk: Desk, tmp_path: Path) -> None:
    """The twin: whoever is listed stands under their policy, and nothing is loud."""
    german = await desk.network.add(tmp_path, "de")
    await desk.place.admits(german)
    page = await (await desk.staff("ada", "administrator")).text(PATH)

    assert "<dt>Connected</dt><dd>1</dd>" in page
    assert 'role="alert"' not in page


async def test_a_list_that_cannot_be_read_means_nobody(desk: Desk, tmp_path: Path) -> None:
    """And is said in other words than an empty one."""
    german = await desk.network.add(tmp_path, "de")
    await desk.place.admits(german)
    ada = await desk.staff("ada", "administrator")

    async def break_it(tx: Any) -> None:
        await tx.run("siblings.set_policy", origin="https://de.example", policy="pause", before="inherit")
        await tx.run("siblings.set_kinds", origin="https://de.example", kinds_in="[]", kinds_out="{}")
        await tx.run("siblings.raise_version")

    await desk.node.store.write(break_it)
    page = await ada.text(PATH)

    assert 'role="alert">The allowlist cannot be read.' in page
    assert "<dt>Paused</dt><dd>0</dd>" in page


@pytest.mark.parametrize("roles", [("reviewer",), ("lead",), ("dpo",), ("moderator",), ("governor",)], ids="-".join)
async def test_nobody_else_sees_it(desk: Desk, roles: tuple[str, ...]) -> None:
    """403 for whoever works here in another part."""
    somebody = await desk.staff("otto", *roles)
    answer = await somebody.get(PATH)

    assert 403 == answer.status_code
    assert "No sibling" not in await answer.get_data(as_text=True)


async def test_a_stranger_is_led_to_sign_in(desk: Desk) -> None:
    """And comes back to it."""
    answer = await desk.house.visitor().get(PATH)

    assert (303, f"/sign-in?next={PATH}") == (answer.status_code, answer.headers["Location"])


async def test_a_doctor_does_not_see_it(desk: Desk) -> None:
    """Being verified is no part in the administration."""
    await desk.place.doctor("marie")
    marie = desk.house.visitor()
    await marie.post("/sign-in", login="marie", password=PASSWORD)

    assert 200 == (await marie.get("/feed")).status_code
    assert 403 == (await marie.get(PATH)).status_code


async def test_an_administrator_reads_no_consultation(desk: Desk) -> None:
    """J4.8: whatever is for doctors is closed to whoever runs the instance, a case by its address among it."""
    marie = await desk.place.doctor("marie")
    slug = await marie.posts("Palpitations at night", text="Made up, for doctors alone.")
    ada, wrong = await desk.staff("ada", "administrator"), []
    for rule, methods, access in page_routes():
        if access == "doctor" and "GET" in methods:
            path = re.sub(r"<[^>]+>", "x", rule.replace("<slug>", slug).replace("<address>", "marie"))
            answer = await ada.get(path)
            said = await answer.get_data(as_text=True)
            if answer.status_code != 403 or "Palpitations" in said or "for doctors alone" in said:
                wrong.append((path, answer.status_code))

    assert [] == wrong


async def test_a_doctor_reads_it(desk: Desk) -> None:
    """The twin: the same address, by a colleague."""
    marie = await desk.place.doctor("marie")
    slug = await marie.posts("Palpitations at night", text="Made up, for doctors alone.")
    await desk.place.doctor("paul")
    paul = desk.house.visitor()
    await paul.post("/sign-in", login="paul", password=PASSWORD)

    assert "for doctors alone" in await paul.text(f"/posts/{slug}")
