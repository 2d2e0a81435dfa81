"""Thin routes: request to value, one call, value to response.

Read guard first: it says who may use a route. shell puts the page around what a route shows.
"""

from __future__ import annotations

from instance.routes import (
    account,
    application,
    colleagues,
    desk,
    desk_audit,
    emergency,
    feed,
    join,
    leaving,
    notices,
    own,
    posts,
    public,
    reactions,
    security,
    staff,
    write,
)

BLUEPRINTS = (
    public.routes,
    account.routes,
    join.routes,
    application.routes,
    leaving.routes,
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
