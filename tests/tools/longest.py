"""The longest functions and files, and how far the code is from its aims (median 8 lines, nine in ten under 30)."""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("federation", "verification", "instance")


@cache
def functions() -> tuple[tuple[int, str], ...]:
    """Every function of the product with its number of lines."""
    return tuple(_functions())


def _functions() -> Iterator[tuple[int, str]]:
    for path in files():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def files() -> Iterator[Path]:
    """Every source file of the product."""
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def report(number: int) -> str:
    """Return the figures and the longest functions, a line each."""
    found = sorted(functions(), reverse=True)
    lengths = [length for length, _ in found]
    ninth = sorted(lengths)[int(len(lengths) * 0.9)]
    head = f"{len(found)} functions: median {statistics.median(lengths):.0f} lines, nine in ten up to {ninth}"
    return "\n".join([head, *(f"{length:5} {name}" for length, name in found[:number])])


if __name__ == "__main__":
    print(report(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
