"""Made-up bulletins, as a form holds them."""

from __future__ import annotations

from typing import Any

from instance.services.bulletins import BulletinDraft

_OWN: dict[str, dict[str, str]] = {
    "news": {"source": "A made-up agency", "source_link": "https://agency.example/1"},
    "study-report": {
        "source": "A made-up publisher", "doi": "https://doi.org/10.1000/made.up", "authors": "Weber A, Roux M",
        "study": "A made-up trial", "journal": "A made-up journal", "year": "2026",
    },
    "congress-report": {
        "event": "A made-up congress", "event_place": "Lyon", "event_from": "2026-09-01", "event_until": "2026-09-04",
    },
}  # fmt: skip


def fields_of(kind: str, **changed: str) -> dict[str, str]:
    """What the form of this kind holds: there is no conflict of interest, which the author has declared."""
    return {"conflict": "none", **_OWN.get(kind, {}), **changed} if kind in _OWN else dict(changed)


def a_bulletin(kind: str, **changed: Any) -> BulletinDraft:
    """The same, as the service takes it."""
    return BulletinDraft(**fields_of(kind, **changed))
