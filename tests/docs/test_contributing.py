"""What the page for contributors says of the tests is so."""

from __future__ import annotations

import tomllib

import pytest

from tests.conftest import DAILY, LONG
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "CONTRIBUTING.md").read_text("utf-8")
OPTIONS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]


@pytest.mark.parametrize("marker", [line.partition(":")[0] for line in OPTIONS["markers"]])
def test_every_marker_is_described(marker: str) -> None:
    """Whoever meets a marker finds on the page what it keeps out, and why."""
    assert f"`{marker}` (" in PAGE


@pytest.mark.parametrize("name", [*LONG, *DAILY])
def test_what_the_daily_gate_leaves_out_is_there(name: str) -> None:
    """A module that was renamed does not slip into the gate, or out of it."""
    assert (ROOT / "tests" / name).exists()
