"""The review desk: the queue, a dossier beside what it rests on, and what reviewers and leads do about it.

Reviewers see nothing of the network here; evidence is shown as pictures of pages, each view recorded before the bytes
leave. Whatever decides asks for a fresh factor and carries the version it was decided on.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue

from instance.media import PAGE_TYPE
from instance.routes import desk_forms, guard, shell
from instance.routes.desk_forms import Kept
from instance.routes.forms import mistake, seen_version, text_of
from instance.services.dossiers.pieces import kind_of
from instance.services.errors import Missing, Rejected
from instance.views import desk, desk_queue
from verification.evidence import Control
from verification.grounds import ENOUGH, EXPLAINED, SHORTCOMINGS, Ground
from verification.people import Actor, StaffRole

routes = Blueprint("desk", __name__)
_reviewers = guard.staff_required(StaffRole.REVIEWER, StaffRole.LEAD)
#: A refusal of these kinds has nothing to mend on the page of the dossier.
_ELSEWHERE: Final = (404, 503)
#: The number of a page, in one way alone.
_PAGE: Final = re.compile(r"[1-9][0-9]{0,2}\Z")

Act = Callable[[], Awaitable[object]]


@routes.get("/desk")
@_reviewers
async def queue(actor: Actor) -> ResponseReturnValue:
    """List what waits for this person, the longest waiting first; leads see figures."""
    dossiers = guard.node().dossiers
    found = desk_queue.narrowed(await dossiers.queue(actor), request.args)
    countries = sorted(actor.countries) if StaffRole.LEAD in actor.roles else []
    figures = [(country, await dossiers.figures(country)) for country in countries]
    return await shell.page(
        "desk.html", here="desk", counted=False, page=found, kind_of=desk_queue.kind_of_line,
        figures=[(country, each, desk_queue.bars(each)) for country, each in figures],
    )  # fmt: skip


@routes.get("/desk/overdue")
@_reviewers
async def overdue(actor: Actor) -> ResponseReturnValue:
    """List what has waited too long or soon runs out in the own countries, whoever's turn it is."""
    waiting = guard.node().dossiers.waiting
    found = desk_queue.late(await waiting.all_of(actor), await waiting.due(actor), request.args)
    return await shell.page(
        "desk_overdue.html", here="overdue", counted=False, late=found, kind_of=desk_queue.kind_of_line
    )


@routes.get("/desk/<dossier>")
@_reviewers
async def dossier(actor: Actor, dossier: str) -> ResponseReturnValue:
    """Show claim, evidence, register, duplicates, votes and history side by side, once the opening is recorded."""
    return await _page(actor, dossier)


async def _page(
    actor: Actor, dossier: str, error: Rejected | None = None, kept: Kept | None = None
) -> ResponseReturnValue:
    """The dossier, also where something was refused: no page of it leaves before its opening is recorded."""
    node = guard.node()
    file = await node.dossiers.record_opening(dossier, actor)
    view, chosen = await desk.dossier(node, file, actor), kept or Kept()
    stale = error is not None and error.code == "dossier_changed"
    elsewhere = await node.relocations.elsewhere(dossier)
    return await shell.page(
        "desk_dossier.html", status=error.status if error else 200, here="desk", counted=False, view=view, file=file,
        dossier=file.dossier, kept=chosen, mistakes=[mistake(error)] if error else [], act_of=desk.act_of,
        changed=desk.since(view.history, chosen.known) if stale else None,
        enough=desk.in_order(ENOUGH), shortcomings=desk.in_order(SHORTCOMINGS), explained=desk.in_order(EXPLAINED),
        grounds=set(Ground), proposed=desk.proposed(view.proposals),
        ticked=desk_forms.TICKED, days=desk_forms.DAYS, people=await desk.people(node),
        controls=[each.value for each in Control], elsewhere=elsewhere,
    )  # fmt: skip


