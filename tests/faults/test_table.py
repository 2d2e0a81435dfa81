"""`docs/faults.md` against the tests there are: every fault has its line, and every test of a line exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text("utf-8")
LINES = {
    number: line
    for line in PAGE.splitlines()
    if (begin := re.match(r"\| (F\d+(?:, F\d+)*) \|", line))
    for number in begin[1].split(", ")
}
#: `tests/folder/test_file.py`, then the names of its tests, each in backticks of its own.
TESTS = [
    (number, file, name)
    for number, line in LINES.items()
    for file, names in re.findall(r"`tests/((?:\w+/)+test_\w+\.py)`: ((?:`test_\w+`(?:, )?)+)", line)
    for name in re.findall(r"test_\w+", names)
]


@cache
def _docstrings(file: Path) -> dict[str, str]:
    """The sentence of every test of a file."""
    tree = ast.parse(file.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_")]
    return {node.name: ast.get_docstring(node) or "" for node in found}


def test_every_fault_has_a_line() -> None:
    """Each once, and none is left out but the one that the page says nothing holds."""
    unheld = set(re.findall(r"\((F\d+)\)", PAGE.partition("| must hold |")[0]))
    assert {"F35"} == unheld
    assert [f"F{number}" for number in range(1, 43) if f"F{number}" not in unheld] == sorted(
        LINES, key=lambda number: int(number[1:])
    )
    assert len(LINES) == sum(len(re.findall(r"F\d+", line.split("|")[1])) for line in set(LINES.values()))


@pytest.mark.parametrize("number", LINES)
def test_every_line_names_a_test(number: str) -> None:
    """A fault that nothing holds cannot stand in the table."""
    assert [name for each, _, name in TESTS if each == number]


def test_every_test_named_exists() -> None:
    """Whoever renames or removes a test learns which fault it held."""
    missing = [
        f"{number}: {file}: {name}" for number, file, name in TESTS if name not in _docstrings(ROOT / "tests" / file)
    ]

    assert [] == missing


def test_every_test_of_a_fault_is_named() -> None:
    """A test in tests/faults whose sentence begins with a fault stands in that fault's line."""
    named = {(number, name) for number, _, name in TESTS}
    said = [
        (number, name)
        for file in sorted((ROOT / "tests" / "faults").rglob("test_*.py"))
        for name, sentence in _docstrings(file).items()
        for number in re.findall(r"\bF\d+\b", sentence.partition(":")[0])
    ]

    assert [] == sorted(set(said) - named)
    assert len(said) > 40
