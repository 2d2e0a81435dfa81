"""Somebody who wants to join, at the pages of one instance: signs up, reads the mail, shows what there is to show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from quart import Response
from werkzeug.datastructures import FileStorage

from tests.instance.dossiers.applying import Applicant
from tests.instance.files import pdf
from tests.instance.pages.house import OWN_PAGE, House, Visitor
from tests.instance.pages.rows import FR
from tests.ready import pages_of
from tests.town import PASSWORD, Network, Place, rows

EMAIL = "Eliane.Vauquelin@mail.example"
FORM: dict[str, str | list[str]] = {
    "email": EMAIL, "password": PASSWORD, "again": PASSWORD, "name": "Dr Éliane Vauquelin", "country": "FR",
    "role": "specialist", "specialty": "cardiology", "birth_day": "3", "birth_month": "2", "birth_year": "1980",
}  # fmt: skip
PDF = "application/pdf"


@dataclass
class Newcomer(Visitor):
    """A browser without scripts that can send files too."""

    async def sends(self, path: str, content: bytes, kind: str = PDF, name: str = "deed.pdf") -> Response:
        """Send a file with its form."""
        files = {"file": FileStorage(_stream(content), filename=name, content_type=kind)}
        return await self.client.post(path, headers=OWN_PAGE, form={"csrf": self.token}, files=files)

    async def piece(self) -> str:
        """The last piece on the page."""
        return str(re.findall(r'action="/application/pieces/([a-z0-9-]+)/files"', await self.text("/application"))[-1])

    async def seen(self) -> str:
        """The version the page was made from."""
        return str(re.findall(r'name="seen" value="(\d+)"', await self.text("/application"))[-1])

    async def shows(self, proof: str = "licence", form: str = "diploma", **fields: str) -> str:
        """Add something with a document; `for` names the annex it is for."""
        await self.get(f"/application/add/{form}?for={fields.get('for', '')}")
        added = await self.post(f"/application/add/{form}", proof=proof, **fields)
        assert 303 == added.status_code, await added.get_data(as_text=True)
        piece = added.headers["Location"].partition("#")[2]
        kept = await self.sends(f"/application/pieces/{piece}/files", pdf(text=piece))
        assert 303 == kept.status_code, await kept.get_data(as_text=True)
        return piece

    async def hands_in(self) -> Response:
        """Hand in what was added."""
        return await self.post("/application/submit", seen=await self.seen())


def _stream(content: bytes):  # type: ignore[no-untyped-def]
    import io

    return io.BytesIO(content)


@dataclass
class Door:
    """The instance where one can join."""

    network: Network
    place: Place
    house: House

    @property
    def node(self):  # type: ignore[no-untyped-def]
        """The instance."""
        return self.place.node

    def newcomer(self) -> Newcomer:
        """Somebody who is not signed in."""
        return Newcomer(self.house.app.test_client())

    async def mails(self) -> list[EmailMessage]:
        """Every mail that was sent, the first first."""
        await self.node.mails.send_due()
        folder: Path = self.node.config.data / "mail"
        files = sorted(folder.glob("*.eml")) if folder.exists() else []
        return [message_from_bytes(file.read_bytes().replace(b"\r\n", b"\n"), policy=policy.default) for file in files]  # type: ignore[misc]

    async def code(self) -> str:
        """The code of the last mail."""
        return re.findall(r"^\d{6}$", (await self.mails())[-1].get_content(), re.MULTILINE)[-1]

    async def joins(self, **changes: str | list[str]) -> Newcomer:
        """Sign up and confirm."""
        somebody = self.newcomer()
        begun = await somebody.post("/join", **FORM | changes)
        assert 303 == begun.status_code, await begun.get_data(as_text=True)
        answer = await somebody.post("/join/confirm", code=await self.code())
        assert (303, "/application") == (answer.status_code, answer.headers["Location"])
        await somebody.get("/application")
        return somebody

    async def applicant(self) -> Applicant:
        """The one who has begun last, to the services."""
        found = (await rows(self.node, "select account, id from dossiers order by created_at desc, id desc limit 1"))[0]
        return Applicant(self.node, found["account"], found["id"])


async def open_door(folder: Path, origin: str = FR, **config: Any) -> Door:
    """Open the instance."""
    network = await Network.open(folder)
    place = await network.add(folder, "fr", origin=origin, language="en", **config)
    return Door(network, place, House(place.node, pages_of(place.node), network.clock.now))
