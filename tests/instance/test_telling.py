"""Mails and digests about notices: what is in them and what never is, when they come, and to whom none comes."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from instance.services import notice_hours, notice_wishes, notices
from instance.services.errors import Rejected
from instance.services.notice_kinds import GROUPS, KINDS, Group, Way
from instance.services.notice_wishes import Wishes
from instance.services.owners import PASSWORD_CHANGED, tell_owner
from tests.instance.served import ROOT
from tests.town import Network, Person, Place, rows

TITLE, WORDS = "Zebrafish fever of the third kind", "Quokka rash on both elbows."
SECRETS = (TITLE, WORDS, "Zebrafish", "Quokka", "Marie", "Anna", "Dr ", "marie", "anna")
EVERYTHING = {group: frozenset({Way.NOW, Way.PUSH}) for group in GROUPS}


@pytest.fixture
async def fr(tmp_path) -> AsyncIterator[Place]:
    """The French instance; mails are files."""
    network = await Network.open(tmp_path)
    yield await network.add(tmp_path, "fr", language="en")
    await network.close()


async def reached(place: Place, handle: str, *, wishes: Wishes | None = None, language: str = "en") -> Person:
    """A doctor with an address, who wishes this."""
    person = await place.doctor(handle)

    async def work(tx: Any) -> None:
        account = await tx.one("people.account_for_sign_in", login=handle)
        await tx.run("joining.set_address", account=account["id"], email=f"{handle}@mail.example")
        await tx.run("people.set_preferences", id=account["id"], language=language, appearance="")

    await place.node.store.write(work)
    if wishes is not None:
        await notice_wishes.keep(place.node, person.uri, "FR", wishes)
    return person


async def mails(place: Place, rounds: int = 3) -> list[Any]:
    """Tell what is due and send it; every mail in the folder."""
    for _ in range(rounds):
        await place.node.telling.tell_due()
        await place.node.mails.send_due()
    found = sorted((place.node.config.data / "mail").glob("*.eml"))
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in found]


async def answered(place: Place, marie: Person, anna: Person, *, audience: str = "federation") -> str:
    """A case of Marie's with an answer of Anna's."""
    slug = await marie.posts(TITLE, text=WORDS, audience=audience)
    await anna.comments(f"{place.node.origin}/posts/{slug}", WORDS)
    return slug


def due(place: Place) -> Any:
    """What waits."""
    return rows(place.node, "select doctor, way, at from notice_due order by way")


async def put(place: Place, statement: str) -> None:
    """Write a row that no service of this part writes."""
    path = place.config.database.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


async def told(place: Place, tx: Any, whom: Person, kind: str, actor: str, *, post: str = "") -> None:
    """A notice, as services write it."""
    await notices.put(tx, whom.uri, kind, actor, now=place.network.clock(), post=post, about="about")


# ── what is in them ──


@pytest.mark.parametrize(
    ("language", "said"), [("en", "1 answer to you"), ("de", "1 Antwort an Sie"), ("fr", "1 réponse pour vous")]
)
async def test_a_mail_says_how_much_there_is(fr, language, said):
    """Numbers and the way to the page, in the reader's language; no name, no title, no word."""
    marie = await reached(fr, "marie", wishes=Wishes(EVERYTHING), language=language)
    anna = await fr.doctor("anna")
    await answered(fr, marie, anna)
    mail = (await mails(fr))[0]
    text = mail.get_content()
    shown = (mail.as_string() + text).replace("marie@mail.example", "")

    assert said in text
    assert "https://fr.example/notices" in text
    assert language == mail["Content-Language"]
    assert [] == [word for word in SECRETS if word in shown]


async def test_nothing_is_sent_that_was_not_wished(fr):
    """Until they were asked for, there are neither mails nor a digest."""
    marie = await reached(fr, "marie")
    await answered(fr, marie, await fr.doctor("anna"))

    assert [] == await due(fr)
    assert [] == await mails(fr)


async def test_only_the_groups_that_were_wished_are_told(fr):
    """Thanks are told to whoever wants thanks; an answer is not."""
    marie = await reached(fr, "marie", wishes=Wishes({Group.THANKS: frozenset({Way.NOW})}))
    anna = await fr.doctor("anna")
    await answered(fr, marie, anna)
    nothing = await mails(fr)
    await fr.node.store.write(lambda tx: told(fr, tx, marie, "like", anna.uri))

    assert [] == nothing
    assert "1 thank-you" in (await mails(fr))[0].get_content()


