"""The vocabulary of medical specialties: slugs that never change, with their names in five languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

#: Where a specialty has an address of its own, it is this and its slug.
NAMESPACE: Final = "https://esanum.example/ns/federation/v1/specialty/"
_FALLBACK: Final = "en"


@dataclass(frozen=True, slots=True)
class Specialty:
    """One specialty: its slug on the wire, its names for readers, its titles and codes by country."""

    slug: str
    annex_v: str | None
    heading: str | None
    names: Mapping[str, str]
    national_titles: Mapping[str, str]
    rpps_r38: tuple[str, ...]

    def name(self, language: str) -> str:
        """The name in this language, in English where there is none."""
        return self.names.get(language) or self.names[_FALLBACK]


def all() -> tuple[Specialty, ...]:
    """Every specialty, in the order of Annex V of Directive 2005/36/EC; the few it does not list come last."""
    return tuple(_vocabulary().values())


def known(slug: object) -> bool:
    """Whether the slug is one of ours."""
    return isinstance(slug, str) and slug in _vocabulary()


def get(slug: str) -> Specialty | None:
    """The specialty of this slug, or None."""
    return _vocabulary().get(slug)


def name(slug: str, language: str) -> str:
    """What a reader sees; a slug this release does not know is shown as it stands, never guessed."""
    found = get(slug)
    return slug if found is None else found.name(language)


@lru_cache(maxsize=1)
def _vocabulary() -> Mapping[str, Specialty]:
    text = files("verification").joinpath("data/specialties.json").read_text("utf-8")
    return MappingProxyType({entry["slug"]: _specialty(entry) for entry in json.loads(text)["specialties"]})


def _specialty(entry: Mapping[str, Any]) -> Specialty:
    return Specialty(
        slug=entry["slug"],
        annex_v=entry["annexV"],
        heading=entry.get("annexV_heading_en"),
        names=MappingProxyType(entry["names"]),
        national_titles=MappingProxyType(entry.get("national_titles") or {}),
        rpps_r38=tuple(entry.get("rpps_r38") or ()),
    )
