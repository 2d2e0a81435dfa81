"""What the desk reads beside the queue: the figures of a country, the history of a dossier, what was told."""

from __future__ import annotations

import json
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Final

from federation.integrity import read_instant
from instance.services.dossiers.values import Earlier, Figures, File, HistoryLine, NoticeLine
from instance.services.dossiers.waiting import late_before
from instance.storage.store import Reader, Row
from instance.times import from_ms, to_ms
from verification.grounds import Ground
from verification.moves import State

if TYPE_CHECKING:
    from instance.services.dossiers import Dossiers

#: Decisions of so many days are counted.
_LOOKED_BACK: Final = timedelta(days=90)
#: What an application came to; the entries between say only that somebody was at work.
OUTCOMES: Final = frozenset(
    f"dossier.{state}"
    for state in (
        State.NEEDS_INFO, State.REJECTED, State.APPEALED, State.APPROVED, State.EXPIRED, State.SUSPENDED, State.CLOSED,
        State.REVOKED, State.WITHDRAWN, State.DECEASED, State.MOVED,
    )
)  # fmt: skip
_DAY: Final = timedelta(days=1)


class Reading:
    """Reads; changes nothing."""

    def __init__(self, dossiers: Dossiers) -> None:
        self._dossiers, self._node = dossiers, dossiers.node

    async def figures(self, country: str) -> Figures:
        """Count what waits by age, and how long the decisions of the last ninety days took."""
        now = self._node.clock()
        waiting = await self._node.store.all("dossiers.waiting", country=country)
        late, began = late_before(now), [from_ms(row["since"]) for row in waiting]
        ages = [now - each for each in began]
        since = to_ms(now - _LOOKED_BACK)
        decided = await self._node.store.one("dossiers.decided", country=country, since=since)
        number = 0 if decided is None else int(decided["number"])
        middle = await self._node.store.all(
            "dossiers.took", country=country, since=since, skip=max(0, number - 1) // 2, most=2 - number % 2
        )
        took = [timedelta(milliseconds=row["took"]) for row in middle]
        return Figures(
            waiting=len(ages), under_a_day=sum(age < _DAY for age in ages),
            under_two_days=sum(_DAY <= age < 2 * _DAY for age in ages),
            under_a_week=sum(2 * _DAY <= age < 7 * _DAY for age in ages),
            longer=sum(age >= 7 * _DAY for age in ages), overdue=sum(each < late for each in began),
            oldest=max(ages, default=None), decided=number, median=_median(took),
        )  # fmt: skip

    async def history(self, dossier_id: str) -> list[HistoryLine]:
        """What happened to a dossier, by the audit log, oldest first."""
        found = []
        for row in await self._node.store.all("audit.of_dossier", dossier=dossier_id):
            entry = json.loads(row["entry"])
            found.append(
                HistoryLine(
                    n=row["n"],
                    act=entry["act"],
                    at=read_instant(entry["at"]),
                    by=entry["by"],
                    reason=entry.get("reason"),
                )
            )
        return found

    async def outcomes(self, dossier_id: str) -> tuple[HistoryLine, ...]:
        """What an application came to, with the coded reasons: nothing of a vote that has decided nothing."""
        return tuple(line for line in await self.history(dossier_id) if line.act in OUTCOMES)

    async def earlier(self, file: File) -> list[Earlier]:
        """The other applications of the same account that were handed in, the newest first."""
        found = []
        for row in await self._node.store.all("dossiers.earlier", account=file.account, dossier=file.dossier.id):
            lines = await self.history(row["id"])
            if any(line.act == f"dossier.{State.SUBMITTED}" for line in lines):
                outcomes, state = tuple(line for line in lines if line.act in OUTCOMES), State(row["state"])
                begun = from_ms(row["created_at"])
                found.append(Earlier(dossier=row["id"], state=state, begun_at=begun, lines=outcomes))
        return found

    async def notices(self, account: str, most: int = 50) -> list[NoticeLine]:
        """What an applicant was told, the newest first."""
        found = await self._node.store.all("dossiers.notices_of_account", account=account, most=most)
        return [_notice(row, read=row["read_at"] is not None) for row in found]


async def deciders_of(reader: Reader, account: str) -> frozenset[str]:
    """Who voted on the last application of an account on which anybody did, where it was never approved.

    The audit log says so: votes are facts, and go when an application is withdrawn.
    """
    for row in await reader.all("dossiers.earlier", account=account, dossier=""):
        if row["approved_at"] is not None:
            return frozenset()
        entries = [json.loads(each["entry"]) for each in await reader.all("audit.of_dossier", dossier=row["id"])]
        if found := frozenset(_staff(entry["by"]) for entry in entries if entry["act"] == "vote.cast"):
            return found
    return frozenset()


def _staff(by: str) -> str:
    """The id of a member of staff, which the log has in small letters."""
    kind, _, number = by.partition("-")
    return f"{kind}-{number.upper()}"


def _median(took: list[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(each.total_seconds() for each in took)) if took else None


def _notice(row: Row, *, read: bool) -> NoticeLine:
    return NoticeLine(
        id=row["id"], dossier=row["dossier"], notice=row["notice"], at=from_ms(row["at"]), read=read,
        grounds=tuple(Ground(each) for each in json.loads(row["grounds"])),
        until=None if row["until"] is None else from_ms(row["until"]),
    )  # fmt: skip