async def test_many_notices_are_one_mail_an_hour(fr):
    """What comes within the hour waits for its end, and is counted together."""
    marie = await reached(fr, "marie", wishes=Wishes(EVERYTHING))
    anna = await fr.doctor("anna")
    slug = await answered(fr, marie, anna)
    first = len(await mails(fr))
    for _ in range(3):
        fr.network.clock.move(minutes=5)
        await anna.comments(f"{fr.node.origin}/posts/{slug}", WORDS)
    within = len(await mails(fr))
    fr.network.clock.move(minutes=50)
    later = await mails(fr)

    assert (1, 1, 2) == (first, within, len(later))
    assert "3 answers to you" in later[-1].get_content()


async def test_what_was_read_is_not_told(fr):
    """Whoever has looked meanwhile gets no mail."""
    marie = await reached(fr, "marie", wishes=Wishes({Group.ANSWERS: frozenset({Way.DAILY})}))
    await answered(fr, marie, await fr.doctor("anna"))
    await mails(fr)
    waiting = await due(fr)
    await notices.read_all(fr.node.store, marie.uri, fr.network.clock())
    fr.network.clock.move(hours=24)

    assert ["daily"] == [row["way"] for row in waiting]
    assert [] == await mails(fr)
    assert [] == await due(fr)


async def test_a_daily_mail_comes_at_seven(fr):
    """Of the reader's clock, and not before."""
    marie = await reached(fr, "marie", wishes=Wishes({Group.ANSWERS: frozenset({Way.DAILY})}))
    await answered(fr, marie, await fr.doctor("anna"))
    before = await mails(fr)
    at = (await due(fr))[0]["at"]
    fr.network.clock.move(hours=24)

    assert [] == before
    assert 7 == datetime.fromtimestamp(at / 1000, ZoneInfo("Europe/Paris")).hour
    assert 1 == len(await mails(fr))


async def test_quiet_hours_keep_mails_waiting(fr):
    """Nothing comes between them; it comes afterwards."""
    now = fr.network.clock().astimezone(ZoneInfo("Europe/Paris")).hour
    wishes = Wishes(EVERYTHING, quiet=((now - 1) % 24, (now + 2) % 24))
    marie = await reached(fr, "marie", wishes=wishes)
    await answered(fr, marie, await fr.doctor("anna"))
    quiet = await mails(fr)
    fr.network.clock.move(hours=3)

    assert [] == quiet
    assert 1 == len(await mails(fr))


@pytest.mark.parametrize("asked", [{}, {"asked_country": "FR", "specialties": ("dermatology",)}])
async def test_a_question_to_many_is_told_to_those_who_wish_it(fr, asked):
    """It is no row of their own, and a request all the same: of the specialty or the country that is asked."""
    await reached(fr, "marie", wishes=Wishes({Group.REQUESTS: frozenset({Way.NOW})}))
    await reached(fr, "leo", wishes=Wishes({Group.ANSWERS: frozenset({Way.NOW})}))
    anna = await reached(fr, "anna", wishes=Wishes({Group.REQUESTS: frozenset({Way.NOW})}))
    await anna.posts(TITLE, text=WORDS, kind="question", **asked)
    (mail,) = await mails(fr)

    assert "marie@mail.example" == mail["To"]
    assert "- 1 request" in mail.get_content().splitlines()
    assert [] == await due(fr)


@pytest.mark.parametrize("way", ["another specialty", "blocks", "mutes", "answered", "looked at"])
async def test_a_question_that_is_nothing_to_a_doctor_is_not_told(fr, way):
    """Of others, of whom one has blocked or muted, and one that waits for nobody any more."""
    marie = await reached(fr, "marie", wishes=Wishes({Group.REQUESTS: frozenset({Way.NOW})}))
    anna, leo = await fr.doctor("anna"), await fr.doctor("leo")
    if way == "blocks":
        await fr.node.follows.block(marie.uri, "anna")
    elif way == "mutes":
        await fr.node.contact.mute(marie.uri, anna.uri)
    asked = "dermatology" if way == "another specialty" else "cardiology"
    slug = await anna.posts(TITLE, text=WORDS, kind="question", specialties=(asked,))
    if way == "answered":
        await leo.comments(f"{fr.node.origin}/posts/{slug}", WORDS)
    elif way == "looked at":
        await fr.node.publishing.visited(marie.uri, f"{fr.node.origin}/posts/{slug}", 1)

    assert [] == await mails(fr)
    assert [] == await due(fr)


