"""The web application: pages for people. Siblings' messages are answered before it, in `instance.asgi`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from quart import Quart, Response, g, request
from quart.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from federation.errors import Refused
from instance import rendering
from instance.headers import DATA_POLICY, HEADERS, PAGE_POLICY, PAGE_VARY, PRIVATE, TRANSPORT
from instance.routes import BLUEPRINTS, guard, shell
from instance.services.errors import Rejected
from instance.storage.errors import BadValue, StorageUnavailable
from instance.uploads import UploadRequest

if TYPE_CHECKING:
    from instance.wiring import Node

MAX_FORM: Final = 1_048_576


class UnmarkedRoute(Exception):
    """A route that does not say who may use it; the application is not made with one."""


def make_app(node: Node) -> Quart:
    """Return the application that shows this instance to people; raise UnmarkedRoute where a route is not marked."""
    rendering.read_all()
    app = Quart("instance", static_folder=None, template_folder=None)
    app.request_class = UploadRequest
    app.config.update(
        NODE=node,
        MAX_CONTENT_LENGTH=MAX_FORM,
        BODY_TIMEOUT=10,
        # Only names of ours are answered; Host decides nothing else anywhere.
        SESSION_COOKIE_NAME="unused",
    )
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.before_request(guard.load_session)
    app.before_request(guard.admit_files)
    app.before_request(guard.refuse_foreign_forms)
    app.teardown_request(guard.let_files_go)
    app.after_request(guard.hand_out_token)
    app.after_request(_dress)
    app.register_error_handler(Rejected, shell.error_page)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(BadValue, _bad_value)
    app.register_error_handler(StorageUnavailable, _not_now)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _fault)
    _every_route_is_marked(app)
    return app


def _every_route_is_marked(app: Quart) -> None:
    for rule in app.url_map.iter_rules():
        if getattr(app.view_functions[rule.endpoint], "access", None) not in guard.MARKS:
            raise UnmarkedRoute(rule.rule)


async def _dress(response: Response) -> Response:
    """Put the security headers on the answer; what is for one reader stays out of every cache."""
    node = guard.node()
    is_page = response.mimetype == "text/html"
    response.headers.update(HEADERS)
    response.headers["Content-Security-Policy"] = PAGE_POLICY if is_page else g.get("policy", DATA_POLICY)
    if node.origin.startswith("https://"):
        response.headers.update(TRANSPORT)
    if guard.entered() is not None or "Cache-Control" not in response.headers:
        kept = g.get("asset", False)
        if not kept:
            response.headers["Cache-Control"] = PRIVATE
    if is_page:
        response.headers["Vary"] = PAGE_VARY
        response.headers["Content-Language"] = guard.language()
    return response


async def _refused(error: Refused) -> ResponseReturnValue:
    return await shell.error_page(Rejected(error.code, status=error.status))


async def _bad_value(_error: BadValue) -> ResponseReturnValue:
    return await shell.error_page(Rejected("bad_text", status=400))


async def _not_now(error: StorageUnavailable) -> ResponseReturnValue:
    guard.node().log.error("storage", code=error.code)
    return await shell.error_page(Rejected(error.code, status=503))


async def _http_error(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    code = {404: "not_found", 405: "method_not_allowed", 413: "form_too_large", 408: "too_slow"}.get(status)
    return await shell.error_page(Rejected(code or f"http_{status}", status=status))


async def _fault(error: Exception) -> ResponseReturnValue:
    """Answer a mistake of ours; the log gets its kind and place, never what was typed."""
    route = request.url_rule.rule if request.url_rule else ""
    guard.node().log.error("page_failed", path=route, exc_info=error)
    return await shell.error_page(Rejected("fault", status=500))
