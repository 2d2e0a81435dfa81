"""The fixture `network` for tests of the services, and the town most of them need."""

from __future__ import annotations

from typing import Any

import pytest

from tests.network.conftest import network
from tests.town import Network, Place

__all__ = ["network"]


@pytest.fixture
async def town(network: Any) -> Network:
    """France and Germany, which list each other; modules that need others have their own."""
    return await network("fr", "de")


@pytest.fixture
def fr(town: Network) -> Place:
    """The instance under test."""
    return town["fr"]
