"""The static files: few and small, read once, addressed by what is in them so that browsers may keep them for ever."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: The colour of the top of every page, by appearance: `--card` of the sheet, for what a browser draws around a page.
THEME: Final = {"light": "#ffffff", "dark": "#172127"}
#: What is behind everything: `--paper` of the sheet, for the moment in which an installed application opens.
PAPER: Final = {"light": "#f5f6f3", "dark": "#0f171b"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes and what they are."""

    body: bytes
    content_type: str
    digest: str


@lru_cache(maxsize=1)
def assets() -> dict[str, Asset]:
    """Every static file by its name (`app.css`, `icons/icon.svg`)."""
    root = _root()
    return {str(path.relative_to(root)): _read(path) for path in sorted(root.rglob("*")) if path.is_file()}


def address(name: str) -> str:
    """The path of a static file; it changes when the file does."""
    return f"/static/{assets()[name].digest}/{name}"


def find(digest: str, name: str) -> Asset | None:
    """The file of that name, if this is its present version."""
    asset = assets().get(name)
    return asset if asset is not None and asset.digest == digest else None


@lru_cache(maxsize=64)
def pressed(name: str) -> bytes | None:
    """The present file of that name, compressed; None where that saves nothing. No reader's word is ever in it."""
    body = assets()[name].body
    small = gzip.compress(body, 9, mtime=0)
    return small if len(small) < 0.9 * len(body) else None


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(body, kind, hashlib.sha256(body).hexdigest()[:16])


def _root() -> Path:
    """Beside the package in a checkout, inside it when installed."""
    here = Path(__file__).resolve().parent
    inside = here / "static"
    return inside if inside.is_dir() else here.parent / "static"
