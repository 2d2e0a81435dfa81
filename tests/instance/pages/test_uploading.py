"""Files are let in a few at once, and nobody brings two: what is refused is refused before it is read."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from instance import uploads as uploads_module
from instance.routes import guard
from instance.services.errors import Rejected
from instance.storage.errors import StorageUnavailable
from instance.uploads import AT_ONCE, KEPT, LEAST_RATE, MAX_UPLOAD, UPLOAD_SECONDS, Uploads
from tests.instance.files import pdf
from tests.instance.pages.house import OWN_PAGE
from tests.instance.pages.newcomer import open_door
from tests.town import rows
from verification.moves import State


@pytest.fixture
async def door(tmp_path):
    """The French instance, nobody in it."""
    opened = await open_door(tmp_path)
    yield opened
    await opened.network.close()


async def _with_a_piece(door):
    eliane = await door.joins()
    await eliane.get("/application/add/diploma")
    await eliane.post("/application/add/diploma", proof="licence")
    return eliane, f"/application/pieces/{await eliane.piece()}/files"


async def test_one_account_brings_one_file_at_a_time(door):
    """Of two that are sent together one is kept; the other is told to try again, and can."""
    eliane, target = await _with_a_piece(door)
    answers = await asyncio.gather(eliane.sends(target, pdf()), eliane.sends(target, pdf()))
    later = await eliane.sends(target, pdf(pages=2))

    assert [303, 503] == sorted(answer.status_code for answer in answers)
    assert 303 == later.status_code


async def test_where_all_places_are_taken_the_next_waits(door):
    """An upload beyond the places is refused; once one is free it is taken."""
    eliane, target = await _with_a_piece(door)
    for number in range(AT_ONCE - KEPT):
        door.node.uploads.enter(f"somebody-{number}", f"198.51.100.{number}", awaited=False)
    refused = await eliane.sends(target, pdf())
    door.node.uploads.leave("somebody-0")
    taken = await eliane.sends(target, pdf())

    assert (503, 303) == (refused.status_code, taken.status_code)
    assert "Many files are being looked at" in await refused.get_data(as_text=True)


async def test_a_refused_upload_gives_its_place_back(door):
    """A piece that does not exist, a form without its token: the account can bring the next file at once."""
    eliane, target = await _with_a_piece(door)
    unknown = await eliane.sends("/application/pieces/01KB000000000000000000PIECE/files", pdf())
    token, eliane.token = eliane.token, "stale"
    stale = await eliane.sends(target, pdf())
    eliane.token = token
    taken = await eliane.sends(target, pdf())

    assert (404, 403, 303) == (unknown.status_code, stale.status_code, taken.status_code)


async def test_files_are_counted(door, monkeypatch):
    """Broken ones among them; whoever brings too many waits a quarter of an hour, and nobody else does."""
    monkeypatch.setattr(guard, "MOST_FILES", 2)
    eliane, target = await _with_a_piece(door)
    answers = [await eliane.sends(target, b"nothing") for _ in range(3)]
    door.network.clock.move(minutes=15)
    later = await eliane.sends(target, pdf())

    assert [422, 422, 429] == [answer.status_code for answer in answers]
    assert 303 == later.status_code


def test_places_are_counted_by_account():
    """Who has left may enter again; who has not, and whoever comes when all are taken, may not."""
    uploads = Uploads()
    uploads.enter("a", "198.51.100.99", awaited=False)
    with pytest.raises(Rejected, match="files_busy"):
        uploads.enter("a", "198.51.100.98", awaited=False)
    uploads.leave("a")
    for number in range(AT_ONCE - KEPT):
        uploads.enter(str(number), f"198.51.100.{number}", awaited=False)

    with pytest.raises(Rejected, match="files_busy"):
        uploads.enter("a", "198.51.100.99", awaited=False)


def test_one_network_has_two_places():
    """However many accounts it has, awaited or not; another network is let in, and a place that is free again counts."""
    uploads = Uploads()
    for account in ("a", "b"):
        uploads.enter(account, "2001:db8::/64", awaited=False)
    for awaited in (False, True):
        with pytest.raises(Rejected, match="files_busy"):
            uploads.enter("c", "2001:db8::/64", awaited=awaited)
    uploads.enter("c", "2001:db8:0:1::/64", awaited=False)
    uploads.leave("a")

    uploads.enter("d", "2001:db8::/64", awaited=False)


async def test_places_are_kept_for_those_who_are_awaited(door):
    """When strangers have all they can have: who was asked for more and who renews, also late, bring files; an applicant waits."""
    eliane, target = await _with_a_piece(door)
    for number in range(AT_ONCE - KEPT):
        door.node.uploads.enter(f"somebody-{number}", f"198.51.100.{number}", awaited=False)
    first = await eliane.sends(target, pdf())
    applicant = await door.applicant()
    found = [await door.node.dossiers.awaited(applicant.account)]
    for state in (
        State.SUBMITTED, State.NEEDS_INFO, State.APPROVED, State.REVERIFY_DUE, State.EXPIRED, State.REVOKED,
        State.WITHDRAWN, State.CLOSED,
    ):  # fmt: skip
        with sqlite3.connect(door.place.config.database.removeprefix("sqlite:///")) as file:
            file.execute("update dossiers set state = ?", (state.value,))
        found.append(await door.node.dossiers.awaited(applicant.account))
    door.node.uploads.enter("renews", "203.0.113.1", awaited=True)
    door.node.uploads.enter("asked for more", "203.0.113.2", awaited=True)

    assert 503 == first.status_code
    assert [False, False, True, True, True, True, False, False, False] == found
    with pytest.raises(Rejected, match="files_busy"):
        door.node.uploads.enter("one more", "203.0.113.3", awaited=True)


async def _streams(door, eliane, target, rate, seconds):
    """Announce a megabyte, bring so many bytes a second for so long; return the status once there is one."""
    headers = {**OWN_PAGE, "Content-Type": "multipart/form-data; boundary=b", "Content-Length": "1000000"}
    async with eliane.client.request(target, method="POST", headers=headers) as sent:
        await sent.send(b'--b\r\nContent-Disposition: form-data; name="file"; filename="deed.pdf"\r\n\r\n')
        ends, step = asyncio.get_running_loop().time() + seconds, 0.02
        while asyncio.get_running_loop().time() < ends and not sent._task.done():
            await sent.send(b"A" * int(rate * step))
            await asyncio.sleep(step)
        if not sent._task.done():
            await sent.disconnect()
            return 0
        return (await sent.as_response()).status_code


async def test_a_body_that_trickles_is_ended_and_one_from_a_telephone_is_not(door, monkeypatch):
    """At 5 kB/s it gives its place up at the first look, with 408; 400 kbit/s go on beyond it."""
    for name, value in {"SLOW_AT_FIRST": 0.3, "_LOOKED_AT": 0.05}.items():
        monkeypatch.setattr(uploads_module, name, value)
    eliane, target = await _with_a_piece(door)
    slow = await _streams(door, eliane, target, 5_000, 1.5)
    telephone = await _streams(door, eliane, target, 50_000, 0.8)
    later = await eliane.sends(target, pdf())

    assert (408, 0, 303) == (slow, telephone, later.status_code)


def test_the_largest_file_passes_from_a_telephone():
    """At 400 kbit/s: faster than the least rate, and within the time."""
    assert LEAST_RATE < 50_000
    assert MAX_UPLOAD / 50_000 < UPLOAD_SECONDS


# ── nothing without a piece ──


async def live(door) -> list:
    """Files that are not destroyed."""
    return await rows(door.node, "select id from evidence_files where destroyed_at is null")


async def test_a_file_and_what_it_shows_are_kept_together_or_not_at_all(door, monkeypatch):
    """A cut while it is attached leaves nothing; all six places are free, and not one more."""
    eliane, target = await _with_a_piece(door)

    async def cut(*_: object) -> None:
        raise StorageUnavailable("storage_failed", "made up")

    with monkeypatch.context() as patch:
        patch.setattr(door.node.dossiers, "attach_in", cut)
        answer = await eliane.sends(target, pdf())
    left, folder = await live(door), list((door.node.config.data / "evidence").glob("**/*.sealed"))
    answers = [await eliane.sends(target, pdf()) for _ in range(7)]

    assert (503, [], []) == (answer.status_code, left, folder)
    assert [*[303] * 6, 422] == [each.status_code for each in answers]


async def test_a_file_that_came_while_its_piece_was_dropped_goes_with_it(door):
    """Dropping looks at what is there when it drops, not at what the page knew."""
    eliane, target = await _with_a_piece(door)
    await eliane.sends(target, pdf())
    piece, drop = target.split("/")[3], door.node.dossiers.drop_piece

    async def late(dossier, actor, dropped):
        kept = await door.node.evidence.put(dossier, "licence", "application/pdf", pdf())
        await door.node.dossiers.attach(dossier, actor, piece, kept.id)
        return await drop(dossier, actor, dropped)

    door.node.dossiers.drop_piece = late
    await eliane.post("/application/pieces/drop", piece=piece)

    assert [] == await live(door)


async def test_what_a_cut_left_without_a_piece_is_swept_after_a_day(door):
    """Not before: and what shows a piece stays."""
    eliane, target = await _with_a_piece(door)
    await eliane.sends(target, pdf())
    dossier = (await rows(door.node, "select id from dossiers"))[0]["id"]
    loose = await door.node.evidence.put(dossier, "licence", "application/pdf", pdf())
    door.network.clock.move(hours=23)
    await door.node.evidence.sweep()
    before = await live(door)
    door.network.clock.move(hours=2)
    await door.node.evidence.sweep()
    after = await live(door)

    assert 2 == len(before)
    assert 1 == len(after)
    assert loose.id not in {row["id"] for row in after}
