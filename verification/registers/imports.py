"""A register's file as a stream of entries: one row in memory at a time, whatever the size of the file.

A match with an entry is evidence for a reviewer, never an approval. Rows of one doctor that follow each other become
one entry; rows that lie apart stay apart, and whoever stores them groups them by number.
What is wrong with a row is told by its line and a code, never by what stands in it.
"""

from __future__ import annotations

import csv
import io
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import BinaryIO, Final

from verification.errors import NotAllowed
from verification.names import fold
from verification.registers import numbers
from verification.registers.column_map import DATES, ColumnMap

#: A longer line, in characters, belongs to another kind of file.
MAX_LINE: Final = 1_048_576
#: A quoted value may run over line ends; a row over more lines has lost a quotation mark.
MAX_LINES_OF_A_ROW: Final = 50
#: Different values of one column that one entry keeps.
MAX_VALUES: Final = 64
_CHUNK: Final = 262_144


class RegisterFileFault(StrEnum):
    """Why a file is no file of this register."""

    ENCODING = "encoding"
    EMPTY = "empty"
    HEADER_MISSING = "header_missing"
    HEADER_DOUBLED = "header_doubled"
    LINE_TOO_LONG = "line_too_long"


class LineFault(StrEnum):
    """Why a row gives no entry; with `date` it gives one, without that date."""

    BROKEN = "broken"
    COLUMNS = "columns"
    NUMBER = "number"
    NAME = "name"
    DATE = "date"


class BadRegisterFile(NotAllowed):
    """The file cannot be read with this map; the message names the line and, of columns, those of the map."""

    code = "register_file"

    def __init__(self, fault: RegisterFileFault, line: int, words: str) -> None:
        super().__init__(f"line {line}: {words}")
        self.fault, self.line = fault, line


@dataclass(frozen=True, slots=True)
class BadLine:
    """Lines of the file, first to last and counted from one, that did not give what they should."""

    first: int
    last: int
    fault: LineFault


@dataclass(frozen=True, slots=True)
class RegisterEntry:
    """What a register says of one doctor, as far as the map names it."""

    register: str
    number: numbers.Number
    family: str
    given: str
    #: The name as it is compared (`names.fold`).
    folded: str
    active: bool
    other: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """The name as a reviewer reads it."""
        return f"{self.given} {self.family}".strip()


def entries(
    stream: BinaryIO,
    register: str,
    columns: ColumnMap,
    kinds: Mapping[str, numbers.NumberKind] = numbers.KINDS,
) -> Iterator[RegisterEntry | BadLine]:
    """Read the file from here to its end; raise BadRegisterFile where it is no file of this register.

    The stream must be seekable, since it is read once before to find its encoding; it is left open. `stream.tell()`
    says how far the reading is, to within a few kilobytes.
    """
    text = io.TextIOWrapper(stream, encoding_of(stream, columns.file.encodings), newline="")
    try:
        yield from _grouped(_Reading(text, register, columns, kinds).rows())
    finally:
        with suppress(ValueError):
            text.detach()


def encoding_of(stream: BinaryIO, encodings: Sequence[str]) -> str:
    """Return the first encoding in which the whole rest of the stream can be read, and go back to where it was."""
    start = stream.tell()
    for name in encodings:
        stream.seek(start)
        readable = _readable(stream, name)
        stream.seek(start)
        if readable:
            return "utf-8-sig" if name.lower().replace("_", "-") in ("utf-8", "utf8") else name
    raise BadRegisterFile(RegisterFileFault.ENCODING, 1, "the file is written in none of the encodings of the map")


def _readable(stream: BinaryIO, encoding: str) -> bool:
    decoder = getincrementaldecoder(encoding)()
    try:
        while chunk := stream.read(_CHUNK):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


