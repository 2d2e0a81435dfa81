"""Around every page: language, who is signed in, where one is, and the answer's headers."""

from __future__ import annotations

from typing import Any

from quart import Response, g, make_response, request
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from instance.rendering import render
from instance.routes import guard
from instance.services.errors import Rejected
from instance.times import to_ms
from instance.views import notices


def now_ms() -> int:
    """The present as rows keep it."""
    return to_ms(guard.node().clock())


async def page(template: str, /, *, status: int = 200, here: str = "", **values: Any) -> ResponseReturnValue:
    """Answer with a page in the reader's language; `here` is the entry of the navigation it belongs to."""
    text = await page_text(template, here=here, **values)
    return Response(text, status=status, content_type="text/html; charset=utf-8")


async def page_text(template: str, /, *, here: str = "", **values: Any) -> str:
    """Return the page's HTML."""
    node, present = guard.node(), guard.session()
    doctor = present.doctor if present else None
    return render(
        template,
        guard.language(),
        node.config.country,
        here=here,
        appearance=guard.appearance(),
        instance_name=node.config.name,
        contact=node.config.contact,
        csrf=present.csrf if present else "",
        signed_in=present is not None,
        me=doctor,
        unread=await notices.unread(node.store, doctor["uri"]) if doctor else 0,
        back=request.path if request.method == "GET" else "/",
        now=now_ms(),
        **values,
    )


async def error_page(error: Rejected) -> ResponseReturnValue:
    """Answer a refused request: a page for people, `{"error": code}` for programs."""
    if not guard.wants_page():
        return {"error": error.code}, error.status
    g.setdefault("session", None)
    template = "refused.html" if error.status in (401, 403) else "error.html"
    known = {401: "signed_out", 403: "forbidden", 404: "missing", 413: "too_large", 429: "too_many", 405: "method"}
    text = await page_text(
        template, code=error.code, status=error.status, title_key=f"error_page.{known.get(error.status, 'failed')}",
        typed=await _typed(),
    )  # fmt: skip
    return await make_response(text, error.status)


async def _typed() -> list[str]:
    """What somebody wrote in a form of ours that could not be taken, so that it can be copied and is not lost."""
    if not guard.from_own_page():
        return []
    try:
        form = await request.form
    except HTTPException:  # too large, or never whole
        return []
    return [text for text in (form.get(name, "").strip() for name in guard.WRITTEN) if text]