# ── to whom nothing goes ──


@pytest.mark.parametrize("way", ["blocks", "is blocked", "mutes", "mutes the case"])
async def test_nothing_reaches_across_a_block_or_a_mute(fr, way):
    """Neither on the page nor by mail; and a colleague whom none of that is about is told of all the same."""
    marie = await reached(fr, "marie", wishes=Wishes(EVERYTHING))
    anna, leo = await fr.doctor("anna"), await fr.doctor("leo")
    slug = await marie.posts(TITLE, text=WORDS)
    uri = f"{fr.node.origin}/posts/{slug}"

    shut = {
        "blocks": f"insert into blocks values ('{marie.uri}', '{anna.uri}', 0)",
        "is blocked": f"insert into blocks values ('{anna.uri}', '{marie.uri}', 0)",
        "mutes": f"insert into mutes values ('{marie.uri}', '{anna.uri}', 0)",
        "mutes the case": f"insert into post_marks (doctor, post, muted_at) values ('{marie.uri}', '{uri}', 0)",
    }
    await put(fr, shut[way])
    await fr.node.store.write(lambda tx: told(fr, tx, marie, "answer", anna.uri, post=slug))
    written = await rows(fr.node, "select kind from notifications")
    other = [] if way == "mutes the case" else [await leo.comments(uri, WORDS)]

    assert [] == written
    assert len(other) == len(await mails(fr))


async def test_a_block_after_the_notice_is_in_time(fr):
    """What is told is counted when it is told: who was blocked meanwhile is in no mail."""
    marie = await reached(fr, "marie", wishes=Wishes(EVERYTHING))
    anna = await fr.doctor("anna")
    await answered(fr, marie, anna)
    await fr.node.follows.block(marie.uri, "anna")

    assert [] == await mails(fr)


async def test_a_withdrawn_case_is_in_no_mail(fr):
    """Nor is what has gone from the page."""
    marie, anna = await reached(fr, "marie", wishes=Wishes(EVERYTHING)), await fr.doctor("anna")
    leo = await reached(fr, "leo", wishes=Wishes(EVERYTHING))
    slug = await anna.posts(TITLE, text=WORDS, audience="named", named=("marie",))
    await fr.node.publishing.withdraw(anna.uri, slug)

    assert leo.uri != marie.uri
    assert [] == await mails(fr)


async def test_a_suspended_doctor_is_told_of_their_standing_alone(fr):
    """An answer waits unseen; what became of the verification is told."""
    marie = await reached(fr, "marie", wishes=Wishes(EVERYTHING))
    await answered(fr, marie, await fr.doctor("anna"))
    await put(fr, f"update doctors set standing = 'suspended' where uri = '{marie.uri}'")
    await fr.node.store.write(lambda tx: told(fr, tx, marie, "standing", ""))
    text = (await mails(fr))[0].get_content()

    assert "1 notice about your verification" in text
    assert "answer" not in text


# ── switching off ──


async def test_one_press_in_a_mail_program_switches_mails_off(fr):
    """Without a session, from anywhere; devices stay as they were, and the token does nothing else."""
    marie = await reached(fr, "marie", wishes=Wishes(EVERYTHING, digest=(0, 7)))
    anna = await fr.doctor("anna")
    slug = await answered(fr, marie, anna)
    mail = (await mails(fr))[0]
    url = str(mail["List-Unsubscribe"]).strip("<>").removeprefix("https://fr.example")
    form = {"Host": "fr.example", "Content-Type": "application/x-www-form-urlencoded"}
    wrong = await fr.request("POST", "/mail/off/wrong", form, b"List-Unsubscribe=One-Click")
    still = await notice_wishes.read(fr.node.store, marie.uri)
    done = await fr.request("POST", url, form, b"List-Unsubscribe=One-Click")
    wishes = await notice_wishes.read(fr.node.store, marie.uri)
    fr.network.clock.move(hours=2)
    await anna.comments(f"{fr.node.origin}/posts/{slug}", WORDS)

    assert "List-Unsubscribe=One-Click" == mail["List-Unsubscribe-Post"]
    assert (200, 200, wrong.body) == (wrong.status, done.status, done.body)
    assert (True, False) == (still.mailed, wishes.mailed)
    assert wishes.wants(Group.ANSWERS, Way.PUSH)
    assert 1 == len(await mails(fr))


