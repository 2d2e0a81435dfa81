"""Thin routes: request to value, one call, value to response.

Read guard first: it says who may use a route. shell puts the page around what a route shows.
"""

from __future__ import annotations

from instance.routes import (
    account,
    addresses,
    administration,
    annexes,
    application,
    campaigns,
    colleagues,
    countries,
    desk,
    desk_audit,
    emergency,
    exporting,
    feed,
    join,
    leaving,
    notices,
    own,
    posts,
    public,
    reactions,
    recover,
    relocation,
    security,
    showing,
    staff,
    write,
)

BLUEPRINTS = (
    public.routes,
    account.routes,
    recover.routes,
    join.routes,
    application.routes,
    annexes.routes,
    showing.routes,
    leaving.routes,
    security.routes,
    own.routes,
    exporting.routes,
    relocation.routes,
    feed.routes,
    posts.routes,
    write.routes,
    reactions.routes,
    colleagues.routes,
    notices.routes,
    addresses.routes,
    administration.routes,
    staff.routes,
    countries.routes,
    emergency.routes,
    desk_audit.routes,
    campaigns.routes,
    desk.routes,
)
