"""A French instance with dossiers, and staff who sign in at its pages with a second factor."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from instance.services.dossiers.values import Claim
from instance.services.staff import Invite
from tests.factors import code, enrol
from tests.instance.dossiers.applying import Applicant
from tests.instance.files import pdf
from tests.instance.pages.house import House, Visitor
from tests.instance.pages.rows import FR, PASSWORD
from tests.ready import pages_of
from tests.town import Network, Place
from verification.countries import Proof
from verification.people import Actor

#: Every role of staff, and one page of the desk each of them would like to see.
ROLES = ("reviewer", "lead", "moderator", "administrator", "governor", "dpo", "editor")


@dataclass
class Desk:
    """The instance, its pages, and who of the staff is signed in."""

    network: Network
    place: Place
    house: House
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def node(self) -> Any:
        """The instance."""
        return self.place.node

    def move(self, **by: float) -> None:
        """Let time pass, for the instance and for the devices that make codes."""
        self.network.clock.move(**by)
        self.house.now = self.network.clock.now

    async def staff(self, login: str, *roles: str, country: str = "FR", inviter: str = "") -> Visitor:
        """Somebody of the staff, signed in with an app just enrolled; of the command line, or of an administrator."""
        new = Invite(email=f"{login}@chamber.example", roles=roles, countries=(country,))
        row = await self.node.store.one("people.account_for_sign_in", login=inviter) if inviter else None
        invited = await self.node.staff.invite(new, by="test", inviter=row and row["id"])
        path, somebody = "/invitation/" + invited.link.rpartition("/")[2], self.house.visitor()
        await somebody.get(path)
        answer = await somebody.post(path, login=login, password=PASSWORD, again=PASSWORD)
        assert 303 == answer.status_code
        self.secrets[login] = await enrol(somebody, self.house.now)
        return somebody

    async def actor(self, login: str) -> Actor:
        """Who that is to the medical room."""
        found = next(each for each in await self.node.staff.list() if each.login == login)
        return await self.node.staff.of(found.id)

    def code(self, login: str) -> str:
        """What the app shows now."""
        return code(self.secrets[login], self.house.now)

    async def applicant(self, login: str = "eliane", *, pages: int = 1, **changes: Any) -> tuple[Applicant, str]:
        """Somebody who has handed in a licence deed with a file; and the file's id."""
        made = await Applicant.begins(self.node, login, **changes)
        piece = await made.shows(Proof.LICENCE)
        kept = await self.node.evidence.put(made.id, "diploma", "application/pdf", pdf(pages, text=login))
        await self.node.dossiers.attach(made.id, made.actor, piece, kept.id)
        await made.does("submit")
        return made, kept.id

    async def claim(self, made: Applicant, claim: Claim) -> str:
        """Add something else to show."""
        return await self.node.dossiers.add_piece(made.id, made.actor, claim)


async def open_desk(folder: Path, origin: str = FR, **settings: Any) -> Desk:
    """Open it."""
    network = await Network.open(folder)
    place = await network.add(folder, "fr", origin=origin, language="en", may_issue_for=["DE"], **settings)
    return Desk(network, place, House(place.node, pages_of(place.node), network.clock.now))


def seen(page: str) -> str:
    """The version the forms of a page were made from."""
    found = re.search(r'name="seen" value="(\d+)"', page)
    assert found is not None, page
    return found[1]


def known(page: str) -> str:
    """The last entry of the history on a page."""
    found = re.search(r'name="known" value="(\d+)"', page)
    assert found is not None, page
    return found[1]
