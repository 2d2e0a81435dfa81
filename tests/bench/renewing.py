"""Credentials issued anew for a country, on an order; and what others notice of those that are renewed silently."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from federation.signatures import Profile
from tests.bench import letters
from tests.bench.flood import steadily
from tests.bench.ground import Ground
from tests.bench.load import percentile, play
from tests.bench.report import Figure
from tests.bench.scenes import Bench

#: A large country's doctors, and how long issuing for all of them may take on one core, in seconds.
COUNTRY, MOST = 83_000, 120
#: How often the waiting of a sibling's messages may grow at the 95th percentile.
BAR = 1.2
_DAY = 86_400_000


def renewing(bench: Bench) -> None:
    """An order for everybody without a server; then all of them due at once beside a sibling's messages."""
    number = COUNTRY if bench.full else bench.number(10_000)
    ground = bench.ground.copy(bench.folder / f"renewing-{bench.server}")
    with ground.rows() as connection:
        add_doctors(connection, ground.doctors[0], number)
    seconds, cpu = _order(ground)
    bench.note(Figure(
        f"{COUNTRY:,} credentials issued anew", bench.server, cpu * COUNTRY / number, "CPU-s", MOST, scaled=True,
        more={"measured": number, "s": seconds, "ms_each": cpu / number * 1000},
    ))  # fmt: skip
    _silently(bench, ground)


def add_doctors(connection: sqlite3.Connection, like: str, number: int) -> None:
    """Write so many doctors straight into the rows, each with keys, a credential and a place in the status lists."""
    columns = [row[1] for row in connection.execute("pragma table_info(doctors)")]
    changed = {
        "uri": "d.uri || n.at", "address": "d.address || n.at", "handle": "d.handle || n.at",
        "inbox": "d.uri || n.at || '/inbox'", "outbox": "d.uri || n.at || '/outbox'",
        "followers": "d.uri || n.at || '/followers'", "following": "d.uri || n.at || '/following'",
    }  # fmt: skip
    connection.execute("create temp table n (at integer primary key)")
    connection.executemany("insert into n values (?)", ((1_000 + at,) for at in range(number)))
    connection.execute(
        f"insert into doctors ({', '.join(columns)}) select {', '.join(changed.get(each, 'd.' + each) for each in columns)}"
        " from doctors d, n where d.uri = ?", [like],
    )  # fmt: skip
    keys = [row[1] for row in connection.execute("pragma table_info(keys)")]
    renamed = {"id": "replace(k.id, k.owner, k.owner || n.at)", "owner": "k.owner || n.at"}
    connection.execute(
        f"insert into keys ({', '.join(keys)}) select {', '.join(renamed.get(each, 'k.' + each) for each in keys)}"
        " from keys k, n where k.owner = ?", [like],
    )  # fmt: skip
    connection.execute(
        "insert into status_places (list, place, doctor, allotted_at) select 2 + n.at / 100000, n.at, ? || n.at, 0 from n",
        [like],
    )
    connection.execute("analyze")


def _order(ground: Ground) -> tuple[float, float]:
    """Run the command; return the seconds and the CPU seconds it took."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "instance.cli", "-c", str(ground.file), "credentials", "renew", "--all", "--reason", "bench"],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError("the credentials were not issued")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def _silently(bench: Bench, ground: Ground) -> None:
    number = bench.number(800)
    sent = [letters.creates(ground, ground.authors["de"], number, Profile.CAVAGE).requests for _ in range(3)]
    with bench.serving(ground):
        _warm(ground)
        before = asyncio.run(steadily(ground.port, sent[0]))
    now = int(time.time() * 1000)
    with ground.rows() as connection:
        connection.execute(
            "update doctors set valid_from = ?, valid_until = ? where local = 1", [now - 70 * _DAY, now + 20 * _DAY]
        )
    with bench.serving(ground, "renewing") as served:
        _warm(ground)
        left, loop, began = _due(ground.folder / "esanum.db", now), served.cpu(), time.perf_counter()
        meanwhile = asyncio.run(steadily(ground.port, sent[1]))
        took, cpu, still = time.perf_counter() - began, served.cpu() - loop, _due(ground.folder / "esanum.db", now)
    if not still or still == left:
        raise RuntimeError("nothing was renewed meanwhile, or not to the end")
    bench.note(Figure(
        "a sibling's p95 while a whole country is due", bench.server,
        meanwhile.percentile(0.95) / percentile(before.latencies, 0.95), "× alone", BAR,
        more={"alone_ms": before.percentile(0.95), "p95_ms": meanwhile.percentile(0.95),
              "p99_ms": meanwhile.percentile(0.99), "renewed_per_s": (left - still) / took, "cores": cpu / took},
    ))  # fmt: skip


def _warm(ground: Ground) -> None:
    asyncio.run(
        play("127.0.0.1", ground.port, letters.creates(ground, ground.authors["de"], 300, Profile.CAVAGE).requests, 8)
    )


def _due(database: Path, now: int) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as rows:
        return int(rows.execute(
            "select count(*) from doctors where local = 1 and valid_until = ?", [now + 20 * _DAY]
        ).fetchone()[0])  # fmt: skip
