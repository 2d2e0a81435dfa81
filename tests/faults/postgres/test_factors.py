"""Second factors and invitations on PostgreSQL, where units of work run beside each other: each is taken once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from instance.services.errors import Rejected
from instance.services.factor_showing import Shown
from instance.services.staff import Invite
from tests.factors import add_app, code, device_of
from tests.faults.postgres.conftest import rows
from tests.town import PASSWORD

pytestmark = [pytest.mark.faults, pytest.mark.postgres, pytest.mark.xdist_group("postgres")]


async def enter(fr: Any) -> Any:
    """Show Marie's password; return the session it gives."""
    begun = await fr.node.people.sign_in("marie", PASSWORD, "127.0.0.1", "")
    return await fr.node.people.entered(begun.token)


async def let_in(fr: Any, halves: list[Any], shown: Shown) -> list[Any]:
    """Show one factor in several sessions at once; return the sessions that are whole."""
    found = await asyncio.gather(*(fr.node.factors.show(half, shown) for half in halves), return_exceptions=True)
    assert {"factor_wrong"} >= {one.code for one in found if isinstance(one, Rejected)}
    return [one for one in found if not isinstance(one, BaseException)]


async def test_each_code_lets_one_in(network):
    """An app's code and a recovery code, each shown in four sessions at the same moment; a passkey beside them."""
    fr = (await network("fr"))["fr"]
    await fr.doctor("marie")
    token, secret, codes = await add_app(fr.node, (await fr.node.people.sign_in("marie", PASSWORD, "", "")).token)
    session = await fr.node.people.session(token)
    device = device_of(fr.node)
    made = device.make(await fr.node.factors.ask_for_new(session))
    await fr.node.factors.add_passkey(session, made, "")
    fr.network.clock.move(minutes=1)
    digits = code(secret, fr.network.clock())
    by_app = await let_in(fr, [await enter(fr) for _ in range(4)], Shown(code=digits))
    fr.network.clock.move(minutes=16)  # whoever came too late has failed
    by_paper = await let_in(fr, [await enter(fr) for _ in range(4)], Shown(code=codes[0]))
    fr.network.clock.move(minutes=16)
    half = await enter(fr)
    by_passkey = await let_in(fr, [half], Shown(credential=device.show(await fr.node.factors.ask(half))))

    assert (1, 1, 1) == (len(by_app), len(by_paper), len(by_passkey))
    assert await fr.node.people.session(by_passkey[0].token) is not None
    assert [(9,)] == await rows(fr.node, "select count(*) from recovery_codes where used_at is null")


async def test_an_invitation_lets_one_in(network):
    """Four who hold the link at the same moment: one account, one member of staff."""
    fr = (await network("fr"))["fr"]
    invited = await fr.node.staff.invite(Invite(email="r@chamber.example", roles=("moderator",)), by="test")
    token = invited.link.rpartition("/")[2]
    found = await asyncio.gather(
        *(fr.node.staff.accept(token, f"rita{n}", PASSWORD) for n in range(4)), return_exceptions=True
    )

    assert 1 == len([one for one in found if isinstance(one, str)])
    assert {"invitation_gone"} == {one.code for one in found if isinstance(one, Rejected)}
    assert [(1, 1)] == await rows(fr.node, "select (select count(*) from accounts), (select count(*) from staff)")


async def test_of_two_factors_taken_away_at_once_staff_keep_one(network):
    """Whoever comes second finds the last factor, also where both begin before either is over."""
    fr = (await network("fr"))["fr"]
    invited = await fr.node.staff.invite(Invite(email="r@chamber.example", roles=("moderator",)), by="test")
    await fr.node.staff.accept(invited.link.rpartition("/")[2], "marie", PASSWORD)
    token, _, _ = await add_app(fr.node, (await fr.node.people.sign_in("marie", PASSWORD, "", "")).token)
    session = await fr.node.people.session(token)
    made = device_of(fr.node).make(await fr.node.factors.ask_for_new(session))
    session = await fr.node.people.session((await fr.node.factors.add_passkey(session, made, "")).token)
    passkey = (await fr.node.factors.of(session.account_id)).passkeys[0].id
    found = await asyncio.gather(
        fr.node.factors.remove_app(session), fr.node.factors.remove_passkey(session, passkey), return_exceptions=True
    )

    assert 1 == len([one for one in found if isinstance(one, Rejected)])
    assert (await fr.node.factors.of(session.account_id)).any
