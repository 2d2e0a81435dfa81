"""The own data as one file: a page that says what is in it, and the file itself after a factor was shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from typing import TYPE_CHECKING

from quart import Blueprint, Response
from quart.typing import ResponseReturnValue

from instance.routes import guard, shell
from instance.routes.forms import Mistake, mistake
from instance.services.errors import Forbidden, Rejected
from instance.services.exports import A_DAY
from instance.views.export import Owner

if TYPE_CHECKING:
    from instance.own_file import OwnFile
    from instance.services.accounts import Session

routes = Blueprint("exporting", __name__)


@routes.get("/me/export")
@guard.account_required
async def export_form(present: Session) -> ResponseReturnValue:
    """Say what is in the file, and offer it."""
    await guard.node().exports.require(present.account_id)
    return await _page([])


@routes.post("/me/export")
@guard.account_required
@guard.fresh_factor
async def export(present: Session) -> ResponseReturnValue:
    """Hand the file out. Its name tells nobody whose it is."""
    node = guard.node()
    try:
        file = await node.exports.make(Owner(present.account_id, present.doctor_uri), guard.language())
    except Forbidden:
        raise
    except Rejected as error:
        return await _page([mistake(error)], error.status)
    answer = Response(_parts(file), content_type="application/zip")
    answer.headers["Content-Disposition"] = f'attachment; filename="esanum-export-{node.clock():%Y-%m-%d}.zip"'
    answer.headers["Content-Length"] = str(file.size)
    # As long as somebody takes some more of it: the listener ends what nobody reads.
    answer.timeout = None
    return answer


async def _parts(file: OwnFile) -> AsyncIterator[bytes]:
    with closing(file):
        for part in file.parts():
            yield part


async def _page(mistakes: list[Mistake], status: int = 200) -> ResponseReturnValue:
    return await shell.page("export.html", status=status, here="me", mistakes=mistakes, most=A_DAY)
