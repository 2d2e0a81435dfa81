"""What is measured on the way out: one message to many inboxes, slow and hanging ones among them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from instance.ids import new_ulid
from instance.times import system_clock, to_ms
from tests.bench.ground import TEXT, Ground
from tests.bench.load import percentile
from tests.bench.process import Served
from tests.bench.report import Figure, cost
from tests.bench.scenes import Bench
from tests.bench.sink import Sink
from tests.tools.ports import free_ports

#: Seconds from the making of the rows to the first message that counts: the start of the server does not.
QUIET = 3.5
#: Before that every doctor has sent one message, so that each key has been opened.
WARM = "warm.localhost"


@dataclass(frozen=True, slots=True)
class Round:
    """One way of sending: so many activities to so many inboxes."""

    name: str
    activities: int
    inboxes: int
    milliseconds: int = 0
    hanging: int = 0
    rfc9421: bool = True
    budget: float | None = None
    at_least: float | None = None


ROUNDS = (
    Round("6 inboxes, Ed25519", 400, 6, budget=0.30),
    Round("500 inboxes, Ed25519", 5, 500, budget=0.30),
    Round("6 inboxes that take 100 ms, Ed25519", 400, 6, 100, at_least=300),
    Round("500 inboxes that take 100 ms, Ed25519", 5, 500, 100, at_least=300),
)
RSA = (Round("6 inboxes, RSA-2048", 250, 6, rfc9421=False, budget=0.65),)
RSA_3072 = (Round("6 inboxes, RSA-3072", 200, 6, rfc9421=False, budget=1.4),)


def delivery(bench: Bench, grounds: dict[int, Ground]) -> None:
    """Every round, then some siblings that hang among many."""
    for bits, rounds in ((2048, ROUNDS + RSA), (3072, RSA_3072)):
        for each in rounds:
            _round(bench, grounds[bits], each)
    hangs(bench, 60, 8)


def hangs(bench: Bench, inboxes: int, hanging: int) -> None:
    """Some siblings accept and never answer: what the others feel of it."""
    waited: dict[int, list[float]] = {0: [], hanging: []}
    # In turns, the best of each counts: what else runs on the machine must not look like a sibling's fault.
    for _ in range(3):
        for ill in waited:
            each = Round(f"{inboxes} inboxes", 720 // inboxes, inboxes, 100, ill)
            waited[ill].append(_round(bench, bench.ground, each, shown=False))
    well, ill_too = min(waited[0]), min(waited[hanging])
    bench.note(Figure(
        f"{hanging} of {inboxes} hang: the others' p95, against none", bench.server, ill_too / well, "times", 1.2,
        more={"p95_ms": ill_too, "without_ms": well},
    ))  # fmt: skip


def _round(bench: Bench, source: Ground, each: Round, *, shown: bool = True) -> float:
    """Play a round; return the 95th percentile of arrivals in milliseconds."""
    (port,) = free_ports(1)
    ground = source.copy(bench.folder / f"out-{bench.server}-{new_ulid(system_clock())}")
    hosts = [f"{'hang' if at < each.hanging else 's'}{at}.localhost:{port}" for at in range(each.inboxes)]
    activities = bench.number(each.activities) if each.inboxes < 500 else each.activities
    sink = Sink(port, each.milliseconds)
    try:
        due = time.time() + QUIET
        with ground.rows() as connection:
            warm = f"{WARM}:{port}"
            enlist(connection, [warm, *hosts], rfc9421=each.rfc9421)
            queue(connection, ground.doctors, [warm], len(ground.doctors), due_at=0)
            queue(connection, ground.doctors, hosts, activities, due_at=int(due * 1000))
        with bench.serving(ground, each.name.replace(" ", "-") if shown else "") as served:
            number = activities * (each.inboxes - each.hanging)
            cpu = _until_come(served, sink, due, len(ground.doctors) + number)
            came = [at for host, times in sink.times().items() if host != warm for at in times]
    finally:
        sink.stop()
    if shown:
        bench.note(_figure(bench, each, cpu, came, due))
    return percentile([at - due for at in came], 0.95)


def _until_come(served: Served, sink: Sink, due: float, wanted: int) -> float:
    """Wait until all have come and are settled; return the CPU seconds that took."""
    time.sleep(max(0.0, due - time.time() - 0.1))
    before, deadline = served.cpu(), time.time() + 60
    while sink.count() < wanted:
        if time.time() > deadline:
            raise RuntimeError(f"{sink.count()} of {wanted} deliveries came within a minute")
        time.sleep(0.05)
    time.sleep(0.3)
    return served.cpu() - before


def _figure(bench: Bench, each: Round, cpu: float, came: Sequence[float], due: float) -> Figure:
    rate = len(came) / (max(came) - min(came))
    more = {"p50_ms": percentile([at - due for at in came], 0.5), "p99_ms": percentile([at - due for at in came], 0.99)}
    if each.at_least is not None:
        more["cpu"] = cpu / len(came) * 1000
        return Figure(f"deliveries, {each.name}", bench.server, rate, "per s", each.at_least, at_least=True, more=more)
    return cost(f"delivery, {each.name}", bench.server, cpu, len(came), each.budget, per_s=rate, **more)


def enlist(connection: sqlite3.Connection, hosts: Sequence[str], *, rfc9421: bool) -> None:
    """Put played siblings on the allowlist: like one that is there, under other names."""
    connection.row_factory = sqlite3.Row
    known = dict(connection.execute("select * from siblings limit 1").fetchone())
    old = known["origin"]
    for host in hosts:
        row = {name: value.replace(old, f"http://{host}") if isinstance(value, str) else value
               for name, value in known.items()}  # fmt: skip
        row |= {"name": host, "speaks_rfc9421": int(rfc9421)}
        marks = ", ".join(f":{name}" for name in row)
        connection.execute(f"insert into siblings ({', '.join(row)}) values ({marks})", row)
    connection.execute("update deliveries set state = 'done'")
    connection.execute("update versions set value = value + 1 where name = 'allowlist'")


def queue(
    connection: sqlite3.Connection, doctors: Sequence[str], hosts: Sequence[str], activities: int, *, due_at: int
) -> None:
    """Queue so many activities, by the doctors in turn, to all hosts; their lanes open at `due_at`."""
    for host in hosts:
        connection.execute("insert into lanes (origin, next_at) values (?, ?)", (f"http://{host}", due_at))
    for at in range(activities):
        now, doctor = system_clock(), doctors[at % len(doctors)]
        uri = f"{doctor.partition('/doctors')[0]}/activities/{new_ulid(now)}"
        connection.execute(
            "insert into activities (uri, actor, type, object, body, published_at) values (?, ?, 'Create', '', ?, ?)",
            (uri, doctor, f'{{"id":"{uri}","content":"{TEXT}{TEXT}"}}'.encode(), to_ms(now)),
        )
        connection.executemany(
            "insert into deliveries (id, origin, inbox, shared, activity, actor, priority, state, created_at, due_at)"
            " values (?, ?, ?, 1, ?, ?, 3, 'waiting', ?, ?)",
            [
                (new_ulid(now), f"http://{host}", f"http://{host}/inbox", uri, doctor, to_ms(now), to_ms(now))
                for host in hosts
            ],
        )
