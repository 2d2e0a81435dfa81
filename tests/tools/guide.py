"""The pictures of the user's guide, made by the same walk that the tests make: `python -m tests.tools.guide`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import pytest

PICTURES: Final = Path(__file__).resolve().parents[2] / "docs/guide/pictures"
#: The walks on a phone, one in each language.
WALKS: Final = "tests/browser/test_doctors_day.py::test_the_day_of_a_doctor"


def main() -> int:
    """Walk in every language and leave the pictures where the guide shows them; say how it went."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    os.environ["ESANUM_GUIDE"] = str(PICTURES)
    return pytest.main(["-q", "-n0", *(f"{WALKS}[{language}-360]" for language in ("en", "de", "fr"))])


if __name__ == "__main__":
    sys.exit(main())
