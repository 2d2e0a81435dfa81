"""The home feed as a page like others: for whoever may not read, is told what was done, or meets a fault.

Nearly always `instance.hot.feed` has answered before, with the same bytes; `/api/feed` is answered there alone.
"""

from __future__ import annotations

from quart import Blueprint, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.views.feed_page import Asked, feed_page

routes = Blueprint("feed", __name__)


@routes.get("/feed")
@guard.doctor_required
async def home(reader: guard.Reader) -> ResponseReturnValue:
    """Show a page of the feed, by tab and filters."""
    said, asked = shell.said(), Asked.read(request.query_string.decode("ascii", "replace"))
    return shell.answer(await feed_page(guard.node(), shell.look(), reader.uri, asked, said), said)
