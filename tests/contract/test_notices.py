"""Notices, and everything that tells of them, promise the same on both engines; every look is held to an index."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from instance.services import notice_wishes, notices, sending
from instance.services.notice_kinds import Group, Way
from instance.services.notice_wishes import Wishes
from instance.services.telling import Telling
from instance.storage import QUERIES, open_store
from instance.storage.queries import Queries
from instance.storage.store import Store, Transaction
from instance.times import to_ms
from instance.views import notices as shown
from tests.contract.test_who_sees_what import ABROAD, HERE, READER, Author, Case, add_doctor
from verification.standing import Policy

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ANNA = Author(f"{ABROAD}/doctors/anna", "none", "none", False, "ok")
POST = Case("01JDB0000000000000000000AA", ANNA, "federation", False, ("cardiology",), "case", "en", to_ms(NOW) + 1)


class Place:
    """As much of an instance as telling needs, on one engine."""

    def __init__(self, store: Store) -> None:
        self.store, self.now = store, NOW
        self.clock = lambda: self.now
        self.config = SimpleNamespace(language="en")
        self.policies = SimpleNamespace(standing=Policy(), look=self._nothing)
        self.wake = SimpleNamespace(mails=asyncio.Event())
        self.log = SimpleNamespace(error=lambda *_, **values: pytest.fail(str(values)))

    async def _nothing(self) -> None:
        return None

    async def tells(self, kind: str = "answer", about: str = "1") -> None:
        """Anna does something."""
        await self.store.write(
            lambda tx: notices.put(tx, READER, kind, ANNA.uri, now=self.now, post=POST.slug, about=about)
        )

    async def mails(self) -> list[Any]:
        """What mails count, after telling what is due."""
        await Telling(self).tell_due()  # type: ignore[arg-type]
        return [json.loads(row["counts"]) for row in await self.store.all("mails.due", now=2**60, most=50)]


@pytest.fixture
async def place(address: str) -> AsyncIterator[Place]:
    """The reader, who has an account, and a case of Anna's, on each engine in turn."""
    store = await open_store(address)
    try:
        await store.migrate()
        await store.write(_begin)
        yield Place(store)
    finally:
        await store.close()


async def _begin(tx: Transaction) -> None:
    await add_doctor(tx, ANNA.uri)
    reader = {
        "uri": READER, "origin": HERE, "handle": "reader", "name": "Dr Reader", "folded": "reader", "role": "specialist",
        "country": "FR", "specialties": '["cardiology"]', "assurance": "high", "valid_from": 0, "valid_until": 2**42,
        "inbox": "", "shared_inbox": "", "outbox": "", "followers": "", "following": "", "languages": "[]",
        "credential": "null", "now": 0, "approves_followers": 0,
    }  # fmt: skip
    await tx.run("people.add", **reader)
    values = {
        "uri": POST.uri, "slug": POST.slug, "origin": ABROAD, "author": ANNA.uri, "kind": "case", "title": "T",
        "language": "en", "specialties": '["cardiology"]', "audience": "federation", "now": POST.at, "content": "",
        "context": "", "role_then": "specialist", "facts": "{}", "interests": "", "event_from": "", "published_at": POST.at, "updated_at": None,
        "sort_at": POST.at,
    }  # fmt: skip
    await tx.run("apply.add_post", **values)
    await tx.run("posts.add_specialty", specialty="cardiology", post=POST.uri, sort_at=POST.at, bulletin="")
    await tx.run(
        "people.add_account", id="A", login="reader", password="hash", doctor=READER, roles="[]", language="", now=0
    )
    await tx.run("joining.set_address", account="A", email="reader@mail.example")


async def test_a_notice_is_told_once_and_in_numbers(place: Place) -> None:
    """Once by each way that is wished; what came twice is one, and what was read is none."""
    await notice_wishes.keep(place, READER, "FR", Wishes({Group.ANSWERS: frozenset({Way.NOW, Way.DAILY})}))  # type: ignore[arg-type]
    for about in ("1", "1", "2"):
        await place.tells(about=about)
    first = await place.mails()
    again = await place.mails()
    await notices.read_all(place.store, READER, place.now)
    place.now += timedelta(days=1)
    later = await place.mails()

    assert [{"answers": 2}] == first == again == later
    assert [] == await place.store.all("notifications.due", now=2**60, most=9)


async def test_two_processes_tell_once(place: Place) -> None:
    """Both see what is due; one of them writes the mail."""
    await notice_wishes.keep(place, READER, "FR", Wishes({Group.ANSWERS: frozenset({Way.NOW})}, digest=(0, 7)))  # type: ignore[arg-type]
    await place.tells()
    one, other = Telling(place), Telling(place)  # type: ignore[arg-type]
    await asyncio.gather(one.tell_due(), other.tell_due())
    mails = len(await place.mails())
    place.now += timedelta(days=7)
    await asyncio.gather(one.tell_due(), other.tell_due())

    assert (1, 2) == (mails, len(await place.mails()))


