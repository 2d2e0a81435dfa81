"""Whoever owes a second step, and staff who have just come with an app, at the pages of one instance."""

from __future__ import annotations

from instance.services.staff import Invite
from tests.factors import enrol
from tests.instance.pages.house import House, Visitor
from tests.instance.pages.rows import PASSWORD


async def half(house: House, login: str = "marie") -> Visitor:
    """Somebody who has shown the password and owes the second step."""
    somebody = house.visitor()
    await somebody.post("/sign-in", login=login, password=PASSWORD, next="/notices")
    await somebody.get("/sign-in/second?next=/notices")
    return somebody


async def appointed(house: House, login: str = "ada", *roles: str) -> tuple[Visitor, str]:
    """Somebody of the staff with an app, signed in; and the secret."""
    new = Invite(email="ada@chamber.example", roles=roles or ("administrator",), countries=("FR",))
    invited = await house.node.staff.invite(new, by="test")
    path = "/invitation/" + invited.link.rpartition("/")[2]
    somebody = house.visitor()
    await somebody.get(path)
    answer = await somebody.post(path, login=login, password=PASSWORD, again=PASSWORD)
    assert (303, "/invitation/confirm") == (answer.status_code, answer.headers["Location"])
    return somebody, await enrol(somebody, house.now)
