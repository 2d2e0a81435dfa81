"""The pages of the documentation, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (ROOT / "README.md", ROOT / "FEDERATION.md", *sorted((ROOT / "docs").rglob("*.md")))
_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def text(name: str) -> str:
    """A page by its path from the root."""
    return (ROOT / name).read_text("utf-8")


def name_of(page: Path) -> str:
    """How a page is called in a test's name."""
    return page.relative_to(ROOT).as_posix()


def blocks(page_text: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return [body for found, body in _FENCE.findall(page_text) if found == language]


def prose(page_text: str) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", page_text)


def code_words(page_text: str) -> Iterator[str]:
    """What stands in backticks in the prose."""
    yield from _CODE.findall(prose(page_text))


def links(page_text: str) -> list[str]:
    """The targets of links in the prose."""
    return _LINK.findall(prose(page_text))


def anchors(page_text: str) -> set[str]:
    """The anchors that headings make."""
    plain = (re.sub(r"[`*]", "", heading).lower() for heading in _HEADING.findall(prose(page_text)))
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}
