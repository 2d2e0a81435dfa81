"""Lists to choose from, in the order of the reader's language."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from verification import specialties


@lru_cache(maxsize=16)
def specialty_choices(language: str) -> list[tuple[str, str]]:
    """Every specialty by its name in this language; the list is shared, and not the caller's to change."""
    names = ((item.slug, item.name(language)) for item in specialties.all())
    return sorted(names, key=lambda pair: place(pair[1]))


def place(name: str) -> str:
    """Where a name stands in a list: É beside E, not behind Z."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign)).casefold()
