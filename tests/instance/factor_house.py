"""Whoever has a second factor, or gets one: the town and the steps that its tests share."""

from __future__ import annotations

from typing import Any

import pytest

from instance.services.errors import Rejected
from instance.services.factor_showing import Shown
from instance.services.people import NewDoctor
from tests.factors import add_app, device_of, let_enrol
from tests.town import PASSWORD


@pytest.fixture
async def fr(network) -> Any:
    """One instance with Marie, a doctor, and Ada, who administers it."""
    place = (await network("fr"))["fr"]
    await place.doctor("marie")
    await place.node.people.add_doctor(
        NewDoctor(
            handle="ada", name="Dr Ada Min", role="specialist", country="FR", specialties=("cardiology",),
            password=PASSWORD, roles=("administrator",),
        ),
        by="test",
    )  # fmt: skip
    return place


async def enter(fr: Any, login: str = "marie") -> Any:
    """Show the password; return the session it gives."""
    begun = await fr.node.people.sign_in(login, PASSWORD, "127.0.0.1", "Firefox, Linux")
    return await fr.node.people.entered(begun.token)


async def with_app(fr: Any, login: str = "marie") -> tuple[str, tuple[str, ...]]:
    """Give somebody an app; return its secret and the recovery codes. Half a minute later it shows another code."""
    begun = await fr.node.people.sign_in(login, PASSWORD, "127.0.0.1", "")
    _, secret, codes = await add_app(fr.node, begun.token)
    fr.network.clock.move(seconds=60)
    return secret, codes


async def with_passkey(fr: Any, login: str = "marie", **changes: Any) -> Any:
    """Give somebody a passkey; return the device."""
    device, begun = device_of(fr.node, **changes), await fr.node.people.sign_in(login, PASSWORD, "127.0.0.1", "")
    session = await fr.node.people.entered(await let_enrol(fr.node, begun.token))
    await fr.node.factors.add_passkey(session, device.make(await fr.node.factors.ask_for_new(session)), "Phone")
    return device


async def code_of(attempt: Any) -> str:
    """The code an attempt is refused with."""
    with pytest.raises(Rejected) as refused:
        await attempt
    return refused.value.code


async def shown(fr: Any, session: Any, **what: str) -> Any:
    """Show a factor; return the session that goes on."""
    return await fr.node.people.session((await fr.node.factors.show(session, Shown(**what))).token)
