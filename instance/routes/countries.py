"""The policies of countries: read whole, changed by administrators, opened by two of them."""

from __future__ import annotations

from datetime import UTC, datetime, time

import msgspec
from quart import Blueprint, request
from quart.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from instance.routes import guard, shell
from instance.routes.forms import mistake, seen_version, text_of
from instance.services.errors import Missing, Rejected
from instance.services.policies import CountryLine
from instance.times import to_ms
from instance.views import countries as view
from verification.countries import CountryPolicy, Proof
from verification.overlay import Change, DegreeAlone, LetStudents, Period, PolicyReason, StudentRight, TakeProof
from verification.overlay import actions_of as actions
from verification.people import Actor, StaffRole

routes = Blueprint("countries", __name__)
_ADMINISTRATOR = StaffRole.ADMINISTRATOR


@routes.get("/policy")
@guard.staff_required(_ADMINISTRATOR)
async def countries(_actor: Actor) -> ResponseReturnValue:
    """List the countries this instance may vouch for, and every file that does not hold."""
    policies = guard.node().policies
    lines = await policies.lines()
    waiting = {line.country: len(await policies.waiting(line.country)) for line in lines}
    return await shell.page(
        "countries.html", here="policy", lines=lines, waiting=waiting, faults=policies.other_faults(),
        given=view.given_rights,
    )  # fmt: skip


@routes.get("/policy/<country>")
@guard.staff_required(_ADMINISTRATOR)
async def country(actor: Actor, country: str) -> ResponseReturnValue:
    """Show a country's whole policy, what waits for a second administrator, and what was changed."""
    return await _page(actor, country)


async def _page(actor: Actor, code: str, error: Rejected | None = None) -> ResponseReturnValue:
    node = guard.node()
    line = await node.policies.line(code)
    return await shell.page(
        "country.html", status=error.status if error else 200, here="policy", line=line, **_shown(line),
        mistakes=[mistake(error)] if error else [], waiting=await node.policies.waiting(code),
        history=await node.policies.history(code), say=view.said, mine=actor.id, as_of=node.clock(),
        logins={each.id: each.login for each in await node.staff.list()},
    )  # fmt: skip


def _shown(line: CountryLine) -> dict[str, object]:
    """The rows of a policy that is in force."""
    if line.profile is None or line.policy is None:
        return {}
    ends = line.profile.year_end(guard.node().clock().date())
    return {
        "proofs": view.proofs(line.profile, line.policy), "periods": view.periods(line.profile, line.policy),
        "named": view.named_proofs(line.profile), "offered": view.offered_rights(line.profile),
        "given": view.given_rights(line.policy), "year_ends": to_ms(datetime.combine(ends, time(12), UTC)),
        "refused": view.refused_proofs(line.profile, line.policy),
    }  # fmt: skip


@routes.get("/policy/<country>/change")
@guard.staff_required(_ADMINISTRATOR)
async def preview(actor: Actor, country: str) -> ResponseReturnValue:
    """Show what a change would do and to how many, before it is made."""
    line = await guard.node().policies.line(country)
    try:
        if line.profile is None:
            raise Rejected("country_not_admitted", status=409)
        return await _preview(country, _asked(request.args, line.profile), line.version)
    except Rejected as error:
        if isinstance(error, Missing):
            raise
        return await _page(actor, country, error)


async def _preview(country: str, change: Change, seen: int, error: Rejected | None = None) -> ResponseReturnValue:
    found = await guard.node().policies.preview(country, change)
    return await shell.page(
        "country_change.html", status=error.status if error else 200, here="policy", country_code=country, found=found,
        says=view.said(change), change=msgspec.json.encode(change).decode(), seen=seen, reasons=view.REASONS,
        chosen=await text_of("reason"), mistakes=[mistake(error)] if error else [],
    )  # fmt: skip


@routes.post("/policy/<country>/change")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def change(actor: Actor, country: str) -> ResponseReturnValue:
    """Make a change that takes something away; propose one that opens anything."""
    seen, asked = await seen_version(), None
    try:
        asked = await _sent()
        done = await guard.node().policies.change(country, asked, await _reason(), actor, seen=seen)
    except Missing:
        raise
    except Rejected as error:
        if asked is not None and error.field == "reason":
            return await _preview(country, asked, seen, error)
        return await _page(actor, country, error)
    return shell.done("policy_changed" if done else "policy_proposed", f"/policy/{country}")


@routes.post("/policy/<country>/confirm")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def confirm(actor: Actor, country: str) -> ResponseReturnValue:
    """Make a change that another administrator has proposed."""
    try:
        await guard.node().policies.confirm(country, await text_of("change"), actor, seen=await seen_version())
    except Rejected as error:
        return await _page(
            actor, country, Rejected("proposal_gone", status=409) if isinstance(error, Missing) else error
        )
    return shell.done("policy_confirmed", f"/policy/{country}")


@routes.post("/policy/<country>/withdraw")
@guard.staff_required(_ADMINISTRATOR)
@guard.fresh_factor
async def withdraw(actor: Actor, country: str) -> ResponseReturnValue:
    """Take a proposal back, or turn it down."""
    try:
        await guard.node().policies.withdraw(country, await text_of("change"), actor)
    except Missing:
        return await _page(actor, country, Rejected("proposal_gone", status=409))
    return shell.done("policy_withdrawn", f"/policy/{country}")


# ── what the forms hold ──


def _asked(typed: MultiDict[str, str], profile: CountryPolicy) -> Change:
    """The change that a form of the page names; raise Rejected for one that names none."""
    try:
        match typed.get("what", ""):
            case "students":
                return _students(typed.getlist("right"), profile)
            case "validity":
                return Period(name=typed.get("period", ""), months=_months(typed.get("months", "")))
            case "proof":
                return TakeProof(proof=Proof(typed.get("proof", "")), taken=typed.get("taken") == "yes")
            case "degree_alone":
                return DegreeAlone(makes="trainee" if typed.get("makes") == "trainee" else "doctor")
            case _:
                raise Rejected("bad_change")
    except ValueError as error:
        raise error if isinstance(error, Rejected) else Rejected("bad_change") from None


def _students(names: list[str], profile: CountryPolicy) -> LetStudents:
    rights = frozenset(StudentRight(name) for name in names)
    if rights and StudentRight.READ not in rights:
        raise Rejected("reading_missing", "right-read")
    return LetStudents(rights=actions(rights, profile))


def _months(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise Rejected("bad_months", "months")
    return int(text)


async def _sent() -> Change:
    """The change that was previewed, as the form brings it back."""
    try:
        found: Change = msgspec.json.decode(await text_of("change"), type=Change)
    except ValueError:
        raise Rejected("bad_change") from None
    return found


async def _reason() -> PolicyReason:
    try:
        return PolicyReason(await text_of("reason"))
    except ValueError:
        raise Rejected("policy_reason_missing", "reason") from None
