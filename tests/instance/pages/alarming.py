"""An instance about which much is wrong at once, each thing as it comes about or as its rows would say it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from instance.services import rotation
from instance.times import to_ms
from instance.vault import EVIDENCE_KEK, find_secret
from tests.instance.pages.desk_house import Desk

#: What is wrong by its rows: given up, failed here, refused, a lane that hangs for a reason people must mend, changed keys.
WRONG = (
    "update deliveries set state = 'dead' where id in (select id from deliveries order by id limit 2)",
    "insert into inbound (id, actor, activity, type, origin, key_id, profile, body, received_at, state, due_at) values"
    " ('00000000000000000000000001', '{de}/u/otto', '{de}/a/1', 'Create', '{de}', '', '', x'', {now}, 'failed', 0),"
    " ('00000000000000000000000002', '{de}/u/otto', '{de}/a/2', 'Create', '{de}', '', '', x'', {then}, 'waiting', 0)",
    "update lanes set failures = 3, alarm = 'not_a_sibling' where origin = '{de}'",
    "insert into refusals (id, at, direction, code, origin, more)"
    " values ('7ZZZZZZZZZZZZZZZZZZZZZZZZZ', {now}, 'in', 'stale', '{de}', 41)",
    "insert into settings (name, value) values ('key alarm of {de}', '{now}')",
)


async def alarm(desk: Desk, sibling: str) -> None:
    """Let a week and two days pass in which a sibling takes nothing, somebody waits for the desk, and no copy is made."""
    node, place = desk.node, desk.place
    marie = await place.doctor("marie")
    for number in range(5):
        await marie.posts(f"Syncope after exercise, {number}")
    await desk.applicant()
    now = node.clock()
    desk.move(days=9)
    await rotation.rotate_instance(node, "test", "yearly")
    find_secret(node.config, EVIDENCE_KEK).chmod(0o644)
    await node.evidence.look()
    values = {"de": sibling, "now": to_ms(node.clock()), "then": to_ms(now)}
    with closing(sqlite3.connect(node.config.database.removeprefix("sqlite:///"), timeout=5)) as connection:
        for statement in WRONG:
            connection.execute(statement.format(**values))
        connection.commit()
    await node.store.write(_traffic(sibling, to_ms(node.clock()) // 86_400_000))


def _traffic(sibling: str, today: int) -> Any:
    async def work(tx: Any) -> None:
        for back, (received, sent) in enumerate([(12, 30), (40, 3), (0, 0), (25, 18), (7, 44), (31, 29), (18, 2)]):
            await tx.run("sibling_days.add", origin=sibling, day=today - back, received=received, sent=sent)
            if back and back != 4:
                await tx.run("health.keep", day=today - back, figure="deliveries", value=sent * 31)
                await tx.run("health.keep", day=today - back, figure="refusals", value=received)
                await tx.run("health.keep", day=today - back, figure="dossiers", value=7 - back)
                await tx.run(
                    "health.keep", day=today - back, figure="database", value=1_234_567_890 - back * 90_000_000
                )

    return work