@routes.get("/desk/<dossier>/files/<file>/<number>.jpg")
@_reviewers
async def picture(actor: Actor, dossier: str, file: str, number: str) -> ResponseReturnValue:
    """Show one page as a picture with who looks and when upon it, once that is recorded; 404 outside a review.

    Whoever asks for the head alone sees nothing: nothing is opened, and no view is recorded.
    """
    node = guard.node()
    opened = await node.dossiers.open_to(dossier, actor)
    if file not in desk.visible_files(opened) or not _PAGE.match(number):
        raise Missing
    if request.method == "HEAD":
        if int(number) > (await node.evidence.get(file)).pages:
            raise Missing
        return _picture(b"", number)
    body = await node.evidence.page(
        file, int(number), watermark=f"{actor.id} {node.clock():%Y-%m-%d %H:%M} UTC",
        record=partial(node.dossiers.record_view, dossier, actor, file),
    )  # fmt: skip
    return _picture(body, number)


def _picture(body: bytes, number: str) -> Response:
    """A page under a name that says nothing of whose it is."""
    answer = Response(body, content_type=PAGE_TYPE)
    answer.headers["Content-Disposition"] = f'inline; filename="page-{number}.jpg"'
    return answer


@routes.get("/desk/<dossier>/sibling")
@_reviewers
async def sibling(actor: Actor, dossier: str) -> ResponseReturnValue:
    """Ask the sibling at which the applicant says they are verified: its answer supports, and approves nothing."""
    node, found, code = guard.node(), None, ""
    file = await node.dossiers.record_opening(dossier, actor)
    try:
        found = await node.relocations.support(dossier, file.said.name)
    except Rejected as error:
        code = error.code
    if found is None and not code:
        raise Missing
    return await shell.page(
        "desk_sibling.html", here="desk", counted=False, dossier=file.dossier, found=found, error=code
    )


# ── what is done ──


async def _do(actor: Actor, dossier: str, name: str, act: Act) -> ResponseReturnValue:
    """Do it and lead back to the dossier, or to the queue where that is no longer open to this person.

    Where it cannot be done the page says why, with what was chosen.
    """
    dossiers = guard.node().dossiers
    await dossiers.open_to(dossier, actor)
    kept = await desk_forms.kept(name)
    try:
        after = await act()
    except Rejected as error:
        if error.status in _ELSEWHERE:
            raise
        return await _page(actor, dossier, desk_forms.placed(error), kept)
    back = f"/desk/{dossier}" if await dossiers.is_open_to(dossier, actor) else "/desk"
    return shell.done(desk_forms.done(name.partition("-")[0], after), back)


async def _reasoned(act: Callable[..., Awaitable[object]], dossier: str, actor: Actor) -> object:
    """Do what takes a coded reason, on the version seen."""
    return await act(dossier, actor, await desk_forms.ground(), seen=await seen_version())


@routes.post("/desk/<dossier>/take")
@_reviewers
async def take(actor: Actor, dossier: str) -> ResponseReturnValue:
    """Begin to review."""
    seen = await seen_version()
    return await _do(actor, dossier, "take", lambda: guard.node().dossiers.take(dossier, actor, seen=seen))


@routes.post("/desk/<dossier>/findings")
@_reviewers
async def findings(actor: Actor, dossier: str) -> ResponseReturnValue:
    """Keep what this reviewer found in one thing; 404 once it is decided."""
    piece, opened = await text_of("piece"), await guard.node().dossiers.open_to(dossier, actor)
    undecided = desk.reviewed(opened.dossier)
    shown = next((each for each in opened.pieces if each.id == piece and each.counts and each.annex in undecided), None)
    if shown is None:
        raise Missing

    async def act() -> None:
        found = await desk_forms.findings(kind_of(shown.proof).value)
        await guard.node().dossiers.find(dossier, actor, piece, found)

    return await _do(actor, dossier, f"findings-{piece}", act)


@routes.post("/desk/<dossier>/ask")
@_reviewers
@guard.fresh_factor
async def ask(actor: Actor, dossier: str) -> ResponseReturnValue:
    """Ask the applicant for more, by a coded reason."""
    return await _do(actor, dossier, "ask", partial(_reasoned, guard.node().dossiers.ask, dossier, actor))


