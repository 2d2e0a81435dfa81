"""Registers' files: rows into entries by the names of the columns, in bounded memory, with errors that tell no content."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from verification.registers import column_map
from verification.registers.column_map import DATES, BadColumnMap, ColumnMap, read_maps
from verification.registers.imports import (
    MAX_LINE,
    MAX_LINES_OF_A_ROW,
    MAX_VALUES,
    BadLine,
    BadRegisterFile,
    LineFault,
    RegisterEntry,
    RegisterFileFault,
    encoding_of,
    entries,
)

MAPS = column_map.shipped()
PLAIN = read_maps(
    '[register.plain]\ncountry = "FR"\nnumber = "No"\nname = { family = "Family", given = "Given" }\n'
    'other = { field = "Field" }\nfile = { delimiter = ";", encodings = ["utf-8", "cp1252"] }\n'
)["plain"]
RPPS_HEADER = (
    "Type d'identifiant PP|Identifiant PP|Identification nationale PP|Nom d'exercice|Prénom d'exercice|Code profession|"
    "Code catégorie professionnelle|Code type savoir-faire|Code savoir-faire|Raison sociale site|"
)


def read(text: str | bytes, columns: ColumnMap = PLAIN, register: str = "plain") -> list[RegisterEntry | BadLine]:
    """All that a file gives."""
    return list(entries(io.BytesIO(text.encode() if isinstance(text, str) else text), register, columns))


def shipped(register: str, text: str) -> list[RegisterEntry | BadLine]:
    """All that a file gives under a map of the product."""
    return read(text, MAPS[register], register)


def found(rows: list[RegisterEntry | BadLine]) -> list[RegisterEntry]:
    """The entries alone."""
    return [row for row in rows if isinstance(row, RegisterEntry)]


def bad(rows: list[RegisterEntry | BadLine]) -> list[BadLine]:
    """The bad lines alone."""
    return [row for row in rows if isinstance(row, BadLine)]


def rpps_row(number: str, family: str, given: str, profession: str = "10", specialty: str = "SM04") -> str:
    """One row of the French extract, with a workplace nobody asked for."""
    return f"8|{number[1:]}|{number}|{family}|{given}|{profession}|C|S|{specialty}|Clinique Exemple|"


def test_the_french_extract_is_read() -> None:
    """Doctors only, the 8 dropped, two workplaces one entry, nothing kept that the map does not name."""
    rows = shipped(
        "rpps",
        "\n".join([
            RPPS_HEADER,
            rpps_row("810001234565", "VAUQUELIN", "Éliane"),
            rpps_row("810001234565", "VAUQUELIN", "Éliane", specialty="SM26"),
            rpps_row("810102727017", "EXEMPLE", "Jean", profession="60"),
            rpps_row("810102727017", 'D"EXEMPLE', "Anne"),
        ]),
    )  # fmt: skip
    first, second = found(rows)

    assert [] == bad(rows)
    assert ("rpps", "10001234565", "eliane vauquelin", True) == (
        first.number.kind, first.number.value, first.folded, first.active
    )  # fmt: skip
    assert {"specialty": ("SM04", "SM26"), "specialty_kind": ("S",), "category": ("C",)} == dict(first.other)
    assert 'Anne D"EXEMPLE' == second.name


@pytest.mark.parametrize("number", ["0123456789", "710001234565", "10001234565"])
def test_a_number_without_its_prefix_gives_no_entry(number: str) -> None:
    """An ADELI number, another sign in front of an RPPS number, none at all: told by its line."""
    rows = shipped("rpps", f"{RPPS_HEADER}\n{rpps_row(number, 'VAUQUELIN', 'Éliane')}\n")

    assert [BadLine(2, 2, LineFault.NUMBER)] == rows


GMC_HEADER = (
    "GMC Ref No,Surname,Given Name,Other Names,Specialist Register Date,GP Register Date,Registration Status\r\n"
)


def test_the_british_list_is_read() -> None:
    """Dates lose no zero; a doctor who may not practise is inactive, whatever the word for it."""
    rows = found(
        shipped(
            "gmc",
            GMC_HEADER + "1234567,Example,Ada,,5071978,15122001,Registered with Licence\r\n"
            "1234568,Example,Eve,,,,REGISTERED WITH LICENCE\r\n"
            "1234569,Example,Ida,,,,Suspended\r\n1234560,Example,Una,,,,\r\n",
        )
    )

    assert [True, True, False, False] == [row.active for row in rows]
    assert ("1978-07-05",) == rows[0].other["specialist_since"]
    assert ("2001-12-15",) == rows[0].other["general_practitioner_since"]
    assert "specialist_since" not in rows[1].other


def test_a_date_that_is_none_is_told_and_left_out() -> None:
    """The doctor is not lost for it."""
    rows = shipped("gmc", GMC_HEADER + "1234567,Example,Ada,,31021978,,Registered with Licence\r\n")

    assert [BadLine(2, 2, LineFault.DATE)] == bad(rows)
    assert [{"status": ("Registered with Licence",)}] == [dict(row.other) for row in found(rows)]


def test_the_american_list_is_read() -> None:
    """Persons only; whoever was deactivated is inactive; commas inside quotes separate nothing."""
    names = MAPS["nppes"].columns
    header = ",".join(f'"{name}"' for name in ("Extra", *names))

    def row(**changes: str) -> str:
        usual = {"NPI": "1234567893", "Entity Type Code": "1", "Provider First Name": "Ada",
                 "Provider Last Name (Legal Name)": "Example, Jr"}  # fmt: skip
        return ",".join(f'"{(usual | changes).get(name, "")}"' for name in ("Extra", *names))

    gone = row(**{"NPI Deactivation Date": "01/02/2020"})
    rows = shipped("nppes", "\n".join([header, row(), gone, row(**{"Entity Type Code": "2"}), ""]))

    assert [("Example, Jr", True), ("Example, Jr", False)] == [(one.family, one.active) for one in found(rows)]
    assert [] == bad(rows)


def test_the_example_to_copy_works() -> None:
    """Each of its rules does what its comment says."""
    rows = found(
        shipped(
            "example",
            "Status;Registered since;Division;First name;Last name;Register No;Profession\n"
            'Registered;05/07/1978;General;Ada;"O;Example";IMC123456;Doctor\n'
            "Removed;;;Eve;Example;IMC123457;Physician\nRegistered;;;Ida;Example;IMC123458;Nurse\n",
        )
    )

    assert [("123456", "O;Example", True), ("123457", "Example", False)] == [
        (row.number.value, row.family, row.active) for row in rows
    ]
    assert {"division": ("General",), "since": ("1978-07-05",)} == dict(rows[0].other)


def test_columns_are_bound_by_name() -> None:
    """Another order, and columns in between, change nothing."""
    one = read("No;Family;Given;Field\n1;Exemple;Ada;a\n")
    other = read("x;Field; Given ;No;y;Family\n;a;Ada;1;;Exemple\n")

    assert one == other
    assert ["Ada Exemple"] == [row.name for row in found(one)]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("", RegisterFileFault.EMPTY),
        ("No;Family;Given", RegisterFileFault.HEADER_MISSING),
        ("no;family;given;field", RegisterFileFault.HEADER_MISSING),
        ("No;Family;Given;Field;No", RegisterFileFault.HEADER_DOUBLED),
    ],
)
def test_another_file_is_refused(header: str, fault: RegisterFileFault) -> None:
    """No header, a column that is missing, written otherwise or there twice: nothing is read."""
    with pytest.raises(BadRegisterFile) as refused:
        read(f"{header}\n1;Exemple;Ada;a;1\n" if header else "")

    assert (fault, 1) == (refused.value.fault, refused.value.line)
    assert "Exemple" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_the_first_encoding_that_holds_to_the_end_is_taken(encoding: str) -> None:
    """A byte that is no UTF-8 far behind the beginning still decides."""
    text = "No;Family;Given;Field\n" + "1;Exemple;Ada;a\n" * 20_000 + "2;Müller;Ada;a\n"
    rows = found(read(text.encode(encoding)))

    assert ["Exemple", "Müller"] == [row.family for row in rows]


def test_a_file_in_no_encoding_of_the_map_is_refused() -> None:
    """Never with replacement characters in names; the stream is back where it was."""
    stream = io.BytesIO("No;Family;Given;Field\n1;M\udcfcller;Ada;a\n".encode(errors="surrogateescape"))
    with pytest.raises(BadRegisterFile) as refused:
        encoding_of(stream, ["utf-8", "ascii"])

    assert RegisterFileFault.ENCODING == refused.value.fault
    assert 0 == stream.tell()
    assert "cp1252" == encoding_of(stream, ["utf-8", "cp1252"])


def test_bad_rows_are_told_by_line_and_cost_no_other() -> None:
    """Too few columns, a number or a name that is none, quotes that do not fit; the rows around are read."""
    rows = read(
        'No;Family;Given;Field\n1;A;Ada;a\n2;B\n?;C;Ada;a\n4;..;12;a\n5;"E"x;Ada;a\n6;F;Ada;"two\nlines"\n\n7;"G\n;Ada\n'
    )

    assert ["A", "F"] == [row.family for row in found(rows)]
    assert [
        BadLine(3, 3, LineFault.COLUMNS), BadLine(4, 4, LineFault.NUMBER), BadLine(5, 5, LineFault.NAME),
        BadLine(6, 6, LineFault.BROKEN), BadLine(10, 11, LineFault.BROKEN),
    ] == bad(rows)  # fmt: skip


def test_a_lost_quotation_mark_swallows_few_lines() -> None:
    """A row is given up after its lines; those behind it are read."""
    rows = read('No;Family;Given;Field\n1;"A;Ada;a\n' + "".join(f"{n};B;Ada;a\n" for n in range(2, 200)))
    (lost,) = bad(rows)

    assert (2, LineFault.BROKEN) == (lost.first, lost.fault)
    assert lost.last - lost.first <= MAX_LINES_OF_A_ROW
    assert 199 - MAX_LINES_OF_A_ROW - 2 <= len(found(rows)) < 198


def test_a_line_without_end_is_refused() -> None:
    """It is not read into memory to find that out."""
    for text in ("x" * (MAX_LINE + 1), "No;Family;Given;Field\n1;A;Ada;" + "x" * MAX_LINE):
        with pytest.raises(BadRegisterFile) as refused:
            read(text)

        assert RegisterFileFault.LINE_TOO_LONG == refused.value.fault


def test_rows_that_differ_are_not_put_together() -> None:
    """Another name under the same number is another entry; rows that lie apart are left to whoever stores them."""
    rows = found(read("No;Family;Given;Field\n1;A;Ada;a\n1;A;Ada;b\n1;B;Ada;a\n2;C;Ada;a\n1;A;Ada;c\n"))

    assert [("1", "A", ("a", "b")), ("1", "B", ("a",)), ("2", "C", ("a",)), ("1", "A", ("c",))] == [
        (row.number.value, row.family, row.other["field"]) for row in rows
    ]


def test_one_doctor_with_countless_rows_stays_small() -> None:
    """An entry keeps a bounded number of values."""
    (row,) = found(read("No;Family;Given;Field\n" + "".join(f"1;A;Ada;{n}\n" for n in range(1000))))

    assert MAX_VALUES == len(row.other["field"])


class Endless(io.RawIOBase):
    """A register of many rows that are made while it is read."""

    def __init__(self, rows: int) -> None:
        self.rows, self.at, self.rest = rows, 0, b""

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read again."""
        return True

    def tell(self) -> int:
        """Only its beginning is asked for."""
        return 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Back to the beginning."""
        self.at, self.rest = 0, b""
        return 0

    def readinto(self, buffer: Any, /) -> int:
        """The next rows."""
        while len(self.rest) < len(buffer) and self.at <= self.rows:
            self.rest += b"No;Family;Given;Field\n" if self.at == 0 else b"%d;A;Ada;%s\n" % (self.at, b"x" * 4000)
            self.at += 1
        part, self.rest = self.rest[: len(buffer)], self.rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def test_memory_does_not_grow_with_the_file() -> None:
    """Twenty megabytes are read in less than a sixth of that."""
    tracemalloc.start()
    number = sum(1 for _ in entries(io.BufferedReader(Endless(5_000)), "plain", PLAIN))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 5_000 == number
    assert most < 3_500_000


def test_the_stream_is_left_open() -> None:
    """Whoever gave it closes it, also when only a part was read."""
    stream = io.BytesIO(b"No;Family;Given;Field\n1;A;Ada;a\n2;B;Ada;a\n")
    rows = entries(stream, "plain", PLAIN)
    next(rows)
    assert isinstance(rows, Iterator)
    del rows

    assert not stream.closed
    assert 2 == len(list(entries(io.BufferedReader(io.BytesIO(stream.getvalue())), "plain", PLAIN)))


def test_the_stream_says_how_far_the_reading_is() -> None:
    """Whoever shows progress asks it while the entries come."""
    stream = io.BytesIO(b"No;Family;Given;Field\n" + b"".join(b"%d;A;Ada;a\n" % n for n in range(50_000)))
    size, places = len(stream.getvalue()), [stream.tell() for _ in entries(stream, "plain", PLAIN)]

    assert places == sorted(places)
    assert places[0] < size / 10
    assert size == places[-1]


cells = st.text(st.characters(blacklist_categories=["Cs"]), max_size=8)


@given(st.lists(st.lists(cells, max_size=6).map(";".join), max_size=12).map("\n".join))
@settings(max_examples=examples(300), deadline=None)
def test_any_rows_give_entries_and_bad_lines(text: str) -> None:
    """Whatever stands below the header, nothing else comes out, and the lines are told in order."""
    rows = read("No;Family;Given;Field\n" + text)

    assert all(one.last < other.first for one, other in pairwise(bad(rows)))
    assert all(row.folded and row.number.value for row in found(rows))


@given(st.binary(max_size=300))
@settings(max_examples=examples(200), deadline=None)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No other exception than BadRegisterFile, whatever the file."""
    rows = None
    with suppress(BadRegisterFile):
        rows = read(data)

    assert rows is None or (b"No" in data and rows == read(data))


