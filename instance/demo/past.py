"""What has happened at one review desk before the demo begins: the instance is opened under a clock that is moved."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from instance.config import Config
from instance.demo import desk
from instance.demo.desk import Application, actor, apply, appoint
from instance.demo.town import PASSWORD, Login, hash_once
from instance.times import system_clock
from instance.wiring import Node, open_node
from verification.campaign import Cohort
from verification.grounds import Ground
from verification.moves import Choice
from verification.people import Actor

#: Who works at this desk beside those of every desk.
_MORE_STAFF: Final = (
    ("remy.reviewer", "reviewer"), ("lea.lead", "lead"), ("dora.dpo", "dpo"),
)  # fmt: skip
#: An extract of a register as its authority publishes it, with the one number that an applicant gives.
_NUMBER: Final = "10001234565"
_EXTRACT: Final = (
    "Identification nationale PP|Nom d'exercice|Prénom d'exercice|Code profession|Code catégorie professionnelle|"
    "Code type savoir-faire|Code savoir-faire\n"
    f"8{_NUMBER}|KERVELLA|Nora|10|C|SM|SM54\n"
    "810007654329|LE FICTIF|Armand|10|C|SM|SM04\n"
    "810004567896|DESMARAIS|Odile|60|C||\n"
)


@dataclass(slots=True)
class Told:
    """Who can sign in because of it."""

    staff: list[Login] = field(default_factory=list)
    applicants: list[Login] = field(default_factory=list)


@dataclass(slots=True)
class Past:
    """A clock that goes to where the story is, the instance under it, and who is in it."""

    begins: datetime
    now: datetime
    folder: Path
    told: Told
    node: Node = field(init=False)
    people: dict[str, Actor] = field(default_factory=dict)

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def ago(self, **past: float) -> None:
        """Go on to this long before the demo begins."""
        self.now = self.begins - timedelta(**past)

    async def apply(self, handle: str, name: str, what: str, **said: str) -> Application:
        """Let somebody apply, and say what to sign in for."""
        made = await apply(self.node, handle, name, **said)
        self.told.applicants.append(Login(made.login, PASSWORD, what))
        return made


async def live(config: Config, told: Told) -> None:
    """Open the instance as it was, play its past, and close it; note who may sign in because of it."""
    begins = system_clock()
    past = Past(begins, begins - timedelta(days=400), config.data, told)
    past.node = await open_node(config, clock=past, hash_password=hash_once())
    try:
        for login, role in (*desk.STAFF, *_MORE_STAFF):
            told.staff.append(await appoint(past.node, login, role))
            past.people[login.partition(".")[0]] = await actor(past.node, login)
        for part in (_verified, _in_question, _refused, _waiting, _after_approval):
            await part(past)
    finally:
        await past.node.close()


async def suspend(node: Node) -> None:
    """Suspend the one who is under suspicion: after she has written, so that her case abroad says so."""
    row = await node.store.one("dossiers.of_doctor", doctor=f"{node.origin}/doctors/solene.kergoat")
    if row is not None:
        ada, version = await actor(node, "ada.admin"), (await node.dossiers.file(row["id"])).version
        await node.dossiers.suspend(row["id"], ada, Ground.AUTHORITY_LETTER, seen=version)


async def _verified(past: Past) -> None:
    """Years and months ago: somebody whose year is over by now, and somebody a campaign will ask about."""
    rita, rene = past.people["rita"], past.people["rene"]
    past.ago(days=371)
    gone = await past.apply("marc.lequellec", "Dr Marc Le Quellec", "doctor whose year is over: can renew")
    await gone.is_approved(rita, rene)
    past.ago(days=190)
    asked = await past.apply("bastien.caradec", "Dr Bastien Caradec", "doctor; asked again by a campaign: can renew")
    await asked.is_approved(rita, rene)


async def _in_question(past: Past) -> None:
    """Ten days ago the lead proposed to look again at who was verified in a certain week; a reviewer started it."""
    past.ago(days=10)
    week = Cohort(since=past.begins - timedelta(days=194), before=past.begins - timedelta(days=187))
    campaigns = past.node.dossiers.campaigns
    started = await campaigns.propose("FR", week, Ground.EVIDENCE_IN_DOUBT, past.people["lea"])
    past.ago(days=9)
    await campaigns.start(started, past.people["remy"])
    await campaigns.enrol()


async def _refused(past: Past) -> None:
    """Refused by two a week ago; two others have to look."""
    past.ago(days=8)
    made = await past.apply("thibault.fauconnier", "Dr Thibault Fauconnier", "was refused, and appealed")
    await made.does("take", by=past.people["rita"])
    for login in ("rita", "rene"):
        await made.is_judged(past.people[login], Choice.REJECT, Ground.NOT_FROM_AUTHORITY)
    past.ago(days=6)
    late = await past.apply("maelle.stivell", "Dr Maëlle Stivell", "waits for the second reviewer, too long")
    await late.does("take", by=past.people["rita"])
    await late.is_judged(past.people["rita"], Choice.APPROVE, Ground.EVIDENCE_HOLDS)


async def _waiting(past: Past) -> None:
    """Three days ago and since: one is asked for more, the appeal comes, and the register's extract."""
    past.ago(days=3)
    asked = await past.apply("gael.treguer", "Dr Gaël Tréguer", "is asked for a readable document")
    past.ago(days=2)
    await asked.does("take", by=past.people["rene"])
    await asked.does("ask", Ground.UNREADABLE, by=past.people["rene"])
    appealing = next(each for each in past.told.applicants if each.handle.startswith("thibault"))
    await _appeals(past, appealing.handle)
    extract = past.folder / "rpps-demo.txt"
    await asyncio.to_thread(partial(extract.write_text, _EXTRACT, encoding="utf-8"))
    await past.node.dossiers.registers.bring_in("rpps", extract)


async def _appeals(past: Past, login: str) -> None:
    row = await past.node.store.one("people.account_for_sign_in", login=login)
    file = None if row is None else await past.node.dossiers.of_account(row["id"])
    if file is None:
        raise RuntimeError(f"{login} has no application")
    await Application(past.node, file.account, file.dossier.id, login, file.said.name).does("appeal")


async def _after_approval(past: Past) -> None:
    """Since yesterday: two are verified, one asks to be known as a specialist, and the register knows somebody new."""
    past.ago(days=1, hours=2)
    made = [
        await past.apply("adele.rouviere", "Dr Adèle Rouvière", "doctor; asks to be known as a specialist"),
        await past.apply("solene.kergoat", "Dr Solène Kergoat", "doctor; suspended, a second person has to confirm"),
    ]
    for each in made:
        await each.is_approved(past.people["rita"], past.people["rene"])
    past.ago(hours=20)
    await made[0].hands_in_certificate()
    past.ago(hours=3)
    await past.apply("nora.kervella", "Dr Nora Kervella", "waits for two reviewers", number=_NUMBER)
