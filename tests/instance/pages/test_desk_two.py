"""Emergencies at the desk, and what takes two: one proposes or suspends, a second carries it out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.instance.pages.desk_acts import text_of, votes
from tests.instance.pages.desk_house import Desk, open_desk, seen


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The French desk at noon."""
    opened = await open_desk(tmp_path)
    yield opened
    await opened.network.close()


async def test_one_administrator_suspends_and_a_reviewer_confirms(desk: Desk) -> None:
    """By handle, without evidence; the administrator cannot confirm it alone."""
    made, _ = await desk.applicant()
    await made.is_approved()
    handle = (await made.doctor(desk.place)).handle
    ada, rita = await desk.staff("ada", "administrator"), await desk.staff("rita", "reviewer")
    page = await ada.text(f"/desk/suspend?handle={handle}")
    form = {"handle": handle, "act": "suspend", "seen": seen(page)}
    bare = await ada.post("/desk/suspend", **form)
    done = await ada.post("/desk/suspend", **form, ground="authority_letter")
    suspended = (await made.file()).dossier.state
    alone = await ada.post("/desk/suspend", handle=handle, act="confirm", seen=str((await made.file()).version))
    confirmed = await votes(rita, made.id, "confirm")

    assert made.id not in page
    assert "/files/" not in page
    assert (422, 303, "suspended", 403, 303) == (
        bare.status_code, done.status_code, suspended, alone.status_code, confirmed.status_code
    )  # fmt: skip


async def test_a_handle_nobody_has_is_said_at_the_field(desk: Desk) -> None:
    """404, and so for what is no handle; the sentence is about the handle, not about a page."""
    ada = await desk.staff("ada", "administrator")
    gone = await ada.get("/desk/suspend?handle=nobody")
    page = await text_of(gone)

    assert 404 == gone.status_code
    assert 'id="handle-wrong"' in page
    assert "handle_unknown" in page
    assert "not_found" not in page
    assert 200 == (await ada.get("/desk/suspend?handle=../x")).status_code
    assert 404 == (await ada.post("/desk/suspend", handle="nobody", act="suspend", seen="0")).status_code


async def test_revoking_and_lifting_take_two(desk: Desk) -> None:
    """The first proposes, for the same person it stays a proposal; the second carries it out."""
    made, _ = await desk.applicant()
    await made.is_approved()
    rita, ada = await desk.staff("rita", "lead"), await desk.staff("ada", "administrator")
    handle = (await made.doctor(desk.place)).handle
    first = await votes(rita, made.id, "revoke", ground="struck_off")
    again = await votes(rita, made.id, "revoke", ground="struck_off")
    state = (await made.file()).dossier.state
    waiting = await ada.text("/desk/suspend")
    second = await ada.post(
        "/desk/suspend", handle=handle, act="revoke", ground="struck_off", seen=str((await made.file()).version)
    )

    assert (303, "approved") == (first.status_code, state)
    assert 403 == again.status_code
    assert f"@{handle}" in waiting
    assert 303 == second.status_code
    assert "revoked" == (await made.file()).dossier.state
