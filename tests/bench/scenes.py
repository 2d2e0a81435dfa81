"""What is measured while the instance serves: messages in, pages out, memory, start."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from federation import turns
from federation.signatures import Profile
from tests.bench import letters
from tests.bench.ground import Ground, add_posts
from tests.bench.load import Result, percentile, play
from tests.bench.process import Costing, Served
from tests.bench.report import Figure, cost
from tests.tools.ports import free_ports

#: CPU seconds per 1,000: with hypercorn, with the servers of the extra `fast`.
BUDGETS = {"inbound": (0.6, 0.3), "json": (0.6, 0.3), "html": (1.2, 0.9), "actor": (0.4, 0.15)}
SPECIALTIES = ("cardiology", "internal-medicine", "neurology", "dermatology", "paediatrics")
CONNECTIONS = {1: 600, 8: 1_500, 32: 2_400}


@dataclass(slots=True)
class Bench:
    """One run: where, with which server, how long."""

    folder: Path
    ground: Ground
    server: str
    quick: bool = False
    full: bool = False
    profile: str = ""
    figures: list[Figure] = field(default_factory=list)

    def budget(self, what: str) -> float:
        """The bar for this server."""
        return BUDGETS[what][self.server != "hypercorn"]

    def number(self, usual: int) -> int:
        """How many, a quarter of it when it has to be quick."""
        return usual // 4 if self.quick else usual

    def note(self, figure: Figure) -> None:
        """Keep a figure, and show that there is one more."""
        self.figures.append(figure)
        print(f"  {figure.server:<10} {figure.name}: {figure.value:.3f} {figure.unit}", flush=True)

    @contextmanager
    def serving(self, ground: Ground, name: str = "") -> Iterator[Served]:
        """The instance, running."""
        profile = f"{self.profile}-{self.server}-{name}.prof" if self.profile and name else ""
        served = Served(ground.file, ground.port, ground.metrics, self.server, profile)
        try:
            yield served
        finally:
            served.stop()


def inbound(bench: Bench) -> None:
    """Signed Creates: kept, durable and visible; and the memory that takes."""
    ground = bench.ground.copy(bench.folder / f"inbound-{bench.server}")
    starts = []
    for _ in range(1 if bench.quick else 3):
        with bench.serving(ground) as served:
            starts.append((served.start_seconds, served.cpu()))
    with bench.serving(ground, "inbound") as served:
        time.sleep(1)
        bench.note(Figure("idle memory", bench.server, served.rss(), "MiB", 100))
        seconds, cpu = min(starts)
        bench.note(Figure("start, until healthy", bench.server, seconds, "s", 1, more={"cpu_s": cpu}))
        _play_creates(bench, ground, served, "de", Profile.CAVAGE, 8, 300, quiet=True)
        for name, profile, title in (
            ("de", Profile.CAVAGE, "cavage RSA-2048"),
            ("it", Profile.RFC9421, "9421 Ed25519"),
        ):
            for connections, number in CONNECTIONS.items():
                done = _play_creates(bench, ground, served, name, profile, connections, bench.number(number))
                bench.note(_inbound_figure(bench, title, connections, done))
        bench.note(Figure("memory under load", bench.server, served.rss(), "MiB", 200))


def floor(bench: Bench) -> None:
    """The same messages to the server without us: no code of ours can cost less than that."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "tests.bench.floor", bench.server, f"127.0.0.1:{port}"]
    bare = Costing(command, bench.folder / "floor.log")
    number = bench.number(3_000)
    requests = letters.creates(bench.ground, bench.ground.authors["it"], number, Profile.RFC9421).requests
    try:
        _until_open(port)
        asyncio.run(play("127.0.0.1", port, requests[:200], 8))
        before = bare.cpu()
        result = asyncio.run(play("127.0.0.1", port, requests, 8))
        bench.note(cost("the server alone, the same messages", bench.server, bare.cpu() - before, number, None,
                        per_s=number / result.seconds))  # fmt: skip
    finally:
        bare.stop()


