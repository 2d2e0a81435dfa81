"""The own application: where it stands, what is said of oneself in it, and the moves its owner can make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from quart import Blueprint, redirect
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake, text_of, version_seen
from instance.routes.oneself import OneselfForm, offered, oneself_form, said_before, sites_offered, today
from instance.services.errors import Missing, Rejected
from instance.services.joining import applicant
from instance.views import annexes
from instance.views import application as view
from verification.countries import Proof
from verification.moves import AnnexKind, State
from verification.standing import OwnAct, may_own

if TYPE_CHECKING:
    from instance.services.accounts import Session
    from instance.services.dossiers.values import File, ShownPiece

routes = Blueprint("application", __name__)
_HAND_IN: Final = {State.DRAFT: "submit", State.NEEDS_INFO: "answer", State.EXPIRED: "renew_expired"}
#: What came of a form that was sent twice: nothing but what was wanted.
_DONE: Final = frozenset({"changed_meanwhile", "no_such_move"})
#: What a refusal is called here: elsewhere its sentence speaks of texts.
_CALLED: Final = {"changed_meanwhile": "application_changed"}
NOTHING_SAID: Final = OneselfForm()


@routes.get("/application")
@guard.account_required
async def application(present: Session) -> ResponseReturnValue:
    """Show where the application stands."""
    return await show(present, [])


async def show(present: Session, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    """Show where the application stands, with what is to be mended."""
    node = guard.node()
    file = await node.dossiers.of_account(present.account_id)
    if file is None:
        return await _begin_page(present, mistakes, status)
    told, kept = await node.dossiers.notices(present.account_id), await node.evidence.files(file.dossier.id)
    shown = view.application(file, told, kept, await node.dossiers.open_policy(file.dossier.country))
    return await shell.page(
        "application.html", status=status, here="application" if not shown.verified else "me", shown=shown,
        sites=await sites_offered(file) if shown.may_correct else (),
        mistakes=mistakes, authority=node.authority, most_bytes=node.evidence.rules.bytes,
        rows=annexes.rows(file, kept),
        acts=() if shown.closed else annexes.possible(file, node.clock()),
        applies=not file.dossier.final and file.dossier.approved_at is None,
        elsewhere=await node.relocations.elsewhere(file.dossier.id),
        exports=may_own(OwnAct.EXPORT, file.dossier.state),
    )  # fmt: skip


# ── beginning ──


@routes.get("/application/new")
@guard.account_required
async def begin_form(present: Session) -> ResponseReturnValue:
    """Show the form with which an application begins."""
    file = await guard.node().dossiers.of_account(present.account_id)
    if file is not None and not view.may_begin_again(file):
        return redirect("/application", code=303)
    return await _begin_page(present, [])


@routes.post("/application/new")
@guard.account_required
async def begin(present: Session) -> ResponseReturnValue:
    """Begin an application, where there is none that goes on."""
    node = guard.node()
    file = await node.dossiers.of_account(present.account_id)
    if _closed(present, file) or (file is not None and not view.may_begin_again(file)):
        raise Rejected("has_dossier", status=409)
    typed = await oneself_form(await sites_offered())
    try:
        new = typed.application(await node.joining.address_of(present.account_id), today())
        await node.dossiers.open(present.account_id, new)
    except Rejected as error:
        return await _begin_page(present, [mistake(error)], error.status, typed)
    return redirect("/application", code=303)


async def _begin_page(
    present: Session, mistakes: list[Mistake], status: int = 200, form: OneselfForm = NOTHING_SAID
) -> ResponseReturnValue:
    file = await guard.node().dossiers.of_account(present.account_id)
    return await shell.page(
        "application_new.html", status=status, here="application", mistakes=mistakes,
        closed=_closed(present, file), barred_for=present.closed.value if present.closed else "",
        again=file is not None, addressed=present.doctor is not None,
        sites=await sites_offered(), **await offered(form),
    )  # fmt: skip


def _closed(present: Session, file: File | None) -> bool:
    """Whether this is somebody who does not apply: staff, and doctors whom the operator has let in."""
    return bool(present.roles) or (present.doctor is not None and file is None)


# ── correcting ──


@routes.get("/application/edit")
@guard.account_required
async def correct_form(present: Session) -> ResponseReturnValue:
    """Show what was said, to be mended while nobody is looking."""
    file = await own(present)
    if not view.may_correct(file):
        return await show(present, [Mistake("decided_already")], 409)
    return await _correct_page(file, said_before(file), [])


@routes.post("/application/edit")
@guard.account_required
async def correct(present: Session) -> ResponseReturnValue:
    """Keep what is said anew."""
    file = await own(present)
    typed, seen = await oneself_form(await sites_offered(file)), version_seen(await text_of("seen"))
    try:
        new = typed.application(file.said.email, today(), born=False)
        await guard.node().dossiers.say(
            file.dossier.id, applicant(present.account_id), new, seen=view.version_of(file, seen)
        )
    except Rejected as error:
        if error.code == "changed_meanwhile" or not view.may_correct(file):
            return await show(present, [Mistake(_CALLED.get(error.code, error.code))], error.status)
        return await _correct_page(file, typed, [mistake(error)], error.status)
    return shell.done("application_said", "/application")


async def _correct_page(
    file: File, form: OneselfForm, mistakes: list[Mistake], status: int = 200
) -> ResponseReturnValue:
    values = await offered(form)
    if not view.may_change_country(file):
        values["countries"] = (file.dossier.country,)
    return await shell.page(
        "application_edit.html", status=status, here="application", mistakes=mistakes, version=view.seen(file),
        sites=await sites_offered(file), **values,
    )  # fmt: skip


# ── moves ──


@routes.post("/application/submit")
@guard.account_required
async def submit(present: Session) -> ResponseReturnValue:
    """Hand in a draft, give what was asked for, or apply anew after the verification has run out."""
    file = await own(present)
    act = _HAND_IN.get(file.dossier.state)
    if act is None:
        return await _already(present)
    if owing := without_document(file.waiting(AnnexKind.RENEWAL)):
        return await show(present, owing, 422)
    return await _do(present, act, State.SUBMITTED)


async def _already(present: Session) -> ResponseReturnValue:
    file = await own(present)
    if file.dossier.state in (State.SUBMITTED, State.IN_REVIEW, State.SECOND_REVIEW):
        return redirect("/application", code=303)
    return await show(present, [Mistake("application_changed")], 409)


@routes.post("/application/elsewhere")
@guard.account_required
async def elsewhere(present: Session) -> ResponseReturnValue:
    """Say at which sibling the applicant is verified already: a support for whoever reviews, and no evidence."""
    file = await own(present)
    try:
        await guard.node().relocations.say_elsewhere(file.dossier.id, await text_of("elsewhere"))
    except Rejected as error:
        return await show(present, [mistake(error)], error.status)
    return redirect("/application", code=303)


@routes.get("/application/withdraw")
@guard.account_required
async def withdraw_form(present: Session) -> ResponseReturnValue:
    """Ask once more; whoever was verified leaves instead."""
    file = await own(present)
    if file.dossier.approved_at is not None:
        return redirect("/application/leave", code=303)
    return await shell.page("application_withdraw.html", here="application", version=view.seen(file))


@routes.post("/application/withdraw")
@guard.account_required
async def withdraw(present: Session) -> ResponseReturnValue:
    """Take the application back; whoever was verified leaves by no form that speaks of an application."""
    return await _do(present, "withdraw", State.WITHDRAWN)


@routes.post("/application/appeal")
@guard.account_required
async def appeal(present: Session) -> ResponseReturnValue:
    """Ask two others to look."""
    return await _do(present, "appeal", State.APPEALED)


async def _do(present: Session, act: str, to: State) -> ResponseReturnValue:
    """Carry a move out on the version the page showed; of a form that was sent twice the second changes nothing."""
    node, file, seen = guard.node(), await own(present), version_seen(await text_of("seen"))
    try:
        await getattr(node.dossiers, act)(
            file.dossier.id, applicant(present.account_id), seen=view.version_of(file, seen)
        )
    except Rejected as error:
        if error.code in _DONE and (await own(present)).dossier.state is to:
            return redirect("/application", code=303)
        return await show(present, [Mistake(_CALLED.get(error.code, error.code))], error.status)
    node.wake.mails.set()
    if to is State.WITHDRAWN:
        # With it every session ends: the page of signing in says what was done.
        return shell.done("application_withdrawn", "/application")
    return redirect("/application", code=303)


def without_document(waiting: Iterable[ShownPiece]) -> list[Mistake]:
    """What waits and says nothing without a document, each at its field."""
    owing = [each for each in waiting if not each.files and each.proof is not Proof.REGISTER_NUMBER]
    return [Mistake("document_missing", f"file-{each.id}") for each in owing]


async def own(present: Session) -> File:
    """The own application; Missing where there is none."""
    file = await guard.node().dossiers.of_account(present.account_id)
    if file is None:
        raise Missing()
    return file
