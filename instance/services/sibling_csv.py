"""The allowlist as a CSV file (RFC 4180), out and in again.

What comes in is held against the list and changes nothing; each line is answered with what it would do, or with why it
cannot be. The other columns are there to read. No file admits anybody, and nobody leaves by one.

Codes raised here: see CODES.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from instance.services import sibling_entries
from instance.services.errors import Rejected
from instance.services.sibling_entries import EntryChange, Preview
from instance.storage.store import Row
from instance.times import from_ms

if TYPE_CHECKING:
    from instance.wiring import Node

CODES: Final = ("csv_header", "csv_cells", "csv_too_long", "csv_doubled", "unknown_sibling", *sibling_entries.CODES)

#: What a line changes, and what stands beside it to be read.
CHANGED: Final = ("origin", "policy", "kinds_accepted", "kinds_sent", "countries", "note")
READ: Final = ("name", "country", "source", "vouched_by", "since", "last_in", "last_out", "waiting")
COLUMNS: Final = (*CHANGED, *READ)
MAX_LINES: Final = 1_000
#: What a spreadsheet takes for a formula when a cell begins with it; such a cell gets a `'` in front.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One line of a file, held against the list: a preview, a code, or neither where it changes nothing."""

    number: int
    origin: str
    found: Preview | None = None
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """A whole file, held against the list."""

    lines: Sequence[Checked]

    @property
    def holds(self) -> bool:
        """Whether every line can be."""
        return not any(line.code for line in self.lines)

    @property
    def changes(self) -> tuple[EntryChange, ...]:
        """What would change."""
        found = (line.found.change for line in self.lines if line.found is not None)
        return tuple(change for change in found if change is not None)

    @property
    def widens(self) -> bool:
        """Whether a line opens anything."""
        return any(line.found is not None and line.found.widens for line in self.lines)


def written(rows: Sequence[Row]) -> str:
    """Return the file: rows of `sibling_pages.lines`, one line each under the names of the columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        cells = _cells(row)
        writer.writerow([harmless(cells[name]) for name in COLUMNS])
    return out.getvalue()


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    def listed(name: str) -> str:
        return " ".join(sorted(orjson.loads(row[name])))

    def moment(name: str) -> str:
        return "" if row[name] is None else from_ms(row[name]).isoformat(timespec="seconds")

    return {
        "origin": row["origin"], "policy": row["policy"], "kinds_accepted": listed("kinds_in"),
        "kinds_sent": listed("kinds_out"), "countries": listed("may_issue_for"), "note": row["note"],
        "name": row["name"], "country": row["country"], "source": row["source"], "vouched_by": row["vouched_by"],
        "since": moment("since"), "last_in": moment("last_in_at"), "last_out": moment("last_out_at"),
        "waiting": str(row["waiting"]),
    }  # fmt: skip


def harmless(cell: str) -> str:
    """Return the cell so that no spreadsheet takes it for a formula (security A96)."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def plain(cell: str) -> str:
    """Return the cell as it was before it was made harmless."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" ").startswith(_FORMULA) else cell


def read(text: str) -> list[tuple[int, list[str] | None]]:
    """Return the lines under the header with their numbers, None for one of another width.

    Raises Rejected: csv_header, csv_too_long. The separator is the header's: spreadsheets of some countries write
    semicolons.
    """
    text = text.removeprefix("\ufeff").strip()
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=";" if ";" in first and "," not in first else ",")
    found: list[tuple[int, list[str] | None]] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        if header not in (list(COLUMNS), list(CHANGED)):
            raise Rejected("csv_header", "csv")
        for cells in reader:
            found.append((reader.line_num, cells if len(cells) == len(header) else None))
            if len(found) > MAX_LINES:
                raise Rejected("csv_too_long", "csv")
    except csv.Error:
        raise Rejected("csv_header", "csv") from None
    return found


async def dry_run(node: Node, text: str) -> DryRun:
    """Hold a file against the list; change nothing. Raises Rejected: csv_header, csv_too_long."""
    await node.allowlist.refresh_if_changed()
    lines, met = [], set[str]()
    for number, cells in read(text):
        origin = cells[0].strip() if cells else ""
        try:
            if cells is None:
                raise Rejected("csv_cells")
            if origin in met:
                raise Rejected("csv_doubled")
            met.add(origin)
            lines.append(Checked(number=number, origin=origin, found=await _line(node, cells)))
        except Rejected as error:
            lines.append(Checked(number=number, origin=origin[:200], code=error.code))
    return DryRun(lines=lines)


async def _line(node: Node, cells: Sequence[str]) -> Preview | None:
    origin, policy, accepted, sent, countries, note = (plain(cell.strip()) for cell in cells[: len(CHANGED)])
    row = await sibling_entries.require(node.store, origin)
    change = sibling_entries.change_of(row, policy, accepted.split(), sent.split(), countries.split(), note)
    if not sibling_entries.facets_of(row, change):
        return None
    return await sibling_entries.preview(node, node.store, row, change)
