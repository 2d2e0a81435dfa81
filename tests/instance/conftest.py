"""The fixture `network` for tests of the services."""

from __future__ import annotations

from tests.network.conftest import network

__all__ = ["network"]
