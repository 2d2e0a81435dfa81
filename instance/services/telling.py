"""Telling of notices elsewhere than on the page: by mail and on devices, and once a week the digest.

What is told are numbers of groups, counted at the moment of telling by the one rule of what may be seen: a notice that
was read, taken back or closed meanwhile is none. A mail's row is written in the transaction that settles what was due,
so that a crash tells neither twice nor never. Whoever may not read is told of their standing alone.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from instance.ids import new_ulid
from instance.services import notice_hours, notice_kinds, standings
from instance.services.notice_kinds import Group, Way
from instance.services.notice_mails import DIGEST, NOTICES, READER
from instance.services.notice_wishes import turn_of
from instance.services.push import Outcome
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms
from verification.standing import Action, may

if TYPE_CHECKING:
    from instance.wiring import Node

#: Between two mails, and between two messages on devices, to the same doctor.
MAILS_APART: Final = timedelta(hours=1)
PUSHES_APART: Final = timedelta(minutes=1)
#: A message on a device that did not leave is tried again after this, and given up a day after what it is about.
PUSH_AGAIN: Final = timedelta(minutes=10)
PUSH_GIVEN_UP: Final = timedelta(days=1)
#: No digest counts what is older.
LONGEST: Final = timedelta(days=14)
A_WEEK: Final = timedelta(days=7)
_AT_ONCE: Final = 50
_REPORTS: Final = frozenset({"study-report", "congress-report"})
_ASKING: Final = frozenset({"case", "question"})


@dataclass(frozen=True, slots=True)
class _Push:
    """What is to be shown on which devices, and what is settled once it is."""

    doctor: str
    messages: list[tuple[Row, dict[Group, int]]]
    language: str
    asked: int
    since: int
    counted_at: int


class Telling:
    """What of one instance is due to be told."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store
        self._failed = False

    async def tell_due(self) -> int:
        """Tell what is due now; return how much there was, none where anything failed and waits for the next look."""
        self._failed = False
        now = self._node.clock()
        digests = await self._store.all("notifications.digests", now=to_ms(now), most=_AT_ONCE)
        for row in digests:
            await self._try(self._digest(row["doctor"], row["digest_at"], now))
        due = await self._store.all("notifications.due", now=to_ms(now), most=_AT_ONCE)
        for row in due:
            await self._try(self._tell(row["doctor"], Way(row["way"]), row["at"], now))
        return len(digests) + len(due) if not self._failed else 0

    async def _try(self, telling: Awaitable[None]) -> None:
        """Tell one; whatever goes wrong with it is said, and keeps no other from being told."""
        try:
            await telling
        except Exception as fault:
            self._failed = True
            self._node.log.error("notice_not_told", error=type(fault).__name__, exc_info=fault)

    # ── what has come ──

    async def _tell(self, doctor: str, way: Way, at: int, now: datetime) -> None:
        await self._node.policies.look()

        async def work(tx: Transaction) -> _Push | None:
            await tx.take_turn(turn_of(doctor))
            # Taken before anything is counted: what comes from here on waits, and is seen by `asked` or comes anew.
            if not await tx.run("notifications.put_off", doctor=doctor, way=way.value, at=at, later=at):
                return None
            due = await tx.one("notifications.due_now", doctor=doctor, way=way.value, at=at)
            who = await tx.one("notifications.whom", doctor=doctor)
            if due is None:
                return None
            if who is None or who["disabled_at"] is not None:
                await tx.run("notifications.settle", doctor=doctor, way=way.value, asked=due["asked"])
                return None
            later = _later(who, way, due["since"], now)
            if later is not None:
                await tx.run("notifications.put_off", doctor=doctor, way=way.value, at=at, later=to_ms(later))
                return None
            if way is Way.PUSH and (messages := await self._messages(tx, who, due["since"], now)):
                await tx.run("notifications.pushed", doctor=doctor, now=to_ms(now))
                again = to_ms(now + PUSH_AGAIN)
                await tx.run("notifications.put_off", doctor=doctor, way=way.value, at=at, later=again)
                return _Push(doctor, messages, self._language(who), due["asked"], due["since"], to_ms(now))
            counts = {} if way is Way.PUSH else await self._counts(tx, who, way, due["since"], now)
            if counts and who["email"]:
                await self._mail(tx, who, NOTICES, {group.value: number for group, number in counts.items()}, now)
                await tx.run("notifications.mailed", doctor=doctor, now=to_ms(now))
            await tx.run("notifications.settle", doctor=doctor, way=way.value, asked=due["asked"])
            return None

        push = await self._store.write(work)
        if push is not None:
            await self._push(push, now)
        else:
            self._node.wake.mails.set()

    async def _counts(self, tx: Transaction, who: Row, way: Way, since: int, now: datetime) -> dict[Group, int]:
        """What there is of the groups of which this way is wished; of whom may not read, their standing alone."""
        wished = {row["grp"] for row in await tx.all("notifications.ways", doctor=who["uri"]) if row["way"] == way}
        if not self._reads(who, now):
            wished &= {Group.STATUS.value}
        told = notice_kinds.counted(await tx.all("notifications.told", reader=who["uri"], since=since))
        return {group: number for group, number in told.items() if group.value in wished}

    async def _messages(
        self, tx: Transaction, who: Row, since: int, now: datetime
    ) -> list[tuple[Row, dict[Group, int]]]:  # fmt: skip
        """What there is to show on each device; of what it has shown already, while another was away, nothing."""
        devices = await tx.all("push.of_doctor", doctor=who["uri"])
        counted: dict[int, dict[Group, int]] = {}
        for begin in {max(since, device["shown_at"] + 1) for device in devices}:
            counted[begin] = await self._counts(tx, who, Way.PUSH, begin, now)
        found = [(device, counted[max(since, device["shown_at"] + 1)]) for device in devices]
        return [(device, counts) for device, counts in found if counts]

    def _reads(self, who: Row, now: datetime) -> bool:
        return may(Action.READ, standings.standing_of(who), self._node.policies.standing, now)

    async def _mail(self, tx: Transaction, who: Row, about: str, counts: dict[str, Any], now: datetime) -> None:
        await tx.run(
            "notifications.add_mail", id=new_ulid(now), whom=READER, account=who["account"], notice=about,
            language=who["language"] or self._node.config.language, now=to_ms(now), country="", address="",
            counts=json.dumps(counts),
        )  # fmt: skip

    def _language(self, who: Row) -> str:
        return who["language"] or self._node.config.language

    # ── on devices ──

    async def _push(self, push: _Push, now: datetime) -> None:
        outcomes = [await self._show(device, counts, push) for device, counts in push.messages]
        waits = Outcome.LATER in outcomes and now - from_ms(push.since) < PUSH_GIVEN_UP
        if waits:
            return

        async def settle(tx: Transaction) -> None:
            done = await tx.run("notifications.settle", doctor=push.doctor, way=Way.PUSH.value, asked=push.asked)
            if not done:
                await tx.run(
                    "notifications.go_on", doctor=push.doctor, way=Way.PUSH.value, now=push.counted_at,
                    since=push.counted_at + 1,
                )  # fmt: skip

        await self._store.write(settle)

    async def _show(self, device: Row, counts: dict[Group, int], push: _Push) -> Outcome:
        """Show it on one device, and keep what became of that."""
        outcome = await self._node.push.show(device, counts, push.language)
        if outcome is Outcome.GONE:
            await self._run("push.drop", id=device["id"])
        elif outcome is Outcome.SHOWN:
            await self._run("push.shown", id=device["id"], now=push.counted_at)
        return outcome

    # ── once a week ──

    async def _digest(self, doctor: str, at: int, now: datetime) -> None:
        await self._node.policies.look()

        async def work(tx: Transaction) -> None:
            await tx.take_turn(turn_of(doctor))
            who = await tx.one("notifications.whom", doctor=doctor)
            if who is None:  # gone, but not forgotten yet: looked at no sooner than any other
                await _move_on(tx, doctor, at, now + A_WEEK, now)
                return
            if who["digest_at"] != at:
                return
            where = notice_hours.zone(who["zone"], who["country"])
            later = notice_hours.next_weekly(now, where, who["digest_day"], who["digest_hour"])
            moved = await _move_on(tx, doctor, at, later, now)
            if not moved or not who["email"] or who["disabled_at"] is not None or not self._reads(who, now):
                return
            since = max(who["digest_since"], to_ms(now - LONGEST))
            numbers = await _digest_numbers(tx, who, since)
            if any(number for name, number in numbers.items() if name != "minutes"):
                await self._mail(tx, who, DIGEST, numbers, now)

        await self._store.write(work)
        self._node.wake.mails.set()

    async def _run(self, query: str, **values: object) -> int:
        async def work(tx: Transaction) -> int:
            return await tx.run(query, **values)

        return await self._store.write(work)


