"""Open to everybody: what this is, how to get in, and whom we federate with. No content, no names, no counts."""

from __future__ import annotations

from quart import Blueprint, Response, abort, g, redirect, request
from quart.typing import ResponseReturnValue

from instance import assets
from instance.frame import is_outside
from instance.i18n import LANGUAGES
from instance.routes import guard, shell
from instance.routes.forms import text_of
from instance.views import federation

routes = Blueprint("public", __name__)
_YEAR = 31_536_000


@routes.get("/")
@guard.public
async def home() -> ResponseReturnValue:
    """Show the landing page; whoever is signed in goes on to the feed, or to what opens it."""
    if (present := guard.session()) is not None:
        return redirect("/application" if is_outside(present) else "/feed", code=303)
    return await shell.page("home.html")


@routes.get("/help")
@guard.public
async def help_page() -> ResponseReturnValue:
    """Show how things are done here."""
    return await shell.page("help.html", here="help")


@routes.get("/privacy")
@guard.public
async def privacy() -> ResponseReturnValue:
    """Show what is kept, where, and for how long."""
    return await shell.page("privacy.html", here="privacy")


@routes.get("/accessibility")
@guard.public
async def accessibility() -> ResponseReturnValue:
    """Show what works for whom, and whom to tell what does not."""
    return await shell.page("accessibility.html", here="accessibility")


@routes.get("/federation")
@guard.public
async def our_federation() -> ResponseReturnValue:
    """Show the siblings; when they were last in touch is for members."""
    return await shell.page("federation.html", here="federation", ours=await federation.ours(guard.node()))


@routes.post("/language")
@guard.public
async def choose_language() -> ResponseReturnValue:
    """Keep the language: in the account of whoever is signed in, else on this device."""
    chosen, back = await text_of("language"), guard.own_path(await text_of("back"), "/")
    answer = redirect(back, code=303)
    if chosen not in LANGUAGES:
        return answer
    present = guard.session()
    if present is not None:
        await guard.node().people.set_preferences(present.account_id, chosen, present.appearance)
    guard.keep(answer, "language", chosen, _YEAR)
    return answer


@routes.get("/static/<digest>/<path:name>")
@guard.public
async def static_file(digest: str, name: str) -> ResponseReturnValue:
    """Answer a static file; its address holds its digest, so it may be kept for ever."""
    asset = assets.find(digest, name)
    if asset is None:
        abort(404)
    g.asset = True
    small = assets.pressed(name) if request.accept_encodings["gzip"] else None
    answer = Response(small or asset.body, content_type=asset.content_type)
    if small:
        answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Vary"] = "Accept-Encoding"
    answer.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    return answer


@routes.get("/robots.txt")
@guard.public
async def robots() -> ResponseReturnValue:
    """Ask machines to stay away; they would find nothing."""
    return Response("User-agent: *\nDisallow: /\n", content_type="text/plain; charset=utf-8")


@routes.get("/favicon.ico")
@guard.public
async def favicon() -> ResponseReturnValue:
    """Lead browsers that ask here to the icon."""
    return redirect(request.root_path + assets.address("icon.svg"), code=302)
