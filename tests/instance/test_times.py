"""Times as rows keep them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from instance.times import from_ms, to_ms


@given(st.integers(0, 4_102_444_800_000))
def test_a_time_read_from_a_row_goes_back_as_the_same_number(ms: int) -> None:
    """No millisecond is lost however often a row is read and written."""
    assert ms == to_ms(from_ms(ms))


def test_a_part_of_a_millisecond_is_dropped() -> None:
    """A time is never rounded into the future."""
    assert 1_000 == to_ms(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=1, microseconds=999))
