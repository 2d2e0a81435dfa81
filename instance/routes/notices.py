"""What happened that concerns the reader."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from quart import Blueprint, redirect, request
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import text_of
from instance.services import notice_hours, notice_wishes
from instance.services import notices as service
from instance.services.notice_kinds import Filter
from instance.times import from_ms
from instance.views import doctors, notices

routes = Blueprint("notices", __name__)
_ID: Final = re.compile(r"[0-9A-Z]{26}\Z")
_PLACE: Final = re.compile(r"[0-9A-Z]{26}~?\Z")


@routes.get("/notices")
@guard.doctor_required
async def show(reader: guard.Reader) -> ResponseReturnValue:
    """Show a page of notices by day, newest first, with the requests that wait for an answer on top."""
    store = guard.node().store
    shown_as, before = _filter(request.args.get("show", "")), request.args.get("before", "")
    where = notice_hours.zone((await notice_wishes.read(store, reader.uri)).zone, reader.row["country"])
    shown = await notices.notices(
        store, reader.uri, before if _PLACE.match(before) else "", shown_as,
        day_of=lambda at: from_ms(at).astimezone(where).date(),
    )  # fmt: skip
    waiting = await doctors.requests(store, reader.uri) if shown_as is not Filter.ANSWERS and not before else []
    older = urlencode({"show": shown_as.value, "before": shown.next}) if shown.next else ""
    return await shell.page(
        "notices.html", here="notices", shown=shown, requests=waiting, filter=shown_as.value, older=older,
        filters=[each.value for each in Filter],
    )  # fmt: skip


@routes.post("/notices/read")
@guard.doctor_required
async def mark_read(reader: guard.Reader) -> ResponseReturnValue:
    """Count all as read, or what the form names: one kind, of one post, from the first to the last."""
    node = guard.node()
    first, last, shown_as = await text_of("first"), await text_of("last"), _filter(await text_of("show"))
    if _ID.match(first) and _ID.match(last):
        await service.read_some(
            node.store, reader.uri, node.clock(), kind=await text_of("kind"), post=await text_of("post"), first=first,
            last=last,
        )  # fmt: skip
    else:
        await service.read_all(node.store, reader.uri, node.clock())
    return redirect("/notices" + (f"?show={shown_as}" if shown_as else ""), code=303)


def _filter(text: str) -> Filter:
    return Filter(text) if text in set(Filter) else Filter.EVERYTHING
