"""Campaigns at the desk: a lead says whom to look at again and why, a second person starts it, both see how far it is.

Nobody chooses people one by one. Whom a campaign would be about is counted before it can be proposed, by the address of
the form: counting changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance.routes import campaign_form, desk_forms, guard, shell
from instance.routes.campaign_form import CampaignForm
from instance.routes.forms import Mistake, mistake
from instance.services.errors import Rejected
from instance.views import desk
from verification.campaign import MAX_DEADLINE, MIN_DEADLINE
from verification.dossier import EvidenceClass, EvidenceKind
from verification.grounds import DOUBTS
from verification.people import Actor, StaffRole

routes = Blueprint("desk_campaigns", __name__)
_reviewers = guard.staff_required(StaffRole.REVIEWER, StaffRole.LEAD)
_leads = guard.staff_required(StaffRole.LEAD)
#: At which field a refusal is to be mended.
_FIELDS = {"bad_deadline": "days", "bad_ground": "ground", "nobody_in_cohort": "reviewer", "empty_cohort": "reviewer"}


@routes.get("/desk/campaigns")
@_reviewers
async def campaigns(actor: Actor) -> ResponseReturnValue:
    """List the campaigns of the own countries with their numbers, the newest first."""
    node = guard.node()
    held, found = node.dossiers.campaigns, []
    for country in sorted(each for each in actor.countries if actor.is_reviewer_of(each)):
        found += await held.overview(country, actor)
    found.sort(key=lambda line: line.campaign.proposed_at, reverse=True)
    return await shell.page(
        "desk_campaigns.html", here="campaigns", counted=False, campaigns=found, people=await desk.people(node),
        numbers=_numbers(actor), leads=StaffRole.LEAD in actor.roles,
    )  # fmt: skip


@routes.get("/desk/campaigns/new")
@_leads
async def begin(actor: Actor) -> ResponseReturnValue:
    """Ask whom it is about; once that is said, count them and ask why and by when."""
    form = await _read(actor, request.args)
    return await _form(actor, form, form.mistakes() if form.asked else [])


@routes.post("/desk/campaigns/new")
@_leads
@guard.fresh_factor
async def propose(actor: Actor) -> ResponseReturnValue:
    """Propose it; nothing happens to anybody before a second person has started it."""
    form = await _read(actor, await request.form)
    if wrong := form.mistakes():
        return await _form(actor, form, wrong, 422)
    try:
        made = await guard.node().dossiers.campaigns.propose(
            form.country, form.cohort(), await desk_forms.ground(), actor, within=form.within()
        )
    except Rejected as error:
        placed = desk_forms.placed(error)
        return await _form(actor, form, [Mistake(placed.code, _FIELDS.get(placed.code, ""))], placed.status)
    return shell.done("desk_propose", f"/desk/campaigns/{made}")


@routes.get("/desk/campaigns/<campaign>")
@_reviewers
async def campaign(actor: Actor, campaign: str) -> ResponseReturnValue:
    """Show one: whom it is about, why, who wanted it, and how far it is."""
    return await _page(actor, campaign, [])


@routes.post("/desk/campaigns/<campaign>/start")
@_reviewers
@guard.fresh_factor
async def start(actor: Actor, campaign: str) -> ResponseReturnValue:
    """Start it, as a second person; members are enrolled within minutes."""
    await guard.node().dossiers.campaigns.one(campaign, actor)
    try:
        await guard.node().dossiers.campaigns.start(campaign, actor)
    except Rejected as error:
        return await _page(actor, campaign, [mistake(error)], error.status)
    return shell.done("desk_start", f"/desk/campaigns/{campaign}")


# ── pages ──


async def _page(actor: Actor, campaign: str, mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    node = guard.node()
    held = node.dossiers.campaigns
    line = await held.one(campaign, actor)
    return await shell.page(
        "desk_campaign.html", status=status, here="campaigns", counted=False, line=line, mistakes=mistakes,
        meant=await held.preview(line.country, line.campaign.cohort, actor), people=await desk.people(node),
        numbers=_numbers(actor), own=actor.id == line.campaign.proposed_by,
    )  # fmt: skip


async def _form(
    actor: Actor, form: CampaignForm, mistakes: list[Mistake], status: int = 200
) -> ResponseReturnValue:  # fmt: skip
    node, meant = guard.node(), None
    if form.asked and not form.mistakes():
        meant = await node.dossiers.campaigns.preview(form.country, form.cohort(), actor)
    return await shell.page(
        "desk_campaign_new.html", status=status, here="campaigns", counted=False, form=form, mistakes=mistakes,
        meant=meant, people=await desk.people(node), voters=await _voters(actor), numbers=_numbers(actor),
        countries=sorted(actor.countries), ranks=[each.value for each in EvidenceClass],
        kinds=[each.value for each in EvidenceKind], doubts=desk.in_order(DOUBTS), least=MIN_DEADLINE.days,
        most=MAX_DEADLINE.days, kept=desk_forms.Kept(act="propose"),
    )  # fmt: skip


async def _read(actor: Actor, sent: object) -> CampaignForm:
    return campaign_form.read(sent, sorted(actor.countries), await _voters(actor), _numbers(actor))


async def _voters(actor: Actor) -> list[str]:
    """Whose decisions can be looked at again: everybody who has voted in these countries, but not whoever asks."""
    held = guard.node().dossiers.campaigns
    found = {voter for country in actor.countries for voter in await held.voters(country)}
    return sorted(found - {actor.id}, key=lambda each: (len(each), each))


def _numbers(actor: Actor) -> Mapping[str, str]:
    """The kinds of register numbers of these countries, with the authority that gives each."""
    policies = guard.node().dossiers.policies()
    found = [policies[country].kinds for country in sorted(actor.countries) if country in policies]
    return {name: kind.authority for kinds in found for name, kind in kinds.items()}
