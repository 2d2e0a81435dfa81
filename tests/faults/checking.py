"""What the ledger says against what every instance holds: lost, there twice, leaked, out of order, and row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from instance.config import load
from tests.faults.countries import Country
from tests.faults.ledger import Ledger
from tests.network.converging import differences
from tests.town import MovedClock, Network, Place


@dataclass(frozen=True)
class Findings:
    """Every difference, named; nothing but empty lists where all is as it was acknowledged."""

    lost: list[str]
    doubled: list[str]
    leaked: list[str]
    disordered: list[str]
    #: Where two instances do not agree row by row (tests.network.converging).
    different: list[str]

    def __str__(self) -> str:
        """The figures, and the first of each."""
        return "; ".join(f"{name} {len(found)} {found[:3] or ''}".strip() for name, found in vars(self).items())


async def check(countries: Sequence[Country], ledger: Ledger) -> Findings:
    """Compare instances that have ended with what was acknowledged while they ran."""
    found = [(kind, line) for look in (_posts, _answers, _twice, _order) for kind, line in look(countries, ledger)]
    of = {kind: [line for each, line in found if each == kind] for kind in ("lost", "doubled", "leaked", "disordered")}
    return Findings(**of, different=await _row_by_row(countries))


def _posts(countries: Sequence[Country], ledger: Ledger) -> Iterator[tuple[str, str]]:
    withdrawn = {note["uri"] for note in ledger.notes(act="withdraw")}
    for country in countries:
        here = Counter(row["uri"] for row in country.rows("select uri from posts"))
        named = Counter(row["title"] for row in country.rows("select title from posts"))
        words = named + Counter(row["title"] for row in country.rows("select title from revisions"))
        for note in ledger.notes(act="post"):
            line = f"{note['title']} ({note['audience']}) at {country.name}"
            at_home = note["at"] == country.name
            if note["uri"] in withdrawn:
                if words[note["title"]] or here[note["uri"]]:
                    yield "leaked", f"{line}, withdrawn"
            elif note["audience"] == "national" and not at_home:
                if words[note["title"]]:
                    yield "leaked", line
            elif named[note["title"]] > 1:
                yield "doubled", line
            elif not named[note["title"]] and (at_home or note["audience"] == "federation"):
                yield "lost", line


def _answers(countries: Sequence[Country], ledger: Ledger) -> Iterator[tuple[str, str]]:
    withdrawn = {note["uri"] for note in ledger.notes(act="withdraw")}
    for country in countries:
        here = Counter(row["text"] for row in country.rows("select content as text from comments"))
        for note in ledger.notes(act="answer"):
            number = sum(count for text, count in here.items() if note["text"] in text)
            if note["post"] not in withdrawn and number != 1:
                yield "doubled" if number else "lost", f"{note['text']} at {country.name}"
            if note["post"] in withdrawn and number and note["at"] != country.name:
                yield "leaked", f"{note['text']} at {country.name}, its post withdrawn"


def _twice(countries: Sequence[Country], _: Ledger) -> Iterator[tuple[str, str]]:
    """Messages that had a second effect."""
    for country in countries:
        for row in country.rows("select activity from inbound group by actor, activity having count(*) > 1"):
            yield "doubled", f"{row['activity']} at {country.name}"


def _order(countries: Sequence[Country], _: Ledger) -> Iterator[tuple[str, str]]:
    """Each author's posts came to stand in rows in the order in which their author wrote them."""
    asked = "select author, uri from posts order by rowid"
    for home in countries:
        written: dict[str, list[str]] = {}
        for row in home.rows(f"{asked.replace(' order', ' where local = 1 order')}"):
            written.setdefault(row["author"], []).append(row["uri"])
        for other in countries:
            came: dict[str, list[str]] = {}
            for row in other.rows(asked):
                came.setdefault(row["author"], []).append(row["uri"])
            for author, uris in written.items():
                there = came.get(author, [])
                if there != [uri for uri in uris if uri in set(there)]:
                    yield "disordered", f"{author} at {other.name}"


async def _row_by_row(countries: Sequence[Country]) -> list[str]:
    town = Network(MovedClock(datetime.now(UTC)))
    try:
        for country in countries:
            place = await Place.open(town, country.name, load(country.file))
            town.places[place.node.origin] = place
        return await differences(town)
    finally:
        await town.close()
