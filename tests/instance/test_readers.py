"""For whom siblings that send much leave room: whoever reads in a living session, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from instance.services.joining import SignUp
from tests.network.scene import Visitor
from tests.town import PASSWORD, Network, Place, rows

DE = "https://de.example"
#: A page in front, a document in front, pages behind, and what comes with them.
PAGES = ("/feed", "/api/feed", "/colleagues", "/me", "/", "/privacy", "/sign-in", "/nowhere")


@pytest.fixture
async def town(network: Any) -> Network:
    """France, to which Germany sends."""
    return await network("fr")


def has_it_to_itself(fr: Place) -> bool:
    """Whether a sibling that sends now is held back by nobody."""
    turns = fr.node.admission._turns
    turns.came(DE)
    return turns._is_alone(DE)


async def asks(fr: Place, page: str, token: str) -> int:
    """Open a page; return the status."""
    headers = {"Host": fr.node.authority, "Accept": "text/html"}
    if token:
        headers["Cookie"] = f"__Host-session={token}"
    return (await fr.request("GET", page, headers)).status


@pytest.mark.parametrize("page", PAGES)
async def test_a_stranger_holds_no_sibling_back(fr, page):
    """Without a session, and with one that is none, whatever is asked for."""
    for token in ("", "x" * 43):
        await asks(fr, page, token)

        assert has_it_to_itself(fr)


@pytest.mark.parametrize("page", PAGES)
async def test_a_doctor_who_reads_is_left_room(fr, page):
    """The twin: with a living session every page counts."""
    marie = await Visitor.of(await fr.doctor("marie"))
    before = has_it_to_itself(fr)
    await asks(fr, page, marie.token)

    assert before
    assert not has_it_to_itself(fr)


async def test_a_session_that_has_ended_holds_no_sibling_back(fr, town):
    """Signed out, run out, or of a doctor who was suspended: nobody reads."""
    doctor = await fr.doctor("marie")
    marie = await Visitor.of(doctor)
    await fr.node.people.suspend("marie", by="test", reason="test")
    await asks(fr, "/feed", marie.token)
    suspended = await Visitor.of(doctor)
    await asks(fr, "/me", suspended.token)
    town.clock.move(days=31)
    await asks(fr, "/feed", suspended.token)

    assert has_it_to_itself(fr)


async def test_whoever_has_only_signed_up_holds_no_sibling_back(fr):
    """Anybody can have an account: room is kept for those who are verified, and for staff."""
    new = SignUp(
        email="somebody@mail.example", password=PASSWORD, name="Dr Somebody", country="FR", role="specialist",
        specialties=("cardiology",),
    )  # fmt: skip
    token = await fr.node.joining.begin(new, "127.0.0.1", "en")
    sealed = (await rows(fr.node, "select id, sealed from mails"))[0]
    code = fr.node.vault.open(bytes(sealed["sealed"]), f"mail/{sealed['id']}".encode()).decode()
    begun = await fr.node.people.begin(await fr.node.joining.confirm(token, code))
    status = await asks(fr, "/application", begun.token)

    assert 200 == status
    assert has_it_to_itself(fr)
