"""Thin routes: request to value, one call, value to response.

Read guard first: it says who may use a route. shell puts the page around what a route shows.
"""

from __future__ import annotations

from instance.routes import (
    account,
    annexes,
    application,
    colleagues,
    desk,
    desk_audit,
    emergency,
    feed,
    join,
    notices,
    own,
    posts,
    public,
    reactions,
    security,
    showing,
    staff,
    write,
)

BLUEPRINTS = (
    public.routes,
    account.routes,
    join.routes,
    application.routes,
    annexes.routes,
    showing.routes,
    security.routes,
    own.routes,
    feed.routes,
    posts.routes,
    write.routes,
    reactions.routes,
    colleagues.routes,
    notices.routes,
    staff.routes,
    emergency.routes,
    desk_audit.routes,
    desk.routes,
)
