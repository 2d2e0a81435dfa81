"""F28, F34, F37, F39: what a start makes of a long queue, a second server, bad keys; and records that cannot be kept."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

from instance.ids import new_ulid
from instance.storage.errors import StorageError
from instance.times import to_ms
from tests.bench.process import _rss
from tests.faults.countries import Country, until
from tests.town import Place, refused, rows

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
QUEUED = 100_000


async def test_a_restart_with_a_long_queue_serves_at_once(countries):
    """F28, P5: 100,000 queued deliveries and siblings that are away: serving in less than 5 s, below 300 MB."""
    fr, _, _ = await countries("fr", "de", "it")
    fr.start()
    empty = await asyncio.to_thread(fr.until_ready)
    fr.stop()
    await asyncio.to_thread(_fill, fr)
    fr.start()
    seconds = await asyncio.to_thread(fr.until_ready)
    await asyncio.sleep(1)

    # A machine on which even an empty instance starts slowly is no measure.
    assert seconds < max(5, 2 * empty)
    assert fr.process is not None
    assert _rss(fr.process.pid) < 300
    until(lambda: fr.number("select max(failures) from lanes") >= 1, seconds=10)
    # One probe for each sibling, not one for each message.
    assert 0 == fr.number("select count(*) from deliveries where attempts > 0")
    posts = "activity in (select uri from activities where type = 'Create')"
    assert QUEUED == fr.number(f"select count(*) from deliveries where state = 'waiting' and {posts}")
    status, took = await asyncio.to_thread(fr.stop)
    assert 0 == status
    assert took < 10


def _fill(country: Country) -> None:
    now, author = datetime.now(UTC), country.authors[0].uri
    ms, ids = to_ms(now), [new_ulid(now) for _ in range(QUEUED)]
    with sqlite3.connect(country.database) as rows:
        siblings = [row[0] for row in rows.execute("select origin from siblings")]
        activities = [f"{country.origin}/activities/{one}" for one in ids[: QUEUED // 2]]
        rows.executemany(
            "insert into activities (uri, actor, type, object, audience, body, published_at)"
            " values (?, ?, 'Create', ?, 'federation', x'7b7d', ?)",
            ((uri, author, uri, ms) for uri in activities),
        )
        rows.executemany(
            "insert into deliveries (id, origin, inbox, shared, activity, actor, priority, state, created_at, due_at)"
            " values (?, ?, ?, 1, ?, ?, 3, 'waiting', ?, ?)",
            (
                (ids[2 * at + step], origin, f"{origin}/inbox", uri, author, ms, ms)
                for at, uri in enumerate(activities)
                for step, origin in enumerate(siblings)
            ),
        )
    rows.close()


async def test_a_second_server_on_the_same_rows_refuses(countries):
    """F34: one process per SQLite file; the second says whose it is, and the first goes on."""
    (fr,) = await countries("fr")
    fr.start()
    await asyncio.to_thread(fr.until_ready)
    config = fr.file.with_name("other.toml")
    text = fr.file.read_text()
    config.write_text(text.replace(f"127.0.0.1:{fr.port}", "127.0.0.1:1").replace(f":{fr.metrics}", ":2"))
    second = await _run(str(config))

    assert second.returncode != 0
    assert str(fr.process.pid) in second.stderr
    await asyncio.to_thread(fr.until_ready)


@pytest.mark.parametrize("name", ["kek", "issuer.pem"])
@pytest.mark.parametrize("fault", ["missing", "readable by others", "empty", "another's"])
async def test_a_bad_key_file_stops_the_start_and_none_is_made(countries, name, fault):
    """F37, A128: missing, readable by others, broken or not the one it was: the file is named, and nothing made anew."""
    (fr,) = await countries("fr")
    path = fr.folder / "secrets" / name
    before = path.read_bytes()
    match fault:
        case "missing":
            path.unlink()
        case "readable by others":
            path.chmod(0o644)
        case "empty":
            path.write_bytes(b"")
        case _:
            path.write_bytes(os.urandom(32).hex().encode() if name == "kek" else before[:-40] + before[-30:])
    found = path.read_bytes() if path.exists() else None
    done = await _run(str(fr.file))

    assert done.returncode != 0
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr
    assert found == (path.read_bytes() if path.exists() else None)


async def _run(config: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "instance.cli", "-c", config, "serve"]

    def run() -> subprocess.CompletedProcess[str]:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                out, err = process.communicate(timeout=8)
            except subprocess.TimeoutExpired:
                process.terminate()
                out, err = process.communicate(timeout=15)
            return subprocess.CompletedProcess(command, process.returncode, out, err)

    return await asyncio.to_thread(run)


async def test_a_full_disk_for_logs_stops_nothing(countries):
    """F39: where nothing can be logged the service goes on."""
    (fr,) = await countries("fr")
    with open("/dev/full", "wb") as full:
        fr.process = subprocess.Popen(
            [sys.executable, "-m", "instance.cli", "-c", str(fr.file), "serve"], stderr=full, stdout=full
        )
    await asyncio.to_thread(fr.until_ready)
    statuses = [await asyncio.to_thread(_post, fr) for _ in range(5)]

    assert [401] * 5 == statuses
    await asyncio.to_thread(fr.until_ready)
    status, _ = await asyncio.to_thread(fr.stop)
    assert 0 == status


def _post(country: Country) -> int:
    request = urllib.request.Request(
        f"http://127.0.0.1:{country.port}/inbox", b"{}",
        {"Host": country.origin.partition("://")[2], "Content-Type": "application/activity+json"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


async def test_an_audit_that_cannot_be_written_closes_staff_acts_and_nothing_else(network):
    """F39: refusals go unrecorded and siblings are served; what an administrator does is refused as a whole."""
    town = await network("fr", "de")
    marie = await town["fr"].doctor("marie")
    for table in ("refusals", "staff_acts", "sibling_changes"):
        _break(town["de"], table)

    answer = await town["de"].request("POST", "/inbox", _unsigned(town["de"]), b"{}")
    assert (401, "not_signed") == refused(answer)
    await town["de"].node.audit.flush()
    await marie.posts("Goes on")
    await town.settle()
    assert ["Goes on"] == await town["de"].titles()

    anna = await _doctor_without_record(town["de"])
    with pytest.raises(StorageError):
        await town["de"].node.siblings.set_policy(town["fr"].node.origin, "pause", by="test", reason="test")
    assert ["inherit"] == [row["policy"] for row in await rows(town["de"].node, "select policy from siblings")]
    assert anna is None


async def _doctor_without_record(place: Place):
    with pytest.raises(StorageError):
        await place.doctor("anna")
    found = await rows(place.node, "select uri from doctors where local = 1")
    return found[0] if found else None


def _unsigned(place: Place) -> dict[str, str]:
    return {"Host": place.node.authority, "Content-Type": "application/activity+json"}


def _break(place: Place, table: str) -> None:
    path = place.config.database.removeprefix("sqlite:///")
    connection = sqlite3.connect(path)
    connection.execute(
        f"create trigger broken_{table} before insert on {table} begin select raise(abort, 'cannot be kept'); end"
    )
    connection.commit()
    connection.close()
