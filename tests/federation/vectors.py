"""The public test data beside the checkout; tests that need it skip where it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"


def vector_files(folder: str, pattern: str = "*.json") -> list[Path]:
    """Every file of a folder, or one parameter that skips and says why."""
    files = sorted((VECTORS / folder).rglob(pattern)) if (VECTORS / folder).is_dir() else []
    return files or [pytest.param(None, marks=pytest.mark.skip(f"no {VECTORS / folder}"))]  # type: ignore[list-item]


def vector_name(path: Path | None) -> str:
    """The name of a vector in the list of tests."""
    return "absent" if path is None else path.relative_to(VECTORS).as_posix()
