"""Somebody whose password is forgotten, or whose account was in somebody else's hands, at the pages of one instance."""

from __future__ import annotations

import re

from instance.services.errors import Rejected
from tests.factors import device_of, enrol
from tests.instance.dossiers.applying import ADMIN, Applicant
from tests.instance.pages.newcomer import EMAIL
from tests.town import PASSWORD, rows
from verification.grounds import Ground

OWN, NEW = EMAIL.lower(), "another-long-passphrase"


async def mailed(door) -> str:
    """The code of eight digits in the last mail that holds one."""
    texts = [mail.get_content() for mail in await door.mails()]
    return next(found[0] for text in reversed(texts) if (found := re.findall(r"^\d{8}$", text, re.MULTILINE)))


async def asks(door, email=OWN):
    """Somebody who says that the password is forgotten."""
    somebody = door.newcomer()
    answer = await somebody.post("/recover", email=email)
    assert (303, "/recover/confirm") == (answer.status_code, answer.headers["Location"])
    return somebody


async def sets(somebody, code, password=NEW, again=None):
    """Send the code and the new password."""
    return await somebody.post("/recover/confirm", code=code, password=password, again=again or password)


async def signs_in(door, password, login=OWN) -> int:
    """The status of a sign-in."""
    return int((await door.newcomer().post("/sign-in", login=login, password=password)).status_code)


async def page_of(answer) -> str:
    """The text of an answer."""
    return str(await answer.get_data(as_text=True))


async def account(door):
    """The account that has joined."""
    return (await rows(door.node, "select id, email, unsafe from accounts order by created_at limit 1"))[0]


async def asked(door, number, client, email=OWN) -> list[bool]:
    """Whether each of so many questions for an address was taken that came from one network."""
    taken = []
    for _ in range(number):
        try:
            await door.node.recovery.begin(email, client, "en")
        except Rejected as error:
            taken.append(error.code != "too_many_attempts")
        else:
            taken.append(True)
    return taken


def token_of(visitor) -> str:
    cookies = {cookie.name: cookie.value for cookie in visitor.client.cookie_jar}
    return next(value for name, value in cookies.items() if "session" in name)


async def taken_over(door, *, factor: bool = True):
    """A doctor with an app and a passkey, suspended because somebody else was in her account; her secret, her file."""
    owner = await door.joins(role="generalist")
    secret = ""
    if factor:
        await owner.get("/me/security")
        secret = await enrol(owner, door.house.now)
        session = await door.node.people.entered(token_of(owner))
        device = device_of(door.node)
        options = await door.node.factors.ask_for_new(session)
        await door.node.factors.add_passkey(session, device.make(options), "A stranger’s key")
    dossier = (await rows(door.node, "select id, account from dossiers"))[0]
    applicant = Applicant(door.node, dossier["account"], dossier["id"])
    await applicant.shows()
    await applicant.does("submit")
    await applicant.is_approved()
    door.network.clock.move(minutes=20)
    await door.node.people.sign_in(OWN, PASSWORD, "", "")
    await applicant.does("suspend", Ground.ACCOUNT_COMPROMISED, by=ADMIN)
    return applicant, secret
