"""Decisions are complete: each says why, what, what follows, and what was rejected."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import ROOT, name_of, text

DECISIONS: Final = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_has_its_four_parts(page: Path) -> None:
    """Whoever wants to change a decision finds what it was weighed against."""
    content = page.read_text("utf-8")
    parts = dict(re.findall(r"^## ([^\n]+)\n\n(.+?)(?=\n## |\Z)", content, re.MULTILINE | re.DOTALL))

    assert ["Context", "Decision", "Consequences", "Rejected"] == list(parts)
    assert all(len(part) > 60 for part in parts.values())


def test_decisions_are_numbered_without_gaps() -> None:
    """A number names one decision, in its file and in its title."""
    numbers = [int(page.name[:4]) for page in DECISIONS]
    titles = [int(re.match(r"# (\d+)\. ", page.read_text("utf-8"))[1]) for page in DECISIONS]  # type: ignore[index]

    assert list(range(1, len(DECISIONS) + 1)) == numbers
    assert numbers == titles


def test_the_index_lists_every_decision() -> None:
    """The index has each title as the page has it."""
    index = text("docs/decisions/index.md")
    missing = []
    for page in DECISIONS:
        title = page.read_text("utf-8").splitlines()[0].partition(". ")[2]
        if f"[{title}]({page.name})" not in index:
            missing.append(page.name)

    assert [] == missing
