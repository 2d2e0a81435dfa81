"""Test data that nobody on this project wrote; it lies beside the checkout and is never copied into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "vectors"

#: Marks a test that needs them: without them it is skipped, and says so.
needs_vectors = pytest.mark.skipif(not FOLDER.is_dir(), reason="no vectors at ../shared/vectors")


def load(name: str) -> Any:
    """The parsed file, or an empty one of the usual shape where there are no vectors."""
    path = FOLDER / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"keys": {}, "cases": []}


def structured_fields() -> list[Any]:
    """Every case of the structured field tests, as (file and name, lines)."""
    folder = FOLDER / "sfv"
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    cases = [(path.stem, case) for path in files for case in json.loads(path.read_text(encoding="utf-8"))]
    return [pytest.param(case, id=f"{stem}: {case['name']}") for stem, case in cases if "raw" in case]
