"""The instance most tests of dossiers need."""

from __future__ import annotations

from typing import Any

import pytest

from tests.town import Place


@pytest.fixture
async def fr(network: Any) -> Place:
    """France, alone."""
    return (await network("fr"))["fr"]
