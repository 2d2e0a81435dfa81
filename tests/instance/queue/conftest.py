"""The sending half of an instance: a real store, a clock to move, and a wire that answers as the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.instance.parts import Parts, parts


@pytest.fixture
async def fr(tmp_path: Path) -> AsyncIterator[Parts]:
    """The sending half of an instance."""
    async with parts(tmp_path) as found:
        yield found