@routes.post("/desk/<dossier>/vote")
@_reviewers
@guard.fresh_factor
async def vote(actor: Actor, dossier: str) -> ResponseReturnValue:
    """Say what this reviewer thinks, with a coded reason."""
    return await _do(actor, dossier, f"vote-{await text_of('choice')}", partial(_judge, actor, dossier, decides=False))


@routes.post("/desk/<dossier>/decide")
@_reviewers
@guard.fresh_factor
async def decide(actor: Actor, dossier: str) -> ResponseReturnValue:
    """Let the lead decide between two who disagree."""
    return await _do(actor, dossier, f"vote-{await text_of('choice')}", partial(_judge, actor, dossier, decides=True))


async def _judge(actor: Actor, dossier: str, *, decides: bool) -> None:
    dossiers = guard.node().dossiers
    judge = dossiers.decide if decides else dossiers.vote
    choice, ground, hit = await desk_forms.choice(), await desk_forms.ground(), await desk_forms.hit()
    await judge(dossier, actor, choice, ground, seen=await seen_version(), hit=hit)


@routes.post("/desk/<dossier>/confirm")
@_reviewers
@guard.fresh_factor
async def confirm(actor: Actor, dossier: str) -> ResponseReturnValue:
    """Let a suspension last."""
    seen = await seen_version()
    return await _do(actor, dossier, "confirm", lambda: guard.node().dossiers.confirm(dossier, actor, seen=seen))


@routes.post("/desk/<dossier>/lift")
@_reviewers
@guard.fresh_factor
async def lift(actor: Actor, dossier: str) -> ResponseReturnValue:
    """End a suspension, or propose it."""
    return await _do(actor, dossier, "lift", partial(_reasoned, guard.node().dossiers.lift, dossier, actor))


@routes.post("/desk/<dossier>/revoke")
@_reviewers
@guard.fresh_factor
async def revoke(actor: Actor, dossier: str) -> ResponseReturnValue:
    """End a recognition for ever, or propose it."""
    return await _do(actor, dossier, "revoke", partial(_reasoned, guard.node().dossiers.revoke, dossier, actor))


@routes.post("/desk/<dossier>/death")
@_reviewers
@guard.fresh_factor
async def death(actor: Actor, dossier: str) -> ResponseReturnValue:
    """Say that the doctor has died, or propose it."""
    seen = await seen_version()
    return await _do(actor, dossier, "death", lambda: guard.node().dossiers.report_death(dossier, actor, seen=seen))


@routes.post("/desk/<dossier>/tasks/<task>")
@_reviewers
async def close_task(actor: Actor, dossier: str, task: str) -> ResponseReturnValue:
    """Say that what the register says now was looked at."""
    return await _do(actor, dossier, "task", lambda: guard.node().dossiers.close_task(dossier, actor, task))


# ── annexes ──


@routes.post("/desk/<dossier>/annexes/<annex>/take")
@_reviewers
async def take_annex(actor: Actor, dossier: str, annex: str) -> ResponseReturnValue:
    """Begin to review a renewal, a certificate or a name."""
    seen = await seen_version()
    dossiers = guard.node().dossiers
    return await _do(actor, dossier, f"take-{annex}", lambda: dossiers.take_annex(dossier, actor, annex, seen=seen))


@routes.post("/desk/<dossier>/annexes/<annex>/vote")
@_reviewers
@guard.fresh_factor
async def vote_annex(actor: Actor, dossier: str, annex: str) -> ResponseReturnValue:
    """Say what this reviewer, or the lead between two, thinks of an annex."""

    async def act() -> None:
        choice, ground, hit = await desk_forms.choice(), await desk_forms.ground(), await desk_forms.hit()
        seen = await seen_version()
        await guard.node().dossiers.vote_annex(dossier, actor, annex, choice, ground, hit=hit, seen=seen)

    return await _do(actor, dossier, f"vote-{annex}-{await text_of('choice')}", act)
