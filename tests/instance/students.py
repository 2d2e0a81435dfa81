"""Made-up students, and two administrators who let them in."""

from __future__ import annotations

from typing import Any

from instance.services.dossiers.values import Findings
from instance.services.staff import Invite
from instance.wiring import Node
from tests.instance.dossiers.applying import RENE, RITA, Applicant
from tests.town import PASSWORD
from verification.countries import Proof
from verification.grounds import Ground
from verification.moves import Choice
from verification.overlay import RIGHTS, LetStudents, PolicyReason, StudentRight
from verification.standing import Action

READ = StudentRight.READ
#: What a reviewer reads on a student's card that is in order.
CARD = Findings(same_name=True, medicine=True, year_ends=2027)


async def administrators(node: Node) -> None:
    """Two of them, ada and ben, invited by the command line."""
    for login in ("ada", "ben"):
        invited = await node.staff.invite(Invite(email=f"{login}@chamber.example", roles=("administrator",)), by="test")
        await node.staff.accept(invited.link.rpartition("/")[2], login, PASSWORD)


async def lets(node: Node, *rights: StudentRight, country: str = "FR") -> None:
    """Let students do exactly this: by two where that opens anything."""
    allowed = frozenset[Action]().union(*(RIGHTS[right] for right in rights))
    logins = {each.login: each for each in await node.staff.list()}
    ada, ben = [await node.staff.of(logins[login].id) for login in ("ada", "ben")]
    line = await node.policies.line(country)
    change, reason = LetStudents(rights=allowed), PolicyReason.BOARD_DECIDED
    if await node.policies.change(country, change, reason, ada, seen=line.version):
        return
    waiting = await node.policies.waiting(country)
    await node.policies.confirm(country, waiting[0].id, ben, seen=line.version + 1)


async def student(node: Node, login: str = "sophie") -> Applicant:
    """A student whom two reviewers have approved on a card of this academic year."""
    said: dict[str, Any] = {"name": f"{login.title()} Martin", "email": f"{login}@mail.example"}
    made = await Applicant.begins(node, login, role="student", **said)
    await made.shows(Proof.STUDENT_CARD, medicine=True, year_ends=2027)
    await made.does("submit")
    await made.does("take", by=RITA)
    for reviewer in (RITA, RENE):
        await made.is_found(reviewer, CARD)
        await made.does("vote", Choice.APPROVE, Ground.EVIDENCE_HOLDS, by=reviewer)
    return made