class _Lines:
    """The lines of a text, counted; none of them, and no row made of them, without bounds."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.number = self.begun = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > MAX_LINE:
            raise BadRegisterFile(RegisterFileFault.LINE_TOO_LONG, self.number, "longer than any line of a register")
        if self.number - self.begun > MAX_LINES_OF_A_ROW:
            raise csv.Error("a row over too many lines")
        return line


class _Reading:
    """One pass over a file: the header bound to the map, then a row at a time."""

    def __init__(
        self,
        text: io.TextIOWrapper,
        register: str,
        columns: ColumnMap,
        kinds: Mapping[str, numbers.NumberKind],
    ) -> None:
        self._register, self._columns, self._kinds = register, columns, kinds
        self._lines = _Lines(text)
        form = columns.file
        self._reader = csv.reader(
            self._lines,
            delimiter=form.delimiter,
            quotechar=form.quote or None,
            quoting=csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE,
            strict=True,
        )

    def rows(self) -> Iterator[RegisterEntry | BadLine]:
        """Every row the map keeps, as an entry, and what went wrong."""
        header = self._next()
        if not isinstance(header, list):
            raise BadRegisterFile(RegisterFileFault.EMPTY, 1, "no header")
        width, place = len(header), self._bound([name.strip() for name in header])
        while (row := self._next()) is not None:
            if isinstance(row, BadLine):
                yield row
            elif row and len(row) != width:
                yield self._bad(LineFault.COLUMNS)
            elif row:
                yield from self._entry({name: row[index].strip() for name, index in place.items()})

    def _next(self) -> list[str] | BadLine | None:
        self._lines.begun = self._lines.number
        try:
            return next(self._reader, None)
        except csv.Error:
            return self._bad(LineFault.BROKEN)

    def _bad(self, fault: LineFault) -> BadLine:
        return BadLine(self._lines.begun + 1, self._lines.number, fault)

    def _bound(self, header: list[str]) -> Mapping[str, int]:
        for name in self._columns.columns:
            if (count := header.count(name)) != 1:
                fault = RegisterFileFault.HEADER_DOUBLED if count else RegisterFileFault.HEADER_MISSING
                raise BadRegisterFile(fault, 1, f'the column "{name}" stands {count} times in the header')
        return {name: header.index(name) for name in self._columns.columns}

    def _entry(self, row: Mapping[str, str]) -> Iterator[RegisterEntry | BadLine]:
        columns = self._columns
        if not all(row[name] in values for name, values in columns.keep.items()):
            return
        number, family = self._number(row), row[columns.name.family]
        given = "" if columns.name.given is None else row[columns.name.given]
        folded = fold(f"{given} {family}")
        if number is None:
            yield self._bad(LineFault.NUMBER)
        elif not folded:
            yield self._bad(LineFault.NAME)
        else:
            other = {name: self._value(name, row[column]) for name, column in columns.other.items()}
            if None in other.values():
                yield self._bad(LineFault.DATE)
            kept = MappingProxyType({name: (value,) for name, value in other.items() if value})
            active = columns.inactive is None or not columns.inactive.holds(row[columns.inactive.column])
            yield RegisterEntry(self._register, number, family, given, folded, active, kept)

    def _number(self, row: Mapping[str, str]) -> numbers.Number | None:
        rule = self._columns.number_column
        text = row[rule.column]
        if not text.startswith(rule.drop):
            return None
        bare = text[len(rule.drop) :]
        try:
            return numbers.read(rule.kind, bare, self._kinds) if rule.kind else numbers.plain(self._register, bare)
        except numbers.NumberShape:
            return None

    def _value(self, name: str, text: str) -> str | None:
        """The value as it is kept, dates as ISO 8601; None for what should be a date and is none."""
        form = self._columns.dates.get(name)
        if form is None or not text:
            return text
        try:
            return DATES[form](text).isoformat()
        except ValueError:
            return None


def _grouped(rows: Iterator[RegisterEntry | BadLine]) -> Iterator[RegisterEntry | BadLine]:
    """Put rows of one doctor that follow each other together; what is bad between them comes first."""
    waiting: RegisterEntry | None = None
    for row in rows:
        if isinstance(row, BadLine):
            yield row
        elif waiting is not None and _same(waiting, row):
            waiting = _joined(waiting, row)
        else:
            if waiting is not None:
                yield waiting
            waiting = row
    if waiting is not None:
        yield waiting


def _same(one: RegisterEntry, other: RegisterEntry) -> bool:
    return (one.number, one.folded, one.active) == (other.number, other.folded, other.active)


def _joined(one: RegisterEntry, other: RegisterEntry) -> RegisterEntry:
    both = {
        name: tuple(dict.fromkeys((*one.other.get(name, ()), *other.other.get(name, ()))))[:MAX_VALUES]
        for name in dict.fromkeys((*one.other, *other.other))
    }
    return replace(one, other=MappingProxyType(both))
