"""The newsroom is found by its own indexes: neither cases nor what other specialties import is walked for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from instance.storage import QUERIES, open_store
from instance.storage.queries import Queries
from instance.storage.sqlite_rows import connect


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("news.bulletins", "bulletins_by_specialty (specialty=? AND sort_at<?)"),
        ("news.upcoming", "posts_by_event (event_from>?)"),
        ("news.past", "posts_by_event (event_from<?)"),
        ("news.items", "imported_items_shown (specialty=? AND sort_at<?)"),
        ("news.due", "news_sources_due (next_at<?)"),
    ],
)
async def test_a_list_is_walked_by_its_index(tmp_path: Path, query: str, index: str) -> None:
    """And by no scan of a table."""
    store = await open_store(f"sqlite:///{tmp_path / 'plans.db'}")
    await store.migrate()
    await store.close()
    found = next(each for each in Queries(QUERIES, "sqlite") if each.name == query)
    connection = connect(tmp_path / "plans.db", writes=True)
    values = {str(number): "x" for number in range(1, 60)}
    plan = [row[3] for row in connection.execute(f"explain query plan {found.text}", values)]
    connection.close()

    assert any(f"USING INDEX {index}" in step for step in plan), plan
    assert {"SCAN p", "SCAN s", "SCAN i", "SCAN news_sources"}.isdisjoint(plan)
