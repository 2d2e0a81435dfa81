"""The generated parts stand in the pages as the code makes them now."""

from __future__ import annotations

import pytest

from tests.docs.pages import text
from tests.tools import docs
from tests.tools.docs_parts import PARTS


def test_generated_parts_are_up_to_date() -> None:
    """`make docs` has nothing to do."""
    assert [] == list(docs.stale())


@pytest.mark.parametrize("file", PARTS)
def test_generating_twice_changes_nothing(file: str) -> None:
    """A page that was just made anew is not made differently the next time."""
    parts = {name: make() for name, make in PARTS[file].items()}
    once = docs.renewed(text(file), parts)

    assert once == docs.renewed(once, parts)


def test_a_part_that_was_edited_by_hand_is_noticed() -> None:
    """What stands between the marks is the generator's, and nothing else is."""
    page = "before\n<!-- generated: x -->\nby hand\n<!-- end of x -->\nafter\n"

    assert "before\n<!-- generated: x -->\n\nmade\n\n<!-- end of x -->\nafter\n" == docs.renewed(page, {"x": "made"})


def test_a_part_without_a_place_is_refused() -> None:
    """A page that lost its marks, or has them twice, is no place for a part."""
    mark = "<!-- generated: x --><!-- end of x -->"

    for page in ("nothing", mark + mark):
        with pytest.raises(docs.NoPlace):
            docs.renewed(page, {"x": "made"})
