"""The review desk of the demo: staff with a second factor, and somebody who has applied and waits."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from typing import Final

import pyotp
from PIL import Image, ImageDraw

from instance.demo.town import PASSWORD, Country, Login, Say
from instance.ids import new_ulid
from instance.services.dossiers.values import Claim, Findings, NewApplication
from instance.services.staff import Invite
from instance.storage.store import Transaction
from instance.times import to_ms
from instance.wiring import Node
from verification.countries import Proof
from verification.grounds import Ground
from verification.moves import Choice
from verification.people import Actor, DoctorId

#: Who works at the desk of the first country: two who review, one who may suspend.
STAFF: Final = (("rita.reviewer", "reviewer"), ("rene.reviewer", "reviewer"), ("ada.admin", "administrator"))
_HOLDS: Final = Findings(same_name=True, from_authority=True)


@dataclass(frozen=True, slots=True)
class Application:
    """Somebody's application, handed in."""

    node: Node
    account: str
    id: str

    async def version(self) -> int:
        """The version of this moment."""
        return (await self.node.dossiers.file(self.id)).version

    async def approved_by(self, *reviewers: Actor) -> str:
        """Let these review and approve it, one after the other; return the doctor's address."""
        dossiers = self.node.dossiers
        await dossiers.take(self.id, reviewers[0], seen=await self.version())
        for reviewer in reviewers:
            for piece in (await dossiers.file(self.id)).counting():
                await dossiers.find(self.id, reviewer, piece.id, _HOLDS)
            await dossiers.vote(
                self.id, reviewer, Choice.APPROVE, Ground.EVIDENCE_HOLDS, seen=await self.version()
            )  # fmt: skip
        return (await dossiers.file(self.id)).doctor or ""


async def furnish(country: Country, *, say: Say) -> None:
    """Appoint the staff, each with an app for codes, and let somebody apply."""
    for login, role in STAFF:
        secret = await _appoint(country, login, role)
        country.staff.append(Login(login, PASSWORD, f"{role}; add this key to an app that shows codes: {secret}"))
    await apply(country, "nora.newcomer", "Dr Nora Newcomer")
    say(f"somebody has applied in {country.code} and waits at the review desk")


async def actor(country: Country, login: str) -> Actor:
    """A member of staff, as the medical room knows them."""
    found = next(member for member in await country.node.staff.list() if member.login == login)
    return await country.node.staff.of(found.id)


async def apply(country: Country, login: str, name: str) -> Application:
    """Make an account, and hand in an application with a made-up licence."""
    node, new = country.node, new_ulid(country.node.clock())
    await _add_account(node, new, login)
    dossier = await node.dossiers.open(
        new,
        NewApplication(
            name=name, country=country.code, role="generalist", specialties=("general-practice",),
            email=f"{login}@mail.example", birth_date=date(1985, 4, 12),
        ),
    )  # fmt: skip
    who = Actor.applicant(DoctorId(new))
    piece = await node.dossiers.add_piece(dossier, who, Claim(proof=Proof.LICENCE))
    kept = await node.evidence.put(dossier, "diploma", "image/png", _licence(name))
    await node.dossiers.attach(dossier, who, piece, kept.id)
    await node.dossiers.submit(dossier, who, seen=(await node.dossiers.file(dossier)).version)
    return Application(node, new, dossier)


async def _add_account(node: Node, account: str, login: str) -> None:
    stored = await node.hash_password(PASSWORD)

    async def work(tx: Transaction) -> None:
        await tx.run(
            "people.add_account", id=account, login=login, password=stored, doctor=None, roles="[]", language="en",
            now=to_ms(node.clock()),
        )  # fmt: skip

    await node.store.write(work)


async def _appoint(country: Country, login: str, role: str) -> str:
    """Invite and accept, and add an app; return the key of the app."""
    node, code = country.node, country.code
    invited = await node.staff.invite(
        Invite(email=f"{login}@chamber.example", roles=(role,), countries=(code,)), by="demo"
    )  # fmt: skip
    account = await node.staff.accept(invited.link.rpartition("/")[2], login, PASSWORD)
    await _prove(country, account, f"{login}@chamber.example")
    begun = await node.people.begin(account, "", enrols=True)
    session = await node.people.entered(begun.token)
    if session is None:
        raise RuntimeError(f"{login} could not sign in")
    await node.factors.begin_app(session)
    waiting = await node.factors.app_to_confirm(session)
    if waiting is None:
        raise RuntimeError(f"{login} has no app")
    # The first code is one half minute old: the present one is left for whoever signs in.
    before = pyotp.TOTP(waiting.secret.replace(" ", "")).at(node.clock(), counter_offset=-1)
    await node.factors.confirm_app(session, before)
    return waiting.secret


async def _prove(country: Country, account: str, email: str) -> None:
    """Let an address count as proved: nobody reads the mail of people who are made up."""

    async def work(tx: Transaction) -> None:
        await tx.run("joining.set_address", account=account, email=email)
        await tx.run("codes.drop_claim", account=account)

    await country.node.store.write(work)


def _licence(name: str) -> bytes:
    """A picture of a document that nobody issued."""
    picture = Image.new("RGB", (900, 1200), "white")
    pen = ImageDraw.Draw(picture)
    for line, text in enumerate(("MADE UP FOR THE DEMO", "Licence to practise medicine", name, "12 April 2012")):
        pen.text((120, 160 + 90 * line), text, fill="black", font_size=44)
    kept = io.BytesIO()
    picture.save(kept, "PNG")
    return kept.getvalue()