async def test_the_number_rises_with_everything_that_changes_it(place: Place) -> None:
    """Pages that are open look at it, by when it last did."""
    versions = []
    for change in (
        lambda: place.tells(),
        lambda: place.tells(),
        lambda: notices.opened(place.store, READER, POST.slug, place.now),
        lambda: notices.opened(place.store, READER, POST.slug, place.now),
        lambda: place.store.write(lambda tx: sending.forget_object(tx, "1", to_ms(place.now))),
        lambda: place.tells(about="2"),
        lambda: place.store.write(lambda tx: notices.take_back_of_post(tx, POST.slug, place.now)),
        lambda: place.tells(about="3"),
        lambda: place.store.write(lambda tx: notices.take_back_between(tx, ANNA.uri, READER, place.now)),
    ):
        await change()
        marks = await place.store.all("live.marks", since=to_ms(place.now))
        versions += [row["version"] for row in marks if row["doctor"] == READER]
    after = await place.store.all("live.marks", since=to_ms(place.now) + 1)

    assert [] == (await shown.notices(place.store, READER)).notices
    assert [1, 1, 2, 2, 3, 4, 5, 6, 7] == versions
    assert [] == after


async def test_what_is_shown_is_counted_and_told_alike(place: Place) -> None:
    """The page, the number beside the bell, open pages and mails: one rule, whoever is blocked, muted or withdrawn."""
    await place.tells()

    async def everywhere() -> tuple[int, ...]:
        page = await shown.notices(place.store, READER)
        kinds = await place.store.all("views.unread_kinds", reader=READER)
        told = await place.store.all("notifications.told", reader=READER, since=0)
        posts = await place.store.one("live.new_posts", reader=READER, at=0, slug="")
        assert posts is not None
        return (
            len(page.notices), await shown.unread(place.store, READER), sum(row["number"] for row in kinds),
            sum(row["number"] for row in told), posts["number"],
        )  # fmt: skip

    before = await everywhere()
    await place.store.write(lambda tx: tx.run("follows.block", doctor=ANNA.uri, blocked=READER, now=0))
    blocked = await everywhere()
    await place.store.write(lambda tx: tx.run("follows.unblock", doctor=ANNA.uri, blocked=READER))
    await place.store.write(
        lambda tx: tx.run("posts.add_tombstone", uri=POST.uri, origin="", actor="", former_type="", now=0)
    )
    withdrawn = await everywhere()

    assert ((1,) * 5, (0,) * 5, (0,) * 5) == (before, blocked, withdrawn)


@pytest.mark.parametrize("kind", ["answer", "mention", "resolved", "vote_result", "like"])
async def test_of_a_muted_case_nothing_is_told_any_more(place: Place, kind: str) -> None:
    """Neither what came before it was muted; what staff are told of by office is told all the same."""
    await place.tells(kind)
    before = await shown.unread(place.store, READER)
    await place.store.write(lambda tx: tx.run("cases.mute", doctor=READER, post=POST.uri, now=1))
    told = await place.store.all("notifications.told", reader=READER, since=0)
    muted = await shown.unread(place.store, READER)
    await place.tells("reported", about="2")

    assert (1, 0, []) == (before, muted, told)
    assert ["reported"] == [each.kind for each in (await shown.notices(place.store, READER)).notices]


async def test_sessions_of_many_accounts_are_one_read(place: Place) -> None:
    """Those of these accounts and of no other, as they are when each is asked for by itself."""
    await place.store.write(
        lambda tx: tx.run(
            "sessions.add", token=b"t" * 32, account="A", csrf="c", device="", now=1, expires_at=2, owes_factor=0,
            enrols=0,
        )
    )  # fmt: skip
    (found,) = await place.store.all("sessions.of_accounts", accounts='["A", "B"]')

    assert dict(found) == dict(await place.store.one("sessions.by_token", token=b"t" * 32) or {})
    assert [] == await place.store.all("sessions.of_accounts", accounts='["B"]')


async def test_every_look_is_held_to_an_index(tmp_path: Path) -> None:
    """However many notices, doctors and posts there are, each look walks a bounded part of an index."""
    store = await open_store(f"sqlite:///{tmp_path}/plans.db")
    await store.migrate()
    await store.close()
    queries = {query.name: query for query in Queries(QUERIES, "sqlite")}
    names = (
        "views.notices", "views.notices_end", "views.unread", "views.unread_kinds", "notifications.unread_of_post",
        "notifications.due", "notifications.told", "notifications.digests", "notifications.digest_posts", "live.marks",
        "live.newest", "live.new_posts", "sessions.of_accounts", "push.of_doctor", "notifications.whom",
        "notifications.read_all", "notifications.read_some", "notifications.of_token", "notifications.queue_asked",
        "live.asked", "askings.mark_one", "notifications.drop_of_post", "notifications.mark_of_post", "cases.hearers",
    )  # fmt: skip
    scans = {}
    with closing(sqlite3.connect(tmp_path / "plans.db")) as connection:
        walked = ("n", "f", "w", "u", "own", "asked", "both_kinds", "waiting", "CONSTANT")
        for name in names:
            query = queries[name]
            rows = connection.execute(f"explain query plan {query.text}", ["[]"] * len(query.names)).fetchall()
            # Of a table without an index; the others are what a bounded walk has found.
            found = [row[3] for row in rows if row[3].startswith("SCAN") and "USING" not in row[3]]
            scans[name] = [line for line in found if line.split()[1] not in walked]

    assert {} == {name: found for name, found in scans.items() if found}