async def test_the_mails_of_the_account_cannot_be_switched_off(fr):
    """A word about factors and passwords bears no such header."""
    await reached(fr, "marie", wishes=Wishes(EVERYTHING))
    account = (await rows(fr.node, "select id from accounts"))[0]["id"]
    await fr.node.store.write(lambda tx: tell_owner(tx, account, PASSWORD_CHANGED, fr.network.clock()))

    assert [None] == [mail["List-Unsubscribe"] for mail in await mails(fr)]


# ── the digest ──


async def test_the_digest_counts_what_the_reader_may_see(fr):
    """New cases and open questions of the own specialty; not the own, not a blocked colleague's, not what is for others."""
    marie = await reached(fr, "marie", wishes=Wishes(digest=(0, 7)))
    anna, leo, zoe = await fr.doctor("anna"), await fr.doctor("leo"), await fr.doctor("zoe")
    fr.network.clock.move(minutes=1)
    slug = await anna.posts(TITLE, text=WORDS)
    await anna.posts(TITLE, text=WORDS, kind="question")
    await anna.posts(TITLE, text=WORDS, specialties=("dermatology",))
    await anna.posts(TITLE, text=WORDS, audience="colleagues")
    await leo.posts(TITLE, text=WORDS)
    await marie.posts(TITLE, text=WORDS)
    await fr.node.follows.block(marie.uri, "leo")
    fr.network.clock.move(minutes=40)
    await zoe.comments(f"{fr.node.origin}/posts/{slug}", WORDS)
    await put(fr, f"update posts set first_answer_at = published_at + 2400000 where slug = '{slug}'")
    fr.network.clock.move(days=7)
    found = await mails(fr)
    text = found[0].get_content()

    assert 1 == len(found)
    assert "- 1 new case" in text.splitlines()
    assert "first answer: 40 minutes" in text
    assert [] == [word for word in SECRETS if word in text]


async def test_a_digest_comes_once_and_only_when_there_is_something(fr):
    """The next one counts from the last; a week without anything has none."""
    await reached(fr, "marie", wishes=Wishes(digest=(0, 7)))
    anna = await fr.doctor("anna")
    fr.network.clock.move(minutes=1)
    await anna.posts(TITLE, text=WORDS)
    fr.network.clock.move(days=7)
    first = len(await mails(fr))
    fr.network.clock.move(days=7)
    second = len(await mails(fr))
    fr.network.clock.move(minutes=1)
    await anna.posts(TITLE, text=WORDS)
    fr.network.clock.move(days=7)

    assert (1, 1) == (first, second)
    assert 2 == len(await mails(fr))


async def test_a_digest_that_was_written_is_not_written_again(fr):
    """Whoever ends in the middle has written the mail and moved on, or neither."""
    marie = await reached(fr, "marie", wishes=Wishes(digest=(0, 7)))
    fr.network.clock.move(minutes=1)
    await (await fr.doctor("anna")).posts(TITLE, text=WORDS)
    fr.network.clock.move(days=7)
    at = (await rows(fr.node, "select digest_at from notice_wishes"))[0]["digest_at"]
    for _ in range(2):  # two processes that saw the same row
        await fr.node.telling._digest(marie.uri, at, fr.network.clock())

    assert 1 == len(await rows(fr.node, "select id from mails where notice = 'digest'"))


async def test_whoever_has_gone_keeps_nobody_waiting(fr):
    """No digest is for them, none is looked at again and again, and those of others come."""
    marie = await reached(fr, "marie", wishes=Wishes(digest=(0, 7)))
    await reached(fr, "leo", wishes=Wishes(digest=(0, 7)))
    fr.network.clock.move(minutes=1)
    await (await fr.doctor("anna")).posts(TITLE, text=WORDS)
    await put(fr, f"update doctors set gone_at = 1, standing = 'gone' where uri = '{marie.uri}'")
    fr.network.clock.move(days=7)
    first, again = await fr.node.telling.tell_due(), await fr.node.telling.tell_due()

    assert (2, 0) == (first, again)
    assert 1 == len(await rows(fr.node, "select id from mails where notice = 'digest'"))