GOOD = '[register.x]\ncountry = "FR"\nnumber = "No"\nname = { family = "F", given = "G" }\n'


def test_a_small_map_is_enough() -> None:
    """Country, number and name; a name may stand in one column."""
    assert ("No", "F", "G") == read_maps(GOOD)["x"].columns
    assert ("No", "F") == read_maps(GOOD.replace(', given = "G"', ""))["x"].columns


@pytest.mark.parametrize(
    "text",
    [
        "", "x = 1", "[register]", "nonsense", GOOD + "[other]\n", GOOD.replace('"FR"', '"fr"'),
        GOOD.replace("number", "numbers"), GOOD.replace('"No"', "7"), GOOD.replace('"No"', '""'),
        GOOD.replace('"No"', '" No"'), GOOD.replace('"No"', '{ column = "No", kind = "gmc" }'),
        GOOD.replace('"No"', '{ column = "No", kind = "bsnr" }'), GOOD + "keep = { A = [] }\n",
        GOOD + 'keeps = { A = ["1"] }\n', GOOD + 'file = { delimiter = "||" }\n', GOOD + 'file = { delimiter = "" }\n',
        GOOD + "file = { delimiter = '\"' }\n", GOOD + "file = { encodings = [] }\n",
        GOOD + 'file = { encodings = ["klingon"] }\n', GOOD + 'file = { encodings = ["zlib"] }\n',
        GOOD + 'dates = { a = "DMMYYYY" }\n', GOOD + 'other = { a = "A" }\ndates = { a = "YYYYMMDD" }\n',
        GOOD + 'inactive = { column = "A" }\n', GOOD + 'inactive = { column = "A", when = "empty" }\n',
        GOOD + 'inactive = { column = "A", when = "filled", values = ["x"] }\n',
    ],
)  # fmt: skip
def test_a_map_that_says_something_else_is_refused(text: str) -> None:
    """A mistyped key, a kind of number from elsewhere, rules that contradict each other: nothing is guessed."""
    with pytest.raises(BadColumnMap):
        read_maps(text)