def _later(who: Row, way: Way, since: int, now: datetime) -> datetime | None:
    """Until when to wait; None where now is the time."""
    where = notice_hours.zone(who["zone"], who["country"])
    quiet = notice_hours.quiet_until(now, where, who["quiet_from"], who["quiet_until"])
    if quiet is not None:
        return quiet
    if way is Way.PUSH:
        first = from_ms(who["pushed_at"]) + PUSHES_APART
    else:
        first = from_ms(who["mailed_at"]) + MAILS_APART
        if way is Way.DAILY:
            first = max(first, notice_hours.next_hour(from_ms(since), where, notice_hours.DAILY))
    return first if first > now else None


async def _move_on(tx: Transaction, doctor: str, at: int, later: datetime, now: datetime) -> bool:
    """Have the next digest due then, and count from now; say whether it was this one's turn still."""
    since = {"later": to_ms(later), "since": to_ms(now)}
    return bool(await tx.run("notifications.next_digest", doctor=doctor, at=at, **since))


async def _digest_numbers(tx: Transaction, who: Row, since: int) -> dict[str, int]:
    """New cases, open questions and reports in the doctor's specialties, and the median time to a first answer."""
    found: dict[str, Row] = {}
    for slug in json.loads(who["specialties"]):
        rows = await tx.all("notifications.digest_posts", reader=who["uri"], specialty=slug, since=since)
        found.update({row["uri"]: row for row in rows})
    posts = found.values()
    waits = [row["first_answer_at"] - row["published_at"] for row in posts if row["first_answer_at"] is not None]
    numbers = {
        "cases": sum(row["kind"] == "case" for row in posts),
        "open": sum(
            row["kind"] in _ASKING and row["first_answer_at"] is None and row["solved_at"] is None for row in posts
        ),
        "reports": sum(row["kind"] in _REPORTS for row in posts),
    }  # fmt: skip
    return {**numbers, "minutes": max(1, round(median(waits) / 60_000))} if waits else numbers
