"""The source files of the product and the repository, read once."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.tools.longest import ROOMS, ROOT, files

__all__ = ["ROOMS", "ROOT", "files", "git", "imports", "name_of", "repository", "text", "tree"]


@cache
def text(path: Path) -> str:
    """What stands in a file."""
    return path.read_text("utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """A source file as a tree."""
    return ast.parse(text(path))


def name_of(path: Path) -> str:
    """A path as people write it."""
    return path.relative_to(ROOT).as_posix()


def imports(path: Path, package: str) -> bool:
    """Whether a file imports a package, in whatever way: a statement, or its name handed to an importing function."""
    by_name = re.search(
        rf"(?:import_module|__import__|find_spec|import_optional|importorskip)\(\s*[\"']{re.escape(package)}[\"'.]",
        text(path),
    )
    return package in _imported(path) or by_name is not None


@cache
def _imported(path: Path) -> frozenset[str]:
    """The packages of every import statement in a file."""
    return frozenset(name.partition(".")[0] for node in ast.walk(tree(path)) for name in _names(node))


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module or ""]
    return []


def git(*arguments: str) -> str:
    """What git answers; skips where there is no repository (a source package has none)."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not in a git checkout")
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        pytest.skip("git cannot read this checkout")
    return done.stdout


@cache
def repository() -> tuple[Path, ...]:
    """Every file that is, or would be, part of the repository."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    return tuple(sorted(ROOT / name for name in set(listed) if name and (ROOT / name).is_file()))
