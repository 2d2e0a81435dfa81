"""What pages say of news and reports, apart from their text."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from urllib.parse import quote

from msgspec import Struct

from federation.vocabulary import BULLETINS, Citation
from instance.services import bulletins
from instance.services.bulletins import NONE, SOME

KINDS = tuple(kind.value for kind in sorted(BULLETINS))


class Shown(Struct, frozen=True, kw_only=True):
    """One bulletin; the line on conflicts of interest is never without an answer."""

    source: str
    source_link: str
    doi: str
    citation: Citation | None
    event: str
    event_place: str
    event_from: date | None
    event_until: date | None
    #: none, some, or empty: the author's instance has not said.
    conflict: str
    conflict_text: str

    @property
    def doi_link(self) -> str:
        """Where the DOI leads."""
        return "https://doi.org/" + quote(self.doi, safe="/:;().,-_")


@lru_cache(maxsize=1_024)
def shown(kind: str, facts: str) -> Shown | None:
    """Return what a bulletin says of itself; None for every other kind of post."""
    if kind not in KINDS:
        return None
    known = bulletins.words(facts)
    conflict = known.get("conflict")
    names = ("source", "source_link", "doi", "event", "event_place")
    return Shown(
        **{name: known.get(name, "") for name in names}, citation=known.get("citation"),
        event_from=known.get("event_from"), event_until=known.get("event_until"),
        conflict="" if conflict is None else SOME if conflict.text else NONE,
        conflict_text=conflict.text if conflict else "",
    )  # fmt: skip
