"""Who works at a review desk of the demo, and the applications they find there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pyotp

from instance.demo import papers
from instance.demo.town import PASSWORD, Login
from instance.ids import new_ulid
from instance.services.dossiers.values import Claim, Findings, NewApplication
from instance.services.staff import Invite
from instance.storage.store import Transaction
from instance.times import to_ms
from instance.wiring import Node
from verification.countries import Proof
from verification.grounds import Ground
from verification.moves import AnnexKind, Choice
from verification.people import Actor, DoctorId

#: Who works at every desk: two who review, one who may suspend.
STAFF: Final = (("rita.reviewer", "reviewer"), ("rene.reviewer", "reviewer"), ("ada.admin", "administrator"))
_HOLDS: Final = Findings(same_name=True, from_authority=True)


# ── staff ──


async def appoint(node: Node, login: str, role: str) -> Login:
    """Invite, accept, and add an app; its key is kept with the sign-in."""
    invited = await node.staff.invite(
        Invite(email=f"{login}@chamber.example", roles=(role,), countries=(node.config.country,)), by="demo"
    )  # fmt: skip
    account = await node.staff.accept(invited.link.rpartition("/")[2], login, PASSWORD)
    await _prove(node, account, f"{login}@chamber.example")
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
    return Login(login, PASSWORD, role, waiting.secret)


async def _prove(node: Node, account: str, email: str) -> None:
    """Let an address count as proved: nobody reads the mail of people who are made up."""

    async def work(tx: Transaction) -> None:
        await tx.run("joining.set_address", account=account, email=email)
        await tx.run("codes.drop_claim", account=account)

    await node.store.write(work)


async def actor(node: Node, login: str) -> Actor:
    """A member of staff, as the medical room knows them."""
    found = next(member for member in await node.staff.list() if member.login == login)
    return await node.staff.of(found.id)


# ── applications ──


@dataclass(frozen=True, slots=True)
class Application:
    """Somebody's application."""

    node: Node
    account: str
    id: str
    login: str
    name: str

    @property
    def who(self) -> Actor:
        """Its owner, as the medical room knows them."""
        return Actor.applicant(DoctorId(self.account))

    async def does(self, what: str, *values: Any, by: Actor | None = None, **more: Any) -> None:
        """A use case, on the version of this moment; the owner's own unless somebody else is named."""
        seen = (await self.node.dossiers.file(self.id)).version
        await getattr(self.node.dossiers, what)(self.id, by or self.who, *values, seen=seen, **more)

    async def shows(self, proof: Proof, content: bytes, **said: Any) -> None:
        """Add something to show, with its document."""
        piece = await self.node.dossiers.add_piece(self.id, self.who, Claim(proof=proof, **said))
        kept = await self.node.evidence.put(self.id, proof.value, "image/png", content)
        await self.node.dossiers.attach(self.id, self.who, piece, kept.id)

    async def is_judged(self, reviewer: Actor, choice: Choice, ground: Ground) -> None:
        """Let somebody look at everything and vote."""
        for piece in (await self.node.dossiers.file(self.id)).counting():
            await self.node.dossiers.find(self.id, reviewer, piece.id, _HOLDS)
        await self.does("vote", choice, ground, by=reviewer)

    async def is_approved(self, *reviewers: Actor) -> str:
        """Let these review and approve it, one after the other; return the doctor's address."""
        await self.does("take", by=reviewers[0])
        for reviewer in reviewers:
            await self.is_judged(reviewer, Choice.APPROVE, Ground.EVIDENCE_HOLDS)
        return (await self.node.dossiers.file(self.id)).doctor or ""

    async def hands_in_certificate(self) -> None:
        """Ask to be known as a specialist."""
        await self.shows(Proof.SPECIALIST_CERTIFICATE, papers.certificate(self.name), specialist=True)
        await self.does("hand_in", AnnexKind.SPECIALIST)


async def apply(
    node: Node, handle: str, name: str, *, role: str = "generalist", specialty: str = "general-practice",
    number: str = "",
) -> Application:  # fmt: skip
    """Make an account, and hand in an application with a made-up licence (and a number of the register)."""
    account, login = new_ulid(node.clock()), f"{handle}@mail.example"
    await _add_account(node, account, login)
    new = NewApplication(
        name=name, country=node.config.country, role=role, specialties=(specialty,), email=login, handle=handle,
        languages=(node.config.language,), birth_date=date(1985, 4, 1 + sum(handle.encode()) % 28),
    )  # fmt: skip
    made = Application(node, account, await node.dossiers.open(account, new), login, name)
    await made.shows(Proof.LICENCE, papers.licence(name, node.config.language))
    if number:
        claim = Claim(proof=Proof.REGISTER_NUMBER, number_kind="rpps", number=number)
        await node.dossiers.add_piece(made.id, made.who, claim)
    await made.does("submit")
    return made


async def _add_account(node: Node, account: str, login: str) -> None:
    stored = await node.hash_password(PASSWORD)

    async def work(tx: Transaction) -> None:
        await tx.run(
            "people.add_account", id=account, login=login, password=stored, doctor=None, roles="[]", language="",
            now=to_ms(node.clock()),
        )  # fmt: skip
        await tx.run("joining.set_address", account=account, email=login)

    await node.store.write(work)
