"""What is shown, in the own application or an annex: adding it, its document, and taking it out again."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct
from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.annexes import show_annex
from instance.routes.application import own, show
from instance.routes.forms import Mistake, mistake, text_of
from instance.services.dossiers.values import Claim
from instance.services.errors import Missing, Rejected
from instance.services.joining import applicant
from instance.views import annexes
from instance.views import application as view
from verification.countries import CountryPolicy, Proof
from verification.documents import BadFile
from verification.dossier import EvidenceKind
from verification.moves import AnnexKind
from verification.registers import numbers
from verification.registers.numbers import Check

if TYPE_CHECKING:
    from instance.services.accounts import Session
    from instance.services.dossiers.values import File, ShownPiece
    from instance.storage.store import Transaction

routes = Blueprint("showing", __name__)


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


@routes.get("/application/add/<form>")
@guard.account_required
async def add_form(present: Session, form: str) -> ResponseReturnValue:
    """Show the form of one kind of evidence, for the application or for what `for` names.

    In a country that is closed it is the page it belongs to, which says why nothing can be added (409).
    """
    file, wanted = await own(present), request.args.get("for", "")
    if await _is_closed(form, file):
        return await _closed_page(present, file, wanted)
    return await _add_page(_adding(form, wanted, file), ClaimForm(), [])


@routes.post("/application/add/<form>")
@guard.account_required
async def add(present: Session, form: str) -> ResponseReturnValue:
    """Add a piece; its document comes next. A number whose check digit fails is asked about once."""
    file, typed, wanted = await own(present), await _claim_form(), await text_of("for")
    if await _is_closed(form, file):
        return await _closed_page(present, file, wanted)
    adding = _adding(form, wanted, file)
    try:
        claim = _claim(typed, adding.offered, form)
        if _is_odd(claim, adding.policy) and typed.warned != typed.number:
            return await _add_page(adding, typed, [Mistake("number_odd", "number")], 422)
        piece = await guard.node().dossiers.add_piece(
            file.dossier.id, applicant(present.account_id), claim, adding.kind
        )
    except Rejected as error:
        return await _add_page(adding, typed, [mistake(error)], error.status)
    return redirect(f"{place_of(adding.kind)}#{piece}", code=303)


async def _is_closed(form: str, file: File) -> bool:
    return form in view.FORMS and await guard.node().dossiers.open_policy(file.dossier.country) is None


async def _closed_page(present: Session, file: File, wanted: str) -> ResponseReturnValue:
    """The page this would be added on; it says by itself that the country is closed."""
    kind = kind_of(wanted) if file.dossier.renewable else None
    return await (show(present, [], 409) if kind is None else show_annex(kind, file, []))


class Adding(Struct, frozen=True, kw_only=True):
    """What is being added to: by which form, for which annex (None: the application), by whose rules."""

    form: str
    kind: AnnexKind | None
    offered: tuple[str, ...]
    policy: CountryPolicy


def _adding(form: str, wanted: str, file: File) -> Adding:
    """Raise Missing where this form helps nothing here."""
    if form not in view.FORMS:
        raise Missing()
    policy, kind = guard.node().dossiers.policy(file.dossier.country), kind_of(wanted)
    for_annex = kind is not None and file.dossier.renewable
    found = (
        annexes.proofs(kind, form, file, policy) if kind and for_annex else view.proofs(form, file.dossier.role, policy)
    )
    if not found:
        raise Missing()
    return Adding(form=form, kind=kind if for_annex else None, offered=found, policy=policy)


def kind_of(text: str) -> AnnexKind | None:
    """The kind of annex that is named; None for none."""
    return AnnexKind(text) if text in set(AnnexKind) else None


def place_of(kind: AnnexKind | None) -> str:
    """Where what was added stands."""
    return "/application" if kind is None else f"/application/annexes/{kind.value}"


async def _add_page(
    adding: Adding, typed: ClaimForm, mistakes: list[Mistake], status: int = 200
) -> ResponseReturnValue:  # fmt: skip
    odd, policy = any(found.code == "number_odd" for found in mistakes), adding.policy
    return await shell.page(
        "application_add.html", status=status, here="application", what=adding.form, offered=adding.offered,
        typed=typed, mistakes=mistakes, kinds=list(policy.kinds.values()), warned=typed.number if odd else "",
        term=policy.term.local, wanted=adding.kind.value if adding.kind else "", place=place_of(adding.kind),
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
    file, node = await own(present), guard.node()
    shown = next((each for each in file.waiting() if each.id == piece), None)
    if shown is None:
        raise Missing()
    sent = (await request.files).get("file")
    content = sent.read() if sent is not None else b""
    declared = (sent.mimetype or "") if sent is not None else ""

    async def attach(tx: Transaction, id: str) -> None:
        """Where the piece was taken back in another tab meanwhile, nothing is kept."""
        await node.dossiers.attach_in(tx, file.dossier.id, applicant(present.account_id), piece, id)

    try:
        await node.evidence.put(file.dossier.id, shown.proof.value, declared, content, also=attach)
    except Missing:
        raise
    except BadFile as bad:
        return await _again(present, file, shown, Mistake(bad.fault.value, f"file-{piece}"), 422)
    except Rejected as error:
        return await _again(present, file, shown, Mistake(error.code, f"file-{piece}"), error.status)
    return redirect(f"{place_of(_for(file, shown))}#{piece}", code=303)


def _for(file: File, shown: ShownPiece) -> AnnexKind | None:
    """The annex that this is for; once the verification has run out, everything is for the application."""
    return kind_of(shown.annex) if file.dossier.renewable else None


async def _again(
    present: Session, file: File, shown: ShownPiece, found: Mistake, status: int
) -> ResponseReturnValue:  # fmt: skip
    """Show the page with the piece again, and what is wrong with its document."""
    kind = _for(file, shown)
    return await (show(present, [found], status) if kind is None else show_annex(kind, file, [found], status))


@routes.post("/application/pieces/drop")
@guard.account_required
async def drop(present: Session) -> ResponseReturnValue:
    """Take back what was added and not handed in, with its documents."""
    file, node, piece = await own(present), guard.node(), await text_of("piece")
    shown = next((each for each in file.waiting() if each.id == piece), None)
    if shown is None:
        raise Missing()
    for id in await node.dossiers.drop_piece(file.dossier.id, applicant(present.account_id), piece):
        await node.evidence.destroy(id, "piece_dropped")
    return redirect(place_of(_for(file, shown)), code=303)
