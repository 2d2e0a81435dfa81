"""How many made-up inputs a property is tried with: all of them in `make test`, an eighth in `make check`."""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, settings

USUAL: Final = 100

# Making inputs up takes longer where the machine is busy; that says nothing about the product.
settings.register_profile("whole", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("whole")
settings.register_profile("daily", max_examples=USUAL // 8)


def examples(number: int) -> int:
    """Return what to give as `max_examples`: the number, or its part under the profile `daily`."""
    return max(5, number * settings().max_examples // USUAL)
