"""On the home screen: what an installed application is called, and the one page it has when there is no line.

No discussion is ever kept on a device: the worker keeps the page `/offline` with its sheet, its script and its picture,
and asks the network for everything else.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from quart import Blueprint, Response, g
from quart.typing import ResponseReturnValue

from instance import assets
from instance.frame import appearance_of, text_size_of
from instance.headers import PAGE, WORKER_POLICY
from instance.i18n import catalogue
from instance.rendering import render
from instance.routes import guard

routes = Blueprint("installable", __name__)
_OFFLINE: Final = "/offline"
#: What that page is drawn with.
_DRAWN_WITH: Final = ("app.css", "icon.svg", "offline.js")
#: Pictures for the home screen; of a maskable one a device may cut away what is near its edges.
_ICONS: Final = (
    ("icon.svg", "any", "image/svg+xml", "any"), ("icon-192.png", "192x192", "image/png", "any"),
    ("icon-512.png", "512x512", "image/png", "any"), ("icon-maskable-192.png", "192x192", "image/png", "maskable"),
    ("icon-maskable-512.png", "512x512", "image/png", "maskable"),
)  # fmt: skip
#: What is reached from the icon itself: the name of its entry in the bar, and its address.
_SHORTCUTS: Final = (("write", "/write"), ("notices", "/notices"))


@routes.get("/manifest.webmanifest")
@guard.public
async def manifest() -> ResponseReturnValue:
    """Answer what a home screen needs, in the reader's language and colours (W3C Web Application Manifest)."""
    name, language, scheme = guard.node().config.name, guard.language(), appearance_of(guard.session()) or "light"
    words, small = catalogue(language), [{"src": assets.address("icon-192.png"), "sizes": "192x192"}]
    document: dict[str, Any] = {
        "id": "/", "name": name, "short_name": name, "start_url": "/feed", "scope": "/", "display": "standalone",
        "lang": language, "dir": "ltr", "background_color": assets.PAPER[scheme], "theme_color": assets.THEME[scheme],
        "icons": [
            {"src": assets.address(file), "sizes": sizes, "type": kind, "purpose": purpose}
            for file, sizes, kind, purpose in _ICONS
        ],
        "shortcuts": [{"name": words.text(f"nav.{entry}"), "url": path, "icons": small} for entry, path in _SHORTCUTS],
    }  # fmt: skip
    return Response(json.dumps(document, ensure_ascii=False), content_type="application/manifest+json")


@routes.get(_OFFLINE)
@guard.public
async def offline() -> ResponseReturnValue:
    """Show the page for when there is no line: nobody's name, no content, no count, and no form."""
    return Response(_offline_page(), content_type=PAGE)


def _offline_page() -> str:
    present = guard.session()
    config = guard.node().config
    return render(
        "offline.html", guard.language(), config.country, instance_name=config.name,
        appearance=appearance_of(present), text_size=text_size_of(present),
    )  # fmt: skip


@routes.get("/worker.js")
@guard.public
async def worker() -> ResponseReturnValue:
    """Answer the service worker, with the addresses it may keep; it changes when the page for no line does."""
    kept = [_OFFLINE, *(assets.address(name) for name in _DRAWN_WITH)]
    mark = hashlib.sha256("\n".join([_offline_page(), *kept]).encode()).hexdigest()[:16]
    head = f"const KEPT = {json.dumps(kept)};\nconst NAME = {json.dumps(f'offline-{mark}')};\n"
    g.policy = WORKER_POLICY
    answer = Response(head.encode() + assets.assets()["worker.js"].body, content_type="text/javascript; charset=utf-8")
    answer.headers["Service-Worker-Allowed"] = "/"
    return answer
