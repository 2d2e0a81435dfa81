"""What is measured after a standstill: a start with much that waits, and the way back of siblings that were away."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from tests.bench.delivering import QUIET, WARM, enlist, queue
from tests.bench.process import Served
from tests.bench.report import Figure
from tests.bench.scenes import Bench
from tests.bench.sink import Sink
from tests.tools.ports import free_ports

#: Siblings that come back at once, what waits for each of them, and the milliseconds they take for a message.
BACK, WAITING, TAKES = 7, 1_000, 20
#: Messages a second that each of them gets at least.
AT_LEAST = 100


def restart(bench: Bench) -> None:
    """A start with 100,000 deliveries waiting: for siblings that do not answer, and for siblings that are paused."""
    for paused in (False, True):
        ground = bench.ground.copy(bench.folder / f"restart-{bench.server}-{paused}")
        hosts = [f"s{at}.localhost:1" for at in range(200)]
        with ground.rows() as connection:
            enlist(connection, hosts, rfc9421=True)
            queue(connection, ground.doctors, hosts, 500, due_at=int((time.time() + 3_600) * 1000))
            if paused:
                connection.execute("update siblings set policy = 'pause' where origin like 'http://s%'")
                connection.execute("update deliveries set state = 'held' where state = 'waiting'")
        of = "deliveries of paused siblings" if paused else "deliveries queued"
        with bench.serving(bench.ground.copy(bench.folder / f"empty-{bench.server}-{paused}")) as served:
            empty = {"empty_s": served.start_seconds, "empty_cpu_s": served.cpu()}
        with bench.serving(ground) as served:
            more = {"cpu_s": served.cpu(), **empty}
            time.sleep(1)
            bench.note(Figure(f"start with 100,000 {of}", bench.server, served.start_seconds, "s", 5, more=more))
            bench.note(Figure(f"memory with 100,000 {of}", bench.server, served.rss(), "MiB", 300))


def recovery(bench: Bench) -> None:
    """Siblings that were away come back at once: how fast each of them has what waited, the slowest counts."""
    (port,) = free_ports(1)
    ground = bench.ground.copy(bench.folder / f"recovery-{bench.server}")
    hosts, number = [f"s{at}.localhost:{port}" for at in range(BACK)], bench.number(WAITING)
    sink = Sink(port, TAKES)
    try:
        due = time.time() + QUIET
        with ground.rows() as connection:
            warm = f"{WARM}:{port}"
            enlist(connection, [warm, *hosts], rfc9421=True)
            queue(connection, ground.doctors, [warm], len(ground.doctors), due_at=0)
            queue(connection, ground.doctors, hosts, number, due_at=int(due * 1000))
            authors = dict(connection.execute("select uri, actor from activities where object = ''").fetchall())
        with bench.serving(ground, "recovery") as served:
            cpu = _until_all(served, sink, hosts, authors.keys(), number, due)
        times, ids = sink.times(), sink.ids()
    finally:
        sink.stop()
    for host in hosts:
        _require_order(host, [uri for uri in ids[host] if uri in authors], authors)
    rates = [number / (max(times[host]) - min(times[host])) for host in hosts]
    bench.note(Figure(
        f"{BACK} siblings come back, {number} wait for each: the slowest", bench.server, min(rates), "per s", AT_LEAST,
        at_least=True, more={"fastest": max(rates), "all": sum(rates), "cpu": cpu / (number * BACK) * 1000},
    ))  # fmt: skip


def _until_all(
    served: Served, sink: Sink, hosts: Sequence[str], wanted: Set[str], number: int, due: float
) -> float:  # fmt: skip
    """Wait until each sibling has what it was to have; return the CPU seconds since it was due."""
    time.sleep(max(0.0, due - time.time() - 0.1))
    before, deadline = served.cpu(), time.time() + 180
    while min(len(wanted & set(came.get(host, ()))) for came in [sink.ids()] for host in hosts) < number:
        if time.time() > deadline:
            raise RuntimeError("not everything came within three minutes")
        time.sleep(0.2)
    return served.cpu() - before


def _require_order(host: str, came: Sequence[str], authors: Mapping[str, str]) -> None:
    """Raise RuntimeError unless all came once, and each author's in the order of writing."""
    if len(came) != len(set(came)):
        raise RuntimeError(f"{host} was sent something twice")
    by_author: dict[str, list[str]] = defaultdict(list)
    for uri in came:
        by_author[authors[uri]].append(uri)
    if any(sorted(own) != own for own in by_author.values()):
        raise RuntimeError(f"{host} has an author's messages in another order")
