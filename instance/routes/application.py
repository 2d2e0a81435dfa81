"""The own application: where it stands, what is shown, and everything its owner can do with it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake, specialty_choices, text_of, version_seen
from instance.routes.join import specialties_of
from instance.services.dossiers.values import Claim, NewApplication
from instance.services.errors import Missing, Rejected
from instance.services.joining import applicant
from instance.views import application as view
from verification.countries import Proof
from verification.documents import BadFile
from verification.dossier import EvidenceKind
from verification.moves import State
from verification.registers import numbers
from verification.registers.numbers import Check

if TYPE_CHECKING:
    from instance.services.accounts import Session
    from instance.services.dossiers.values import File
    from verification.countries import CountryPolicy

routes = Blueprint("application", __name__)
_HAND_IN: Final = {State.DRAFT: "submit", State.NEEDS_INFO: "answer", State.EXPIRED: "renew_expired"}
#: What came of a form that was sent twice: nothing but what was wanted.
_DONE: Final = frozenset({"changed_meanwhile", "no_such_move"})


class ClaimForm(Struct, frozen=True, kw_only=True):
    """What the form of one piece holds, as typed."""

    proof: str = ""
    number_kind: str = ""
    number: str = ""
    issued_on: str = ""
    valid_until: str = ""
    training_ends: str = ""
    year_ends: str = ""
    medicine: str = ""
    specialist: bool = False
    #: A number whose check digit does not fit, once the page has said so.
    warned: str = ""


@routes.get("/application")
@guard.account_required
async def application(present: Session) -> ResponseReturnValue:
    """Show where the application stands."""
    return await _page(present, [])


async def _page(
    present: Session, mistakes: list[Mistake], status: int = 200, at: str = ""
) -> ResponseReturnValue:  # fmt: skip
    node = guard.node()
    file = await node.dossiers.of_account(present.account_id)
    if file is None:
        return await _begin_page(present, mistakes, status)
    told, kept = await node.dossiers.notices(present.account_id), await node.evidence.files(file.dossier.id)
    shown = view.application(file, told, kept, node.dossiers.policy(file.dossier.country))
    return await shell.page(
        "application.html", status=status, here="application", shown=shown, mistakes=mistakes, at=at,
    )  # fmt: skip


# ── beginning ──


@routes.get("/application/new")
@guard.account_required
async def begin_form(present: Session) -> ResponseReturnValue:
    """Show the form with which an application begins."""
    file = await guard.node().dossiers.of_account(present.account_id)
    if file is not None and not file.dossier.final:
        return redirect("/application", code=303)
    return await _begin_page(present, [])


@routes.post("/application/new")
@guard.account_required
async def begin(present: Session) -> ResponseReturnValue:
    """Begin an application, where there is none that goes on."""
    if present.doctor is not None or present.roles:
        raise Rejected("has_dossier", status=409)
    new = NewApplication(
        name=await text_of("name"), country=await text_of("country"), role=await text_of("role"),
        specialties=await specialties_of(), email=await guard.node().joining.address_of(present.account_id),
    )  # fmt: skip
    try:
        await guard.node().dossiers.open(present.account_id, new)
    except Rejected as error:
        return await _begin_page(present, [mistake(error)], error.status, new)
    return redirect("/application", code=303)


async def _begin_page(
    present: Session, mistakes: list[Mistake], status: int = 200, form: NewApplication | None = None
) -> ResponseReturnValue:
    joining = guard.node().joining
    empty = NewApplication(name="", country="", role="", specialties=(), email="")
    return await shell.page(
        "application_new.html", status=status, here="application", form=form or empty, mistakes=mistakes,
        closed=present.doctor is not None or bool(present.roles), countries=joining.countries(),
        roles=joining.roles(), choices=specialty_choices(guard.language()),
    )  # fmt: skip


# ── what is shown ──


@routes.get("/application/add/<form>")
@guard.account_required
async def add_form(present: Session, form: str) -> ResponseReturnValue:
    """Show the form of one kind of evidence."""
    file, policy = await _own(present), await _policy(present)
    return await _add_page(form, _offered(form, file, policy), policy, ClaimForm(), [])


@routes.post("/application/add/<form>")
@guard.account_required
async def add(present: Session, form: str) -> ResponseReturnValue:
    """Add a piece; its document comes next. A number whose check digit fails is asked about once."""
    file, policy, typed = await _own(present), await _policy(present), await _claim_form()
    offered = _offered(form, file, policy)
    try:
        claim = _claim(typed, offered, form)
        if _is_odd(claim, policy) and typed.warned != typed.number:
            return await _add_page(form, offered, policy, typed, [Mistake("number_odd", "number")], 422)
        piece = await guard.node().dossiers.add_piece(file.dossier.id, applicant(present.account_id), claim)
    except Rejected as error:
        return await _add_page(form, offered, policy, typed, [mistake(error)], error.status)
    return redirect(f"/application#{piece}", code=303)


def _offered(form: str, file: File, policy: CountryPolicy) -> tuple[str, ...]:
    offered = view.proofs(form, file, policy) if form in view.FORMS else ()
    if not offered:
        raise Missing()
    return offered


async def _add_page(
    form: str, offered: tuple[str, ...], policy: CountryPolicy, typed: ClaimForm, mistakes: list[Mistake],
    status: int = 200,
) -> ResponseReturnValue:  # fmt: skip
    odd = any(found.code == "number_odd" for found in mistakes)
    return await shell.page(
        "application_add.html", status=status, here="application", what=form, offered=offered, typed=typed,
        mistakes=mistakes, kinds=list(policy.kinds.values()), warned=typed.number if odd else "",
        term=policy.term.local,
    )  # fmt: skip


async def _claim_form() -> ClaimForm:
    names = [name for name in ClaimForm.__struct_fields__ if name != "specialist"]
    return ClaimForm(
        **{name: (await text_of(name))[:200] for name in names}, specialist=await text_of("specialist") == "1"
    )


def _claim(typed: ClaimForm, offered: tuple[str, ...], form: str) -> Claim:
    """The claim; what the form of this kind does not ask for is not taken."""
    if typed.proof not in offered:
        raise Rejected("proof_missing", "proof")
    proof = Proof(typed.proof)
    match view.FORMS[form]:
        case EvidenceKind.DIPLOMA:
            return Claim(proof=proof)
        case EvidenceKind.REGISTRATION:
            return Claim(
                proof=proof, number_kind=typed.number_kind, number=typed.number, specialist=typed.specialist,
                issued_on=_day(typed, "issued_on"), valid_until=_day(typed, "valid_until"),
            )  # fmt: skip
        case EvidenceKind.STUDENT_CARD:
            return Claim(
                proof=proof, medicine={"yes": True, "no": False}.get(typed.medicine),
                residency=proof is not Proof.STUDENT_CARD, year_ends=_year(typed.year_ends),
                training_ends=_day(typed, "training_ends"),
            )  # fmt: skip


def _day(typed: ClaimForm, name: str) -> date | None:
    text = getattr(typed, name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Rejected("bad_day", name) from None


def _year(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise Rejected("bad_claim", "year_ends")
    return int(text)


def _is_odd(claim: Claim, policy: CountryPolicy) -> bool:
    """Whether the check digit does not fit; a hint, never a refusal."""
    if not claim.number.strip() or claim.number_kind not in policy.kinds:
        return False
    try:
        return numbers.read(claim.number_kind, claim.number, {**numbers.KINDS, **policy.kinds}).check is Check.FAILED
    except ValueError:
        return False


@routes.post("/application/pieces/<piece>/files")
@guard.account_required
async def upload(present: Session, piece: str) -> ResponseReturnValue:
    """Take the document of a piece."""
    file, node = await _own(present), guard.node()
    if piece not in {each.id for each in file.waiting()}:
        raise Missing()
    sent = (await request.files).get("file")
    content = sent.read() if sent is not None else b""
    declared = (sent.mimetype or "") if sent is not None else ""
    kind = next(each.proof.value for each in file.waiting() if each.id == piece)
    try:
        kept = await node.evidence.put(file.dossier.id, kind, declared, content)
    except BadFile as bad:
        return await _page(present, [Mistake(bad.fault.value, f"file-{piece}")], 422, piece)
    except Rejected as error:
        return await _page(present, [Mistake(error.code, f"file-{piece}")], error.status, piece)
    try:
        await node.dossiers.attach(file.dossier.id, applicant(present.account_id), piece, kept.id)
    except Rejected:
        # Taken back in another tab meanwhile: nobody is to see this file.
        await node.evidence.destroy(kept.id, "piece_dropped")
        raise
    return redirect(f"/application#{piece}", code=303)


@routes.post("/application/pieces/drop")
@guard.account_required
async def drop(present: Session) -> ResponseReturnValue:
    """Take back what was added and not handed in, with its documents."""
    file, node, piece = await _own(present), guard.node(), await text_of("piece")
    files = next((each.files for each in file.waiting() if each.id == piece), ())
    await node.dossiers.drop_piece(file.dossier.id, applicant(present.account_id), piece)
    for id in files:
        await node.evidence.destroy(id, "piece_dropped")
    return redirect("/application", code=303)


# ── moves ──


@routes.post("/application/submit")
@guard.account_required
async def submit(present: Session) -> ResponseReturnValue:
    """Hand in a draft, give what was asked for, or apply anew after the verification has run out."""
    file = await _own(present)
    act = _HAND_IN.get(file.dossier.state)
    if act is None:
        return await _already(present)
    shown = [each for each in file.waiting() if not each.files and each.proof is not Proof.REGISTER_NUMBER]
    if shown:
        return await _page(present, [Mistake("document_missing", f"file-{each.id}") for each in shown], 422)
    return await _do(present, act, State.SUBMITTED)


async def _already(present: Session) -> ResponseReturnValue:
    file = await _own(present)
    if file.dossier.state in (State.SUBMITTED, State.IN_REVIEW, State.SECOND_REVIEW):
        return redirect("/application", code=303)
    return await _page(present, [Mistake("application_changed")], 409)


@routes.get("/application/withdraw")
@guard.account_required
async def withdraw_form(present: Session) -> ResponseReturnValue:
    """Ask once more; whoever was verified leaves instead."""
    file = await _own(present)
    if file.dossier.approved_at is not None:
        return redirect("/application/leave", code=303)
    return await shell.page("application_withdraw.html", here="application", version=view.seen(file))


@routes.post("/application/withdraw")
@guard.account_required
async def withdraw(present: Session) -> ResponseReturnValue:
    """Take the application back."""
    return await _do(present, "withdraw", State.WITHDRAWN)


@routes.post("/application/appeal")
@guard.account_required
async def appeal(present: Session) -> ResponseReturnValue:
    """Ask two others to look."""
    return await _do(present, "appeal", State.APPEALED)


async def _do(present: Session, act: str, to: State) -> ResponseReturnValue:
    """Carry a move out on the version the page showed; of a form that was sent twice the second changes nothing."""
    node, file, seen = guard.node(), await _own(present), version_seen(await text_of("seen"))
    try:
        await getattr(node.dossiers, act)(
            file.dossier.id, applicant(present.account_id), seen=view.version_of(file, seen)
        )
    except Rejected as error:
        if error.code in _DONE and (await _own(present)).dossier.state is to:
            return redirect("/application", code=303)
        code = "application_changed" if error.code == "changed_meanwhile" else error.code
        return await _page(present, [Mistake(code)], error.status)
    node.wake.mails.set()
    return redirect("/application", code=303)


async def _own(present: Session) -> File:
    """The own application; Missing where there is none."""
    file = await guard.node().dossiers.of_account(present.account_id)
    if file is None:
        raise Missing()
    return file


async def _policy(present: Session) -> CountryPolicy:
    return guard.node().dossiers.policy((await _own(present)).dossier.country)
