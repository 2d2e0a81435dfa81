"""Why was this refused: the administrator finds any message, reads what became of it, and asks what if."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from federation.uri import BadUri, parse_origin
from federation.vocabulary import FEDERATING_KINDS, PostKind
from instance import i18n
from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake
from instance.services import what_if
from instance.services.errors import Rejected
from instance.views import administration
from instance.views import messages as view
from verification.people import Actor, StaffRole

routes = Blueprint("messages", __name__, url_prefix="/administration/messages")

#: What the form of the search can say.
_ASKED = ("text", "sibling", "from", "to", "verdict", "code", "direction", "after")
_LONGEST = 512


@routes.get("")
@guard.staff_required(StaffRole.ADMINISTRATOR)
async def messages(_actor: Actor) -> ResponseReturnValue:
    """Show the messages that fit what is asked for, newest first, a page at a time."""
    asked = {name: request.args.get(name, "").strip()[:_LONGEST] for name in _ASKED}
    mistakes: list[Mistake] = []
    sought = _sought(asked, mistakes)
    found = view.Found(lines=()) if mistakes else await view.find(guard.node(), sought)
    kept = {name: value for name, value in asked.items() if value and name != "after"}
    return await _page(
        "messages.html", status=422 if mistakes else 200, found=found, asked=asked, kept=kept, mistakes=mistakes,
        verdicts=view.VERDICTS, directions=view.DIRECTIONS, codes=view.KNOWN_CODES[:-2],
    )  # fmt: skip


@routes.get("/what-if")
@guard.staff_required(StaffRole.ADMINISTRATOR)
async def what_would_be(_actor: Actor) -> ResponseReturnValue:
    """Replay the last seven days under a list that is changed in one point; nothing is changed."""
    args, node = request.args, guard.node()
    asked = {name: args.get(name, "").strip()[:_LONGEST] for name in ("origin", "change")}
    kinds = {name: args.getlist(name)[: len(PostKind)] for name in ("kinds_in", "kinds_out")}
    outcome, mistakes = None, list[Mistake]()
    if asked["change"]:
        try:
            outcome = await what_if.ask(node, what_if.read_change(asked["origin"], asked["change"], **kinds))
        except Rejected as fault:
            mistakes = [mistake(fault)]
    siblings = sorted(node.allowlist(), key=lambda each: each.origin)
    return await _page(
        "messages_what_if.html", status=422 if mistakes else 200, outcome=outcome, asked=asked, kinds=kinds,
        mistakes=mistakes, siblings=siblings, changes=what_if.CHANGES, sentence=view.sentence_of,
        all_kinds=sorted(kind.value for kind in FEDERATING_KINDS), days=what_if.SINCE.days,
    )  # fmt: skip


@routes.get("/<id>")
@guard.staff_required(StaffRole.ADMINISTRATOR)
async def message(_actor: Actor, id: str) -> ResponseReturnValue:
    """Show one message whole, but for its body."""
    return await _page("message.html", message=await view.show(guard.node(), id))


async def _page(template: str, **values: Any) -> ResponseReturnValue:
    node = guard.node()
    allowlist = await node.allowlist.refresh_if_changed()
    return await shell.page(
        template, here="administration", tab="messages", tabs=administration.TABS, readable=node.allowlist.readable,
        alone=len(allowlist) == 0, **values,
    )  # fmt: skip


def _sought(asked: dict[str, str], mistakes: list[Mistake]) -> view.Sought:
    """Read the form of the search; what cannot be meant is a mistake."""
    for name, known in (("verdict", view.VERDICTS), ("direction", view.DIRECTIONS)):
        if asked[name] and asked[name] not in known:
            mistakes.append(Mistake("bad_search", name))
    return view.Sought(
        text=asked["text"], origin=_origin(asked["sibling"], mistakes), direction=asked["direction"],
        verdict=asked["verdict"], code=asked["code"], since=_moment(asked, "from", mistakes),
        until=_moment(asked, "to", mistakes), before=asked["after"],
    )  # fmt: skip


def _origin(text: str, mistakes: list[Mistake]) -> str:
    """An origin, or the name of a host alone as people say it."""
    if not text:
        return ""
    try:
        return parse_origin((text if "://" in text else f"https://{text}").rstrip("/").lower())
    except BadUri:
        mistakes.append(Mistake("bad_origin", "sibling"))
        return ""


def _moment(asked: dict[str, str], name: str, mistakes: list[Mistake]) -> datetime | None:
    """A time on this country's clock, as the page shows times."""
    if not asked[name]:
        return None
    try:
        return i18n.Clock(guard.language(), guard.node().config.country).read(asked[name])
    except ValueError:
        mistakes.append(Mistake("bad_search", name))
        return None