#: Ends itself without goodbye, before what was told is on the disk or just after.
ENDING = """
import asyncio, os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from instance.services.telling import Telling
from instance.wiring import open_node
from tests.town import describe

async def main(folder, moment, when):
    now = datetime.fromtimestamp(float(moment), UTC)
    node = await open_node(describe(Path(folder), "fr", language="en"), clock=lambda: now)
    end = lambda: os.kill(os.getpid(), signal.SIGKILL)
    mail = Telling._mail
    async def dying(self, *given):
        await mail(self, *given)
        end()
    if when == "before":
        Telling._mail = dying
    await node.telling.tell_due()
    end()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.faults
@pytest.mark.parametrize("when", ["before", "after"])
async def test_whoever_is_killed_tells_once(tmp_path, when):
    """A process that ends between counting and the disk, or right after it: one digest and one mail, not two, not none."""
    network = await Network.open(tmp_path)
    fr = await network.add(tmp_path, "fr", language="en")
    marie = await reached(fr, "marie", wishes=Wishes(EVERYTHING, digest=(0, 7)))
    network.clock.move(minutes=1)
    anna = await fr.doctor("anna")
    await anna.posts(TITLE, text=WORDS)
    await answered(fr, marie, anna)
    network.clock.move(days=7)
    await network.close()
    child = [sys.executable, "-c", ENDING, str(tmp_path / "fr"), str(network.clock().timestamp()), when]
    died = subprocess.run(child, check=False, capture_output=True, cwd=ROOT).returncode
    again = await Place.open(network, "fr", fr.config)
    found = await mails(again)
    await again.node.close()

    assert -signal.SIGKILL == died
    assert ["Your week in numbers – Instance fr", "There is news for you – Instance fr"] == sorted(
        (str(mail["Subject"]) for mail in found), reverse=True
    )


# ── hours ──


@pytest.mark.parametrize(
    ("now", "begins", "ends", "expected"),
    [
        (datetime(2026, 11, 23, 21, 30, tzinfo=UTC), 22, 7, datetime(2026, 11, 24, 6, tzinfo=UTC)),
        (datetime(2026, 11, 23, 2, tzinfo=UTC), 22, 7, datetime(2026, 11, 23, 6, tzinfo=UTC)),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), 22, 7, None),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), 12, 14, datetime(2026, 11, 23, 13, tzinfo=UTC)),
        (datetime(2026, 11, 23, 12, tzinfo=UTC), 7, 7, None),
    ],
)
def test_quiet_hours_are_those_of_the_own_clock(now, begins, ends, expected):
    """Over midnight too; none where they begin as they end."""
    assert expected == notice_hours.quiet_until(now, ZoneInfo("Europe/Paris"), begins, ends)


def test_an_hour_is_an_hour_on_the_wall():
    """Also on the day on which the clock is put back."""
    paris = ZoneInfo("Europe/Paris")
    before = datetime(2026, 10, 24, 12, tzinfo=UTC)

    assert datetime(2026, 10, 25, 6, tzinfo=UTC) == notice_hours.next_hour(before, paris, 7)
    assert datetime(2026, 10, 26, 6, tzinfo=UTC) == notice_hours.next_weekly(before, paris, 0, 7)
    assert timedelta(days=7) == notice_hours.next_weekly(datetime(2026, 11, 23, 6, tzinfo=UTC), paris, 0, 7) - datetime(
        2026, 11, 23, 6, tzinfo=UTC
    )


@pytest.mark.parametrize("wishes", [Wishes(zone="Mars/Olympus"), Wishes(quiet=(5, 24)), Wishes(digest=(7, 7))])
async def test_hours_and_zones_that_are_none_are_refused(fr, wishes):
    """And nothing is kept of them."""
    marie = await reached(fr, "marie")
    with pytest.raises(Rejected, match="bad_time"):
        await notice_wishes.keep(fr.node, marie.uri, "FR", wishes)

    assert Wishes() == await notice_wishes.read(fr.node.store, marie.uri)


def test_every_kind_has_its_place():
    """Each belongs to a group, and what no version knows belongs somewhere too."""
    assert set(GROUPS) == {kind.group for kind in KINDS.values()}
