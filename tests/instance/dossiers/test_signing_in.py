"""Who signs in: where an application stands decides (`standing.may_own`), for everybody who does not work here."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from instance.services.accounts import Stage
from instance.services.errors import Rejected
from instance.storage.store import Transaction
from tests.instance.dossiers.applying import ADMIN, Applicant, application
from tests.instance.dossiers.test_retention import (
    Story,
    dies,
    drafts,
    gives_no_answer,
    is_approved,
    is_rejected,
    is_revoked,
    leaves,
    moves,
    submits,
    withdraws,
)
from tests.town import PASSWORD, Place, rows
from verification.grounds import Ground
from verification.standing import OwnAct, may_own


async def expires(fr: Place) -> Applicant:
    """A doctor whose verification has run out."""
    eliane = await is_approved(fr)
    until = (await eliane.file()).dossier.reverify_on
    assert until is not None
    fr.network.clock.now = until - timedelta(days=1)
    await fr.node.dossiers.tick()
    fr.network.clock.now = until + timedelta(days=1)
    await fr.node.dossiers.tick()
    return eliane


async def is_suspended(fr: Place) -> Applicant:
    """A doctor who is suspended in an emergency."""
    eliane = await is_approved(fr)
    await eliane.does("suspend", Ground.AUTHORITY_LETTER, by=ADMIN)
    return eliane


async def signs_in(fr: Place, password: str = PASSWORD) -> Stage:
    """Sign in as the applicant."""
    return (await fr.node.people.sign_in("eliane", password, "127.0.0.1", "")).stage


async def code(fr: Place, password: str = PASSWORD) -> tuple[str, int]:
    """What the sign-in is refused with."""
    with pytest.raises(Rejected) as refused:
        await signs_in(fr, password)
    return refused.value.code, refused.value.status


@pytest.mark.parametrize("story", [withdraws, leaves, is_revoked, dies, moves])
async def test_whose_application_has_ended_signs_in_no_more(fr: Place, story: Story) -> None:
    """At once, before any chore; said to whoever knows the password, and to nobody else. No session is there."""
    eliane = await story(fr)

    assert ("account_over", 403) == await code(fr)
    assert ("wrong_credentials", 422) == await code(fr, "not the password at all")
    assert not may_own(OwnAct.SIGN_IN, (await eliane.file()).dossier.state)
    assert [] == await rows(fr.node, "select token from sessions")


@pytest.mark.parametrize("story", [drafts, submits, is_rejected, is_approved, is_suspended, expires, gives_no_answer])
async def test_everybody_else_signs_in(fr: Place, story: Story) -> None:
    """To go on, to read why it was refused or suspended, to renew what has run out, to fetch what is theirs."""
    eliane = await story(fr)

    assert Stage.WHOLE is await signs_in(fr)
    assert may_own(OwnAct.SIGN_IN, (await eliane.file()).dossier.state)


async def test_the_last_application_decides(fr: Place) -> None:
    """One that was closed before another was begun keeps nobody out; one begun and taken back does."""
    eliane = await gives_no_answer(fr)
    account = str(eliane.actor.doctor)
    fr.network.clock.move(days=1)
    again = Applicant(fr.node, account, await fr.node.dossiers.open(account, application()))
    with_a_draft = await signs_in(fr)
    await again.does("withdraw")

    assert Stage.WHOLE is with_a_draft
    assert ("account_over", 403) == await code(fr)


async def test_staff_who_have_left_as_doctors_sign_in_for_their_work(fr: Place) -> None:
    """They keep the account; without a factor it opens the enrolment alone."""
    eliane = await leaves(fr)
    account = str(eliane.actor.doctor)

    async def appoint(tx: Transaction) -> None:
        await tx.run("staff.set_roles", account=account, roles='["moderator"]')

    await fr.node.store.write(appoint)

    assert Stage.ENROL is await signs_in(fr)


async def test_no_session_begins_beside_the_end(fr: Place) -> None:
    """Sign-ins and the end at the same moment: whichever comes first, no session is left."""
    eliane = await is_approved(fr)
    version = (await eliane.file()).version
    tries = [signs_in(fr) for _ in range(4)]
    leaving = fr.node.dossiers.leave(eliane.id, eliane.actor, seen=version)
    await asyncio.gather(*tries[:2], leaving, *tries[2:], return_exceptions=True)

    assert [] == await rows(fr.node, "select token from sessions")
    assert ("account_over", 403) == await code(fr)
