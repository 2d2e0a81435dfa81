"""Column maps: how a register's file is read, as data.

A map is a table `[register.NAME]` of a TOML file. Columns are bound by the names in the file's header, never by
position. A key that is not known here is an error: a mistyped rule must not silently let rows in.
"""

from __future__ import annotations

import io
import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from verification.dossier import Country, read_country
from verification.errors import NotAllowed
from verification.registers.numbers import KINDS, NumberKind


class BadColumnMap(NotAllowed):
    """The map cannot be used; the message names its place and what was expected there."""

    code = "column_map"


class FileForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the file is written: one sign between columns, one around values or none, encodings in the order to try."""

    delimiter: str = ","
    quote: str = '"'
    encodings: tuple[str, ...] = ("utf-8",)


class NumberColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the number stands, of which kind it is, and what stands before it in the file and is dropped."""

    column: str
    kind: str | None = None
    drop: str = ""


class NameColumns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The columns of the name under which the doctor practises; `family` alone where one column holds all of it."""

    family: str
    given: str | None = None


class Inactive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row is inactive when this column is filled, holds one of `values`, or none of `unless`; case is ignored."""

    column: str
    when: Literal["filled"] | None = None
    values: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def holds(self, value: str) -> bool:
        """Whether this value, without spaces around it, says that the doctor is not active."""
        folded = value.casefold()
        if self.when == "filled":
            return value != ""
        if self.values:
            return folded in {one.casefold() for one in self.values}
        return folded not in {one.casefold() for one in self.unless}


class ColumnMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one register's file is read; `other` names further columns, `dates` says how their dates are written."""

    country: str
    number: str | NumberColumn
    name: NameColumns
    file: FileForm = FileForm()
    keep: dict[str, tuple[str, ...]] = {}
    other: dict[str, str] = {}
    dates: dict[str, str] = {}
    inactive: Inactive | None = None

    @property
    def number_column(self) -> NumberColumn:
        """The rule for the number, also where the map gives a column's name alone."""
        return NumberColumn(self.number) if isinstance(self.number, str) else self.number

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, each once; all others are dropped unseen."""
        given = () if self.name.given is None else (self.name.given,)
        inactive = () if self.inactive is None else (self.inactive.column,)
        named = (self.number_column.column, self.name.family, *given, *self.keep, *self.other.values(), *inactive)
        return tuple(dict.fromkeys(named))


def read_maps(text: str, kinds: Mapping[str, NumberKind] = KINDS) -> Mapping[str, ColumnMap]:
    """Read the maps of a TOML text, by the name of the register; raise BadColumnMap for what is not one."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadColumnMap(f"not TOML: {error}") from None
    registers = document.get("register")
    if set(document) != {"register"} or not isinstance(registers, dict) or not registers:
        raise BadColumnMap("expected one table [register.NAME], or several, and nothing else")
    return MappingProxyType({name: _map(name, table, kinds) for name, table in registers.items()})


def shipped() -> Mapping[str, ColumnMap]:
    """Return the maps that come with the product, by the name of the register."""
    folder = files("verification").joinpath("data/registers")
    texts = (file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".toml"))
    return MappingProxyType({name: found for text in texts for name, found in sorted(read_maps(text).items())})


def _map(name: str, table: object, kinds: Mapping[str, NumberKind]) -> ColumnMap:
    try:
        columns = msgspec.convert(table, ColumnMap)
    except msgspec.ValidationError as error:
        raise BadColumnMap(f"register.{name}: {error}") from None
    faults = [place for place, holds in _RULES.items() if not holds(columns)]
    faults += [] if _kind(columns, kinds) else ["number.kind"]
    if faults:
        raise BadColumnMap(f"register.{name}: wrong {', '.join(faults)}")
    return columns


def _country(columns: ColumnMap) -> bool:
    try:
        return read_country(columns.country) == columns.country
    except ValueError:
        return False


def _encodings(columns: ColumnMap) -> bool:
    try:
        # The constructor refuses what is unknown, and codecs that are none of text.
        return bool([io.TextIOWrapper(io.BytesIO(), name) for name in columns.file.encodings])
    except (LookupError, ValueError):
        return False


def _signs(columns: ColumnMap) -> bool:
    delimiter, quote = columns.file.delimiter, columns.file.quote
    return len(delimiter) == 1 and len(quote) <= 1 and delimiter != quote and not {delimiter, quote} & set("\r\n ")


def _kind(columns: ColumnMap, kinds: Mapping[str, NumberKind]) -> bool:
    name = columns.number_column.kind
    found = kinds.get(name) if name is not None else None
    return name is None or (found is not None and found.refusal is None and found.country == Country(columns.country))


def _inactive(columns: ColumnMap) -> bool:
    rule = columns.inactive
    return rule is None or sum((rule.when is not None, bool(rule.values), bool(rule.unless))) == 1


#: What must hold beyond the types, by the key that is named when it does not.
_RULES: Final[Mapping[str, Callable[[ColumnMap], bool]]] = MappingProxyType(
    {
        "country": _country,
        "file.encodings": _encodings,
        "file.delimiter or file.quote": _signs,
        "keep": lambda columns: all(columns.keep.values()),
        "dates": lambda columns: set(columns.dates) <= set(columns.other) and set(columns.dates.values()) <= set(DATES),
        "inactive": _inactive,
        "column": lambda columns: all(name == name.strip() != "" for name in columns.columns),
    }
)


def _day_first_without_zero(text: str) -> date:
    """`5071978` is 5 July 1978: the day alone may lack its zero."""
    digits = text.rjust(8, "0") if len(text) in (7, 8) else ""
    return _cut(digits, slice(4, 8), slice(2, 4), slice(0, 2))


def _cut(text: str, year: slice, month: slice, day: slice) -> date:
    parts = text[year], text[month], text[day]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError("not a date")
    return date(*(int(part) for part in parts))


def _ten(year: slice, month: slice, day: slice, sign: str) -> Callable[[str], date]:
    def read(text: str) -> date:
        if len(text) != 10 or text.count(sign) != 2:
            raise ValueError("not a date")
        return _cut(text, year, month, day)

    return read


#: The ways of writing a date that registers have, each with its reader; a reader raises ValueError.
DATES: Final[Mapping[str, Callable[[str], date]]] = MappingProxyType(
    {
        "DMMYYYY": _day_first_without_zero,
        "YYYY-MM-DD": _ten(slice(0, 4), slice(5, 7), slice(8, 10), "-"),
        "DD/MM/YYYY": _ten(slice(6, 10), slice(3, 5), slice(0, 2), "/"),
        "MM/DD/YYYY": _ten(slice(6, 10), slice(0, 2), slice(3, 5), "/"),
    }
)