def test_the_maps_of_the_product() -> None:
    """France, Britain, the United States, and one to copy."""
    assert {"rpps": "FR", "gmc": "GB", "nppes": "US", "example": "IE"} == {
        name: columns.country for name, columns in MAPS.items()
    }


@pytest.mark.parametrize(
    ("form", "text", "date"),
    [
        ("DMMYYYY", "5071978", "1978-07-05"), ("DMMYYYY", "15071978", "1978-07-15"), ("DMMYYYY", "571978", None),
        ("DMMYYYY", "5131978", None), ("DMMYYYY", "x071978", None), ("DMMYYYY", "٥071978", None),
        ("YYYY-MM-DD", "1978-07-05", "1978-07-05"), ("YYYY-MM-DD", "1978-7-5", None), ("YYYY-MM-DD", "1978/07/05", None),
        ("DD/MM/YYYY", "05/07/1978", "1978-07-05"), ("MM/DD/YYYY", "07/05/1978", "1978-07-05"),
        ("MM/DD/YYYY", "13/05/1978", None), ("DD/MM/YYYY", "29/02/2023", None), ("DD/MM/YYYY", "01/01/0000", None),
    ],
)  # fmt: skip
def test_dates_are_read_as_the_map_says(form: str, text: str, date: str | None) -> None:
    """A day that is in no calendar is none."""
    if date is None:
        with pytest.raises(ValueError):
            DATES[form](text)
    else:
        assert date == DATES[form](text).isoformat()