def _until_open(port: int) -> None:
    for _ in range(1_000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise RuntimeError("the bare server did not start")


@dataclass(slots=True)
class Played:
    """What came of a run of Creates."""

    result: Result
    cpu: float
    #: Of this the event loop; the rest is the thread that writes rows.
    loop: float
    lags: list[float]


def _play_creates(
    bench: Bench, ground: Ground, served: Served, sibling: str, profile: Profile, connections: int, number: int,
    *, quiet: bool = False,
) -> Played:  # fmt: skip
    _lull()
    sent = letters.creates(ground, ground.authors[sibling], number, profile)
    watch = Watch(ground.folder / "esanum.db", sent.posts)
    before, loop_before = served.cpu(), served.loop()
    result = asyncio.run(play("127.0.0.1", ground.port, sent.requests, connections))
    seen = watch.finish()
    cpu, loop = served.cpu() - before, served.loop() - loop_before
    if result.statuses != {202: number}:
        raise RuntimeError(f"not every message was taken: {result.statuses}")
    lags = [max(0.0, seen[post] - result.answered[at]) for at, post in enumerate(sent.posts)]
    return Played(result, cpu, loop, lags)


def _lull() -> None:
    """Wait until nobody else is waited for: what is measured is one sibling that has the server to itself."""
    time.sleep(turns.LULL + 0.2)


def _inbound_figure(bench: Bench, title: str, connections: int, played: Played) -> Figure:
    result = played.result
    number = len(result.latencies)
    return cost(
        f"inbound Create visible, {title}, {connections} conn.", bench.server, played.cpu, number,
        bench.budget("inbound"), loop=played.loop / number * 1000, per_s=number / result.seconds,
        p50_ms=result.percentile(0.5), p99_ms=result.percentile(0.99), visible_p50_ms=percentile(played.lags, 0.5),
        visible_p99_ms=percentile(played.lags, 0.99),
    )  # fmt: skip


class Watch:
    """Sees posts appear, through a read-only connection of its own."""

    def __init__(self, database: Path, posts: Sequence[str]) -> None:
        self._wanted, self._seen = set(posts), dict[str, float]()
        self._rows = sqlite3.connect(f"file:{database}?mode=ro", uri=True, check_same_thread=False)
        self._last = self._rows.execute("select coalesce(max(rowid), 0) from posts").fetchone()[0]
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def finish(self) -> dict[str, float]:
        """Return when each was first seen (time.time); RuntimeError when one does not come within 20 seconds."""
        self._thread.join(20)
        if self._wanted - set(self._seen):
            raise RuntimeError(f"{len(self._wanted - set(self._seen))} posts were answered with 202 and never seen")
        return self._seen

    def _look(self) -> None:
        while self._wanted - set(self._seen):
            found = self._rows.execute("select rowid, uri from posts where rowid > ?", (self._last,)).fetchall()
            now = time.time()
            for row, uri in found:
                self._seen.setdefault(uri, now)
                self._last = row
            time.sleep(0.002)
        self._rows.close()


def reading(bench: Bench) -> None:
    """The home feed as JSON and as a page, and a sibling's read of a doctor."""
    ground = bench.ground.copy(bench.folder / f"reading-{bench.server}")
    sizes = (10_000, 1_000_000) if bench.full else (10_000,)
    for posts in sizes:
        with ground.rows() as connection:
            connection.execute("delete from posts where slug like '01BENCH%'")
            authors = [author.uri for authors in ground.authors.values() for author in authors]
            add_posts(connection, authors, posts, SPECIALTIES)
        with bench.serving(ground, f"reading-{posts}") as served:
            _read(
                bench,
                served,
                f"home feed JSON, {posts:,} posts",
                letters.reads(ground, "/api/feed", bench.number(2_000)),
                "json",
            )
            _read(
                bench,
                served,
                f"home feed page, {posts:,} posts",
                letters.reads(ground, "/feed", bench.number(1_000)),
                "html",
            )
            _read(bench, served, "signed GET of a doctor", letters.actor_reads(ground, bench.number(2_400)), "actor")


def _read(bench: Bench, served: Served, name: str, requests: Sequence[bytes], budget: str) -> None:
    _lull()
    warm = asyncio.run(play("127.0.0.1", served.port, requests[: len(requests) // 6], 8))
    if set(warm.statuses) != {200}:
        raise RuntimeError(f"{name}: {warm.statuses}")
    rest = requests[len(requests) // 6 :]
    before = served.cpu()
    result = asyncio.run(play("127.0.0.1", served.port, rest, 8))
    cpu = served.cpu() - before
    bench.note(cost(
        name, bench.server, cpu, len(rest), bench.budget(budget), per_s=len(rest) / result.seconds,
        p50_ms=result.percentile(0.5), p99_ms=result.percentile(0.99), bytes=result.size,
    ))  # fmt: skip
