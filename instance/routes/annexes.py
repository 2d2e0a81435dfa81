"""Beside a verification that goes on: a renewal, a certificate, a new name, taking one back; and retiring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quart import Blueprint
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.application import own, show, without_document
from instance.routes.forms import Mistake, text_of, version_seen
from instance.services.errors import Missing, Rejected
from instance.services.joining import applicant
from instance.views import annexes as view
from instance.views import application
from instance.views.choices import specialty_choices
from verification.dossier import Role
from verification.moves import AnnexKind

if TYPE_CHECKING:
    from instance.services.accounts import Session
    from instance.services.dossiers.values import File

routes = Blueprint("annexes", __name__)
#: Where nothing was shown that counts: the sentence that says what would.
_NOTHING_SHOWN: Final = {
    AnnexKind.RENEWAL: "renewal_missing", AnnexKind.SPECIALIST: "certificate_missing",
    AnnexKind.NAME: "name_proof_missing",
}  # fmt: skip
#: A move that is not open, or not any more: the page says why it is not.
_CLOSED: Final = frozenset({"no_such_move", "too_late"})


@routes.get("/application/annexes/<kind>")
@guard.account_required
async def annex_form(present: Session, kind: str) -> ResponseReturnValue:
    """Show what it takes and what was added; where it cannot be handed in, say why."""
    wanted, file = _kind(kind), await own(present)
    return await show_annex(wanted, file, [])


async def show_annex(kind: AnnexKind, file: File, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    """Show the page of one kind of annex, with what is to be mended."""
    node = guard.node()
    kept, policy = await node.evidence.files(file.dossier.id), await node.dossiers.open_policy(file.dossier.country)
    against = view.against(kind.value, file.dossier, node.clock()) or ("" if policy else view.COUNTRY_CLOSED)
    if against and not mistakes:
        status = 409
    shown = file.said.specialties if file.dossier.role is Role.SPECIALIST else ()
    return await shell.page(
        "application_annex.html", status=status, here=place(file), kind=kind.value, mistakes=mistakes,
        closed=against, pieces=view.waiting(kind, file, kept), forms=view.forms(kind, file, policy),
        most_bytes=node.evidence.rules.bytes, version=application.seen(file), present=file.said.name,
        typed=await text_of("name"), chosen=await text_of("specialty"),
        choices=[each for each in specialty_choices(guard.language()) if each[0] not in shown],
    )  # fmt: skip


@routes.post("/application/annexes/<kind>")
@guard.account_required
async def hand_in(present: Session, kind: str) -> ResponseReturnValue:
    """Hand it in with everything that was added for it."""
    wanted, file, node = _kind(kind), await own(present), guard.node()
    specialty, name = await text_of("specialty"), await text_of("name")
    if owing := without_document(file.waiting(wanted)):
        return await show_annex(wanted, file, owing, 422)
    if wanted is AnnexKind.SPECIALIST and not specialty:
        return await show_annex(wanted, file, [Mistake("bad_specialty", "specialty")], 422)
    try:
        await node.dossiers.hand_in(
            file.dossier.id,
            applicant(present.account_id),
            wanted,
            seen=await _seen(file),
            name=name,
            specialty=specialty,
        )
    except Rejected as error:
        return await _refused(present, wanted, error)
    node.wake.mails.set()
    return shell.done("annex_handed_in", "/application")


async def _refused(present: Session, kind: AnnexKind, error: Rejected) -> ResponseReturnValue:
    """Say why not; whoever sends a form twice is told that one is open already."""
    file, code = await own(present), error.code
    if code == "no_evidence":
        code = _NOTHING_SHOWN[kind]
    elif code == "changed_meanwhile" or code in _CLOSED:
        code = view.against(kind.value, file.dossier, guard.node().clock()) or _anew(code)
    return await show_annex(kind, file, [Mistake(code, error.field or "")], error.status)


def _anew(code: str) -> str:
    return "application_changed" if code == "changed_meanwhile" else code


@routes.post("/application/annexes/take-back")
@guard.account_required
async def take_back(present: Session) -> ResponseReturnValue:
    """Let go of an annex that is not decided; the form names no version, from which a first vote could be read."""
    file, annex = await own(present), await text_of("annex")
    if annex not in {each.id for each in file.dossier.annexes}:
        raise Missing()
    try:
        await guard.node().dossiers.take_back(file.dossier.id, applicant(present.account_id), annex, seen=file.version)
    except Rejected as error:
        return await show(present, [Mistake(_anew(error.code))], error.status)
    return shell.done("annex_taken_back", "/application")


# ── retiring ──


@routes.get("/application/retire")
@guard.account_required
async def retire_form(present: Session) -> ResponseReturnValue:
    """Say what it means, and ask once more."""
    return await _retire_page(await own(present), [])


@routes.post("/application/retire")
@guard.account_required
@guard.fresh_factor
async def retire(present: Session) -> ResponseReturnValue:
    """Go on reading and commenting only."""
    file, node = await own(present), guard.node()
    if await text_of("understood") != "1":
        return await _retire_page(file, [Mistake("retire_unconfirmed", "understood")], 422)
    try:
        await node.dossiers.retire(file.dossier.id, applicant(present.account_id), seen=await _seen(file))
    except Rejected as error:
        against = view.against(view.RETIRE, (await own(present)).dossier, node.clock())
        return await _retire_page(await own(present), [Mistake(against or _anew(error.code))], error.status)
    node.wake.mails.set()
    return shell.done("retired", "/application")


async def _retire_page(file: File, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    against = view.against(view.RETIRE, file.dossier, guard.node().clock())
    if against and not mistakes:
        status = 409
    return await shell.page(
        "application_retire.html", status=status, here=place(file), mistakes=mistakes, closed=against,
        version=application.seen(file),
    )  # fmt: skip


def place(file: File) -> str:
    """The entry of the navigation that leads here: whoever is verified comes from their own page."""
    return "me" if file.dossier.renewable else "application"


def _kind(text: str) -> AnnexKind:
    """The kind of annex in the address; Missing for any other word."""
    if text not in set(AnnexKind):
        raise Missing()
    return AnnexKind(text)


async def _seen(file: File) -> int:
    """The version to act on, where the form was made from what is shown now; a form without one is as old as can be."""
    return application.version_of(file, version_seen(await text_of("seen")))
