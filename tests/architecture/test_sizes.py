"""Small is a habit: nothing grows past what one can read at once."""

from __future__ import annotations

import ast
import statistics

from tests.architecture.sources import files, name_of, text, tree
from tests.tools.longest import functions


def test_no_file_is_longer_than_500_lines() -> None:
    """A file that long hides what belongs together."""
    assert [] == [name_of(path) for path in files() if text(path).count("\n") > 500]


def test_no_function_is_longer_than_60_lines() -> None:
    """A function that long does more than its name says."""
    assert [] == [name for length, name in functions() if length > 60]


def test_functions_are_short_as_a_rule() -> None:
    """Half of them have at most ten lines, nine in ten at most thirty."""
    lengths = sorted(length for length, _ in functions())

    assert statistics.median(lengths) <= 10
    assert lengths[int(len(lengths) * 0.9)] <= 30


def test_every_module_says_what_it_is() -> None:
    """A module begins with a sentence."""
    assert [] == [name_of(path) for path in files() if not ast.get_docstring(tree(path))]


def test_public_names_have_promises() -> None:
    """A public class or function at the top of a module says what it promises."""
    bare = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in files()
        for node in tree(path).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]

    assert [] == bare


def test_nothing_is_left_for_later() -> None:
    """No mark of unfinished work stands in the product."""
    marks = ("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK", "NotImplemented" + "Error")

    assert [] == [name_of(path) for path in files() if any(mark in text(path) for mark in marks)]
