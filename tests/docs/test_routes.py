"""Every route is public by name, or closed (N5); all of them stand in docs/routes.md."""

from __future__ import annotations

from typing import Final

import pytest
from quart import Quart

from instance import app as application
from instance.routes import guard
from tests.docs.pages import text
from tests.tools.docs_parts import page_routes

#: What everybody may see, by name. It shows no content, no names and no counts. To add one is a decision.
PUBLIC: Final = frozenset(
    {
        "/", "/help", "/privacy", "/accessibility", "/federation", "/language", "/sign-in", "/sign-out",
        "/invitation/<token>", "/recover", "/recover/again", "/recover/confirm", "/recover/team", "/join", "/join/again",
        "/join/confirm",
        "/static/<digest>/<path:name>", "/robots.txt", "/favicon.ico", "/manifest.webmanifest", "/offline",
        "/worker.js", "/mail/off", "/mail/off/<token>",
    }
)  # fmt: skip
#: What opens before a session is whole: each shows nothing but the own account's factors and address. To add one is a decision.
HALF_OPEN: Final = frozenset(
    {
        "/sign-in/second", "/me/confirm", "/me/security", "/me/security/app", "/me/security/app/confirm",
        "/me/security/app/remove", "/me/security/codes", "/me/security/passkeys", "/me/security/passkeys/remove",
        "/me/security/enrol", "/me/security/enrol/<token>", "/sign-in/factors", "/invitation/confirm",
        "/invitation/confirm/again",
    }
)  # fmt: skip


def test_open_routes_are_the_named_ones() -> None:
    """A route that is open to everybody is open because somebody wrote its name down here."""
    assert PUBLIC == {rule for rule, _, access in page_routes() if access == "public"}


def test_every_other_route_is_closed() -> None:
    """What is not named asks for a whole session, a doctor in good standing or staff with a second factor."""
    kinds = {access for rule, _, access in page_routes() if rule not in PUBLIC | HALF_OPEN}

    assert {"account", "doctor", "staff"} == kinds


def test_what_half_a_session_opens_is_named() -> None:
    """Who has shown the password alone reaches the second step; staff without a factor reach its enrolment."""
    found = {rule for rule, _, access in page_routes() if access in ("enrolling", "second step", "factors in question")}

    assert HALF_OPEN == found
    assert ["/sign-in/second"] * 2 == [rule for rule, _, access in page_routes() if access == "second step"]


def test_every_route_is_documented() -> None:
    """The page lists each address with its methods."""
    page = text("docs/routes.md")

    assert [] == [rule for rule, methods, _ in page_routes() if f"| `{rule}` | {', '.join(methods)} |" not in page]


def test_a_route_without_a_mark_stops_the_application() -> None:
    """Whoever forgets to say who may use a route learns it before anybody can use it."""
    app = Quart("unmarked", static_folder=None)

    @app.get("/forgotten")
    async def forgotten() -> str:
        return ""

    with pytest.raises(application.UnmarkedRoute):
        application._every_route_is_marked(app)


def test_a_marked_route_passes() -> None:
    """A route that says who may use it is let through."""
    app = Quart("marked", static_folder=None)

    @app.get("/open")
    @guard.public
    async def shown() -> str:
        return ""

    application._every_route_is_marked(app)
