"""The file of the own data: a ZIP with one page to read and one document for programs, from one snapshot of the rows.

Who may have it is `verification.standing.may_own`: everybody who may sign in, verified or not, running or run out. An
account without an application has it too. That a file was made is in the audit log before its first byte leaves.

Codes raised here: CODES.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any, Final, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import orjson

from instance.own_file import OwnFile
from instance.rendering import render
from instance.services import attempts
from instance.services.dossiers import chain
from instance.services.errors import Forbidden, Rejected
from instance.storage.store import Reader, Row, Transaction
from instance.times import rfc3339, to_ms
from instance.vault import CannotOpen
from instance.views import export
from instance.views.export import SECTIONS, WRITTEN, Owner, Section
from verification.moves import State
from verification.people import Part
from verification.standing import OwnAct, may_own

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("export_closed", "too_many_exports")
#: Files of one account in a day.
A_DAY: Final = 3
DATA: Final = "data.json"
READ: Final = "index.html"
_FORMAT: Final = "esanum-export/1"


@dataclass(frozen=True, slots=True)
class _Making:
    """One file in the making: from which rows, for whom, in whose language."""

    rows: Reader
    owner: Owner
    language: str
    now: datetime


class Exports:
    """Makes the files, one at a time: the others wait their few hundred milliseconds."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._turn = asyncio.Lock()

    async def require(self, account: str, rows: Reader | None = None) -> Row | None:
        """Return the last application of an account, if any; raise Forbidden(export_closed) where it has ended."""
        row = await (rows or self._node.store).one("dossiers.of_account", account=account)
        if row is not None and not may_own(OwnAct.EXPORT, State(row["state"])):
            raise Forbidden("export_closed")
        return row

    async def make(self, owner: Owner, language: str) -> OwnFile:
        """Return the file, which the caller closes. Raises Forbidden: export_closed; Rejected: too_many_exports."""
        await self.require(owner.account)
        try:
            attempt = await attempts.count(
                self._node, (), by_day=[(attempts.subject("export of", owner.account), A_DAY)]
            )
        except Rejected:
            raise Rejected("too_many_exports", status=429) from None
        file = OwnFile(self._node.config.data)
        try:
            async with self._turn:
                await self._filled(file, owner, language)
            await self._record(owner)
        except BaseException:
            file.close()
            await self._node.store.write(lambda tx: attempts.forget(tx, attempt))
            raise
        return file

    async def _filled(self, file: OwnFile, owner: Owner, language: str) -> None:
        """Fill the file; a thread that has begun is at its end before anybody lets the file go."""
        filling = asyncio.ensure_future(self._node.store.read(lambda rows: self._fill(rows, file, owner, language)))
        try:
            await asyncio.shield(filling)
        except asyncio.CancelledError:
            await asyncio.wait([filling])
            raise

    async def _record(self, owner: Owner) -> None:
        """Say that the file was made; whoever lost the right to it meanwhile gets none."""

        async def work(tx: Transaction) -> None:
            row = await self.require(owner.account, tx)
            staff = await tx.one("staff.of_account", account=owner.account)
            await chain.append(
                tx, "export.made", self._node.clock(), Part.APPLICANT.value if staff is None else str(staff["id"]),
                dossier=None if row is None else str(row["id"]), reason="request",
            )  # fmt: skip

        await self._node.store.write(work)

    # ── the file ──

    async def _fill(self, rows: Reader, file: OwnFile, owner: Owner, language: str) -> None:
        making = _Making(rows, owner, language, self._node.clock())
        with ZipFile(cast("IO[bytes]", file), "w") as packed:
            with packed.open(_entry(DATA, making.now), "w") as data:
                counts = await self._data(making, data)
            with packed.open(_entry(READ, making.now), "w") as page:
                await self._page(making, page, counts)

    async def _data(self, making: _Making, out: IO[bytes]) -> dict[str, int]:
        """Write the document for programs; return how many rows each section has."""
        head = {"format": _FORMAT, "instance": self._node.origin, "made_at": rfc3339(making.now)}
        out.write(orjson.dumps(head)[:-1])
        counts = {}
        for section in SECTIONS:
            out.write(b",\n" + orjson.dumps(section.name) + b":[")
            counts[section.name] = 0
            async for found in self._pages(making, section):
                for row in found:
                    out.write((b",\n" if counts[section.name] else b"\n") + orjson.dumps(row))
                    counts[section.name] += 1
            out.write(b"]")
        out.write(b"}\n")
        return counts

    async def _page(self, making: _Making, out: IO[bytes], counts: dict[str, int]) -> None:
        """Write the page for people: what is in the file, who they are here, what was decided, all they wrote."""
        short = {section.name: await self._whole(making, section) for section in SECTIONS if _is_short(section)}
        head = {"sections": SECTIONS, "counts": counts, "made_at": to_ms(making.now), "short": short}
        out.write(self._text(making, "export_head.html", instance_name=self._node.config.name, **head))
        for section in SECTIONS:
            if section.name not in WRITTEN or not counts[section.name]:
                continue
            out.write(self._text(making, "export_title.html", name=section.name))
            async for found in self._pages(making, section):
                out.write(self._text(making, "export_words.html", rows=found))
        out.write(b"</main></body></html>\n")

    async def _whole(self, making: _Making, section: Section) -> list[dict[str, Any]]:
        return [row async for found in self._pages(making, section) for row in found]

    def _pages(self, making: _Making, section: Section) -> AsyncIterator[list[dict[str, Any]]]:
        return export.pages(making.rows, section, making.owner, self._number)

    def _number(self, sealed: bytes, piece: str) -> str | None:
        try:
            return self._node.dossiers.numbers.opened(sealed, piece)
        except CannotOpen as fault:
            self._node.log.error("number_not_opened", piece=piece, exc_info=fault)
            return None

    def _text(self, making: _Making, template: str, **values: Any) -> bytes:
        return render(template, making.language, self._node.config.country, **values).encode()


def _is_short(section: Section) -> bool:
    return section.name in ("account", "profile", "applications", "told")


def _entry(name: str, now: datetime) -> ZipInfo:
    entry = ZipInfo(name, now.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry
