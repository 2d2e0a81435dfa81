"""Made-up applicants and reviewers, who do with dossiers what pages would."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from instance.ids import new_ulid
from instance.services.dossiers.values import Claim, File, Findings, NewApplication
from instance.services.errors import Rejected
from instance.storage.store import Transaction
from instance.times import to_ms
from instance.wiring import Node
from tests.town import PASSWORD, Person, Place
from verification.countries import Proof
from verification.dossier import Country, Dossier
from verification.grounds import Ground
from verification.moves import Choice, State
from verification.people import Actor, DoctorId, StaffId, StaffRole

FR = Country("FR")
APPROVE = (Choice.APPROVE, Ground.EVIDENCE_HOLDS)
REJECT = (Choice.REJECT, Ground.INCOMPLETE)
#: What a reviewer finds in a licence deed that is in order.
HOLDS = Findings(same_name=True, from_authority=True)
#: A made-up RPPS number with a check digit that fits.
RPPS = "10001234565"


async def refused(doing: Any) -> str:
    """The code of a refusal."""
    with pytest.raises(Rejected) as caught:
        await doing
    return caught.value.code


def staff(number: int, *roles: StaffRole, **facts: Any) -> Actor:
    """A member of staff of France."""
    return Actor(id=StaffId(f"staff-{number}"), roles=frozenset(roles), **{"countries": frozenset({FR}), **facts})


RITA, RENE, REMY, ROSE = (staff(number, StaffRole.REVIEWER) for number in (1, 2, 3, 8))
LEA = staff(4, StaffRole.LEAD)
ADMIN = staff(6, StaffRole.ADMINISTRATOR)
GERMAN = staff(9, StaffRole.REVIEWER, countries=frozenset({Country("DE")}))


def application(**changes: Any) -> NewApplication:
    """A made-up generalist."""
    values = {
        "name": "Dr Éliane Vauquelin", "country": "FR", "role": "generalist", "specialties": ("cardiology",),
        "email": "eliane@mail.example", "languages": ("fr",), "birth_date": date(1980, 2, 3), **changes,
    }  # fmt: skip
    return NewApplication(**values)


@dataclass
class Applicant:
    """Somebody who applies, with the account and the dossier."""

    node: Node
    account: str
    id: str

    @classmethod
    async def begins(cls, node: Node, login: str = "eliane", **changes: Any) -> Applicant:
        """Make an account and open an application."""
        account = await an_account(node, login)
        return cls(node, account, await node.dossiers.open(account, application(**changes)))

    @classmethod
    async def submits(cls, node: Node, login: str = "eliane", **changes: Any) -> Applicant:
        """The same, with a licence deed handed in."""
        made = await cls.begins(node, login, **changes)
        await made.shows()
        await made.does("submit")
        return made

    @property
    def actor(self) -> Actor:
        """Who this is to the medical room."""
        return Actor.applicant(DoctorId(self.account))

    async def file(self) -> File:
        """The dossier as it is now."""
        return await self.node.dossiers.file(self.id)

    async def shows(self, proof: Proof = Proof.LICENCE, **changes: Any) -> str:
        """Add something to show."""
        return await self.node.dossiers.add_piece(self.id, self.actor, Claim(proof=proof, **changes))

    async def does(self, what: str, *values: Any, by: Actor | None = None, **more: Any) -> Dossier:
        """A use case, on the version of this moment; the applicant's own unless somebody else is named."""
        seen = (await self.file()).version
        return await getattr(self.node.dossiers, what)(self.id, by or self.actor, *values, seen=seen, **more)

    async def is_found(self, by: Actor, findings: Findings = HOLDS) -> None:
        """A reviewer looks at everything that is reviewed now: the application, or its annexes."""
        file = await self.file()
        reviewed = {each.id for each in file.dossier.annexes if each.open}
        reviewed |= {""} if file.dossier.state in (State.IN_REVIEW, State.SECOND_REVIEW) else set()
        for piece in file.pieces:
            if piece.counts and piece.annex in reviewed:
                await self.node.dossiers.find(self.id, by, piece.id, findings)

    async def is_voted(self, by: Actor, choice: tuple[Choice, Ground] = APPROVE, **more: Any) -> Dossier:
        """A reviewer looks and votes."""
        await self.is_found(by)
        return await self.does("vote", *choice, by=by, **more)

    async def is_approved(self) -> Dossier:
        """Two reviewers approve what was submitted."""
        await self.does("take", by=RITA)
        await self.is_voted(RITA)
        return await self.is_voted(RENE)

    async def is_rejected(self, one: Actor = RITA, other: Actor = RENE) -> Dossier:
        """Two reviewers reject what was submitted."""
        await self.does("take", by=one)
        await self.is_voted(one, REJECT)
        return await self.is_voted(other, REJECT)

    async def doctor(self, place: Place) -> Person:
        """The doctor this has become."""
        row = await self.node.store.one("people.doctor", uri=(await self.file()).doctor)
        assert row is not None
        return Person(place, row["handle"], row["uri"])


async def an_account(node: Node, login: str) -> str:
    """An account of nobody yet, as sign-up makes it."""
    account = new_ulid(node.clock())
    stored = await node.hash_password(PASSWORD)

    async def work(tx: Transaction) -> None:
        added = await tx.run(
            "people.add_account", id=account, login=login, password=stored, doctor=None, roles="[]", language="fr",
            now=to_ms(node.clock()),
        )  # fmt: skip
        assert added

    await node.store.write(work)
    return account
