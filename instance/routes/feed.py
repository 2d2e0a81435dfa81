"""The home feed. `instance.asgi` answers these two in front of Quart whenever there is nothing to decide."""

from __future__ import annotations

from quart import Blueprint, Response, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.views.feed_json import feed_json
from instance.views.feed_page import Asked, feed_page

routes = Blueprint("feed", __name__)


@routes.get("/feed")
@guard.doctor_required
async def home(reader: guard.Reader) -> ResponseReturnValue:
    """Show a page of the feed, by tab and filters."""
    said = shell.said()
    text = await feed_page(guard.node(), shell.look(), reader.uri, Asked.of(request.args), said)
    return shell.answer(text, said)


@routes.get("/api/feed")
@guard.doctor_required
async def home_json(reader: guard.Reader) -> ResponseReturnValue:
    """Answer the same page as JSON."""
    shown = await Asked.of(request.args).page(guard.node(), reader.uri)
    return Response(feed_json(shown, shell.now_ms()), content_type="application/json")
